//! `vitest bench --outputJson`: the statistics of every benchmark in milliseconds, under the name of its file and suites.
//!
//! vitest writes samples only where `benchmark.includeSamples` asks for them; tinybench, which measures, has sorted them.

use serde_json::Value;

use crate::draft::{Draft, observation, samples};
use crate::error::ParseError;
use crate::input::Input;
use crate::json;
use crate::report::{Basis, Observation, Payload, Quality, Report, Summary};
use crate::{Format, ParseOptions};

/// What of a benchmark's numbers is no statistic.
const NOT_REPORTED: [&str; 3] = ["id", "rank", "samples"];

pub(crate) fn sniff(input: &Input) -> bool {
    let files = input.document().and_then(|d| json::array(d, "files"));
    let is_file = |file: &Value| {
        file.get("filepath").is_some_and(Value::is_string)
            && file.get("groups").is_some_and(Value::is_array)
    };
    files.is_some_and(|files| !files.is_empty() && files.iter().all(is_file))
}

pub(crate) fn parse(input: &Input, _: &ParseOptions) -> Result<Report, ParseError> {
    let mut draft = Draft::new(Format::VitestBench);
    draft.context().fingerprint.tool = Some("vitest".into());
    let files = input.document().and_then(|d| json::array(d, "files"));
    let files = files.into_iter().flatten();
    let groups = files
        .filter_map(|file| json::array(file, "groups"))
        .flatten();
    for group in groups {
        let suite = json::string(group, "fullName").unwrap_or_default();
        for benchmark in json::array(group, "benchmarks").into_iter().flatten() {
            let name = json::string(benchmark, "name").unwrap_or("(unnamed)");
            let name = match suite {
                "" => name.to_owned(),
                suite => format!("{suite} > {name}"),
            };
            match time(&name, benchmark) {
                Some(time) => draft.add(time)?,
                None => draft.skip(name, "no samples: it was skipped, is still to do, or threw"),
            }
        }
    }
    Ok(draft.finish())
}

/// What was measured; a benchmark that did not run is listed without its numbers.
fn time(name: &str, benchmark: &Value) -> Option<Observation> {
    let count = benchmark.get("sampleCount").and_then(Value::as_u64);
    let reported = json::reported(benchmark, &NOT_REPORTED);
    let values = json::array(benchmark, "samples").and_then(|s| json::numbers(s));
    if let Some(values) = values.filter(|values| !values.is_empty()) {
        let mut time = observation(name, "time", "ms", samples(values));
        time.quality = vec![Quality::SortedSamples];
        let reported = reported.into_iter().collect::<Value>();
        time.extra.insert("reported".into(), reported);
        return Some(time);
    }
    json::number(benchmark, "mean").filter(|_| count != Some(0))?;
    let summary = Summary {
        reported,
        headline: Some("mean".into()),
        count,
        stddev: json::number(benchmark, "sd"),
    };
    Some(Observation {
        basis: Basis::ToolSummary,
        ..observation(name, "time", "ms", Payload::Summary(summary))
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;
    use crate::report::Outcome;

    fn read(benchmarks: &str) -> Report {
        let text = format!(
            r#"{{"files":[{{"filepath":"/src/a.bench.ts","groups":[{{"fullName":"a > b","benchmarks":[{benchmarks}]}}]}}]}}"#
        );
        crate::parse(text.as_bytes(), &ParseOptions::default()).unwrap()
    }

    #[test]
    fn samples_are_kept_where_they_are_there() {
        let report = read(r#"{"name":"c","samples":[1,2],"sampleCount":2,"mean":1.5,"sd":0.5}"#);
        assert_eq!(report.observations[0].flow, "a > b > c");
        assert!(matches!(
            report.observations[0].payload,
            Payload::Samples(_)
        ));
        assert!(!format!("{report:?}").contains("/src"));
    }

    #[test]
    fn what_did_not_run_is_left_out() {
        let skipped = r#"{"name":"c","rank":1,"rme":0,"samples":[]},{"name":"d","sampleCount":0,"mean":0,"samples":[]}"#;
        let report = read(skipped);
        assert_eq!(
            (report.outcome(), report.skipped.len()),
            (Outcome::NoData, 2)
        );
        assert_eq!(read("").outcome(), Outcome::NoData);
    }
}
