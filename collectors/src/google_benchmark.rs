//! Google Benchmark's JSON: `real_time` and `cpu_time` are means over `iterations`, one entry per repetition.
//!
//! Aggregates are dropped where the repetitions themselves are there, and kept as a summary where
//! `--benchmark_report_aggregates_only` removed them. Numeric keys that the format does not know are user counters.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use crate::draft::{Draft, observation};
use crate::error::{ErrorKind, ParseError};
use crate::input::Input;
use crate::json;
use crate::report::{Basis, Direction, Observation, Payload, Report, Samples, Summary};
use crate::{Format, ParseOptions};

/// Keys of an entry that are no counters.
const OWN_KEYS: [&str; 23] = [
    "name",
    "family_index",
    "per_family_instance_index",
    "run_name",
    "run_type",
    "repetitions",
    "repetition_index",
    "threads",
    "iterations",
    "real_time",
    "cpu_time",
    "time_unit",
    "label",
    "aggregate_name",
    "aggregate_unit",
    "big_o",
    "cpu_coefficient",
    "real_coefficient",
    "rms",
    "error_occurred",
    "error_message",
    "skipped",
    "skip_message",
];

pub(crate) fn sniff(input: &Input) -> bool {
    let Some(document) = input.document() else {
        return false;
    };
    let entries = json::array(document, "benchmarks");
    document.get("context").is_some_and(Value::is_object)
        && document.get("layout").is_none()
        && entries.is_some_and(|b| {
            b.iter()
                .all(|e| e.get("name").is_some() && e.get("stats").is_none())
        })
}

pub(crate) fn parse(input: &Input, _: &ParseOptions) -> Result<Report, ParseError> {
    let mut draft = Draft::new(Format::GoogleBenchmark);
    let document = input.document();
    if let Some(context) = document.and_then(|d| d.get("context")) {
        describe_run(&mut draft, context);
    }
    let mut runs: Vec<(String, Run)> = Vec::new();
    let mut at_name: HashMap<&str, usize> = HashMap::new();
    let entries = document.and_then(|d| json::array(d, "benchmarks"));
    for (at, entry) in entries.into_iter().flatten().enumerate() {
        let name = json::string(entry, "run_name").or_else(|| json::string(entry, "name"));
        let Some(name) = name else {
            return Err(ParseError::new(
                ErrorKind::InvalidValue,
                "a benchmark's name is no string",
            )
            .at_pointer(format!("/benchmarks/{at}/name")));
        };
        if let Some(reason) = failure(entry) {
            draft.skip(name, reason);
            continue;
        }
        let at = *at_name.entry(name).or_insert(runs.len());
        if at == runs.len() {
            runs.push((name.to_owned(), Run::default()));
        }
        let run = &mut runs[at].1;
        if json::string(entry, "run_type") == Some("aggregate") {
            run.aggregate(entry);
        } else {
            run.repetition(entry);
        }
    }
    for (name, run) in runs {
        for observation in run.observations(&name) {
            draft.add(observation)?;
        }
    }
    Ok(draft.finish())
}

fn describe_run(draft: &mut Draft, context: &Value) {
    let major = json::string(context, "library_version").map(|v| {
        v.trim_start_matches('v')
            .split('.')
            .next()
            .unwrap_or_default()
    });
    draft.context().fingerprint.tool = Some(major.map_or("google-benchmark".into(), |major| {
        format!("google-benchmark {major}")
    }));
    // Before 1.5 the date had no zone, and says nothing certain.
    draft.context().time_us = json::string(context, "date").and_then(crate::time::microseconds);
    if json::string(context, "library_build_type") == Some("debug") {
        draft.warn("the benchmark library was built in debug mode");
    }
}

fn failure(entry: &Value) -> Option<String> {
    let said = |key: &str| {
        json::string(entry, key)
            .unwrap_or("no reason given")
            .to_owned()
    };
    if entry.get("error_occurred").and_then(Value::as_bool) == Some(true) {
        return Some(format!("error: {}", said("error_message")));
    }
    let skipped = entry
        .get("skipped")
        .is_some_and(|s| s.as_bool().unwrap_or(!s.is_null()));
    skipped.then(|| format!("skipped: {}", said("skip_message")))
}

/// All that one benchmark's entries hold.
#[derive(Default)]
struct Run {
    unit: Option<String>,
    threads: Option<String>,
    label: Option<Value>,
    iterations: Vec<u64>,
    /// Values per metric in file order; times first.
    metrics: Vec<(String, Vec<f64>)>,
    /// Aggregates by name, each with its entry.
    aggregates: Vec<(String, Value)>,
}

impl Run {
    fn describe(&mut self, entry: &Value) {
        self.threads = entry
            .get("threads")
            .map(json::label)
            .or(self.threads.take());
        self.unit = json::string(entry, "time_unit")
            .map(str::to_owned)
            .or(self.unit.take());
        self.label = entry.get("label").cloned().or(self.label.take());
    }

    fn repetition(&mut self, entry: &Value) {
        self.describe(entry);
        self.iterations
            .push(entry.get("iterations").and_then(Value::as_u64).unwrap_or(1));
        for time in ["real_time", "cpu_time"] {
            self.value(time, json::number(entry, time));
        }
        let fields = entry.as_object().into_iter().flatten();
        for (key, value) in fields.filter(|(key, _)| !OWN_KEYS.contains(&key.as_str())) {
            self.value(key, value.as_f64());
        }
    }

    fn value(&mut self, metric: &str, value: Option<f64>) {
        let Some(value) = value else { return };
        match self.metrics.iter_mut().find(|(name, _)| name == metric) {
            Some((_, values)) => values.push(value),
            None => self.metrics.push((metric.to_owned(), vec![value])),
        }
    }

