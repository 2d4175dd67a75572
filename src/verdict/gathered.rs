//! The evidence that a verdict rests on, gathered for each series under each budget of a gate's flows.

use std::collections::BTreeMap;

use crate::config::{Budget, Enforcement, Gate, Waiver, utc_date};
use crate::detector::evidence::Evidence;
use crate::record::{DAY_US, Measured, Record, Tracked};
use crate::stats::runs::{self, Noise};
use crate::stats::{Interval, Needs};
use crate::store::{Store, StoreError, Window};

/// The release that is asked about, and the moment that counts as now for it.
pub(super) struct Subject<'a> {
    pub(super) name: &'a str,
    pub(super) rank: usize,
    /// Now for the newest release; for a past one, the moment at which the next one came.
    pub(super) until_us: i64,
    /// Against what the age of its evidence is measured: now for the newest release, for a past one its own time.
    pub(super) asked_us: i64,
}

impl<'a> Subject<'a> {
    pub(super) fn new(record: &'a Record, rank: usize, now_us: i64) -> Self {
        let release = &record.releases[rank];
        let next = record.releases.get(rank + 1);
        Subject {
            name: &release.name,
            rank,
            until_us: next.map_or(now_us, |next| next.time_us.min(now_us)),
            asked_us: next.map_or(now_us, |_| release.time_us.min(now_us)),
        }
    }
}

/// The evidence on one series under one budget.
pub(super) struct Gathered<'a> {
    pub(super) tracked: &'a Tracked,
    pub(super) budget: &'a Budget,
    pub(super) waiver: Option<&'a Waiver>,
    pub(super) counts: bool,
    pub(super) q: Option<f64>,
    /// Measurements of the release.
    pub(super) candidate: Vec<Measured>,
    /// What they are compared with: kind, release, measurements, and a remark where it was not the one asked for.
    pub(super) references: Vec<(&'static str, String, Vec<Measured>, Option<String>)>,
    /// The last release before, where that was measured in another way than this one.
    pub(super) otherwise: Option<String>,
    pub(super) noise: Option<Noise>,
    /// What the budget judges, where anything is there.
    pub(super) judged: Option<Judged>,
    pub(super) age_us: Option<i64>,
    pub(super) fresh: bool,
    /// Sentences of open bleeds.
    pub(super) bleeds: Vec<String>,
}

/// What a budget judges.
pub(super) enum Judged {
    /// The release's own runs.
    Runs,
    /// All traffic of so many days.
    Days(Box<Window>, u32),
}

/// A budget that a gate is to test and cannot, since nothing ever measured its metric.
#[derive(Debug)]
pub(super) struct Unmeasured<'a> {
    pub(super) budget: &'a Budget,
    pub(super) counts: bool,
}

/// What is missing of a gate's flows beside what was gathered of them.
pub(super) fn unmeasured<'a>(
    record: &'a Record,
    gate: &Gate,
    subject: &Subject<'_>,
    gathered: &[Gathered<'_>],
) -> Vec<Unmeasured<'a>> {
    let day = utc_date(subject.until_us);
    let budgets = record.config.budgets.iter();
    budgets
        .filter(|budget| gate.flows.contains(&budget.flow))
        .filter(|budget| !gathered.iter().any(|one| one.budget.id == budget.id))
        .map(|budget| Unmeasured {
            budget,
            counts: budget.enforcement_on(day) == Enforcement::Verify,
        })
        .collect()
}

pub(super) async fn gather<'a>(
    store: &Store,
    record: &'a Record,
    gate: &'a Gate,
    subject: &Subject<'_>,
) -> Result<Vec<Gathered<'a>>, StoreError> {
    let findings = store.findings(&record.project).await?;
    let day = utc_date(subject.until_us);
    let mut gathered = Vec::new();
    for flow in &gate.flows {
        for tracked in record.series_of(flow) {
            for budget in record.budgets(tracked) {
                let q = tracked
                    .has_percentiles()
                    .then(|| budget.quantile())
                    .flatten();
                let measured = record.measured(store, tracked, q).await?;
                let mut one = Gathered {
                    tracked,
                    budget,
                    waiver: record.config.waiver_for(&budget.id, day),
                    counts: budget.enforcement_on(day) == Enforcement::Verify,
                    q,
                    candidate: Vec::new(),
                    references: Vec::new(),
                    otherwise: None,
                    noise: None,
                    judged: None,
                    age_us: None,
                    fresh: false,
                    bleeds: findings
                        .iter()
                        .filter(|finding| {
                            finding.series == Some(tracked.id)
                                && finding.kind == "bleed"
                                && finding.state.is_open()
                                && finding.onset_us <= subject.until_us
                        })
                        .map(|finding| {
                            Evidence::read(&finding.evidence).map_or_else(
                                || "a slow bleed is open".to_owned(),
                                |evidence| evidence.sentence,
                            )
                        })
                        .collect(),
                };
                one.fill(store, record, gate, subject, measured).await?;
                gathered.push(one);
            }
        }
    }
    Ok(gathered)
}

