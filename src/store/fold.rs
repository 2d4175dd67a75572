//! The fold: journal rows become windows, in one transaction under a lease, so that each delta counts exactly once.

use std::collections::{BTreeMap, BTreeSet};

use super::db::{Tx, args};
use super::journal::{self, DAY_US, KEY_MEMORY_US};
use super::windows::{self, Window, WindowKey};
use super::{
    Delta, Id, Lease, ProjectId, RunRef, SeriesId, Span, Store, StoreError, Stratum, Values, delta,
    leases, runs,
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
/// Open page views closed in one transaction.
const CLOSED_A_ROUND: i64 = 5_000;
/// A page view closes this long after its last report, microseconds.
const OPEN_US: i64 = 30 * 60 * 1_000_000;

const PENDING: &str = "SELECT value, sequence, last_us, closed_us FROM pending WHERE project_id = $1 AND report_id = $2";
const KEEP_PENDING: &str = "INSERT INTO pending (project_id, report_id, series_id, release, stratum, value, sequence, \
     first_us, last_us) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (project_id, report_id) DO UPDATE SET \
     value = excluded.value, sequence = excluded.sequence, last_us = excluded.last_us";
const DUE: &str = "SELECT report_id, series_id, release, stratum, value, first_us FROM pending \
     WHERE project_id = $1 AND closed_us IS NULL AND last_us < $2 ORDER BY last_us LIMIT $3";
const CLOSE: &str = "UPDATE pending SET closed_us = $3 WHERE project_id = $1 AND report_id = $2";
const FORGET: &str = "DELETE FROM pending WHERE project_id = $1 AND closed_us < $2";
const OPEN_OF_SERIES: &str = "SELECT report_id, series_id, release, stratum, value, first_us, sequence FROM pending \
     WHERE project_id = $1 AND series_id = $2 AND closed_us IS NULL LIMIT $3";
const OPEN_PROJECTS: &str =
    "SELECT DISTINCT project_id FROM pending WHERE closed_us IS NULL AND last_us < $1 LIMIT 1000";
const COUNT_LATE: &str = "INSERT INTO dropped_count (project_id, day_us, reason, count) VALUES ($1, $2, 'late_report', $3) \
     ON CONFLICT (project_id, day_us, reason) DO UPDATE SET count = dropped_count.count + excluded.count";

type ReportRow = (String, Vec<u8>, String, String, i64, i64);
type OpenRow = (String, Vec<u8>, String, String, i64, i64, i64);

impl Store {
    /// Projects with page views that are due to close.
    pub async fn projects_to_close(&self, now_us: i64) -> Result<Vec<ProjectId>, StoreError> {
        let rows: Vec<(Vec<u8>,)> = self.db.rows(OPEN_PROJECTS, args![now_us - OPEN_US]).await?;
        rows.iter()
            .map(|(id,)| Id::from_row(id).map(ProjectId))
            .collect()
    }

    /// Merges the oldest unfolded rows of the lease's project into its windows.
    pub async fn fold(&self, lease: &Lease, now_us: i64) -> Result<Folded, StoreError> {
        let project = &lease.project;
        let mut tx = self.db.begin().await?;
        leases::hold(&mut tx, lease, now_us).await?;
        let rows = journal::oldest(&mut tx, project, ROWS_A_ROUND).await?;
        let mut deltas = Vec::new();
        for (_, row) in &rows {
            deltas.extend(delta::decode(row)?);
        }
        let mut deltas = take_reports(&mut tx, project, deltas, now_us).await?;
        let closed = close_due(&mut tx, project, now_us).await?;
        let mut folded = Folded {
            rows: rows.len(),
            closed: closed.len(),
            more: rows.len() as i64 == ROWS_A_ROUND || closed.len() as i64 == CLOSED_A_ROUND,
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
        runs::set_excluded(&mut tx, project, run, reason.map(|_| now_us), reason).await?;
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

/// The reports of a series whose page views are still open, by metric instance: the sequence of the last one, and its
/// value as a provisional delta.
pub(super) async fn open_reports(
    tx: &mut Tx,
    project: &ProjectId,
    series: SeriesId,
) -> Result<BTreeMap<String, (u64, Delta)>, StoreError> {
    let rows: Vec<OpenRow> = tx
        .rows(
            OPEN_OF_SERIES,
            args![project, series.id(), CLOSED_A_ROUND * 20],
        )
        .await?;
    let prefix = series.to_string();
    rows.into_iter()
        .map(
            |(report, series, release, stratum, value, first_us, sequence)| {
                let id = report.strip_prefix(&prefix).unwrap_or(&report).to_owned();
                let row = (report, series, release, stratum, value, first_us);
                Ok((id, (sequence as u64, settled(row)?)))
            },
        )
        .collect()
}

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
    for delta in deltas {
        let Values::Report {
            id,
            sequence,
            value,
        } = &delta.values
        else {
            others.push(delta);
            continue;
        };
        let report_id = format!("{}{}", delta.series, id);
        let known: Option<(i64, i64, i64, Option<i64>)> =
            tx.row(PENDING, args![project, &report_id]).await?;
        let (value, sequence) = match known {
            Some((_, _, _, Some(_))) => {
                late += 1;
                continue;
            }
            Some((value, known, ..)) if known > *sequence as i64 => (value, known),
            _ => (*value as i64, *sequence as i64),
        };
        let stratum = delta.stratum.to_string();
        tx.execute(
            KEEP_PENDING,
            args![
                project,
                &report_id,
                delta.series.id(),
                &delta.release,
                &stratum,
                value,
                sequence,
                delta.time_us,
                delta.time_us,
            ],
        )
        .await?;
    }
    if late > 0 {
        let day_us = now_us.div_euclid(DAY_US) * DAY_US;
        tx.execute(COUNT_LATE, args![project, day_us, late]).await?;
    }
    Ok(others)
}

/// Page views without a report for half an hour: their last value becomes a sample.
async fn close_due(
    tx: &mut Tx,
    project: &ProjectId,
    now_us: i64,
) -> Result<Vec<Delta>, StoreError> {
    let due: Vec<ReportRow> = tx
        .rows(DUE, args![project, now_us - OPEN_US, CLOSED_A_ROUND])
        .await?;
    let mut deltas = Vec::with_capacity(due.len());
    for row in due {
        tx.execute(CLOSE, args![project, &row.0, now_us]).await?;
        deltas.push(settled(row)?);
    }
    // A day later no honest report comes any more.
    tx.execute(FORGET, args![project, now_us - DAY_US]).await?;
    Ok(deltas)
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
