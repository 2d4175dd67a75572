//! A gate's answer: gathers the evidence for each rule of each gated flow, lets the statistics decide, and stores the
//! verdict with everything it rests on.

use std::collections::BTreeMap;

use collectors::report::Source;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::config::{Budget, Enforcement, Gate, Waiver, utc_date};
use crate::record::{CONFIDENCE, DAY_US, Measured, Record, Tracked};
use crate::stats::gate::{self, Decision, Rule, Verdict, check_confidence};
use crate::stats::runs::{self, Noise};
use crate::stats::wording::Scale;
use crate::stats::{Interval, Needs};
use crate::store::{Id, Store, StoreError, StoredVerdict};

/// One side of a check, in the series' native unit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Side {
    /// The value.
    pub value: f64,
    /// Lower end of its range.
    pub lower: f64,
    /// Upper end of its range.
    pub upper: f64,
    /// Samples behind it.
    pub samples: u64,
    /// Runs (or days of field data) behind it.
    pub runs: u64,
}

/// What a check compares with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reference {
    /// `pinned` by a person, or `rolling`: the release before.
    pub kind: String,
    /// The release.
    pub release: String,
    /// Its value, where it has one.
    #[serde(flatten)]
    pub side: Option<Side>,
}

/// One rule held against one series.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Check {
    /// The flow.
    pub flow: String,
    /// The series' id.
    pub series: String,
    /// Metric, for people.
    pub metric: String,
    /// Labels, for people.
    pub labels: BTreeMap<String, String>,
    /// Where measured.
    pub source: Source,
    /// The budget that brings the series under the gate.
    pub budget: String,
    /// `budget`, `regression`, `bleed` or `freshness`.
    pub rule: String,
    /// The percentile (75), or none for the runs' median.
    pub percentile: Option<f64>,
    /// The answer.
    pub verdict: Verdict,
    /// Whether it counts: only budgets that `verify` do.
    pub counts: bool,
    /// The release's side.
    pub candidate: Option<Side>,
    /// The other side, for comparisons.
    pub reference: Option<Reference>,
    /// The change in per cent with its range, as measured.
    pub change_pct: Option<Interval>,
    /// The value that is still allowed, native unit.
    pub limit: Option<f64>,
    /// The allowed change in per cent, for comparisons.
    pub margin_pct: Option<f64>,
    /// Unit of all values.
    pub unit: String,
    /// A sentence that says why.
    pub reason: String,
    /// What would settle it.
    pub needs: Option<Needs>,
}

/// A waiver that changed what was allowed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WaiverUsed {
    /// The budget.
    pub budget: String,
    /// How much worse is accepted.
    pub ceiling: String,
    /// Last day, UTC.
    pub until: String,
    /// Who answers for it.
    pub owner: String,
    /// Why.
    pub reason: String,
}

/// A gate's whole answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// Its id.
    pub id: String,
    /// The gate.
    pub gate: String,
    /// The release asked about.
    pub release: String,
    /// The answer.
    pub verdict: Verdict,
    /// Joint confidence of all checks.
    pub confidence: f64,
    /// Every check, those that stop the release first.
    pub checks: Vec<Check>,
    /// Waivers in force.
    pub waivers: Vec<WaiverUsed>,
    /// What it rests on.
    pub evidence: Evidence,
    /// What to do when it is inconclusive: `block` or `warn`.
    pub on_inconclusive: String,
    /// When it was first given, RFC 3339.
    pub asked: String,
    /// Its page.
    pub url: String,
}

/// What a verdict rests on, so that it can be reproduced.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Evidence {
    /// Run ids.
    pub runs: Vec<String>,
    /// Field windows as `series/day`.
    pub windows: Vec<String>,
}

/// Why a gate can't be asked.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// The configuration declares no such gate.
    #[error("no gate {0:?} is declared")]
    NoGate(String),
    /// Nobody ever told of that release.
    #[error("no release {0:?} on the main branch is known")]
    NoRelease(String),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Asks a gate about a release. The same evidence gives the same stored verdict.
