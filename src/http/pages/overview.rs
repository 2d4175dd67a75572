//! The overview: what got slower, and what must I do?

pub mod show;

use askama::Template;
use askama_web::WebTemplate;

use crate::chart::glimpse::Glimpse;
use crate::chart::sparkline::Sparkline;
use crate::http::prose::Prose;
use crate::wording::finding::Manner;
use crate::wording::moment::Moment;
use crate::wording::number::counted;
use crate::wording::quantity::Quantity;
use crate::wording::state::{Answer, Kind, Life, State};

use super::facts::{Change, Fact, Headroom, terms};
use super::layout::Shell;

/// More findings than these do not fit above the fold; their list is a link away.
pub const CARDS: usize = 3;

/// A finding above the fold.
#[derive(Debug, Clone, PartialEq)]
pub struct FindingCard {
    /// Its page.
    pub path: String,
    /// What it found.
    pub kind: Kind,
    /// Where it is in its life.
    pub life: Life,
    /// The flow's name at the start of a sentence.
    pub flow: String,
    /// How the metric gets worse.
    pub manner: Manner,
    /// Its sentence.
    pub sentence: String,
    /// When it was found.
    pub found: Moment,
    /// Who has it; may be empty.
    pub owner: String,
    /// Its chart; shown on the first card.
    pub glimpse: Option<Glimpse>,
    /// Its four facts; shown on the first card.
    pub facts: Vec<Fact>,
    /// What else there is to say; shown on the other cards.
    pub notes: Vec<Prose>,
}

impl FindingCard {
    /// "Slow bleed · found 2 Oct · acknowledged · owner payments".
    pub fn line(&self) -> String {
        let found = match self.kind {
            Kind::Missing => format!("for {}", self.found.age()),
            _ => format!("found {}", self.found.text()),
        };
        let mut line = format!("{} · {found}", self.kind.word());
        if self.life != Life::Open {
            line.push_str(" · ");
            line.push_str(self.life.word());
        }
        if !self.owner.is_empty() {
            line.push_str(" · owner ");
            line.push_str(&self.owner);
        }
        line
    }

    /// What happened in three words, for the page's headline.
    pub fn short(&self) -> String {
        let flow = &self.flow;
        match self.kind {
            Kind::Bleed => format!("{flow} is bleeding"),
            Kind::Breach => format!("{flow} is over its budget"),
            Kind::Missing => format!("{flow} has gone silent"),
            Kind::Epoch => format!("{flow} is measured anew"),
            Kind::Mix => format!("{flow} has other visitors"),
            Kind::Step => match self.manner.comparative(if self.manner == Manner::Yield {
                -1.0
            } else {
                1.0
            }) {
                Some(word) => format!("{flow} got {word}"),
                None => format!("{flow} changed"),
            },
            Kind::Improvement => match self.manner.comparative(if self.manner == Manner::Yield {
                1.0
            } else {
                -1.0
            }) {
                Some(word) => format!("{flow} got {word}"),
                None => format!("{flow} changed"),
            },
        }
    }
}

/// One line of good news.
#[derive(Debug, Clone, PartialEq)]
pub struct GoodNews {
    /// The finding's page.
    pub path: String,
    /// Its sentence.
    pub sentence: String,
    /// From, to, range.
    pub walk: String,
}

/// A key flow.
#[derive(Debug, Clone, PartialEq)]
pub struct FlowRow {
    /// Its page.
    pub path: String,
    /// Its name.
    pub title: String,
    /// "field · LCP mobile".
    pub series: String,
    /// How it stands.
    pub state: State,
    /// The tracked percentile now, unless refused.
    pub value: Option<Quantity>,
    /// When it was measured, where that is not now.
    pub measured: Option<Moment>,
    /// What a refused percentile needs ("needs 4 more runs").
    pub needs: String,
    /// The change since the pinned reference.
    pub change: Option<Change>,
    /// The pinned reference's release.
    pub reference: String,
    /// Nine months of it.
    pub sparkline: Sparkline,
    /// What is left; nothing without a budget.
    pub headroom: Option<Headroom>,
}

