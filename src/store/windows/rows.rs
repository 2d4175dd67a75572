//! Windows as rows: statements, decoding, and what the fold's transaction writes.

use std::sync::LazyLock;

use super::super::db::{Tx, args};
use super::super::{Id, ProjectId, SeriesId, StoreError};
use super::{HOURS_KEPT_US, Span, Statistic, Window, WindowBody, WindowKey};
use crate::stats::Interval;

pub(super) struct WindowRow {
    kind: i64,
    start_us: i64,
    release: String,
    run: Vec<u8>,
    first_us: i64,
    last_us: i64,
    count: i64,
    failed: i64,
    dropped: i64,
    headline: Option<f64>,
    statistics: [Option<f64>; 9],
    body: Option<Vec<u8>>,
}

impl<'r, R: sqlx::Row> sqlx::FromRow<'r, R> for WindowRow
where
    usize: sqlx::ColumnIndex<R>,
    i64: sqlx::Decode<'r, R::Database> + sqlx::Type<R::Database>,
    String: sqlx::Decode<'r, R::Database> + sqlx::Type<R::Database>,
    Vec<u8>: sqlx::Decode<'r, R::Database> + sqlx::Type<R::Database>,
    Option<f64>: sqlx::Decode<'r, R::Database> + sqlx::Type<R::Database>,
    Option<Vec<u8>>: sqlx::Decode<'r, R::Database> + sqlx::Type<R::Database>,
{
    fn from_row(row: &'r R) -> Result<Self, sqlx::Error> {
        let mut statistics = [None; 9];
        for (column, statistic) in (10..).zip(&mut statistics) {
            *statistic = row.try_get(column)?;
        }
        Ok(WindowRow {
            kind: row.try_get(0)?,
            start_us: row.try_get(1)?,
            release: row.try_get(2)?,
            run: row.try_get(3)?,
            first_us: row.try_get(4)?,
            last_us: row.try_get(5)?,
            count: row.try_get(6)?,
            failed: row.try_get(7)?,
            dropped: row.try_get(8)?,
            headline: row.try_get(9)?,
            statistics,
            body: row.try_get(19)?,
        })
    }
}

pub(super) const BODIES: &str = "SELECT kind, start_us, release, run_id, first_us, last_us, count, failed, dropped, headline, \
     p50, p50_lower, p50_upper, p75, p75_lower, p75_upper, p99, p99_lower, p99_upper, body FROM series_window \
     WHERE project_id = $1 AND series_id = $2 AND kind = $3 AND start_us >= $4 AND start_us < $5 \
     ORDER BY start_us, release, run_id LIMIT $6";
/// Moments that one query asks for.
pub(super) const STARTS_A_QUERY: usize = 64;
pub(super) static BODIES_AT: LazyLock<String> = LazyLock::new(|| {
    let places: Vec<String> = (0..STARTS_A_QUERY)
        .map(|at| format!("${}", at + 4))
        .collect();
    format!(
        "SELECT kind, start_us, release, run_id, first_us, last_us, count, failed, dropped, headline, \
         p50, p50_lower, p50_upper, p75, p75_lower, p75_upper, p99, p99_lower, p99_upper, body FROM series_window \
         WHERE project_id = $1 AND series_id = $2 AND kind = $3 AND start_us IN ({}) LIMIT 20000",
        places.join(", ")
    )
});
pub(super) const HEADS: &str = "SELECT kind, start_us, release, run_id, first_us, last_us, count, failed, dropped, headline, \
     p50, p50_lower, p50_upper, p75, p75_lower, p75_upper, p99, p99_lower, p99_upper, CAST(NULL AS BYTEA) \
     FROM series_window WHERE project_id = $1 AND series_id = $2 AND kind = $3 AND start_us >= $4 AND start_us < $5 \
     ORDER BY start_us, release, run_id LIMIT $6";
pub(super) const ONE: &str = "SELECT kind, start_us, release, run_id, first_us, last_us, count, failed, dropped, headline, \
     p50, p50_lower, p50_upper, p75, p75_lower, p75_upper, p99, p99_lower, p99_upper, body FROM series_window \
     WHERE project_id = $1 AND series_id = $2 AND kind = $3 AND start_us = $4 AND release = $5 AND run_id = $6";
const UPSERT: &str = "INSERT INTO series_window (project_id, series_id, kind, start_us, release, run_id, first_us, last_us, \
     count, failed, dropped, headline, p50, p50_lower, p50_upper, p75, p75_lower, p75_upper, p99, p99_lower, p99_upper, body) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22) \
     ON CONFLICT (project_id, series_id, kind, start_us, release, run_id) DO UPDATE SET first_us = excluded.first_us, \
     last_us = excluded.last_us, count = excluded.count, failed = excluded.failed, dropped = excluded.dropped, \
     headline = excluded.headline, p50 = excluded.p50, p50_lower = excluded.p50_lower, p50_upper = excluded.p50_upper, \
     p75 = excluded.p75, p75_lower = excluded.p75_lower, p75_upper = excluded.p75_upper, p99 = excluded.p99, \
     p99_lower = excluded.p99_lower, p99_upper = excluded.p99_upper, body = excluded.body";
