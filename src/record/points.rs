//! Points: a series at one release, day or hour.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{CONFIDENCE, Record, Tracked, members};
use crate::stats::percentile::standard_error;
use crate::stats::runs::{self, Noise};
use crate::stats::{Interval, Needs};
use crate::store::{Span, Store, StoreError, Window};

/// So many degrees of freedom within releases tell how noisy runs are; fewer leave it to what neighbours differ by.
const LEAST_DF: f64 = 10.0;

/// The stretch that a point covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// A release.
    Release,
    /// A UTC day.
    Day,
    /// A UTC hour.
    Hour,
}

/// A series at one release, day or hour.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// The release, where one is known.
    pub release: String,
    /// When: the release's time, or the start of the day or hour; microseconds.
    pub time_us: i64,
    /// The times of its first and its last measurement, microseconds.
    pub measured_us: (i64, i64),
    /// The percentile as a quantile, or none for the runs' median.
    pub q: Option<f64>,
    /// The value with its range, base units.
    pub interval: Option<Interval>,
    /// The likeliest standard error of the value, for sums and differences of many points: its range allows for more.
    pub se: Option<f64>,
    /// The value where it is known but its range is not: too few runs.
    pub bare: Option<f64>,
    /// What a refused value or range would need.
    pub needs: Option<Needs>,
    /// Values recorded.
    pub count: u64,
    /// Failed operations among them.
    pub failed: u64,
    /// Runs, for lab sources.
    pub runs: u32,
    /// Which epoch, counted from 0.
    pub epoch: u32,
    /// Whether its window is still open or not folded yet.
    pub provisional: bool,
}

impl Point {
    /// The value, with or without a range.
    pub fn value(&self) -> Option<f64> {
        self.interval.map(|interval| interval.value).or(self.bare)
    }
}

impl Record {
    /// A series' points, oldest first, one for each asked percentile (`qs`), or one of the runs' median where the
    /// basis has no percentiles. `from_us..to_us` bounds their times.
    pub async fn points(
        &self,
        store: &Store,
        tracked: &Tracked,
        by: By,
        from_us: i64,
        to_us: i64,
        qs: &[f64],
    ) -> Result<Vec<Point>, StoreError> {
        let lab = !tracked.series.is_field();
        let are_stored = qs.iter().all(|q| stored(*q));
        let mut points = match by {
            By::Release => self.release_points(store, tracked, qs).await?,
            By::Day | By::Hour if lab => {
                let days = self
                    .lab_days(store, tracked, by == By::Hour, !are_stored)
                    .await?;
                days.into_iter()
                    .flat_map(|(start, (window, release, runs))| {
                        self.points_of(tracked, &window, &runs, release, start, qs, None)
                    })
                    .collect()
            }
            By::Day | By::Hour => {
                let days = self
                    .days(store, tracked, from_us, to_us, by == By::Day, !are_stored)
                    .await?;
                days.into_iter()
                    .flat_map(|(start, (window, release))| {
                        self.points_of(tracked, &window, &[], release, start, qs, None)
                    })
                    .collect()
            }
        };
        points.retain(|point| (from_us..to_us).contains(&point.time_us));
        let starts = self.epoch_starts(store, tracked).await?;
        for point in &mut points {
            point.epoch = match by {
                By::Release => starts
                    .iter()
                    .filter(|start| self.rank(&start.release) <= self.rank(&point.release))
                    .count() as u32,
                _ => starts
                    .iter()
                    .filter(|start| start.at_us <= point.time_us)
                    .count() as u32,
            };
        }
        Ok(points)
    }

