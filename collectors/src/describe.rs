//! What a collector made of a file, as the JSON document that `longwatch parse` prints.
//!
//! Percentiles of samples are by nearest rank on the raw values, in the file's own unit; buckets with edges give
//! intervals; summaries give what the tool printed and nothing else.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use crate::error::ParseError;
use crate::histogram::{Histogram, nearest_rank};
use crate::report::{Buckets, Observation, Outcome, Payload, Report, Samples};

/// The percentiles that are printed.
const QUANTILES: [(&str, f64); 5] = [
    ("p50", 0.50),
    ("p75", 0.75),
    ("p90", 0.90),
    ("p95", 0.95),
    ("p99", 0.99),
];

/// The document that `longwatch parse` prints of one file.
pub fn describe(file: &str, parsed: Result<&Report, &ParseError>) -> Value {
    let report = match parsed {
        Ok(report) => report,
        Err(error) => {
            return json!({"file": file, "format": null, "outcome": "error", "series_count": 0, "sample_count": 0, "series": [], "skipped": [], "error": error});
        }
    };
    let listed = listed(&report.observations);
    let mut series: Vec<Value> = listed.iter().map(|group| one(group)).collect();
    series.extend(report.shown_only.iter().map(|shown| {
        let mut shown = one(&[shown]);
        shown["stored"] = false.into();
        shown
    }));
    let sample_count: u64 = report
        .observations
        .iter()
        .filter_map(|o| counted(&o.payload))
        .sum();
    let mut document = json!({
        "file": file,
        "format": report.format,
        "outcome": report.outcome(),
        "context": report.context,
        "series_count": series.len(),
        "sample_count": sample_count,
        "series": series,
        "skipped": report.skipped,
    });
    if report.skipped_more > 0 {
        document["skipped_more"] = report.skipped_more.into();
    }
    if !report.warnings.is_empty() {
        document["warnings"] = json!(report.warnings);
    }
    document
}

/// The exit code that `longwatch parse` and `push` give for one file: 0 ok, 3 partial, 4 refused, 5 nothing to ingest.
pub fn exit_code(parsed: Result<&Report, &ParseError>) -> i32 {
    match parsed {
        Ok(report) => match report.outcome() {
            Outcome::Ok => 0,
            Outcome::Partial => 3,
            Outcome::NoData => 5,
        },
        Err(error) if error.kind.is_nothing() => 5,
        Err(_) => 4,
    }
}

/// Observations as they are listed: those that the tool lists under one name of its own together, all others alone.
fn listed(observations: &[Observation]) -> Vec<Vec<&Observation>> {
    let mut groups: Vec<Vec<&Observation>> = Vec::new();
    let mut at: HashMap<(&str, &str, &str), usize> = HashMap::new();
    for observation in observations {
        match (&observation.shown_as, &observation.payload) {
            (Some(name), payload) if is_listed_together(observation, payload) => {
                let key = (
                    name.as_str(),
                    observation.metric.as_str(),
                    observation.unit.as_str(),
                );
                let group = *at.entry(key).or_insert(groups.len());
                if group == groups.len() {
                    groups.push(Vec::new());
                }
                groups[group].push(observation);
            }
            _ => groups.push(vec![observation]),
        }
    }
    groups
}

/// Samples of one listing, and the points of a history.
fn is_listed_together(observation: &Observation, payload: &Payload) -> bool {
    match payload {
        Payload::Samples(_) => true,
        Payload::Scalar(_) => observation.extra.contains_key("commit"),
        Payload::Buckets(_) | Payload::Summary(_) => false,
    }
}

