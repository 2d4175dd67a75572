//! Judges the series that folding marked. Points become changes in `stats`; this module keeps the findings they make.
//!
//! Findings, outbox rows and the watermark are written in one transaction. A wake-up is only a hint: what is to be
//! judged stands in the database.

pub mod breach;
pub mod evidence;
pub mod missing;
pub mod mix;
mod reconcile;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use collectors::report::{Direction, Source};
use tokio::sync::{Notify, watch};

use crate::clock::now_us;
use crate::config::Config;
use crate::record::{DAY_US, Measured, Record, Tracked};
use crate::stats::alarm_budget;
use crate::stats::common_mode::{Member, judge_together};
use crate::stats::epoch::Boundary;
use crate::stats::judge::{Change, Row, Settings, judge};
use crate::store::{
    Finding, FindingChange, FindingState, Lease, ProjectId, SeriesId, Store, StoreError,
};

use reconcile::Reconciled;

/// The detector looks for work at least this often; a fold wakes it sooner.
const PERIOD: Duration = Duration::from_secs(2);
/// Data go missing without anything happening, so all projects are looked over this often.
const OVERSEE: Duration = Duration::from_secs(60);
/// A lease is prolonged this often while many series are judged: well before it ends, so that no other instance begins
/// with the same series, and rarely enough that it costs nothing.
const PROLONG: Duration = Duration::from_secs(8);
/// Series of one testbed that are judged together; beyond it each is judged alone, since reading all of them for
/// every new point would cost more than the shared shift is worth.
const TOGETHER: usize = 60;

/// After a round the detector rests for so many times as long as it took, at most for this long: what comes in by the
/// hundred is judged together, and short rounds take a tenth of a core.
const REST: u32 = 9;
const LONGEST_REST: Duration = Duration::from_millis(1_500);

/// Judges until `stop` turns true. `judged` is called after a round that changed something.
pub async fn run(
    store: Store,
    owner: String,
    public_url: String,
    wake: Arc<Notify>,
    mut stop: watch::Receiver<bool>,
    judged: impl Fn() + Send,
) {
    let mut overseen: Option<tokio::time::Instant> = None;
    while !*stop.borrow() {
        tokio::select! {
            () = wake.notified() => {}
            () = tokio::time::sleep(PERIOD) => {}
            _ = stop.changed() => return,
        }
        let began = tokio::time::Instant::now();
        let oversee = overseen.is_none_or(|at| at.elapsed() > OVERSEE);
        match round(&store, &owner, &public_url, oversee).await {
            Ok(true) => judged(),
            Ok(false) => {}
            Err(error) => tracing::warn!(%error, "detection put off"),
        }
        if oversee {
            overseen = Some(tokio::time::Instant::now());
        }
        tokio::select! {
            () = tokio::time::sleep(LONGEST_REST.min(began.elapsed() * REST)) => {}
            _ = stop.changed() => return,
        }
    }
}

/// Judges everything that waits; with `oversee` also looks for missing data in projects where nothing happened.
/// Answers whether anything was judged.
pub async fn round(
    store: &Store,
    owner: &str,
    public_url: &str,
    oversee: bool,
) -> Result<bool, StoreError> {
    let mut projects = store.projects_to_judge().await?;
    if oversee {
        projects.extend(store.projects().await?.into_iter().map(|(id, _)| id));
    }
    projects.sort();
    projects.dedup();
    let slugs: BTreeMap<ProjectId, String> = store.projects().await?.into_iter().collect();
    let mut any = false;
    for project in projects {
        let Some(lease) = store.lease(&project, "detect", owner, now_us()).await? else {
            continue;
        };
        let slug = slugs.get(&project).map_or("", String::as_str);
        let url = format!("{public_url}{}", crate::http::paths::project(slug));
        let outcome = judge_project(store, &lease, &url).await;
        store.give_back(&lease).await?;
        any |= outcome?;
    }
    Ok(any)
}