    async fn release_points(
        &self,
        store: &Store,
        tracked: &Tracked,
        qs: &[f64],
    ) -> Result<Vec<Point>, StoreError> {
        let mut runs: BTreeMap<usize, Vec<Arc<Window>>> = BTreeMap::new();
        if !tracked.series.is_field() {
            for (rank, _, window) in self.run_windows(store, tracked, false).await? {
                runs.entry(rank).or_default().push(window);
            }
        }
        let stored_qs = qs.iter().all(|q| stored(*q));
        let mut windows: BTreeMap<usize, Arc<Window>> = BTreeMap::new();
        for id in members(tracked) {
            let own = self.windows_of(store, id, Span::Release, 0, 1, !stored_qs);
            for window in own.await?.iter() {
                if let Some(rank) = self.rank(&window.key.release) {
                    windows.insert(rank, window.clone());
                }
            }
        }
        let noise = self.noise_of(&runs);
        // What no run on record accounts for was measured by runs that are forgotten.
        let is_on_record = |rank: usize| {
            !tracked.series.is_field() && self.with_runs.contains(&self.releases[rank].name)
        };
        Ok(windows
            .into_iter()
            .filter(|(rank, _)| runs.contains_key(rank) || !is_on_record(*rank))
            .flat_map(|(rank, window)| {
                let release = &self.releases[rank];
                let own = runs.get(&rank).map_or(&[][..], Vec::as_slice);
                self.points_of(
                    tracked,
                    &window,
                    own,
                    release.name.clone(),
                    release.time_us,
                    qs,
                    noise.as_ref(),
                )
            })
            .collect())
    }

    /// Noise of the releases of a series without percentiles.
    fn noise_of(&self, runs: &BTreeMap<usize, Vec<Arc<Window>>>) -> Option<Noise> {
        let values: Vec<Vec<f64>> = runs
            .values()
            .map(|runs| runs.iter().filter_map(|run| run.headline).collect())
            .collect();
        let slices: Vec<&[f64]> = values.iter().map(Vec::as_slice).collect();
        runs::history_noise(&slices, LEAST_DF)
    }

    #[expect(clippy::too_many_arguments, reason = "one point's whole context")]
    fn points_of(
        &self,
        tracked: &Tracked,
        window: &Window,
        runs: &[Arc<Window>],
        release: String,
        time_us: i64,
        qs: &[f64],
        noise: Option<&Noise>,
    ) -> Vec<Point> {
        let error = |range: &Interval| standard_error(range, CONFIDENCE);
        let point = |q: Option<f64>, found: Result<Interval, Needs>, bare: Option<f64>| Point {
            se: found.as_ref().ok().map(error),
            release: release.clone(),
            time_us,
            measured_us: (window.first_us, window.last_us),
            q,
            interval: found.ok(),
            bare: if found.is_ok() { None } else { bare },
            needs: found.err(),
            count: window.count,
            failed: window.failed,
            runs: runs.len() as u32,
            epoch: 0,
            provisional: window.provisional || runs.iter().any(|run| run.provisional),
        };
        if tracked.has_percentiles() {
            return qs
                .iter()
                .map(|q| point(Some(*q), percentile_of_window(window, *q), None))
                .collect();
        }
        let headlines: Vec<f64> = match runs {
            [] => window.headline.into_iter().collect(),
            runs => runs.iter().filter_map(|run| run.headline).collect(),
        };
        let found = match noise {
            Some(noise) => runs::statistic_with(&headlines, noise, CONFIDENCE),
            None => runs::statistic(&headlines, CONFIDENCE),
        };
        let mut point = point(None, found, headlines.last().copied());
        if point.interval.is_some() {
            point.se = runs::estimate(&headlines, noise).map(|found| found.se);
        }
        vec![point]
    }
}

/// Whether windows carry this percentile beside their histogram.
pub(super) fn stored(q: f64) -> bool {
    [0.5, 0.75, 0.99].contains(&q)
}

/// A window's percentile, from the stored statistics where they hold it.
pub fn percentile_of_window(window: &Window, q: f64) -> Result<Interval, Needs> {
    let stored = match q {
        0.5 => window.p50,
        0.75 => window.p75,
        0.99 => window.p99,
        _ => None,
    };
    match (stored, &window.body) {
        (Some(interval), _) => Ok(interval),
        (None, Some(body)) => body.percentile(q),
        (None, None) => Err(Needs::samples(crate::stats::percentile::samples_needed(
            q, CONFIDENCE,
        ))),
    }
}