///
/// # Errors
/// [`AskError`] when the gate or the release is not known, or the store fails.
pub async fn ask(
    store: &Store,
    record: &Record,
    gate: &str,
    release: &str,
    url: &str,
    now_us: i64,
) -> Result<Answer, AskError> {
    let gate = record
        .config
        .gate(gate)
        .ok_or_else(|| AskError::NoGate(gate.to_owned()))?;
    let rank = record
        .rank(release)
        .ok_or_else(|| AskError::NoRelease(release.to_owned()))?;
    let subject = Subject::new(record, rank, now_us);
    let gathered = gather(store, record, gate, &subject).await?;
    let looks = store.looks(&record.project, &gate.name, release).await?;
    let evidence = digest(gate, release, &gathered);
    if let Some(known) = store
        .verdict_on(&record.project, &gate.name, release, &evidence)
        .await?
    {
        return decode(&known).map_err(AskError::from);
    }
    let tests: usize = gathered.iter().map(Gathered::tests).sum();
    let confidence = check_confidence(gate.confidence, tests, looks + 1);
    let mut checks: Vec<Check> = gathered
        .iter()
        .flat_map(|one| one.checks(gate, confidence, &subject))
        .collect();
    checks.sort_by_key(|check| (!check.counts, std::cmp::Reverse(check.verdict)));
    let verdict = Verdict::of_all(checks.iter().filter(|c| c.counts).map(|c| c.verdict));
    let id = Id::new();
    let answer = Answer {
        id: id.to_string(),
        gate: gate.name.clone(),
        release: release.to_owned(),
        verdict,
        confidence: gate.confidence,
        waivers: waivers_of(&gathered),
        evidence: evidence_of(&gathered),
        checks,
        on_inconclusive: gate.on_inconclusive.as_str().to_owned(),
        asked: rfc3339(now_us),
        url: format!("{url}/gates/{}/verdicts/{id}", gate.name),
    };
    let stored = StoredVerdict {
        id,
        gate: gate.name.clone(),
        release: release.to_owned(),
        evidence_sha256: evidence,
        verdict: word_of(verdict).to_owned(),
        body: serde_json::to_string(&answer).map_err(|e| StoreError::Corrupt(e.to_string()))?,
        created_us: now_us,
    };
    Ok(decode(
        &store.store_verdict(&record.project, stored).await?,
    )?)
}

/// A stored verdict's answer.
pub fn decode(stored: &StoredVerdict) -> Result<Answer, StoreError> {
    serde_json::from_str(&stored.body).map_err(|error| StoreError::Corrupt(error.to_string()))
}

/// `pass`, `fail` or `inconclusive`.
pub fn word_of(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "pass",
        Verdict::Fail => "fail",
        Verdict::Inconclusive => "inconclusive",
    }
}

fn rfc3339(us: i64) -> String {
    jiff::Timestamp::from_microsecond(us)
        .map(|time| time.to_string())
        .unwrap_or_default()
}

/// The release that is asked about, and the moment that counts as now for it.
struct Subject<'a> {
    name: &'a str,
    rank: usize,
    /// Now for the newest release; for a past one, the moment at which the next one came.
    until_us: i64,
}

impl<'a> Subject<'a> {
    fn new(record: &'a Record, rank: usize, now_us: i64) -> Self {
        Subject {
            name: &record.releases[rank].name,
            rank,
            until_us: record
                .releases
                .get(rank + 1)
                .map_or(now_us, |next| next.time_us.min(now_us)),
        }
    }
}

/// The evidence on one series under one budget.
struct Gathered<'a> {
    tracked: &'a Tracked,
    budget: &'a Budget,
    waiver: Option<&'a Waiver>,
    counts: bool,
    q: Option<f64>,
    /// Measurements of the release.
    candidate: Vec<Measured>,
    /// What they are compared with: kind, release, measurements, and a remark where it was not the one asked for.
    references: Vec<(&'static str, String, Vec<Measured>, Option<String>)>,
    noise: Option<Noise>,
    /// The value that the budget judges, with how many samples and units stand behind it.
    judged: Option<(Result<Interval, Needs>, u64, u64)>,
    age_us: Option<i64>,
    fresh: bool,
    /// Sentences of open bleeds.
    bleeds: Vec<String>,
}

