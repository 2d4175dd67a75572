//! The JSON API under `/api/v1/projects/{project}`.

pub mod blind_spots;
pub mod compare;
pub mod config;
pub mod deletions;
pub mod findings;
pub mod flows;
pub mod gates;
pub mod releases;
pub mod series;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::App;
use super::error::{Error, Result};
use crate::record::Record;
use crate::store::{ProjectId, Store, StoreError};

/// Rows that a list answers at most.
pub const LIST_LIMIT: usize = 1_000;

/// A page of a list.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct Page<T> {
    /// The rows.
    pub items: Vec<T>,
    /// Where the next page begins, if there is one.
    pub next: Option<String>,
}

/// Which page of a list.
#[derive(Debug, Clone, Default, Deserialize, utoipa::IntoParams)]
#[serde(default)]
pub struct PageQuery {
    /// At most this many rows (1 to 1,000; default 100).
    pub limit: Option<usize>,
    /// Where to go on: the `next` of the page before.
    pub cursor: Option<String>,
}

impl PageQuery {
    /// Cuts one page out of all rows, whose order must be stable; the cursor is the position to go on at.
    pub fn cut<T>(&self, rows: Vec<T>) -> Result<Page<T>> {
        let limit = self.limit.unwrap_or(100);
        if limit == 0 || limit > LIST_LIMIT {
            return Err(
                Error::invalid(format!("limit {limit}")).hint(format!("use 1 to {LIST_LIMIT}"))
            );
        }
        let start = match &self.cursor {
            None => 0,
            Some(cursor) => cursor.parse::<usize>().map_err(|_| {
                Error::invalid(format!("cursor {cursor:?}")).hint("use the next of the page before")
            })?,
        };
        let more = start.saturating_add(limit) < rows.len();
        Ok(Page {
            items: rows.into_iter().skip(start).take(limit).collect(),
            next: more.then(|| (start + limit).to_string()),
        })
    }
}

/// A project's record as it stands.
pub async fn record(app: &App, project: &ProjectId) -> Result<Arc<Record>> {
    let read = async || Ok(record_of(&app.store, project).await?);
    app.known.record(&app.store, project, read).await
}

/// A project's record under the configuration in force.
pub async fn record_of(
    store: &Store,
    project: &ProjectId,
) -> std::result::Result<Record, StoreError> {
    let config = match store.policy(project).await? {
        // What was applied was parsed then; that it no longer does is a fault of ours.
        Some(policy) => crate::config::Config::parse(&policy.toml)
            .map_err(|error| StoreError::Corrupt(format!("configuration in force: {error}")))?,
        None => crate::config::Config::default(),
    };
    Record::load(store, project, Arc::new(config)).await
}

/// A time as RFC 3339, for answers.
pub fn rfc3339(us: i64) -> String {
    jiff::Timestamp::from_microsecond(us)
        .map(|time| time.to_string())
        .unwrap_or_default()
}
