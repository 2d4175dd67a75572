//! Fills a verdict's page from the stored answer: pages never decide anew.

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};

use crate::chart::margin::MarginAxis;
use crate::config::utc_date;
use crate::http::error::{Error, Result};
use crate::http::pages::facts::Change;
use crate::http::pages::layout::Section;
use crate::http::pages::tracked::statistic_word;
use crate::http::pages::visit::Visit;
use crate::http::{App, paths, prose::Prose};
use crate::record::Tracked;
use crate::stats::{Direction, Interval};
use crate::store::{Id, SeriesId, StoredVerdict};
use crate::verdict::{Answer, Check, Side, decode, native_unit};
use crate::wording::finding::Manner;
use crate::wording::moment::midnight_us;
use crate::wording::names::{flow_title, listed, series_line};
use crate::wording::number::counted;
use crate::wording::quantity::Quantity;
use crate::wording::state::Answer as Said;
use crate::wording::verdict::headline;

use super::{CheckRow, GatePage, STEPS, WaiverRow};

/// Verdicts searched for a gate's newest.
const SEARCHED: i64 = 1_000;

/// A gate's newest verdict; the list of gates where it was never asked.
pub async fn newest(
    State(_app): State<App>,
    visit: Visit,
    Path((_project, gate)): Path<(String, String)>,
) -> Result<Response> {
    let verdicts = visit
        .store
        .verdicts(&visit.caller.project, SEARCHED)
        .await?;
    match verdicts.into_iter().find(|verdict| verdict.gate == gate) {
        Some(stored) => Ok(page(&visit, &stored).await?.into_response()),
        None if visit.record.config.gate(&gate).is_some() => {
            Ok(Redirect::to(&paths::page(visit.slug(), "gates")).into_response())
        }
        None => Err(Error::not_found()),
    }
}

/// One verdict.
pub async fn show(
    State(_app): State<App>,
    visit: Visit,
    Path((_project, gate, id)): Path<(String, String, String)>,
) -> Result<GatePage> {
    let id = Id::parse(&id).ok_or_else(Error::not_found)?;
    let stored = visit
        .store
        .verdict(&visit.caller.project, &id)
        .await?
        .filter(|verdict| verdict.gate == gate);
    page(&visit, &stored.ok_or_else(Error::not_found)?).await
}

async fn page(visit: &Visit, stored: &StoredVerdict) -> Result<GatePage> {
    let answer = decode(stored)?;
    let said = Said::from(answer.verdict);
    let mut checks: Vec<CheckRow> = answer
        .checks
        .iter()
        .map(|check| row(visit, check))
        .collect();
    GatePage::sort_checks(&mut checks);
    let decisive = checks
        .iter()
        .find(|check| check.answer == said && said != Said::Pass);
    let margin = visit
        .record
        .config
        .gate(&answer.gate)
        .map_or(2.0, |gate| gate.margin.fraction() * 100.0);
    Ok(GatePage {
        headline: headline(
            &answer.release,
            &answer.gate,
            said,
            decisive.map(because).as_deref(),
        ),
        lead: decisive
            .map(|check| Prose::of(&format!("{}: {}", check.series, check.reason)))
            .unwrap_or_default(),
        confidence: answer.confidence,
        evidence: evidence(&answer),
        asked: visit.moment(stored.created_us),
        steps: steps(visit, &answer, &checks),
        margin,
        waivers: answer
            .waivers
            .iter()
            .map(|waiver| waiver_row(visit, waiver))
            .collect(),
        ended_waiver: ended_waiver(visit, &answer),
        command: format!(
            "longwatch gate {} --release {} --wait 10m",
            answer.gate, answer.release
        ),
        gate: answer.gate,
        release: answer.release,
        answer: said,
        checks,
        shell: visit.shell(Section::Gates).await?,
    })
}

