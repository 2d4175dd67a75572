//! A flow: what got slower, since when, by how much, how sure?

pub(super) mod mix;
pub mod show;

use askama::Template;
use askama_web::WebTemplate;

use crate::chart::mix::MixStrip;
use crate::chart::trend::Trend;
use crate::chart::waterfall::Waterfall;
use crate::http::prose::Prose;
use crate::stats::blind_spot::BlindSpot;
use crate::stats::wording::size;
use crate::wording::moment::Moment;
use crate::wording::names::listed;
use crate::wording::number::{count, counted};
use crate::wording::quantity::Quantity;
use crate::wording::state::State;

use super::actions::Actions;
use super::facts::{Change, Fact, FindingLine, Headroom, RunsOut, terms};
use super::layout::Shell;

/// A link among several of which one is chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tab {
    /// Where it goes.
    pub path: String,
    /// What it is called.
    pub name: String,
    /// Whether it is chosen.
    pub is_current: bool,
}

/// One point of the chart's table.
#[derive(Debug, Clone, PartialEq)]
pub struct PointRow {
    /// The release or day.
    pub name: String,
    /// When.
    pub at: Moment,
    /// The main percentile, unless refused.
    pub main: Option<Quantity>,
    /// The high percentile, unless refused.
    pub high: Option<Quantity>,
    /// Observations.
    pub count: u64,
    /// Runs; nothing for the field.
    pub runs: Option<u64>,
    /// What a refused percentile would need; may be empty.
    pub needs: String,
    /// The window is still open.
    pub is_provisional: bool,
}

/// Which releases spent the change.
#[derive(Debug, Clone, PartialEq)]
pub struct LedgerCard {
    /// The chart.
    pub waterfall: Waterfall,
    /// The releases that are named in no share, each stretch of them together, with what they added.
    pub together: Vec<(String, Quantity)>,
    /// The reference's release.
    pub since: String,
    /// The release that stopped a bleed, and who is credited; may be empty.
    pub credit: String,
}

impl LedgerCard {
    /// "Shares add up to the total. v2.29 gave 24 ms back. The 10 others are real only together."
    pub fn note(&self) -> String {
        let mut note = "Shares add up to the total.".to_owned();
        let gives_back = |change: &Quantity| match self.waterfall.higher_is_better {
            Some(true) => change.value > 0.0,
            Some(false) => change.value < 0.0,
            None => false,
        };
        let gifts: Vec<String> = self
            .waterfall
            .shares
            .iter()
            .filter(|share| gives_back(&share.change))
            .map(|share| format!("{} gave {} back", share.release, share.change.unsigned()))
            .collect();
        if !gifts.is_empty() {
            note.push_str(&format!(" {}.", listed(&gifts)));
        }
        match &self.waterfall.others {
            Some((others, _)) if *others > 1 => {
                note.push_str(&format!(
                    " The {} others are real only together.",
                    count(*others)
                ));
            }
            _ => {}
        }
        if !self.credit.is_empty() {
            note.push_str(&format!(" {}.", self.credit));
        }
        note
    }
}

/// What is left of a budget, in words and as a bar.
#[derive(Debug, Clone, PartialEq)]
pub struct HeadroomCard {
    /// What is left.
    pub headroom: Headroom,
    /// The budget's id.
    pub budget: String,
    /// Its limit.
    pub limit: Quantity,
    /// The pinned reference's release, value, and the headroom there was.
    pub reference: Option<(String, Quantity, Quantity)>,
    /// "tracks now, gates from 1 Feb".
    pub enforcement: String,
    /// "Waived up to 2.90 s until 31 Jan (payments)"; may be empty.
    pub waiver: String,
}

impl HeadroomCard {
    /// "90 ms left", or what stands in its place.
    pub fn headline(&self) -> String {
        match &self.headroom.left {
            Some(left) if left.value < 0.0 => format!("{} over", left.unsigned()),
            Some(left) => format!("{} left", left.value()),
            None => "Cannot say yet".to_owned(),
        }
    }