async fn gather<'a>(
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
                            finding.evidence["sentence"]
                                .as_str()
                                .unwrap_or("a slow bleed is open")
                                .to_owned()
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
        let newest = if field {
            known.last().map(|m| m.time_us + DAY_US - 1)
        } else {
            self.candidate.iter().map(|m| m.time_us).max()
        };
        self.age_us = newest.map(|newest| (subject.until_us - newest).max(0));
        self.fresh = self.age_us.is_some_and(|age| age <= gate.fresh.micros());
        self.judged = if field {
            self.judged_days(store, record, subject).await?
        } else {
            self.judged_runs()
        };
        Ok(())
    }

    /// Field budgets judge all traffic of their window up to the moment that counts.
    async fn judged_days(
        &self,
        store: &Store,
        record: &Record,
        subject: &Subject<'_>,
    ) -> Result<Option<(Result<Interval, Needs>, u64, u64)>, StoreError> {
        let days = i64::from(self.budget.window.days().unwrap_or(28));
        let merged = record
            .merged_days(
                store,
                self.tracked,
                subject.until_us - days * DAY_US,
                subject.until_us,
            )
            .await?;
        Ok(merged.and_then(|window| {
            let value = window.body.as_ref()?.percentile(self.q?);
            Some((value, window.count, days as u64))
        }))
    }

    fn judged_runs(&self) -> Option<(Result<Interval, Needs>, u64, u64)> {
        if self.candidate.is_empty() {
            return None;
        }
        let values = values(&self.candidate);
        let value = match &self.noise {
            Some(noise) => runs::statistic_with(&values, noise, CONFIDENCE),
            None => runs::statistic(&values, CONFIDENCE),
        };
        Some((value, samples(&self.candidate), values.len() as u64))
    }

    /// How many statistical tests it takes part in.
    fn tests(&self) -> usize {
        if self.counts {
            1 + self.references.len()
        } else {
            0
        }
    }

    fn checks(&self, gate: &Gate, confidence: f64, subject: &Subject<'_>) -> Vec<Check> {
        let typical = self
            .candidate
            .last()
            .map_or_else(|| self.limit(), |m| Some(m.value))
            .unwrap_or(0.0);
        let scale = scale_of(self.tracked, typical);
        let fresh = gate::freshness(self.age_us, gate.fresh.micros());
        if !self.fresh {
            // Without fresh data nothing else can be said, and silence is never a pass.
            let mut check = self.check("freshness", &fresh);
            if !self.tracked.series.is_field() && self.candidate.is_empty() {
                check.reason = format!(
                    "no run of {} yet; a release is judged by its own runs",
                    subject.name
                );
                check.needs = Some(Needs::runs(1));
            }
            return vec![check];
        }
        let mut checks = vec![self.budget_check(scale)];
        if self.counts {
            checks.push(self.check("freshness", &fresh));
        }
        for (kind, release, measured, remark) in &self.references {
            checks.push(self.comparison(gate, confidence, scale, kind, release, measured, remark));
        }
        for sentence in &self.bleeds {
            let mut check = self.check(
                "bleed",
                &Decision {
                    verdict: Verdict::Fail,
                    candidate: None,
                    reference: None,
                    change_pct: None,
                    allowed: 0.0,
                    needs: None,
                    reason: format!("{sentence}; the bleed is still open"),
                },
            );
            check.limit = None;
            if self.waiver.is_some() {
                check.verdict = Verdict::Pass;
                check.reason = format!("{sentence}; waived up to its ceiling");
            }
            checks.push(check);
        }
        checks
    }

    fn limit(&self) -> Option<f64> {
        let limit = self
            .waiver
            .map_or(&self.budget.limit, |waiver| &waiver.ceiling);
        limit.to_base(self.tracked.dimension).ok()
    }

    fn budget_check(&self, scale: Scale<'_>) -> Check {
        let (value, samples, runs) = self.judged.unwrap_or((Err(Needs::default()), 0, 0));
        let decision = match self.limit() {
            Some(limit) => gate::budget(value, limit, self.tracked.direction, scale),
            None => Decision {
                verdict: Verdict::Inconclusive,
                candidate: value.ok(),
                reference: None,
                change_pct: None,
                allowed: 0.0,
                needs: None,
                reason: format!(
                    "the budget's unit does not fit what {} measures",
                    self.tracked.series.metric
                ),
            },
        };
        let mut check = self.check("budget", &decision);
        check.candidate = value
            .ok()
            .map(|interval| self.side(&interval, samples, runs));
        check.limit = self.limit().map(|limit| self.native(limit));
        check
    }

    #[expect(clippy::too_many_arguments, reason = "one comparison's whole context")]
    fn comparison(
        &self,
        gate: &Gate,
        confidence: f64,
        scale: Scale<'_>,
        kind: &str,
        release: &str,
        measured: &[Measured],
        remark: &Option<String>,
    ) -> Check {
        let minimum = gate
            .minimum
            .as_ref()
            .and_then(|minimum| minimum.to_base(self.tracked.dimension).ok())
            .unwrap_or(0.0);
        let rule = Rule {
            direction: self.tracked.direction,
            margin_pct: 100.0 * gate.margin.fraction(),
            minimum,
            confidence,
        };
        let (ours, theirs) = (values(&self.candidate), values(measured));
        let decision = gate::regression(&ours, &theirs, self.noise.as_ref(), &rule, scale);
        let mut check = self.check("regression", &decision);
        check.margin_pct = Some(decision.allowed);
        check.candidate = decision
            .candidate
            .map(|i| self.side(&i, samples(&self.candidate), ours.len() as u64));
        check.limit = decision.reference.map(|reference| {
            let sign = if self.tracked.direction == crate::stats::Direction::Higher {
                -1.0
            } else {
                1.0
            };
            self.native(reference.value * (1.0 + sign * decision.allowed / 100.0))
        });
        check.reference = Some(Reference {
            kind: kind.to_owned(),
            release: release.to_owned(),
            side: decision
                .reference
                .map(|i| self.side(&i, samples(measured), theirs.len() as u64)),
        });
        if let Some(remark) = remark {
            check.reason = format!("{} ({remark})", check.reason);
        }
        check
    }

    fn check(&self, rule: &str, decision: &Decision) -> Check {
        let series = &self.tracked.series;
        Check {
            flow: self.tracked.flow.clone(),
            series: self.tracked.id.to_string(),
            metric: series.metric.clone(),
            labels: series.labels.clone(),
            source: series.source,
            budget: self.budget.id.clone(),
            rule: rule.to_owned(),
            percentile: self.q.map(|q| q * 100.0),
            verdict: decision.verdict,
            counts: self.counts,
            candidate: None,
            reference: None,
            change_pct: decision.change_pct,
            limit: None,
            margin_pct: None,
            unit: series.unit.clone(),
            reason: decision.reason.clone(),
            needs: decision.needs,
        }
    }

    fn native(&self, base: f64) -> f64 {
        native_unit(self.tracked).to_native(base)
    }

    fn side(&self, interval: &Interval, samples: u64, runs: u64) -> Side {
        Side {
            value: self.native(interval.value),
            lower: self.native(interval.lower),
            upper: self.native(interval.upper),
            samples,
            runs,
        }
    }
}