/// The most important reason in a few words.
fn because(check: &CheckRow) -> String {
    let word = check
        .change
        .and_then(|change| change.manner.comparative(change.percent.value));
    match (check.answer, word) {
        (Said::Fail, Some(word)) if check.axis.is_some() => {
            format!("{} is proven {word}", check.title)
        }
        (Said::Fail, _) => format!("{} is over its budget", check.title),
        (_, _) if check.rule.starts_with("fresh") => format!("{} has no fresh data", check.title),
        _ => format!("{} is not settled", check.title),
    }
}

fn tracked_of<'a>(visit: &'a Visit, check: &Check) -> Option<&'a Tracked> {
    visit.record.series.get(&SeriesId::parse(&check.series)?)
}

fn row(visit: &Visit, check: &Check) -> CheckRow {
    let tracked = tracked_of(visit, check);
    let value = |side: &Side| tracked.map(|tracked| quantity(tracked, side));
    let limit = check
        .limit
        .zip(tracked)
        .map(|(limit, tracked)| tracked.exact(to_base(tracked, limit)));
    let is_comparison = check.margin_pct.is_some();
    let reference = check.reference.as_ref();
    let direction = tracked.map_or(Direction::Lower, |tracked| tracked.direction);
    let change = check.change_pct.map(
        |Interval {
             value,
             lower,
             upper,
         }| Change {
            percent: Quantity::percent(value, lower, upper),
            manner: tracked.map_or(Manner::Unknown, Tracked::manner),
        },
    );
    let q = check.percentile.map(|percentile| percentile / 100.0);
    CheckRow {
        answer: if check.counts {
            check.verdict.into()
        } else {
            Said::TrackedOnly
        },
        path: if check.series.is_empty() {
            paths::page(visit.slug(), "budgets")
        } else {
            paths::series(visit.slug(), &check.flow, &check.series)
        },
        title: flow_title(&check.flow),
        series: format!(
            "{} {}",
            series_line(check.source, &check.metric, &check.labels),
            statistic_word(q)
        ),
        rule: rule(check, limit.as_ref()),
        reference: if is_comparison {
            reference.and_then(|r| value(r.side.as_ref()?))
        } else {
            limit
        },
        candidate: check.candidate.as_ref().and_then(value),
        change,
        axis: check.margin_pct.map(|margin| MarginAxis {
            margin,
            is_mirrored: direction == Direction::Higher,
        }),
        reason: check.reason.clone(),
    }
}

fn to_base(tracked: &Tracked, native: f64) -> f64 {
    native / native_unit(tracked).to_native(1.0)
}

fn quantity(tracked: &Tracked, side: &Side) -> Quantity {
    let base = |native: f64| to_base(tracked, native);
    Quantity::new(
        base(side.value),
        base(side.lower),
        base(side.upper),
        tracked.unit(),
    )
}

fn rule(check: &Check, limit: Option<&Quantity>) -> String {
    match check.rule.as_str() {
        "budget" => limit.map_or_else(
            || "budget".to_owned(),
            |limit| format!("budget {}", limit.value()),
        ),
        "freshness" => "fresh data".to_owned(),
        "bleed" => "no open bleed".to_owned(),
        _ => match &check.reference {
            Some(reference) => format!("no worse than {} ({})", reference.release, reference.kind),
            None => "no worse than before".to_owned(),
        },
    }
}

/// "18 runs, 3 days of field data".
fn evidence(answer: &Answer) -> String {
    let runs = answer.evidence.runs.len() as u64;
    let days: std::collections::BTreeSet<&str> = answer
        .evidence
        .windows
        .iter()
        .filter_map(|window| window.rsplit('/').next())
        .collect();
    let mut words = Vec::new();
    if runs > 0 {
        words.push(counted(runs, "run"));
    }
    if !days.is_empty() {
        words.push(format!(
            "{} of field data",
            counted(days.len() as u64, "day")
        ));
    }
    if words.is_empty() {
        "none yet".to_owned()
    } else {
        words.join(", ")
    }
}

