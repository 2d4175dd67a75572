//! tinybench: its tasks as people dump them (`JSON.stringify(bench.tasks)`), and the rows of `bench.table()`.
//!
//! Times of tasks are in milliseconds, with the samples where `retainSamples` keeps them; tinybench has sorted them. Since
//! version 3 they stand under `result.latency`, before that in `result` itself. Rows of the table are text for people: its
//! numbers are kept as a summary, in the unit of the column's title.

use serde_json::{Value, json};

use crate::draft::{Draft, observation, samples};
use crate::error::ParseError;
use crate::input::{Input, Shape};
use crate::json;
use crate::report::{Basis, Observation, Payload, Quality, Report, Summary};
use crate::{Format, ParseOptions};

/// The title of the column of names, in all versions.
const TASK: [&str; 2] = ["Task name", "Task Name"];

pub(crate) fn sniff(input: &Input) -> bool {
    match &input.shape {
        Shape::Json(Value::Array(entries)) => {
            !entries.is_empty()
                && (entries.iter().all(is_task) || entries.iter().all(|e| task_name(e).is_some()))
        }
        _ => false,
    }
}

/// A task that ran has a result with a state, or as old versions have it with a rate.
fn is_task(entry: &Value) -> bool {
    let result = entry.get("result");
    let known = ["state", "latency", "hz", "error"];
    json::string(entry, "name").is_some()
        && result.is_some_and(|r| known.iter().any(|key| r.get(key).is_some()))
}

fn task_name(row: &Value) -> Option<&str> {
    TASK.iter().find_map(|title| json::string(row, title))
}

pub(crate) fn parse(input: &Input, _: &ParseOptions) -> Result<Report, ParseError> {
    let mut draft = Draft::new(Format::Tinybench);
    draft.context().fingerprint.tool = Some("tinybench".into());
    for entry in input
        .document()
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        match task_name(entry) {
            Some(name) => of_row(name, entry, &mut draft)?,
            None => of_task(entry, &mut draft)?,
        }
    }
    Ok(draft.finish())
}

fn of_task(task: &Value, draft: &mut Draft) -> Result<(), ParseError> {
    let name = json::string(task, "name").unwrap_or("(unnamed)");
    let nothing = Value::Null;
    let result = task.get("result").unwrap_or(&nothing);
    if let Some(error) = result.get("error").filter(|error| !error.is_null()) {
        let why = json::string(error, "message").or(error.as_str());
        draft.skip(name, format!("it failed: {}", why.unwrap_or("no message")));
        return Ok(());
    }
    let latency = result.get("latency").unwrap_or(result);
    let reported = json::reported(latency, &["samples", "hz"]);
    let values = json::array(latency, "samples").and_then(|s| json::numbers(s));
    let values = values.filter(|values| !values.is_empty());
    if values.is_none() && json::number(latency, "mean").is_none() {
        let state = json::string(result, "state").unwrap_or("without a result");
        draft.skip(name, format!("nothing was measured: the task is {state}"));
        return Ok(());
    }
    let Some(values) = values else {
        let count = latency.get("samplesCount").or(task.get("runs"));
        let summary = Summary {
            reported,
            headline: Some("mean".into()),
            count: count.and_then(Value::as_u64),
            stddev: json::number(latency, "sd"),
        };
        return draft.add(Observation {
            basis: Basis::ToolSummary,
            ..observation(name, "latency", "ms", Payload::Summary(summary))
        });
    };
    let mut series = observation(name, "latency", "ms", samples(values));
    series.quality = vec![Quality::SortedSamples];
    let reported = reported.into_iter().collect::<Value>();
    series.extra.insert("reported".into(), reported);
    draft.add(series)
}

