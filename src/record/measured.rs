//! What each unit of evidence measured: a run, or a UTC day of field data.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use super::points::{percentile_of_window, stored};
use super::{CONFIDENCE, DAY_US, Record, Tracked, WATCHED, members};
use crate::stats::percentile::standard_error;
use crate::store::{Id, Lease, MergedFrom, SeriesId, SharedDay, Span, Store, StoreError, Window};

/// What one unit of evidence measured: a run, or a UTC day of field data.
#[derive(Debug, Clone, PartialEq)]
pub struct Measured {
    /// When, microseconds.
    pub time_us: i64,
    /// Position of its release among [`Record::releases`].
    pub release: usize,
    /// The run, for lab sources.
    pub run: Option<Id>,
    /// The watched statistic, base units.
    pub value: f64,
    /// Its standard error from the samples within, where known.
    pub se: Option<f64>,
    /// Samples within.
    pub count: u64,
    /// Which epoch, counted from 0.
    pub epoch: u32,
}

/// A day of a lab series: all of it, the newest release measured, and its runs.
type LabDay = (Arc<Window>, String, Vec<Arc<Window>>);

impl Record {
    /// One unit of evidence after the other, in release order (lab) or by day (field); main branch only, excluded runs
    /// left out.
    pub async fn measured(
        &self,
        store: &Store,
        tracked: &Tracked,
        q: Option<f64>,
    ) -> Result<Vec<Measured>, StoreError> {
        if tracked.series.is_field() {
            self.measured_days(store, tracked, q.unwrap_or(WATCHED))
                .await
        } else {
            self.measured_runs(store, tracked, q).await
        }
    }

    /// The runs that count, in release order; with their contents where `bodies` asks for them.
    pub(super) async fn run_windows(
        &self,
        store: &Store,
        tracked: &Tracked,
        bodies: bool,
    ) -> Result<Vec<(usize, Id, Arc<Window>)>, StoreError> {
        let mut windows = Vec::new();
        for id in members(tracked) {
            let own = self.windows_of(store, id, Span::Run(Id::NIL), 0, 1, bodies);
            for window in own.await?.iter() {
                let Span::Run(run_id) = window.key.span else {
                    continue;
                };
                let counts = self
                    .runs
                    .get(&run_id)
                    .is_some_and(|run| run.on_main && run.excluded.is_none());
                if let (true, Some(rank)) = (counts, self.rank(&window.key.release)) {
                    windows.push((rank, run_id, window.clone()));
                }
            }
        }
        windows.sort_by_key(|(rank, run, window)| (*rank, window.first_us, *run));
        Ok(windows)
    }

    /// The windows of one series id, with their contents or without.
    pub(super) async fn windows_of(
        &self,
        store: &Store,
        id: SeriesId,
        like: Span,
        from_us: i64,
        to_us: i64,
        bodies: bool,
    ) -> Result<Arc<[Arc<Window>]>, StoreError> {
        let project = &self.project;
        if !bodies {
            return store.heads(project, id, like, from_us, to_us).await;
        }
        let read = store.windows(project, id, like, from_us, to_us, true);
        Ok(read.await?.into_iter().map(Arc::new).collect())
    }

    async fn measured_runs(
        &self,
        store: &Store,
        tracked: &Tracked,
        q: Option<f64>,
    ) -> Result<Vec<Measured>, StoreError> {
        let mut windows = self.run_windows(store, tracked, false).await?;
        let is_told = |(_, _, window): &(usize, Id, Arc<Window>)| {
            q.is_none_or(|q| percentile_of_window(window, q).is_ok())
        };
        if !windows.iter().all(is_told) {
            // Some run is too small for the percentile's range, or it is not one that is stored.
            windows = self.run_windows(store, tracked, true).await?;
        }
        let epochs = self.epochs_of_runs(tracked, &windows);
        Ok(windows
            .iter()
            .zip(epochs.0)
            .filter_map(|((rank, run, window), epoch)| {
                let (value, se) = run_statistic(window, q)?;
                Some(Measured {
                    time_us: window.first_us,
                    release: *rank,
                    run: Some(*run),
                    value,
                    se,
                    count: window.count,
                    epoch,
                })
            })
            .collect())
    }

    async fn measured_days(
        &self,
        store: &Store,
        tracked: &Tracked,
        q: f64,
    ) -> Result<Vec<Measured>, StoreError> {
        let days = self
            .days(store, tracked, 0, i64::MAX, true, !stored(q))
            .await?;
        let starts = self.declared_starts(tracked);
        Ok(days
            .into_iter()
            .filter_map(|(day_us, (window, release))| {
                let interval = percentile_of_window(&window, q).ok()?;
                Some(Measured {
                    time_us: day_us,
                    release: self.rank(&release).unwrap_or(0),
                    run: None,
                    value: interval.value,
                    se: Some(standard_error(&interval, CONFIDENCE)),
                    count: window.count,
                    epoch: starts.iter().filter(|start| start.at_us <= day_us).count() as u32,
                })
            })
            .collect())
    }

