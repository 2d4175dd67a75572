//! The fold: journal rows become windows, in one transaction under a lease, so that each delta counts exactly once.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::LazyLock;

use super::db::{Tx, args};
use super::journal::{self, DAY_US, KEY_MEMORY_US};
use super::windows::{self, Window, WindowKey};
use super::{
    Delta, Id, Lease, ProjectId, RunRef, SeriesId, Span, Store, StoreError, Stratum, Values,
    deletions, delta, leases, runs,
};

/// What one round of folding did.
#[derive(Debug, Clone, Default)]
pub struct Folded {
    /// Journal rows that were merged and removed.
    pub rows: usize,
    /// Page views whose last word was taken.
    pub closed: usize,
    /// The series that changed.
    pub series: BTreeSet<SeriesId>,
    /// Whether more rows wait.
    pub more: bool,
}

/// Journal rows merged in one transaction: enough to share the windows' rewriting, few enough to stay short.
const ROWS_A_ROUND: i64 = 200;
/// And no further row once there are so many deltas: whoever wants to write waits while a round is under way.
const DELTAS_A_ROUND: usize = 10_000;
/// Open page views closed in one transaction.
const CLOSED_A_ROUND: i64 = 5_000;
/// A page view closes this long after its last report, microseconds.
const OPEN_US: i64 = 30 * 60 * 1_000_000;

const NEXT_DUE: &str = "SELECT last_us FROM pending WHERE project_id = $1 AND closed_us IS NULL AND last_us < $2 \
     ORDER BY last_us LIMIT 1 OFFSET $3";
const CLOSE: &str = "UPDATE pending SET closed_us = $2 WHERE project_id = $1 AND closed_us IS NULL AND last_us < $3 \
     RETURNING report_id, series_id, release, stratum, value, first_us";
const FORGET: &str = "DELETE FROM pending WHERE project_id = $1 AND closed_us < $2";
const OPEN_OF_SERIES: &str = "SELECT report_id, series_id, release, stratum, value, first_us, sequence FROM pending \
     WHERE project_id = $1 AND series_id = $2 AND closed_us IS NULL LIMIT $3";
const DROP_OPEN: &str = "DELETE FROM pending WHERE project_id = $1 AND report_id IN (SELECT report_id FROM pending \
     WHERE project_id = $1 AND series_id = $2 AND closed_us IS NULL LIMIT $3)";
const DROP_OPEN_OF_RELEASE: &str = "DELETE FROM pending WHERE project_id = $1 AND report_id IN (SELECT report_id \
     FROM pending WHERE project_id = $1 AND series_id = $2 AND closed_us IS NULL AND release = $4 LIMIT $3)";
const OPEN_PROJECTS: &str =
    "SELECT DISTINCT project_id FROM pending WHERE closed_us IS NULL AND last_us < $1 LIMIT 1000";
const COUNT_LATE: &str = "INSERT INTO dropped_count (project_id, day_us, reason, count) VALUES ($1, $2, 'late_report', $3) \
     ON CONFLICT (project_id, day_us, reason) DO UPDATE SET count = dropped_count.count + excluded.count";

type ReportRow = (Vec<u8>, Vec<u8>, String, String, i64, i64);
type OpenRow = (Vec<u8>, Vec<u8>, String, String, i64, i64, i64);

impl Store {
    /// Projects with page views that are due to close.
    pub async fn projects_to_close(&self, now_us: i64) -> Result<Vec<ProjectId>, StoreError> {
        let rows: Vec<(Vec<u8>,)> = self.db.rows(OPEN_PROJECTS, args![now_us - OPEN_US]).await?;
        rows.iter()
            .map(|(id,)| Id::from_row(id).map(ProjectId))
            .collect()
    }

