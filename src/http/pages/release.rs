//! A release: what did it change, may it go?

pub mod show;

use askama::Template;
use askama_web::WebTemplate;

use crate::wording::moment::Moment;
use crate::wording::names::listed;
use crate::wording::number::counted;
use crate::wording::quantity::Quantity;
use crate::wording::state::Answer;

use super::facts::{Change, Fact, terms};
use super::layout::Shell;

/// A gate's verdict on the release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GateAnswer {
    /// The verdict's page.
    pub path: String,
    /// The gate.
    pub gate: String,
    /// The answer.
    pub answer: Answer,
    /// Its most important reason.
    pub reason: String,
}

/// A change against the release before.
#[derive(Debug, Clone, PartialEq)]
pub struct ChangeRow {
    /// The flow's page with the series chosen.
    pub path: String,
    /// The flow's name.
    pub title: String,
    /// "bench · wall time P75".
    pub series: String,
    /// Before and after.
    pub walk: String,
    /// The change in percent.
    pub change: Change,
    /// Proven beyond the margin.
    pub is_proven: bool,
    /// Its share of the flow's ledger, where the ledger names it.
    pub share: Option<Quantity>,
}

/// A run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunRow {
    /// Its name.
    pub run: String,
    /// Where it ran.
    pub testbed: String,
    /// "bench".
    pub source: String,
    /// When it arrived.
    pub at: Moment,
    /// Why it is excluded; empty when it counts.
    pub excluded: String,
}

/// The page.
#[derive(Debug, Clone, PartialEq, Template, WebTemplate)]
#[template(path = "release.html")]
pub struct ReleasePage {
    /// What surrounds it.
    pub shell: Shell,
    /// Its name.
    pub release: String,
    /// Commit, parent, deploy, branch.
    pub facts: Vec<Fact>,
    /// What the gates said.
    pub verdicts: Vec<GateAnswer>,
    /// What changed, provable first.
    pub changes: Vec<ChangeRow>,
    /// Its runs, newest first.
    pub runs: Vec<RunRow>,
    /// Epochs that begin with it: flow and reason.
    pub epochs: Vec<(String, String)>,
    /// Where it can be compared with the release before; may be empty.
    pub compare: String,
}

impl ReleasePage {
    /// Puts changes in order: provable first, the largest of them first.
    pub fn sort_changes(changes: &mut [ChangeRow]) {
        let size = |row: &ChangeRow| row.change.percent.value.abs();
        changes.sort_by(|a, b| {
            b.is_proven
                .cmp(&a.is_proven)
                .then(size(b).total_cmp(&size(a)))
        });
    }

    /// True before anything arrived for it.
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty() && self.changes.is_empty()
    }

    /// What it moved.
    pub fn headline(&self) -> String {
        if self.is_empty() {
            return format!("No results for {} yet.", self.release);
        }
        let moved: Vec<String> = self
            .changes
            .iter()
            .filter(|row| row.is_proven)
            .take(3)
            .map(|row| {
                format!(
                    "{} {}",
                    row.title,
                    row.change.manner.moved(&row.change.percent)
                )
            })
            .collect();
        if moved.is_empty() {
            format!("{}: nothing beyond the margins", self.release)
        } else {
            format!("With {} {}", self.release, listed(&moved))
        }
    }

    fn excluded(&self) -> String {
        let excluded = self
            .runs
            .iter()
            .filter(|run| !run.excluded.is_empty())
            .count() as u64;
        let all = counted(self.runs.len() as u64, "run");
        if excluded == 0 {
            all
        } else {
            format!("{all}, {excluded} excluded")
        }
    }

    fn terms(&self) -> Vec<(&'static str, &'static str)> {
        terms(&["margin", "range [a, b]", "P75"])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::pages::layout::Account;
    use crate::wording::finding::Manner;

    fn row(title: &str, value: f64, is_proven: bool) -> ChangeRow {
        let percent = Quantity::percent(value, value - 1.0, value + 1.0);
        ChangeRow {
            path: String::new(),
            title: title.into(),
            series: String::new(),
            walk: String::new(),
            change: Change {
                percent,
                manner: Manner::Speed,
            },
            is_proven,
            share: None,
        }
    }

    #[test]
    fn what_is_proven_comes_first_and_heads_the_page() {
        let mut changes = vec![
            row("a", 50.0, false),
            row("Search", 4.0, true),
            row("Login", -18.0, true),
        ];
        ReleasePage::sort_changes(&mut changes);
        let mut page = ReleasePage {
            shell: Shell::bare(Account::Guest, 0),
            release: "v2.35".into(),
            facts: vec![],
            verdicts: vec![],
            changes,
            runs: vec![],
            epochs: vec![],
            compare: String::new(),
        };
        assert_eq!(
            page.headline().replace('\u{a0}', " "),
            "With v2.35 Login got 18 % faster and Search got 4 % slower"
        );
        page.changes.truncate(0);
        assert_eq!(page.headline(), "No results for v2.35 yet.");
    }
}