    /// Days (or hours) merged over releases, each with the release that had most of it. Without `bodies`, days of a
    /// single release carry only their stored percentiles.
    pub(super) async fn days(
        &self,
        store: &Store,
        tracked: &Tracked,
        from_us: i64,
        to_us: i64,
        days: bool,
        bodies: bool,
    ) -> Result<BTreeMap<i64, (Arc<Window>, String)>, StoreError> {
        let like = if days { Span::Day(0) } else { Span::Hour(0) };
        let mut by_start: BTreeMap<i64, Vec<Arc<Window>>> = BTreeMap::new();
        for id in members(tracked) {
            let windows = self.windows_of(store, id, like, from_us, to_us, bodies);
            for window in windows.await?.iter() {
                if let Some(start) = start_of(window) {
                    by_start.entry(start).or_default().push(window.clone());
                }
            }
        }
        if bodies {
            return by_start
                .into_iter()
                .map(|(start, windows)| Ok((start, merged(windows)?)))
                .collect();
        }
        // What one release had alone is told by its stored percentiles; what several had has to be merged, unless it was
        // merged before.
        let shared: Vec<i64> = by_start
            .iter()
            .filter(|(_, windows)| windows.len() > 1)
            .map(|(start, _)| *start)
            .collect();
        let (mut told, mut untold) = (BTreeMap::new(), Vec::new());
        if let (true, Some(first), Some(last)) = (days, shared.first(), shared.last()) {
            told = store
                .shared_days(&self.project, tracked.id, *first, last + 1)
                .await?;
        }
        let mut found = BTreeMap::new();
        for (start, mut windows) in by_start {
            if windows.len() > 1 {
                match told.remove(&start) {
                    Some(mut day) if day.from == merged_from(&windows) => {
                        let release = most_of(&windows);
                        day.window.provisional = windows.iter().any(|part| part.provisional);
                        found.insert(start, (Arc::new(day.window), release));
                    }
                    _ => untold.push(start),
                }
            } else if let Some(window) = windows.pop() {
                let release = window.key.release.clone();
                found.insert(start, (window, release));
            }
        }
        for (start, windows) in self.windows_at(store, tracked, like, &untold).await? {
            found.insert(start, merged(windows)?);
        }
        Ok(found)
    }

    /// Windows with their contents, of days or hours that begin at these moments.
    async fn windows_at(
        &self,
        store: &Store,
        tracked: &Tracked,
        like: Span,
        starts: &[i64],
    ) -> Result<BTreeMap<i64, Vec<Arc<Window>>>, StoreError> {
        let mut by_start: BTreeMap<i64, Vec<Arc<Window>>> = BTreeMap::new();
        for id in members(tracked) {
            for window in store.windows_at(&self.project, id, like, starts).await? {
                if let Some(start) = start_of(&window) {
                    by_start.entry(start).or_default().push(Arc::new(window));
                }
            }
        }
        Ok(by_start)
    }

    /// Writes down what those days of a field series tell that several releases had and that are over, so that nobody
    /// merges them again.
    pub async fn tell_shared_days(
        &self,
        store: &Store,
        lease: &Lease,
        tracked: &Tracked,
        now_us: i64,
    ) -> Result<(), StoreError> {
        let mut by_start: BTreeMap<i64, Vec<Arc<Window>>> = BTreeMap::new();
        for id in members(tracked) {
            let (project, day) = (&self.project, Span::Day(0));
            let windows = store.heads(project, id, day, 0, i64::MAX).await?;
            for window in windows.iter() {
                if let Some(start) = start_of(window) {
                    by_start.entry(start).or_default().push(window.clone());
                }
            }
        }
        by_start.retain(|_, windows| windows.len() > 1);
        let mut forgotten = BTreeSet::new();
        let told = store
            .shared_days(&self.project, tracked.id, 0, i64::MAX)
            .await?;
        for (start, day) in told {
            match by_start.get(&start) {
                Some(windows) if day.from == merged_from(windows) => {
                    by_start.remove(&start);
                }
                Some(_) => {}
                None => {
                    forgotten.insert(start);
                }
            }
        }
        let is_over = |start: &i64| start + DAY_US < now_us;
        let untold: Vec<i64> = by_start.into_keys().filter(is_over).collect();
        let mut days = BTreeMap::new();
        let read = self
            .windows_at(store, tracked, Span::Day(0), &untold)
            .await?;
        for (start, windows) in read {
            let from = merged_from(&windows);
            let window = Arc::unwrap_or_clone(merged(windows)?.0);
            days.insert(start, SharedDay { from, window });
        }
        if days.is_empty() && forgotten.is_empty() {
            return Ok(());
        }
        store
            .tell_shared_days(lease, tracked.id, &days, &forgotten, now_us)
            .await
    }

