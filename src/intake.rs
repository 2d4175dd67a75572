//! From a collected report to what the journal takes: identities settled, units converted, once.

use std::collections::BTreeMap;
use std::sync::Arc;

use collectors::report::{Beacon, Context, Observation, Payload, Report, Source};
use collectors::units::{self, Dimension};
use collectors::{AtRest, at_rest};

use crate::store::{
    Delta, Id, Origin, Release, ReportId, Run, Series, SeriesId, Stratum, Summary, Values,
};

/// The testbed of senders that name none.
pub const DEFAULT_TESTBED: &str = "default";
/// A clock may run this far ahead of ours before its times are refused, microseconds: a day.
const FUTURE_US: i64 = 86_400_000_000;
/// Values that one measurement may count: a million a second for twelve days. Sixteen million like it still add up.
const COUNT_MAX: u64 = 1 << 40;

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
    /// A measurement counts more than 2^40 values, so that a few like it could not be added up; no tool records so many.
    #[error("a measurement counts more than 2^40 values; no tool records so many")]
    TooMany,
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
        let id = series.id();
        let Some((values, dropped)) = values_of(observation, id, source, &mut taken)? else {
            continue;
        };
        known.entry(*id.id()).or_insert_with(|| {
            taken.series.push(series);
            taken.series.len() - 1
        });
        taken.deltas.push(Delta {
            origin: Arc::new(Origin {
                series: id,
                release: name.clone(),
                run: run_id.map(Into::into),
                stratum: stratum_of(observation.beacon.as_ref()),
            }),
            time_us: observation.time_us.unwrap_or(time_us),
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
fn values_of(
    observation: &Observation,
    id: SeriesId,
    source: Source,
    taken: &mut Intake,
) -> Result<Option<(Values, u64)>, IntakeError> {
    let (_, rest) = at_rest(observation, source).map_err(|_| IntakeError::TooMany)?;
    let (values, samples, dropped) = match rest {
        AtRest::Histogram {
            histogram,
            out_of_range,
        } => {
            let samples = histogram.count();
            (Values::Pairs(histogram.into_pairs()), samples, out_of_range)
        }
        AtRest::Explicit { bounds, counts, .. } => {
            let samples = counts.iter().fold(0, |sum: u64, n| sum.saturating_add(*n));
            (Values::Explicit { bounds, counts }, samples, 0)
        }
        AtRest::Scalar(value) => match &observation.beacon {
            Some(beacon) if !beacon.id.is_empty() => {
                let report = Values::Report {
                    id: ReportId::of(id, &beacon.id, &observation.metric),
                    sequence: beacon.sequence,
                    value,
                };
                (report, 1, 0)
            }
            Some(_) => (Values::Raw(vec![value]), 1, 0),
            None => (Values::Exact(value as f64), 1, 0),
        },
        AtRest::Summary {
            headline,
            stddev,
            count,
        } => {
            let summary = Summary {
                headline,
                count,
                stddev,
                reported: reported(&observation.payload),
            };
            (Values::Summary(summary), 0, 0)
        }
    };
    let counted = match &values {
        Values::Summary(summary) => summary.count.unwrap_or(0),
        _ => samples,
    };
    let counts = [counted, dropped, observation.failed, observation.dropped];
    if counts.into_iter().any(|count| count > COUNT_MAX) {
        return Err(IntakeError::TooMany);
    }
    taken.samples += samples;
    if dropped > 0 {
        *taken.dropped.entry("out_of_range").or_default() += dropped;
    }
    let empty = matches!(&values, Values::Pairs(pairs) if pairs.is_empty());
    Ok((!empty).then_some((values, dropped)))
}

/// What the tool printed, under its own names.
fn reported(payload: &Payload) -> Vec<(String, f64)> {
    match payload {
        Payload::Summary(summary) => summary.reported.clone(),
        _ => Vec::new(),
    }
}

/// A dimension as stored, parsed; what does not parse counts as unitless.
pub fn dimension(text: &str) -> Dimension {
    text.parse().unwrap_or(Dimension::Ppm)
}
