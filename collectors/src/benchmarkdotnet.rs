//! BenchmarkDotNet's `*-report-full.json`: the workload's iterations, in nanoseconds an operation.
//!
//! Kept are the measurements of mode `Workload` and stage `Result`, from which the tool has taken its own overhead; older
//! versions call the mode `Result` alone. Reports without measurements (`brief`) stay summaries.

use serde_json::{Map, Value};

use crate::draft::{Draft, observation, samples, scalar};
use crate::error::ParseError;
use crate::input::Input;
use crate::json;
use crate::report::{Basis, Direction, Observation, Payload, Report, Samples, Summary};
use crate::{Format, ParseOptions};

/// What of `Statistics` is kept.
const STATISTICS: [&str; 7] = [
    "N",
    "Min",
    "Mean",
    "Median",
    "Max",
    "StandardError",
    "StandardDeviation",
];

pub(crate) fn sniff(input: &Input) -> bool {
    input.document().is_some_and(|document| {
        document.get("HostEnvironmentInfo").is_some()
            && json::array(document, "Benchmarks").is_some()
    })
}

pub(crate) fn parse(input: &Input, _: &ParseOptions) -> Result<Report, ParseError> {
    let mut draft = Draft::new(Format::BenchmarkDotNet);
    let document = input.document();
    if let Some(host) = document.and_then(|d| d.get("HostEnvironmentInfo")) {
        describe_run(&mut draft, host);
    }
    let benchmarks = document.and_then(|d| json::array(d, "Benchmarks"));
    for benchmark in benchmarks.into_iter().flatten() {
        let name = name(benchmark);
        match time(benchmark) {
            Some((payload, basis)) => {
                let mut found = labelled(benchmark, observation(&name, "time", "ns", payload));
                found.basis = basis;
                found
                    .extra
                    .insert("reported".into(), statistics(benchmark).into());
                draft.add(found)?;
            }
            None => draft.skip(name.clone(), "no measurements: the benchmark failed"),
        }
        if let Some(bytes) = allocated(benchmark) {
            let payload = scalar(bytes);
            let mut found = labelled(
                benchmark,
                observation(&name, "allocated", "byte/op", payload),
            );
            found.basis = Basis::Count;
            found.direction = Direction::Lower;
            draft.add(found)?;
        }
    }
    Ok(draft.finish())
}

fn describe_run(draft: &mut Draft, host: &Value) {
    let print = &mut draft.context().fingerprint;
    print.tool = Some("BenchmarkDotNet".into());
    print.runtime = ["RuntimeVersion", "ClrVersion"]
        .into_iter()
        .find_map(|key| json::string(host, key))
        .map(str::to_owned);
    print.os = json::string(host, "OsVersion").map(str::to_owned);
    print.arch = json::string(host, "Architecture").map(str::to_owned);
    // Old versions wrote the text as a lazy value.
    let processor = host.get("ProcessorName");
    let processor = processor.and_then(|p| p.as_str().or_else(|| json::string(p, "Value")));
    print.cpu = processor.map(str::to_owned);
    if json::string(host, "Configuration").is_some_and(|c| c.eq_ignore_ascii_case("debug")) {
        draft.warn("the benchmarks were built in debug mode");
    }
}

/// The full name with its arguments; old versions have the method's alone.
fn name(benchmark: &Value) -> String {
    ["FullName", "MethodTitle", "Method", "DisplayInfo"]
        .into_iter()
        .find_map(|key| json::string(benchmark, key).filter(|name| !name.is_empty()))
        .unwrap_or("?")
        .to_owned()
}

/// With its parameters (`A=1&B=2`) as a label.
fn labelled(benchmark: &Value, mut found: Observation) -> Observation {
    let parameters = json::string(benchmark, "Parameters").filter(|p| !p.is_empty());
    found
        .labels
        .extend(parameters.map(|p| ("Parameters".to_owned(), p.to_owned())));
    found
}

