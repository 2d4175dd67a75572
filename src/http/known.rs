//! What this process has already seen stored, so that the hot path neither asks nor tells the database again.

use std::borrow::Borrow;
use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::error::Result;
use super::rum::Place;
use crate::clock::now_us;
use crate::config::Config;
use crate::record::Record;
use crate::store::{ProjectId, RecordVersion, SeriesId, Store};

/// Series and releases remembered before the memory is emptied and filled anew: some 100 bytes each.
const SERIES: usize = 500_000;
/// What was looked up counts for this long; `apply` on another instance, or a revoked key, is noticed within it.
const AGE: Duration = Duration::from_secs(1);
/// Keys and projects remembered before the memory is emptied: whoever guesses keys fills no memory.
const LOOKED_UP: usize = 10_000;
/// Series, runs and releases of remembered records, some 500 bytes each; beyond them the memory is filled anew.
const RECORD_ENTRIES: usize = 100_000;
/// Places of beacons remembered before the memory is emptied and filled anew: some 500 bytes each.
const PLACES: usize = 50_000;
/// No key is as long as this; what is longer is not looked up, nor remembered.
const KEY_BYTES: usize = 256;

/// Series and configurations that were looked up lately.
#[derive(Debug, Default)]
pub struct Known {
    series: Mutex<HashSet<(ProjectId, SeriesId)>>,
    releases: Mutex<HashMap<ProjectId, HashSet<String>>>,
    configs: Lately<ProjectId, (i64, Arc<Config>)>,
    flows: Lately<ProjectId, Arc<HashSet<String>>>,
    keys: Lately<String, Option<ProjectId>>,
    records: Mutex<HashMap<ProjectId, (RecordVersion, Arc<Record>)>>,
    places: Mutex<HashMap<ProjectId, Places>>,
}

/// Where beacons of a project belong, by what decides it, under one configuration.
#[derive(Debug)]
struct Places {
    config: Arc<Config>,
    by_word: HashMap<String, Arc<Place>>,
}

impl Known {
    /// Those of some series that this process has not seen stored.
    pub fn unseen(
        &self,
        project: &ProjectId,
        series: impl Iterator<Item = SeriesId>,
    ) -> HashSet<SeriesId> {
        let known = locked(&self.series);
        series
            .filter(|series| !known.contains(&(*project, *series)))
            .collect()
    }

    /// Remembers that series are stored.
    pub fn remember(&self, project: &ProjectId, series: impl Iterator<Item = SeriesId>) {
        let mut known = locked(&self.series);
        if known.len() > SERIES {
            known.clear();
        }
        known.extend(series.map(|series| (*project, series)));
    }

    /// Whether this process has seen a release stored.
    pub fn knows_release(&self, project: &ProjectId, release: &str) -> bool {
        locked(&self.releases)
            .get(project)
            .is_some_and(|known| known.contains(release))
    }

    /// Remembers that a release is stored.
    pub fn remember_release(&self, project: &ProjectId, release: String) {
        let mut known = locked(&self.releases);
        let of_project = known.entry(*project).or_default();
        if of_project.len() > SERIES {
            of_project.clear();
        }
        of_project.insert(release);
    }

    /// Forgets what was seen stored of a project, since some of it may be deleted: what comes of it next is told again.
    pub fn forget(&self, project: &ProjectId) {
        locked(&self.series).retain(|(of, _)| of != project);
        locked(&self.releases).remove(project);
        locked(&self.places).remove(project);
    }

    /// The configuration in force, at most a second old.
    pub async fn config(&self, store: &Store, project: &ProjectId) -> Result<Arc<Config>> {
        let look = async |known: Option<(i64, Arc<Config>)>| {
            let policy = store.policy(project).await?;
            let version = policy.as_ref().map_or(0, |policy| policy.version);
            Ok(match (known, policy) {
                (Some(known), _) if known.0 == version => known,
                (_, Some(policy)) => (version, Arc::new(Config::parse(&policy.toml)?)),
                (_, None) => (version, Arc::new(Config::default())),
            })
        };
        Ok(self.configs.get(project, look).await?.1)
    }

    /// Names of the undeclared flows that real users' data have brought into being, at most a second old.
    pub async fn undeclared_flows(
        &self,
        store: &Store,
        project: &ProjectId,
        config: &Config,
    ) -> Result<Arc<HashSet<String>>> {
        let look = async |_| {
            let flows = store.field_flows(project).await?;
            let undeclared = flows.into_iter().filter(|flow| !config.declares_flow(flow));
            Ok(Arc::new(undeclared.collect()))
        };
        self.flows.get(project, look).await
    }