    /// Merges the oldest unfolded rows of the lease's project into its windows, or where something of the project is to
    /// be deleted, does a step of that first.
    pub async fn fold(&self, lease: &Lease, now_us: i64) -> Result<Folded, StoreError> {
        let project = &lease.project;
        let mut tx = self.db.begin().await?;
        leases::hold(&mut tx, lease, now_us).await?;
        let mut rows = journal::oldest(&mut tx, project, ROWS_A_ROUND).await?;
        if let Some(more) = deletions::work(&mut tx, project, now_us).await? {
            tx.commit().await?;
            return Ok(Folded {
                more,
                ..Folded::default()
            });
        }
        let (mut deltas, mut taken) = (Vec::new(), 0);
        while taken < rows.len() && deltas.len() < DELTAS_A_ROUND {
            deltas.extend(delta::decode(&rows[taken].1)?);
            taken += 1;
        }
        let more_rows = taken < rows.len() || rows.len() as i64 == ROWS_A_ROUND;
        rows.truncate(taken);
        if deletions::welcome(&mut tx, project, &deltas, now_us).await?
            && deletions::is_asked(&mut tx, project).await?
        {
            // Nothing of this round counts; the next one works at the deletion.
            return Ok(Folded {
                more: true,
                ..Folded::default()
            });
        }
        let mut deltas = take_reports(&mut tx, project, deltas, now_us).await?;
        let (closed, more_due) = close_due(&mut tx, project, now_us).await?;
        let mut folded = Folded {
            rows: rows.len(),
            closed: closed.len(),
            more: more_rows || more_due,
            series: BTreeSet::new(),
        };
        deltas.extend(closed);
        let excluded = runs::excluded(&mut tx, project).await?;
        for (key, deltas) in by_window(&deltas, &excluded, now_us) {
            let mut window = windows::load(&mut tx, project, &key)
                .await?
                .unwrap_or_else(|| Window::new(key));
            for delta in deltas {
                window.add(delta)?;
            }
            window.settle();
            windows::save(&mut tx, project, &window).await?;
            folded.series.insert(window.key.series);
        }
        for series in &folded.series {
            windows::mark(&mut tx, project, *series, now_us).await?;
        }
        for (id, _) in &rows {
            journal::remove(&mut tx, project, id).await?;
        }
        journal::forget_keys(&mut tx, project, now_us - KEY_MEMORY_US).await?;
        tx.commit().await?;
        Ok(folded)
    }

    /// Excludes a run from all statistics with a reason, or restores it (`None`); its releases' windows are rebuilt and
    /// its series judged again.
    pub async fn exclude_run(
        &self,
        lease: &Lease,
        run: &Id,
        reason: Option<&str>,
        actor: &str,
        now_us: i64,
    ) -> Result<(), StoreError> {
        let project = &lease.project;
        let found = self.run(project, run).await?.ok_or(StoreError::NotFound)?;
        let mut tx = self.db.begin().await?;
        leases::hold(&mut tx, lease, now_us).await?;
        let at_us = reason.map(|_| now_us);
        if runs::set_excluded(&mut tx, project, run, at_us, reason).await? == 0 {
            // Deleted since it was read.
            return Err(StoreError::NotFound);
        }
        let excluded = runs::excluded(&mut tx, project).await?;
        windows::rebuild_releases_of(&mut tx, project, run, &found.release, &excluded, now_us)
            .await?;
        let action = if reason.is_some() {
            "run.exclude"
        } else {
            "run.restore"
        };
        super::access::audit(
            &mut tx,
            project,
            actor,
            action,
            &run.to_string(),
            reason.unwrap_or_default(),
            now_us,
        )
        .await?;
        tx.commit().await
    }
}

/// The key of a page view's metric. A digest, since the key stands in every index and senders' ids are long.
pub(super) fn report_id(series: SeriesId, id: &str) -> Id {
    Id::of(&[&series.to_string(), id])
}

