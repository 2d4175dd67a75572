//! vegeta's reports: `-type=json` is a summary, `-type=hdrplot` a percentile spectrum, `-type=hist` buckets.
//! All mix failed requests in.

use serde_json::{Map, Value};

use crate::draft::{Draft, observation, scalar};
use crate::error::{ErrorKind, ParseError};
use crate::input::Input;
use crate::json;
use crate::report::{Basis, Buckets, Observation, Payload, Quality, Summary};
use crate::spectrum::spectrum;
use crate::table::first_line;

/// A report does not say what was attacked.
const FLOW: &str = "vegeta";

pub(super) fn is_report(document: &Value) -> bool {
    ["latencies", "status_codes", "bytes_in"]
        .map(|key| document.get(key).is_some_and(Value::is_object))
        == [true; 3]
        && document.get("requests").is_some_and(Value::is_u64)
}

pub(super) fn is_hdrplot(text: &str) -> bool {
    first_line(text)
        .split_whitespace()
        .take(3)
        .eq(["Value(ms)", "Percentile", "TotalCount"])
}

pub(super) fn hdrplot(input: &Input, draft: &mut Draft) -> Result<(), ParseError> {
    let printed = input.lines().count().saturating_sub(1);
    let mut buckets = spectrum(input.lines().skip(1))?;
    if let Buckets::Spectrum { reported, .. } = &mut buckets {
        reported.insert("rows".into(), printed as f64);
    }
    let mut latency = observation(FLOW, "latency", "ms", Payload::Buckets(buckets));
    latency.shown_as = Some("latency".into());
    latency.quality = vec![Quality::FailuresIncluded];
    draft.add(latency)
}

/// Whether it is the table of `-type='hist[0,2ms,4ms]'`.
pub(super) fn is_hist(text: &str) -> bool {
    let words = first_line(text).split_whitespace();
    words.eq(["Bucket", "#", "%", "Histogram"])
}

/// `[2ms, 4ms]  150  50.00%  ###`; the last bucket has no upper edge.
pub(super) fn hist(input: &Input, draft: &mut Draft) -> Result<(), ParseError> {
    let (mut bounds, mut counts, mut total): (Vec<f64>, Vec<u64>, u64) = Default::default();
    for line in input.lines().skip(1) {
        let (number, line) = line?;
        let row = bucket(line).filter(|(lower, ..)| {
            counts.len() == bounds.len() && bounds.last().is_none_or(|last| last == lower)
        });
        let (row, more) = match row.and_then(|row| Some((row, total.checked_add(row.2)?))) {
            Some(row) => row,
            None => {
                let error = ParseError::new(
                    ErrorKind::InvalidValue,
                    "no bucket that follows the one before",
                );
                return Err(error.at_line(number));
            }
        };
        let (lower, upper, count) = row;
        if bounds.is_empty() && lower > 0.0 {
            bounds.push(lower);
            counts.push(0);
        }
        counts.push(count);
        bounds.extend(upper);
        total = more;
    }
    if counts.len() == bounds.len() {
        counts.push(0);
    }
    if total == 0 {
        draft.skip("requests", "none was made");
        return Ok(());
    }
    let buckets = Buckets::Explicit {
        bounds,
        counts,
        sum: None,
    };
    let mut latency = observation(FLOW, "latency", "ms", Payload::Buckets(buckets));
    latency.shown_as = Some("latency".into());
    latency.quality = vec![Quality::FailuresIncluded];
    draft.add(latency)
}

/// Edges in milliseconds and the count between them.
fn bucket(line: &str) -> Option<(f64, Option<f64>, u64)> {
    let (edges, rest) = line.trim().strip_prefix('[')?.split_once(']')?;
    let (lower, upper) = edges.split_once(',')?;
    let count = rest.split_whitespace().next()?.parse().ok()?;
    let lower = milliseconds(lower.trim())?;
    match upper.trim() {
        "+Inf" => Some((lower, None, count)),
        upper => Some((
            lower,
            Some(milliseconds(upper).filter(|u| *u > lower)?),
            count,
        )),
    }
}

/// A duration as Go prints it: `1m2.5s`, `300\u{b5}s`, `0s`.
fn milliseconds(mut text: &str) -> Option<f64> {
    let mut sum = 0.0;
    while !text.is_empty() {
        let digits = text.find(|c: char| !(c.is_ascii_digit() || c == '.'))?;
        let (number, rest) = text.split_at(digits);
        let end = rest
            .find(|c: char| c.is_ascii_digit())
            .unwrap_or(rest.len());
        let (unit, rest) = rest.split_at(end);
        let ms = match unit {
            "ns" => 1e-6,
            "us" | "\u{b5}s" | "\u{3bc}s" => 1e-3,
            "ms" => 1.0,
            "s" => 1e3,
            "m" => 6e4,
            "h" => 3.6e6,
            _ => return None,
        };
        sum += number.parse::<f64>().ok()? * ms;
        text = rest;
    }
    Some(sum)
}

pub(super) fn read(document: &Value, draft: &mut Draft) -> Result<(), ParseError> {
    let requests = document
        .get("requests")
        .and_then(Value::as_u64)
        .unwrap_or(0);
    if requests == 0 {
        draft.skip("requests", "none was made");
        return Ok(());
    }
    draft.context().time_us =
        json::string(document, "earliest").and_then(crate::time::microseconds);
    let failed = failed(document);
    let quality = if failed > 0 {
        vec![Quality::FailuresIncluded]
    } else {
        Vec::new()
    };
    let no_latencies = Value::Null;
    let latencies = document.get("latencies").unwrap_or(&no_latencies);
    let summary = Summary {
        reported: json::reported(latencies, &[]),
        headline: Some("mean".into()),
        count: Some(requests),
        stddev: None,
    };
    draft.add(Observation {
        shown_as: Some("latency".into()),
        basis: Basis::ToolSummary,
        failed,
        quality,
        ..observation(FLOW, "latency", "ns", Payload::Summary(summary))
    })?;
    let Some(throughput) = json::number(document, "throughput") else {
        return Ok(());
    };
    let mut per_second = Observation {
        shown_as: Some("requests".into()),
        basis: Basis::Run,
        ..observation(FLOW, "throughput", "1/s", scalar(throughput))
    };
    let kept = ["rate", "throughput", "success", "status_codes"];
    let reported: Map<String, Value> = kept
        .into_iter()
        .filter_map(|key| Some((key.to_owned(), document.get(key)?.clone())))
        .collect();
    per_second.extra.insert("reported".into(), reported.into());
    draft.add(per_second)
}

/// How many requests were answered with anything but 200 to 399, 0 being no answer.
fn failed(document: &Value) -> u64 {
    let codes = document.get("status_codes").and_then(Value::as_object);
    let failed = codes.into_iter().flatten().filter(|(code, _)| {
        !code
            .parse()
            .is_ok_and(|code: u16| (200..400).contains(&code))
    });
    failed
        .filter_map(|(_, n)| n.as_u64())
        .fold(0, u64::saturating_add)
}
