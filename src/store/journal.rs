//! The journal: one transaction for everything queued, one row per project with all its deltas.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::LazyLock;

use super::db::{Arg, Db, InsertMany, Tx, args};
use super::delta::Row;
use super::{Delta, Id, ProjectId, Release, Run, Series, Store, StoreError, deletions, delta};

/// One upload, ready to be made durable.
#[derive(Debug, Clone)]
pub struct Submission {
    /// Whose.
    pub project: ProjectId,
    /// What makes a retry a retry; beacons have none, their ids do that in the fold.
    pub entry: Option<Entry>,
    /// Series that this process has not yet seen stored.
    pub new_series: Vec<Series>,
    /// The run, for lab sources.
    pub run: Option<Run>,
    /// The release, where this process has not yet seen it stored or the upload says more of it.
    pub release: Option<Release>,
    /// The measurements.
    pub deltas: Vec<Delta>,
    /// What was deliberately not stored, by reason.
    pub dropped: Vec<(&'static str, u64)>,
    /// When it arrived, microseconds since the epoch in UTC.
    pub received_us: i64,
}

/// The batch record and idempotency of one upload.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The batch's id.
    pub batch: Id,
    /// The client's key, or a hash of the whole context and the bytes.
    pub key: String,
    /// SHA-256 of context and bytes: the same key with another content is refused.
    pub content_sha256: [u8; 32],
    /// Format name.
    pub format: String,
    /// How many series the upload held.
    pub series_count: u64,
    /// How many values it held.
    pub sample_count: u64,
    /// What was left out, as JSON.
    pub skipped: String,
    /// The answer, stored with the key so that a retry gets the same.
    pub answer: String,
}

/// A stored answer.
pub type Answer = String;

/// What came of one submission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Committed {
    /// On disk.
    Stored,
    /// Was on disk before; this was the answer then.
    Duplicate(Answer),
    /// The key was used before with other content; nothing was stored.
    KeyReused,
}

pub(super) static REMEMBER_KEYS: InsertMany = InsertMany::new(
    "INSERT INTO idempotency (project_id, key, content_sha256, answer, created_us) VALUES",
    4,
    "ON CONFLICT (project_id, key) DO NOTHING RETURNING key",
);
const RECALL_KEY: &str =
    "SELECT content_sha256, answer FROM idempotency WHERE project_id = $1 AND key = $2";
pub(super) static INSERT_BATCHES: InsertMany = InsertMany::new(
    "INSERT INTO batch (project_id, id, run_id, received_us, format, content_sha256, series_count, sample_count, skipped, \
     idempotency_key, release) VALUES",
    10,
    "",
);
const APPEND: &str =
    "INSERT INTO journal (project_id, id, received_us, deltas) VALUES ($1, $2, $3, $4)";
const COUNT_DROPPED: &str = "INSERT INTO dropped_count (project_id, day_us, reason, count) VALUES ($1, $2, $3, $4) \
     ON CONFLICT (project_id, day_us, reason) DO UPDATE SET count = dropped_count.count + excluded.count";
const TAIL: &str =
    "SELECT id, received_us, deltas FROM journal WHERE project_id = $1 ORDER BY id LIMIT $2";
const TAIL_AFTER: &str = "SELECT id, received_us, deltas FROM journal WHERE project_id = $1 AND id > $2 ORDER BY id LIMIT $3";
const WAITING: &str =
    "SELECT project_id FROM journal WHERE project_id > $1 ORDER BY project_id LIMIT $2";
/// Rows that one statement removes: each statement is a way to the connection's thread and back.
const REMOVED_AT_ONCE: usize = 32;
pub(super) static REMOVE: LazyLock<String> = LazyLock::new(|| {
    let places: Vec<String> = (0..REMOVED_AT_ONCE)
        .map(|at| format!("${}", at + 2))
        .collect();
    format!(
        "DELETE FROM journal WHERE project_id = $1 AND id IN ({})",
        places.join(", ")
    )
});
const FORGET_KEYS: &str = "DELETE FROM idempotency WHERE project_id = $1 AND key IN \
     (SELECT key FROM idempotency WHERE project_id = $1 AND created_us < $2 ORDER BY created_us LIMIT $3)";