    /// What the quarter spent and where that leads.
    pub fn pace(&self, now_us: i64) -> Prose {
        let mut pace = Prose::default();
        let spent = self.headroom.spent_this_quarter.as_ref();
        if spent.is_some_and(Quantity::may_be_zero) {
            pace = pace.plain("This quarter spent nothing that is proven. ");
        } else if let Some(spent) = spent {
            let verb = if spent.value < 0.0 {
                "gave back"
            } else {
                "spent"
            };
            pace = pace.plain(&format!("This quarter {verb} {}. ", spent.unsigned()));
        }
        match &self.headroom.runs_out {
            RunsOut::Between { .. } => {
                let days = self.headroom.runs_out.text(now_us).replace(" – ", " and ");
                pace.plain("At this pace the budget ends between ")
                    .bold(&days)
                    .plain(".")
            }
            RunsOut::From { .. } => {
                let from = self.headroom.runs_out.text(now_us);
                pace.plain("At this pace the budget may end ")
                    .bold(&from)
                    .plain(".")
            }
            RunsOut::NotInSight => pace.plain("At this pace its end is not in sight."),
            RunsOut::Over => pace.plain("It is used up."),
            RunsOut::CannotSay => pace.plain("Without fresh data nobody can say when it ends."),
            RunsOut::NoBudget => pace,
        }
    }
}

/// What visitors' devices, countries and navigation have to do with it.
#[derive(Debug, Clone, PartialEq)]
pub struct MixCard {
    /// The two mixes.
    pub strip: MixStrip,
    /// The change as observed.
    pub observed: Change,
    /// The change re-weighted to the reference mix.
    pub reweighted: Change,
    /// The reference's release.
    pub reference: String,
}

impl MixCard {
    /// True when only the observed value moved: the visitors changed, not the page.
    pub fn explains_all(&self) -> bool {
        !self.observed.percent.may_be_zero() && self.reweighted.percent.may_be_zero()
    }

    /// The card's heading.
    pub fn title(&self) -> &'static str {
        if self.explains_all() {
            "The visitors changed, not the page"
        } else {
            "The visitors did not change this"
        }
    }

    fn note(&self) -> Prose {
        let observed = format!("As observed {}; ", self.observed.percent.change());
        let with = format!(
            "with the devices, countries and navigation of {}: ",
            self.reference
        );
        let (signed, range) = (
            self.reweighted.percent.signed(),
            self.reweighted.percent.range(),
        );
        let prose = Prose::of(&observed)
            .plain(&with)
            .bold(&signed)
            .plain(&format!(" {range}."));
        let (seen, real) = (
            self.observed.percent.value.abs(),
            self.reweighted.percent.value.abs(),
        );
        if self.explains_all() || self.observed.percent.may_be_zero() {
            prose
        } else if real > seen {
            prose.plain(" The mix hides a little of the change.")
        } else {
            prose.plain(" The mix adds a little to the change.")
        }
    }
}

/// What would be missed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BlindSpotCard {
    /// Of the series shown.
    pub spot: BlindSpot,
    /// Whether its rows are days of field data, not runs.
    pub by_day: bool,
}

impl BlindSpotCard {
    fn says(&self) -> Prose {
        let step = self.spot.step_pct.map(size);
        let bleed = self.spot.bleed_pct.map(size);
        match (step, bleed) {
            (Some(step), Some(bleed)) => Prose::of("A sudden change under ")
                .bold(&step)
                .plain(" and a bleed under ")
                .bold(&format!("{bleed} a quarter"))
                .plain(" would mostly stay unseen."),
            (Some(step), None) => Prose::of("A sudden change under ")
                .bold(&step)
                .plain(" would mostly stay unseen, and any bleed within a quarter."),
            (None, Some(bleed)) => Prose::of("A bleed under ")
                .bold(&format!("{bleed} a quarter"))
                .plain(" would mostly stay unseen, and a sudden change for longer than a quarter."),
            (None, None) => Prose::of("Nothing under ")
                .bold("100\u{a0}%")
                .plain(" would be seen within a quarter."),
        }
    }

    fn note(&self) -> String {
        let between = if self.by_day { "days" } else { "runs" };
        let each = self.spot.bleed_pct_per_release.map(|each| {
            let releases = counted(self.spot.releases as u64, "release");
            format!("That bleed is {} with each of {releases}. ", size(each))
        });
        format!(
            "{}Larger changes are told four times in five: tried with {} in this series\u{2019} own noise of ±{} between {between}.",
            each.unwrap_or_default(),
            counted(self.spot.tried, "change"),
            size(self.spot.noise_pct),
        )
    }
}

