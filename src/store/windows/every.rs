//! All windows of a series whatever they cover, in pages, and apart from them what is not folded yet.

use std::collections::BTreeMap;

use super::super::db::{Tx, args};
use super::super::{Id, ProjectId, SeriesId, StoreError};
use super::read::with_unfolded;
use super::rows::{columns, whole};
use super::{Window, WindowKey};

const PAGE: &str = "SELECT kind, start_us, release, run_id, told, body FROM series_window \
     WHERE project_id = $1 AND series_id = $2 AND (kind, start_us, release, run_id) > ($3, $4, $5, $6) AND kind <= 4 \
     ORDER BY kind, start_us, release, run_id LIMIT $7";

/// Kind, and what [`whole`] takes.
type PageRow = (i64, i64, String, Vec<u8>, String, Vec<u8>);

/// At most `limit` windows behind a key, in the order of the primary key.
pub(in crate::store) async fn page(
    tx: &mut Tx,
    project: &ProjectId,
    series: SeriesId,
    after: Option<&WindowKey>,
    limit: i64,
) -> Result<Vec<Window>, StoreError> {
    // Kinds begin at 1.
    let (kind, start_us, run) = after.map_or((0, 0, Id::NIL), |key| columns(&key.span));
    let release = after.map_or("", |key| &key.release);
    let rows: Vec<PageRow> = tx
        .rows(
            PAGE,
            args![project, series.id(), kind, start_us, release, &run, limit],
        )
        .await?;
    rows.into_iter()
        .map(|(kind, start_us, release, run, told, body)| {
            whole(series, kind, (start_us, release, run, told, body))
        })
        .collect()
}

/// What is not folded yet, by the window that it belongs to, as if nothing else were in it.
pub(in crate::store) async fn unfolded(
    tx: &mut Tx,
    project: &ProjectId,
    series: SeriesId,
) -> Result<BTreeMap<WindowKey, Window>, StoreError> {
    let windows = with_unfolded(tx, project, series, Vec::new(), true, |_| true).await?;
    Ok(windows
        .into_iter()
        .map(|window| (window.key.clone(), window))
        .collect())
}