/// The numbers that begin a row's cells; a row of a task that failed has none, and is shown with what it says.
fn of_row(name: &str, row: &Value, draft: &mut Draft) -> Result<(), ParseError> {
    let cells = row.as_object().into_iter().flatten();
    let reported: Vec<(String, f64)> = cells
        .filter(|(title, _)| !TASK.contains(&title.as_str()))
        .filter_map(|(title, cell)| Some((title.clone(), leading_number(cell)?)))
        .collect();
    let headline = reported.iter().map(|(title, _)| title);
    let headline = headline.into_iter().find(|title| is_mean(title)).cloned();
    let Some(title) = headline else {
        let error = json::string(row, "Error").unwrap_or("it says nothing of what it took");
        draft.warn(format!("{name} has no result: {error}"));
        let mut failed = observation(name, "table", "1", Payload::Summary(Summary::default()));
        failed.extra.insert("error".into(), json!(error));
        draft.show(failed);
        return Ok(());
    };
    let unit = unit(&title).to_owned();
    let summary = Summary {
        reported,
        headline: Some(title),
        count: row.get("Samples").and_then(Value::as_u64),
        stddev: None,
    };
    draft.add(Observation {
        basis: Basis::ToolSummary,
        quality: vec![Quality::Rounded],
        ..observation(name, "table", &unit, Payload::Summary(summary))
    })
}

/// `Latency avg (ns)`, or as it was called before, `Average Time (ns)`.
fn is_mean(title: &str) -> bool {
    let title = title.to_lowercase();
    title.starts_with("latency av") || title.starts_with("average time")
}

/// The unit in a title's brackets.
fn unit(title: &str) -> &str {
    let in_brackets = title
        .split_once('(')
        .and_then(|(_, rest)| rest.split_once(')'));
    in_brackets.map_or("1", |(unit, _)| unit)
}

/// The number of `631.42 ± 37.16%` or `1,234`, which is text in a table.
fn leading_number(cell: &Value) -> Option<f64> {
    let Some(text) = cell.as_str() else {
        return cell.as_f64();
    };
    let number: String = text
        .split_whitespace()
        .next()?
        .chars()
        .filter(|c| *c != ',')
        .collect();
    number.parse().ok().filter(|value: &f64| value.is_finite())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;
    use crate::report::Outcome;

    fn read(text: &str) -> Report {
        crate::parse(text.as_bytes(), &ParseOptions::default()).unwrap()
    }

    #[test]
    fn tasks_of_old_versions_and_without_samples_are_read() {
        let report = read(
            r#"[{"name":"a","runs":3,"result":{"hz":500,"mean":2,"sd":1,"samples":[1,2,3]}},
                {"name":"b","runs":3,"result":{"state":"completed","latency":{"mean":2,"sd":1,"samplesCount":3}}},
                {"name":"c","result":{"state":"errored","error":{"message":"nope"}}},
                {"name":"d","result":{"state":"not-started"}}]"#,
        );
        assert!(matches!(
            report.observations[0].payload,
            Payload::Samples(_)
        ));
        let Payload::Summary(summary) = &report.observations[1].payload else {
            panic!()
        };
        assert_eq!(
            (summary.headline_value(), summary.count),
            (Some(2.0), Some(3))
        );
        let reasons: Vec<_> = report.skipped.iter().map(|s| s.reason.as_str()).collect();
        assert_eq!(
            reasons,
            [
                "it failed: nope",
                "nothing was measured: the task is not-started"
            ]
        );
    }

    #[test]
    fn a_row_that_failed_is_shown_and_not_stored() {
        let report = read(
            r#"[{"Task Name":"a","ops/sec":"1,234","Average Time (ns)":810372.77,"Margin":"±0.5%","Samples":9},
                {"Task Name":"b","Error":"nope","Stack":"at /home/ann/x.js"}]"#,
        );
        assert_eq!(report.observations.len(), 1);
        assert_eq!(report.observations[0].unit, "ns");
        assert_eq!(
            (report.shown_only.len(), report.outcome()),
            (1, Outcome::Ok)
        );
        assert!(!format!("{report:?}").contains("/home"));
    }
}
