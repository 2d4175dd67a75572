//! Fills a verdict's page from the stored answer; nothing is judged again.

use axum::extract::Path;

use crate::http::error::{Error, Result};
use crate::http::pages::facts::Change;
use crate::http::pages::gates::show::midnight_us;
use crate::http::pages::layout::Section;
use crate::http::pages::visit::Visit;
use crate::http::paths;
use crate::http::prose::Prose;
use crate::http::wording::finding::Manner;
use crate::http::wording::names::{flow_title, series_line};
use crate::http::wording::number::counted;
use crate::http::wording::quantity::Quantity;
use crate::http::wording::state::Answer;
use crate::http::wording::unit::Unit;
use crate::http::wording::verdict::headline;
use crate::record::Tracked;
use crate::store::{Id, SeriesId};
use crate::verdict::{self, Check, Side};

use super::{CheckRow, GatePage, STEPS, WaiverRow};
use crate::chart::margin::MarginAxis;

/// A waiver that ended within these days is still worth a line.
const ENDED_LATELY_DAYS: i32 = 60;

/// The newest verdict of a gate.
pub async fn newest(
    Path((_project, gate)): Path<(String, String)>,
    visit: Visit,
) -> Result<GatePage> {
    let stored = visit.store.verdicts(&visit.caller.project, 1_000).await?;
    let newest = stored
        .iter()
        .find(|verdict| verdict.gate == gate)
        .ok_or_else(Error::not_found)?;
    page(&visit, verdict::decode(newest)?, newest.created_us).await
}

/// One verdict.
pub async fn show(
    Path((_project, gate, id)): Path<(String, String, String)>,
    visit: Visit,
) -> Result<GatePage> {
    let id = Id::parse(&id).ok_or_else(Error::not_found)?;
    let stored = visit
        .store
        .verdict(&visit.caller.project, &id)
        .await?
        .filter(|stored| stored.gate == gate)
        .ok_or_else(Error::not_found)?;
    page(&visit, verdict::decode(&stored)?, stored.created_us).await
}

async fn page(visit: &Visit, answer: verdict::Answer, asked_us: i64) -> Result<GatePage> {
    let mut checks: Vec<CheckRow> = answer
        .checks
        .iter()
        .map(|check| row(visit, check))
        .collect();
    GatePage::sort_checks(&mut checks);
    let first = answer
        .checks
        .iter()
        .find(|check| check.counts && check.verdict == answer.verdict);
    let because = first
        .filter(|_| answer.verdict != crate::stats::gate::Verdict::Pass)
        .map(|check| because(visit, check));
    let margin = visit
        .record
        .config
        .gate(&answer.gate)
        .map_or(2.0, |gate| 100.0 * gate.margin.fraction());
    Ok(GatePage {
        gate: answer.gate.clone(),
        release: answer.release.clone(),
        answer: answer.verdict.into(),
        headline: headline(&answer.release, &answer.gate, answer.verdict.into(), because.as_deref()),
        lead: first.map_or_else(
            || Prose::of("No budget of these flows counts for the gate yet: set enforcement to verify in longwatch.toml."),
            |check| Prose::of(&format!("{}: ", series(visit, check))).bold(&check.reason).plain("."),
        ),
        confidence: answer.confidence,
        evidence: evidence(&answer),
        asked: visit.moment(asked_us),
        steps: steps(visit, &answer),
        checks,
        margin,
        waivers: waivers(visit, &answer),
        ended_waiver: ended_waiver(visit, &answer),
        command: format!(
            "longwatch gate {} --release {} --wait 10m",
            answer.gate, answer.release
        ),
        shell: visit.shell(Section::Gates).await?,
    })
}

fn tracked<'a>(visit: &'a Visit, check: &Check) -> Option<&'a Tracked> {
    visit.record.series.get(&SeriesId::parse(&check.series)?)
}

fn series(visit: &Visit, check: &Check) -> String {
    let q = check.percentile.map(|percent| percent / 100.0);
    tracked(visit, check).map_or_else(
        || series_line(check.source, &check.metric, &check.labels),
        |tracked| tracked.line_with(q),
    )
}

fn unit(visit: &Visit, check: &Check) -> Unit {
    tracked(visit, check).map_or(Unit::Millionths, Tracked::unit)
}

/// A value of the stored answer, which is in the sender's unit.
fn base(visit: &Visit, check: &Check, native: f64) -> f64 {
    tracked(visit, check).map_or(native, |tracked| {
        verdict::native_unit(tracked).to_base_exactly(native)
    })
}

fn quantity(visit: &Visit, check: &Check, side: &Side) -> Quantity {
    let at = |native: f64| base(visit, check, native);
    Quantity::new(
        at(side.value),
        at(side.lower),
        at(side.upper),
        unit(visit, check),
    )
}

