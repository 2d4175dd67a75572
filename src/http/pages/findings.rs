//! All findings: what is open, who has it, since when?

pub mod show;

use askama::Template;
use askama_web::WebTemplate;

use crate::wording::number::counted;
use crate::wording::quantity::Quantity;

use super::facts::{FindingLine, terms};
use super::flow::Tab;
use super::layout::Shell;

/// What is watched, for a page on which nothing is open.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Watch {
    /// How many series.
    pub series: u64,
    /// The smallest visible step of the best and of the worst of them, in percent.
    pub steps: Option<(Quantity, Quantity)>,
}

/// The page.
#[derive(Debug, Clone, PartialEq, Template, WebTemplate)]
#[template(path = "findings.html")]
pub struct FindingsPage {
    /// What surrounds it.
    pub shell: Shell,
    /// Open, Acknowledged, Snoozed, Closed, each with its number.
    pub tabs: Vec<Tab>,
    /// Filters: a name and its links.
    pub filters: Vec<(&'static str, Vec<Tab>)>,
    /// The findings of the chosen tab, newest first; what moved together is one of them.
    pub findings: Vec<FindingLine>,
    /// The next page of them, if there is one.
    pub next: Option<String>,
    /// What is watched.
    pub watch: Watch,
    /// False alarms this quarter, and the number allowed.
    pub false_alarms: (u64, u64),
}

impl FindingsPage {
    /// How many are in the chosen tab.
    pub fn headline(&self) -> String {
        let chosen = self
            .tabs
            .iter()
            .find(|tab| tab.is_current)
            .map_or("open", |tab| tab.name.as_str());
        let word = chosen.split(' ').next().unwrap_or("open").to_lowercase();
        match (self.findings.len(), self.next.is_some()) {
            (0, _) => format!("Nothing {word}"),
            (n, false) => format!("{} {word}", counted(n as u64, "finding")),
            (n, true) => format!("More than {} {word}", counted(n as u64, "finding")),
        }
    }

    /// What is watched, and what would be seen.
    pub fn watched(&self) -> String {
        let watched = format!(
            "{} watched",
            counted(self.watch.series, "series").replace("seriess", "series")
        );
        match &self.watch.steps {
            Some((best, worst)) => {
                let range = Quantity::from_to(best, worst).replace('→', "to");
                format!("{watched}; steps from {range} would be seen.")
            }
            None => format!("{watched}."),
        }
    }

    fn alarms(&self) -> String {
        let (seen, allowed) = self.false_alarms;
        format!(
            "{} this quarter; {allowed} would be allowed.",
            counted(seen, "false alarm")
        )
    }

    fn terms(&self) -> Vec<(&'static str, &'static str)> {
        terms(&["slow bleed", "range [a, b]", "epoch"])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::pages::layout::Account;
    use crate::wording::unit::Unit;

    #[test]
    fn an_empty_list_says_what_is_watched() {
        let percent = |value| Quantity::exact(value, Unit::Percent);
        let page = FindingsPage {
            shell: Shell::bare(Account::Guest, 0),
            tabs: vec![Tab {
                path: String::new(),
                name: "Open 0".into(),
                is_current: true,
            }],
            filters: vec![],
            findings: vec![],
            next: None,
            watch: Watch {
                series: 42,
                steps: Some((percent(1.4), percent(6.0))),
            },
            false_alarms: (1, 4),
        };
        assert_eq!(page.headline(), "Nothing open");
        assert_eq!(
            page.watched().replace('\u{a0}', " "),
            "42 series watched; steps from 1.4 to 6 % would be seen."
        );
        assert_eq!(
            page.alarms().replace('\u{a0}', " "),
            "1 false alarm this quarter; 4 would be allowed."
        );
    }
}