const DROP_OLD_HOURS: &str = "DELETE FROM series_window WHERE project_id = $1 AND series_id = $2 AND kind = 4 AND start_us < $3";
const DROP_ONE: &str = "DELETE FROM series_window WHERE project_id = $1 AND series_id = $2 AND kind = $3 AND start_us = $4 \
     AND release = $5 AND run_id = $6";
const RUN_WINDOWS_OF_RELEASE: &str = "SELECT kind, start_us, release, run_id, first_us, last_us, count, failed, dropped, \
     headline, p50, p50_lower, p50_upper, p75, p75_lower, p75_upper, p99, p99_lower, p99_upper, body FROM series_window \
     WHERE project_id = $1 AND series_id = $2 AND kind = 1 AND start_us = 0 AND release = $3 LIMIT $4";
const SERIES_OF_RUN: &str = "SELECT series_id FROM series_window WHERE project_id = $1 AND run_id = $2 AND kind = 1 LIMIT $3";
const MARK: &str = "INSERT INTO series_state (project_id, series_id, changed, judged, changed_us) VALUES ($1, $2, 1, 0, $3) \
     ON CONFLICT (project_id, series_id) DO UPDATE SET changed = series_state.changed + 1, changed_us = excluded.changed_us";
const DROP_OF_SERIES: &str = "DELETE FROM series_window WHERE project_id = $1 AND series_id = $2 \
     AND (kind, start_us, release, run_id) IN (SELECT kind, start_us, release, run_id FROM series_window \
     WHERE project_id = $1 AND series_id = $2 ORDER BY kind, start_us, release, run_id LIMIT $3)";
const DROP_OF_RELEASE: &str = "DELETE FROM series_window WHERE project_id = $1 AND series_id = $2 \
     AND (kind, start_us, release, run_id) IN (SELECT kind, start_us, release, run_id FROM series_window \
     WHERE project_id = $1 AND series_id = $2 AND release = $4 LIMIT $3)";
const MARK_ALL: &str =
    "UPDATE series_state SET changed = changed + 1, changed_us = $2 WHERE project_id = $1";

/// Windows that one answer may hold: ten years of days of two releases each, or of runs.
pub(super) const WINDOW_LIMIT: i64 = 20_000;

/// The stored columns of a span: kind, start and run.
pub(super) fn columns(span: &Span) -> (i64, i64, Id) {
    match span {
        Span::Run(run) => (1, 0, *run),
        Span::Release => (2, 0, Id::NIL),
        Span::Day(start) => (3, *start, Id::NIL),
        Span::Hour(start) => (4, *start, Id::NIL),
    }
}

pub(super) fn decode(series: SeriesId, row: WindowRow) -> Result<Window, StoreError> {
    let span = match row.kind {
        1 => Span::Run(Id::from_row(&row.run)?),
        2 => Span::Release,
        3 => Span::Day(row.start_us),
        4 => Span::Hour(row.start_us),
        kind => return Err(StoreError::Corrupt(format!("window of kind {kind}"))),
    };
    let statistic = |at: usize| match row.statistics[at..at + 3] {
        [Some(value), Some(lower), Some(upper)] => Some(Interval {
            value,
            lower,
            upper,
        }),
        _ => None,
    };
    Ok(Window {
        key: WindowKey {
            series,
            span,
            release: row.release,
        },
        first_us: row.first_us,
        last_us: row.last_us,
        count: row.count as u64,
        failed: row.failed as u64,
        dropped: row.dropped as u64,
        headline: row.headline,
        p50: statistic(0),
        p75: statistic(3),
        p99: statistic(6),
        provisional: false,
        body: row.body.as_deref().map(WindowBody::decode).transpose()?,
    })
}

/// One window with its body, inside a transaction.
pub(in crate::store) async fn load(
    tx: &mut Tx,
    project: &ProjectId,
    key: &WindowKey,
) -> Result<Option<Window>, StoreError> {
    let (kind, start_us, run) = columns(&key.span);
    let row: Option<WindowRow> = tx
        .row(
            ONE,
            args![project, key.series.id(), kind, start_us, &key.release, &run],
        )
        .await?;
    row.map(|row| decode(key.series, row)).transpose()
}

