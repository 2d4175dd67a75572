//! ApacheBench (`ab`): the table of requests that `-g` writes, and the report that it prints.
//!
//! The table has whole milliseconds, sorted, with failed requests among them. Of the report the rate is taken.

use serde_json::json;

use crate::draft::{Draft, observation, samples, scalar};
use crate::error::ParseError;
use crate::input::{Input, Shape};
use crate::printed;
use crate::report::{Basis, Direction, Quality, Report};
use crate::route::template;
use crate::{Format, ParseOptions};

/// The columns of the table.
const HEAD: &str = "starttime\tseconds\tctime\tdtime\tttime\twait";

/// Its columns of times.
const TIMES: [(usize, &str); 4] = [(2, "ctime"), (3, "dtime"), (4, "ttime"), (5, "wait")];

/// All requests; the table does not say what was asked for.
const REQUESTS: &str = "requests";

pub(crate) fn sniff(input: &Input) -> bool {
    matches!(input.shape, Shape::Text) && (is_table(&input.text) || is_report(&input.text))
}

fn is_table(text: &str) -> bool {
    text.lines().next().map(str::trim_end) == Some(HEAD)
}

fn is_report(text: &str) -> bool {
    text.lines()
        .any(|line| line.starts_with("This is ApacheBench, Version "))
        || field(text, "Server Hostname").is_some() && field(text, "Document Path").is_some()
}

pub(crate) fn parse(input: &Input, _: &ParseOptions) -> Result<Report, ParseError> {
    let mut draft = Draft::new(Format::ApacheBench);
    draft.context().fingerprint.tool = Some("ab 2".into());
    if is_table(&input.text) {
        table(input, &mut draft)?;
    } else {
        report(&input.text, &mut draft)?;
    }
    Ok(draft.finish())
}

fn table(input: &Input, draft: &mut Draft) -> Result<(), ParseError> {
    let mut times = TIMES.map(|_| Vec::new());
    for line in input.lines().skip(1) {
        let (number, line) = line?;
        let fields: Vec<&str> = line.trim_end().split('\t').collect();
        let read = TIMES.map(|(column, _)| fields.get(column).and_then(|f| printed::number(f)));
        let [Some(connect), Some(processing), Some(total), Some(wait)] = read else {
            draft.skip(format!("line {number}"), "no whole row of a request");
            continue;
        };
        for (values, time) in times.iter_mut().zip([connect, processing, total, wait]) {
            values.push(time);
        }
    }
    for ((_, name), values) in TIMES.into_iter().zip(times) {
        if values.is_empty() {
            continue;
        }
        let mut series = observation(REQUESTS, name, "ms", samples(values));
        series.quality = vec![
            Quality::Rounded,
            Quality::FailuresIncluded,
            Quality::SortedSamples,
        ];
        draft.add(series)?;
    }
    Ok(())
}

/// What stands after `name:` at the beginning of a line.
fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = text.lines();
    let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    value.map(str::trim)
}

/// The number that such a field begins with.
fn first_number(text: &str, name: &str) -> Option<f64> {
    printed::number(field(text, name)?.split_whitespace().next()?)
}

fn report(text: &str, draft: &mut Draft) -> Result<(), ParseError> {
    let complete = first_number(text, "Complete requests");
    let rate = first_number(text, "Requests per second");
    let (Some(rate), true) = (rate, complete != Some(0.0)) else {
        draft.skip(REQUESTS, "no request was completed");
        return Ok(());
    };
    let flow = field(text, "Document Path").filter(|path| !path.is_empty());
    let flow = flow.map_or(REQUESTS.to_owned(), template);
    let mut per_second = observation(&flow, "requests_per_second", "1/s", scalar(rate));
    per_second.shown_as = Some(REQUESTS.into());
    per_second.basis = Basis::ToolSummary;
    per_second.direction = Direction::Higher;
    per_second.quality.push(Quality::Rounded);
    let concurrency = field(text, "Concurrency Level");
    let concurrency = concurrency.map(|level| ("concurrency".to_owned(), level.to_owned()));
    per_second.labels.extend(concurrency);
    let failed = first_number(text, "Failed requests").unwrap_or(0.0);
    let other = first_number(text, "Non-2xx responses").unwrap_or(0.0);
    if failed.max(other) > 0.0 {
        // What failed by its length may also have failed by its status.
        per_second.failed = failed.max(other) as u64;
        per_second.quality.push(Quality::FailuresIncluded);
    }
    let reported = json!({"complete": complete, "failed": failed, "non_2xx": other});
    per_second.extra.insert("reported".into(), reported);
    draft.add(per_second)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    fn read(text: &str) -> Result<Report, ParseError> {
        crate::parse(text.as_bytes(), &ParseOptions::default())
    }

    #[test]
    fn failures_are_counted_and_the_path_is_a_route() {
        let report = read("This is ApacheBench, Version 2.3 <$Revision$>\r\nDocument Path:          /item/17?q=1\r\nConcurrency Level:      4\r\nComplete requests:      400\r\nFailed requests:        3\r\n   (Connect: 0, Receive: 0, Length: 3, Exceptions: 0)\r\nNon-2xx responses:      5\r\nRequests per second:    1800.64 [#/sec] (mean)\r\n").unwrap();
        let rate = &report.observations[0];
        assert_eq!(
            (&*rate.flow, rate.failed, &*rate.labels["concurrency"]),
            ("/item/:id", 5, "4")
        );
        assert!(rate.quality.contains(&Quality::FailuresIncluded));
    }

    #[test]
    fn a_run_that_was_refused_is_no_data_and_a_row_that_was_cut_is_listed() {
        let refused = "This is ApacheBench, Version 2.3 <$Revision$>\nBenchmarking 127.0.0.1 (be patient)...apr_socket_recv: Connection refused (111)\n";
        assert!(read(refused).unwrap().observations.is_empty());
        let cut =
            format!("{HEAD}\nSat Nov 21 20:38:17 2026\t1795293497\t0\t1\t1\t0\nSat Nov 21\t17");
        assert_eq!(read(&cut).unwrap().skipped[0].name, "line 3");
    }
}
