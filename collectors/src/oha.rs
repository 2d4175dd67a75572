//! oha's `--output-format json`, a summary in seconds, and `csv`, the times of every request.
//!
//! The URL is not in either. In the summary answers of any status are among the latencies; connections that failed are not.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::draft::{Draft, observation, scalar};
use crate::error::ParseError;
use crate::input::{Input, Shape};
use crate::json;
use crate::printed;
use crate::report::{Basis, Direction, Observation, Payload, Quality, Report, Summary};
use crate::requests::{Kind, Requests};
use crate::{Format, ParseOptions};

/// All requests; what was asked for is not in the file.
const REQUESTS: &str = "requests";

/// The columns of the CSV.
const HEAD: &str = "request-start,DNS,DNS+dialup,Response-delay,request-duration,bytes,status";

/// Those of its columns that are taken: where they stand, and their names.
const TIMES: [(usize, &str); 3] = [(1, "DNS"), (2, "DNS+dialup"), (4, "request-duration")];

pub(crate) fn sniff(input: &Input) -> bool {
    match &input.shape {
        Shape::Json(document) => {
            let summary = document.get("summary");
            summary.is_some_and(|s| s.get("requestsPerSec").is_some())
                && document.get("latencyPercentiles").is_some()
        }
        Shape::Text => input.text.lines().next().map(str::trim) == Some(HEAD),
        _ => false,
    }
}

pub(crate) fn parse(input: &Input, _: &ParseOptions) -> Result<Report, ParseError> {
    let mut draft = Draft::new(Format::Oha);
    draft.context().fingerprint.tool = Some("oha".into());
    match input.document() {
        Some(document) => summaries(document, &mut draft)?,
        None => requests(input, &mut draft)?,
    }
    Ok(draft.finish())
}

fn summaries(document: &Value, draft: &mut Draft) -> Result<(), ParseError> {
    let summary = &document["summary"];
    let errors = distribution(document, "errorDistribution", |_| true);
    if errors > 0 {
        draft.warn(format!(
            "{errors} request(s) had no answer and are not among the latencies"
        ));
    }
    // Where nothing was answered all of these are null.
    let Some(average) = json::number(summary, "average") else {
        draft.skip(
            REQUESTS,
            format!("no request was answered ({errors} errors)"),
        );
        return Ok(());
    };
    let percentiles = document.get("latencyPercentiles").unwrap_or(&Value::Null);
    let mut reported: Vec<(String, f64)> = ["slowest", "fastest"]
        .iter()
        .filter_map(|key| Some(((*key).to_owned(), json::number(summary, key)?)))
        .collect();
    reported.push(("average".into(), average));
    reported.extend(json::reported(percentiles, &[]));
    let answered = distribution(document, "statusCodeDistribution", |_| true);
    let latency = Payload::Summary(Summary {
        reported,
        headline: Some("average".into()),
        count: Some(answered).filter(|n| *n > 0),
        stddev: None,
    });
    let mut latency = Observation {
        basis: Basis::ToolSummary,
        failed: distribution(document, "statusCodeDistribution", is_failure),
        ..observation(REQUESTS, "latency", "s", latency)
    };
    if latency.failed > 0 {
        latency.quality.push(Quality::FailuresIncluded);
    }
    draft.add(latency)?;
    let Some(rate) = json::number(summary, "requestsPerSec") else {
        return Ok(());
    };
    let mut per_second = observation(REQUESTS, "requests_per_second", "1/s", scalar(rate));
    per_second.basis = Basis::ToolSummary;
    per_second.direction = Direction::Higher;
    let share = json!({"successRate": summary.get("successRate")});
    per_second.extra.insert("reported".into(), share);
    draft.add(per_second)
}

/// The sum of a distribution's counts over the keys that are wanted.
fn distribution(document: &Value, key: &str, wanted: fn(&str) -> bool) -> u64 {
    let counts = document.get(key).and_then(Value::as_object);
    let counts = counts.into_iter().flatten().filter(|(key, _)| wanted(key));
    counts
        .filter_map(|(_, n)| n.as_u64())
        .fold(0, u64::saturating_add)
}

fn is_failure(status: &str) -> bool {
    !status
        .trim()
        .parse()
        .is_ok_and(|status: u16| (100..400).contains(&status))
}

fn requests(input: &Input, draft: &mut Draft) -> Result<(), ParseError> {
    let mut times = TIMES.map(|_| Requests::default());
    for line in input.lines().skip(1) {
        let (number, line) = line?;
        let fields: Vec<&str> = line.trim().split(',').collect();
        let read = TIMES.map(|(column, _)| fields.get(column).and_then(|f| printed::number(f)));
        let (Some(&status), [Some(dns), Some(dialup), Some(duration)]) = (fields.get(6), read)
        else {
            draft.skip(format!("line {number}"), "no whole row of a request");
            continue;
        };
        let kind = Kind {
            shown_as: REQUESTS.to_owned(),
            flow: REQUESTS.to_owned(),
            labels: BTreeMap::new(),
            failed: is_failure(status),
        };
        for (requests, time) in times.iter_mut().zip([dns, dialup, duration]) {
            requests.add(kind.clone(), time);
        }
    }
    for ((_, name), requests) in TIMES.into_iter().zip(times) {
        requests.finish(draft, name, "s", &[])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;
    use crate::draft::samples;

    fn read(text: &str) -> Result<Report, ParseError> {
        crate::parse(text.as_bytes(), &ParseOptions::default())
    }

    #[test]
    fn failed_requests_are_a_series_of_their_own() {
        let report = read(&format!(
            "{HEAD}\r\n0,0,0,0,0.5,1,200\r\n0,0,0,0,0.1,1,503\r\n"
        ))
        .unwrap();
        let durations = report
            .observations
            .iter()
            .filter(|o| o.metric == "request-duration");
        let values: Vec<_> = durations
            .map(|o| (o.labels.len(), o.payload.clone()))
            .collect();
        assert_eq!(values, [(0, samples(vec![0.5])), (1, samples(vec![0.1]))]);
        let cut = read(&format!("{HEAD}\n0,0,0,0,0.5,1,200\n0,0,0")).unwrap();
        assert_eq!(cut.skipped[0].name, "line 3");
    }

    #[test]
    fn a_summary_of_nothing_is_no_data() {
        let report = read(r#"{"summary": {"requestsPerSec": 0.0, "average": null}, "latencyPercentiles": {"p50": null}, "errorDistribution": {"refused": 5}}"#).unwrap();
        assert!(report.observations.is_empty());
        assert!(report.skipped[0].reason.contains("5 errors"));
    }
}
