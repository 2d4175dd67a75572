//! All projects: which one needs me?

pub mod show;

use askama::Template;
use askama_web::WebTemplate;

use crate::wording::moment::Moment;
use crate::wording::names::listed;
use crate::wording::state::{Answer, State};

use super::layout::Shell;

/// A project in the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProjectRow {
    /// Its overview.
    pub path: String,
    /// Its name.
    pub name: String,
    /// How many key flows are in each state.
    pub states: Vec<(State, u64)>,
    /// The last release and its verdict.
    pub last_release: Option<(String, Option<Answer>)>,
    /// The newest data.
    pub data_to: Option<Moment>,
}

impl ProjectRow {
    /// "1 at risk, 1 stale and 4 within".
    pub fn counts(&self) -> String {
        let mut states: Vec<&(State, u64)> =
            self.states.iter().filter(|(_, count)| *count > 0).collect();
        states.sort();
        let words: Vec<String> = states
            .iter()
            .map(|(state, count)| format!("{count} {}", state.word().to_lowercase()))
            .collect();
        if words.is_empty() {
            "no key flow".to_owned()
        } else {
            listed(&words)
        }
    }

    fn worst(&self) -> Option<State> {
        self.states
            .iter()
            .filter(|(_, count)| *count > 0)
            .map(|(state, _)| *state)
            .min()
    }
}

/// The page.
#[derive(Debug, Clone, PartialEq, Eq, Template, WebTemplate)]
#[template(path = "projects.html")]
pub struct ProjectsPage {
    /// What surrounds it.
    pub shell: Shell,
    /// The projects that the reader may see.
    pub projects: Vec<ProjectRow>,
}

impl ProjectsPage {
    /// Puts the projects in order, worst first.
    pub fn sort(projects: &mut [ProjectRow]) {
        let rank = |row: &ProjectRow| row.worst().map_or(u8::MAX, |state| state as u8);
        projects.sort_by(|a, b| rank(a).cmp(&rank(b)).then_with(|| a.name.cmp(&b.name)));
    }

    fn headline(&self) -> String {
        let needy: Vec<String> = self
            .projects
            .iter()
            .filter(|row| row.worst().is_some_and(|state| state <= State::Stale))
            .map(|row| row.name.clone())
            .collect();
        match needy.len() {
            0 => "No project needs you".to_owned(),
            1 => format!("{} needs you", needy[0]),
            _ => format!("{} need you", listed(&needy[..needy.len().min(3)])),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &str, states: Vec<(State, u64)>) -> ProjectRow {
        ProjectRow {
            path: format!("/{name}"),
            name: name.into(),
            states,
            last_release: None,
            data_to: None,
        }
    }

    #[test]
    fn the_worst_project_comes_first_and_counts_are_words() {
        let mut rows = vec![
            row("b", vec![(State::Within, 4)]),
            row("a", vec![]),
            row("c", vec![(State::Within, 2), (State::AtRisk, 1)]),
        ];
        ProjectsPage::sort(&mut rows);
        let names: Vec<&str> = rows.iter().map(|row| row.name.as_str()).collect();
        assert_eq!(names, ["c", "b", "a"]);
        assert_eq!(rows[0].counts(), "1 at risk and 2 within");
        assert_eq!(rows[2].counts(), "no key flow");
    }
}