async fn judge_project(store: &Store, lease: &Lease, url: &str) -> Result<bool, StoreError> {
    let project = &lease.project;
    let waiting = store.unjudged(project).await?;
    let record = record_in_force(store, project).await?;
    let dirty: BTreeSet<SeriesId> = waiting
        .iter()
        .filter_map(|(id, _)| {
            let direct = record.series.contains_key(id).then_some(*id);
            direct.or_else(|| {
                record
                    .series
                    .values()
                    .find(|tracked| tracked.predecessors.contains(id))
                    .map(|tracked| tracked.id)
            })
        })
        .collect();
    let (mut changes, mut new) = (Vec::new(), Vec::new());
    let mut held = tokio::time::Instant::now();
    for group in groups(&record, &dirty) {
        if held.elapsed() > PROLONG {
            store.prolong(lease, now_us()).await?;
            held = tokio::time::Instant::now();
        }
        let reconciled = judge_group(store, lease, &record, &group, url).await?;
        changes.extend(reconciled.known);
        new.extend(reconciled.new);
    }
    if !new.is_empty() {
        let alarms = alarms_of_the_quarter(&store.findings(project).await?, now_us());
        let surpluses: Vec<f64> = new.iter().map(|(surplus, _)| *surplus).collect();
        let told = alarm_budget::afforded(&surpluses, record.series.len(), alarms);
        let told = new.into_iter().zip(told).filter(|(_, is_told)| *is_told);
        for ((_, mut change), _) in told {
            tell_of_visitors(store, &record, &mut change, url).await?;
            changes.push(change);
        }
    }
    changes.extend(breach::look(store, &record, &dirty, url, now_us()).await?);
    changes.extend(missing::look(store, &record, url, now_us()).await?);
    if changes.is_empty() && waiting.is_empty() {
        return Ok(false);
    }
    store
        .record_judgement(lease, &changes, &waiting, now_us())
        .await?;
    Ok(true)
}

/// Looks at a new finding of the field with the same visitors.
async fn tell_of_visitors(
    store: &Store,
    record: &Record,
    change: &mut FindingChange,
    url: &str,
) -> Result<(), StoreError> {
    let series = change.finding.series;
    let Some(tracked) = series.and_then(|id| record.series.get(&id)) else {
        return Ok(());
    };
    if !tracked.series.is_field() {
        return Ok(());
    }
    let store = &store.for_one_request();
    let (measured, _) = units(store, record, tracked).await?;
    let same = mix::same_visitors(store, record, tracked, &measured, &change.finding);
    let Some(same) = same.await? else {
        return Ok(());
    };
    let judged = reconcile::Judged {
        record,
        tracked,
        q: record.watched(tracked),
        measured: &measured,
        changes: &[],
        kept_from_us: kept_from_us(record, tracked),
        url,
        now_us: now_us(),
    };
    judged.tell_of_visitors(change, same);
    Ok(())
}

/// The alarms that were told in the quarter before and still hold.
fn alarms_of_the_quarter(findings: &[Finding], now_us: i64) -> usize {
    let from_us = now_us - alarm_budget::QUARTER_DAYS * DAY_US;
    let holds = |finding: &&Finding| {
        let is_alarm = matches!(finding.kind.as_str(), "step" | "bleed" | "improvement");
        is_alarm && finding.detected_us >= from_us && finding.state != FindingState::FalseAlarm
    };
    findings.iter().filter(holds).count()
}

/// A project's record under the configuration in force, as background work reads it.
///
/// # Errors
/// When the database fails.
pub async fn record_in_force(store: &Store, project: &ProjectId) -> Result<Record, StoreError> {
    let config = match store.policy(project).await? {
        // What was applied has been parsed before; a newer binary's stricter rules must not stop detection.
        Some(policy) => Config::parse(&policy.toml).unwrap_or_else(|error| {
            tracing::error!(%error, "the configuration in force does not parse any more");
            Config::default()
        }),
        None => Config::default(),
    };
    Record::load(store, project, Arc::new(config)).await
}

/// The series to judge, those of one testbed together where they are few enough.
fn groups<'a>(record: &'a Record, dirty: &BTreeSet<SeriesId>) -> Vec<Vec<&'a Tracked>> {
    let mut testbeds: BTreeMap<(Source, &str), Vec<&Tracked>> = BTreeMap::new();
    let mut alone = Vec::new();
    for tracked in record.series.values() {
        if tracked.series.is_field() {
            if dirty.contains(&tracked.id) {
                alone.push(vec![tracked]);
            }
        } else {
            let testbed = (tracked.series.source, tracked.series.testbed.as_str());
            testbeds.entry(testbed).or_default().push(tracked);
        }
    }
    for members in testbeds.into_values() {
        if !members.iter().any(|tracked| dirty.contains(&tracked.id)) {
            continue;
        }
        if members.len() <= TOGETHER {
            alone.push(members);
        } else {
            alone.extend(
                members
                    .into_iter()
                    .filter(|tracked| dirty.contains(&tracked.id))
                    .map(|tracked| vec![tracked]),
            );
        }
    }
    alone
}

