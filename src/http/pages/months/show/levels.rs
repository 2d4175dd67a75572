//! How well each key flow is looked after: the level that evidence of the last quarter reaches, and no further.

use std::collections::{BTreeSet, HashMap};

use crate::config::{Enforcement, utc_date};
use crate::http::error::Result;
use crate::http::pages::months::LevelRow;
use crate::http::pages::tracked::needs_words;
use crate::http::pages::visit::Visit;
use crate::http::paths;
use crate::record::By;
use crate::store::{Delivery, Finding, StoredVerdict};
use crate::wording::moment::{DAY_US, span};
use crate::wording::names::flow_title;
use crate::wording::number::counted;

use super::Watched;

/// The last quarter, in weeks and days.
const WEEKS: usize = 13;
const QUARTER_US: i64 = 91 * DAY_US;
/// Weeks with data that a budgeted flow needs.
const FRESH_WEEKS: usize = 11;
/// Three working days, told in days: weekends do not count.
const ACKNOWLEDGED_DAYS: f64 = 3.0;
/// The share of releases for which a gate must have been asked, and of answers that may be inconclusive.
const ASKED_SHARE: f64 = 0.9;
const OPEN_SHARE: f64 = 0.25;

/// The levels of all flows, lowest first.
pub(super) async fn levels(
    visit: &Visit,
    flows: &[Watched<'_>],
    verdicts: &[StoredVerdict],
) -> Result<Vec<LevelRow>> {
    let deliveries = visit
        .store
        .recent_deliveries(&visit.caller.project, 500)
        .await?;
    let mut rows = Vec::new();
    for flow in flows {
        let reached = level(visit, flow, verdicts, &deliveries).await?;
        rows.push(LevelRow {
            path: paths::flow(visit.slug(), &flow.flow),
            title: flow_title(&flow.flow),
            level: reached.level,
            evidence: reached.evidence,
            next_step: reached.next_step,
        });
    }
    rows.sort_by(|a, b| a.level.cmp(&b.level).then_with(|| a.title.cmp(&b.title)));
    Ok(rows)
}

struct Reached {
    level: u8,
    evidence: String,
    next_step: String,
}

fn reached(level: u8, evidence: impl Into<String>, next_step: impl Into<String>) -> Reached {
    Reached {
        level,
        evidence: evidence.into(),
        next_step: next_step.into(),
    }
}

async fn level(
    visit: &Visit,
    flow: &Watched<'_>,
    verdicts: &[StoredVerdict],
    deliveries: &[Delivery],
) -> Result<Reached> {
    let Some(tracked) = flow.tracked else {
        return Ok(reached(0, "no data", "send first results"));
    };
    let Some(standing) = &flow.standing else {
        let newest = newest_needs(visit, tracked).await?;
        return Ok(match newest {
            Some(needs) => reached(
                0,
                format!("its percentile {needs}"),
                "more runs, then a budget",
            ),
            None => reached(
                1,
                "measured; no budget yet",
                "give it a budget in longwatch.toml",
            ),
        });
    };
    if standing.value.is_none() {
        let needs = standing.needs.as_ref().map(needs_words).unwrap_or_default();
        return Ok(reached(0, format!("its percentile {needs}"), "more data"));
    }
    let weeks = fresh_weeks(visit, flow).await?;
    if weeks < FRESH_WEEKS {
        let evidence = format!("data in {weeks} of the last {WEEKS} weeks");
        return Ok(reached(1, evidence, "bring data every week"));
    }
    if standing.reference.is_none() {
        return Ok(reached(
            1,
            "budget, but no pinned reference",
            "pin a reference in longwatch.toml",
        ));
    }
    let budget = format!(
        "budget {}, data in {weeks} of {WEEKS} weeks",
        standing.budget.id
    );
    let today = utc_date(visit.now_us);
    let enforcement = standing.budget.enforcement_on(today);
    if enforcement == Enforcement::Observe {
        return Ok(reached(2, budget, "enforce it: track"));
    }
    if let Some(lack) = unrouted(visit, flow, deliveries) {
        return Ok(reached(
            2,
            format!("{budget}; {lack}"),
            "give its owner a route that delivers",
        ));
    }
    let acknowledged = acknowledgement(visit, flow).await?;
    let told = match acknowledged {
        None => "no alert yet".to_owned(),
        Some((days, of)) => {
            let length = span((days * DAY_US as f64) as i64);
            format!("alerts acknowledged in {length} (median of {of})")
        }
    };
    if acknowledged.is_some_and(|(days, _)| days > ACKNOWLEDGED_DAYS) {
        return Ok(reached(
            2,
            told,
            "acknowledge alerts within three working days",
        ));
    }
    if enforcement != Enforcement::Verify {
        let next = match standing.budget.rises {
            Some((Enforcement::Verify, from)) => {
                let at_us = crate::wording::moment::midnight_us(from);
                format!("gates from {}", visit.moment(at_us).day())
            }
            _ => "enforce it: verify".to_owned(),
        };
        return Ok(reached(3, format!("{budget}; {told}"), next));
    }
    Ok(verified(visit, flow, verdicts, &told))
}

/// The fourth level, or what it lacks.
fn verified(visit: &Visit, flow: &Watched<'_>, verdicts: &[StoredVerdict], told: &str) -> Reached {
    let gates: BTreeSet<&str> = visit
        .record
        .config
        .gates
        .iter()
        .filter(|gate| gate.flows.contains(&flow.flow))
        .map(|gate| gate.name.as_str())
        .collect();
    if gates.is_empty() {
        return reached(
            3,
            format!("verified by no gate; {told}"),
            "name the flow in a gate",
        );
    }
    let since = visit.now_us - QUARTER_US;
    let releases: Vec<&str> = visit
        .record
        .releases
        .iter()
        .filter(|release| release.time_us >= since)
        .map(|release| release.name.as_str())
        .collect();
    let mut newest: HashMap<&str, &str> = HashMap::new();
    for verdict in verdicts
        .iter()
        .filter(|verdict| gates.contains(verdict.gate.as_str()))
    {
        newest
            .entry(verdict.release.as_str())
            .or_insert(verdict.verdict.as_str());
    }
    let answers: Vec<&str> = releases
        .iter()
        .filter_map(|release| newest.get(release).copied())
        .collect();
    let open = answers
        .iter()
        .filter(|answer| **answer == "inconclusive")
        .count();
    let evidence = format!(
        "gate asked on {} of {}",
        answers.len(),
        counted(releases.len() as u64, "release")
    );
    if (answers.len() as f64) < ASKED_SHARE * releases.len() as f64 {
        return reached(3, evidence, "ask for every release");
    }
    if open as f64 > OPEN_SHARE * answers.len() as f64 {
        return reached(
            3,
            format!("{evidence}, {open} undecided"),
            "more runs for each release",
        );
    }
    // The last condition, that a step as small as the margin would be seen, is not worked out here.
    reached(
        3,
        format!("{evidence}, {open} undecided"),
        "prove that a step as small as the margin would be seen",
    )
}

/// What the newest point of a series without a budget would need, if it carries no value.
async fn newest_needs(visit: &Visit, tracked: &crate::record::Tracked) -> Result<Option<String>> {
    let qs: Vec<f64> = visit.record.watched(tracked).into_iter().collect();
    let points = visit
        .record
        .points(&visit.store, tracked, By::Release, i64::MIN, i64::MAX, &qs)
        .await?;
    let newest = points.last().filter(|point| point.interval.is_none());
    Ok(newest
        .and_then(|point| point.needs)
        .map(|needs| needs_words(&needs)))
}

/// In how many of the last thirteen weeks data came.
async fn fresh_weeks(visit: &Visit, flow: &Watched<'_>) -> Result<usize> {
    let Some(tracked) = flow.tracked else {
        return Ok(0);
    };
    let since = visit.now_us - QUARTER_US;
    let days = visit
        .record
        .days_with_data(&visit.store, tracked, since, i64::MAX)
        .await?;
    let weeks: BTreeSet<i64> = days
        .iter()
        .map(|day_us| (day_us - since) / (7 * DAY_US))
        .collect();
    Ok(weeks.len().min(WEEKS))
}

/// What keeps alerts from the owner, if anything: no owner, no route, or a route that never delivered.
fn unrouted(visit: &Visit, flow: &Watched<'_>, deliveries: &[Delivery]) -> Option<&'static str> {
    let config = &visit.record.config;
    let Some(owner) = config.owner_of(&flow.flow) else {
        return Some("no owner");
    };
    let routes = config.routes_of(owner);
    if routes.is_empty() {
        return Some("its owner has no route");
    }
    let delivered = |name: &str| {
        deliveries
            .iter()
            .any(|delivery| delivery.route == name && delivery.sent_us.is_some())
    };
    let tried = |name: &str| deliveries.iter().any(|delivery| delivery.route == name);
    let is_silent = routes
        .iter()
        .all(|route| tried(&route.name) && !delivered(&route.name));
    is_silent.then_some("no route of its owner ever delivered")
}

/// The median of days until somebody acknowledged this flow's alerts of the quarter, and of how many; nothing without
/// an alert. What nobody acknowledged counts as long as it waits.
async fn acknowledgement(visit: &Visit, flow: &Watched<'_>) -> Result<Option<(f64, usize)>> {
    let since = visit.now_us - QUARTER_US;
    let own: Vec<&Finding> = visit
        .findings
        .iter()
        .filter(|finding| {
            finding.flow == flow.flow && finding.told_pct.is_some() && finding.detected_us >= since
        })
        .collect();
    let mut days = Vec::new();
    for finding in own {
        let trail = visit
            .store
            .trail(&visit.caller.project, &finding.id)
            .await?;
        let seen = trail
            .iter()
            .find(|event| event.actor != "longwatch")
            .map(|event| event.at_us);
        let until = seen.or(finding.closed_us).unwrap_or(visit.now_us);
        days.push(working_days(finding.detected_us, until));
    }
    days.sort_by(f64::total_cmp);
    Ok(days.get(days.len() / 2).map(|median| (*median, days.len())))
}

/// Days between two instants, Saturdays and Sundays (UTC) left out.
fn working_days(from_us: i64, until_us: i64) -> f64 {
    let mut worked_us = 0;
    let mut at_us = from_us;
    while at_us < until_us {
        let midnight_us = (at_us.div_euclid(DAY_US) + 1) * DAY_US;
        let end_us = midnight_us.min(until_us);
        // 1 January 1970 was a Thursday.
        let weekday = (at_us.div_euclid(DAY_US) + 3).rem_euclid(7);
        if weekday < 5 {
            worked_us += end_us - at_us;
        }
        at_us = end_us;
    }
    worked_us as f64 / DAY_US as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wording::moment::midnight_us;
    use jiff::civil::date;

    #[test]
    fn weekends_do_not_count() {
        // 20 November 2026 is a Friday.
        let friday = midnight_us(date(2026, 11, 20));
        assert_eq!(working_days(friday, friday + 4 * DAY_US), 2.0);
        assert_eq!(working_days(friday + DAY_US, friday + 3 * DAY_US), 0.0);
        assert_eq!(working_days(friday, friday), 0.0);
    }
}
