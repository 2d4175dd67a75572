//! `go test -bench`: a line per sample (`BenchmarkName-8  N  value unit …`), as text or inside test2json events.
//!
//! See golang.org/design/14313-benchmark-format. Each value is a mean over `N` operations. The package belongs to the
//! identity; the final `-8` may be GOMAXPROCS or part of the name, so the full name is kept.

use std::collections::HashMap;

use crate::draft::{Draft, observation};
use crate::error::ParseError;
use crate::input::{Input, Shape};
use crate::json;
use crate::report::{Basis, Direction, Payload, Report, Samples};
use crate::{Format, ParseOptions};

pub(crate) fn sniff(input: &Input) -> bool {
    if let Some(event) = input.first_record() {
        return json::string(event, "Action").is_some()
            && (event.get("Package").is_some() || event.get("Output").is_some());
    }
    let mut configured = false;
    let mut finished = false;
    for line in input.text.lines() {
        if result(line).is_some_and(|(name, _)| !name.is_empty()) {
            return true;
        }
        configured |= line.starts_with("goos: ") || line.starts_with("pkg: ");
        finished |= line == "PASS"
            || line == "FAIL"
            || line.starts_with("ok  \t")
            || line.starts_with("FAIL\t");
    }
    configured && finished
}

pub(crate) fn parse(input: &Input, _: &ParseOptions) -> Result<Report, ParseError> {
    let mut reading = Reading {
        draft: Draft::new(Format::GoBench),
        ..Reading::new()
    };
    reading.draft.context().fingerprint.tool = Some("go test".into());
    if matches!(input.shape, Shape::Json(_) | Shape::Lines(_)) {
        for (package, output) in outputs(input)? {
            reading.package = package;
            output.lines().for_each(|line| reading.line(line));
            reading.pending = None;
        }
    } else {
        for line in input.lines() {
            reading.line(line?.1);
        }
    }
    reading.finish()
}

/// The output of each package in a test2json stream, put together again: events cut lines anywhere.
fn outputs(input: &Input) -> Result<Vec<(Option<String>, String)>, ParseError> {
    let mut packages: Vec<(Option<String>, String)> = Vec::new();
    let mut at: HashMap<Option<String>, usize> = HashMap::new();
    for record in input.records() {
        let (_, event) = record?;
        if let Some(output) = json::string(&event, "Output") {
            let package = json::string(&event, "Package").map(str::to_owned);
            let index = *at.entry(package.clone()).or_insert(packages.len());
            if index == packages.len() {
                packages.push((package, String::new()));
            }
            packages[index].1.push_str(output);
        }
    }
    Ok(packages)
}

/// Package, full name, unit.
type Key = (Option<String>, String, String);

struct Reading {
    draft: Draft,
    package: Option<String>,
    /// A benchmark's name whose numbers come later, behind what the benchmark logged.
    pending: Option<String>,
    series: Vec<(Key, Samples)>,
    at: HashMap<Key, usize>,
    directions: HashMap<String, Direction>,
}

impl Reading {
    fn new() -> Self {
        Reading {
            draft: Draft::new(Format::GoBench),
            package: None,
            pending: None,
            series: Vec::new(),
            at: HashMap::new(),
            directions: HashMap::new(),
        }
    }

    fn line(&mut self, line: &str) {
        if let Some((name, measured)) = result(line) {
            let name = if name.is_empty() {
                self.pending.take()
            } else {
                Some(name.to_owned())
            };
            if let Some(name) = name {
                self.measured(&name, &measured);
            }
            self.pending = None;
        } else if line.starts_with("Benchmark") {
            self.pending = line.split_whitespace().next().map(str::to_owned);
        } else if let Some(failed) = line.trim_start().strip_prefix("--- FAIL: ") {
            self.draft.skip(
                failed.split_whitespace().next().unwrap_or(failed),
                "the benchmark failed",
            );
        } else if let Some(skipped) = line.trim_start().strip_prefix("--- SKIP: ") {
            self.draft.skip(
                skipped.split_whitespace().next().unwrap_or(skipped),
                "the benchmark was skipped",
            );
        } else if let Some(package) = line.strip_prefix("FAIL\t") {
            self.draft.skip(
                package.split_whitespace().next().unwrap_or(package),
                "the package failed",
            );
        } else if let Some(unit) = line.strip_prefix("Unit ") {
            self.unit(unit);
        } else if let Some((key, value)) = line.split_once(": ").filter(|(key, _)| is_key(key)) {
            self.configure(key, value.trim());
        }
    }

