//! Fills a flow's page from the project's record.

use axum::extract::{Path, Query, State};
use serde::Deserialize;

use crate::blind_spots;
use crate::chart::waterfall::{Share, Waterfall};
use crate::config::{Budget, utc_date};
use crate::detector::evidence::Evidence;
use crate::http::error::{Error, Result};
use crate::http::pages::actions::Actions;
use crate::http::pages::evidence::{facts, kind, line, owner};
use crate::http::pages::history::{Stretch, history};
use crate::http::pages::layout::Section;
use crate::http::pages::tracked::{headroom, needs_words, statistic_word};
use crate::http::pages::visit::Visit;
use crate::http::{App, paths, prose::Prose};
use crate::record::{By, Tracked};
use crate::standing::{self, Standing};
use crate::stats::Direction;
use crate::store::{Finding, SeriesId};
use crate::wording::moment::DAY_US;
use crate::wording::names::{flow_title, metric_name};
use crate::wording::number::{count, counted};
use crate::wording::quantity::Quantity;
use crate::wording::state::{Kind, Life, State as Stands, enforcement};

use super::mix::mix_card;
use super::{BlindSpotCard, BudgetLine, FlowPage, HeadroomCard, LedgerCard, Tab, calm_headline};

/// What the links above a chart offer: name, days, and whether field data are shown by day.
const RANGES: [(&str, i64, bool); 4] = [
    ("4 weeks", 28, true),
    ("quarter", 92, false),
    ("9 months", 274, false),
    ("all", 36_500, false),
];
/// The stretch that is shown where none is asked for.
const USUAL_RANGE: &str = "9 months";
/// Findings on the page.
const FINDINGS: usize = 12;

/// What a reader may choose.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Choice {
    /// A series.
    pub series: Option<String>,
    /// A stretch, by its name.
    pub range: Option<String>,
}

/// A flow's page.
pub async fn show(
    State(_app): State<App>,
    visit: Visit,
    Path((_project, flow)): Path<(String, String)>,
    Query(choice): Query<Choice>,
) -> Result<FlowPage> {
    let chosen = choice.series.as_deref().and_then(SeriesId::parse);
    let chosen = chosen
        .and_then(|id| visit.record.series.get(&id))
        .filter(|tracked| tracked.flow == flow);
    let Some(tracked) = chosen.or_else(|| visit.main_series(&flow)) else {
        return empty(&visit, &flow).await;
    };
    let q = visit.record.watched(tracked);
    let range = RANGES
        .iter()
        .find(|(name, ..)| Some(*name) == choice.range.as_deref());
    let (range, days, daily) = range.copied().unwrap_or((USUAL_RANGE, 274, false));
    let by = if daily && tracked.series.is_field() {
        By::Day
    } else {
        By::Release
    };
    let standings = standings(&visit, tracked).await?;
    let standing = standings.first();
    let stretch = Stretch {
        from_us: visit.now_us - days * DAY_US,
        by,
        now: standing
            .and_then(|standing| standing.value)
            .map(|value| tracked.quantity(&value)),
    };
    let history = history(&visit, tracked, q, stretch).await?;
    let open = open_finding(&visit, tracked);
    let state = standing.map_or(
        if history.trend.is_some() {
            Stands::Within
        } else {
            Stands::NotEnough
        },
        |standing| standing.state.into(),
    );
    Ok(FlowPage {
        title: flow_title(&flow),
        headline: match &open {
            Some((_, evidence)) => evidence.sentence.clone(),
            None if standing.is_some() => calm_headline(&flow_title(&flow), state),
            None => flow_title(&flow),
        },
        state,
        lead: lead(tracked, q, standing, open.as_ref()),
        facts: open
            .as_ref()
            .map(|(finding, evidence)| facts(&visit, finding, evidence))
            .unwrap_or_default(),
        actions: open.as_ref().map(|(finding, _)| actions(&visit, finding)),
        tabs: tabs(&visit, &flow, tracked),
        ranges: ranges(&visit, &flow, tracked, range),
        trend: history.trend,
        legend: history.legend,
        refused: history.refused,
        points: history.rows,
        percentiles: history.percentiles,
        csv: format!(
            "/api/v1/projects/{}/series/{}/points.csv",
            paths::segment(visit.slug()),
            tracked.id
        ),
        ledger: ledger(&visit, tracked, q).await?,
        headroom: standing.map(|standing| headroom_card(&visit, standing)),
        mix: mix_card(&visit, tracked, q).await?,
        blind_spot: blind_spot(&visit, tracked).await?,
        findings: findings(&visit, &flow),
        budgets: budgets(&visit, &flow, &standings),
        epochs: epochs(&visit, tracked).await?,
        shell: visit.shell(Section::Overview).await?,
    })
}