/// One entry of the list: observations that are listed together.
fn one(group: &[&Observation]) -> Value {
    let Some(&first) = group.first() else {
        return Value::Null;
    };
    let mut out = Map::new();
    let together = group.len() > 1;
    out.insert(
        "name".into(),
        first.shown_as.as_deref().unwrap_or(&first.flow).into(),
    );
    out.insert("metric".into(), first.metric.as_str().into());
    out.insert("unit".into(), first.unit.as_str().into());
    out.insert("direction".into(), json!(first.direction));
    out.insert("kind".into(), kind(&first.payload).into());
    let is_history = matches!(first.payload, Payload::Scalar(_));
    let mut labels = if together && !is_history {
        json!({})
    } else {
        json!(first.labels)
    };
    // A stratum in the service, but of one beacon it is worth seeing.
    if let Some(navigation) = first.beacon.as_ref().and_then(|b| b.navigation.as_deref()) {
        labels["navigationType"] = navigation.into();
    }
    out.insert("labels".into(), labels);
    out.insert("basis".into(), json!(first.basis));
    // The tool's own word for a kind (`gauge`, `counter`) stands in place of ours.
    out.extend(first.extra.clone());
    match &first.payload {
        Payload::Samples(_) => of_samples(&mut out, group),
        Payload::Buckets(buckets) => of_buckets(&mut out, buckets),
        Payload::Summary(summary) => {
            out.insert(
                "reported".into(),
                summary
                    .reported
                    .iter()
                    .map(|(k, v)| (k.clone(), crate::telemetry::printed(*v)))
                    .collect(),
            );
            out.insert("headline".into(), json!(summary.headline));
            out.extend(summary.count.map(|n| ("count".to_owned(), n.into())));
        }
        Payload::Scalar(_) if together => of_history(&mut out, group),
        Payload::Scalar(scalar) => {
            out.insert("value".into(), scalar.value.into());
        }
    }
    let (failed, dropped) = group
        .iter()
        .fold((0, 0), |(f, d), o| (f + o.failed, d + o.dropped));
    for (key, n) in [("failed", failed), ("dropped", dropped)] {
        if n > 0 {
            out.insert(key.into(), n.into());
        }
    }
    if !first.quality.is_empty() {
        out.insert("quality".into(), json!(first.quality));
    }
    if together && !is_history
        || first
            .shown_as
            .as_ref()
            .is_some_and(|name| *name != first.flow)
    {
        out.insert(
            "flows".into(),
            group
                .iter()
                .map(|o| json!({"flow": o.flow, "labels": o.labels, "count": counted(&o.payload)}))
                .collect(),
        );
    }
    Value::Object(out)
}

fn kind(payload: &Payload) -> &'static str {
    match payload {
        Payload::Samples(_) => "samples",
        Payload::Buckets(Buckets::Spectrum { .. }) => "percentile_spectrum",
        Payload::Buckets(_) => "histogram",
        Payload::Summary(_) => "summary",
        Payload::Scalar(_) => "scalar",
    }
}

/// How many values a payload holds, where it holds a distribution.
fn counted(payload: &Payload) -> Option<u64> {
    match payload {
        Payload::Samples(samples) => Some(samples.values.len() as u64),
        Payload::Buckets(Buckets::Hdr { histogram, .. }) => Some(histogram.count()),
        Payload::Buckets(Buckets::Explicit { counts, .. }) => Some(counts.iter().sum()),
        Payload::Buckets(Buckets::Spectrum { rows, .. }) => Some(rows.iter().map(|(_, n)| n).sum()),
        Payload::Summary(_) | Payload::Scalar(_) => None,
    }
}

fn of_samples(out: &mut Map<String, Value>, group: &[&Observation]) {
    let all: Vec<&Samples> = group
        .iter()
        .filter_map(|o| {
            if let Payload::Samples(s) = &o.payload {
                Some(s)
            } else {
                None
            }
        })
        .collect();
    let mut sorted: Vec<f64> = all.iter().flat_map(|s| s.values.iter().copied()).collect();
    sorted.sort_unstable_by(f64::total_cmp);
    let n = sorted.len();
    let mean = sorted.iter().sum::<f64>() / n as f64;
    out.insert("count".into(), n.into());
    out.insert("min".into(), json!(sorted.first()));
    out.insert("max".into(), json!(sorted.last()));
    out.insert("mean".into(), mean.into());
    for (name, q) in QUANTILES {
        let rank = nearest_rank(q, n as u64) as usize;
        out.insert(
            name.into(),
            json!(rank.checked_sub(1).and_then(|at| sorted.get(at))),
        );
    }
    if let [
        Samples {
            iterations: Some(iterations),
            ..
        },
    ] = all[..]
    {
        out.insert("iterations".into(), json!(iterations));
    }
}

/// The points of a history, oldest first as they stand in the file.
fn of_history(out: &mut Map<String, Value>, group: &[&Observation]) {
    let values: Vec<f64> = group
        .iter()
        .filter_map(|o| match &o.payload {
            Payload::Scalar(scalar) => Some(scalar.value),
            _ => None,
        })
        .collect();
    out.insert("kind".into(), "timeseries".into());
    out.insert(
        "reported".into(),
        json!({"points": values.len(), "first": values.first(), "last": values.last()}),
    );
}

fn of_buckets(out: &mut Map<String, Value>, buckets: &Buckets) {
    match buckets {
        Buckets::Hdr {
            histogram,
            unit_ratio,
            significant_digits,
        } => of_hdr(out, histogram, *unit_ratio, *significant_digits),
        Buckets::Explicit {
            bounds,
            counts,
            sum,
        } => {
            out.insert("count".into(), counts.iter().sum::<u64>().into());
            out.insert("sum".into(), json!(sum));
            out.insert("bounds".into(), json!(bounds));
            out.insert("bucket_counts".into(), json!(counts));
            intervals(out, bounds, counts);
        }
        Buckets::Spectrum { rows, reported } => {
            let (edges, counts): (Vec<f64>, Vec<u64>) = rows.iter().copied().unzip();
            out.insert("count".into(), counts.iter().sum::<u64>().into());
            out.insert("spectrum_rows".into(), rows.len().into());
            out.insert("reported".into(), json!(reported));
            intervals(out, &edges, &counts);
        }
    }
}

