//! airspeed velocity's result files (`results/<machine>/<commit>-<env>.json`), of versions 1 and 2.
//!
//! Every combination of a benchmark's parameters is a series: its samples where they were recorded, else the one result.
//! The unit follows from the kind of benchmark, which asv takes from the prefix of its name; parameters have no names
//! here, so that their positions label them. `benchmarks.json` and `machine.json` hold no results.

use serde_json::{Map, Value, json};

use crate::draft::{Draft, observation, scalar};
use crate::error::ParseError;
use crate::input::Input;
use crate::json;
use crate::limits;
use crate::report::{Basis, Direction, Observation, Payload, Report, Samples};
use crate::{Format, ParseOptions};

pub(crate) fn sniff(input: &Input) -> bool {
    input
        .document()
        .is_some_and(|d| is_results(d) || is_benchmarks(d) || is_machine(d))
}

fn is_results(document: &Value) -> bool {
    json::string(document, "commit_hash").is_some()
        && document.get("results").is_some_and(Value::is_object)
}

/// A description of each benchmark under its name, and the version of the file.
fn is_benchmarks(document: &Value) -> bool {
    let Some(fields) = document.as_object() else {
        return false;
    };
    let describes = |key: &str, value: &Value| {
        json::string(value, "name") == Some(key)
            && value.get("type").is_some()
            && value.get("param_names").is_some()
    };
    fields.values().any(Value::is_object)
        && fields
            .iter()
            .all(|(key, value)| key == "version" || describes(key, value))
}

fn is_machine(document: &Value) -> bool {
    const FIELDS: [&str; 7] = ["arch", "cpu", "machine", "num_cpu", "os", "ram", "version"];
    let known = |fields: &Map<String, Value>| fields.keys().all(|k| FIELDS.contains(&k.as_str()));
    json::string(document, "machine").is_some()
        && document.get("version").is_some_and(Value::is_u64)
        && document.as_object().is_some_and(known)
}

pub(crate) fn parse(input: &Input, _: &ParseOptions) -> Result<Report, ParseError> {
    let mut draft = Draft::new(Format::Asv);
    let Some(document) = input.document() else {
        return Ok(draft.finish());
    };
    draft.context().fingerprint.tool = Some("asv".into());
    if is_machine(document) {
        draft.skip("machine.json", "describes a machine and holds no results");
        return Ok(draft.finish());
    }
    if !is_results(document) {
        let reason = "describes the benchmarks and holds no results: send results/<machine>/*.json";
        draft.skip("benchmarks.json", reason);
        return Ok(draft.finish());
    }
    describe_run(&mut draft, document);
    let environment = environment(document);
    let columns = json::array(document, "result_columns");
    let results = document.get("results").and_then(Value::as_object);
    for (name, result) in results.into_iter().flatten() {
        let mut row = match columns {
            Some(columns) => Row::of_columns(columns, result),
            None => Row::of_version_1(result),
        };
        row.version = row.version.or_else(|| {
            let versions = document.get("benchmark_version")?;
            versions.get(name).cloned()
        });
        row.add_to(&mut draft, name, &environment)?;
    }
    Ok(draft.finish())
}

fn describe_run(draft: &mut Draft, document: &Value) {
    let parameters = document.get("params").unwrap_or(&Value::Null);
    let said = |key| {
        json::string(parameters, key)
            .filter(|text| !text.is_empty())
            .map(str::to_owned)
    };
    let context = draft.context();
    context.commit = json::string(document, "commit_hash").map(str::to_owned);
    context.time_us = document
        .get("date")
        .and_then(Value::as_i64)
        .and_then(|milliseconds| milliseconds.checked_mul(1_000));
    context.testbed = said("machine");
    context.fingerprint.os = said("os");
    context.fingerprint.arch = said("arch");
    context.fingerprint.cpu = said("cpu");
    let python = json::string(document, "python").filter(|version| is_version(version));
    context.fingerprint.runtime = python.map(|version| format!("python {version}"));
}

/// An environment of an existing interpreter has its path in place of a version.
fn is_version(text: &str) -> bool {
    !text.is_empty() && !text.contains(['/', '\\'])
}

/// What an environment varies splits series: the interpreter, the requirements and the variables.
fn environment(document: &Value) -> Vec<(String, String)> {
    let python = json::string(document, "python").filter(|version| is_version(version));
    let python = python.map(|version| ("python".to_owned(), version.to_owned()));
    let varied = ["requirements", "env_vars"].into_iter().flat_map(|key| {
        let fields = document.get(key).and_then(Value::as_object);
        fields.into_iter().flatten()
    });
    let varied = varied
        .map(|(key, value)| (key.clone(), json::label(value)))
        .filter(|(_, value)| !value.is_empty() && value != "null");
    python.into_iter().chain(varied).collect()
}

/// What the file holds of one benchmark, over all combinations of its parameters.
#[derive(Default)]
struct Row<'a> {
    results: Vec<&'a Value>,
    parameters: Vec<&'a [Value]>,
    version: Option<Value>,
    /// Lists with one entry a combination.
    samples: Option<&'a Value>,
    statistics: Vec<(&'a str, &'a Value)>,
}

impl<'a> Row<'a> {
    /// Trailing columns may be left out.
    fn of_columns(columns: &'a [Value], row: &'a Value) -> Self {
        let mut found = Row::default();
        let values = row.as_array().map_or(&[][..], Vec::as_slice);
        for (column, value) in columns.iter().filter_map(Value::as_str).zip(values) {
            found.set(column, value);
        }
        found
    }