/// A declared flow without data; an undeclared one is not there.
async fn empty(visit: &Visit, flow: &str) -> Result<FlowPage> {
    if !visit.record.config.declares_flow(flow) {
        return Err(Error::not_found());
    }
    Ok(FlowPage {
        shell: visit.shell(Section::Overview).await?,
        title: flow_title(flow),
        headline: format!("No results for {} yet", flow_title(flow)),
        state: Stands::NotEnough,
        lead: Prose::of("It is declared in the configuration. ").code("longwatch push results/ --release v1.0").plain(
            " brings its first results; their name must match the flow's name or one of its matches.",
        ),
        facts: vec![],
        actions: None,
        tabs: vec![],
        ranges: vec![],
        trend: None,
        legend: String::new(),
        refused: String::new(),
        points: vec![],
        percentiles: Default::default(),
        csv: String::new(),
        ledger: None,
        headroom: None,
        mix: None,
        blind_spot: None,
        findings: vec![],
        budgets: vec![],
        epochs: vec![],
    })
}

/// What would be missed in a series, where that is known.
async fn blind_spot(visit: &Visit, tracked: &Tracked) -> Result<Option<BlindSpotCard>> {
    let known = blind_spots::known(&visit.store, &visit.record.project, tracked.id).await?;
    Ok(known.map(|(spot, _)| BlindSpotCard {
        spot,
        by_day: tracked.series.is_field(),
    }))
}

/// Where each budget of a series stands.
async fn standings<'a>(visit: &'a Visit, tracked: &'a Tracked) -> Result<Vec<Standing<'a>>> {
    let mut standings = Vec::new();
    for budget in visit.record.budgets(tracked) {
        let (store, record, findings) = (&visit.store, &visit.record, &visit.findings);
        standings.push(
            standing::standing(store, record, tracked, budget, findings, visit.now_us).await?,
        );
    }
    Ok(standings)
}

/// The worst open finding of a series that asks for something.
fn open_finding<'a>(visit: &'a Visit, tracked: &Tracked) -> Option<(&'a Finding, Evidence)> {
    visit
        .findings_of(tracked.id)
        .filter(|(finding, _)| finding.state.is_open())
        .filter(|(finding, _)| {
            matches!(
                kind(finding),
                Kind::Breach | Kind::Bleed | Kind::Step | Kind::Missing
            )
        })
        .min_by_key(|(finding, _)| kind(finding))
}

/// "LCP on mobile, P75: 2.18 → 2.41 s since v2.22; together they spent 72 % of the headroom."
fn lead(
    tracked: &Tracked,
    q: Option<f64>,
    standing: Option<&Standing<'_>>,
    open: Option<&(&Finding, Evidence)>,
) -> Prose {
    let labels: Vec<&str> = tracked.series.labels.values().map(String::as_str).collect();
    let on = if labels.is_empty() {
        String::new()
    } else {
        format!(" on {}", labels.join(", "))
    };
    let lead = Prose::of(&format!(
        "{}{on}, {}: ",
        flow_title(&metric_name(&tracked.series.metric)),
        statistic_word(q)
    ));
    let Some(standing) = standing else {
        return lead
            .plain("no budget yet; ")
            .code("longwatch.toml")
            .plain(" can give it one.");
    };
    let Some(value) = standing.value.map(|value| tracked.quantity(&value)) else {
        let needs = standing.needs.as_ref().map(needs_words).unwrap_or_default();
        return lead.plain(&format!("first results are in; a range {needs}."));
    };
    let lead = match &standing.reference {
        Some((release, reference)) => {
            let walk = Quantity::from_to(&tracked.quantity(reference), &value);
            lead.bold(&walk).plain(&format!(" since {release}."))
        }
        None => lead.bold(&value.with_range()).plain("."),
    };
    let lead = match open {
        Some((finding, evidence)) if kind(finding) == Kind::Bleed && evidence.releases > 1 => {
            let releases = counted(evidence.releases as u64, "release");
            lead.plain(&format!(" No single one of {releases} did it alone;"))
        }
        _ => lead,
    };
    match standing.spent_share.filter(|share| share.lower > 0.0) {
        Some(share) => {
            let share = Quantity::percent(
                share.value * 100.0,
                share.lower * 100.0,
                share.upper * 100.0,
            );
            lead.plain(" together they spent ")
                .bold(&format!("{} of the headroom", share.value()))
                .plain(".")
        }
        None => lead,
    }
}

