//! A finding: is it real, who has it?

pub mod show;

use askama::Template;
use askama_web::WebTemplate;

use crate::chart::trend::Trend;
use crate::http::prose::Prose;
use crate::wording::moment::Moment;
use crate::wording::state::{Kind, Life};

use super::actions::Actions;
use super::facts::{Fact, FindingLine, terms};
use super::layout::Shell;

/// Something that could have explained it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuledOut {
    /// "The mix of visitors".
    pub what: String,
    /// What was seen: "re-weighted it is +12 % [10, 14], nearly the same".
    pub seen: String,
    /// False when it does explain it, at least in part.
    pub is_ruled_out: bool,
}

/// One entry of the trail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrailEntry {
    /// When.
    pub at: Moment,
    /// Who; "Longwatch" for what happened by itself.
    pub who: String,
    /// What, in words.
    pub what: String,
}

/// One attempt to tell somebody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryRow {
    /// The route.
    pub route: String,
    /// When it was last tried.
    pub at: Moment,
    /// "delivered", "waiting, 2 attempts", "given up after 8 attempts".
    pub outcome: String,
    /// Whether it was given up.
    pub is_dead: bool,
}

/// The page.
#[derive(Debug, Clone, PartialEq, Template, WebTemplate)]
#[template(path = "finding.html")]
pub struct FindingPage {
    /// What surrounds it.
    pub shell: Shell,
    /// What it found.
    pub kind: Kind,
    /// Where it is in its life.
    pub life: Life,
    /// Its sentence.
    pub headline: String,
    /// From, to, spent.
    pub lead: Prose,
    /// Since, by how much, how sure, runs out.
    pub facts: Vec<Fact>,
    /// Its buttons.
    pub actions: Actions,
    /// The flow's page and name.
    pub flow: (String, String),
    /// That it was withdrawn or re-dated, when that happened; may be empty.
    pub correction: String,
    /// The evidence from six weeks before the onset.
    pub trend: Option<Trend>,
    /// What the points are.
    pub legend: String,
    /// What could have explained it.
    pub ruled_out: Vec<RuledOut>,
    /// What moved with it.
    pub moved_with: Vec<FindingLine>,
    /// What happened to it, newest first.
    pub trail: Vec<TrailEntry>,
    /// Who was told.
    pub deliveries: Vec<DeliveryRow>,
}

impl FindingPage {
    fn terms(&self) -> Vec<(&'static str, &'static str)> {
        match self.kind {
            Kind::Bleed => terms(&["P75", "range [a, b]", "slow bleed", "headroom"]),
            Kind::Epoch => terms(&["epoch"]),
            Kind::Mix => terms(&["P75", "range [a, b]", "reference mix"]),
            _ => terms(&["P75", "range [a, b]"]),
        }
    }
}