const FORGET_DROPPED: &str = "DELETE FROM dropped_count WHERE project_id = $1 AND day_us < $2";
const OLDEST_RECEIVED: &str =
    "SELECT received_us FROM journal WHERE project_id = $1 ORDER BY id LIMIT 1";
const DROPPED: &str = "SELECT reason, CAST(SUM(count) AS BIGINT) FROM dropped_count \
     WHERE project_id = $1 AND day_us >= $2 GROUP BY reason ORDER BY reason LIMIT 100";

/// Microseconds of a UTC day.
pub(super) const DAY_US: i64 = 86_400_000_000;
/// Unfolded rows that a reader takes at a time. It takes them all, however far the fold is behind (it is when the one who
/// held its lease has just died): what was acknowledged is in the next answer.
const TAIL_ROWS: i64 = 500;
/// How long a key is remembered, in microseconds: 35 days.
const KEY_MEMORY_US: i64 = 35 * DAY_US;
/// How long it is told what was not stored, in microseconds: a year and a month, to compare by.
const DROPPED_MEMORY_US: i64 = 400 * DAY_US;

impl Store {
    /// Makes a group of submissions durable in one transaction, in order. A key seen twice inside the group is answered
    /// from the first.
    pub async fn commit(&self, group: &[Box<Submission>]) -> Result<Vec<Committed>, StoreError> {
        if let Some(project) = only_measurements(group) {
            let encoded = delta::encode(group.iter().flat_map(|one| &one.deltas))?;
            let received_us = group[0].received_us;
            // One statement is a transaction of its own.
            self.db
                .execute(APPEND, args![project, &Id::new(), received_us, &encoded])
                .await?;
            return Ok(vec![Committed::Stored; group.len()]);
        }
        let mut members: BTreeMap<ProjectId, Vec<usize>> = BTreeMap::new();
        for (at, submission) in group.iter().enumerate() {
            members.entry(submission.project).or_default().push(at);
        }
        let mut tx = self.db.begin().await?;
        let mut outcomes = vec![Committed::Stored; group.len()];
        for (project, members) in members {
            let submissions: Vec<&Submission> = members.iter().map(|at| &*group[*at]).collect();
            let told = recall(&mut tx, &project, &submissions).await?;
            let fresh: Vec<&Submission> = submissions
                .iter()
                .zip(&told)
                .filter_map(|(submission, told)| {
                    (*told == Committed::Stored).then_some(*submission)
                })
                .collect();
            for (at, told) in members.into_iter().zip(told) {
                outcomes[at] = told;
            }
            append(&mut tx, &project, &fresh).await?;
        }
        tx.commit().await?;
        Ok(outcomes)
    }

    /// What was deliberately not stored since a day, by reason.
    pub async fn dropped_since(
        &self,
        project: &ProjectId,
        day_us: i64,
    ) -> Result<Vec<(String, i64)>, StoreError> {
        self.db.rows(DROPPED, args![project, day_us]).await
    }

    /// Projects with unfolded rows.
    pub async fn projects_to_fold(&self) -> Result<Vec<ProjectId>, StoreError> {
        super::leases::waiting(&self.db, WAITING, None).await
    }
}

/// Whether a submission says something of its project that readers remember.
fn changes_record(submission: &Submission) -> bool {
    !submission.new_series.is_empty() || submission.run.is_some() || submission.release.is_some()
}

/// The project of a group that is all one project's measurements of what is known already: mostly beacons.
fn only_measurements(group: &[Box<Submission>]) -> Option<&ProjectId> {
    let first = &group.first()?.project;
    let plain = |one: &Submission| {
        one.project == *first
            && one.entry.is_none()
            && one.new_series.is_empty()
            && one.run.is_none()
            && one.release.is_none()
            && one.dropped.is_empty()
            && !one.deltas.is_empty()
    };
    group.iter().all(|one| plain(one)).then_some(first)
}