/// The budgets of a flow, a line each.
#[derive(Debug, Clone, PartialEq)]
pub struct BudgetLine {
    /// The budget's id.
    pub id: String,
    /// Series and percentile.
    pub series: String,
    /// The limit.
    pub limit: Quantity,
    /// How it stands; worked out for the chosen series only, the others say it on their own tab.
    pub state: Option<State>,
    /// What it does.
    pub enforcement: String,
    /// The page with its series chosen.
    pub path: String,
}

/// The page.
#[derive(Debug, Clone, PartialEq, Template, WebTemplate)]
#[template(path = "flow.html")]
pub struct FlowPage {
    /// What surrounds it.
    pub shell: Shell,
    /// The flow's name as people say it.
    pub title: String,
    /// The finding's sentence, or that all is calm.
    pub headline: String,
    /// How the chosen series stands.
    pub state: State,
    /// From, to, spent; or what a first range needs.
    pub lead: Prose,
    /// Since, by how much, how sure, runs out.
    pub facts: Vec<Fact>,
    /// The open finding's buttons.
    pub actions: Option<Actions>,
    /// The series.
    pub tabs: Vec<Tab>,
    /// The stretches of time.
    pub ranges: Vec<Tab>,
    /// The chart; nothing before two points.
    pub trend: Option<Trend>,
    /// What the points are: "points are releases, bands hold 95 %".
    pub legend: String,
    /// "P99 needs 1,400 more samples (has 40)"; may be empty.
    pub refused: String,
    /// The chart's values, newest first.
    pub points: Vec<PointRow>,
    /// The names of the two percentiles.
    pub percentiles: (String, String),
    /// Where the values are as CSV.
    pub csv: String,
    /// Which releases spent it.
    pub ledger: Option<LedgerCard>,
    /// What is left.
    pub headroom: Option<HeadroomCard>,
    /// Who came.
    pub mix: Option<MixCard>,
    /// What would be missed.
    pub blind_spot: Option<BlindSpotCard>,
    /// Findings on this flow, newest first.
    pub findings: Vec<FindingLine>,
    /// Its budgets.
    pub budgets: Vec<BudgetLine>,
    /// Its epochs with what changed, newest first.
    pub epochs: Vec<(Moment, String)>,
}

impl FlowPage {
    fn terms(&self) -> Vec<(&'static str, &'static str)> {
        let mut names = vec!["P75", "range [a, b]"];
        names.extend(self.headroom.iter().map(|_| "headroom"));
        names.extend(
            self.trend
                .iter()
                .filter(|trend| trend.bleed.is_some())
                .map(|_| "slow bleed"),
        );
        names.extend(self.epochs.first().map(|_| "epoch"));
        names.extend(self.mix.iter().map(|_| "reference mix"));
        terms(&names)
    }
}

/// The headline of a flow on which nothing is open.
pub fn calm_headline(title: &str, state: State) -> String {
    match state {
        State::Within => format!("{title} is within its budget"),
        State::AtRisk => format!("{title} is close to its budget"),
        State::Breached => format!("{title} is over its budget"),
        State::Stale => format!("{title} has no fresh data"),
        State::NotEnough => format!("{title}: first results are in"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chart::mix::MixBar;
    use crate::wording::finding::Manner;

    fn card(observed: (f64, f64, f64), reweighted: (f64, f64, f64)) -> MixCard {
        let bar = MixBar {
            name: "now".into(),
            segments: vec![],
        };
        let change = |(value, lower, upper)| Change {
            percent: Quantity::percent(value, lower, upper),
            manner: Manner::Speed,
        };
        MixCard {
            strip: MixStrip {
                id: "m".into(),
                title: "t".into(),
                reference: bar.clone(),
                now: bar,
            },
            observed: change(observed),
            reweighted: change(reweighted),
            reference: "v2.22".into(),
        }
    }

    #[test]
    fn the_visitors_are_blamed_only_when_the_page_did_not_move() {
        assert!(card((10.0, 8.0, 12.0), (0.5, -1.0, 2.0)).explains_all());
        assert!(!card((10.0, 8.0, 12.0), (11.0, 9.0, 13.0)).explains_all());
        assert!(!card((0.1, -2.0, 2.0), (0.0, -2.0, 2.0)).explains_all());
    }
}
