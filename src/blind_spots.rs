//! What would go unseen: worked out for each series about daily, project by project, under a lease of its own.
//!
//! It takes a hundred judgements and more of a series, so nobody who reads waits for it; pages and the API give what was
//! last found.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::clock;
use crate::detector;
use crate::record::Record;
use crate::stats::blind_spot::{BlindSpot, blind_spot};
use crate::store::{ProjectId, SeriesId, Store, StoreError};

/// How long after the start it is first looked what is due, so that a demonstration soon has it.
const FIRST: Duration = Duration::from_secs(2);
/// And how often from then on.
const PERIOD: Duration = Duration::from_secs(60);
/// What was looked at rests this long, microseconds.
const REST_US: i64 = 86_400_000_000;
/// A project gets this long of each round, so that others have their turn and judgements the processor.
const SHARE: Duration = Duration::from_secs(3);
/// Series asked for at a time.
const AT_A_TIME: i64 = 20;

/// Looks at what is due until `stop` turns true.
pub async fn run(store: Store, owner: String, mut stop: watch::Receiver<bool>) {
    let mut wait = FIRST;
    while !*stop.borrow() {
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            _ = stop.changed() => return,
        }
        wait = PERIOD;
        if let Err(error) = round(&store, &owner, clock::now_us).await {
            tracing::warn!(%error, "blind spots put off");
        }
    }
}

/// Gives each project its share of time; how many series were looked at.
///
/// # Errors
/// When the database does not tell which projects there are, or which of them are due; what is left stays due.
pub async fn round(
    store: &Store,
    owner: &str,
    now_us: impl Fn() -> i64,
) -> Result<usize, StoreError> {
    let mut looked = 0;
    for (project, _) in store.projects().await? {
        let due = store.blind_spots_due(&project, now_us() - REST_US, 1);
        if due.await?.is_empty() {
            continue;
        }
        let lease = store.lease(&project, "blind_spots", owner, now_us());
        let Some(lease) = lease.await? else {
            continue;
        };
        let done = project_share(store, &project, &now_us).await;
        store.give_back(&lease).await?;
        match done {
            Ok(done) => looked += done,
            // The other projects do not wait for what is wrong with this one.
            Err(error) => tracing::warn!(%error, project = %project.id(), "blind spots put off"),
        }
    }
    Ok(looked)
}

async fn project_share(
    store: &Store,
    project: &ProjectId,
    now_us: impl Fn() -> i64,
) -> Result<usize, StoreError> {
    let began = Instant::now();
    let record = Arc::new(detector::record_in_force(store, project).await?);
    let mut looked = 0;
    loop {
        let due = store.blind_spots_due(project, now_us() - REST_US, AT_A_TIME);
        let due = due.await?;
        if due.is_empty() {
            return Ok(looked);
        }
        for one in due {
            // What comes while it is worked out is news the next time.
            let began_us = now_us();
            let found = if one.is_open {
                look_at(store, &record, one.series).await.map(Some)
            } else {
                Ok(None)
            };
            match found {
                Ok(Some(found)) => {
                    let text = found.map(|found| serde_json::to_string(&found).unwrap_or_default());
                    store
                        .keep_blind_spot(project, one.series, text.as_deref(), began_us)
                        .await?;
                }
                Ok(None) => {
                    store.rest_blind_spot(project, one.series, now_us()).await?;
                }
                Err(error) => {
                    // It waits for its next turn like all others, so that none of them waits for it.
                    tracing::warn!(%error, series = %one.series, "its blind spot is not known");
                    store.rest_blind_spot(project, one.series, now_us()).await?;
                }
            }
            looked += 1;
            if began.elapsed() > SHARE {
                return Ok(looked);
            }
        }
    }
}

/// The blind spot of a series' running epoch.
async fn look_at(
    store: &Store,
    record: &Arc<Record>,
    series: SeriesId,
) -> Result<Option<BlindSpot>, StoreError> {
    let Some(tracked) = record.series.get(&series) else {
        return Ok(None);
    };
    let store = &store.for_one_request();
    let (measured, boundaries) = detector::units(store, record, tracked).await?;
    let settings = detector::settings_among(tracked.direction, record.series.len());
    let epoch = boundaries.iter().map(|b| b.index).max().unwrap_or(0);
    let record = record.clone();
    let looked = tokio::task::spawn_blocking(move || {
        let rows = detector::rows(&record, &measured);
        blind_spot(rows.get(epoch..).unwrap_or_default(), &settings)
    });
    looked
        .await
        .map_err(|error| StoreError::Corrupt(format!("a blind spot was not found: {error}")))
}

/// What is known of a series, and when it was found out, microseconds.
///
/// # Errors
/// When the database fails, or holds what no version wrote.
pub async fn known(
    store: &Store,
    project: &ProjectId,
    series: SeriesId,
) -> Result<Option<(BlindSpot, i64)>, StoreError> {
    let Some((text, at_us)) = store.blind_spot(project, series).await? else {
        return Ok(None);
    };
    let found = serde_json::from_str(&text)
        .map_err(|error| StoreError::Corrupt(format!("a blind spot: {error}")))?;
    Ok(Some((found, at_us)))
}