/// The unit in which a series' values were sent, for answers to programs.
pub fn native_unit(tracked: &Tracked) -> collectors::units::Unit {
    let series = &tracked.series;
    collectors::units::unit(&series.unit, &series.metric, series.source)
}

/// The scale in which people read values of this size.
pub fn scale_of(tracked: &Tracked, typical: f64) -> Scale<'static> {
    use crate::http::wording::unit::Unit;
    let unit = Unit::from_stored(&tracked.series.dimension).unwrap_or(Unit::Millionths);
    let scale = unit.scale_for(typical);
    Scale {
        factor: 1.0 / scale.base_units,
        symbol: scale.symbol,
    }
}

fn values(measured: &[Measured]) -> Vec<f64> {
    measured.iter().map(|m| m.value).collect()
}

fn samples(measured: &[Measured]) -> u64 {
    measured.iter().map(|m| m.count).sum()
}

/// Noise between units of evidence in one epoch: within releases where they have several, else between neighbours.
fn noise_of(measured: &[&Measured], field: bool) -> Option<Noise> {
    let mut by_release: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
    for m in measured {
        by_release.entry(m.release).or_default().push(m.value);
    }
    let slices: Vec<&[f64]> = by_release.values().map(Vec::as_slice).collect();
    runs::pooled_noise(&slices)
        .filter(|noise| field || noise.df >= 5.0)
        .or_else(|| {
            let all: Vec<f64> = measured.iter().map(|m| m.value).collect();
            runs::successive_noise(&all)
        })
}

