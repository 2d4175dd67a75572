//! From a collected report to what the journal takes: identities settled, units converted, once.

use std::collections::BTreeMap;

use collectors::report::{
    Basis, Beacon, Buckets, Context, Observation, Payload, Report, Samples, Source,
};
use collectors::units::{self, Dimension, Unit};

use crate::store::{Delta, Id, Release, Run, Series, Stratum, Summary, Values};

/// The testbed of senders that name none.
pub const DEFAULT_TESTBED: &str = "default";
/// A clock may run this far ahead of ours before its times are refused, microseconds: a day.
const FUTURE_US: i64 = 86_400_000_000;

/// What the sender says of an upload, besides the file itself; its words win over the file's.
#[derive(Debug, Clone, Default)]
pub struct Sender {
    /// Release, run, testbed and so on.
    pub context: Context,
    /// One flow for all measurements of the file.
    pub flow: Option<String>,
    /// Labels for all measurements.
    pub labels: BTreeMap<String, String>,
    /// The project's main branch.
    pub main_branch: String,
    /// SHA-256 of the content, in hexadecimal: names a run that nobody named.
    pub content: String,
    /// Now, microseconds.
    pub received_us: i64,
}

/// An upload, ready for the journal.
#[derive(Debug, Clone, Default)]
pub struct Intake {
    /// Every series that has data, once.
    pub series: Vec<Series>,
    /// The run, for lab sources.
    pub run: Option<Run>,
    /// The release, where one was named.
    pub release: Option<Release>,
    /// The measurements.
    pub deltas: Vec<Delta>,
    /// How many values they hold.
    pub samples: u64,
    /// Values that have no place at rest, by reason.
    pub dropped: BTreeMap<&'static str, u64>,
}

/// Why an upload can't be placed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IntakeError {
    /// Benchmarks and load tests measure a release; name it.
    #[error("no release: say which release or commit was measured (release=… or commit=…)")]
    NoRelease,
    /// The time lies more than a day ahead of the server's clock; check the sender's clock.
    #[error("time lies more than 24 h in the future; check the sender's clock")]
    Future,
}

/// Settles a report's identities and converts its values.
///
/// # Errors
/// Nothing is half done: an upload that names no release although its source needs one, or lies in the future, is
/// refused whole.
pub fn intake(report: &Report, sender: &Sender) -> Result<Intake, IntakeError> {
    let context = merged(&report.context, &sender.context);
    let source = context.source.unwrap_or_else(|| report.format.source());
    let field = matches!(source, Source::Rum | Source::Telemetry);
    let time_us = context.time_us.unwrap_or(sender.received_us);
    if time_us > sender.received_us + FUTURE_US {
        return Err(IntakeError::Future);
    }
    let release_name = context.release.clone().or_else(|| context.commit.clone());
    if release_name.is_none() && !field {
        return Err(IntakeError::NoRelease);
    }
    let name = release_name.unwrap_or_default();
    let on_main = context.pr.is_none()
        && context
            .branch
            .as_ref()
            .is_none_or(|branch| *branch == sender.main_branch);
    let run = (!field).then(|| Run {
        name: context
            .run
            .clone()
            .unwrap_or_else(|| sender.content.chars().take(16).collect()),
        source,
        testbed: testbed(&context),
        release: name.clone(),
        commit: context.commit.clone(),
        branch: context.branch.clone(),
        pull_request: context.pr.clone(),
        on_main,
        workload: context.workload.clone(),
        harness: context.harness.clone(),
        fingerprint: context.fingerprint.clone(),
        started_us: time_us,
        received_us: sender.received_us,
        excluded: None,
    });
    let release = (!name.is_empty()).then(|| Release {
        name: name.clone(),
        commit: context.commit.clone(),
        parent: context.parent.clone(),
        branch: context.branch.clone(),
        on_main,
        time_us,
        declared: false,
        note: None,
    });
    let run_id = run.as_ref().map(Run::id);
    let mut taken = Intake {
        run,
        release,
        ..Intake::default()
    };
    let mut known: BTreeMap<Id, usize> = BTreeMap::new();
    for observation in &report.observations {
        let series = series_of(report, observation, sender, &context, source);
        let unit = units::unit(&observation.unit, &observation.metric, source);
        let Some((values, dropped)) = values_of(observation, unit, &mut taken) else {
            continue;
        };
        let id = series.id();
        known.entry(*id.id()).or_insert_with(|| {
            taken.series.push(series);
            taken.series.len() - 1
        });
        taken.deltas.push(Delta {
            series: id,
            release: name.clone(),
            run: run_id.map(Into::into),
            time_us: observation.time_us.unwrap_or(time_us),
            stratum: stratum_of(observation.beacon.as_ref()),
            values,
            failed: observation.failed,
            dropped: dropped + observation.dropped,
        });
    }
    Ok(taken)
}

