//! A gate's answer: gathers the evidence for each rule of each gated flow, lets the statistics decide, and stores the
//! verdict with everything it rests on.

mod checks;
mod gathered;
mod margins;

use std::collections::BTreeMap;

use collectors::report::Source;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::config::{Gate, utc_date};
use crate::record::{Record, Tracked};
use crate::stats::gate::{Verdict, check_confidence};
use crate::stats::wording::Scale;
use crate::stats::{CONFIDENCE, Interval, Needs};
use crate::store::{Id, Store, StoreError, StoredVerdict};

use gathered::{Gathered, Subject, Unmeasured, gather, unmeasured, values};
pub use margins::what_margins_need;

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
    let unmeasured = unmeasured(record, gate, &subject, &gathered);
    let evidence = digest(gate, release, &gathered, &unmeasured);
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
        .chain(unmeasured.iter().map(Unmeasured::check))
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

/// The unit in which a series' values were sent, for answers to programs.
pub fn native_unit(tracked: &Tracked) -> collectors::units::Unit {
    let series = &tracked.series;
    collectors::units::unit(&series.unit, &series.metric, series.source)
}

/// The scale in which people read values of this size.
pub fn scale_of(tracked: &Tracked, typical: f64) -> Scale<'static> {
    use crate::wording::unit::Unit;
    let unit = Unit::from_stored(&tracked.series.dimension).unwrap_or(Unit::Millionths);
    let scale = unit.scale_for(typical);
    Scale {
        factor: 1.0 / scale.base_units,
        symbol: scale.symbol,
    }
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
fn digest(
    gate: &Gate,
    release: &str,
    gathered: &[Gathered<'_>],
    unmeasured: &[Unmeasured<'_>],
) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(format!("{gate:?}\0{release}\0{unmeasured:?}\0"));
    for one in gathered {
        let sides: Vec<(&str, &String, Vec<f64>)> = one
            .references
            .iter()
            .map(|(kind, release, measured, _)| (*kind, release, values(measured)))
            .collect();
        let judged = one
            .judged_at(CONFIDENCE)
            .map(|(value, samples, runs)| (value.ok(), samples, runs));
        let line = json!({
            "series": one.tracked.id.to_string(),
            "budget": format!("{:?}{:?}", one.budget, one.waiver),
            "counts": one.counts,
            "candidate": values(&one.candidate),
            "references": sides,
            "otherwise": one.otherwise,
            "noise": one.noise.map(|noise| (noise.sd_log, noise.df)),
            "judged": judged,
            "fresh": one.fresh,
            "bleeds": one.bleeds,
        });
        hash.update(line.to_string());
    }
    hash.finalize().into()
}