impl Gathered<'_> {
    async fn fill(
        &mut self,
        store: &Store,
        record: &Record,
        gate: &Gate,
        subject: &Subject<'_>,
        measured: Vec<Measured>,
    ) -> Result<(), StoreError> {
        let field = self.tracked.series.is_field();
        let known: Vec<Measured> = measured
            .into_iter()
            .filter(|m| m.release <= subject.rank && (!field || m.time_us <= subject.until_us))
            .collect();
        self.candidate = known
            .iter()
            .filter(|m| m.release == subject.rank)
            .cloned()
            .collect();
        let epoch = self
            .candidate
            .last()
            .or(known.last())
            .map_or(0, |m| m.epoch);
        let same: Vec<&Measured> = known.iter().filter(|m| m.epoch == epoch).collect();
        self.noise = noise_of(&same, field);
        self.references = references(record, self.tracked, subject, &same);
        self.otherwise = known
            .iter()
            .filter(|m| m.epoch != epoch && m.release < subject.rank)
            .map(|m| m.release)
            .max()
            .map(|rank| record.releases[rank].name.clone());
        let newest = if field {
            known.last().map(|m| m.time_us + DAY_US - 1)
        } else {
            self.candidate.iter().map(|m| m.time_us).max()
        };
        self.age_us = newest.map(|newest| (subject.asked_us - newest).max(0));
        self.fresh = self.age_us.is_some_and(|age| age <= gate.fresh.micros());
        self.judged = if field {
            self.judged_days(store, record, subject).await?
        } else {
            (!self.candidate.is_empty()).then_some(Judged::Runs)
        };
        Ok(())
    }

    /// Field budgets judge all traffic of their window up to the moment that counts.
    async fn judged_days(
        &self,
        store: &Store,
        record: &Record,
        subject: &Subject<'_>,
    ) -> Result<Option<Judged>, StoreError> {
        let days = self.budget.window.days().unwrap_or(28);
        let from_us = subject.until_us - i64::from(days) * DAY_US;
        let merged = record.merged_days(store, self.tracked, from_us, subject.until_us);
        let merged = merged.await?;
        Ok(merged.map(|window| Judged::Days(Box::new(window), days)))
    }

    /// The value that the budget judges with its range at a confidence, and how many samples and units stand behind it.
    pub(super) fn judged_at(&self, confidence: f64) -> Option<(Result<Interval, Needs>, u64, u64)> {
        match self.judged.as_ref()? {
            Judged::Days(window, days) => {
                let value = window.body.as_ref()?.percentile_at(self.q?, confidence);
                Some((value, window.count, u64::from(*days)))
            }
            Judged::Runs => {
                let values = values(&self.candidate);
                let value = match &self.noise {
                    Some(noise) => runs::statistic_with(&values, noise, confidence),
                    None => runs::statistic(&values, confidence),
                };
                Some((value, samples(&self.candidate), values.len() as u64))
            }
        }
    }
}

pub(super) fn values(measured: &[Measured]) -> Vec<f64> {
    measured.iter().map(|m| m.value).collect()
}

pub(super) fn samples(measured: &[Measured]) -> u64 {
    measured.iter().map(|m| m.count).sum()
}

/// Fewer degrees of freedom within the releases of a laboratory don't say how much its runs differ.
const LEAST_DF: f64 = 5.0;

/// Noise between units of evidence in one epoch.
pub(super) fn noise_of(measured: &[&Measured], field: bool) -> Option<Noise> {
    let mut by_release: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
    for m in measured {
        by_release.entry(m.release).or_default().push(m.value);
    }
    let releases: Vec<&[f64]> = by_release.values().map(Vec::as_slice).collect();
    runs::history_noise(&releases, if field { 0.0 } else { LEAST_DF })
}

/// The pinned and the rolling reference, as far as they were measured the same way.
pub(super) fn references(
    record: &Record,
    tracked: &Tracked,
    subject: &Subject<'_>,
    same_epoch: &[&Measured],
) -> Vec<(&'static str, String, Vec<Measured>, Option<String>)> {
    let of = |rank: usize| -> Vec<Measured> {
        same_epoch
            .iter()
            .filter(|m| m.release == rank)
            .map(|m| (*m).clone())
            .collect()
    };
    let name = |rank: usize| record.releases[rank].name.clone();
    let mut found = Vec::new();
    let earlier: Vec<usize> = same_epoch
        .iter()
        .map(|m| m.release)
        .filter(|rank| *rank < subject.rank)
        .collect();
    if let Some(pinned) = record.config.reference_of(&tracked.flow)
        && let Some(rank) = record.rank(&pinned.release)
        && rank < subject.rank
    {
        let own = of(rank);
        if !own.is_empty() {
            found.push(("pinned", pinned.release.clone(), own, None));
        } else if let Some(first) = earlier.iter().min() {
            let remark = format!(
                "{} was measured differently or not at all, so {} stands for it",
                pinned.release,
                name(*first)
            );
            found.push(("pinned", name(*first), of(*first), Some(remark)));
        }
    }
    if let Some(last) = earlier.iter().max()
        && !found.iter().any(|(_, release, ..)| *release == name(*last))
    {
        found.push(("rolling", name(*last), of(*last), None));
    }
    found
}
