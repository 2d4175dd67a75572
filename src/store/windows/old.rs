//! Windows that are old enough to go.

use std::collections::BTreeSet;

use super::super::db::{Tx, args};
use super::super::{Id, ProjectId, SeriesId, StoreError};
use super::rows::DROP_ONE;
use super::{HOURS_KEPT_US, Span, rows};

const DROP_HOURS: &str = "DELETE FROM series_window WHERE project_id = $1 AND series_id = $2 AND kind = 4 \
     AND (start_us, release, run_id) IN (SELECT start_us, release, run_id FROM series_window \
     WHERE project_id = $1 AND series_id = $2 AND kind = 4 AND start_us < $3 ORDER BY start_us LIMIT $4)";
const OLD_DAYS: &str = "SELECT start_us, release FROM series_window \
     WHERE project_id = $1 AND series_id = $2 AND kind = 3 AND start_us < $3 ORDER BY start_us, release LIMIT $4 OFFSET $5";
const DROP_OF_RUN: &str = "DELETE FROM series_window WHERE project_id = $1 AND run_id = $2 AND kind = 1 AND series_id IN \
     (SELECT series_id FROM series_window WHERE project_id = $1 AND run_id = $2 AND kind = 1 LIMIT $3)";

/// Removes up to `limit` hours of a series that are too old to keep; how many.
pub(in crate::store) async fn drop_hours(
    tx: &mut Tx,
    project: &ProjectId,
    series: SeriesId,
    now_us: i64,
    limit: i64,
) -> Result<u64, StoreError> {
    let before_us = now_us - HOURS_KEPT_US;
    tx.execute(DROP_HOURS, args![project, series.id(), before_us, limit])
        .await
}

/// Removes up to about `limit` days of a series that begin before a time, but for those of some releases; how many.
pub(in crate::store) async fn drop_days(
    tx: &mut Tx,
    project: &ProjectId,
    series: SeriesId,
    before_us: i64,
    kept: &BTreeSet<String>,
    limit: i64,
) -> Result<u64, StoreError> {
    let (mut gone, mut passed) = (0, 0);
    loop {
        let days: Vec<(i64, String)> = tx
            .rows(
                OLD_DAYS,
                args![project, series.id(), before_us, limit, passed],
            )
            .await?;
        for (start_us, release) in &days {
            if kept.contains(release) {
                passed += 1;
                continue;
            }
            let (kind, start_us, run) = rows::columns(&Span::Day(*start_us));
            gone += tx
                .execute(
                    DROP_ONE,
                    args![project, series.id(), kind, start_us, release, &run],
                )
                .await?;
        }
        if (days.len() as i64) < limit || gone >= limit as u64 {
            return Ok(gone);
        }
    }
}

/// Removes up to `limit` windows of a run; how many.
pub(in crate::store) async fn drop_of_run(
    tx: &mut Tx,
    project: &ProjectId,
    run: &Id,
    limit: i64,
) -> Result<u64, StoreError> {
    tx.execute(DROP_OF_RUN, args![project, run, limit]).await
}
