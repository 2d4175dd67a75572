//! Upkeep: what nobody asks for any more goes, a bounded number of rows a transaction, in the background and beside
//! everything else. Each step may be done again, so that an instance that dies leaves nothing half done.
//!
//! A run is forgotten with its windows, batches and row; what it adds to its release's window stays there. That window
//! can then not be built anew without another of the release's runs, so the release is marked, and its runs are neither
//! excluded nor deleted one by one any more ([`hold_whole`]). The lock on its row decides who comes first.

use std::collections::BTreeSet;

use super::db::{Tx, args};
use super::journal::DAY_US;
use super::{
    Id, Lease, ProjectId, SeriesId, Store, StoreError, deletions, journal, leases, page_views,
    record_versions, runs, windows,
};

/// Rows that one step removes: whoever writes waits no longer than for a round of the fold.
const ROWS_A_STEP: i64 = 2_000;
/// Series gone through in one step; most of them have nothing that is too old.
const SERIES_A_STEP: i64 = 200;
/// Runs looked at in one step.
const RUNS_A_STEP: i64 = 200;
/// How long it is told how a deletion went, microseconds.
const DELETION_MEMORY_US: i64 = 90 * DAY_US;
/// Clocks of instances differ by less, microseconds.
const SLACK_US: i64 = 3_600_000_000;

const FORGET_DELETIONS: &str = "DELETE FROM deletion WHERE project_id = $1 AND id IN \
     (SELECT id FROM deletion WHERE project_id = $1 AND done_us IS NOT NULL AND done_us < $2 ORDER BY done_us LIMIT $3)";
const SERIES_AFTER: &str =
    "SELECT id FROM series WHERE project_id = $1 AND id > $2 ORDER BY id LIMIT $3";
const OLD_RUNS: &str = "SELECT id, release FROM run WHERE project_id = $1 AND started_us < $2 \
     ORDER BY started_us, id LIMIT $3 OFFSET $4";
const NEWEST_BATCH: &str = "SELECT received_us FROM batch WHERE project_id = $1 AND release = $2 AND run_id = $3 \
     ORDER BY received_us DESC LIMIT 1";
const DROP_BATCHES: &str = "DELETE FROM batch WHERE project_id = $1 AND id IN \
     (SELECT id FROM batch WHERE project_id = $1 AND release = $2 AND run_id = $3 LIMIT $4)";
const DROP_RUN: &str = "DELETE FROM run WHERE project_id = $1 AND id = $2";
const MARK_RELEASE: &str =
    "UPDATE release SET runs_forgotten_us = $3 WHERE project_id = $1 AND name = $2";
// The row stays as it is, but is held until the transaction ends.
const HOLD_RELEASE: &str = "UPDATE release SET created_us = created_us WHERE project_id = $1 AND name = $2 \
     RETURNING runs_forgotten_us";
const ENDED_SESSIONS: &str =
    "SELECT secret_sha256 FROM session WHERE expires_us < $1 ORDER BY expires_us LIMIT $2";
const END_SESSION: &str = "DELETE FROM session WHERE secret_sha256 = $1";
const END_ENROLMENTS: &str = "DELETE FROM enrolment WHERE expires_us < $1";
const END_USED_ENROLMENTS: &str = "DELETE FROM enrolment WHERE used_us IS NOT NULL";

/// What of a project's past is to be forgotten.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Past {
    /// Runs that began before this, microseconds; none where runs are kept for ever.
    pub runs_before_us: Option<i64>,
    /// Days that begin before this, likewise.
    pub days_before_us: Option<i64>,
    /// Releases whose runs and days are kept all the same, since others are compared with them.
    pub kept_releases: BTreeSet<String>,
}

/// How far a project's upkeep has come.
#[derive(Debug, Clone, Copy, Default)]
pub struct Place {
    task: Task,
    /// The last series that is done with.
    series: Option<Id>,
    /// Runs that were looked at and are kept.
    passed: i64,
}

#[derive(Debug, Clone, Copy, Default)]
enum Task {
    #[default]
    Keys,
    Counts,
    Deletions,
    Runs,
    Windows,
}

impl Place {
    fn at(task: Task) -> Option<Place> {
        Some(Place {
            task,
            ..Place::default()
        })
    }

    /// Goes on with this task while it finds whole steps of work, then with the next.
    fn after(self, gone: u64, next: Task) -> Option<Place> {
        if gone >= ROWS_A_STEP as u64 {
            Some(self)
        } else {
            Place::at(next)
        }
    }
}

impl Store {
    /// Does one step of the upkeep of the lease's project; where to go on, or nothing once it is through.
    pub async fn keep_up(
        &self,
        lease: &Lease,
        past: &Past,
        place: Place,
        now_us: i64,
    ) -> Result<Option<Place>, StoreError> {
        let project = &lease.project;
        let mut tx = self.db.begin().await?;
        leases::hold(&mut tx, lease, now_us).await?;
        let next = match place.task {
            Task::Keys => {
                let gone = journal::forget_keys(&mut tx, project, now_us, ROWS_A_STEP).await?;
                place.after(gone, Task::Counts)
            }
            Task::Counts => {
                page_views::forget_closed(&mut tx, project, now_us).await?;
                record_versions::forget_gone(&mut tx, project, now_us).await?;
                journal::forget_dropped(&mut tx, project, now_us).await?;
                Place::at(Task::Deletions)
            }
            Task::Deletions => {
                let before_us = now_us - DELETION_MEMORY_US;
                let gone = tx
                    .execute(FORGET_DELETIONS, args![project, before_us, ROWS_A_STEP])
                    .await?;
                place.after(gone, Task::Runs)
            }
            Task::Runs => match forget_run(&mut tx, past, project, place, now_us).await? {
                Forgot::Kept(passed) => Some(Place { passed, ..place }),
                Forgot::Nothing => Place::at(Task::Windows),
                // The mark on the release goes with the transaction; the next time is early enough.
                Forgot::Waits => return Ok(Place::at(Task::Windows)),
            },
            Task::Windows => go_through_series(&mut tx, past, project, place, now_us).await?,
        };
        tx.commit().await?;
        Ok(next)
    }

