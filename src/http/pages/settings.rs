//! Settings: the configuration in force, routes, tokens and limits. They are shown here and changed in the file.

pub mod show;

use askama::Template;
use askama_web::WebTemplate;

use crate::wording::moment::Moment;
use crate::wording::number::count;

use super::layout::Shell;

/// A route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteRow {
    /// Its name.
    pub name: String,
    /// "slack".
    pub kind: String,
    /// Its last delivery.
    pub last: Option<Moment>,
    /// Deliveries that were given up: where each is sent again, and what it was.
    pub dead: Vec<(String, String)>,
}

/// A token; its secret was shown once and is not known here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRow {
    /// "ci".
    pub scope: String,
    /// The last four characters.
    pub last_four: String,
    /// When it ends, if it does.
    pub expires: Option<Moment>,
    /// When it was last used.
    pub used: Option<Moment>,
}

/// A limit and how much of it is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitRow {
    /// "Series".
    pub name: String,
    /// Used.
    pub used: u64,
    /// Allowed.
    pub allowed: u64,
}

impl LimitRow {
    /// "1,204 of 20 k".
    pub fn text(&self) -> String {
        format!("{} of {}", count(self.used), count(self.allowed))
    }

    /// True from nine tenths on.
    pub fn is_near(&self) -> bool {
        self.used.saturating_mul(10) >= self.allowed.saturating_mul(9)
    }
}

/// Something that somebody changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRow {
    /// When.
    pub at: Moment,
    /// Who.
    pub actor: String,
    /// "config.apply".
    pub action: String,
    /// On what, with its detail.
    pub subject: String,
}

/// The page.
#[derive(Debug, Clone, PartialEq, Eq, Template, WebTemplate)]
#[template(path = "settings.html")]
pub struct SettingsPage {
    /// What surrounds it.
    pub shell: Shell,
    /// The configuration as TOML; empty before the first `apply`.
    pub configuration: String,
    /// When it was applied, and by which token.
    pub applied: Option<(Moment, String)>,
    /// The routes.
    pub routes: Vec<RouteRow>,
    /// The tokens; nothing for those who may only look.
    pub tokens: Option<Vec<TokenRow>>,
    /// The limits.
    pub limits: Vec<LimitRow>,
    /// Field flows that no `[[flow]]` declares; beyond the limit they are counted as "other".
    pub other_flows: Vec<String>,
    /// What field data were deliberately not stored of late: why, and how many.
    pub dropped: Vec<(String, u64)>,
    /// Who changed what, newest first; nothing for those who may only look.
    pub audit: Option<Vec<AuditRow>>,
}

impl SettingsPage {
    fn dead(&self) -> usize {
        self.routes.iter().map(|route| route.dead.len()).sum()
    }

    /// What needs a look, or since when the file is in force.
    pub fn headline(&self) -> String {
        match (self.dead(), &self.applied) {
            (0, Some((at, _))) => format!("Settings since {}", at.text()),
            (0, None) => "No configuration applied yet".to_owned(),
            (1, _) => "One alert could not be delivered".to_owned(),
            (dead, _) => format!("{dead} alerts could not be delivered"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_near_from_nine_tenths_on() {
        let limit = |used| LimitRow {
            name: "Series".into(),
            used,
            allowed: 20_000,
        };
        assert!(!limit(17_999).is_near() && limit(18_000).is_near());
        assert_eq!(limit(1_204).text().replace('\u{a0}', " "), "1,204 of 20 k");
    }
}
