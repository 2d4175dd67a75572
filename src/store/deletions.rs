//! Deletion: what a person takes out is gone, and stays gone, while everything else goes on.
//!
//! **Asking** is one transaction: the deletion's row, its audit row, and all that is small (a run or release with its
//! batches and their idempotency keys, a series' findings with their deliveries, a project's name and with it every
//! right to it). The transaction also lists the journal rows that are there: *what was acknowledged before the answer
//! goes, what is sent after it stays*, whatever the clocks of the instances say. An upload of the same run or release
//! waits for that transaction or goes before it, by the lock on the run's or the release's row, so that an upload and its
//! key go or stay together.
//!
//! **The work** is done by the fold, under its lease and before it folds anything more of the project: the listed journal
//! rows lose the deltas, then the windows go, a bounded number of rows a transaction ([`work`]). So windows never hold
//! anything newer than the deletion until it is done, and an instance that dies leaves the rest to the next.
//!
//! A deleted series keeps its row, hidden: instances remember which series they have seen stored and send no description
//! again. The row is shown again by the upload that describes it, once the work is done, or else by the fold when new data
//! come for it. A project needs no such care: whatever still arrives for one that is no more is removed by the fold.

mod arrivals;
mod purge;
mod steps;

use serde::{Deserialize, Serialize};

use super::db::{Tx, args};
use super::series::{from_word, word};
use super::{
    Id, ProjectId, SeriesId, Store, StoreError, access, findings, leases, record_versions, runs,
    upkeep,
};

pub(super) use arrivals::{SHOW_AGAIN, show_again, welcome};
pub(super) use steps::{is_asked, work};

/// What is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeletionKind {
    /// An upload that stored nothing; any other goes with its run.
    Batch,
    /// A run.
    Run,
    /// A release with its runs.
    Release,
    /// A series.
    Series,
    /// The whole project.
    Project,
}

/// A deletion that was asked for; from then on it happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deletion {
    /// Its id.
    pub id: Id,
    /// What is deleted.
    pub kind: DeletionKind,
    /// Its id, or a release's or project's name.
    pub subject: String,
    /// Who asked.
    pub actor: String,
    /// When, microseconds.
    pub asked_us: i64,
    /// When nothing of it was left.
    pub done_us: Option<i64>,
}

/// With what a batch's measurements were merged, so that they can't be taken out alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MergedWith {
    /// Other batches of its run.
    Run {
        /// The run.
        run: Id,
        /// How many others.
        others: i64,
    },
    /// The days of its series.
    Days,
}

type DeletionRow = (Vec<u8>, String, String, String, i64, Option<i64>);

const ASK: &str = "INSERT INTO deletion (project_id, id, kind, subject, release, actor, asked_us, due_us) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $7)";
const LIST_JOURNAL: &str = "INSERT INTO deletion_journal (project_id, deletion_id, journal_id) \
     SELECT project_id, $2, id FROM journal WHERE project_id = $1";
const FINISH: &str = "UPDATE deletion SET done_us = $3 WHERE project_id = $1 AND id = $2";
const ONE: &str = "SELECT id, kind, subject, actor, asked_us, done_us FROM deletion WHERE project_id = $1 AND id = $2";
const UNDONE: &str = "SELECT project_id FROM deletion WHERE project_id > $1 AND done_us IS NULL AND due_us < $3 \
     ORDER BY project_id, id LIMIT $2";

const DROP_PROJECT: &str = "DELETE FROM project WHERE id = $1 RETURNING slug";
const DROP_RELEASE: &str = "DELETE FROM release WHERE project_id = $1 AND name = $2";
const DROP_RUNS: &str = "DELETE FROM run WHERE project_id = $1 AND release = $2";
const RELEASE_OF_RUN: &str = "SELECT release FROM run WHERE project_id = $1 AND id = $2";
const DROP_RUN: &str = "DELETE FROM run WHERE project_id = $1 AND id = $2 RETURNING name, testbed";
const HIDE_SERIES: &str = "UPDATE series SET deleted_us = $3 WHERE project_id = $1 AND id = $2 \
     RETURNING flow_name, metric, source, testbed";

const BATCH: &str =
    "SELECT release, run_id, series_count FROM batch WHERE project_id = $1 AND id = $2";
const BATCHES_OF_RUN: &str = "SELECT CAST(COUNT(*) AS BIGINT) FROM batch \
     WHERE project_id = $1 AND release = $2 AND run_id = $3 AND series_count > 0";
const DROP_BATCH_KEY: &str = "DELETE FROM idempotency WHERE project_id = $1 AND key IN \
     (SELECT idempotency_key FROM batch WHERE project_id = $1 AND id = $2)";