/// The reports of a series whose page views are still open, by metric instance: the sequence of the last one, and its
/// value as a provisional delta.
pub(super) async fn open_reports(
    tx: &mut Tx,
    project: &ProjectId,
    series: SeriesId,
) -> Result<BTreeMap<Id, (u64, Delta)>, StoreError> {
    let rows: Vec<OpenRow> = tx
        .rows(
            OPEN_OF_SERIES,
            args![project, series.id(), CLOSED_A_ROUND * 20],
        )
        .await?;
    rows.into_iter()
        .map(
            |(report, series, release, stratum, value, first_us, sequence)| {
                let id = Id::from_row(&report)?;
                let row = (report, series, release, stratum, value, first_us);
                Ok((id, (sequence as u64, settled(row)?)))
            },
        )
        .collect()
}

/// The last word so far of one page view's metric, among the reports of one round.
struct Reported {
    value: i64,
    sequence: i64,
    /// How many reports said it.
    times: i64,
    first_us: i64,
    last_us: i64,
    series: SeriesId,
    release: String,
    stratum: String,
}

impl Reported {
    /// A later arrival wins unless it is known to be older.
    fn supersede(&mut self, later: &Reported) {
        if later.sequence >= self.sequence {
            (self.value, self.sequence) = (later.value, later.sequence);
        }
        self.last_us = later.last_us;
        self.times += 1;
    }
}

/// Keeps reports unless their page view is closed already, and names those that were kept: one statement for many rows,
/// since a statement costs more than a row.
static KEEP_PENDING: LazyLock<[(usize, String); 2]> = LazyLock::new(|| {
    [16, 1].map(|rows| {
        let row = |at: usize| {
            let places: Vec<String> = (1..=9).map(|place| format!("${}", at * 9 + place)).collect();
            format!("({})", places.join(", "))
        };
        let values: Vec<String> = (0..rows).map(row).collect();
        let statement = format!(
            "INSERT INTO pending (project_id, report_id, series_id, release, stratum, value, sequence, first_us, last_us) \
             VALUES {} ON CONFLICT (project_id, report_id) DO UPDATE SET \
             value = CASE WHEN excluded.sequence >= pending.sequence THEN excluded.value ELSE pending.value END, \
             sequence = CASE WHEN excluded.sequence >= pending.sequence THEN excluded.sequence ELSE pending.sequence END, \
             last_us = excluded.last_us WHERE pending.closed_us IS NULL RETURNING report_id",
            values.join(", ")
        );
        (rows, statement)
    })
});

/// Puts reports aside until their page views close, and hands the other deltas through. The last report of an id wins:
/// the highest sequence, and where the sender does not count, the latest to arrive.
async fn take_reports(
    tx: &mut Tx,
    project: &ProjectId,
    deltas: Vec<Delta>,
    now_us: i64,
) -> Result<Vec<Delta>, StoreError> {
    let mut others = Vec::with_capacity(deltas.len());
    let mut late = 0_i64;
    let mut reports: BTreeMap<Id, Reported> = BTreeMap::new();
    for delta in deltas {
        let Values::Report {
            id,
            sequence,
            value,
        } = delta.values
        else {
            others.push(delta);
            continue;
        };
        let reported = Reported {
            value: value as i64,
            sequence: sequence as i64,
            times: 1,
            first_us: delta.time_us,
            last_us: delta.time_us,
            series: delta.series,
            release: delta.release,
            stratum: delta.stratum.to_string(),
        };
        match reports.entry(report_id(delta.series, &id)) {
            Entry::Vacant(place) => {
                place.insert(reported);
            }
            Entry::Occupied(mut known) => known.get_mut().supersede(&reported),
        }
    }
    let reports: Vec<(Id, Reported)> = reports.into_iter().collect();
    let mut rest = &reports[..];
    while !rest.is_empty() {
        let (rows, statement) = KEEP_PENDING
            .iter()
            .find(|(rows, _)| *rows <= rest.len())
            .unwrap_or(&KEEP_PENDING[KEEP_PENDING.len() - 1]);
        let (chunk, further) = rest.split_at(*rows);
        let mut values = Vec::with_capacity(rows * 9);
        for (id, reported) in chunk {
            values.extend_from_slice(args![
                project,
                id,
                reported.series.id(),
                &reported.release,
                &reported.stratum,
                reported.value,
                reported.sequence,
                reported.first_us,
                reported.last_us,
            ]);
        }
        let kept: Vec<(Vec<u8>,)> = tx.rows(statement.as_str(), &values).await?;
        if kept.len() < chunk.len() {
            let kept: HashSet<Vec<u8>> = kept.into_iter().map(|(id,)| id).collect();
            let closed = chunk
                .iter()
                .filter(|(id, _)| !kept.contains(id.bytes().as_slice()));
            late += closed.map(|(_, reported)| reported.times).sum::<i64>();
        }
        rest = further;
    }
    if late > 0 {
        let day_us = now_us.div_euclid(DAY_US) * DAY_US;
        tx.execute(COUNT_LATE, args![project, day_us, late]).await?;
    }
    Ok(others)
}

