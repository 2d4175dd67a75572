//! One project's record as it stands: what is declared, what was measured, in which order. Everything that judges or
//! shows reads from here, so that all of them see the same flows, releases, epochs and points.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use collectors::report::{Basis, Direction, Fingerprint};
use collectors::units::Dimension;

use crate::config::{Budget, Config};
use crate::stats::epoch::{Boundary, Cause, Identity, boundaries};
use crate::stats::percentile::standard_error;
use crate::stats::runs::{self, Noise};
use crate::stats::{Interval, Needs, release_order};
use crate::store::{
    DeclaredEpoch, Id, ProjectId, Release, Run, Series, SeriesId, Span, Store, StoreError, Window,
};

/// How sure the intervals of points are.
pub const CONFIDENCE: f64 = 0.95;
/// The percentile that is watched where no budget names one: three of four were at least this fast.
pub const WATCHED: f64 = 0.75;
/// Microseconds of a UTC day.
pub const DAY_US: i64 = 86_400_000_000;

/// A series as people see it: under its flow, with renamed predecessors joined.
#[derive(Debug, Clone)]
pub struct Tracked {
    /// Its id.
    pub id: SeriesId,
    /// What it is.
    pub series: Series,
    /// The flow it belongs to.
    pub flow: String,
    /// Which way is good: as declared, else as the tool says.
    pub direction: Direction,
    /// What its base values are integers of.
    pub dimension: Dimension,
    /// Series that this one continues under a new name.
    pub predecessors: Vec<SeriesId>,
}

impl Tracked {
    /// Whether percentiles of operations can be given; of other bases the runs' median.
    pub fn has_percentiles(&self) -> bool {
        self.series.basis == Basis::Op
    }
}

/// A project's record.
#[derive(Debug, Clone)]
pub struct Record {
    /// Whose.
    pub project: ProjectId,
    /// The declarations in force.
    pub config: Arc<Config>,
    /// Releases on the main branch, oldest first.
    pub releases: Vec<Release>,
    /// All series by id.
    pub series: BTreeMap<SeriesId, Tracked>,
    /// All runs by id.
    pub runs: HashMap<Id, Run>,
    /// Declared epochs, oldest first.
    pub declared: Vec<DeclaredEpoch>,
    rank: HashMap<String, usize>,
}

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
    /// The percentile as a quantile, or none for the runs' median.
    pub q: Option<f64>,
    /// The value with its range, base units.
    pub interval: Option<Interval>,
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

/// Where a series is measured anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EpochStart {
    /// What changed: workload, harness or machine.
    pub cause: Cause,
    /// From when on, microseconds.
    pub at_us: i64,
    /// The first release measured so.
    pub release: String,
    /// What changed.
    pub reason: String,
}

impl Record {
    /// Reads a project's record.
    pub async fn load(
        store: &Store,
        project: &ProjectId,
        config: Arc<Config>,
    ) -> Result<Record, StoreError> {
        let all = store.releases(project).await?;
        let releases = ordered(all);
        let rank = releases
            .iter()
            .enumerate()
            .map(|(rank, release)| (release.name.clone(), rank))
            .collect();
        let series = tracked(store.series(project).await?, &config);
        let runs = store.runs(project).await?.into_iter().collect();
        Ok(Record {
            project: *project,
            config,
            releases,
            series,
            runs,
            declared: store.declared_epochs(project).await?,
            rank,
        })
    }

    /// The position of a release among those of the main branch.
    pub fn rank(&self, release: &str) -> Option<usize> {
        self.rank.get(release).copied()
    }

    /// The series of a flow, key metrics of the field first.
    pub fn series_of<'a>(&'a self, flow: &'a str) -> impl Iterator<Item = &'a Tracked> {
        self.series
            .values()
            .filter(move |tracked| tracked.flow == flow)
    }

    /// All flows that have data or are declared, in declared order, then by name.
    pub fn flows(&self) -> Vec<String> {
        let mut flows: Vec<String> = self.config.flows.iter().map(|f| f.name.clone()).collect();
        let mut seen: Vec<&String> = self.series.values().map(|tracked| &tracked.flow).collect();
        seen.sort();
        seen.dedup();
        for flow in seen {
            if !flows.contains(flow) {
                flows.push(flow.clone());
            }
        }
        flows
    }