/// Writes a settled window.
pub(in crate::store) async fn save(
    tx: &mut Tx,
    project: &ProjectId,
    window: &Window,
) -> Result<(), StoreError> {
    let (kind, start_us, run) = columns(&window.key.span);
    let body = window.body.clone().unwrap_or_default().encode()?;
    let part = |statistic: &Statistic, of: fn(&Interval) -> f64| statistic.as_ref().map(of);
    tx.execute(
        UPSERT,
        args![
            project,
            window.key.series.id(),
            kind,
            start_us,
            &window.key.release,
            &run,
            window.first_us,
            window.last_us,
            window.count as i64,
            window.failed as i64,
            window.dropped as i64,
            window.headline,
            part(&window.p50, |i| i.value),
            part(&window.p50, |i| i.lower),
            part(&window.p50, |i| i.upper),
            part(&window.p75, |i| i.value),
            part(&window.p75, |i| i.lower),
            part(&window.p75, |i| i.upper),
            part(&window.p99, |i| i.value),
            part(&window.p99, |i| i.lower),
            part(&window.p99, |i| i.upper),
            &body,
        ],
    )
    .await?;
    Ok(())
}

/// Notes that a series has new data to judge, and drops its hours that are too old to keep.
pub(in crate::store) async fn mark(
    tx: &mut Tx,
    project: &ProjectId,
    series: SeriesId,
    now_us: i64,
) -> Result<(), StoreError> {
    tx.execute(MARK, args![project, series.id(), now_us])
        .await?;
    tx.execute(
        DROP_OLD_HOURS,
        args![project, series.id(), now_us - HOURS_KEPT_US],
    )
    .await?;
    Ok(())
}

/// Notes that everything is to be judged again.
pub(in crate::store) async fn mark_all(
    tx: &mut Tx,
    project: &ProjectId,
    now_us: i64,
) -> Result<(), StoreError> {
    tx.execute(MARK_ALL, args![project, now_us]).await?;
    Ok(())
}

/// Rebuilds the release windows that a run takes part in, leaving out excluded runs.
pub(in crate::store) async fn rebuild_releases_of(
    tx: &mut Tx,
    project: &ProjectId,
    run: &Id,
    release: &str,
    excluded: &[Id],
    now_us: i64,
) -> Result<(), StoreError> {
    let series: Vec<(Vec<u8>,)> = tx
        .rows(SERIES_OF_RUN, args![project, run, WINDOW_LIMIT])
        .await?;
    for (id,) in series {
        let series = SeriesId(Id::from_row(&id)?);
        rebuild_release(tx, project, series, release, excluded).await?;
        mark(tx, project, series, now_us).await?;
    }
    Ok(())
}

/// Rebuilds a release's window of a lab series from its runs, leaving out excluded ones. Answers how many windows it
/// read.
pub(in crate::store) async fn rebuild_release(
    tx: &mut Tx,
    project: &ProjectId,
    series: SeriesId,
    release: &str,
    excluded: &[Id],
) -> Result<u64, StoreError> {
    let rows: Vec<WindowRow> = tx
        .rows(
            RUN_WINDOWS_OF_RELEASE,
            args![project, series.id(), release, WINDOW_LIMIT],
        )
        .await?;
    let read = rows.len() as u64;
    let key = WindowKey {
        series,
        span: Span::Release,
        release: release.to_owned(),
    };
    let mut whole = Window::new(key.clone());
    let mut runs = 0;
    for row in rows {
        let window = decode(series, row)?;
        let kept = match window.key.span {
            Span::Run(run) => !excluded.contains(&run),
            _ => false,
        };
        if kept {
            runs += 1;
            whole.merge(&window)?;
        }
    }
    if runs == 0 {
        let (kind, start_us, run) = columns(&key.span);
        tx.execute(
            DROP_ONE,
            args![project, series.id(), kind, start_us, release, &run],
        )
        .await?;
    } else {
        whole.settle();
        save(tx, project, &whole).await?;
    }
    Ok(read)
}

/// Removes a run's window of a series; how many there were.
pub(in crate::store) async fn drop_run(
    tx: &mut Tx,
    project: &ProjectId,
    series: SeriesId,
    release: &str,
    run: &Id,
) -> Result<u64, StoreError> {
    let (kind, start_us, run) = columns(&Span::Run(*run));
    tx.execute(
        DROP_ONE,
        args![project, series.id(), kind, start_us, release, &run],
    )
    .await
}

/// Removes up to `limit` windows of a series, of all spans; only those of one release, where it is given. Answers how
/// many.
pub(in crate::store) async fn drop_windows(
    tx: &mut Tx,
    project: &ProjectId,
    series: SeriesId,
    release: Option<&str>,
    limit: i64,
) -> Result<u64, StoreError> {
    match release {
        None => {
            tx.execute(DROP_OF_SERIES, args![project, series.id(), limit])
                .await
        }
        Some(release) => {
            tx.execute(DROP_OF_RELEASE, args![project, series.id(), limit, release])
                .await
        }
    }
}