/// A finding's buttons for whoever may press them.
pub fn actions(visit: &Visit, finding: &Finding) -> Actions {
    let since = match Life::from(finding.state) {
        Life::Snoozed => finding.snoozed_until_us,
        Life::Open => None,
        _ => Some(finding.updated_us),
    };
    Actions {
        path: paths::finding(visit.slug(), &finding.id.to_string()),
        life: finding.state.into(),
        since: since.map(|at_us| visit.moment(at_us)),
        owner: owner(finding),
        may_act: visit.may_act(),
    }
}

fn tabs(visit: &Visit, flow: &str, chosen: &Tracked) -> Vec<Tab> {
    let mut series: Vec<&Tracked> = visit.record.series_of(flow).collect();
    series.sort_by_key(|tracked| {
        let has_budget = !visit.record.budgets(tracked).is_empty();
        (
            !has_budget,
            !tracked.series.is_field(),
            tracked.series.metric.clone(),
            tracked.tab(true),
        )
    });
    let alike = |tracked: &Tracked| {
        series
            .iter()
            .filter(|other| other.tab(false) == tracked.tab(false))
            .count()
            > 1
    };
    series
        .iter()
        .map(|tracked| Tab {
            path: paths::series(visit.slug(), flow, &tracked.id.to_string()),
            name: tracked.tab(alike(tracked)),
            is_current: tracked.id == chosen.id,
        })
        .collect()
}

fn ranges(visit: &Visit, flow: &str, chosen: &Tracked, range: &str) -> Vec<Tab> {
    let path = paths::series(visit.slug(), flow, &chosen.id.to_string());
    RANGES
        .iter()
        .map(|(name, ..)| Tab {
            path: format!("{path}&range={}", paths::segment(name)),
            name: (*name).to_owned(),
            is_current: *name == range,
        })
        .collect()
}

async fn ledger(visit: &Visit, tracked: &Tracked, q: Option<f64>) -> Result<Option<LedgerCard>> {
    let (store, record) = (&visit.store, &visit.record);
    let Some(account) = standing::account(store, record, tracked, q, None, &visit.findings).await?
    else {
        return Ok(None);
    };
    let together = account.together.iter().map(|share| {
        let name = match share.releases {
            1 => share.first.clone(),
            more => format!(
                "{}–{}, {} together",
                share.first,
                share.last,
                count(more as u64)
            ),
        };
        (name, tracked.quantity(&share.change))
    });
    let shares = account.shares.iter().map(|share| Share {
        release: if share.first == share.last {
            share.first.clone()
        } else {
            format!("{}–{}", share.first, share.last)
        },
        note: share.note.clone().unwrap_or_default(),
        change: tracked.quantity(&share.change),
    });
    let others = (account.others_count > 0).then(|| {
        (
            account.others_count as u64,
            tracked.quantity(&account.others),
        )
    });
    let higher_is_better = match tracked.direction {
        Direction::Lower => Some(false),
        Direction::Higher => Some(true),
        Direction::Unknown => None,
    };
    Ok(Some(LedgerCard {
        waterfall: Waterfall {
            id: "ledger".into(),
            title: "Which releases spent it".into(),
            shares: shares.collect(),
            others,
            total: tracked.quantity(&account.total),
            higher_is_better,
        },
        together: together.collect(),
        since: account.since,
        credit: credit(visit, tracked),
    }))
}

