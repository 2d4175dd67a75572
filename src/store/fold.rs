//! The fold: journal rows become windows, in one transaction under a lease, so that each delta counts exactly once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::journal;
use super::page_views::{self, Aside, Encoded};
use super::windows::{self, Unfolded, Window, WindowKey};
use super::{
    Delta, Id, Lease, Origin, ProjectId, SeriesId, Span, Store, StoreError, deletions, delta,
    leases, runs, upkeep,
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
/// And no further row once there is so much: whoever wants to write waits while a round is under way. A delta of a
/// window weighs as much as some reports of page views, which are only put aside.
const WEIGHT_A_ROUND: usize = 50_000;
const WEIGHT_OF_DELTA: usize = 5;

impl Store {
    /// Merges the oldest unfolded rows of the lease's project into its windows, or where something of the project is to
    /// be deleted, does a step of that first.
    pub async fn fold(&self, lease: &Lease, now_us: i64) -> Result<Folded, StoreError> {
        let project = &lease.project;
        // Read and sorted before the transaction begins, for which everybody who writes has to wait. Nobody else takes
        // rows away while the lease holds.
        let round = self.next_round(project).await?;
        let Round {
            ids,
            mut deltas,
            runs,
            aside,
            heard,
            more: more_rows,
        } = round;
        let mut tx = self.db.begin().await?;
        leases::hold(&mut tx, lease, now_us).await?;
        if let Some(more) = deletions::work(&mut tx, project, now_us).await? {
            tx.commit().await?;
            return Ok(Folded {
                more,
                ..Folded::default()
            });
        }
        if deletions::welcome(&mut tx, project, &heard, now_us).await?
            && deletions::is_asked(&mut tx, project).await?
        {
            // Nothing of this round counts; the next one works at the deletion.
            return Ok(Folded {
                more: true,
                ..Folded::default()
            });
        }
        let more_of_first = page_views::take_over(&mut tx, project).await?;
        aside.save(&mut tx, project).await?;
        // What was heard in time may still wait in the journal.
        let closed = if more_rows || more_of_first {
            page_views::Closed::default()
        } else {
            page_views::close_next(&mut tx, project, now_us).await?
        };
        let mut folded = Folded {
            rows: ids.len(),
            closed: closed.count,
            more: more_rows || more_of_first || closed.more,
            series: BTreeSet::new(),
        };
        deltas.extend(closed.samples.into_iter().map(Unfolded::when_measured));
        let excluded = runs::excluded(&mut tx, project).await?;
        let written = windows::save_new(&mut tx, project, &runs).await?;
        for (key, deltas) in by_window(&deltas, &excluded) {
            folded.series.insert(key.series);
            if matches!(key.span, Span::Run(run) if written.contains(&(key.series, run))) {
                continue;
            }
            let known = windows::load(&mut tx, project, &key).await?;
            let window = with(known.unwrap_or_else(|| Window::new(key)), &deltas)?;
            windows::save(&mut tx, project, window).await?;
        }
        for series in &folded.series {
            windows::mark(&mut tx, project, *series, now_us).await?;
        }
        let named: Vec<&[u8]> = ids.iter().map(Vec::as_slice).collect();
        if journal::remove(&mut tx, project, &named).await? != ids.len() as u64 {
            // Somebody else has folded them, or taken something out of them.
            return Err(StoreError::LeaseLost);
        }
        tx.commit().await?;
        Ok(folded)
    }

    /// The oldest rows of a project, decoded.
    async fn next_round(&self, project: &ProjectId) -> Result<Round, StoreError> {
        let rows = journal::oldest(&self.db, project, ROWS_A_ROUND).await?;
        let (mut round, mut aside) = (Round::default(), Aside::default());
        round.more = rows.len() as i64 == ROWS_A_ROUND;
        let mut weight = 0;
        for (id, received_us, row) in rows {
            if weight >= WEIGHT_A_ROUND {
                round.more = true;
                break;
            }
            let mut row = delta::decode(&row)?;
            round.heard.extend(row.heard());
            weight += row.reports.len();
            aside.add(&row)?;
            let deltas = row.deltas(None)?;
            weight += deltas.len() * WEIGHT_OF_DELTA;
            let unfolded = |delta| Unfolded { delta, received_us };
            round.deltas.extend(deltas.into_iter().map(unfolded));
            round.ids.push(id);
            // Requests come in between.
            tokio::task::yield_now().await;
        }
        round.aside = aside.encode()?;
        // A run's measurements mostly come at once, so that there will be nothing to add to.
        for (key, deltas) in by_window(&round.deltas, &[]) {
            if matches!(key.span, Span::Run(_)) {
                let window = with(Window::new(key), &deltas)?;
                round.runs.push(windows::Encoded::of(window)?);
                tokio::task::yield_now().await;
            }
        }
        Ok(round)
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
        upkeep::hold_whole(&mut tx, project, &found.release).await?;
        let at_us = reason.map(|_| now_us);
        if runs::set_excluded(&mut tx, project, run, at_us, reason).await? == 0 {
            // Deleted since it was read.
            return Err(StoreError::NotFound);
        }
        super::record_versions::bump(&mut tx, project, now_us).await?;
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

/// Some journal rows, ready to be folded.
#[derive(Default)]
struct Round {
    ids: Vec<Vec<u8>>,
    deltas: Vec<Unfolded>,
    /// What they make of their runs, as windows.
    runs: Vec<windows::Encoded>,
    /// The reports of page views, as blocks.
    aside: Encoded,
    /// Whose measurements they are, and of when the first is.
    heard: Vec<(Arc<Origin>, i64)>,
    /// Whether more rows wait.
    more: bool,
}

/// A window with more deltas, settled.
fn with(mut window: Window, deltas: &[&Delta]) -> Result<Window, StoreError> {
    for delta in deltas {
        window.add(delta)?;
    }
    window.settle();
    Ok(window)
}

fn by_window<'a>(deltas: &'a [Unfolded], excluded: &[Id]) -> BTreeMap<WindowKey, Vec<&'a Delta>> {
    let mut windows: BTreeMap<WindowKey, Vec<&Delta>> = BTreeMap::new();
    for one in deltas {
        for key in one.keys(excluded) {
            windows.entry(key).or_default().push(&one.delta);
        }
    }
    windows
}