    fn measured(&mut self, name: &str, measured: &Measured) {
        for &(value, unit) in &measured.values {
            let key = (self.package.clone(), name.to_owned(), unit.to_owned());
            let at = *self.at.entry(key.clone()).or_insert(self.series.len());
            if at == self.series.len() {
                self.series.push((
                    key,
                    Samples {
                        values: Vec::new(),
                        iterations: Some(Vec::new()),
                    },
                ));
            }
            let samples = &mut self.series[at].1;
            samples.values.push(value);
            samples
                .iterations
                .get_or_insert_default()
                .push(measured.iterations);
        }
    }

    /// `Unit ns/op better=lower assume=nothing`.
    fn unit(&mut self, text: &str) {
        let mut words = text.split_whitespace();
        let Some(unit) = words.next() else { return };
        for word in words {
            match word {
                "better=lower" => self.directions.insert(unit.to_owned(), Direction::Lower),
                "better=higher" => self.directions.insert(unit.to_owned(), Direction::Higher),
                _ => None,
            };
        }
    }

    fn configure(&mut self, key: &str, value: &str) {
        let context = self.draft.context();
        let known = match key {
            "pkg" => &mut self.package,
            "goos" => &mut context.fingerprint.os,
            "goarch" => &mut context.fingerprint.arch,
            "cpu" => &mut context.fingerprint.cpu,
            "commit" => &mut context.commit,
            "branch" => &mut context.branch,
            _ => return,
        };
        *known = Some(value.to_owned());
    }

    fn finish(mut self) -> Result<Report, ParseError> {
        for ((package, name, unit), samples) in self.series {
            let mut series = observation(&name, &unit, &unit, Payload::Samples(samples));
            series.basis = Basis::BatchMean;
            if let Some(&direction) = self.directions.get(&unit) {
                series.direction = direction;
            }
            series
                .labels
                .extend(package.map(|package| ("pkg".to_owned(), package)));
            self.draft.add(series)?;
        }
        Ok(self.draft.finish())
    }
}

/// The numbers of one line.
struct Measured<'a> {
    iterations: u64,
    values: Vec<(f64, &'a str)>,
}

/// A line's benchmark (empty where only numbers are there) and its numbers; `None` where it is no result.
fn result(line: &str) -> Option<(&str, Measured<'_>)> {
    let mut words = line.split_whitespace();
    let first = words.next()?;
    let (name, count) = if first.starts_with("Benchmark") {
        (first, words.next()?)
    } else {
        ("", first)
    };
    let iterations = count.parse().ok()?;
    let mut values = Vec::new();
    while let (Some(value), Some(unit)) = (words.next(), words.next()) {
        let Ok(value) = value.parse::<f64>() else {
            break;
        };
        values.push((value, unit));
    }
    // Numbers alone on a line are a log's unless they name an operation's time as well.
    let measured = !values.is_empty()
        && (!name.is_empty() || values.iter().any(|(_, unit)| unit.ends_with("/op")));
    measured.then_some((name, Measured { iterations, values }))
}

/// Configuration keys begin with a lower-case letter and hold no white space or upper case.
fn is_key(key: &str) -> bool {
    key.starts_with(|c: char| c.is_lowercase())
        && !key.contains(|c: char| c.is_whitespace() || c.is_uppercase())
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
    fn logs_between_a_name_and_its_numbers_do_not_part_them() {
        let report = read(
            "pkg: a\nBenchmarkFoo-8   \thello: from the log\n     710\t     16337 ns/op\nPASS\n",
        );
        assert_eq!(report.observations[0].flow, "BenchmarkFoo-8");
        assert_eq!(
            report.observations[0].payload,
            Payload::Samples(Samples {
                values: vec![16337.0],
                iterations: Some(vec![710])
            })
        );
    }

    #[test]
    fn a_package_belongs_to_the_identity_and_units_may_carry_a_direction() {
        let report = read(
            "Unit widgets better=higher\npkg: a\nBenchmarkX 10 1 ns/op 2.5 widgets\npkg: b\nBenchmarkX 10 +Inf ns/op 3 widgets\n",
        );
        let packages: Vec<&str> = report
            .observations
            .iter()
            .map(|o| o.labels["pkg"].as_str())
            .collect();
        assert_eq!(packages, ["a", "a", "b"]);
        assert_eq!(report.observations[1].direction, Direction::Higher);
        assert_eq!(
            report.outcome(),
            Outcome::Partial,
            "an infinity is no measurement"
        );
    }

    #[test]
    fn failures_and_skips_are_listed_and_a_run_without_benchmarks_is_no_data() {
        let report = read(
            "goos: linux\n--- FAIL: BenchmarkBad\n    x_test.go:3: boom\n--- SKIP: BenchmarkSlow\nFAIL\nFAIL\texample.org/x\t0.1s\n",
        );
        assert_eq!(report.outcome(), Outcome::NoData);
        assert_eq!(report.skipped.len(), 3);
    }
}