const DROP_BATCH: &str = "DELETE FROM batch WHERE project_id = $1 AND id = $2";
const DROP_KEYS_OF_RUN: &str = "DELETE FROM idempotency WHERE project_id = $1 AND key IN \
     (SELECT idempotency_key FROM batch WHERE project_id = $1 AND release = $2 AND run_id = $3)";
const DROP_BATCHES_OF_RUN: &str =
    "DELETE FROM batch WHERE project_id = $1 AND release = $2 AND run_id = $3";
const DROP_KEYS_OF_RELEASE: &str = "DELETE FROM idempotency WHERE project_id = $1 AND key IN \
     (SELECT idempotency_key FROM batch WHERE project_id = $1 AND release = $2)";
const DROP_BATCHES_OF_RELEASE: &str = "DELETE FROM batch WHERE project_id = $1 AND release = $2";

fn decode(row: DeletionRow) -> Result<Deletion, StoreError> {
    let (id, kind, subject, actor, asked_us, done_us) = row;
    Ok(Deletion {
        id: Id::from_row(&id)?,
        kind: from_word(kind)?,
        subject,
        actor,
        asked_us,
        done_us,
    })
}

/// The deletion's row and its audit row.
async fn ask(
    tx: &mut Tx,
    project: &ProjectId,
    deletion: &Deletion,
    release: Option<&str>,
    detail: &str,
) -> Result<(), StoreError> {
    let Deletion {
        id,
        kind,
        subject,
        actor,
        asked_us,
        ..
    } = deletion;
    let kind = word(kind);
    tx.execute(
        ASK,
        args![project, id, &kind, subject, release, actor, *asked_us],
    )
    .await?;
    record_versions::bump(tx, project, *asked_us).await?;
    let action = format!("{kind}.delete");
    access::audit(tx, project, actor, &action, subject, detail, *asked_us).await
}

/// Lists the journal rows that there are. Whoever calls holds the subject's row, so that no upload of it comes between.
async fn list_journal(
    tx: &mut Tx,
    project: &ProjectId,
    deletion: &Deletion,
) -> Result<(), StoreError> {
    tx.execute(LIST_JOURNAL, args![project, &deletion.id])
        .await?;
    Ok(())
}

fn asked(kind: DeletionKind, subject: String, actor: &str, now_us: i64) -> Deletion {
    Deletion {
        id: Id::new(),
        kind,
        subject,
        actor: actor.to_owned(),
        asked_us: now_us,
        done_us: None,
    }
}

impl Store {
    /// Asks for the deletion of a series: its findings and their deliveries go at once and readers see it no more; its
    /// windows follow. Data that come later make it anew.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the project never had it.
    pub async fn delete_series(
        &self,
        project: &ProjectId,
        series: SeriesId,
        actor: &str,
        now_us: i64,
    ) -> Result<Deletion, StoreError> {
        let deletion = asked(DeletionKind::Series, series.to_string(), actor, now_us);
        let mut tx = self.db.begin().await?;
        let row: Option<(String, String, String, String)> = tx
            .row(HIDE_SERIES, args![project, series.id(), now_us])
            .await?;
        let (flow, metric, source, testbed) = row.ok_or(StoreError::NotFound)?;
        // A judgement that is under way has seen the series; it must not bring its findings back.
        leases::break_off(&mut tx, project, leases::DETECT).await?;
        findings::delete_of_series(&mut tx, project, series).await?;
        let detail = format!("{flow} {metric}, {source} on {testbed}");
        ask(&mut tx, project, &deletion, None, &detail).await?;
        list_journal(&mut tx, project, &deletion).await?;
        tx.commit().await?;
        Ok(deletion)
    }

    /// Asks for the deletion of a run: it and its batches go at once, its windows follow.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is none.
    pub async fn delete_run(
        &self,
        project: &ProjectId,
        run: &Id,
        actor: &str,
        now_us: i64,
    ) -> Result<Deletion, StoreError> {
        let mut tx = self.db.begin().await?;
        let deletion = take_run(&mut tx, project, run, actor, now_us).await?;
        tx.commit().await?;
        Ok(deletion)
    }

    /// Asks for the deletion of a release: it, its runs and batches go at once, its windows follow.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is none.
    pub async fn delete_release(
        &self,
        project: &ProjectId,
        release: &str,
        actor: &str,
        now_us: i64,
    ) -> Result<Deletion, StoreError> {
        let deletion = asked(DeletionKind::Release, release.to_owned(), actor, now_us);
        let mut tx = self.db.begin().await?;
        if tx.execute(DROP_RELEASE, args![project, release]).await? == 0 {
            return Err(StoreError::NotFound);
        }
        let runs = tx.execute(DROP_RUNS, args![project, release]).await?;
        for sql in [DROP_KEYS_OF_RELEASE, DROP_BATCHES_OF_RELEASE] {
            tx.execute(sql, args![project, release]).await?;
        }
        let detail = format!("runs: {runs}");
        ask(&mut tx, project, &deletion, None, &detail).await?;
        list_journal(&mut tx, project, &deletion).await?;
        tx.commit().await?;
        Ok(deletion)
    }

