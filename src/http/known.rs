//! What this process has already seen stored, so that the hot path neither asks nor tells the database again.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use collectors::report::Source;

use super::error::Result;
use crate::config::Config;
use crate::store::{ProjectId, SeriesId, Store};

/// Series remembered before the memory is emptied and filled anew: 32 bytes each.
const SERIES: usize = 500_000;
/// A configuration is looked up again after this long; `apply` on another instance is seen within it.
const CONFIG_AGE: Duration = Duration::from_secs(1);

/// A configuration with when it was looked up and its version.
type Cached = (Instant, i64, Arc<Config>);

/// Flow names with when they were looked up.
type Flows = (Instant, Arc<HashSet<String>>);

/// Series and configurations that were looked up lately.
#[derive(Debug, Default)]
pub struct Known {
    series: Mutex<HashSet<(ProjectId, SeriesId)>>,
    releases: Mutex<HashSet<(ProjectId, String)>>,
    configs: Mutex<HashMap<ProjectId, Cached>>,
    flows: Mutex<HashMap<ProjectId, Flows>>,
}

impl Known {
    /// Those of some series that this process has not seen stored.
    pub fn unseen(
        &self,
        project: &ProjectId,
        series: impl Iterator<Item = SeriesId>,
    ) -> Vec<SeriesId> {
        let known = self.series.lock().unwrap_or_else(PoisonError::into_inner);
        series
            .filter(|series| !known.contains(&(*project, *series)))
            .collect()
    }

    /// Remembers that series are stored.
    pub fn remember(&self, project: &ProjectId, series: impl Iterator<Item = SeriesId>) {
        let mut known = self.series.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() > SERIES {
            known.clear();
        }
        known.extend(series.map(|series| (*project, series)));
    }

    /// Whether this process has not yet seen a release stored; from now on it has.
    pub fn is_new_release(&self, project: &ProjectId, release: &str) -> bool {
        let mut known = self.releases.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() > SERIES {
            known.clear();
        }
        known.insert((*project, release.to_owned()))
    }

    /// The configuration in force, at most a second old.
    pub async fn config(&self, store: &Store, project: &ProjectId) -> Result<Arc<Config>> {
        if let Some((at, _, config)) = self.cached(project)
            && at.elapsed() < CONFIG_AGE
        {
            return Ok(config);
        }
        let policy = store.policy(project).await?;
        let version = policy.as_ref().map_or(0, |policy| policy.version);
        let config = match self.cached(project) {
            Some((_, known, config)) if known == version => config,
            _ => Arc::new(match policy {
                Some(policy) => Config::parse(&policy.toml)?,
                None => Config::default(),
            }),
        };
        self.configs
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(*project, (Instant::now(), version, config.clone()));
        Ok(config)
    }

    /// Names of the flows that real users' data have brought into being, at most a second old.
    pub async fn rum_flows(
        &self,
        store: &Store,
        project: &ProjectId,
    ) -> Result<Arc<HashSet<String>>> {
        let cached = self
            .flows
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(project)
            .cloned();
        if let Some((at, flows)) = cached
            && at.elapsed() < CONFIG_AGE
        {
            return Ok(flows);
        }
        let flows: Arc<HashSet<String>> = Arc::new(
            store
                .series(project)
                .await?
                .into_iter()
                .filter(|(_, series)| series.source == Source::Rum)
                .map(|(_, series)| series.flow_name)
                .collect(),
        );
        self.flows
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(*project, (Instant::now(), flows.clone()));
        Ok(flows)
    }

    fn cached(&self, project: &ProjectId) -> Option<Cached> {
        self.configs
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(project)
            .cloned()
    }
}