    /// A project's record in the state that the database has now: the one remembered, or what `read` finds.
    pub async fn record(
        &self,
        store: &Store,
        project: &ProjectId,
        read: impl AsyncFnOnce() -> Result<Record>,
    ) -> Result<Arc<Record>> {
        let now = store.record_version(project).await?;
        if let Some((version, record)) = locked(&self.records).get(project)
            && *version == now
        {
            return Ok(record.clone());
        }
        let record = Arc::new(read().await?);
        let mut records = locked(&self.records);
        records.remove(project);
        let held: usize = records.values().map(|(_, record)| record.size()).sum();
        if held + record.size() > RECORD_ENTRIES {
            records.clear();
        }
        records.insert(*project, (now, record.clone()));
        Ok(record)
    }

    /// Where a beacon with this word belongs, if that is known under this configuration.
    pub fn place(
        &self,
        project: &ProjectId,
        config: &Arc<Config>,
        word: &str,
    ) -> Option<Arc<Place>> {
        let places = locked(&self.places);
        let of_project = places.get(project)?;
        if !Arc::ptr_eq(&of_project.config, config) {
            return None;
        }
        of_project.by_word.get(word).cloned()
    }

    /// Remembers where a beacon belongs.
    pub fn remember_place(
        &self,
        project: &ProjectId,
        config: &Arc<Config>,
        word: String,
        place: Arc<Place>,
    ) {
        let mut places = locked(&self.places);
        if places.values().map(|of| of.by_word.len()).sum::<usize>() >= PLACES {
            places.clear();
        }
        let of_project = places.entry(*project).or_insert_with(|| Places {
            config: config.clone(),
            by_word: HashMap::new(),
        });
        if !Arc::ptr_eq(&of_project.config, config) {
            of_project.config = config.clone();
            of_project.by_word.clear();
        }
        of_project.by_word.insert(word, place);
    }

    /// The project of a beacon key, if it is one.
    pub async fn rum_key(&self, store: &Store, key: &str) -> Result<Option<ProjectId>> {
        if key.len() > KEY_BYTES {
            return Ok(None);
        }
        let look = async |_| Ok(store.rum_key(key, now_us()).await?.map(|key| key.project));
        self.keys.get(key, look).await
    }
}

/// Answers that were looked up lately. Whoever first finds one too old looks it up again; the others go on with the old
/// one meanwhile, so that its end of life sends one question to the database and not hundreds.
#[derive(Debug)]
struct Lately<K, V>(Mutex<HashMap<K, (Instant, V)>>);

impl<K, V> Default for Lately<K, V> {
    fn default() -> Self {
        Lately(Mutex::default())
    }
}

impl<K: Eq + Hash, V: Clone> Lately<K, V> {
    /// The answer at most [`AGE`] old; `look` finds it, and may use the one that was known before.
    async fn get<Q>(&self, key: &Q, look: impl AsyncFnOnce(Option<V>) -> Result<V>) -> Result<V>
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ToOwned<Owned = K> + ?Sized,
    {
        let known = {
            let mut all = locked(&self.0);
            match all.get_mut(key) {
                Some((at, value)) if at.elapsed() < AGE => return Ok(value.clone()),
                Some((at, value)) => {
                    *at = Instant::now();
                    Some(value.clone())
                }
                None => None,
            }
        };
        // In a box: it is rare, and hundreds wait for a commit with the rest of their future in memory.
        let found = Box::pin(look(known)).await?;
        let mut all = locked(&self.0);
        if all.len() > LOOKED_UP {
            all.clear();
        }
        all.insert(key.to_owned(), (Instant::now(), found.clone()));
        Ok(found)
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[tokio::test]
    async fn an_answer_is_looked_up_once_while_it_is_fresh() {
        let lately: Lately<String, u32> = Lately::default();
        assert_eq!(lately.get("key", async |_| Ok(1)).await.unwrap(), 1);
        assert_eq!(lately.get("key", async |_| Ok(2)).await.unwrap(), 1);
        assert_eq!(lately.get("other", async |_| Ok(3)).await.unwrap(), 3);
    }

    #[tokio::test]
    async fn of_an_answer_that_is_too_old_one_looks_again_and_the_others_go_on() {
        let lately: Lately<String, u32> = Lately::default();
        let past = Instant::now().checked_sub(AGE).unwrap();
        locked(&lately.0).insert("key".into(), (past, 1));
        let slow = lately.get("key", async |known| {
            assert_eq!(known, Some(1));
            assert_eq!(
                lately.get("key", async |_| Ok(9)).await.unwrap(),
                1,
                "meanwhile"
            );
            Ok(2)
        });
        assert_eq!(slow.await.unwrap(), 2);
        assert_eq!(lately.get("key", async |_| Ok(9)).await.unwrap(), 2);
    }

    #[tokio::test]
    async fn guessed_keys_fill_no_memory() {
        let lately: Lately<String, u32> = Lately::default();
        for key in 0..LOOKED_UP + 10 {
            lately
                .get(&*key.to_string(), async |_| Ok(0))
                .await
                .unwrap();
        }
        assert!(locked(&lately.0).len() <= LOOKED_UP + 1);
    }
}
