//! Runs: one execution in one environment.

use std::collections::BTreeMap;

use collectors::report::{Fingerprint, Source};

use super::db::{Arg, InsertMany, Tx, args};
use super::series::{from_word, word};
use super::{Id, ProjectId, Store, StoreError};

/// One execution in one environment; the unit of evidence for `bench`, `load` and `lab`.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// The sender's name of it, attempts told apart.
    pub name: String,
    /// Where measured.
    pub source: Source,
    /// Named kind of machine or device.
    pub testbed: String,
    /// What was measured.
    pub release: String,
    /// Commit hash, where told.
    pub commit: Option<String>,
    /// Branch, where told.
    pub branch: Option<String>,
    /// Pull request, where told; such runs never move state.
    pub pull_request: Option<String>,
    /// Whether the run belongs to the main branch: only then it feeds baselines, ledger and bleeds.
    pub on_main: bool,
    /// Version tag of what is measured; a change starts an epoch.
    pub workload: Option<String>,
    /// Version tag of how it is measured; a change starts an epoch.
    pub harness: Option<String>,
    /// The machine.
    pub fingerprint: Fingerprint,
    /// When it began, microseconds since the epoch in UTC.
    pub started_us: i64,
    /// When we first heard of it.
    pub received_us: i64,
    /// Why a person took it out of all statistics, if so.
    pub excluded: Option<String>,
}

impl Run {
    /// The hash of what the run is: uploads of one run join it.
    pub fn id(&self) -> Id {
        Id::of(&[
            "run/1",
            &word(&self.source),
            &self.testbed,
            &self.release,
            &self.name,
            self.pull_request.as_deref().unwrap_or_default(),
        ])
    }
}

type RunRow = (
    Vec<u8>,
    String,
    String,
    String,
    String,
    Option<String>,
    Option<String>,
    Option<String>,
    i64,
    Option<String>,
    Option<String>,
    String,
    i64,
    i64,
    Option<String>,
);

// A known run is left as it is, but that it began with the earliest of its uploads, whichever comes first; and it is held
// until the upload is committed: whoever deletes it waits, or is waited for.
pub(super) static INSERT: InsertMany = InsertMany::new(
    "INSERT INTO run (project_id, id, name, source, testbed, release, commit_id, branch, pull_request, on_main, workload, \
     harness, fingerprint, started_us, received_us) VALUES",
    14,
    "ON CONFLICT (project_id, id) DO UPDATE SET started_us = CASE WHEN excluded.started_us < run.started_us \
     THEN excluded.started_us ELSE run.started_us END",
);
const LOCK: &str = "UPDATE run SET received_us = received_us WHERE project_id = $1 AND id = $2";
const ALL: &str = "SELECT id, name, source, testbed, release, commit_id, branch, pull_request, on_main, workload, \
     harness, fingerprint, started_us, received_us, excluded_reason FROM run WHERE project_id = $1 ORDER BY id LIMIT $2";
const OF_RELEASE: &str = "SELECT id, name, source, testbed, release, commit_id, branch, pull_request, on_main, workload, \
     harness, fingerprint, started_us, received_us, excluded_reason FROM run \
     WHERE project_id = $1 AND release = $2 ORDER BY id LIMIT $3";
const ONE: &str = "SELECT id, name, source, testbed, release, commit_id, branch, pull_request, on_main, workload, \
     harness, fingerprint, started_us, received_us, excluded_reason FROM run WHERE project_id = $1 AND id = $2";
const EXCLUDED: &str =
    "SELECT id FROM run WHERE project_id = $1 AND excluded_us IS NOT NULL LIMIT $2";
const EXCLUDE: &str =
    "UPDATE run SET excluded_us = $3, excluded_reason = $4 WHERE project_id = $1 AND id = $2";

/// Ten years of fifty runs a day; beyond it the oldest are not judged.
const RUN_LIMIT: i64 = 200_000;

