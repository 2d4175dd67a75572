//! What surrounds every page: header, navigation, age of the data, account.

use crate::http::{assets, paths};
use crate::wording::moment::Moment;

/// A project's pages, in the order of the navigation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Section {
    /// The overview, and flows and releases below it.
    Overview,
    /// Findings.
    Findings,
    /// Gates and verdicts.
    Gates,
    /// Budgets.
    Budgets,
    /// Months.
    Months,
    /// Comparison of releases.
    Compare,
    /// Settings.
    Settings,
    /// A page outside of a project.
    Elsewhere,
}

/// Who reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Account {
    /// Somebody with a name, who may act.
    SignedIn(String),
    /// Anyone, on a server that lets anyone read.
    Guest,
    /// Nobody yet: the sign-in page and errors before it.
    Nobody,
}

/// One link of the navigation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NavLink {
    /// Where it goes.
    pub path: String,
    /// What it is called.
    pub name: &'static str,
    /// Whether the reader is there.
    pub is_current: bool,
}

/// What surrounds a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shell {
    /// The project, where the page has one.
    pub project: Option<String>,
    /// Where in the navigation it stands.
    pub section: Section,
    /// The newest data of the project.
    pub data_to: Option<Moment>,
    /// Who reads.
    pub account: Account,
    /// Now, in microseconds.
    pub now_us: i64,
    /// The page's own address, for the foot of a print.
    pub address: String,
}

impl Shell {
    /// The shell of a page outside of a project.
    pub fn bare(account: Account, now_us: i64) -> Self {
        Shell {
            project: None,
            section: Section::Elsewhere,
            data_to: None,
            account,
            now_us,
            address: String::new(),
        }
    }

    /// The project's name, or nothing.
    pub fn project_name(&self) -> &str {
        self.project.as_deref().unwrap_or_default()
    }

    /// The links of the navigation; none outside of a project.
    pub fn navigation(&self) -> Vec<NavLink> {
        let Some(project) = &self.project else {
            return Vec::new();
        };
        let pages = [
            (Section::Overview, "Overview", ""),
            (Section::Findings, "Findings", "findings"),
            (Section::Gates, "Gates", "gates"),
            (Section::Budgets, "Budgets", "budgets"),
            (Section::Months, "Months", "months"),
            (Section::Compare, "Compare", "compare"),
            (Section::Settings, "Settings", "settings"),
        ];
        let link = |(section, name, page): (Section, &'static str, &str)| NavLink {
            path: if page.is_empty() {
                paths::project(project)
            } else {
                paths::page(project, page)
            },
            name,
            is_current: section == self.section,
        };
        pages.into_iter().map(link).collect()
    }

    /// An instant as this page's reader sees it.
    pub fn moment(&self, at_us: i64) -> Moment {
        Moment::new(at_us, self.now_us)
    }

    /// The address of an asset.
    pub fn asset(&self, name: &str) -> String {
        assets::address(name)
    }

    /// True for somebody who may act on findings.
    pub fn may_act(&self) -> bool {
        matches!(self.account, Account::SignedIn(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exactly_one_link_is_current_inside_a_project() {
        let mut shell = Shell::bare(Account::Guest, 0);
        assert!(shell.navigation().is_empty());
        shell.project = Some("shop".into());
        shell.section = Section::Months;
        let current: Vec<_> = shell
            .navigation()
            .into_iter()
            .filter(|link| link.is_current)
            .collect();
        assert_eq!(current.len(), 1);
        assert_eq!(current[0].path, "/shop/months");
    }
}
