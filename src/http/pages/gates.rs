//! All gates: what did each say last, and how often does it decide?

pub mod show;

use askama::Template;
use askama_web::WebTemplate;

use crate::wording::moment::Moment;
use crate::wording::state::Answer;

use super::layout::Shell;

/// A verdict in short.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerdictLine {
    /// Its page.
    pub path: String,
    /// The release.
    pub release: String,
    /// The answer.
    pub answer: Answer,
    /// When it was asked.
    pub asked: Moment,
}

/// A gate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GateRow {
    /// Its name.
    pub name: String,
    /// Its flows, as words.
    pub flows: String,
    /// Its newest verdicts, newest first.
    pub verdicts: Vec<VerdictLine>,
    /// How many answers of the quarter were decided, and how many there were.
    pub decided: (u64, u64),
    /// The next waiver to end, with its day and owner.
    pub next_waiver: Option<(String, Moment, String)>,
}

impl GateRow {
    /// "31 of 39 decided", or that nobody asked.
    pub fn share(&self) -> String {
        match self.decided {
            (_, 0) => "not asked this quarter".to_owned(),
            (decided, asked) => format!("{decided} of {asked}"),
        }
    }
}

/// The page.
#[derive(Debug, Clone, PartialEq, Eq, Template, WebTemplate)]
#[template(path = "gates.html")]
pub struct GatesPage {
    /// What surrounds it.
    pub shell: Shell,
    /// The gates.
    pub gates: Vec<GateRow>,
}

impl GatesPage {
    /// What the newest answers say.
    pub fn headline(&self) -> String {
        let newest: Vec<&VerdictLine> = self
            .gates
            .iter()
            .filter_map(|gate| gate.verdicts.first())
            .collect();
        let count = |answer: Answer| {
            newest
                .iter()
                .filter(|verdict| verdict.answer == answer)
                .count()
        };
        if self.gates.is_empty() {
            "No gate yet".to_owned()
        } else if newest.is_empty() {
            "No gate was asked yet".to_owned()
        } else if count(Answer::Fail) > 0 {
            let failed = newest.iter().find(|verdict| verdict.answer == Answer::Fail);
            failed.map_or_else(String::new, |verdict| {
                format!("{} does not pass", verdict.release)
            })
        } else if count(Answer::Inconclusive) > 0 {
            "The newest answer is undecided".to_owned()
        } else {
            "Every gate passed last time".to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::pages::layout::Account;

    #[test]
    fn a_failed_gate_is_the_headline() {
        let gate = |answer: Answer| GateRow {
            name: "release".into(),
            flows: String::new(),
            verdicts: vec![VerdictLine {
                path: String::new(),
                release: "v3".into(),
                answer,
                asked: Moment::new(0, 0),
            }],
            decided: (0, 0),
            next_waiver: None,
        };
        let page = |gates| {
            GatesPage {
                shell: Shell::bare(Account::Guest, 0),
                gates,
            }
            .headline()
        };
        assert_eq!(
            page(vec![gate(Answer::Pass), gate(Answer::Fail)]),
            "v3 does not pass"
        );
        assert_eq!(
            page(vec![gate(Answer::Pass)]),
            "Every gate passed last time"
        );
        assert_eq!(page(vec![]), "No gate yet");
        assert_eq!(gate(Answer::Pass).share(), "not asked this quarter");
    }
}