fn row(visit: &Visit, check: &Check) -> CheckRow {
    let manner = tracked(visit, check).map_or(Manner::Unknown, Tracked::manner);
    let limit = check
        .limit
        .map(|limit| Quantity::exact(base(visit, check, limit), unit(visit, check)));
    let reference = check.reference.as_ref();
    let gate_rule = match (check.rule.as_str(), reference, &limit) {
        ("regression", Some(reference), _) => format!("no slower than {}", reference.release),
        ("budget", _, Some(limit)) => format!("budget {}", limit.value()),
        ("freshness", ..) => "fresh data".to_owned(),
        ("bleed", ..) => "no open bleed".to_owned(),
        (other, ..) => other.to_owned(),
    };
    CheckRow {
        answer: if check.counts {
            check.verdict.into()
        } else {
            Answer::TrackedOnly
        },
        path: paths::series(visit.slug(), &check.flow, &check.series),
        title: flow_title(&check.flow),
        series: series(visit, check),
        rule: gate_rule,
        reference: match reference {
            Some(reference) => reference
                .side
                .as_ref()
                .map(|side| quantity(visit, check, side)),
            None => limit,
        },
        candidate: check
            .candidate
            .as_ref()
            .map(|side| quantity(visit, check, side)),
        change: check.change_pct.map(|change| Change {
            percent: Quantity::percent(change.value, change.lower, change.upper),
            manner,
        }),
        axis: check.margin_pct.map(|margin| MarginAxis {
            margin,
            is_mirrored: manner == Manner::Yield,
        }),
        reason: check.reason.clone(),
    }
}

/// "Parse import is proven slower", "Login has no fresh data".
fn because(visit: &Visit, check: &Check) -> String {
    use crate::stats::gate::Verdict;
    let flow = flow_title(&check.flow);
    let manner = tracked(visit, check).map_or(Manner::Unknown, Tracked::manner);
    let worse = manner
        .comparative(if manner == Manner::Yield { -1.0 } else { 1.0 })
        .unwrap_or("changed");
    match (check.verdict, check.rule.as_str()) {
        (Verdict::Fail, "budget") => format!("{flow} is over its budget"),
        (Verdict::Fail, "bleed") => format!("{flow} is bleeding"),
        (Verdict::Fail, _) => format!("{flow} is proven {worse}"),
        (_, "freshness") => format!("{flow} has no fresh data"),
        _ => format!("{flow} cannot be told yet"),
    }
}

fn evidence(answer: &verdict::Answer) -> String {
    let runs = answer.evidence.runs.len() as u64;
    let days: std::collections::BTreeSet<&str> = answer
        .evidence
        .windows
        .iter()
        .filter_map(|window| window.rsplit('/').next())
        .collect();
    match (runs, days.len() as u64) {
        (0, 0) => "none".to_owned(),
        (runs, 0) => counted(runs, "run"),
        (0, days) => format!("{} of field data", counted(days, "day")),
        (runs, days) => format!(
            "{}, {} of field data",
            counted(runs, "run"),
            counted(days, "day")
        ),
    }
}

/// What to do, at most three steps: look at what fails, waive it if it is meant, bring what is missing.
fn steps(visit: &Visit, answer: &verdict::Answer) -> Vec<Prose> {
    use crate::stats::gate::Verdict;
    let mut steps = Vec::new();
    let counting = |wanted: Verdict| {
        answer
            .checks
            .iter()
            .filter(move |check| check.counts && check.verdict == wanted)
    };
    if let Some(check) = counting(Verdict::Fail).next() {
        let path = match &check.reference {
            Some(reference) => paths::compare(
                visit.slug(),
                &check.series,
                &reference.release,
                &answer.release,
            ),
            None => paths::series(visit.slug(), &check.flow, &check.series),
        };
        steps.push(
            Prose::of("Look at ")
                .link(&path, &flow_title(&check.flow))
                .plain("."),
        );
        steps.push(
            Prose::of("Intended? Add a waiver with a ceiling, an owner and an end date to ")
                .code("longwatch.toml")
                .plain("."),
        );
    }
    let mut seen = std::collections::BTreeSet::new();
    for check in counting(Verdict::Inconclusive) {
        if seen.insert(&check.flow) {
            let flow = flow_title(&check.flow);
            steps.push(match check.needs.and_then(|needs| needs.runs) {
                Some(runs) => Prose::of(&format!(
                    "Run {flow} again: about {} will settle it.",
                    counted(u64::from(runs), "more run")
                )),
                None => Prose::of(&format!("{flow} stays undecided: {}.", check.reason)),
            });
        }
    }
    if steps.is_empty() && answer.verdict == Verdict::Pass {
        steps.push(Prose::of("Nothing: it may go."));
    }
    steps.truncate(STEPS);
    steps
}

fn waivers(visit: &Visit, answer: &verdict::Answer) -> Vec<WaiverRow> {
    answer
        .waivers
        .iter()
        .map(|waiver| WaiverRow {
            budget: waiver.budget.clone(),
            ceiling: format!("up to {}", waiver.ceiling),
            until: visit.moment(waiver.until.parse().map_or(0, midnight_us)),
            owner: waiver.owner.clone(),
            reason: waiver.reason.clone(),
        })
        .collect()
}

fn ended_waiver(visit: &Visit, answer: &verdict::Answer) -> String {
    let today = crate::config::utc_date(visit.now_us);
    let config = &visit.record.config;
    let gated = |budget: &str| answer.checks.iter().any(|check| check.budget == budget);
    config
        .waivers
        .iter()
        .filter(|waiver| waiver.until < today && gated(&waiver.budget))
        .filter(|waiver| {
            today
                .since(waiver.until)
                .is_ok_and(|span| span.get_days() <= ENDED_LATELY_DAYS)
        })
        .max_by_key(|waiver| waiver.until)
        .map(|waiver| {
            format!(
                "One ended on {}: {} up to {}, owner {}.",
                visit.moment(midnight_us(waiver.until)).day(),
                waiver.budget,
                waiver.ceiling,
                waiver.owner
            )
        })
        .unwrap_or_default()
}