fn testbed(context: &Context) -> String {
    context
        .testbed
        .clone()
        .unwrap_or_else(|| DEFAULT_TESTBED.to_owned())
}

/// The sender's words over the file's, field by field.
fn merged(file: &Context, sender: &Context) -> Context {
    fn first<T: Clone>(sender: &Option<T>, file: &Option<T>) -> Option<T> {
        sender.clone().or_else(|| file.clone())
    }
    let mut fingerprint = file.fingerprint.clone();
    let told = &sender.fingerprint;
    fingerprint.os = first(&told.os, &fingerprint.os);
    fingerprint.arch = first(&told.arch, &fingerprint.arch);
    fingerprint.cpu = first(&told.cpu, &fingerprint.cpu);
    fingerprint.tool = first(&told.tool, &fingerprint.tool);
    fingerprint.runtime = first(&told.runtime, &fingerprint.runtime);
    Context {
        source: first(&sender.source, &file.source),
        release: first(&sender.release, &file.release),
        commit: first(&sender.commit, &file.commit),
        parent: first(&sender.parent, &file.parent),
        branch: first(&sender.branch, &file.branch),
        pr: first(&sender.pr, &file.pr),
        testbed: first(&sender.testbed, &file.testbed),
        run: first(&sender.run, &file.run),
        workload: first(&sender.workload, &file.workload),
        harness: first(&sender.harness, &file.harness),
        time_us: first(&sender.time_us, &file.time_us),
        fingerprint,
    }
}

fn series_of(
    report: &Report,
    observation: &Observation,
    sender: &Sender,
    context: &Context,
    source: Source,
) -> Series {
    let mut labels = observation.labels.clone();
    labels.extend(sender.labels.clone());
    if let Some(beacon) = &observation.beacon {
        // The navigation class is a stratum; what was restored or soft is no page load and stays apart.
        labels.retain(|name, _| name != "navigationType" && name != "navigation");
        if let Some(device) = &beacon.device {
            labels.insert("device".into(), device.clone());
        }
        match beacon.navigation.as_deref() {
            Some("back-forward-cache") => labels.insert("navigation".into(), "restored".into()),
            Some("soft-navigation") => labels.insert("navigation".into(), "soft".into()),
            _ => None,
        };
    }
    Series {
        flow_name: sender
            .flow
            .clone()
            .unwrap_or_else(|| observation.flow.clone()),
        metric: units::metric_name(report.format, &observation.metric),
        unit: observation.unit.clone(),
        dimension: units::unit(&observation.unit, &observation.metric, source)
            .dimension
            .name()
            .to_owned(),
        source,
        testbed: testbed(context),
        basis: observation.basis,
        labels,
        direction: observation.direction,
    }
}

fn stratum_of(beacon: Option<&Beacon>) -> Stratum {
    let Some(beacon) = beacon else {
        return Stratum::whole();
    };
    Stratum {
        rate_ppm: beacon.sampling_ppm.clamp(1, 1_000_000),
        device: beacon.device.clone().unwrap_or_default(),
        country: "unknown".into(),
        navigation: beacon.navigation.clone().unwrap_or_default(),
    }
}

