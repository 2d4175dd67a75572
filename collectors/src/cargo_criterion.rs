//! `cargo criterion --message-format=json`: a message a line, of which `benchmark-complete` holds a benchmark's batches.
//!
//! `measured_values[i]` is the total of `iteration_count[i]` iterations, so each quotient is a batch mean. Reasons that are
//! not known are passed over, as the tool's documentation asks.

use serde_json::Value;

use crate::criterion::batch_means;
use crate::draft::{Draft, observation};
use crate::error::ParseError;
use crate::input::Input;
use crate::json;
use crate::report::{Basis, Observation, Payload, Report};
use crate::{Format, ParseOptions};

/// The tool's estimates, as `parse` shows them.
const ESTIMATES: [&str; 5] = ["typical", "mean", "median", "median_abs_dev", "slope"];

pub(crate) fn sniff(input: &Input) -> bool {
    input.first_record().is_some_and(|record| {
        let reason = json::string(record, "reason");
        let of_benchmark = record.get("iteration_count").is_some() || record.get("id").is_some();
        let of_group = record.get("group_name").is_some() && record.get("benchmarks").is_some();
        matches!(reason, Some("benchmark-complete")) && of_benchmark
            || matches!(reason, Some("group-complete")) && of_group
    })
}

pub(crate) fn parse(input: &Input, _: &ParseOptions) -> Result<Report, ParseError> {
    let mut draft = Draft::new(Format::CargoCriterion);
    draft.context().fingerprint.tool = Some("criterion".into());
    for line in input.lines() {
        let (number, text) = line?;
        let record = match json::parse(text) {
            Ok(record) => record,
            Err(error) => {
                draft.skip(format!("line {number}"), error.message);
                continue;
            }
        };
        match json::string(&record, "reason") {
            Some("benchmark-complete") => {}
            Some("group-complete") => {
                let group = json::string(&record, "group_name").unwrap_or("a group");
                draft.skip(
                    group,
                    "group-complete: it repeats the names of its benchmarks",
                );
                continue;
            }
            _ => continue,
        }
        match benchmark(&record) {
            Some(time) => draft.add(time)?,
            None => draft.skip(
                json::string(&record, "id").unwrap_or("a benchmark"),
                format!("line {number}: iteration_count and measured_values do not fit together"),
            ),
        }
    }
    Ok(draft.finish())
}

fn benchmark(record: &Value) -> Option<Observation> {
    let iterations = json::array(record, "iteration_count")?;
    let payload = batch_means(iterations, json::array(record, "measured_values")?)?;
    let unit = json::string(record, "unit").unwrap_or("ns");
    let mut time = observation(
        json::string(record, "id")?,
        "time",
        unit,
        Payload::Samples(payload),
    );
    time.basis = Basis::BatchMean;
    let reported = ESTIMATES.iter().filter_map(|name| {
        let estimate = json::number(record.get(*name)?, "estimate")?;
        Some(((*name).to_owned(), Value::from(estimate)))
    });
    time.extra
        .insert("reported".into(), Value::Object(reported.collect()));
    let throughput = record.get("throughput").cloned().unwrap_or_default();
    time.extra.insert("throughput".into(), throughput);
    Some(time)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;
    use crate::report::Outcome;

    fn read(text: &str) -> Report {
        crate::parse(text.as_bytes(), &ParseOptions::default()).unwrap()
    }

    const GOOD: &str = r#"{"reason":"benchmark-complete","id":"a","unit":"ns","iteration_count":[2,4],"measured_values":[10.0,24.0]}"#;

    #[test]
    fn totals_are_divided_and_reasons_of_later_versions_are_passed_over() {
        let report = read(&format!(
            "{GOOD}\n{{\"reason\":\"a-later-version\",\"x\":1}}\n{}\n",
            r#"{"reason":"group-complete","group_name":"a","benchmarks":["a"]}"#
        ));
        let Payload::Samples(samples) = &report.observations[0].payload else {
            panic!()
        };
        assert_eq!(samples.values, [5.0, 6.0]);
        assert_eq!(samples.iterations, Some(vec![2, 4]));
        assert_eq!(
            (report.outcome(), report.skipped.len()),
            (Outcome::Partial, 1)
        );
    }

    #[test]
    fn a_line_that_was_cut_costs_itself_alone() {
        let report = read(&format!(
            "{GOOD}\n{}\n{}",
            r#"{"reason":"benchmark-complete","id":"b","iteration_count":[2],"measured_values":[]}"#,
            &GOOD[..40]
        ));
        assert_eq!((report.observations.len(), report.skipped.len()), (1, 2));
    }
}