    fn aggregate(&mut self, entry: &Value) {
        self.describe(entry);
        if let Some(name) = json::string(entry, "aggregate_name") {
            self.aggregates.push((name.to_owned(), entry.clone()));
        }
    }

    fn observations(self, name: &str) -> Vec<Observation> {
        let time_unit = self.unit.as_deref().unwrap_or("ns");
        let mut found: Vec<Observation> = self
            .metrics
            .iter()
            .map(|(metric, values)| self.samples(name, metric, values, time_unit))
            .collect();
        if found.is_empty() {
            found = ["real_time", "cpu_time"]
                .iter()
                .filter_map(|metric| self.summary(name, metric, time_unit))
                .collect();
        }
        for observation in &mut found {
            observation.basis = if matches!(observation.payload, Payload::Summary(_)) {
                Basis::ToolSummary
            } else {
                Basis::BatchMean
            };
            observation.labels.extend(
                self.threads
                    .clone()
                    .map(|threads| ("threads".to_owned(), threads)),
            );
            if let Some(label) = &self.label {
                observation.extra.insert("label".into(), label.clone());
            }
        }
        found
    }

    fn samples(&self, name: &str, metric: &str, values: &[f64], time_unit: &str) -> Observation {
        let unit = match metric {
            "real_time" | "cpu_time" => time_unit,
            "bytes_per_second" | "items_per_second" => "1/s",
            _ => "user-counter",
        };
        let timed = unit == time_unit && values.len() == self.iterations.len();
        let iterations = timed.then(|| self.iterations.clone());
        let mut observation = observation(
            name,
            metric,
            unit,
            Payload::Samples(Samples {
                values: values.to_vec(),
                iterations,
            }),
        );
        if !self.aggregates.is_empty() && metric == "real_time" {
            let names: Vec<&str> = self
                .aggregates
                .iter()
                .map(|(name, _)| name.as_str())
                .collect();
            observation
                .extra
                .insert("also_reported_aggregates".into(), json!(names));
        }
        observation
    }

    /// What the aggregates say of one time; of complexity fits, their coefficients, which have no headline.
    fn summary(&self, name: &str, metric: &str, time_unit: &str) -> Option<Observation> {
        let mut summary = Summary::default();
        let mut fit = Map::new();
        for (aggregate, entry) in &self.aggregates {
            match aggregate.as_str() {
                "BigO" | "RMS" if metric == "real_time" => {
                    let kept = ["real_coefficient", "rms"]
                        .iter()
                        .filter_map(|key| Some((key, json::number(entry, key)?)));
                    summary
                        .reported
                        .extend(kept.map(|(key, value)| (format!("{aggregate}.{key}"), value)));
                    fit.extend(entry.get("big_o").map(|o| ("big_o".to_owned(), o.clone())));
                }
                "BigO" | "RMS" => {}
                _ => {
                    let value = json::number(entry, metric)?;
                    summary.reported.push((aggregate.clone(), value));
                    summary.count = entry.get("repetitions").and_then(Value::as_u64);
                    if aggregate == "stddev" {
                        summary.stddev = Some(value);
                    }
                }
            }
        }
        summary.headline = ["median", "mean"]
            .into_iter()
            .find(|h| summary.reported.iter().any(|(name, _)| name == h))
            .map(str::to_owned);
        if summary.reported.is_empty() {
            return None;
        }
        let unit = if summary.headline.is_some() {
            time_unit
        } else {
            "ns"
        };
        let mut observation = observation(name, metric, unit, Payload::Summary(summary));
        observation.direction = Direction::Lower;
        observation.extra = fit;
        Some(observation)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    fn read(benchmarks: &str) -> Report {
        let text = format!(
            r#"{{"context": {{"date": "2026-01-02T03:04:05+00:00", "host_name": "vm"}}, "benchmarks": [{benchmarks}]}}"#
        );
        crate::parse(text.as_bytes(), &ParseOptions::default()).unwrap()
    }

    #[test]
    fn aggregates_alone_are_a_summary_and_never_samples() {
        let entry = |name: &str, value: f64| {
            format!(
                r#"{{"name": "f_{name}", "run_name": "f", "run_type": "aggregate", "repetitions": 9, "aggregate_name": "{name}", "real_time": {value}, "cpu_time": 1.0, "time_unit": "us"}}"#
            )
        };
        let report = read(
            &[
                entry("mean", 5.0),
                entry("median", 4.0),
                entry("stddev", 0.5),
            ]
            .join(","),
        );
        let Payload::Summary(summary) = &report.observations[0].payload else {
            panic!()
        };
        assert_eq!(
            (summary.headline_value(), summary.stddev, summary.count),
            (Some(4.0), Some(0.5), Some(9))
        );
        assert_eq!(report.observations[0].unit, "us");
        assert_eq!(report.observations.len(), 2);
    }

    #[test]
    fn zeros_of_a_failed_benchmark_are_no_measurements() {
        let report = read(
            r#"{"name": "f", "run_type": "iteration", "skipped": true, "skip_message": "no GPU", "real_time": 0.0, "cpu_time": 0.0, "time_unit": "ns"}"#,
        );
        assert!(report.observations.is_empty());
        assert_eq!(report.skipped[0].reason, "skipped: no GPU");
    }

    #[test]
    fn the_hosts_name_goes_nowhere() {
        let report = read(
            r#"{"name": "f", "iterations": 3, "real_time": 1.5, "cpu_time": 1.0, "time_unit": "ns"}"#,
        );
        assert!(!format!("{report:?}").contains("\"vm\""));
        assert_eq!(report.context.time_us, Some(1_767_323_045_000_000));
    }
}
