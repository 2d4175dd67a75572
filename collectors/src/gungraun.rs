//! Gungraun's (formerly iai-callgrind's) `--output-format=json`: one object for each benchmark, wherever it stands among
//! the other lines that `cargo bench` prints.
//!
//! Events are counted exactly, so that each is one value. Of a comparison with an earlier run only the new value is kept.
//! Read are the schemas 6 (`summaries`) and 7 (`data`).

use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::draft::{Draft, observation, scalar};
use crate::error::{ErrorKind, ParseError};
use crate::input::{Input, Shape};
use crate::json;
use crate::report::{Basis, Direction, Report};
use crate::{Format, ParseOptions};

pub(crate) fn sniff(input: &Input) -> bool {
    match &input.shape {
        Shape::Json(record) | Shape::Lines(record) => is_benchmark(record),
        // Lines of other output come before the first object.
        Shape::Text | Shape::BrokenJson(_) => {
            let keys = ["\"module_path\"", "\"benchmark_exe\"", "\"profiles\""];
            let begins = |line: &str| line.starts_with('{');
            keys.iter().all(|key| input.text.contains(key)) && input.text.lines().any(begins)
        }
        _ => false,
    }
}

fn is_benchmark(record: &Value) -> bool {
    json::string(record, "module_path").is_some() && json::array(record, "profiles").is_some()
}

pub(crate) fn parse(input: &Input, _: &ParseOptions) -> Result<Report, ParseError> {
    let mut draft = Draft::new(Format::Gungraun);
    draft.context().fingerprint.tool = Some("gungraun".into());
    let mut rest = &*input.text;
    let mut found = false;
    while let Some(at) = next_object(rest) {
        rest = rest.get(at..).unwrap_or_default();
        let mut values = serde_json::Deserializer::from_str(rest).into_iter::<&RawValue>();
        let read = match values.next() {
            Some(Ok(object)) => {
                let record = json::parse(object.get())?;
                if is_benchmark(&record) {
                    found = true;
                    add(&mut draft, &record)?;
                }
                values.byte_offset()
            }
            Some(Err(error)) if error.is_eof() => {
                draft.skip(
                    "last object",
                    "the file ends inside of it: was it cut short?",
                );
                break;
            }
            _ => 1,
        };
        rest = rest.get(read..).unwrap_or_default();
    }
    if !found {
        let error = ParseError::new(ErrorKind::InvalidJson, "no benchmark's object is complete");
        return Err(error.hint("the file ends early: was it cut short?"));
    }
    Ok(draft.finish())
}

/// Where the next line begins that may be an object.
fn next_object(text: &str) -> Option<usize> {
    if text.starts_with('{') {
        return Some(0);
    }
    text.find("\n{").map(|newline| newline + 1)
}

fn add(draft: &mut Draft, record: &Value) -> Result<(), ParseError> {
    let path = json::string(record, "module_path").unwrap_or_default();
    let id = json::string(record, "id").filter(|id| !id.is_empty());
    let flow = id.map_or(path.to_owned(), |id| format!("{path} {id}"));
    if draft.context().time_us.is_none() {
        draft.context().time_us =
            json::string(record, "started_at").and_then(crate::time::microseconds);
    }
    let arguments = record.get("description").or(record.get("details"));
    for profile in json::array(record, "profiles").into_iter().flatten() {
        let events = events(profile);
        if events.is_empty() {
            let tool = json::string(profile, "tool").unwrap_or("profile");
            draft.skip(&flow, format!("{tool} reported no events that we know"));
        }
        for (tool, event, metrics) in events {
            let Some(value) = new_value(metrics) else {
                draft.skip(format!("{flow} {event}"), "no value of the new run");
                continue;
            };
            let unit = if value.whole { "count" } else { "1" };
            let mut counted = observation(&flow, event, unit, scalar(value.value));
            counted.basis = Basis::Count;
            // More hits may be fewer misses, or just more work.
            let hits = event.to_lowercase().contains("hit");
            counted.direction = if hits {
                Direction::Unknown
            } else {
                Direction::Lower
            };
            counted.labels.insert("tool".into(), tool.to_owned());
            let arguments = arguments.filter(|a| a.is_string()).cloned();
            counted
                .extra
                .extend(arguments.map(|a| ("arguments".to_owned(), a)));
            draft.add(counted)?;
        }
    }
    Ok(())
}

/// `(tool, event, its values)` of a profile's totals.
fn events(profile: &Value) -> Vec<(&str, &str, &Value)> {
    let by_tool = profile
        .pointer("/summaries/total/summary")
        .and_then(Value::as_object);
    if let Some(by_tool) = by_tool {
        return by_tool
            .iter()
            .flat_map(|(tool, events)| named(tool, events.as_object(), "metrics"))
            .collect();
    }
    let tool = match json::string(profile, "tool").unwrap_or("unknown") {
        "DHAT" => "Dhat",
        tool => tool,
    };
    let events = profile.pointer("/data/total/metrics");
    named(tool, events.and_then(Value::as_object), "values")
}

fn named<'a>(
    tool: &'a str,
    events: Option<&'a Map<String, Value>>,
    key: &str,
) -> Vec<(&'a str, &'a str, &'a Value)> {
    let events = events.into_iter().flatten();
    events
        .filter_map(|(event, entry)| Some((tool, event.as_str(), entry.get(key)?)))
        .collect()
}

/// A count, or a rate in percent.
struct Measured {
    value: f64,
    whole: bool,
}

/// The value of this run: `Left` stands for the new run alone, `Both` for the new and the old, `Right` for the old alone.
fn new_value(metrics: &Value) -> Option<Measured> {
    let new = metrics
        .get("Left")
        .or_else(|| metrics.get("Both")?.get(0))
        .or_else(|| metrics.get("new"))?;
    let number = new.get("Int").or_else(|| new.get("Float")).unwrap_or(new);
    Some(Measured {
        value: number.as_f64()?,
        whole: number.is_u64(),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    fn record(metrics: &str) -> String {
        format!(
            r#"{{"benchmark_exe":"b","module_path":"a::b","id":"x","profiles":[{{"tool":"Callgrind","data":{{"total":{{"metrics":{{"Ir":{{"values":{metrics}}}}}}}}}}}]}}"#
        )
    }

    fn read(text: &str) -> Result<Report, ParseError> {
        crate::parse(text.as_bytes(), &ParseOptions::default())
    }

    #[test]
    fn only_the_value_of_the_new_run_is_kept() {
        let text = format!(
            "noise\n{}\n{{ no json\n{}\n",
            record(r#"{"new":7,"old":9}"#),
            record(r#"{"old":9}"#)
        );
        let report = read(&text).unwrap();
        assert_eq!(report.observations.len(), 1);
        assert_eq!(report.observations[0].payload, scalar(7.0));
        assert_eq!(report.skipped.len(), 1);
    }

    #[test]
    fn objects_over_several_lines_are_read_and_a_cut_one_is_listed() {
        let pretty: Value = serde_json::from_str(&record(r#"{"new":0.5}"#)).unwrap();
        let pretty = serde_json::to_string_pretty(&pretty).unwrap();
        let report = read(&format!("{pretty}\n{}", &pretty[..pretty.len() / 2])).unwrap();
        assert_eq!((report.observations.len(), report.skipped.len()), (1, 1));
        assert_eq!(report.observations[0].unit, "1", "a rate is no whole count");
        let cut = format!("noise\n{}", &pretty[..pretty.len() - 3]);
        assert_eq!(read(&cut).unwrap_err().kind, ErrorKind::InvalidJson);
    }
}
