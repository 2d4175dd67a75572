//! All flows of a project, key or not.

pub mod show;

use askama::Template;
use askama_web::WebTemplate;

use crate::wording::moment::Moment;
use crate::wording::number::counted;
use crate::wording::state::State;

use super::layout::Shell;

/// A flow in the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlowLine {
    /// Its page.
    pub path: String,
    /// Its name.
    pub title: String,
    /// Whether it is key.
    pub is_key: bool,
    /// How it stands, where it has a budget.
    pub state: Option<State>,
    /// How many series it has.
    pub series: u64,
    /// Where they come from: "field, load".
    pub sources: String,
    /// Its newest data.
    pub newest: Option<Moment>,
}

/// The page.
#[derive(Debug, Clone, PartialEq, Eq, Template, WebTemplate)]
#[template(path = "flows.html")]
pub struct FlowsPage {
    /// What surrounds it.
    pub shell: Shell,
    /// The flows, key ones first, then by name.
    pub flows: Vec<FlowLine>,
    /// The next page of them, if there is one.
    pub next: Option<String>,
}

impl FlowsPage {
    /// How many there are.
    pub fn headline(&self) -> String {
        let shown = counted(self.flows.len() as u64, "flow");
        if self.next.is_some() {
            format!("More than {shown}")
        } else {
            shown
        }
    }
}