fn of_hdr(out: &mut Map<String, Value>, histogram: &Histogram, ratio: f64, digits: u8) {
    out.insert("count".into(), histogram.count().into());
    out.insert(
        "min_bucket".into(),
        json!(histogram.lowest().map(|v| v as f64 * ratio)),
    );
    out.insert(
        "max_equivalent".into(),
        json!(histogram.highest().map(|v| v as f64 * ratio)),
    );
    out.insert("mean".into(), json!(histogram.mean().map(|v| v * ratio)));
    for (name, q) in QUANTILES.into_iter().chain([("p999", 0.999)]) {
        out.insert(name.into(), json!(histogram.quantile(q).map(|v| v * ratio)));
    }
    out.insert("significant_digits".into(), digits.into());
}

/// Quantiles of buckets that have edges only: the bucket in which the value lies, open at its ends.
fn intervals(out: &mut Map<String, Value>, bounds: &[f64], counts: &[u64]) {
    let n: u64 = counts.iter().sum();
    for (name, q) in QUANTILES {
        let rank = nearest_rank(q, n);
        let mut before = 0;
        let bucket = counts.iter().position(|&count| {
            before += count;
            rank > 0 && before >= rank
        });
        let edges = bucket.map(|i| json!({"lower": i.checked_sub(1).and_then(|i| bounds.get(i)), "upper": bounds.get(i)}));
        out.insert(name.into(), json!(edges));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;
    use crate::draft::{Draft, observation, samples};
    use crate::{ErrorKind, Format};

    fn report(observations: Vec<Observation>) -> Report {
        let mut draft = Draft::new(Format::K6);
        observations.into_iter().for_each(|o| draft.add(o).unwrap());
        draft.finish()
    }

    #[test]
    fn exit_codes_follow_the_outcome() {
        let empty = report(vec![]);
        assert_eq!(exit_code(Ok(&empty)), 5);
        let some = report(vec![observation("a", "time", "s", samples(vec![1.0]))]);
        assert_eq!(exit_code(Ok(&some)), 0);
        let partly = report(vec![observation(
            "a",
            "time",
            "s",
            samples(vec![1.0, -1.0]),
        )]);
        assert_eq!(exit_code(Ok(&partly)), 3);
        assert_eq!(
            exit_code(Err(&ParseError::new(ErrorKind::EmptyFile, ""))),
            5
        );
        assert_eq!(
            exit_code(Err(&ParseError::new(ErrorKind::InvalidJson, ""))),
            4
        );
    }

    #[test]
    fn what_a_tool_lists_as_one_is_listed_as_one_with_its_flows() {
        let of = |flow: &str, value| Observation {
            shown_as: Some("latency".into()),
            ..observation(flow, "latency", "ms", samples(vec![value]))
        };
        let document = describe("f", Ok(&report(vec![of("GET /a", 1.0), of("GET /b", 3.0)])));
        assert_eq!(document["series_count"], 1);
        assert_eq!(document["series"][0]["count"], 2);
        assert_eq!(document["series"][0]["p50"], 1.0);
        assert_eq!(document["series"][0]["flows"][1]["flow"], "GET /b");
    }

    #[test]
    fn what_is_not_stored_says_so() {
        let mut draft = Draft::new(Format::Boomerang);
        draft.show(observation("a", "t_done", "ms", samples(vec![1.0])));
        let report = draft.finish();
        let document = describe("f", Ok(&report));
        assert_eq!(document["outcome"], "ok");
        assert_eq!(document["series"][0]["stored"], false);
        assert_eq!(document["sample_count"], 0);
    }

    #[test]
    fn bucket_quantiles_are_intervals() {
        let payload = Payload::Buckets(Buckets::Explicit {
            bounds: vec![10.0, 20.0],
            counts: vec![5, 4, 1],
            sum: None,
        });
        let document = describe(
            "f",
            Ok(&report(vec![observation("a", "latency", "ms", payload)])),
        );
        let series = &document["series"][0];
        assert_eq!(series["p50"], json!({"lower": null, "upper": 10.0}));
        assert_eq!(series["p75"], json!({"lower": 10.0, "upper": 20.0}));
        assert_eq!(series["p99"], json!({"lower": 20.0, "upper": null}));
    }
}