/// The unfolded rows, as a reader's snapshot sees them, oldest first, each with when it came.
pub(super) async fn each_unfolded(
    tx: &mut Tx,
    project: &ProjectId,
    mut take: impl FnMut(Row, i64) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut last = Id::NIL.bytes().to_vec();
    loop {
        let rows: Vec<(Vec<u8>, i64, Vec<u8>)> = tx
            .rows(TAIL_AFTER, args![project, &last, TAIL_ROWS])
            .await?;
        let is_whole = (rows.len() as i64) < TAIL_ROWS;
        for (id, received_us, row) in rows {
            take(delta::decode(&row)?, received_us)?;
            last = id;
        }
        if is_whole {
            return Ok(());
        }
    }
}

/// The oldest unfolded rows, with their ids and when they came.
pub(super) async fn oldest(
    db: &Db,
    project: &ProjectId,
    limit: i64,
) -> Result<Vec<(Vec<u8>, i64, Vec<u8>)>, StoreError> {
    db.rows(TAIL, args![project, limit]).await
}

/// Removes rows, by their ids; how many there were.
pub(super) async fn remove(
    tx: &mut Tx,
    project: &ProjectId,
    ids: &[&[u8]],
) -> Result<u64, StoreError> {
    let mut removed = 0;
    for some in ids.chunks(REMOVED_AT_ONCE) {
        // Where there are fewer, the last one is named several times.
        let named = some.iter().chain(std::iter::repeat(&some[some.len() - 1]));
        let mut values = args![project].to_vec();
        values.extend(named.take(REMOVED_AT_ONCE).map(|id| Arg::from(*id)));
        removed += tx.execute(REMOVE.as_str(), &values).await?;
    }
    Ok(removed)
}

/// When the oldest unfolded row came, if any waits.
pub(super) async fn oldest_received(
    tx: &mut Tx,
    project: &ProjectId,
) -> Result<Option<i64>, StoreError> {
    let row: Option<(i64,)> = tx.row(OLDEST_RECEIVED, args![project]).await?;
    Ok(row.map(|(received_us,)| received_us))
}

/// Forgets up to `limit` idempotency keys whose time is over; how many.
pub(super) async fn forget_keys(
    tx: &mut Tx,
    project: &ProjectId,
    now_us: i64,
    limit: i64,
) -> Result<u64, StoreError> {
    tx.execute(FORGET_KEYS, args![project, now_us - KEY_MEMORY_US, limit])
        .await
}

/// Forgets the counts of what was not stored, once they are too old.
pub(super) async fn forget_dropped(
    tx: &mut Tx,
    project: &ProjectId,
    now_us: i64,
) -> Result<(), StoreError> {
    let before_us = now_us - DROPPED_MEMORY_US;
    tx.execute(FORGET_DROPPED, args![project, before_us])
        .await?;
    Ok(())
}

/// What is known of the submissions of a project, in their order, by their keys; those that are new are remembered.
async fn recall(
    tx: &mut Tx,
    project: &ProjectId,
    submissions: &[&Submission],
) -> Result<Vec<Committed>, StoreError> {
    // A key that comes twice is new the first time.
    let mut first: BTreeMap<&str, (usize, &Entry)> = BTreeMap::new();
    for (at, submission) in submissions.iter().enumerate() {
        if let Some(entry) = &submission.entry {
            first.entry(&entry.key).or_insert((at, entry));
        }
    }
    let rows: Vec<Vec<Arg<'_>>> = first
        .values()
        .map(|(at, entry)| {
            let received_us = submissions[*at].received_us;
            args![
                &entry.key,
                &entry.content_sha256,
                &entry.answer,
                received_us
            ]
            .to_vec()
        })
        .collect();
    let fresh: Vec<(String,)> = REMEMBER_KEYS.returning(tx, project, &rows).await?;
    let fresh: HashSet<usize> = fresh
        .iter()
        .filter_map(|(key,)| first.get(key.as_str()))
        .map(|(at, _)| *at)
        .collect();
    let mut told = Vec::with_capacity(submissions.len());
    for (at, submission) in submissions.iter().enumerate() {
        told.push(match &submission.entry {
            Some(entry) if !fresh.contains(&at) => told_before(tx, project, entry).await?,
            _ => Committed::Stored,
        });
    }
    Ok(told)
}

