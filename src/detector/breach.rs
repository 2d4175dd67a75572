//! Breaches: a budget that is proven broken, and when it is kept again.

use std::collections::BTreeSet;

use super::evidence::Evidence;
use super::reconcile::deliveries;
use crate::config::{Budget, utc_date};
use crate::record::{CONFIDENCE, DAY_US, Record, Tracked};
use crate::stats::{Direction, Interval, runs};
use crate::store::{
    Finding, FindingChange, FindingEvent, FindingState, Id, SeriesId, Store, StoreError,
};

/// The value that a budget judges now: the window's percentile for field data, the newest release's runs for lab data.
pub async fn judged_value(
    store: &Store,
    record: &Record,
    tracked: &Tracked,
    budget: &Budget,
    now_us: i64,
) -> Result<Option<(Interval, u64)>, StoreError> {
    let q = tracked
        .has_percentiles()
        .then(|| budget.quantile())
        .flatten();
    if tracked.series.is_field() {
        let days = i64::from(budget.window.days().unwrap_or(28));
        let merged = record
            .merged_days(store, tracked, now_us - days * DAY_US, i64::MAX)
            .await?;
        return Ok(merged.and_then(|window| {
            let value = window.body.as_ref()?.percentile(q?).ok()?;
            Some((value, window.count))
        }));
    }
    let measured = record.measured(store, tracked, q).await?;
    let Some(newest) = measured.last().map(|m| m.release) else {
        return Ok(None);
    };
    let own: Vec<_> = measured.iter().filter(|m| m.release == newest).collect();
    let values: Vec<f64> = own.iter().map(|m| m.value).collect();
    let all: Vec<f64> = measured.iter().map(|m| m.value).collect();
    let value = match runs::successive_noise(&all) {
        Some(noise) => runs::statistic_with(&values, &noise, CONFIDENCE),
        None => runs::statistic(&values, CONFIDENCE),
    };
    let samples = own.iter().map(|m| m.count).sum();
    Ok(value.ok().map(|interval| (interval, samples)))
}

/// What changes among the breaches of the series that have new data.
pub(super) async fn look(
    store: &Store,
    record: &Record,
    dirty: &BTreeSet<SeriesId>,
    url: &str,
    now_us: i64,
) -> Result<Vec<FindingChange>, StoreError> {
    let mut changes = Vec::new();
    for tracked in dirty.iter().filter_map(|id| record.series.get(id)) {
        for budget in record.budgets(tracked) {
            let Ok(limit) = budget.limit.to_base(tracked.dimension) else {
                continue;
            };
            let Some((value, samples)) =
                judged_value(store, record, tracked, budget, now_us).await?
            else {
                continue;
            };
            let known = store
                .findings_of_series(&record.project, tracked.id)
                .await?
                .into_iter()
                .find(|finding| {
                    finding.kind == "breach"
                        && finding.state.is_open()
                        && Evidence::read(&finding.evidence)
                            .is_some_and(|evidence| evidence.budget.as_ref() == Some(&budget.id))
                });
            let mut evidence = Evidence::about(tracked, budget.quantile(), now_us);
            evidence.budget = Some(budget.id.clone());
            evidence.limit = Some(limit);
            evidence.to = Some(value);
            evidence.samples = samples;
            evidence.confidence = Some(CONFIDENCE);
            evidence.onset_release = record.releases.last().map(|release| release.name.clone());
            let (broken, kept) = standing(&value, limit, tracked.direction);
            let is_told = standing(
                &value,
                allowed(record, tracked, budget, limit, now_us),
                tracked.direction,
            )
            .0;
            match known {
                None if broken => {
                    let finding = opened(record, tracked, budget, evidence, is_told, url, now_us);
                    changes.push(finding);
                }
                Some(known) if kept => {
                    changes.push(ended(record, tracked, known, evidence, url, now_us));
                }
                Some(known) if is_told && known.told_pct.is_none() => {
                    changes.extend(told_at_last(record, tracked, known, evidence, url, now_us));
                }
                _ => {}
            }
        }
    }
    Ok(changes)
}

