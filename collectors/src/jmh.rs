//! JMH's JSON (`-rf json`): `rawData` per fork and iteration, or in mode `sample` the operations themselves as weighted values.
//!
//! See `openjdk/jmh`'s `JSONResultFormat`. In every other mode a value is the mean of an iteration, so percentiles of them
//! are none of operations, and JMH's own `scorePercentiles` are left alone. A benchmark's parameters, mode and threads
//! belong to its identity.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::draft::{Draft, observation, samples};
use crate::error::{ErrorKind, ParseError};
use crate::input::Input;
use crate::json;
use crate::report::{Basis, Buckets, Direction, Observation, Payload, Report, Scalar, Summary};
use crate::{Format, ParseOptions};

pub(crate) fn sniff(input: &Input) -> bool {
    let results = input.document().and_then(Value::as_array);
    results.is_some_and(|results| {
        !results.is_empty()
            && results.iter().all(|result| {
                result.get("primaryMetric").is_some() && result.get("benchmark").is_some()
            })
    })
}

pub(crate) fn parse(input: &Input, _: &ParseOptions) -> Result<Report, ParseError> {
    let mut draft = Draft::new(Format::Jmh);
    let results = input.document().and_then(Value::as_array);
    for (at, result) in results.into_iter().flatten().enumerate() {
        let Some(name) = json::string(result, "benchmark") else {
            let error = ParseError::new(ErrorKind::InvalidValue, "a benchmark's name is no string");
            return Err(error.at_pointer(format!("/{at}/benchmark")));
        };
        describe_run(&mut draft, result);
        let whole = Benchmark {
            name,
            mode: json::string(result, "mode").unwrap_or("?"),
            labels: labels(result),
            forks: result.get("forks").cloned().unwrap_or_default(),
        };
        let primary = result.get("primaryMetric").unwrap_or(&Value::Null);
        whole.add(&mut draft, "score", primary)?;
        let secondary = result.get("secondaryMetrics").and_then(Value::as_object);
        for (metric, body) in secondary.into_iter().flatten() {
            whole.add(&mut draft, metric.trim_start_matches('·'), body)?;
        }
    }
    Ok(draft.finish())
}

fn describe_run(draft: &mut Draft, result: &Value) {
    let print = &mut draft.context().fingerprint;
    let major = |text: &str| text.split('.').next().unwrap_or_default().to_owned();
    let tool = json::string(result, "jmhVersion")
        .map_or("jmh".to_owned(), |v| format!("jmh {}", major(v)));
    print.tool = Some(tool);
    // `1.8.0_202` is Java 8, `17.0.2` is Java 17.
    let java = json::string(result, "jdkVersion").map(|v| {
        let version = v.strip_prefix("1.").unwrap_or(v);
        format!("java {}", major(version))
    });
    print.runtime = java.or(print.runtime.take());
}

fn labels(result: &Value) -> BTreeMap<String, String> {
    let parameters = result.get("params").and_then(Value::as_object);
    let mut labels: BTreeMap<String, String> = parameters
        .into_iter()
        .flatten()
        .map(|(key, value)| (key.clone(), json::label(value)))
        .collect();
    for key in ["mode", "threads"] {
        labels.extend(
            result
                .get(key)
                .map(|value| (key.to_owned(), json::label(value))),
        );
    }
    labels
}

/// What all metrics of one benchmark share.
struct Benchmark<'a> {
    name: &'a str,
    mode: &'a str,
    labels: BTreeMap<String, String>,
    forks: Value,
}

type Added = Result<(), ParseError>;

impl Benchmark<'_> {
    fn add(&self, draft: &mut Draft, metric: &str, body: &Value) -> Added {
        let unit = json::string(body, "scoreUnit").unwrap_or("?");
        let Some((payload, basis)) = self.payload(body) else {
            draft.skip(format!("{} {metric}", self.name), "no score");
            return Ok(());
        };
        let mut found = Observation {
            basis,
            labels: self.labels.clone(),
            ..observation(self.name, metric, unit, payload)
        };
        if metric == "score" {
            found.direction = match self.mode {
                "thrpt" => Direction::Higher,
                _ => Direction::Lower,
            };
        }
        let reported: Map<String, Value> = ["score", "scoreError", "scoreConfidence"]
            .into_iter()
            .filter_map(|key| Some((key.to_owned(), body.get(key)?.clone())))
            .collect();
        found.extra.insert("reported".into(), reported.into());
        found.extra.insert("forks".into(), self.forks.clone());
        draft.add(found)
    }

    /// Operations with their multiplicities, iterations' means, or the score alone.
    fn payload(&self, body: &Value) -> Option<(Payload, Basis)> {
        if let Some(forks) = json::array(body, "rawDataHistogram") {
            return Some((weighted(forks)?, Basis::Op));
        }
        let forks = json::array(body, "rawData").map(Vec::as_slice);
        let values: Vec<f64> = forks
            .into_iter()
            .flatten()
            .filter_map(Value::as_array)
            .flatten()
            .filter_map(Value::as_f64)
            .collect();
        let basis = match self.mode {
            "ss" => Basis::Run,
            _ => Basis::BatchMean,
        };
        if !values.is_empty() {
            return Some((samples(values), basis));
        }
        let score = json::number(body, "score")?;
        match json::number(body, "scoreError") {
            None => Some((Payload::Scalar(Scalar { value: score }), basis)),
            Some(error) => {
                let summary = Summary {
                    reported: vec![("score".into(), score), ("scoreError".into(), error)],
                    headline: Some("score".into()),
                    ..Summary::default()
                };
                Some((Payload::Summary(summary), Basis::ToolSummary))
            }
        }
    }
}

