//! `pytest --benchmark-json`: seconds per round in `stats.data`, each already divided by `iterations`.
//!
//! `--benchmark-autosave` leaves `data` out and published files cut it short; it is trusted only where all of it is there.

use serde_json::Value;

use crate::draft::{Draft, observation};
use crate::error::{ErrorKind, ParseError};
use crate::input::Input;
use crate::json;
use crate::report::{Basis, Observation, Payload, Report, Samples, Summary};
use crate::{Format, ParseOptions};

/// Statistics that are not in the unit of time or are text.
const NOT_REPORTED: [&str; 7] = [
    "data",
    "outliers",
    "iqr_outliers",
    "stddev_outliers",
    "ld15iqr",
    "hd15iqr",
    "total",
];

pub(crate) fn sniff(input: &Input) -> bool {
    let Some(document) = input.document() else {
        return false;
    };
    let timed = json::array(document, "benchmarks").is_some_and(|b| {
        b.iter()
            .all(|x| x.get("stats").is_some_and(Value::is_object))
    });
    timed && document.get("machine_info").is_some()
}

pub(crate) fn parse(input: &Input, _: &ParseOptions) -> Result<Report, ParseError> {
    let mut draft = Draft::new(Format::PytestBenchmark);
    let Some(document) = input.document() else {
        return Ok(draft.finish());
    };
    describe_run(&mut draft, document);
    for (at, benchmark) in json::array(document, "benchmarks")
        .into_iter()
        .flatten()
        .enumerate()
    {
        let name = json::string(benchmark, "fullname").or_else(|| json::string(benchmark, "name"));
        let Some(name) = name else {
            return Err(
                ParseError::new(ErrorKind::InvalidValue, "a benchmark has no name")
                    .at_pointer(format!("/benchmarks/{at}/fullname")),
            );
        };
        match time(name, benchmark) {
            Some(time) => draft.add(time)?,
            None => draft.skip(name, "neither data nor statistics"),
        }
    }
    Ok(draft.finish())
}

fn time(name: &str, benchmark: &Value) -> Option<Observation> {
    let stats = benchmark.get("stats")?;
    let iterations = stats.get("iterations").and_then(Value::as_u64).unwrap_or(1);
    let rounds = stats.get("rounds").and_then(Value::as_u64);
    let reported = json::reported(stats, &NOT_REPORTED);
    let data = json::array(stats, "data");
    let values = data
        .and_then(|d| json::numbers(d))
        .filter(|values| !values.is_empty() && rounds.is_none_or(|n| n == values.len() as u64));
    let whole = values.is_some();
    let payload = match values {
        Some(values) => Payload::Samples(Samples {
            iterations: (iterations > 1).then(|| vec![iterations; values.len()]),
            values,
        }),
        None => {
            let headline = ["median", "mean"]
                .into_iter()
                .find(|name| json::number(stats, name).is_some())?;
            let stddev = json::number(stats, "stddev");
            Payload::Summary(Summary {
                headline: Some(headline.into()),
                count: rounds,
                stddev,
                reported: reported.clone(),
            })
        }
    };
    let mut time = observation(name, "time", "s", payload);
    time.basis = match (whole, iterations) {
        (false, _) => Basis::ToolSummary,
        (true, 0 | 1) => Basis::Op,
        (true, _) => Basis::BatchMean,
    };
    if whole {
        time.extra
            .insert("reported".into(), reported.into_iter().collect::<Value>());
    } else if data.is_some() {
        time.extra.insert(
            "note".into(),
            "data present but cut short or not numeric: the summary counts".into(),
        );
    }
    let parameters = benchmark
        .get("params")
        .and_then(Value::as_object)
        .into_iter()
        .flatten();
    time.labels
        .extend(parameters.map(|(key, value)| (key.clone(), json::label(value))));
    Some(time)
}