    /// The record under another configuration that was just put into it: flows and directions are told anew.
    pub async fn under_its_config(self, store: &Store) -> Result<Record, StoreError> {
        Record::load(store, &self.project, self.config).await
    }

    /// The budgets that a series is held to.
    pub fn budgets(&self, tracked: &Tracked) -> Vec<&Budget> {
        let series = &tracked.series;
        self.config
            .budgets_for(&tracked.flow, series.source, &series.metric, &series.labels)
            .into_iter()
            .collect()
    }

    /// The percentile to watch: its budget's, else P75; none where the basis has no percentiles.
    pub fn watched(&self, tracked: &Tracked) -> Option<f64> {
        if !tracked.has_percentiles() {
            return None;
        }
        let named = self.budgets(tracked).iter().find_map(|b| b.quantile());
        Some(named.unwrap_or(WATCHED))
    }

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

    async fn run_windows(
        &self,
        store: &Store,
        tracked: &Tracked,
    ) -> Result<Vec<(usize, Id, Window)>, StoreError> {
        let mut windows = Vec::new();
        for id in members(tracked) {
            for window in store
                .windows(&self.project, id, Span::Run(Id::NIL), 0, 1, true)
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

    async fn measured_runs(
        &self,
        store: &Store,
        tracked: &Tracked,
        q: Option<f64>,
    ) -> Result<Vec<Measured>, StoreError> {
        let windows = self.run_windows(store, tracked).await?;
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
        let days = self.days(store, tracked, 0, i64::MAX, true).await?;
        let starts = self.declared_starts(tracked);
        Ok(days
            .into_iter()
            .filter_map(|(day_us, (window, release))| {
                let interval = window.body.as_ref()?.percentile(q).ok()?;
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

    /// Days (or any one kind of start) merged over releases, each with the release that had most of it.
    async fn days(
        &self,
        store: &Store,
        tracked: &Tracked,
        from_us: i64,
        to_us: i64,
        days: bool,
    ) -> Result<BTreeMap<i64, (Window, String)>, StoreError> {
        let like = if days { Span::Day(0) } else { Span::Hour(0) };
        let mut merged: BTreeMap<i64, (Window, String, u64)> = BTreeMap::new();
        for id in members(tracked) {
            for window in store
                .windows(&self.project, id, like, from_us, to_us, true)
                .await?
            {
                let (Span::Day(start) | Span::Hour(start)) = window.key.span else {
                    continue;
                };
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

    /// The days of a lab series: runs merged by the UTC day on which they began.
    async fn lab_days(
        &self,
        store: &Store,
        tracked: &Tracked,
        hours: bool,
    ) -> Result<BTreeMap<i64, (Window, String, Vec<Window>)>, StoreError> {
        let width = if hours { DAY_US / 24 } else { DAY_US };
        let mut days: BTreeMap<i64, (Window, String, Vec<Window>)> = BTreeMap::new();
        for (_, _, window) in self.run_windows(store, tracked).await? {
            let start = window.first_us.div_euclid(width) * width;
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
        let mut points = match by {
            By::Release => self.release_points(store, tracked, qs).await?,
            By::Day | By::Hour if lab => {
                let days = self.lab_days(store, tracked, by == By::Hour).await?;
                days.into_iter()
                    .flat_map(|(start, (window, release, runs))| {
                        self.points_of(tracked, &window, &runs, release, start, qs, None)
                    })
                    .collect()
            }
            By::Day | By::Hour => {
                let days = self
                    .days(store, tracked, from_us, to_us, by == By::Day)
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
        let mut runs: BTreeMap<usize, Vec<Window>> = BTreeMap::new();
        if !tracked.series.is_field() {
            for (rank, _, window) in self.run_windows(store, tracked).await? {
                runs.entry(rank).or_default().push(window);
            }
        }
        let stored_qs = qs.iter().all(|q| [0.5, 0.75, 0.99].contains(q));
        let mut windows: BTreeMap<usize, Window> = BTreeMap::new();
        for id in members(tracked) {
            for window in store
                .release_windows(&self.project, id, &self.releases, !stored_qs)
                .await?
            {
                if let Some(rank) = self.rank(&window.key.release) {
                    windows.insert(rank, window);
                }
            }
        }
        let noise = self.noise_of(&runs);
        Ok(windows
            .into_iter()
            .filter(|(rank, _)| tracked.series.is_field() || runs.contains_key(rank))
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

    /// Noise between the runs of a series without percentiles: within releases where they have several runs, else
    /// between neighbours.
    fn noise_of(&self, runs: &BTreeMap<usize, Vec<Window>>) -> Option<Noise> {
        let values: Vec<Vec<f64>> = runs
            .values()
            .map(|runs| runs.iter().filter_map(|run| run.headline).collect())
            .collect();
        let slices: Vec<&[f64]> = values.iter().map(Vec::as_slice).collect();
        runs::pooled_noise(&slices)
            .filter(|noise| noise.df >= 10.0)
            .or_else(|| {
                let firsts: Vec<f64> = values.iter().filter_map(|v| v.first().copied()).collect();
                runs::successive_noise(&firsts)
            })
    }

    #[expect(clippy::too_many_arguments, reason = "one point's whole context")]
    fn points_of(
        &self,
        tracked: &Tracked,
        window: &Window,
        runs: &[Window],
        release: String,
        time_us: i64,
        qs: &[f64],
        noise: Option<&Noise>,
    ) -> Vec<Point> {
        let point = |q: Option<f64>, found: Result<Interval, Needs>, bare: Option<f64>| Point {
            release: release.clone(),
            time_us,
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
        vec![point(None, found, headlines.last().copied())]
    }

    /// Where a series is measured anew: declared, or shown by its runs.
    pub async fn epoch_starts(
        &self,
        store: &Store,
        tracked: &Tracked,
    ) -> Result<Vec<EpochStart>, StoreError> {
        if tracked.series.is_field() {
            return Ok(self.declared_starts(tracked));
        }
        let windows = self.run_windows(store, tracked).await?;
        Ok(self.epochs_of_runs(tracked, &windows).1)
    }

    fn declared_starts(&self, tracked: &Tracked) -> Vec<EpochStart> {
        self.declared
            .iter()
            .filter(|epoch| {
                epoch.flow == tracked.flow
                    && epoch.source.as_ref().is_none_or(|source| {
                        serde_json::to_value(tracked.series.source).is_ok_and(|own| own == **source)
                    })
            })
            .map(|epoch| EpochStart {
                cause: match epoch.kind.as_str() {
                    "workload" => Cause::Workload,
                    "harness" => Cause::Harness,
                    _ => Cause::Machine,
                },
                at_us: epoch.at_us,
                release: self
                    .releases
                    .iter()
                    .find(|release| release.time_us >= epoch.at_us)
                    .map(|release| release.name.clone())
                    .unwrap_or_default(),
                reason: format!("{}: {}", epoch.kind, epoch.reason),
            })
            .collect()
    }

    /// Each run's epoch, and the starts.
    fn epochs_of_runs(
        &self,
        tracked: &Tracked,
        windows: &[(usize, Id, Window)],
    ) -> (Vec<u32>, Vec<EpochStart>) {
        let prints: Vec<Option<String>> = windows
            .iter()
            .map(|(_, run, _)| {
                self.runs
                    .get(run)
                    .and_then(|run| words_of(&run.fingerprint))
            })
            .collect();
        let identities: Vec<Identity<'_>> = windows
            .iter()
            .zip(&prints)
            .map(|((_, run, _), print)| {
                let run = self.runs.get(run);
                Identity {
                    workload: run.and_then(|run| run.workload.as_deref()),
                    harness: run.and_then(|run| run.harness.as_deref()),
                    fingerprint: print.as_deref(),
                }
            })
            .collect();
        let mut at: BTreeMap<usize, (Cause, String)> = boundaries(&identities)
            .into_iter()
            .map(|boundary| (boundary.index, (boundary.cause, boundary.reason)))
            .collect();
        for start in self.declared_starts(tracked) {
            if let Some(index) = windows
                .iter()
                .position(|(_, _, window)| window.first_us >= start.at_us)
            {
                at.entry(index).or_insert((start.cause, start.reason));
            }
        }
        let epochs = (0..windows.len())
            .map(|index| at.range(..=index).count() as u32)
            .collect();
        let starts = at
            .into_iter()
            .map(|(index, (cause, reason))| EpochStart {
                cause,
                at_us: windows[index].2.first_us,
                release: windows[index].2.key.release.clone(),
                reason,
            })
            .collect();
        (epochs, starts)
    }

    /// Where among some measurements of a series its epochs begin.
    pub async fn boundaries(
        &self,
        store: &Store,
        tracked: &Tracked,
        measured: &[Measured],
    ) -> Result<Vec<Boundary>, StoreError> {
        let starts = self.epoch_starts(store, tracked).await?;
        Ok((1..)
            .zip(starts)
            .filter_map(|(epoch, start)| {
                let index = measured.iter().position(|m| m.epoch >= epoch)?;
                (index > 0).then_some(Boundary {
                    index,
                    cause: start.cause,
                    reason: start.reason,
                })
            })
            .collect())
    }

    /// The newest release that a series was measured in (by position) and the time of its newest measurement, if it
    /// ever was.
    pub async fn last_seen(
        &self,
        store: &Store,
        tracked: &Tracked,
    ) -> Result<Option<(usize, i64)>, StoreError> {
        let mut seen: Option<(usize, i64)> = None;
        for id in members(tracked) {
            for window in store
                .windows(&self.project, id, Span::Release, 0, 1, false)
                .await?
            {
                let rank = self.rank(&window.key.release).unwrap_or(0);
                let (newest_rank, newest_us) = seen.unwrap_or((0, i64::MIN));
                seen = Some((newest_rank.max(rank), newest_us.max(window.last_us)));
            }
        }
        Ok(seen)
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
        for (_, (window, _)) in self.days(store, tracked, from_us, to_us, true).await? {
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

fn members(tracked: &Tracked) -> impl Iterator<Item = SeriesId> {
    tracked
        .predecessors
        .iter()
        .copied()
        .chain(std::iter::once(tracked.id))
}

/// A fingerprint in words, or none where nothing is known.
fn words_of(fingerprint: &Fingerprint) -> Option<String> {
    let words: Vec<&str> = [
        &fingerprint.cpu,
        &fingerprint.os,
        &fingerprint.arch,
        &fingerprint.tool,
        &fingerprint.runtime,
    ]
    .into_iter()
    .flatten()
    .map(String::as_str)
    .collect();
    (!words.is_empty()).then(|| words.join(", "))
}

fn ordered(all: Vec<Release>) -> Vec<Release> {
    let main: Vec<Release> = all.into_iter().filter(|release| release.on_main).collect();
    // A parent may be named by its commit or by its release name.
    let by_name: HashMap<&str, &str> = main
        .iter()
        .map(|release| {
            let id = release.commit.as_deref().unwrap_or(&release.name);
            (release.name.as_str(), id)
        })
        .collect();
    let list: Vec<release_order::Release<'_>> = main
        .iter()
        .map(|release| release_order::Release {
            id: release.commit.as_deref().unwrap_or(&release.name),
            parent: release
                .parent
                .as_deref()
                .map(|parent| by_name.get(parent).copied().unwrap_or(parent)),
            time_us: release.time_us,
        })
        .collect();
    release_order::order(&list)
        .into_iter()
        .map(|index| main[index].clone())
        .collect()
}

fn tracked(series: Vec<(SeriesId, Series)>, config: &Config) -> BTreeMap<SeriesId, Tracked> {
    let mut found: BTreeMap<SeriesId, Tracked> = BTreeMap::new();
    let mut predecessors: BTreeMap<SeriesId, Vec<SeriesId>> = BTreeMap::new();
    for (id, mut series) in series {
        let renamed = config.alias(series.source, &series.flow_name).to_owned();
        if renamed != series.flow_name {
            series.flow_name = renamed;
            predecessors.entry(series.id()).or_default().push(id);
        }
        let now = series.id();
        let flow = config
            .flow_for(
                series.source,
                &series.flow_name,
                &series.metric,
                &series.labels,
            )
            .to_owned();
        let direction = config
            .direction_of(&series.metric)
            .unwrap_or(series.direction);
        let dimension = crate::intake::dimension(&series.dimension);
        found.entry(now).or_insert(Tracked {
            id: now,
            series,
            flow,
            direction,
            dimension,
            predecessors: Vec::new(),
        });
    }
    for (id, members) in predecessors {
        if let Some(tracked) = found.get_mut(&id) {
            tracked.predecessors = members;
        }
    }
    found
}