/// Who stopped a bleed of this series, if somebody did.
fn credit(visit: &Visit, tracked: &Tracked) -> String {
    let stopped = visit
        .findings_of(tracked.id)
        .filter(|(finding, _)| kind(finding) == Kind::Bleed);
    let stopped = stopped.filter_map(|(_, evidence)| evidence.ended_by);
    stopped
        .map(|release| format!("{release} stopped a bleed"))
        .next()
        .unwrap_or_default()
}

fn headroom_card(visit: &Visit, standing: &Standing<'_>) -> HeadroomCard {
    let (tracked, budget) = (standing.tracked, standing.budget);
    let reference =
        standing
            .reference
            .as_ref()
            .zip(standing.limit)
            .map(|((release, value), limit)| {
                let room = tracked.exact((limit - value.value).abs());
                (release.clone(), tracked.quantity(value), room)
            });
    HeadroomCard {
        headroom: headroom(standing, visit.now_us),
        budget: budget.id.clone(),
        limit: tracked.exact(standing.limit.unwrap_or_default()),
        reference,
        enforcement: enforcement_words(visit, budget),
        waiver: waiver_words(visit, tracked, budget),
    }
}

/// "tracks now, gates from 1 Feb".
pub fn enforcement_words(visit: &Visit, budget: &Budget) -> String {
    let today = utc_date(visit.now_us);
    let rises = budget.rises.filter(|(_, from)| *from > today);
    let day = |date| {
        visit
            .moment(crate::wording::moment::midnight_us(date))
            .day()
    };
    let rises = rises.map(|(stricter, from)| (stricter.as_str(), day(from)));
    enforcement(budget.enforcement_on(today).as_str(), rises)
}

/// "Waived up to 2.90 s until 31 Jan (payments)", or nothing.
pub fn waiver_words(visit: &Visit, tracked: &Tracked, budget: &Budget) -> String {
    let waiver = visit
        .record
        .config
        .waiver_for(&budget.id, utc_date(visit.now_us));
    let Some(waiver) = waiver else {
        return String::new();
    };
    let until = visit
        .moment(crate::wording::moment::midnight_us(waiver.until))
        .day();
    match waiver.ceiling.to_base(tracked.dimension) {
        Ok(ceiling) => format!(
            "Waived up to {} until {until} ({})",
            tracked.exact(ceiling).value(),
            waiver.owner
        ),
        Err(_) => format!("Waived until {until} ({})", waiver.owner),
    }
}

fn findings(visit: &Visit, flow: &str) -> Vec<crate::http::pages::facts::FindingLine> {
    visit
        .findings
        .iter()
        .filter(|finding| finding.flow == flow && kind(finding) != Kind::Epoch)
        .take(FINDINGS)
        .map(|finding| line(visit, finding))
        .collect()
}

fn budgets(visit: &Visit, flow: &str, standings: &[Standing<'_>]) -> Vec<BudgetLine> {
    let mut lines = Vec::new();
    for tracked in visit.record.series_of(flow) {
        for budget in visit.record.budgets(tracked) {
            let own = |standing: &&Standing<'_>| {
                standing.tracked.id == tracked.id && standing.budget.id == budget.id
            };
            let q = budget.quantile().filter(|_| tracked.has_percentiles());
            lines.push(BudgetLine {
                id: budget.id.clone(),
                series: tracked.line_with(q),
                limit: tracked.exact(budget.limit.to_base(tracked.dimension).unwrap_or_default()),
                state: standings
                    .iter()
                    .find(own)
                    .map(|standing| standing.state.into()),
                enforcement: enforcement_words(visit, budget),
                path: paths::series(visit.slug(), flow, &tracked.id.to_string()),
            });
        }
    }
    lines
}

async fn epochs(
    visit: &Visit,
    tracked: &Tracked,
) -> Result<Vec<(crate::wording::moment::Moment, String)>> {
    let starts = visit.record.epoch_starts(&visit.store, tracked).await?;
    Ok(starts
        .into_iter()
        .rev()
        .map(|start| (visit.moment(start.at_us), start.reason))
        .collect())
}