async fn told_before(
    tx: &mut Tx,
    project: &ProjectId,
    entry: &Entry,
) -> Result<Committed, StoreError> {
    let (content, answer): (Vec<u8>, String) = tx
        .row(RECALL_KEY, args![project, &entry.key])
        .await?
        .ok_or_else(|| StoreError::Corrupt("an idempotency key that vanished".into()))?;
    Ok(if content == entry.content_sha256 {
        Committed::Duplicate(answer)
    } else {
        Committed::KeyReused
    })
}

/// Stores new submissions of a project: what they describe, and one row with what they measured.
async fn append(
    tx: &mut Tx,
    project: &ProjectId,
    submissions: &[&Submission],
) -> Result<(), StoreError> {
    // Rows that others may write, too, go in by their keys, so that two instances don't wait for each other.
    let mut new_series = BTreeMap::new();
    for submission in submissions {
        for series in &submission.new_series {
            let first = (series, submission.received_us);
            new_series.entry(series.id()).or_insert(first);
        }
    }
    let mut known = BTreeSet::new();
    for (id, (series, received_us)) in new_series {
        if !super::series::insert(tx, project, series, received_us).await? {
            known.insert(id);
        }
    }
    // While something is still to be taken out its old windows would be seen again; then the fold does it later.
    if !known.is_empty() && !deletions::is_asked(tx, project).await? {
        deletions::show_again(tx, project, known).await?;
    }
    // Releases before runs, as whoever deletes them does: each waits for the other at the same place.
    let mut releases: Vec<(&Release, i64)> = submissions
        .iter()
        .filter_map(|one| Some((one.release.as_ref()?, one.received_us)))
        .collect();
    // What was told first of one stays first.
    releases.sort_by(|(one, _), (other, _)| one.name.cmp(&other.name));
    let mut before: Option<&Release> = None;
    for (release, received_us) in releases {
        let is_told = |before: &Release| before.name == release.name && before.says_all_of(release);
        if !before.is_some_and(is_told) {
            super::releases::upsert(tx, project, release, received_us).await?;
            before = Some(release);
        }
    }
    let runs: Vec<&Run> = submissions
        .iter()
        .filter_map(|one| one.run.as_ref())
        .collect();
    super::runs::insert(tx, project, &runs).await?;
    insert_batches(tx, project, submissions).await?;
    let mut dropped: BTreeMap<(i64, &str), i64> = BTreeMap::new();
    for submission in submissions {
        let day_us = submission.received_us.div_euclid(DAY_US) * DAY_US;
        for (reason, count) in &submission.dropped {
            *dropped.entry((day_us, *reason)).or_default() += *count as i64;
        }
    }
    for ((day_us, reason), count) in dropped {
        tx.execute(COUNT_DROPPED, args![project, day_us, reason, count])
            .await?;
    }
    let deltas: Vec<&Delta> = submissions.iter().flat_map(|one| &one.deltas).collect();
    if !deltas.is_empty() {
        let received_us = submissions[0].received_us;
        let encoded = delta::encode(deltas.into_iter())?;
        tx.execute(APPEND, args![project, &Id::new(), received_us, &encoded])
            .await?;
    }
    let changing = submissions.iter().rfind(|one| changes_record(one));
    if let Some(submission) = changing {
        super::record_versions::bump(tx, project, submission.received_us).await?;
    }
    Ok(())
}

async fn insert_batches(
    tx: &mut Tx,
    project: &ProjectId,
    submissions: &[&Submission],
) -> Result<(), StoreError> {
    let batches: Vec<(&Submission, &Entry, Option<Id>)> = submissions
        .iter()
        .filter_map(|one| Some((*one, one.entry.as_ref()?, one.run.as_ref().map(Run::id))))
        .collect();
    let rows: Vec<Vec<Arg<'_>>> = batches
        .iter()
        .map(|(submission, entry, run)| {
            args![
                &entry.batch,
                run.as_ref().map(|id| id.bytes().as_slice()),
                submission.received_us,
                &entry.format,
                &entry.content_sha256,
                entry.series_count as i64,
                entry.sample_count as i64,
                &entry.skipped,
                &entry.key,
                submission
                    .release
                    .as_ref()
                    .map(|release| release.name.as_str()),
            ]
            .to_vec()
        })
        .collect();
    INSERT_BATCHES.execute(tx, project, &rows).await
}
