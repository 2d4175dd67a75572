//! `autocannon -j`: a summary of the latency in whole milliseconds, and one of the requests in each second.
//!
//! Answers other than 2xx are among the latencies. With a rate (`-R`) autocannon corrects for the requests that waited to
//! be sent: it then counts more latencies than requests.

use serde_json::Value;

use crate::draft::{Draft, observation};
use crate::error::ParseError;
use crate::input::Input;
use crate::json;
use crate::report::{Basis, Direction, Observation, Payload, Quality, Report, Summary};
use crate::route::template;
use crate::{Format, ParseOptions};

pub(crate) fn sniff(input: &Input) -> bool {
    input.document().is_some_and(|document| {
        let object = |key| document.get(key).is_some_and(Value::is_object);
        object("latency")
            && object("requests")
            && object("throughput")
            && document.get("non2xx").is_some()
    })
}

pub(crate) fn parse(input: &Input, _: &ParseOptions) -> Result<Report, ParseError> {
    let mut draft = Draft::new(Format::Autocannon);
    let Some(document) = input.document() else {
        return Ok(draft.finish());
    };
    let context = draft.context();
    context.fingerprint.tool = Some("autocannon".into());
    context.time_us = json::string(document, "start").and_then(crate::time::microseconds);
    let (latency, requests) = (&document["latency"], &document["requests"]);
    let answered = count(latency, "totalCount").or(count(requests, "total"));
    let url = json::string(document, "url").unwrap_or("requests");
    if answered == Some(0) {
        let errors = count(document, "errors").unwrap_or_default();
        draft.skip(url, format!("no request was answered ({errors} errors)"));
        return Ok(draft.finish());
    }
    for key in ["errors", "timeouts", "mismatches"] {
        if let Some(n) = count(document, key).filter(|n| *n > 0) {
            draft.warn(format!("{n} {key}"));
        }
    }
    let corrected = count(latency, "totalCount") > count(requests, "total");
    draft.add(latencies(document, latency, corrected))?;
    let per_second = requests_per_second(document, requests, corrected);
    draft.add(per_second)?;
    Ok(draft.finish())
}

fn count(object: &Value, key: &str) -> Option<u64> {
    object.get(key)?.as_u64()
}

fn series(
    document: &Value,
    metric: &str,
    unit: &str,
    summary: Summary,
    corrected: bool,
) -> Observation {
    let url = json::string(document, "url").unwrap_or("requests");
    let mut found = observation(&template(url), metric, unit, Payload::Summary(summary));
    found.shown_as = Some(url.to_owned());
    found.basis = Basis::ToolSummary;
    let setup = ["connections", "pipelining"].into_iter();
    found.labels = setup
        .filter_map(|key| Some((key.to_owned(), json::label(document.get(key)?))))
        .collect();
    if corrected {
        found.labels.insert("corrected".into(), "true".into());
    }
    found
}

fn latencies(document: &Value, latency: &Value, corrected: bool) -> Observation {
    let summary = Summary {
        reported: json::reported(latency, &[]),
        headline: Some("average".into()),
        count: count(latency, "totalCount"),
        stddev: json::number(latency, "stddev"),
    };
    let mut found = series(document, "latency", "ms", summary, corrected);
    found.failed = count(document, "non2xx").unwrap_or_default();
    found.quality.push(Quality::Rounded);
    if !corrected {
        found.quality.push(Quality::CoordinatedOmission);
    }
    if found.failed > 0 {
        found.quality.push(Quality::FailuresIncluded);
    }
    found
}

/// Its percentiles are of seconds, not of requests, and are left out.
fn requests_per_second(document: &Value, requests: &Value, corrected: bool) -> Observation {
    let mut reported = json::reported(requests, &[]);
    reported.retain(|(key, _)| !key.starts_with('p'));
    let summary = Summary {
        reported,
        headline: Some("average".into()),
        count: count(document, "samples"),
        stddev: json::number(requests, "stddev"),
    };
    let mut found = series(document, "requests_per_second", "1/s", summary, corrected);
    found.direction = Direction::Higher;
    found
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    fn read(total: u64, latencies: u64, non2xx: u64) -> Report {
        let text = format!(
            r#"{{"url": "http://h/item/1?q=2", "connections": 5, "errors": 3, "non2xx": {non2xx}, "latency": {{"average": 1, "p50": 1, "totalCount": {latencies}}},
            "requests": {{"average": 9, "p50": 9, "total": {total}}}, "throughput": {{}}}}"#
        );
        crate::parse(text.as_bytes(), &ParseOptions::default()).unwrap()
    }

    #[test]
    fn nothing_answered_is_no_data() {
        let report = read(0, 0, 0);
        assert_eq!((report.observations.len(), report.skipped.len()), (0, 1));
    }

    #[test]
    fn failures_and_coordinated_omission_are_flagged_and_corrected_latencies_are_apart() {
        let report = read(10, 10, 4);
        let latency = &report.observations[0];
        assert_eq!((&*latency.flow, latency.failed), ("/item/:id", 4));
        assert!(latency.quality.contains(&Quality::FailuresIncluded));
        assert!(latency.quality.contains(&Quality::CoordinatedOmission));
        let corrected = &read(10, 50, 0).observations[0];
        assert_eq!(
            (&*corrected.labels["corrected"], &corrected.quality[..]),
            ("true", &[Quality::Rounded][..])
        );
    }
}
