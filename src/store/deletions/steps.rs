//! The work of a deletion: bounded steps, each in the transaction of one round of the fold, resumable at every one.

use super::super::db::{Tx, args};
use super::super::series::from_word;
use super::super::{
    Delta, Id, ProjectId, RunRef, SeriesId, StoreError, delta, page_views, runs, windows,
};
use super::{DeletionKind, FINISH, purge};

/// Rows that one step removes or rewrites, some more where the last series brings them: whoever writes waits no longer
/// than for a round of the fold.
pub(super) const ROWS_A_STEP: u64 = 2_000;
/// Journal rows gone through in one step; each may hold the deltas of a whole group commit.
const JOURNAL_ROWS_A_STEP: i64 = 50;
/// Series gone through in one step; most of them have nothing of the run or release.
const SERIES_A_STEP: i64 = 500;

const NEXT: &str = "SELECT id, kind, subject, release, reached FROM deletion \
     WHERE project_id = $1 AND done_us IS NULL ORDER BY id LIMIT 1";
const IS_THERE: &str = "SELECT created_us FROM project WHERE id = $1";
const LISTED: &str = "SELECT journal_id FROM deletion_journal WHERE project_id = $1 AND deletion_id = $2 \
     ORDER BY journal_id LIMIT $3";
const UNLIST: &str =
    "DELETE FROM deletion_journal WHERE project_id = $1 AND deletion_id = $2 AND journal_id = $3";
const JOURNAL_ROW: &str = "SELECT deltas FROM journal WHERE project_id = $1 AND id = $2";
const STRIP: &str = "UPDATE journal SET deltas = $3 WHERE project_id = $1 AND id = $2";
const DROP_JOURNAL_ROW: &str = "DELETE FROM journal WHERE project_id = $1 AND id = $2";
const REACH: &str = "UPDATE deletion SET reached = $3 WHERE project_id = $1 AND id = $2";
const SERIES_AFTER: &str =
    "SELECT id FROM series WHERE project_id = $1 AND id > $2 ORDER BY id LIMIT $3";
const DROP_STATE: &str = "DELETE FROM series_state WHERE project_id = $1 AND series_id = $2";

type NextRow = (Vec<u8>, String, String, Option<String>, Option<Vec<u8>>);

/// A deletion under way.
struct Undone {
    id: Id,
    subject: Subject,
    /// The last series that is done with.
    reached: Id,
}

/// What is taken out of the project.
enum Subject {
    Run { run: Id, release: String },
    Release(String),
    Series(SeriesId),
}

impl Subject {
    fn of(kind: DeletionKind, subject: String, release: Option<String>) -> Option<Subject> {
        Some(match kind {
            DeletionKind::Run => Subject::Run {
                run: Id::parse(&subject)?,
                release: release?,
            },
            DeletionKind::Release => Subject::Release(subject),
            DeletionKind::Series => Subject::Series(SeriesId(Id::parse(&subject)?)),
            // A batch is done with at once, and a project that is still there is not deleted.
            DeletionKind::Batch | DeletionKind::Project => return None,
        })
    }

    fn has(&self, delta: &Delta) -> bool {
        match self {
            Subject::Run { run, .. } => delta.origin.run == Some(RunRef::from(*run)),
            Subject::Release(release) => delta.origin.release == *release,
            Subject::Series(series) => delta.origin.series == *series,
        }
    }
}

async fn is_there(tx: &mut Tx, project: &ProjectId) -> Result<bool, StoreError> {
    let row: Option<(i64,)> = tx.row(IS_THERE, args![project]).await?;
    Ok(row.is_some())
}

/// Whether something of the project is to be deleted, or all of it.
pub(in crate::store) async fn is_asked(
    tx: &mut Tx,
    project: &ProjectId,
) -> Result<bool, StoreError> {
    let row: Option<NextRow> = tx.row(NEXT, args![project]).await?;
    Ok(row.is_some() || !is_there(tx, project).await?)
}

/// Does one step of the project's oldest deletion, or of the removal of a project that is no more. Answers nothing when
/// there is nothing to delete and the project may be folded, else whether there may be more to do.
///
/// Whoever folds has to ask after it has read the journal: rows that it read before a deletion was asked for may be
/// folded, since that is what the deletion removes; rows read later may not.
pub(in crate::store) async fn work(
    tx: &mut Tx,
    project: &ProjectId,
    now_us: i64,
) -> Result<Option<bool>, StoreError> {
    let row: Option<NextRow> = tx.row(NEXT, args![project]).await?;
    // In this order: a project that goes in between is then found gone.
    if !is_there(tx, project).await? {
        return purge::step(tx, project, now_us).await.map(Some);
    }
    let Some((id, kind, subject, release, reached)) = row else {
        return Ok(None);
    };
    let corrupt = || StoreError::Corrupt(format!("deletion of {kind} {subject}"));
    let undone = Undone {
        id: Id::from_row(&id)?,
        subject: Subject::of(from_word(kind.clone())?, subject.clone(), release)
            .ok_or_else(corrupt)?,
        reached: reached.map_or(Ok(Id::NIL), |id| Id::from_row(&id))?,
    };
    if step(tx, project, &undone, now_us).await? {
        tx.execute(FINISH, args![project, &undone.id, now_us])
            .await?;
    }
    Ok(Some(true))
}