/// The pinned and the rolling reference, as far as they were measured the same way.
fn references(
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

fn waivers_of(gathered: &[Gathered<'_>]) -> Vec<WaiverUsed> {
    let mut used: Vec<WaiverUsed> = gathered
        .iter()
        .filter_map(|one| one.waiver)
        .map(|waiver| WaiverUsed {
            budget: waiver.budget.clone(),
            ceiling: waiver.ceiling.to_string(),
            until: waiver.until.to_string(),
            owner: waiver.owner.clone(),
            reason: waiver.reason.clone(),
        })
        .collect();
    used.dedup();
    used
}

fn evidence_of(gathered: &[Gathered<'_>]) -> Evidence {
    let mut evidence = Evidence::default();
    for one in gathered {
        let compared = one
            .references
            .iter()
            .flat_map(|(_, _, measured, _)| measured);
        for measured in one.candidate.iter().chain(compared) {
            match measured.run {
                Some(run) => evidence.runs.push(run.to_string()),
                None => evidence.windows.push(format!(
                    "{}/{}",
                    one.tracked.id,
                    utc_date(measured.time_us)
                )),
            }
        }
    }
    evidence.runs.sort();
    evidence.runs.dedup();
    evidence.windows.sort();
    evidence.windows.dedup();
    evidence
}

/// A hash over everything that decides: rules, measurements, whether data are fresh, open bleeds.
fn digest(gate: &Gate, release: &str, gathered: &[Gathered<'_>]) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(format!("{gate:?}\0{release}\0"));
    for one in gathered {
        let sides: Vec<(&str, &String, Vec<f64>)> = one
            .references
            .iter()
            .map(|(kind, release, measured, _)| (*kind, release, values(measured)))
            .collect();
        let judged = one
            .judged
            .map(|(value, samples, runs)| (value.ok(), samples, runs));
        let line = json!({
            "series": one.tracked.id.to_string(),
            "budget": format!("{:?}{:?}", one.budget, one.waiver),
            "counts": one.counts,
            "candidate": values(&one.candidate),
            "references": sides,
            "noise": one.noise.map(|noise| (noise.sd_log, noise.df)),
            "judged": judged,
            "fresh": one.fresh,
            "bleeds": one.bleeds,
        });
        hash.update(line.to_string());
    }
    hash.finalize().into()
}

/// What each gate's margin needs, in words: how noisy its series are, and how many runs settle it.
pub async fn what_margins_need(store: &Store, record: &Record) -> Result<Vec<String>, StoreError> {
    let mut words = Vec::new();
    for gate in &record.config.gates {
        let margin_pct = 100.0 * gate.margin.fraction();
        for flow in &gate.flows {
            for tracked in record.series_of(flow).filter(|t| !t.series.is_field()) {
                if record.budgets(tracked).is_empty() {
                    continue;
                }
                let q = record.watched(tracked);
                let measured = record.measured(store, tracked, q).await?;
                let all: Vec<&Measured> = measured.iter().collect();
                let Some(noise) = noise_of(&all, false) else {
                    continue;
                };
                let newest = measured.last().map_or(0, |m| m.release);
                let sent = measured.iter().filter(|m| m.release == newest).count() as u32;
                let settles =
                    gate::smallest_margin_pct(&noise, sent.max(1), sent.max(1), gate.confidence);
                let needed = gate::runs_needed(&noise, margin_pct, gate.confidence).map_or_else(
                    || format!("more than {} runs", gate::MOST_RUNS),
                    |runs| crate::stats::wording::plural(u64::from(runs), "run"),
                );
                words.push(format!(
                    "gate {}, {flow} {}: at {:.1} % noise the margin of {} takes {needed} a release; you send {sent}, which settles {:.1} %",
                    gate.name,
                    tracked.series.metric,
                    100.0 * noise.sd_log,
                    crate::stats::wording::percent(margin_pct),
                    settles,
                ));
            }
        }
    }
    Ok(words)
}