/// Whether the budget is proven broken, and whether it is proven kept.
fn standing(value: &Interval, limit: f64, direction: Direction) -> (bool, bool) {
    match direction {
        Direction::Higher => (value.upper < limit, value.lower >= limit),
        Direction::Lower | Direction::Unknown => (value.lower > limit, value.upper <= limit),
    }
}

/// What may be without anybody being told: the limit, or a waiver's ceiling while that is in force.
fn allowed(record: &Record, tracked: &Tracked, budget: &Budget, limit: f64, now_us: i64) -> f64 {
    let waiver = record.config.waiver_for(&budget.id, utc_date(now_us));
    let ceiling = waiver.and_then(|waiver| waiver.ceiling.to_base(tracked.dimension).ok());
    ceiling.unwrap_or(limit)
}

/// Says of a breach of which budget it is.
fn say(evidence: &mut Evidence, tracked: &Tracked, onset_us: i64, now_us: i64) {
    let budget = evidence.budget.as_deref().unwrap_or_default();
    evidence.reason = format!("even the best likely value is over the limit of budget {budget}");
    evidence.say("breach", &tracked.flow, onset_us, now_us);
}

/// A breach that a waiver covered, or that a milder enforcement kept quiet, and that nothing covers any more; none where
/// there is still nobody to tell.
fn told_at_last(
    record: &Record,
    tracked: &Tracked,
    mut finding: Finding,
    mut evidence: Evidence,
    url: &str,
    now_us: i64,
) -> Option<FindingChange> {
    say(&mut evidence, tracked, finding.onset_us, now_us);
    let sent = deliveries(record, tracked, &finding, &evidence, "opened", url, now_us);
    if sent.is_empty() {
        return None;
    }
    finding.told_pct = Some(0.0);
    finding.updated_us = now_us;
    finding.evidence = evidence.to_json();
    Some(FindingChange {
        event: event(finding.id, "told", evidence.sentence.clone(), now_us),
        finding,
        deliveries: sent,
    })
}

fn opened(
    record: &Record,
    tracked: &Tracked,
    budget: &Budget,
    mut evidence: Evidence,
    is_told: bool,
    url: &str,
    now_us: i64,
) -> FindingChange {
    let id = Id::new();
    say(&mut evidence, tracked, now_us, now_us);
    let mut finding = Finding {
        id,
        series: Some(tracked.id),
        identity: format!("breach/{}/{}/{id}", budget.id, tracked.id),
        kind: "breach".to_owned(),
        state: FindingState::Open,
        flow: tracked.flow.clone(),
        owner: record.config.budget_owner(budget).map(str::to_owned),
        assignee: None,
        onset_us: now_us,
        detected_us: now_us,
        updated_us: now_us,
        snoozed_until_us: None,
        closed_us: None,
        told_pct: None,
        evidence: evidence.to_json(),
    };
    let sent = if is_told {
        deliveries(record, tracked, &finding, &evidence, "opened", url, now_us)
    } else {
        Vec::new()
    };
    if !sent.is_empty() {
        finding.told_pct = Some(0.0);
    }
    FindingChange {
        event: event(id, "opened", evidence.sentence.clone(), now_us),
        finding,
        deliveries: sent,
    }
}

fn ended(
    record: &Record,
    tracked: &Tracked,
    mut finding: Finding,
    mut evidence: Evidence,
    url: &str,
    now_us: i64,
) -> FindingChange {
    finding.state = FindingState::Resolved;
    finding.closed_us = Some(now_us);
    finding.updated_us = now_us;
    evidence.reason = "even the worst likely value is inside the limit again".to_owned();
    evidence.say_kept(&tracked.flow);
    finding.evidence = evidence.to_json();
    let sent = if finding.told_pct.is_some() {
        deliveries(record, tracked, &finding, &evidence, "ended", url, now_us)
    } else {
        Vec::new()
    };
    FindingChange {
        event: event(finding.id, "ended", evidence.reason.clone(), now_us),
        finding,
        deliveries: sent,
    }
}

/// A line of the service's own for a finding's trail.
pub(super) fn event(finding: Id, action: &str, note: String, now_us: i64) -> FindingEvent {
    FindingEvent {
        finding,
        at_us: now_us,
        actor: "longwatch".to_owned(),
        action: action.to_owned(),
        note,
    }
}