/// A release.
#[derive(Debug, Clone, PartialEq)]
pub struct ReleaseRow {
    /// Its page.
    pub path: String,
    /// Its name.
    pub release: String,
    /// Its worst verdict, if a gate was asked.
    pub answer: Option<Answer>,
    /// What moved, in words.
    pub moved: String,
    /// When it came.
    pub at: Moment,
}

/// The page.
#[derive(Debug, Clone, PartialEq, Template, WebTemplate)]
#[template(path = "overview.html")]
pub struct OverviewPage {
    /// What surrounds it.
    pub shell: Shell,
    /// Findings that somebody must act on, worst first; at most [`CARDS`] are shown.
    pub cards: Vec<FindingCard>,
    /// How many more findings are open.
    pub more_findings: u64,
    /// The best news, if there is any.
    pub good: Option<GoodNews>,
    /// The key flows.
    pub flows: Vec<FlowRow>,
    /// The percentile of the table's value column ("P75").
    pub percentile: String,
    /// Flows that are recorded but not key.
    pub other_flows: u64,
    /// The latest releases, newest first.
    pub releases: Vec<ReleaseRow>,
    /// The newest verdict's gate page, release and answer.
    pub newest_verdict: Option<(String, String, Answer)>,
}

impl OverviewPage {
    /// Puts the key flows in order: breached, at risk, stale, within, not enough; then by the share of headroom spent.
    pub fn sort_flows(flows: &mut [FlowRow]) {
        let share = |row: &FlowRow| row.headroom.as_ref().map_or(f64::MIN, Headroom::share);
        flows.sort_by(|a, b| a.state.cmp(&b.state).then(share(b).total_cmp(&share(a))));
    }

    /// True before anything arrived.
    pub fn is_empty(&self) -> bool {
        self.shell.data_to.is_none()
    }

    /// At most three things, or that all is calm.
    pub fn headline(&self) -> String {
        let short: Vec<String> = self
            .cards
            .iter()
            .take(CARDS)
            .map(FindingCard::short)
            .collect();
        if !short.is_empty() {
            return short.join(", ");
        }
        let (within, key) = (self.within(), self.flows.len());
        let calm = match key {
            0 => return "No flow is key yet".to_owned(),
            1 if within == 1 => "The one key flow is within its budget.".to_owned(),
            _ if within == key => format!("All {key} key flows are within their budgets."),
            _ => format!("{within} of {key} key flows are within their budgets."),
        };
        match self.releases.first() {
            Some(newest) => format!("{calm} Nothing moved since {}.", newest.release),
            None => calm,
        }
    }

    /// How many flows are safe, and what the newest verdict asks for.
    pub fn lead(&self) -> Prose {
        let mut lead = Prose::default();
        if !self.cards.is_empty() {
            let (within, key) = (self.within(), self.flows.len());
            lead = lead.plain(&format!(
                "{within} of {key} key flows are safely within their budgets. "
            ));
        }
        match &self.newest_verdict {
            Some((path, release, Answer::Fail)) => lead
                .bold(&format!("{release} failed"))
                .plain(" ")
                .link(path, "its gate")
                .plain(" and needs a decision."),
            Some((path, release, Answer::Inconclusive)) => lead
                .plain("The ")
                .link(path, "gate")
                .plain(&format!(" could not decide about {release}.")),
            Some((path, release, _)) => lead
                .plain(&format!("{release} passed "))
                .link(path, "its gate")
                .plain("."),
            None => lead,
        }
    }

    fn within(&self) -> usize {
        self.flows
            .iter()
            .filter(|row| row.state == State::Within)
            .count()
    }

    /// "35 other flows are recorded but not key."
    fn others(&self) -> String {
        let verb = if self.other_flows == 1 { "is" } else { "are" };
        format!(
            "{} {verb} recorded but not key.",
            counted(self.other_flows, "other flow")
        )
    }

    fn terms(&self) -> Vec<(&'static str, &'static str)> {
        terms(&["P75", "range [a, b]", "headroom", "slow bleed"])
    }
}
