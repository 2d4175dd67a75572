//! Upkeep: project by project, about hourly, under a lease of its own, what is too old to keep goes.

use std::time::Duration;

use tokio::sync::watch;

use crate::clock;
use crate::config::Config;
use crate::store::{Past, Place, ProjectId, Store, StoreError};

/// How often it is looked which projects are due.
const PERIOD: Duration = Duration::from_secs(60);
/// A project that was gone through rests this long, microseconds.
const REST_US: i64 = 3_600_000_000;

/// Keeps up until `stop` turns true.
pub async fn run(store: Store, owner: String, mut stop: watch::Receiver<bool>) {
    while !*stop.borrow() {
        tokio::select! {
            () = tokio::time::sleep(PERIOD) => {}
            _ = stop.changed() => return,
        }
        if let Err(error) = round(&store, &owner, clock::now_us).await {
            tracing::warn!(%error, "upkeep put off");
        }
    }
}

/// Goes through all projects that are due, by the time that `now_us` tells.
///
/// # Errors
/// When the database fails; what is left is due again as soon as the lease is over.
pub async fn round(store: &Store, owner: &str, now_us: impl Fn() -> i64) -> Result<(), StoreError> {
    let due = store.projects_to_keep_up(now_us()).await?;
    if !due.is_empty() {
        store.end_sessions(now_us()).await?;
    }
    for project in due {
        keep_up(store, &project, owner, &now_us).await?;
    }
    Ok(())
}

async fn keep_up(
    store: &Store,
    project: &ProjectId,
    owner: &str,
    now_us: impl Fn() -> i64,
) -> Result<(), StoreError> {
    let Some(lease) = store.lease_of_upkeep(project, owner, now_us()).await? else {
        return Ok(());
    };
    let past = past(store, project, now_us()).await?;
    let mut place = Some(Place::default());
    while let Some(at) = place {
        place = store.keep_up(&lease, &past, at, now_us()).await?;
    }
    store.rest(&lease, now_us() + REST_US).await
}

/// What a project's configuration lets be forgotten by now; nothing where it can't be read.
async fn past(store: &Store, project: &ProjectId, now_us: i64) -> Result<Past, StoreError> {
    let Some(policy) = store.policy(project).await? else {
        return Ok(Past::default());
    };
    let Ok(config) = Config::parse(&policy.toml) else {
        return Ok(Past::default());
    };
    let retention = config.project.retention;
    let pinned = config.references.into_iter();
    Ok(Past {
        runs_before_us: retention.runs_from_us(now_us),
        days_before_us: retention.days_from_us(now_us),
        kept_releases: pinned.map(|reference| reference.release).collect(),
    })
}