/// What somebody can do about it, the most urgent first.
fn steps(visit: &Visit, answer: &Answer, checks: &[CheckRow]) -> Vec<Prose> {
    let mut steps = Vec::new();
    for (check, row) in answer
        .checks
        .iter()
        .zip(answer.checks.iter().map(|check| row(visit, check)))
    {
        if row.answer != Said::Fail || steps.len() + 1 >= STEPS {
            continue;
        }
        let between = check.reference.as_ref().map(|reference| {
            let path = paths::compare(
                visit.slug(),
                &check.series,
                &reference.release,
                &answer.release,
            );
            let text = format!(
                "{} between {} and {}",
                row.title, reference.release, answer.release
            );
            Prose::of("Look at ").link(&path, &text).plain(".")
        });
        steps.push(
            between.unwrap_or_else(|| Prose::of("Look at ").link(&row.path, &row.title).plain(".")),
        );
    }
    if !steps.is_empty() {
        steps.push(
            Prose::of("Intended? Add a waiver with a ceiling, an owner and an end date to ")
                .code("longwatch.toml")
                .plain("."),
        );
    }
    let more_runs = open_checks(answer)
        .filter(|check| check.rule != "freshness")
        .filter_map(|check| check.needs?.runs)
        .max();
    if let Some(runs) = more_runs {
        let settle = if runs == 1 { "settles" } else { "settle" };
        steps.push(Prose::of(&format!(
            "About {} {settle} what is open.",
            counted(u64::from(runs), "more run")
        )));
    }
    let (unmeasured, stale): (Vec<&Check>, Vec<&Check>) = open_checks(answer)
        .filter(|check| check.rule == "freshness")
        .partition(|check| check.needs.is_some_and(|needs| needs.runs.is_some()));
    if !unmeasured.is_empty() {
        steps.push(Prose::of(&format!(
            "Measure {} with {}: without a run of its own a release never passes.",
            listed(&flows_of(&unmeasured)),
            answer.release
        )));
    }
    if !stale.is_empty() {
        let stay = if stale.len() == 1 { "stays" } else { "stay" };
        steps.push(Prose::of(&format!(
            "{} {stay} undecided until fresh data come; more runs do not help.",
            listed(&flows_of(&stale))
        )));
    }
    if steps.is_empty() && checks.is_empty() {
        steps.push(
            Prose::of("Give one of the gate's flows a budget in ")
                .code("longwatch.toml")
                .plain("."),
        );
    }
    steps.truncate(STEPS);
    steps
}

/// The checks that keep the gate from deciding.
fn open_checks(answer: &Answer) -> impl Iterator<Item = &Check> {
    answer
        .checks
        .iter()
        .filter(|check| check.counts && Said::from(check.verdict) == Said::Inconclusive)
}

fn flows_of(checks: &[&Check]) -> Vec<String> {
    let mut titles: Vec<String> = checks.iter().map(|check| flow_title(&check.flow)).collect();
    titles.dedup();
    titles
}

fn waiver_row(visit: &Visit, waiver: &crate::verdict::WaiverUsed) -> WaiverRow {
    let until = waiver
        .until
        .parse::<jiff::civil::Date>()
        .map_or(visit.now_us, midnight_us);
    WaiverRow {
        budget: waiver.budget.clone(),
        ceiling: format!("up to {}", waiver.ceiling),
        until: visit.moment(until),
        owner: waiver.owner.clone(),
        reason: waiver.reason.clone(),
    }
}

/// The waiver on one of the checked budgets that ended last.
fn ended_waiver(visit: &Visit, answer: &Answer) -> String {
    let today = utc_date(visit.now_us);
    let checked = |budget: &str| answer.checks.iter().any(|check| check.budget == budget);
    let ended = visit
        .record
        .config
        .waivers
        .iter()
        .filter(|waiver| waiver.until < today && checked(&waiver.budget));
    ended
        .max_by_key(|waiver| waiver.until)
        .map_or_else(String::new, |waiver| {
            let day = visit.moment(midnight_us(waiver.until)).day();
            format!(
                "One ended on {day}: {} up to {}, owner {}.",
                waiver.budget, waiver.ceiling, waiver.owner
            )
        })
}