/// `[[value, count], …]` per fork and iteration: each value's own bucket, with all of its counts.
fn weighted(forks: &[Value]) -> Option<Payload> {
    let mut pairs: Vec<(f64, u64)> = forks
        .iter()
        .filter_map(Value::as_array)
        .flatten()
        .filter_map(Value::as_array)
        .flatten()
        .filter_map(|pair| Some((pair.get(0)?.as_f64()?, pair.get(1)?.as_u64()?)))
        .filter(|(value, count)| value.is_finite() && *value >= 0.0 && *count > 0)
        .collect();
    pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut rows: Vec<(f64, u64)> = Vec::new();
    for (value, count) in pairs {
        match rows.last_mut() {
            Some(last) if last.0 == value => last.1 = last.1.saturating_add(count),
            _ => rows.push((value, count)),
        }
    }
    let reported = BTreeMap::new();
    (!rows.is_empty()).then_some(Payload::Buckets(Buckets::Spectrum { rows, reported }))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;
    use crate::report::Outcome;

    fn read(mode: &str, primary: &str, more: &str) -> Report {
        let text = format!(
            r#"[{{"jmhVersion":"1.37","jdkVersion":"1.8.0_202","benchmark":"a.B.c","mode":"{mode}","threads":2,"forks":2,"params":{{"n":"10"}},"primaryMetric":{primary}{more}}}]"#
        );
        crate::parse(text.as_bytes(), &ParseOptions::default()).unwrap()
    }

    #[test]
    fn iterations_of_all_forks_are_batch_means_and_the_mode_says_which_way_is_good() {
        let raw = r#"{"score":2.0,"scoreError":"NaN","scoreUnit":"us/op","rawData":[[1.0,2.0],[3.0,"NaN"]]}"#;
        let report = read("avgt", raw, "");
        let time = &report.observations[0];
        assert_eq!(time.payload, samples(vec![1.0, 2.0, 3.0]));
        assert_eq!(
            (time.direction, time.basis),
            (Direction::Lower, Basis::BatchMean)
        );
        assert_eq!(time.labels["n"], "10");
        assert_eq!(time.labels["threads"], "2");
        assert_eq!(
            report.context.fingerprint.runtime.as_deref(),
            Some("java 8")
        );
        let rate = read(
            "thrpt",
            r#"{"score":2.0,"scoreUnit":"ops/s","rawData":[[2.0]]}"#,
            "",
        );
        assert_eq!(rate.observations[0].direction, Direction::Higher);
    }

    #[test]
    fn sampled_operations_keep_their_multiplicity() {
        let raw = r#"{"score":1.5,"scoreUnit":"ms/op","rawDataHistogram":[[[[1.0,3],[2.0,1]],[[1.0,1]]],[[[0.5,2]]]]}"#;
        let report = read("sample", raw, "");
        let Payload::Buckets(Buckets::Spectrum { rows, .. }) = &report.observations[0].payload
        else {
            panic!()
        };
        assert_eq!(rows, &[(0.5, 2), (1.0, 4), (2.0, 1)]);
        assert_eq!(report.observations[0].basis, Basis::Op);
    }

    #[test]
    fn profilers_metrics_are_series_of_their_own_and_an_empty_one_is_listed() {
        let more = r#","secondaryMetrics":{"·gc.alloc.rate.norm":{"score":48.0,"scoreUnit":"B/op","rawData":[[48.0]]},"gc.time":{"scoreUnit":"ms"}}"#;
        let report = read(
            "avgt",
            r#"{"score":2.0,"scoreUnit":"us/op","rawData":[[2.0]]}"#,
            more,
        );
        assert_eq!(report.observations[1].metric, "gc.alloc.rate.norm");
        assert_eq!(report.observations[1].direction, Direction::Lower);
        assert_eq!(
            (report.outcome(), report.skipped.len()),
            (Outcome::Partial, 1)
        );
    }
}
