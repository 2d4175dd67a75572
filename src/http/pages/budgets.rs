//! All budgets: how much is left?

pub mod show;

use askama::Template;
use askama_web::WebTemplate;

use crate::wording::names::listed;
use crate::wording::quantity::Quantity;
use crate::wording::state::State;

use super::facts::{Headroom, terms};
use super::layout::Shell;

/// A budget.
#[derive(Debug, Clone, PartialEq)]
pub struct BudgetRow {
    /// The flow's page, with the budget's series chosen.
    pub path: String,
    /// Its id.
    pub id: String,
    /// The flow's name.
    pub flow: String,
    /// "field · LCP mobile P75".
    pub series: String,
    /// Its limit.
    pub limit: Quantity,
    /// "28 days", "a release".
    pub window: String,
    /// The value now, unless refused.
    pub value: Option<Quantity>,
    /// How it stands; a waiver does not change that.
    pub state: State,
    /// What is left.
    pub headroom: Headroom,
    /// "tracks now, gates from 1 Feb".
    pub enforcement: String,
    /// "until 31 Jan (payments)"; may be empty.
    pub waiver: String,
}

/// The page.
#[derive(Debug, Clone, PartialEq, Template, WebTemplate)]
#[template(path = "budgets.html")]
pub struct BudgetsPage {
    /// What surrounds it.
    pub shell: Shell,
    /// The budgets, least left first.
    pub budgets: Vec<BudgetRow>,
}

impl BudgetsPage {
    /// Puts budgets in order: the largest share spent first, then those of which nobody can say.
    pub fn sort(budgets: &mut [BudgetRow]) {
        budgets.sort_by(|a, b| {
            b.headroom
                .share()
                .total_cmp(&a.headroom.share())
                .then_with(|| a.id.cmp(&b.id))
        });
    }

    /// Which budgets are over or close.
    pub fn headline(&self) -> String {
        let named = |state: State| -> Vec<String> {
            self.budgets
                .iter()
                .filter(|row| row.state == state)
                .map(|row| row.flow.clone())
                .collect()
        };
        let (over, close) = (named(State::Breached), named(State::AtRisk));
        let verb = |names: &[String]| if names.len() == 1 { "is" } else { "are" };
        if self.budgets.is_empty() {
            "No budget yet".to_owned()
        } else if !over.is_empty() {
            format!("{} {} over budget", listed(&over), verb(&over))
        } else if !close.is_empty() {
            format!("{} {} close to the limit", listed(&close), verb(&close))
        } else {
            "Nothing is close to its limit".to_owned()
        }
    }

    fn terms(&self) -> Vec<(&'static str, &'static str)> {
        terms(&["headroom", "range [a, b]", "P75"])
    }
}