    /// The UTC days in `from_us..to_us` on which a series was measured.
    pub async fn days_with_data(
        &self,
        store: &Store,
        tracked: &Tracked,
        from_us: i64,
        to_us: i64,
    ) -> Result<BTreeSet<i64>, StoreError> {
        let mut days = BTreeSet::new();
        if !tracked.series.is_field() {
            let runs = self.run_windows(store, tracked, false).await?;
            days.extend(
                runs.iter()
                    .map(|(_, _, window)| window.first_us.div_euclid(DAY_US) * DAY_US),
            );
            days.retain(|day_us| (from_us..to_us).contains(day_us));
            return Ok(days);
        }
        for id in members(tracked) {
            let windows = store
                .heads(&self.project, id, Span::Day(0), from_us, to_us)
                .await?;
            days.extend(windows.iter().filter_map(|window| match window.key.span {
                Span::Day(start_us) => Some(start_us),
                Span::Run(_) | Span::Release | Span::Hour(_) => None,
            }));
        }
        Ok(days)
    }

    /// The days of a lab series: runs merged by the UTC day on which they began. Without `bodies`, days of a single run
    /// carry only their stored percentiles.
    pub(super) async fn lab_days(
        &self,
        store: &Store,
        tracked: &Tracked,
        hours: bool,
        bodies: bool,
    ) -> Result<BTreeMap<i64, LabDay>, StoreError> {
        let width = if hours { DAY_US / 24 } else { DAY_US };
        let start_of = |window: &Arc<Window>| window.first_us.div_euclid(width) * width;
        let mut windows = self.run_windows(store, tracked, bodies).await?;
        if !bodies {
            let mut seen = HashSet::new();
            if !windows
                .iter()
                .all(|(_, _, window)| seen.insert(start_of(window)))
            {
                // What several runs have together can only be told from their contents.
                windows = self.run_windows(store, tracked, true).await?;
            }
        }
        let mut days: BTreeMap<i64, LabDay> = BTreeMap::new();
        for (_, _, window) in windows {
            let start = start_of(&window);
            let release = window.key.release.clone();
            match days.get_mut(&start) {
                None => {
                    days.insert(start, (window.clone(), release, vec![window]));
                }
                Some((whole, newest, runs)) => {
                    let merged = Arc::make_mut(whole);
                    merged.merge(&window)?;
                    merged.settle();
                    *newest = release;
                    runs.push(window);
                }
            }
        }
        Ok(days)
    }

    /// All of a field series in `from_us..to_us` in one window, whatever the release.
    pub async fn merged_days(
        &self,
        store: &Store,
        tracked: &Tracked,
        from_us: i64,
        to_us: i64,
    ) -> Result<Option<Window>, StoreError> {
        let mut merged: Option<Window> = None;
        for (_, (window, _)) in self
            .days(store, tracked, from_us, to_us, true, true)
            .await?
        {
            match &mut merged {
                None => merged = Some(Arc::unwrap_or_clone(window)),
                Some(whole) => whole.merge(&window)?,
            }
        }
        if let Some(whole) = &mut merged {
            whole.settle();
        }
        Ok(merged)
    }
}

/// The start of a day or hour.
fn start_of(window: &Window) -> Option<i64> {
    match window.key.span {
        Span::Day(start) | Span::Hour(start) => Some(start),
        Span::Run(_) | Span::Release => None,
    }
}

/// The release that had most of a day or hour; of several the first.
fn most_of(windows: &[Arc<Window>]) -> String {
    let most = windows.iter().reduce(|most, window| {
        if window.count > most.count {
            window
        } else {
            most
        }
    });
    most.map(|window| window.key.release.clone())
        .unwrap_or_default()
}

fn merged_from(windows: &[Arc<Window>]) -> MergedFrom {
    MergedFrom::of(windows.iter().map(|window| &**window))
}

/// A day or hour over all of its releases, and the release that had most of it.
fn merged(windows: Vec<Arc<Window>>) -> Result<(Arc<Window>, String), StoreError> {
    let release = most_of(&windows);
    let mut windows = windows.into_iter();
    let mut whole = windows.next().ok_or(StoreError::NotFound)?;
    if windows.len() > 0 {
        let merged = Arc::make_mut(&mut whole);
        for window in windows {
            merged.merge(&window)?;
        }
        merged.settle();
    }
    Ok((whole, release))
}

/// The value of a run's watched statistic, with its standard error where the run has enough samples for one.
fn run_statistic(window: &Window, q: Option<f64>) -> Option<(f64, Option<f64>)> {
    let Some(q) = q else {
        return window.headline.map(|value| (value, None));
    };
    match percentile_of_window(window, q) {
        Ok(interval) => Some((interval.value, Some(standard_error(&interval, CONFIDENCE)))),
        // One run's own percentile of few samples is a measurement like any other: its noise shows between runs.
        Err(_) => window
            .body
            .as_ref()
            .and_then(|body| body.merged().quantile(q))
            .or(window.headline)
            .map(|value| (value, None)),
    }
}