fn statistics(benchmark: &Value) -> Map<String, Value> {
    let all = benchmark.get("Statistics").unwrap_or(&Value::Null);
    STATISTICS
        .into_iter()
        .filter_map(|key| Some((key.to_owned(), all.get(key)?.clone())))
        .collect()
}

/// The iterations, else the values that the statistics rest on, else the statistics alone.
fn time(benchmark: &Value) -> Option<(Payload, Basis)> {
    let measurements = json::array(benchmark, "Measurements").map(Vec::as_slice);
    let (mut values, mut iterations) = (Vec::new(), Vec::new());
    for measurement in measurements
        .unwrap_or_default()
        .iter()
        .filter(|m| is_result(m))
    {
        let operations = measurement
            .get("Operations")
            .and_then(Value::as_u64)
            .filter(|n| *n > 0)?;
        values.push(json::number(measurement, "Nanoseconds")? / operations as f64);
        iterations.push(operations);
    }
    if !values.is_empty() {
        let iterations = Some(iterations);
        return Some((
            Payload::Samples(Samples { values, iterations }),
            Basis::BatchMean,
        ));
    }
    let statistics = benchmark.get("Statistics").filter(|s| s.is_object())?;
    let originals = json::array(statistics, "OriginalValues").and_then(|v| json::numbers(v));
    if let Some(values) = originals.filter(|values| !values.is_empty()) {
        return Some((samples(values), Basis::BatchMean));
    }
    let reported: Vec<(String, f64)> = STATISTICS
        .into_iter()
        .filter_map(|key| Some((key.to_owned(), json::number(statistics, key)?)))
        .collect();
    let headline = ["Median", "Mean"]
        .into_iter()
        .find(|key| reported.iter().any(|(name, _)| name == key))?;
    let summary = Summary {
        headline: Some(headline.to_owned()),
        count: statistics.get("N").and_then(Value::as_u64),
        stddev: json::number(statistics, "StandardDeviation"),
        reported,
    };
    Some((Payload::Summary(summary), Basis::ToolSummary))
}

fn is_result(measurement: &Value) -> bool {
    let mode = json::string(measurement, "IterationMode");
    match json::string(measurement, "IterationStage") {
        Some(stage) => mode == Some("Workload") && stage == "Result",
        None => mode == Some("Result"),
    }
}

fn allocated(benchmark: &Value) -> Option<f64> {
    json::number(benchmark.get("Memory")?, "BytesAllocatedPerOperation")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;
    use crate::report::Outcome;

    fn read(benchmark: &str) -> Report {
        let text = format!(
            "\u{feff}{{\"HostEnvironmentInfo\":{{\"RuntimeVersion\":\".NET 9.0.6\"}},\"Benchmarks\":[{benchmark}]}}"
        );
        crate::parse(text.as_bytes(), &ParseOptions::default()).unwrap()
    }

    #[test]
    fn only_the_corrected_workload_counts_an_operation_at_a_time() {
        let report = read(
            r#"{"FullName":"A.B(N: 1)","Parameters":"N=1","Statistics":{"N":1},"Memory":{"BytesAllocatedPerOperation":24},"Measurements":[
            {"IterationMode":"Overhead","IterationStage":"Actual","Operations":2,"Nanoseconds":9},
            {"IterationMode":"Workload","IterationStage":"Actual","Operations":2,"Nanoseconds":30},
            {"IterationMode":"Workload","IterationStage":"Result","Operations":2,"Nanoseconds":21}]}"#,
        );
        let Payload::Samples(kept) = &report.observations[0].payload else {
            panic!()
        };
        assert_eq!(
            (kept.values.as_slice(), &kept.iterations),
            (&[10.5][..], &Some(vec![2]))
        );
        assert_eq!(report.observations[0].labels["Parameters"], "N=1");
        assert_eq!(report.observations[1].payload, scalar(24.0));
    }

    #[test]
    fn a_benchmark_that_failed_is_listed() {
        let report = read(r#"{"FullName":"A.C","Statistics":null,"Measurements":[]}"#);
        assert_eq!(
            (report.outcome(), report.skipped.len()),
            (Outcome::NoData, 1)
        );
    }
}
