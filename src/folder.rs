//! Merges journal rows into windows, project by project, under a lease; works first at what is to be deleted.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};

use crate::store::{ProjectId, Store, StoreError};

/// The fold looks for work at least this often; a commit that is worth it wakes it sooner. A wake-up is only a hint.
const PERIOD: Duration = Duration::from_secs(5);
/// After a wake-up the fold waits this long, so that a flood of commits shares one rewriting of its windows.
const GATHER: Duration = Duration::from_millis(150);

/// Folds until `stop` turns true. `folded` is called after each round that changed something.
pub async fn run(
    store: Store,
    owner: String,
    wake: Arc<Notify>,
    mut stop: watch::Receiver<bool>,
    folded: impl Fn() + Send,
) {
    while !*stop.borrow() {
        tokio::select! {
            () = wake.notified() => tokio::time::sleep(GATHER).await,
            () = tokio::time::sleep(PERIOD) => {}
            _ = stop.changed() => return,
        }
        match round(&store, &owner).await {
            Ok(true) => folded(),
            Ok(false) => {}
            Err(error) => tracing::warn!(%error, "fold put off"),
        }
    }
}

/// Folds everything that waits; whether anything changed.
pub async fn round(store: &Store, owner: &str) -> Result<bool, StoreError> {
    let mut projects = store.projects_to_fold().await?;
    let now_us = crate::clock::now_us();
    projects.extend(store.projects_to_close(now_us).await?);
    projects.extend(store.projects_with_deletions(now_us).await?);
    projects.sort();
    projects.dedup();
    let mut changed = false;
    for project in projects {
        // What fails in one project holds no other up.
        match fold_project(store, &project, owner).await {
            Ok(did) => changed |= did,
            Err(error) => tracing::warn!(%error, project = %project.id(), "fold put off"),
        }
    }
    Ok(changed)
}

async fn fold_project(store: &Store, project: &ProjectId, owner: &str) -> Result<bool, StoreError> {
    let Some(lease) = store
        .lease(project, "fold", owner, crate::clock::now_us())
        .await?
    else {
        return Ok(false);
    };
    let mut changed = false;
    loop {
        let folded = store.fold(&lease, crate::clock::now_us()).await?;
        changed |= !folded.series.is_empty();
        if !folded.more {
            break;
        }
    }
    store.give_back(&lease).await?;
    Ok(changed)
}