async fn judge_group(
    store: &Store,
    lease: &Lease,
    record: &Record,
    group: &[&Tracked],
    url: &str,
) -> Result<Reconciled, StoreError> {
    let (mut watched, mut emptied) = (Vec::new(), Vec::new());
    for tracked in group {
        let q = record.watched(tracked);
        // The days of a series are read once for all that is asked of them here.
        let store = &store.for_one_request();
        if tracked.series.is_field() {
            record
                .tell_shared_days(store, lease, tracked, now_us())
                .await?;
        }
        let (measured, boundaries) = units(store, record, tracked).await?;
        if measured.is_empty() {
            emptied.push((*tracked, q, measured, boundaries));
        } else {
            watched.push((*tracked, q, measured, boundaries));
        }
    }
    let settings: Vec<Settings> = watched
        .iter()
        .map(|(tracked, ..)| settings(tracked.direction))
        .collect();
    let members: Vec<Member<'_>> = watched
        .iter()
        .map(|(_, _, measured, boundaries)| Member {
            rows: rows(record, measured),
            boundaries: boundaries.clone(),
        })
        .collect();
    let mut seen: Vec<Vec<Change>> = match (&members[..], &settings[..]) {
        ([one], [settings]) => vec![judge(&one.rows, &one.boundaries, settings)],
        _ => judge_together(&members, &settings),
    };
    // Where everything was deleted nothing is seen any more.
    seen.resize(watched.len() + emptied.len(), Vec::new());
    watched.append(&mut emptied);
    let mut all = Reconciled::default();
    for ((tracked, q, measured, _), seen) in watched.iter().zip(&seen) {
        let known = store
            .findings_of_series(&record.project, tracked.id)
            .await?;
        let judged = reconcile::Judged {
            record,
            tracked,
            q: *q,
            measured,
            changes: seen,
            kept_from_us: kept_from_us(record, tracked),
            url,
            now_us: now_us(),
        };
        let reconciled = judged.reconcile(known);
        all.known.extend(reconciled.known);
        all.new.extend(reconciled.new);
    }
    Ok(all)
}

/// What a series is judged by: its runs, or days of field data, and where its epochs begin among them.
///
/// # Errors
/// When the database fails.
pub async fn units(
    store: &Store,
    record: &Record,
    tracked: &Tracked,
) -> Result<(Vec<Measured>, Vec<Boundary>), StoreError> {
    let q = record.watched(tracked);
    let mut measured = record.measured(store, tracked, q).await?;
    if let Some(from_us) = kept_from_us(record, tracked) {
        // What is kept for a reference only has lost what came after it.
        measured.retain(|m| m.time_us >= from_us);
    }
    let boundaries = record.boundaries(store, tracked, &measured).await?;
    Ok((measured, boundaries))
}

/// Since when what a series is judged by is kept, microseconds; nothing where it is for ever.
fn kept_from_us(record: &Record, tracked: &Tracked) -> Option<i64> {
    let retention = &record.config.project.retention;
    if tracked.series.is_field() {
        retention.days_from_us(now_us())
    } else {
        retention.runs_from_us(now_us())
    }
}

/// The same in a project of so many series, in a quarter with no other alarm.
pub fn settings_among(direction: Direction, series: usize) -> Settings {
    Settings {
        least_surplus: alarm_budget::least_surplus(series, 0),
        ..settings(direction)
    }
}

/// What is worth telling of a series.
pub fn settings(direction: Direction) -> Settings {
    Settings {
        direction,
        ..Settings::default()
    }
}

/// Units of evidence as the detector takes them.
pub fn rows<'a>(record: &'a Record, measured: &[Measured]) -> Vec<Row<'a>> {
    measured
        .iter()
        .map(|m| Row {
            time_us: m.time_us,
            release: record
                .releases
                .get(m.release)
                .map_or("", |release| release.name.as_str()),
            value: m.value,
            count: Some(m.count),
            se: m.se,
        })
        .collect()
}