/// The commit and the machine; the host's name stays where it is.
fn describe_run(draft: &mut Draft, document: &Value) {
    let text = |pointer: &str| {
        document
            .pointer(pointer)
            .and_then(Value::as_str)
            .map(str::to_owned)
    };
    let major = |version: String| version.split('.').next().unwrap_or_default().to_owned();
    let context = draft.context();
    context.commit = text("/commit_info/id").filter(|id| id != "unversioned");
    context.branch = text("/commit_info/branch").filter(|branch| !branch.starts_with('('));
    context.time_us = text("/datetime").and_then(|t| crate::time::microseconds(&t));
    let fingerprint = &mut context.fingerprint;
    fingerprint.tool = Some(text("/version").map_or("pytest-benchmark".into(), |v| {
        format!("pytest-benchmark {}", major(v))
    }));
    fingerprint.os = text("/machine_info/system").map(|os| {
        text("/machine_info/release").map_or(os.clone(), |r| format!("{os} {}", major(r)))
    });
    fingerprint.arch = text("/machine_info/machine");
    fingerprint.cpu =
        text("/machine_info/cpu/brand_raw").or_else(|| text("/machine_info/cpu/brand"));
    let version = text("/machine_info/python_version")
        .map(|v| v.splitn(3, '.').take(2).collect::<Vec<_>>().join("."));
    fingerprint.runtime = text("/machine_info/python_implementation").map(|name| {
        format!("{name} {}", version.unwrap_or_default())
            .trim_end()
            .to_owned()
    });
    if document
        .pointer("/commit_info/dirty")
        .and_then(Value::as_bool)
        == Some(true)
    {
        draft.warn("the commit had changes that were not committed");
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    fn read(stats: &str) -> Report {
        let text = format!(
            r#"{{"machine_info": {{"node": "secret-host", "system": "Linux", "release": "6.18.4", "python_implementation": "CPython", "python_version": "3.11.7"}},
            "commit_info": {{"id": "abc", "branch": "main", "dirty": false}}, "datetime": "2026-01-02T03:04:05.5+00:00", "version": "5.3.1",
            "benchmarks": [{{"fullname": "t.py::test_a[1]", "params": {{"n": 1, "s": "x"}}, "stats": {stats}}}]}}"#
        );
        crate::parse(text.as_bytes(), &ParseOptions::default()).unwrap()
    }

    #[test]
    fn rounds_of_one_iteration_are_operations_and_of_several_batch_means() {
        let one = read(r#"{"rounds": 2, "iterations": 1, "data": [0.1, 0.2], "median": 0.15}"#);
        assert_eq!(one.observations[0].basis, Basis::Op);
        let several = read(r#"{"rounds": 2, "iterations": 9, "data": [0.1, 0.2], "median": 0.15}"#);
        assert_eq!(several.observations[0].basis, Basis::BatchMean);
        assert_eq!(several.observations[0].labels["n"], "1");
    }

    #[test]
    fn data_that_is_cut_short_gives_a_summary() {
        for data in [r#"[0.1, "…"]"#, "[0.1]", "[]", "null", "[0.1, NaN]"] {
            let report = read(&format!(
                r#"{{"rounds": 2, "iterations": 1, "data": {data}, "median": 0.15, "stddev": NaN}}"#
            ));
            let Payload::Summary(summary) = &report.observations[0].payload else {
                panic!("{data}")
            };
            assert_eq!(
                (summary.headline_value(), summary.count),
                (Some(0.15), Some(2))
            );
        }
    }

    #[test]
    fn commit_and_machine_are_known_and_the_host_is_not() {
        let report = read(r#"{"rounds": 1, "iterations": 1, "data": [0.1]}"#);
        let context = &report.context;
        assert_eq!(
            (context.commit.as_deref(), context.branch.as_deref()),
            (Some("abc"), Some("main"))
        );
        assert_eq!(context.fingerprint.os.as_deref(), Some("Linux 6"));
        assert_eq!(context.fingerprint.runtime.as_deref(), Some("CPython 3.11"));
        assert!(!format!("{report:?}").contains("secret-host"));
    }
}
