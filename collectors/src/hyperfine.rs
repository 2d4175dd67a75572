//! `hyperfine --export-json`: every run's wall time in seconds, and its peak memory since 1.20.

use serde_json::Value;

use crate::draft::{Draft, observation, samples};
use crate::error::{ErrorKind, ParseError};
use crate::input::Input;
use crate::json;
use crate::report::{Observation, Payload, Report, Summary};
use crate::{Format, ParseOptions};

pub(crate) fn sniff(input: &Input) -> bool {
    let results = input.document().and_then(|d| json::array(d, "results"));
    results.is_some_and(|r| {
        r.iter().all(|x| {
            x.get("command").is_some() && (x.get("times").is_some() || x.get("mean").is_some())
        }) && !r.is_empty()
    })
}

pub(crate) fn parse(input: &Input, _: &ParseOptions) -> Result<Report, ParseError> {
    let mut draft = Draft::new(Format::Hyperfine);
    draft.context().fingerprint.tool = Some("hyperfine 1".into());
    let results = input.document().and_then(|d| json::array(d, "results"));
    for (at, result) in results.into_iter().flatten().enumerate() {
        let Some(command) = json::string(result, "command") else {
            return Err(
                ParseError::new(ErrorKind::InvalidValue, "the command is no string")
                    .at_pointer(format!("/results/{at}/command")),
            );
        };
        draft.add(wall_time(command, result, at)?)?;
        if let Some(memory) = json::array(result, "memory_usage_byte")
            .and_then(|m| json::numbers(m))
            .filter(|m| !m.is_empty())
        {
            let mut peak = observation(command, "max_rss", "byte", samples(memory));
            label(&mut peak, result);
            draft.add(peak)?;
        }
    }
    Ok(draft.finish())
}

fn wall_time(command: &str, result: &Value, at: usize) -> Result<Observation, ParseError> {
    let reported = json::reported(result, &[]);
    let payload = match json::array(result, "times") {
        Some(times) => {
            let values = json::numbers(times);
            let what = || {
                ParseError::new(ErrorKind::InvalidValue, "a time is no number")
                    .at_pointer(format!("/results/{at}/times"))
            };
            samples(values.ok_or_else(what)?)
        }
        // Some wrappers cut the samples away; what is left is a summary.
        None => Payload::Summary(Summary {
            headline: Some("median".into())
                .filter(|_| result.get("median").is_some())
                .or(Some("mean".into())),
            stddev: json::number(result, "stddev"),
            reported: reported.clone(),
            count: None,
        }),
    };
    let mut time = observation(command, "wall_time", "s", payload);
    label(&mut time, result);
    time.failed = failures(result);
    if matches!(time.payload, Payload::Samples(_)) {
        time.extra
            .insert("reported".into(), reported.into_iter().collect::<Value>());
    }
    Ok(time)
}

/// Parameters of a scan (`-L`, `-P`) are dimensions.
fn label(observation: &mut Observation, result: &Value) {
    let parameters = result
        .get("parameters")
        .and_then(Value::as_object)
        .into_iter()
        .flatten();
    observation
        .labels
        .extend(parameters.map(|(k, v)| (k.clone(), json::label(v))));
}

/// Runs that a signal ended (`null`) or that answered anything but 0; `-i` keeps their times.
fn failures(result: &Value) -> u64 {
    let codes = json::array(result, "exit_codes").map_or(&[][..], Vec::as_slice);
    codes.iter().filter(|code| code.as_i64() != Some(0)).count() as u64
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use crate::report::{Outcome, Payload};
    use crate::{ErrorKind, ParseOptions, parse};

    fn read(text: &str) -> Result<crate::report::Report, crate::ParseError> {
        parse(text.as_bytes(), &ParseOptions::default())
    }

    #[test]
    fn failed_runs_are_counted_and_negative_times_left_out() {
        let report = read(r#"{"results": [{"command": "x", "times": [0.1, -0.001, 0.2], "exit_codes": [0, 1, null]}]}"#).unwrap();
        let time = &report.observations[0];
        assert_eq!((time.failed, time.dropped), (2, 1));
        assert_eq!(report.outcome(), Outcome::Partial);
    }

    #[test]
    fn without_times_the_summary_stays_a_summary() {
        let report =
            read(r#"{"results": [{"command": "x", "mean": 0.2, "stddev": 0.1, "median": 0.25}]}"#)
                .unwrap();
        let Payload::Summary(summary) = &report.observations[0].payload else {
            panic!()
        };
        assert_eq!(summary.headline_value(), Some(0.25));
    }

    #[test]
    fn a_time_that_is_no_number_is_refused_with_its_place() {
        let error = read(r#"{"results": [{"command": "x", "times": ["1 s"]}]}"#).unwrap_err();
        assert_eq!(error.kind, ErrorKind::InvalidValue);
        assert_eq!(error.place.unwrap().pointer.unwrap(), "/results/0/times");
    }
}