    fn of_version_1(result: &'a Value) -> Self {
        let mut found = Row::default();
        match result.as_object() {
            Some(fields) => fields.iter().for_each(|(key, value)| found.set(key, value)),
            None => found.results.push(result),
        }
        found
    }

    fn set(&mut self, column: &'a str, value: &'a Value) {
        match (column, value) {
            ("result", Value::Array(list)) => self.results = list.iter().collect(),
            ("result", single) => self.results = vec![single],
            ("params", Value::Array(lists)) => {
                let lists = lists.iter().filter_map(Value::as_array);
                self.parameters = lists.map(Vec::as_slice).collect();
            }
            ("version", Value::String(_)) => self.version = Some(value.clone()),
            ("samples", Value::Array(_)) => self.samples = Some(value),
            (name, Value::Array(_)) if name.starts_with("stats") => {
                self.statistics.push((name, value));
            }
            _ => {}
        }
    }

    fn add_to(
        &self,
        draft: &mut Draft,
        name: &str,
        environment: &[(String, String)],
    ) -> Result<(), ParseError> {
        let combinations = self
            .parameters
            .iter()
            .try_fold(1_usize, |n, values| n.checked_mul(values.len()));
        // One null stands for all combinations where all of them failed.
        if self.results.is_empty() || self.results == [&Value::Null] {
            draft.skip(name, "failed: no result");
            return Ok(());
        }
        if combinations != Some(self.results.len()) {
            draft.skip(name, "the results do not match the parameters");
            return Ok(());
        }
        for (at, result) in self.results.iter().enumerate() {
            let combination = self.combination(at);
            let Some(value) = result.as_f64() else {
                let shown = format!("{name}({})", combination.join(", "));
                draft.skip(shown, "failed or skipped: no result");
                continue;
            };
            let mut found = self.observation(name, at, value);
            found
                .labels
                .extend(environment.iter().take(limits::LABELS / 2).cloned());
            let positions = combination.iter().enumerate();
            found
                .labels
                .extend(positions.map(|(position, value)| (position.to_string(), value.clone())));
            draft.add(found)?;
        }
        Ok(())
    }

    /// The parameters of the result at a place: the product of their lists, the last of which runs fastest.
    fn combination(&self, at: usize) -> Vec<String> {
        let mut rest = at;
        let mut values: Vec<String> = Vec::with_capacity(self.parameters.len());
        for list in self.parameters.iter().rev() {
            let chosen = list.get(rest.checked_rem(list.len()).unwrap_or(0));
            values.extend(chosen.map(json::label));
            rest = rest.checked_div(list.len()).unwrap_or(0);
        }
        values.reverse();
        values
    }

    fn observation(&self, name: &str, at: usize, result: f64) -> Observation {
        let kind = Kind::of(name);
        let statistics = self.statistics_at(at);
        let samples = self
            .samples
            .and_then(|all| json::numbers(all.get(at)?.as_array()?));
        let number = statistics.get("stats_number").and_then(Value::as_u64);
        let sampled = samples.filter(|samples| !samples.is_empty());
        let basis = match (kind, &sampled) {
            (Kind::Time, Some(_)) => Basis::BatchMean,
            (Kind::Time, None) => Basis::ToolSummary,
            _ => Basis::Run,
        };
        let payload = match sampled {
            Some(values) => Payload::Samples(Samples {
                iterations: number
                    .filter(|_| kind == Kind::Time)
                    .map(|n| vec![n; values.len()]),
                values,
            }),
            None => scalar(result),
        };
        let mut found = observation(name, "value", kind.unit(), payload);
        found.basis = basis;
        if kind == Kind::Track {
            found.direction = Direction::Unknown;
        }
        let mut reported = statistics;
        reported.insert("result".into(), json!(result));
        found.extra.insert("reported".into(), reported.into());
        // It is a hash of the benchmark's code: with other code it is another benchmark.
        found.extra.extend(
            self.version
                .clone()
                .map(|version| ("version".into(), version)),
        );
        found
    }

    fn statistics_at(&self, at: usize) -> Map<String, Value> {
        let values = self.statistics.iter().filter_map(|(name, list)| {
            let value = list.get(at).filter(|value| !value.is_null())?;
            Some(((*name).to_owned(), value.clone()))
        });
        values.collect()
    }
}

/// What asv measures, by the prefix of the function's name.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Seconds of a call, over many calls.
    Time,
    /// Seconds of a fresh process.
    RawTime,
    /// Bytes.
    Memory,
    /// Whatever the benchmark returns, in a unit that stands in `benchmarks.json` alone.
    Track,
}

impl Kind {
    fn of(name: &str) -> Self {
        let function = name.rsplit('.').next().unwrap_or(name).to_lowercase();
        let is = |prefix: &str| function.starts_with(prefix);
        if is("timeraw") {
            Kind::RawTime
        } else if is("time") {
            Kind::Time
        } else if is("mem") || is("peakmem") {
            Kind::Memory
        } else {
            Kind::Track
        }
    }

    fn unit(self) -> &'static str {
        match self {
            Kind::Time | Kind::RawTime => "seconds",
            Kind::Memory => "bytes",
            Kind::Track => "?",
        }
    }
}

#[cfg(test)]
mod tests;
