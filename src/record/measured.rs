//! What each unit of evidence measured: a run, or a UTC day of field data.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use super::points::{percentile_of_window, stored};
use super::{CONFIDENCE, DAY_US, Record, Tracked, WATCHED, members};
use crate::stats::percentile::standard_error;
use crate::store::{Id, SeriesId, Span, Store, StoreError, Window};

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
    ) -> Result<Vec<(usize, Id, Window)>, StoreError> {
        let mut windows = Vec::new();
        for id in members(tracked) {
            for window in self
                .windows_of(store, id, Span::Run(Id::NIL), 0, 1, bodies)
                .await?
            {
                let Span::Run(run_id) = window.key.span else {
                    continue;
                };
                let counts = self
                    .runs
                    .get(&run_id)
                    .is_some_and(|run| run.on_main && run.excluded.is_none());
                if let (true, Some(rank)) = (counts, self.rank(&window.key.release)) {
                    windows.push((rank, run_id, window));
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
    ) -> Result<Vec<Window>, StoreError> {
        let project = &self.project;
        if bodies {
            return store.windows(project, id, like, from_us, to_us, true).await;
        }
        let heads = store.heads(project, id, like, from_us, to_us).await?;
        Ok(Arc::unwrap_or_clone(heads))
    }

    async fn measured_runs(
        &self,
        store: &Store,
        tracked: &Tracked,
        q: Option<f64>,
    ) -> Result<Vec<Measured>, StoreError> {
        let mut windows = self.run_windows(store, tracked, false).await?;
        let is_told = |(_, _, window): &(usize, Id, Window)| {
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
    ) -> Result<BTreeMap<i64, (Window, String)>, StoreError> {
        let like = if days { Span::Day(0) } else { Span::Hour(0) };
        let start_of = |window: &Window| match window.key.span {
            Span::Day(start) | Span::Hour(start) => Some(start),
            Span::Run(_) | Span::Release => None,
        };
        let mut by_start: BTreeMap<i64, Vec<Window>> = BTreeMap::new();
        for id in members(tracked) {
            let windows = self
                .windows_of(store, id, like, from_us, to_us, bodies)
                .await?;
            for window in windows {
                if let Some(start) = start_of(&window) {
                    by_start.entry(start).or_default().push(window);
                }
            }
        }
        if !bodies {
            // What one release had alone is told by its stored percentiles; what several had has to be merged.
            let shared: Vec<i64> = by_start
                .iter()
                .filter(|(_, windows)| windows.len() > 1)
                .map(|(start, _)| *start)
                .collect();
            for start in &shared {
                by_start.remove(start);
            }
            for id in members(tracked) {
                let windows = store.windows_at(&self.project, id, like, &shared).await?;
                for window in windows {
                    if let Some(start) = start_of(&window) {
                        by_start.entry(start).or_default().push(window);
                    }
                }
            }
        }
        let mut merged: BTreeMap<i64, (Window, String, u64)> = BTreeMap::new();
        for (start, windows) in by_start {
            for window in windows {
                match merged.get_mut(&start) {
                    None => {
                        let (release, count) = (window.key.release.clone(), window.count);
                        merged.insert(start, (window, release, count));
                    }
                    Some((whole, release, most)) => {
                        if window.count > *most {
                            release.clone_from(&window.key.release);
                            *most = window.count;
                        }
                        whole.merge(&window)?;
                        whole.settle();
                    }
                }
            }
        }
        Ok(merged
            .into_iter()
            .map(|(start, (window, release, _))| (start, (window, release)))
            .collect())
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
    ) -> Result<BTreeMap<i64, (Window, String, Vec<Window>)>, StoreError> {
        let width = if hours { DAY_US / 24 } else { DAY_US };
        let start_of = |window: &Window| window.first_us.div_euclid(width) * width;
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
        let mut days: BTreeMap<i64, (Window, String, Vec<Window>)> = BTreeMap::new();
        for (_, _, window) in windows {
            let start = start_of(&window);
            let release = window.key.release.clone();
            match days.get_mut(&start) {
                None => {
                    days.insert(start, (window.clone(), release, vec![window]));
                }
                Some((whole, newest, runs)) => {
                    whole.merge(&window)?;
                    whole.settle();
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
                None => merged = Some(window),
                Some(whole) => whole.merge(&window)?,
            }
        }
        if let Some(whole) = &mut merged {
            whole.settle();
        }
        Ok(merged)
    }
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
