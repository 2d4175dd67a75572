//! Windows that are old enough to go.

use std::collections::BTreeSet;

use super::super::db::{Tx, args};
use super::super::{Id, ProjectId, SeriesId, StoreError};
use super::rows::{DROP_ONE, SERIES_OF_RUN, columns};
use super::shared::forget;
use super::{HOURS_KEPT_US, Span, drop_run};

const OLD: &str = "SELECT start_us, release FROM series_window \
     WHERE project_id = $1 AND series_id = $2 AND kind = $3 AND start_us < $4 ORDER BY start_us, release LIMIT $5 OFFSET $6";

/// Removes up to about `limit` hours of a series that are too old to keep; how many.
pub(in crate::store) async fn drop_hours(
    tx: &mut Tx,
    project: &ProjectId,
    series: SeriesId,
    now_us: i64,
    limit: i64,
) -> Result<u64, StoreError> {
    let until = Span::Hour(now_us - HOURS_KEPT_US);
    drop_before(tx, project, series, &until, &BTreeSet::new(), limit).await
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
    let gone = drop_before(tx, project, series, &Span::Day(before_us), kept, limit).await?;
    if gone > 0 {
        forget(tx, project, series, before_us).await?;
    }
    Ok(gone)
}

async fn drop_before(
    tx: &mut Tx,
    project: &ProjectId,
    series: SeriesId,
    until: &Span,
    kept: &BTreeSet<String>,
    limit: i64,
) -> Result<u64, StoreError> {
    let (kind, before_us, run) = columns(until);
    let (mut gone, mut passed) = (0, 0);
    loop {
        let old: Vec<(i64, String)> = tx
            .rows(
                OLD,
                args![project, series.id(), kind, before_us, limit, passed],
            )
            .await?;
        for (start_us, release) in &old {
            if kept.contains(release) {
                passed += 1;
                continue;
            }
            gone += tx
                .execute(
                    DROP_ONE,
                    args![project, series.id(), kind, *start_us, release, &run],
                )
                .await?;
        }
        if (old.len() as i64) < limit || gone >= limit as u64 {
            return Ok(gone);
        }
    }
}

/// Removes up to `limit` windows of a run; how many.
pub(in crate::store) async fn drop_of_run(
    tx: &mut Tx,
    project: &ProjectId,
    release: &str,
    run: &Id,
    limit: i64,
) -> Result<u64, StoreError> {
    let series: Vec<(Vec<u8>,)> = tx.rows(SERIES_OF_RUN, args![project, run, limit]).await?;
    let mut gone = 0;
    for (id,) in &series {
        gone += drop_run(tx, project, SeriesId(Id::from_row(id)?), release, run).await?;
    }
    Ok(gone)
}
