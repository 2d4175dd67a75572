//! github-action-benchmark: the history that it keeps in `data.js`, and its custom JSON (`customBiggerIsBetter`,
//! `customSmallerIsBetter`).
//!
//! One value a benchmark and commit; its `range` is free text and stays so. Names and e-mail addresses of people are not kept.

use serde_json::Value;

use crate::draft::{Draft, observation, scalar};
use crate::error::{ErrorKind, ParseError};
use crate::input::{Input, Shape};
use crate::json;
use crate::report::{Basis, Direction, Observation, Report};
use crate::{Format, ParseOptions};

const PREFIX: &str = "window.BENCHMARK_DATA";

pub(crate) fn sniff(input: &Input) -> bool {
    match &input.shape {
        Shape::Text => input.text.trim_start().starts_with(PREFIX),
        Shape::Json(document) => is_custom(document) || is_history(document),
        _ => false,
    }
}

/// A list of benchmarks, each a name, a value and a unit.
fn is_custom(document: &Value) -> bool {
    let is_benchmark = |entry: &Value| {
        json::string(entry, "name").is_some()
            && json::string(entry, "unit").is_some()
            && entry.get("value").is_some()
    };
    let list = document.as_array();
    list.is_some_and(|list| !list.is_empty() && list.iter().all(is_benchmark))
}

/// What `data.js` assigns, as the action also keeps it in a file of its own.
fn is_history(document: &Value) -> bool {
    document.get("repoUrl").is_some() && document.get("entries").is_some_and(Value::is_object)
}

pub(crate) fn parse(input: &Input, _: &ParseOptions) -> Result<Report, ParseError> {
    let mut draft = Draft::new(Format::BenchmarkAction);
    match &input.shape {
        Shape::Json(document) if is_custom(document) => {
            for (at, bench) in document.as_array().into_iter().flatten().enumerate() {
                let name = json::string(bench, "name").unwrap_or_default();
                let Some(found) = value(name, bench, None) else {
                    return Err(no_value(format!("/{at}/value")));
                };
                draft.add(found)?;
            }
        }
        Shape::Json(document) => history(&mut draft, document)?,
        _ => {
            let assigned = input
                .text
                .split_once('=')
                .map_or("", |(_, rest)| rest.trim());
            history(&mut draft, &json::parse(assigned.trim_end_matches(';'))?)?;
        }
    }
    Ok(draft.finish())
}

fn no_value(pointer: String) -> ParseError {
    ParseError::new(ErrorKind::InvalidValue, "a benchmark's value is no number").at_pointer(pointer)
}

fn history(draft: &mut Draft, document: &Value) -> Result<(), ParseError> {
    let suites = document.get("entries").and_then(Value::as_object);
    for (suite, commits) in suites.into_iter().flatten() {
        for (at, entry) in commits.as_array().into_iter().flatten().enumerate() {
            let tool = json::string(entry, "tool");
            let benches = json::array(entry, "benches").into_iter().flatten();
            for (number, bench) in benches.enumerate() {
                let pointer = || format!("/entries/{suite}/{at}/benches/{number}/value");
                let name = json::string(bench, "name").unwrap_or_default();
                let Some(mut found) = value(name, bench, tool) else {
                    draft.skip(format!("{suite} / {name}"), no_value(pointer()).to_string());
                    continue;
                };
                found.shown_as = Some(format!("{suite} / {name}"));
                found.labels.insert("suite".into(), suite.clone());
                found
                    .labels
                    .extend(tool.map(|tool| ("tool".to_owned(), tool.to_owned())));
                found.time_us = moment(entry);
                let commit = entry.pointer("/commit/id").cloned().unwrap_or_default();
                found.extra.insert("commit".into(), commit);
                draft.add_point(found)?;
            }
        }
    }
    Ok(())
}

/// When it was measured: the entry's own milliseconds, else the commit's time.
fn moment(entry: &Value) -> Option<i64> {
    let measured = entry.get("date").and_then(Value::as_i64);
    let committed = || {
        entry
            .pointer("/commit/timestamp")?
            .as_str()
            .and_then(crate::time::microseconds)
    };
    measured
        .and_then(|ms| ms.checked_mul(1_000))
        .or_else(committed)
}