/// Page views without a report for half an hour: their last value becomes a sample. Says also whether more are due.
async fn close_due(
    tx: &mut Tx,
    project: &ProjectId,
    now_us: i64,
) -> Result<(Vec<Delta>, bool), StoreError> {
    // As many as a round may close; of those with the same last moment as the first one left out, none or all.
    let due_us = now_us - OPEN_US;
    let next: Option<(i64,)> = tx
        .row(NEXT_DUE, args![project, due_us, CLOSED_A_ROUND])
        .await?;
    let until_us = next.map_or(due_us, |(last_us,)| last_us);
    let mut due: Vec<ReportRow> = tx.rows(CLOSE, args![project, now_us, until_us]).await?;
    if due.is_empty() && next.is_some() {
        due = tx.rows(CLOSE, args![project, now_us, until_us + 1]).await?;
    }
    let more = next.is_some();
    let deltas = due.into_iter().map(settled).collect::<Result<_, _>>()?;
    // A day later no honest report comes any more.
    tx.execute(FORGET, args![project, now_us - DAY_US]).await?;
    Ok((deltas, more))
}

fn settled(row: ReportRow) -> Result<Delta, StoreError> {
    let (_, series, release, stratum, value, first_us) = row;
    Ok(Delta {
        series: SeriesId(Id::from_row(&series)?),
        release,
        run: None,
        time_us: first_us,
        stratum: Stratum::parse(&stratum)?,
        values: Values::Raw(vec![value as u64]),
        failed: 0,
        dropped: 0,
    })
}

/// Removes up to `limit` open page views of a series; only those of one release, where it is given. Answers how many.
/// Closed ones stay for their day: by them a late report is known for one.
pub(super) async fn drop_open_reports(
    tx: &mut Tx,
    project: &ProjectId,
    series: SeriesId,
    release: Option<&str>,
    limit: i64,
) -> Result<u64, StoreError> {
    match release {
        None => {
            tx.execute(DROP_OPEN, args![project, series.id(), limit])
                .await
        }
        Some(release) => {
            let values = args![project, series.id(), limit, release];
            tx.execute(DROP_OPEN_OF_RELEASE, values).await
        }
    }
}

fn by_window<'a>(
    deltas: &'a [Delta],
    excluded: &[Id],
    now_us: i64,
) -> BTreeMap<WindowKey, Vec<&'a Delta>> {
    let mut windows: BTreeMap<WindowKey, Vec<&Delta>> = BTreeMap::new();
    for delta in deltas {
        let out = matches!(delta.run, Some(RunRef(run)) if excluded.contains(&Id(run)));
        for key in windows::keys_of(delta, now_us) {
            // An excluded run keeps its own window, so that it can be restored.
            if !(out && key.span == Span::Release) {
                windows.entry(key).or_default().push(delta);
            }
        }
    }
    windows
}
