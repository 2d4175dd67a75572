//! One project's record as it stands: what is declared, what was measured, in which order. Everything that judges or
//! shows reads from here, so that all of them see the same flows, releases, epochs and points.

mod compared;
mod epochs;
mod measured;
pub mod mix;
mod points;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use collectors::report::{Basis, Direction, Source};
use collectors::units::Dimension;

use crate::config::{Budget, Config};
use crate::stats::release_order;
use crate::store::{
    DeclaredEpoch, Id, ProjectId, Release, Run, Series, SeriesId, Span, Store, StoreError,
};

pub use epochs::EpochStart;
pub use measured::Measured;
pub use points::{By, Point, percentile_of_window};

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
    /// Releases that some run on record measured.
    with_runs: HashSet<String>,
    /// Sources and testbeds whose runs differ in what an epoch may begin with.
    varied: HashSet<(Source, String)>,
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
        let runs: HashMap<Id, Run> = store.runs(project).await?.into_iter().collect();
        Ok(Record {
            with_runs: runs.values().map(|run| run.release.clone()).collect(),
            varied: epochs::varied(runs.values()),
            project: *project,
            config,
            releases,
            series,
            runs,
            declared: store.declared_epochs(project).await?,
            rank,
        })
    }

    /// How many things it holds.
    pub fn size(&self) -> usize {
        self.series.len() + self.runs.len() + self.releases.len()
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

    /// The newest release that a series was measured in (by position) and the time of its newest measurement, if it
    /// ever was.
    pub async fn last_seen(
        &self,
        store: &Store,
        tracked: &Tracked,
    ) -> Result<Option<(usize, i64)>, StoreError> {
        let mut seen: Option<(usize, i64)> = None;
        for id in members(tracked) {
            let windows = store.heads(&self.project, id, Span::Release, 0, 1).await?;
            for window in windows.iter() {
                let rank = self.rank(&window.key.release).unwrap_or(0);
                let (newest_rank, newest_us) = seen.unwrap_or((0, i64::MIN));
                seen = Some((newest_rank.max(rank), newest_us.max(window.last_us)));
            }
        }
        Ok(seen)
    }
}

fn members(tracked: &Tracked) -> impl Iterator<Item = SeriesId> {
    tracked
        .predecessors
        .iter()
        .copied()
        .chain(std::iter::once(tracked.id))
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