/// Stores the runs of uploads, in the order of their ids: two that store the same ones don't wait in a circle.
pub(super) async fn insert(
    tx: &mut Tx,
    project: &ProjectId,
    runs: &[&Run],
) -> Result<(), StoreError> {
    let mut told: BTreeMap<Id, (&Run, i64)> = BTreeMap::new();
    for run in runs {
        let (_, started_us) = told.entry(run.id()).or_insert((run, run.started_us));
        *started_us = run.started_us.min(*started_us);
    }
    let mut words = Vec::with_capacity(told.len());
    for (run, _) in told.values() {
        let fingerprint = serde_json::to_string(&run.fingerprint)
            .map_err(|error| StoreError::Corrupt(error.to_string()))?;
        words.push((word(&run.source), fingerprint));
    }
    let rows: Vec<Vec<Arg<'_>>> = told
        .iter()
        .zip(&words)
        .map(|((id, (run, started_us)), (source, fingerprint))| {
            args![
                id,
                &run.name,
                source,
                &run.testbed,
                &run.release,
                &run.commit,
                &run.branch,
                &run.pull_request,
                i64::from(run.on_main),
                &run.workload,
                &run.harness,
                fingerprint,
                *started_us,
                run.received_us,
            ]
            .to_vec()
        })
        .collect();
    INSERT.execute(tx, project, &rows).await
}

/// Holds a run until the transaction ends: no upload of it is committed meanwhile.
pub(super) async fn lock(tx: &mut Tx, project: &ProjectId, run: &Id) -> Result<(), StoreError> {
    match tx.execute(LOCK, args![project, run]).await? {
        0 => Err(StoreError::NotFound),
        _ => Ok(()),
    }
}

/// Ids of the runs that a person excluded.
pub(super) async fn excluded(tx: &mut Tx, project: &ProjectId) -> Result<Vec<Id>, StoreError> {
    let rows: Vec<(Vec<u8>,)> = tx.rows(EXCLUDED, args![project, RUN_LIMIT]).await?;
    rows.iter().map(|(id,)| Id::from_row(id)).collect()
}

pub(super) async fn set_excluded(
    tx: &mut Tx,
    project: &ProjectId,
    run: &Id,
    at_us: Option<i64>,
    reason: Option<&str>,
) -> Result<u64, StoreError> {
    tx.execute(EXCLUDE, args![project, run, at_us, reason])
        .await
}

fn decode(row: RunRow) -> Result<(Id, Run), StoreError> {
    let (id, name, source, testbed, release, commit, branch, pull_request, on_main, ..) = &row;
    let run = Run {
        name: name.clone(),
        source: from_word(source.clone())?,
        testbed: testbed.clone(),
        release: release.clone(),
        commit: commit.clone(),
        branch: branch.clone(),
        pull_request: pull_request.clone(),
        on_main: *on_main != 0,
        workload: row.9.clone(),
        harness: row.10.clone(),
        fingerprint: serde_json::from_str(&row.11)
            .map_err(|error| StoreError::Corrupt(error.to_string()))?,
        started_us: row.12,
        received_us: row.13,
        excluded: row.14.clone(),
    };
    Ok((Id::from_row(id)?, run))
}

impl Store {
    /// All runs of a project.
    pub async fn runs(&self, project: &ProjectId) -> Result<Vec<(Id, Run)>, StoreError> {
        let rows: Vec<RunRow> = self.db.rows(ALL, args![project, RUN_LIMIT]).await?;
        rows.into_iter().map(decode).collect()
    }

    /// The runs of one release.
    pub async fn runs_of_release(
        &self,
        project: &ProjectId,
        release: &str,
    ) -> Result<Vec<(Id, Run)>, StoreError> {
        let rows: Vec<RunRow> = self
            .db
            .rows(OF_RELEASE, args![project, release, RUN_LIMIT])
            .await?;
        rows.into_iter().map(decode).collect()
    }

    /// One run.
    pub async fn run(&self, project: &ProjectId, id: &Id) -> Result<Option<Run>, StoreError> {
        let row: Option<RunRow> = self.db.row(ONE, args![project, id]).await?;
        Ok(row.map(decode).transpose()?.map(|(_, run)| run))
    }
}
