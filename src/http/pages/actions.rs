//! What somebody may do about a finding. Plain forms, since a page must work without script.

use crate::wording::moment::Moment;
use crate::wording::state::Life;

/// The buttons of a finding, and where it is in its life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actions {
    /// The finding's page; a form posts to a name below it.
    pub path: String,
    /// Where it is in its life.
    pub life: Life,
    /// Since when.
    pub since: Option<Moment>,
    /// Who has it; may be empty.
    pub owner: String,
    /// Whether the reader may act.
    pub may_act: bool,
}

impl Actions {
    /// "Acknowledged 3 Oct · owner payments".
    pub fn line(&self) -> String {
        let mut line = match (self.life, self.since) {
            (Life::Open, _) => "Nobody has acknowledged it yet".to_owned(),
            (Life::Snoozed, Some(until)) => format!("Snoozed until {}", until.day()),
            (life, since) => {
                let mut word = life.word().to_owned();
                if let Some(first) = word.get_mut(..1) {
                    first.make_ascii_uppercase();
                }
                since.map_or(word.clone(), |since| format!("{word} {}", since.text()))
            }
        };
        if !self.owner.is_empty() {
            line.push_str(" · owner ");
            line.push_str(&self.owner);
        }
        line
    }

    /// True while buttons make sense.
    pub fn has_buttons(&self) -> bool {
        self.may_act && self.life.is_running()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_finding_has_no_buttons_and_nobody_but_members_has_any() {
        let actions = Actions {
            path: String::new(),
            life: Life::Acknowledged,
            since: None,
            owner: "payments".into(),
            may_act: true,
        };
        assert!(actions.has_buttons());
        assert_eq!(actions.line(), "Acknowledged · owner payments");
        assert!(
            !Actions {
                life: Life::Resolved,
                ..actions.clone()
            }
            .has_buttons()
        );
        assert!(
            !Actions {
                may_act: false,
                ..actions
            }
            .has_buttons()
        );
    }
}