fn value(name: &str, bench: &Value, tool: Option<&str>) -> Option<Observation> {
    let given = bench.get("value")?;
    // Some wrappers write the number as text.
    let number = given
        .as_f64()
        .or_else(|| given.as_str()?.trim().parse().ok())?;
    let unit = json::string(bench, "unit").unwrap_or("?");
    let mut found = observation(name, "value", unit, scalar(number));
    found.basis = Basis::Run;
    found.direction = match tool {
        Some("customBiggerIsBetter" | "benchmarkjs") => Direction::Higher,
        Some("customSmallerIsBetter") => Direction::Lower,
        // As the action itself decides for the tools whose unit is not always the same.
        Some("pytest") => Direction::Higher,
        Some("jmh") if unit.starts_with("ops/") => Direction::Higher,
        _ => found.direction,
    };
    if let Some(range) = bench.get("range") {
        found.extra.insert("range".into(), range.clone());
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;
    use crate::report::Outcome;

    fn read(text: &str) -> Report {
        crate::parse(text.as_bytes(), &ParseOptions::default()).unwrap()
    }

    const HISTORY: &str = r#"{"lastUpdate": 2, "repoUrl": "https://x", "entries": {"Suite": [
        {"commit": {"id": "c1", "author": {"email": "ann@example.org"}, "timestamp": "2026-05-01T07:07:47Z"}, "date": 1777634925490, "tool": "customBiggerIsBetter", "benches": [{"name": "a", "value": 1.5, "unit": "MiB", "range": "± 2"}]},
        {"commit": {"id": "c2", "timestamp": "2026-05-02T07:07:47Z"}, "tool": "customBiggerIsBetter", "benches": [{"name": "a", "value": 1.75, "unit": "MiB"}, {"name": "b", "value": null, "unit": "MiB"}]}]}}"#;

    #[test]
    fn a_history_keeps_each_commit_with_its_time_and_nobody_s_address() {
        for text in [
            format!("window.BENCHMARK_DATA = {HISTORY}"),
            format!("window.BENCHMARK_DATA={HISTORY};\r\n"),
            HISTORY.to_owned(),
        ] {
            let report = read(&text);
            let points: Vec<_> = report
                .observations
                .iter()
                .map(|o| (o.extra["commit"].as_str().unwrap(), o.time_us, o.direction))
                .collect();
            let higher = Direction::Higher;
            assert_eq!(
                points,
                [
                    ("c1", Some(1_777_634_925_490_000), higher),
                    ("c2", Some(1_777_705_667_000_000), higher)
                ]
            );
            assert_eq!(report.outcome(), Outcome::Partial);
            assert!(!format!("{report:?}").contains("ann@"));
        }
    }

    #[test]
    fn a_history_has_more_points_than_a_file_has_series() {
        let commit = |n: usize| {
            format!(
                r#"{{"commit": {{"id": "c{n}"}}, "date": {n}, "tool": "go", "benches": [{{"name": "a", "value": {n}, "unit": "ns/op"}}]}}"#
            )
        };
        let points = crate::limits::SERIES + 1;
        let commits: Vec<String> = (0..points).map(commit).collect();
        let text = format!(
            r#"{{"repoUrl": "https://x", "entries": {{"S": [{}]}}}}"#,
            commits.join(",")
        );
        assert_eq!(read(&text).observations.len(), points);
    }

    #[test]
    fn custom_lists_are_one_value_each_and_a_missing_one_is_refused_with_its_place() {
        let report = read(r#"[{"name": "x", "unit": "req/s", "value": "70"}]"#);
        assert_eq!(report.observations[0].payload, scalar(70.0));
        assert_eq!(report.observations[0].direction, Direction::Higher);
        let error = crate::parse(
            br#"[{"name": "x", "unit": "ms", "value": "fast"}]"#,
            &ParseOptions::default(),
        )
        .unwrap_err();
        assert_eq!(error.place.unwrap().pointer.unwrap(), "/0/value");
    }
}