    /// Removes sessions that are over and one-time links that nobody can use any more.
    pub async fn end_sessions(&self, now_us: i64) -> Result<(), StoreError> {
        let ended: Vec<(Vec<u8>,)> = self
            .db
            .rows(ENDED_SESSIONS, args![now_us, ROWS_A_STEP])
            .await?;
        for (secret,) in &ended {
            self.db.execute(END_SESSION, args![secret]).await?;
        }
        self.db.execute(END_ENROLMENTS, args![now_us]).await?;
        self.db.execute(END_USED_ENROLMENTS, &[]).await?;
        Ok(())
    }
}

/// What came of looking for a run to forget.
enum Forgot {
    /// Go on behind so many runs that are kept.
    Kept(i64),
    /// There is none.
    Nothing,
    /// Something is being deleted, which may need the runs.
    Waits,
}

/// Forgets one run that is old enough, or as much of it as a step may take.
async fn forget_run(
    tx: &mut Tx,
    past: &Past,
    project: &ProjectId,
    place: Place,
    now_us: i64,
) -> Result<Forgot, StoreError> {
    let Some(before_us) = past.runs_before_us else {
        return Ok(Forgot::Nothing);
    };
    let old: Vec<(Vec<u8>, String)> = tx
        .rows(
            OLD_RUNS,
            args![project, before_us, RUNS_A_STEP, place.passed],
        )
        .await?;
    let mut passed = place.passed;
    for (id, release) in &old {
        if past.kept_releases.contains(release) {
            passed += 1;
            continue;
        }
        let run = Id::from_row(id)?;
        // The release before the run, as uploads do.
        tx.execute(MARK_RELEASE, args![project, release, now_us])
            .await?;
        if deletions::is_asked(tx, project).await? {
            return Ok(Forgot::Waits);
        }
        runs::lock(tx, project, &run).await?;
        if !is_folded(tx, project, release, &run, now_us).await? {
            return Ok(Forgot::Waits);
        }
        let gone = windows::drop_of_run(tx, project, release, &run, ROWS_A_STEP).await?
            + tx.execute(DROP_BATCHES, args![project, release, &run, ROWS_A_STEP])
                .await?;
        if gone < ROWS_A_STEP as u64 {
            tx.execute(DROP_RUN, args![project, &run]).await?;
        }
        record_versions::bump(tx, project, now_us).await?;
        return Ok(Forgot::Kept(passed));
    }
    Ok(if old.len() as i64 == RUNS_A_STEP {
        Forgot::Kept(passed)
    } else {
        Forgot::Nothing
    })
}

/// Whether nothing of a run waits in the journal any more: its windows would come again without it.
async fn is_folded(
    tx: &mut Tx,
    project: &ProjectId,
    release: &str,
    run: &Id,
    now_us: i64,
) -> Result<bool, StoreError> {
    let newest: Option<(i64,)> = tx.row(NEWEST_BATCH, args![project, release, run]).await?;
    let unfolded_us = journal::oldest_received(tx, project).await?;
    let before_us = unfolded_us.unwrap_or(now_us) - SLACK_US;
    Ok(newest.is_none_or(|(received_us,)| received_us < before_us))
}

/// Removes the next series' hours and days that are too old.
async fn go_through_series(
    tx: &mut Tx,
    past: &Past,
    project: &ProjectId,
    place: Place,
    now_us: i64,
) -> Result<Option<Place>, StoreError> {
    let mut reached = place.series.unwrap_or(Id::NIL);
    let series: Vec<(Vec<u8>,)> = tx
        .rows(SERIES_AFTER, args![project, &reached, SERIES_A_STEP])
        .await?;
    let mut gone = 0;
    for (id,) in &series {
        let id = SeriesId(Id::from_row(id)?);
        gone += windows::drop_hours(tx, project, id, now_us, ROWS_A_STEP).await?;
        if let Some(before_us) = past.days_before_us {
            let kept = &past.kept_releases;
            gone += windows::drop_days(tx, project, id, before_us, kept, ROWS_A_STEP).await?;
        }
        if gone >= ROWS_A_STEP as u64 {
            // This series is looked at again: it may have more.
            break;
        }
        reached = *id.id();
    }
    let is_end = (series.len() as i64) < SERIES_A_STEP && gone < ROWS_A_STEP as u64;
    Ok((!is_end).then_some(Place {
        series: Some(reached),
        ..place
    }))
}

/// Inside a transaction: no run of a release is forgotten until it ends.
///
/// # Errors
/// [`StoreError::Forgotten`] when some are already.
pub(super) async fn hold_whole(
    tx: &mut Tx,
    project: &ProjectId,
    release: &str,
) -> Result<(), StoreError> {
    let row: Option<(Option<i64>,)> = tx.row(HOLD_RELEASE, args![project, release]).await?;
    match row {
        Some((Some(_),)) => Err(StoreError::Forgotten(release.to_owned())),
        _ => Ok(()),
    }
}