/// The values in base units and how many had no place; none when nothing is left.
fn values_of(observation: &Observation, unit: Unit, taken: &mut Intake) -> Option<(Values, u64)> {
    let mut dropped = 0;
    let mut base = |native: f64, weight: u64| match unit.to_base(native) {
        Ok(value) => Some(value),
        Err(reason) => {
            dropped += weight;
            *taken.dropped.entry(reason_word(reason)).or_default() += weight;
            None
        }
    };
    let values = match &observation.payload {
        Payload::Samples(Samples { values, .. }) => {
            let kept: Vec<u64> = values.iter().filter_map(|value| base(*value, 1)).collect();
            taken.samples += kept.len() as u64;
            (!kept.is_empty()).then_some(Values::Raw(kept))
        }
        Payload::Scalar(scalar) => match &observation.beacon {
            Some(beacon) => base(scalar.value, 1).map(|value| {
                taken.samples += 1;
                if beacon.id.is_empty() {
                    Values::Raw(vec![value])
                } else {
                    Values::Report {
                        id: format!("{} {}", beacon.id, observation.metric),
                        sequence: beacon.sequence,
                        value,
                    }
                }
            }),
            None => {
                taken.samples += 1;
                Some(Values::Exact(unit.to_base_exactly(scalar.value)))
            }
        },
        Payload::Buckets(buckets) => buckets_of(buckets, unit, &mut base).inspect(|values| {
            taken.samples += match values {
                Values::Pairs(pairs) => pairs.iter().map(|(_, count)| count).sum(),
                Values::Explicit { counts, .. } => counts.iter().sum::<u64>(),
                _ => 0,
            };
        }),
        Payload::Summary(summary) => Some(Values::Summary(Summary {
            headline: summary
                .headline_value()
                .map(|value| unit.to_base_exactly(value)),
            count: summary.count,
            stddev: summary.stddev.map(|value| unit.to_base_exactly(value)),
            reported: summary.reported.clone(),
        })),
    };
    values.map(|values| (values, dropped))
}

fn buckets_of(
    buckets: &Buckets,
    unit: Unit,
    base: &mut impl FnMut(f64, u64) -> Option<u64>,
) -> Option<Values> {
    match buckets {
        Buckets::Hdr {
            histogram,
            unit_ratio,
            ..
        } => {
            let mut scaled = collectors::histogram::Histogram::new();
            for (lower, upper, count) in histogram.buckets() {
                let middle = (lower as f64 + upper as f64) / 2.0 * unit_ratio;
                if let Some(value) = base(middle, count) {
                    // Counts were checked when the payload was decoded; their sum fits.
                    let _ = scaled.record_n(value, count);
                }
            }
            (!scaled.is_empty()).then(|| Values::Pairs(scaled.pairs().to_vec()))
        }
        Buckets::Explicit { bounds, counts, .. } => Some(Values::Explicit {
            bounds: bounds.iter().map(|b| unit.to_base_exactly(*b)).collect(),
            counts: counts.clone(),
        }),
        Buckets::Spectrum { rows, .. } => {
            let mut counts: Vec<u64> = rows.iter().map(|(_, count)| *count).collect();
            counts.push(0);
            Some(Values::Explicit {
                bounds: rows
                    .iter()
                    .map(|(edge, _)| unit.to_base_exactly(*edge))
                    .collect(),
                counts,
            })
        }
    }
}

fn reason_word(reason: units::Unstorable) -> &'static str {
    match reason {
        units::Unstorable::Negative => "negative",
        units::Unstorable::NotFinite => "not_finite",
        units::Unstorable::TooLarge => "too_large",
    }
}

/// Whether percentiles of operations can be given for a basis; of the others a median with a range between runs.
pub fn has_percentiles(basis: Basis) -> bool {
    basis == Basis::Op
}

/// A dimension as stored, parsed; what does not parse counts as unitless.
pub fn dimension(text: &str) -> Dimension {
    text.parse().unwrap_or(Dimension::Ppm)
}