    /// Asks for the deletion of a batch: of the run that it is the whole of, or of a batch that stored nothing.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is none; [`StoreError::Merged`] when its measurements can't be told from
    /// others' any more. Nothing is deleted then.
    pub async fn delete_batch(
        &self,
        project: &ProjectId,
        batch: &Id,
        actor: &str,
        now_us: i64,
    ) -> Result<Deletion, StoreError> {
        let mut tx = self.db.begin().await?;
        let row: Option<(Option<String>, Option<Vec<u8>>, i64)> =
            tx.row(BATCH, args![project, batch]).await?;
        let (release, run, series) = row.ok_or(StoreError::NotFound)?;
        if series == 0 {
            let deletion = asked(DeletionKind::Batch, batch.to_string(), actor, now_us);
            for sql in [DROP_BATCH_KEY, DROP_BATCH] {
                tx.execute(sql, args![project, batch]).await?;
            }
            ask(&mut tx, project, &deletion, None, "").await?;
            tx.execute(FINISH, args![project, &deletion.id, now_us])
                .await?;
            tx.commit().await?;
            return Ok(deletion);
        }
        let (Some(release), Some(run)) = (release, run) else {
            return Err(StoreError::Merged(MergedWith::Days));
        };
        let run = Id::from_row(&run)?;
        // The release before its run, as in `take_run`.
        upkeep::hold_whole(&mut tx, project, &release).await?;
        runs::lock(&mut tx, project, &run).await?;
        let of_run: Option<(i64,)> = tx
            .row(BATCHES_OF_RUN, args![project, &release, &run])
            .await?;
        let others = of_run.map_or(0, |(count,)| count) - 1;
        if others > 0 {
            return Err(StoreError::Merged(MergedWith::Run { run, others }));
        }
        let deletion = take_run(&mut tx, project, &run, actor, now_us).await?;
        let detail = format!("the whole of run {run}");
        access::audit(
            &mut tx,
            project,
            actor,
            "batch.delete",
            &batch.to_string(),
            &detail,
            now_us,
        )
        .await?;
        tx.commit().await?;
        Ok(deletion)
    }

    /// Asks for the deletion of a project: from the answer on nobody has a right to it, nothing of it is sent, and its
    /// name is free. Its audit trail stays.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when somebody else was first.
    pub async fn delete_project(
        &self,
        project: &ProjectId,
        actor: &str,
        now_us: i64,
    ) -> Result<Deletion, StoreError> {
        let mut tx = self.db.begin().await?;
        let row: Option<(String,)> = tx.row(DROP_PROJECT, args![project]).await?;
        let (slug,) = row.ok_or(StoreError::NotFound)?;
        leases::break_off(&mut tx, project, leases::DETECT).await?;
        let deletion = asked(DeletionKind::Project, slug, actor, now_us);
        ask(&mut tx, project, &deletion, None, "").await?;
        tx.commit().await?;
        Ok(deletion)
    }

    /// How a deletion stands.
    pub async fn deletion(
        &self,
        project: &ProjectId,
        id: &Id,
    ) -> Result<Option<Deletion>, StoreError> {
        let row: Option<DeletionRow> = self.db.row(ONE, args![project, id]).await?;
        row.map(decode).transpose()
    }

    /// Projects in which deletions are to be worked at.
    pub async fn projects_with_deletions(&self, now_us: i64) -> Result<Vec<ProjectId>, StoreError> {
        leases::waiting(&self.db, UNDONE, Some(now_us + 1)).await
    }
}

async fn take_run(
    tx: &mut Tx,
    project: &ProjectId,
    run: &Id,
    actor: &str,
    now_us: i64,
) -> Result<Deletion, StoreError> {
    let release: Option<(String,)> = tx.row(RELEASE_OF_RUN, args![project, run]).await?;
    let (release,) = release.ok_or(StoreError::NotFound)?;
    // The release before its run, as whoever uploads or excludes one does: nobody waits in a circle.
    upkeep::hold_whole(tx, project, &release).await?;
    let row: Option<(String, String)> = tx.row(DROP_RUN, args![project, run]).await?;
    let (name, testbed) = row.ok_or(StoreError::NotFound)?;
    for sql in [DROP_KEYS_OF_RUN, DROP_BATCHES_OF_RUN] {
        tx.execute(sql, args![project, &release, run]).await?;
    }
    let deletion = asked(DeletionKind::Run, run.to_string(), actor, now_us);
    let detail = format!("{name} of {release} on {testbed}");
    ask(tx, project, &deletion, Some(&release), &detail).await?;
    list_journal(tx, project, &deletion).await?;
    Ok(deletion)
}
