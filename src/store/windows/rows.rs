//! Windows as rows: statements, decoding, and what the fold's transaction writes.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use super::super::db::{Arg, InsertMany, Reading, Tx, args};
use super::super::{Id, ProjectId, SeriesId, StoreError, record_versions};
use super::{Span, Window, WindowBody, WindowKey, told};

/// Start, release, run, what is told of it, the contents.
pub(super) type Whole = (i64, String, Vec<u8>, String, Vec<u8>);

pub(super) const BODIES: &str = "SELECT start_us, release, run_id, told, body FROM series_window \
     WHERE project_id = $1 AND series_id = $2 AND kind = $3 AND start_us >= $4 AND start_us < $5 \
     ORDER BY start_us, release, run_id LIMIT $6";
/// Moments that one query asks for.
pub(super) const STARTS_A_QUERY: usize = 64;
pub(in crate::store) static BODIES_AT: LazyLock<String> = LazyLock::new(|| {
    let places: Vec<String> = (0..STARTS_A_QUERY)
        .map(|at| format!("${}", at + 4))
        .collect();
    format!(
        "SELECT start_us, release, run_id, told, body FROM series_window \
         WHERE project_id = $1 AND series_id = $2 AND kind = $3 AND start_us IN ({}) LIMIT 20000",
        places.join(", ")
    )
});
// A year in one row, its runs' ids beside it in the same order: rows come one by one through a channel from the
// connection's thread.
const HEADS: &str = "SELECT string_agg(length(release) || ',' || release || start_us || ',' || told, ';'), \
     string_agg(run_id, '') FROM (SELECT start_us, release, run_id, told FROM series_window \
     WHERE project_id = $1 AND series_id = $2 AND kind = $3 AND start_us >= $4 AND start_us < $5 \
     ORDER BY start_us, release, run_id LIMIT $6) AS head";
pub(super) const ONE: &str = "SELECT start_us, release, run_id, told, body FROM series_window \
     WHERE project_id = $1 AND series_id = $2 AND kind = $3 AND start_us = $4 AND release = $5 AND run_id = $6";
const UPSERT: &str = "INSERT INTO series_window (project_id, series_id, kind, start_us, release, run_id, told, body) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8) \
     ON CONFLICT (project_id, series_id, kind, start_us, release, run_id) DO UPDATE SET told = excluded.told, \
     body = excluded.body";
pub(in crate::store) static INSERT_NEW: InsertMany = InsertMany::new(
    "INSERT INTO series_window (project_id, series_id, kind, start_us, release, run_id, told, body) VALUES",
    7,
    "ON CONFLICT (project_id, series_id, kind, start_us, release, run_id) DO NOTHING RETURNING series_id, run_id",
);
pub(super) const DROP_ONE: &str = "DELETE FROM series_window WHERE project_id = $1 AND series_id = $2 AND kind = $3 AND start_us = $4 \
     AND release = $5 AND run_id = $6";
const RUN_WINDOWS_OF_RELEASE: &str = "SELECT start_us, release, run_id, told, body FROM series_window \
     WHERE project_id = $1 AND series_id = $2 AND kind = 1 AND start_us = 0 AND release = $3 LIMIT $4";
pub(super) const SERIES_OF_RUN: &str = "SELECT series_id FROM series_window WHERE project_id = $1 AND run_id = $2 AND kind = 1 LIMIT $3";
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

/// Bytes of an id.
const ID_BYTES: usize = 16;

/// Windows that one answer may hold: ten years of days of two releases each, or of runs.
pub(super) const WINDOW_LIMIT: i64 = 20_000;

/// The stored columns of a span: kind, start and run. Kind 5 are days that several releases had: see `shared`.
pub(super) fn columns(span: &Span) -> (i64, i64, Id) {
    match span {
        Span::Run(run) => (1, 0, *run),
        Span::Release => (2, 0, Id::NIL),
        Span::Day(start) => (3, *start, Id::NIL),
        Span::Hour(start) => (4, *start, Id::NIL),
    }
}

/// A window of a kind as its row has it, with its contents.
pub(super) fn whole(series: SeriesId, kind: i64, row: Whole) -> Result<Window, StoreError> {
    let (start_us, release, run, told, body) = row;
    Ok(Window {
        body: Some(WindowBody::decode(&body)?),
        ..head(series, kind, (start_us, &release, &run), &told)?
    })
}

