//! Where a series is measured anew: declared, or shown by its runs.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use collectors::report::{Fingerprint, Source};

use super::{Measured, Record, Tracked};
use crate::stats::epoch::{Boundary, Cause, Identity, boundaries};
use crate::store::{Id, Run, Store, StoreError, Window};

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
    /// Where a series is measured anew: declared, or shown by its runs.
    pub async fn epoch_starts(
        &self,
        store: &Store,
        tracked: &Tracked,
    ) -> Result<Vec<EpochStart>, StoreError> {
        if tracked.series.is_field() {
            return Ok(self.declared_starts(tracked));
        }
        if self.is_measured_one_way(tracked) && self.declared_starts(tracked).is_empty() {
            return Ok(Vec::new());
        }
        let windows = self.run_windows(store, tracked, false).await?;
        Ok(self.epochs_of_runs(tracked, &windows).1)
    }

    /// Whether no two runs of the series' testbed differ in what an epoch may begin with.
    fn is_measured_one_way(&self, tracked: &Tracked) -> bool {
        let series = &tracked.series;
        !self
            .varied
            .contains(&(series.source, series.testbed.clone()))
    }

    pub(super) fn declared_starts(&self, tracked: &Tracked) -> Vec<EpochStart> {
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
    pub(super) fn epochs_of_runs(
        &self,
        tracked: &Tracked,
        windows: &[(usize, Id, Arc<Window>)],
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
}

/// Sources and testbeds whose runs differ in what an epoch may begin with.
pub(super) fn varied<'a>(runs: impl Iterator<Item = &'a Run>) -> HashSet<(Source, String)> {
    let mut first: HashMap<(Source, &str), &Run> = HashMap::new();
    let mut varied = HashSet::new();
    for run in runs {
        let known = *first.entry((run.source, &run.testbed)).or_insert(run);
        let identity = |run: &'a Run| (&run.workload, &run.harness, &run.fingerprint);
        if identity(known) != identity(run) {
            varied.insert((run.source, run.testbed.clone()));
        }
    }
    varied
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
