//! mitata's `format: 'json'`: statistics in nanoseconds of every run of a benchmark, and its samples where they were asked for.
//!
//! A sample is the mean over a batch where the function is quick; mitata sorts them.

use serde_json::{Map, Value};

use crate::draft::{Draft, observation};
use crate::error::ParseError;
use crate::input::Input;
use crate::json;
use crate::report::{Basis, Payload, Quality, Report, Samples, Summary};
use crate::{Format, ParseOptions};

pub(crate) fn sniff(input: &Input) -> bool {
    let Some(document) = input.document() else {
        return false;
    };
    let benchmarks = json::array(document, "benchmarks");
    json::array(document, "layout").is_some()
        && benchmarks.is_some_and(|all| all.iter().all(|b| json::array(b, "runs").is_some()))
}

pub(crate) fn parse(input: &Input, _: &ParseOptions) -> Result<Report, ParseError> {
    let mut draft = Draft::new(Format::Mitata);
    let Some(document) = input.document() else {
        return Ok(draft.finish());
    };
    describe_run(&mut draft, document);
    for benchmark in json::array(document, "benchmarks").into_iter().flatten() {
        for run in json::array(benchmark, "runs").into_iter().flatten() {
            let alias = json::string(benchmark, "alias");
            let name = json::string(run, "name").or(alias).unwrap_or("bench");
            add(&mut draft, name, run)?;
        }
    }
    Ok(draft.finish())
}

fn describe_run(draft: &mut Draft, document: &Value) {
    let said = |pointer| document.pointer(pointer).and_then(Value::as_str);
    let now = document.pointer("/context/now").and_then(Value::as_i64);
    let version = said("/context/version").unwrap_or_default();
    let major = version.trim_start_matches('v').split('.').next();
    let context = draft.context();
    context.time_us = now.and_then(|milliseconds| milliseconds.checked_mul(1_000));
    context.fingerprint.tool = Some("mitata".into());
    context.fingerprint.arch = said("/context/arch").map(str::to_owned);
    context.fingerprint.cpu = said("/context/cpu/name").map(str::to_owned);
    context.fingerprint.runtime = said("/context/runtime").map(|runtime| {
        format!("{runtime} {}", major.unwrap_or_default())
            .trim()
            .to_owned()
    });
}

fn add(draft: &mut Draft, name: &str, run: &Value) -> Result<(), ParseError> {
    let Some(statistics) = run.get("stats").filter(|stats| stats.is_object()) else {
        let said = run.pointer("/error/message").or(run.get("error"));
        draft.skip(
            name,
            format!("error: {}", said.map(json::label).unwrap_or_default()),
        );
        return Ok(());
    };
    let reported = json::reported(statistics, &[]);
    let ticks = statistics.get("ticks").and_then(Value::as_u64);
    let samples = json::array(statistics, "samples").and_then(|values| json::numbers(values));
    let payload = match samples.filter(|values| !values.is_empty()) {
        Some(values) => of_samples(values, ticks),
        None if reported.iter().any(|(key, _)| key == "avg") => Payload::Summary(Summary {
            reported: reported.clone(),
            headline: Some("avg".into()),
            count: ticks,
            stddev: None,
        }),
        None => {
            draft.skip(name, "no average");
            return Ok(());
        }
    };
    let mut time = observation(name, "time", "ns", payload);
    time.basis = Basis::ToolSummary;
    if matches!(time.payload, Payload::Samples(_)) {
        time.basis = Basis::BatchMean;
        time.quality.push(Quality::SortedSamples);
        let reported: Map<String, Value> = reported
            .into_iter()
            .map(|(key, value)| (key, value.into()))
            .collect();
        time.extra.insert("reported".into(), reported.into());
    }
    let arguments = run.get("args").and_then(Value::as_object);
    time.labels = arguments
        .into_iter()
        .flatten()
        .map(|(key, value)| (key.clone(), json::label(value)))
        .collect();
    for key in ["heap", "gc"] {
        let cost = statistics.get(key).filter(|cost| cost.is_object()).cloned();
        time.extra.extend(cost.map(|cost| (key.to_owned(), cost)));
    }
    draft.add(time)
}

/// Every sample rests on the same number of calls where these go up evenly.
fn of_samples(values: Vec<f64>, ticks: Option<u64>) -> Payload {
    let n = values.len() as u64;
    let each = ticks
        .filter(|ticks| ticks.is_multiple_of(n))
        .map(|ticks| ticks / n);
    let iterations = each
        .filter(|each| *each > 0)
        .map(|each| vec![each; values.len()]);
    Payload::Samples(Samples { values, iterations })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    #[test]
    fn samples_are_kept_where_they_are_there() {
        let text = r#"{"layout": [], "context": {"runtime": "bun", "version": "1.2.3"}, "benchmarks": [{"alias": "f($n)", "runs": [
            {"name": "f(1)", "args": {"n": 1}, "stats": {"samples": [1, 2, 4], "avg": 2.3, "p50": 2, "ticks": 12}},
            {"name": "f(2)", "args": {"n": 2}, "error": "boom"}, {"name": "f(3)", "stats": {"min": 1}}]}]}"#;
        let report = crate::parse(text.as_bytes(), &ParseOptions::default()).unwrap();
        let [time] = &report.observations[..] else {
            panic!()
        };
        let Payload::Samples(samples) = &time.payload else {
            panic!()
        };
        assert_eq!(samples.iterations, Some(vec![4, 4, 4]));
        assert_eq!((&*time.labels["n"], report.skipped.len()), ("1", 2));
        let empty = br#"{"layout": [], "benchmarks": [], "context": {}}"#;
        let empty = crate::parse(empty, &ParseOptions::default()).unwrap();
        assert_eq!(
            (empty.format, empty.observations.len()),
            (Format::Mitata, 0)
        );
    }
}