/// What is told of a series' windows of one kind that begin in a time.
pub(super) async fn heads(
    reading: &mut Reading<'_>,
    project: &ProjectId,
    series: SeriesId,
    kind: i64,
    (from_us, to_us): (i64, i64),
) -> Result<Vec<Window>, StoreError> {
    let wanted = args![project, series.id(), kind, from_us, to_us, WINDOW_LIMIT];
    let row: Option<(Option<String>, Option<Vec<u8>>)> = reading.row(HEADS, wanted).await?;
    let (all, runs) = row.unwrap_or_default();
    let (all, runs) = (all.unwrap_or_default(), runs.unwrap_or_default());
    let (mut windows, mut rest, mut runs) = (Vec::new(), all.as_str(), runs.chunks(ID_BYTES));
    while !rest.is_empty() {
        let (release, start_us, told, after) = told::split(rest)
            .ok_or_else(|| StoreError::Corrupt(format!("windows told as {rest:?}")))?;
        let run = runs.next().unwrap_or_default();
        windows.push(head(series, kind, (start_us, release, run), told)?);
        rest = after;
    }
    Ok(windows)
}

/// A window of a kind as its row has it, without its contents.
pub(super) fn head(
    series: SeriesId,
    kind: i64,
    (start_us, release, run): (i64, &str, &[u8]),
    told: &str,
) -> Result<Window, StoreError> {
    let span = match kind {
        1 => Span::Run(Id::from_row(run)?),
        2 => Span::Release,
        3 => Span::Day(start_us),
        4 => Span::Hour(start_us),
        kind => return Err(StoreError::Corrupt(format!("window of kind {kind}"))),
    };
    let key = WindowKey {
        series,
        span,
        release: release.to_owned(),
    };
    told::read(key, told).ok_or_else(|| StoreError::Corrupt(format!("window told as {told:?}")))
}

/// One window with its body, inside a transaction.
pub(in crate::store) async fn load(
    tx: &mut Tx,
    project: &ProjectId,
    key: &WindowKey,
) -> Result<Option<Window>, StoreError> {
    let (kind, start_us, run) = columns(&key.span);
    let row: Option<Whole> = tx
        .row(
            ONE,
            args![project, key.series.id(), kind, start_us, &key.release, &run],
        )
        .await?;
    row.map(|row| whole(key.series, kind, row)).transpose()
}

/// A window as it is stored.
pub(in crate::store) struct Encoded {
    key: WindowKey,
    told: String,
    body: Vec<u8>,
}

impl Encoded {
    /// A settled window's.
    pub(in crate::store) fn of(window: Window) -> Result<Encoded, StoreError> {
        let body = match &window.body {
            Some(body) => body.encode()?,
            None => WindowBody::default().encode()?,
        };
        Ok(Encoded {
            told: told::write(&window),
            key: window.key,
            body,
        })
    }
}

/// Writes a settled window.
pub(in crate::store) async fn save(
    tx: &mut Tx,
    project: &ProjectId,
    window: Window,
) -> Result<(), StoreError> {
    let Encoded { key, told, body } = Encoded::of(window)?;
    let (kind, start_us, run) = columns(&key.span);
    let series = key.series.id();
    let values = args![
        project,
        series,
        kind,
        start_us,
        &key.release,
        &run,
        &told,
        &body
    ];
    tx.execute(UPSERT, values).await?;
    Ok(())
}

/// Writes windows of runs unless they are there already; the series and runs of those that it wrote.
pub(in crate::store) async fn save_new(
    tx: &mut Tx,
    project: &ProjectId,
    windows: &[Encoded],
) -> Result<BTreeSet<(SeriesId, Id)>, StoreError> {
    let places: Vec<(i64, i64, Id)> = windows.iter().map(|one| columns(&one.key.span)).collect();
    let rows: Vec<Vec<Arg<'_>>> = windows
        .iter()
        .zip(&places)
        .map(|(Encoded { key, told, body }, (kind, start_us, run))| {
            let (series, release) = (key.series.id(), &key.release);
            args![series, *kind, *start_us, release, run, told, body].to_vec()
        })
        .collect();
    let written: Vec<(Vec<u8>, Vec<u8>)> = INSERT_NEW.returning(tx, project, &rows).await?;
    written
        .iter()
        .map(|(series, run)| Ok((SeriesId(Id::from_row(series)?), Id::from_row(run)?)))
        .collect()
}

/// Notes that a series has new data to judge.
pub(in crate::store) async fn mark(
    tx: &mut Tx,
    project: &ProjectId,
    series: SeriesId,
    now_us: i64,
) -> Result<(), StoreError> {
    tx.execute(MARK, args![project, series.id(), now_us])
        .await?;
    Ok(())
}

/// Notes that the project's record changes and everything is to be judged again.
pub(in crate::store) async fn mark_all(
    tx: &mut Tx,
    project: &ProjectId,
    now_us: i64,
) -> Result<(), StoreError> {
    tx.execute(MARK_ALL, args![project, now_us]).await?;
    record_versions::bump(tx, project, now_us).await
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
    let rows: Vec<Whole> = tx
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
        let window = self::whole(series, 1, row)?;
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
        save(tx, project, whole).await?;
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