/// One step; whether nothing is left.
async fn step(
    tx: &mut Tx,
    project: &ProjectId,
    undone: &Undone,
    now_us: i64,
) -> Result<bool, StoreError> {
    if strip_journal(tx, project, undone).await? {
        return Ok(false);
    }
    match &undone.subject {
        Subject::Series(series) => drop_series(tx, project, *series).await,
        Subject::Run { .. } | Subject::Release(_) => {
            go_through_series(tx, project, undone, now_us).await
        }
    }
}

/// Takes the deltas out of the next listed journal rows; whether there were any.
async fn strip_journal(
    tx: &mut Tx,
    project: &ProjectId,
    undone: &Undone,
) -> Result<bool, StoreError> {
    let listed: Vec<(Vec<u8>,)> = tx
        .rows(LISTED, args![project, &undone.id, JOURNAL_ROWS_A_STEP])
        .await?;
    for (id,) in &listed {
        // A round of the fold that was under way may have taken the row.
        let row: Option<(Vec<u8>,)> = tx.row(JOURNAL_ROW, args![project, id]).await?;
        if let Some((row,)) = row {
            let deltas = delta::decode(&row)?.into_deltas()?;
            let kept: Vec<&Delta> = deltas
                .iter()
                .filter(|delta| !undone.subject.has(delta))
                .collect();
            if kept.is_empty() {
                tx.execute(DROP_JOURNAL_ROW, args![project, id]).await?;
            } else if kept.len() < deltas.len() {
                let encoded = delta::encode(kept.into_iter())?;
                tx.execute(STRIP, args![project, id, &encoded]).await?;
            }
        }
        tx.execute(UNLIST, args![project, &undone.id, id]).await?;
    }
    Ok(!listed.is_empty())
}

async fn drop_series(
    tx: &mut Tx,
    project: &ProjectId,
    series: SeriesId,
) -> Result<bool, StoreError> {
    let limit = ROWS_A_STEP as i64;
    let gone = page_views::drop_open(tx, project, series, None, limit).await?
        + windows::drop_windows(tx, project, series, None, limit).await?;
    if gone >= ROWS_A_STEP {
        return Ok(false);
    }
    tx.execute(DROP_STATE, args![project, series.id()]).await?;
    Ok(true)
}

/// Takes the run or release out of the next series. No index leads from a run or release to its series, and one would
/// cost every fold more than a deletion ever spares.
async fn go_through_series(
    tx: &mut Tx,
    project: &ProjectId,
    undone: &Undone,
    now_us: i64,
) -> Result<bool, StoreError> {
    let series: Vec<(Vec<u8>,)> = tx
        .rows(SERIES_AFTER, args![project, &undone.reached, SERIES_A_STEP])
        .await?;
    let is_end = (series.len() as i64) < SERIES_A_STEP;
    let excluded = match undone.subject {
        Subject::Run { .. } => runs::excluded(tx, project).await?,
        _ => Vec::new(),
    };
    let (mut touched, mut reached) = (0, undone.reached);
    for (id,) in &series {
        let id = SeriesId(Id::from_row(id)?);
        let gone = match &undone.subject {
            Subject::Run { run, release } => {
                match windows::drop_run(tx, project, id, release, run).await? {
                    0 => 0,
                    gone => {
                        gone + windows::rebuild_release(tx, project, id, release, &excluded).await?
                    }
                }
            }
            Subject::Release(release) => {
                let (name, limit) = (Some(release.as_str()), ROWS_A_STEP as i64);
                page_views::drop_open(tx, project, id, name, limit).await?
                    + windows::drop_windows(tx, project, id, name, limit).await?
            }
            Subject::Series(_) => 0,
        };
        if gone > 0 {
            windows::forget_shared_days(tx, project, id, i64::MAX).await?;
            windows::mark(tx, project, id, now_us).await?;
        }
        touched += gone;
        if touched >= ROWS_A_STEP {
            // This series is looked at again: of a release it may hold more.
            break;
        }
        reached = *id.id();
    }
    tx.execute(REACH, args![project, &undone.id, &reached])
        .await?;
    Ok(is_end && touched < ROWS_A_STEP)
}
