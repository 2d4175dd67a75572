//! Gatling's text `simulation.log` (before 3.12): every request with the milliseconds at which it began and ended.
//!
//! Columns moved between versions, so that a request's are found by its two points in time, which are 13 digits long.
//! Groups, pauses and users are not kept. The binary log of later versions is refused.

use crate::draft::Draft;
use crate::error::ParseError;
use crate::input::{Input, Shape};
use crate::report::Report;
use crate::requests::{Kind, Requests, flow};
use crate::{Format, ParseOptions};

/// Assertions stand before the line that names the run.
const HEAD_LINES: usize = 1_000;

pub(crate) fn sniff(input: &Input) -> bool {
    let first = input.text.lines().find(|line| !line.trim().is_empty());
    let begins = first.is_some_and(|l| l.starts_with("RUN\t") || l.starts_with("ASSERTION\t"));
    let mut head = input.text.lines().take(HEAD_LINES);
    matches!(input.shape, Shape::Text) && begins && head.any(|line| run(line).is_some())
}

/// When the run began (milliseconds) and the version of Gatling, of the line that names the run.
fn run(line: &str) -> Option<(i64, &str)> {
    let fields: Vec<&str> = line.strip_prefix("RUN\t")?.split('\t').collect();
    let began = fields.iter().find_map(|field| milliseconds(field))?;
    Some((began, fields.last()?.trim()))
}

/// A point in time: 13 digits, which they are from 2001 to 2286.
fn milliseconds(field: &str) -> Option<i64> {
    let digits = field.len() == 13 && field.bytes().all(|b| b.is_ascii_digit());
    field.parse().ok().filter(|_| digits)
}

pub(crate) fn parse(input: &Input, _: &ParseOptions) -> Result<Report, ParseError> {
    let mut draft = Draft::new(Format::Gatling);
    let mut requests = Requests::default();
    for line in input.lines() {
        let (number, line) = line?;
        if let Some((began, version)) = run(line) {
            let major = version.split('.').next().unwrap_or_default();
            let context = draft.context();
            context.fingerprint.tool = Some(format!("gatling {major}").trim().to_owned());
            context.time_us = began.checked_mul(1_000);
        }
        if !is_request(line) {
            continue;
        }
        let Some((kind, elapsed)) = request(line) else {
            draft.skip(
                format!("line {number}"),
                "a request without its times and status",
            );
            continue;
        };
        requests.add(kind, elapsed);
    }
    requests.finish(&mut draft, "response_time", "ms", &[])?;
    Ok(draft.finish())
}

/// The record's type stands first, or in version 2.0 third.
fn is_request(line: &str) -> bool {
    line.split('\t').take(3).any(|field| field == "REQUEST")
}

/// The request's name and groups stand before its points in time, its status after them; earlier versions had four.
fn request(line: &str) -> Option<(Kind, f64)> {
    let fields: Vec<&str> = line.split('\t').collect();
    let times: Vec<(usize, i64)> = fields
        .iter()
        .enumerate()
        .filter_map(|(at, field)| Some((at, milliseconds(field)?)))
        .collect();
    let (first, began) = *times.first()?;
    let (last, ended) = *times.last().filter(|(at, _)| *at > first)?;
    let failed = match *fields.get(last + 1)? {
        "OK" => false,
        "KO" => true,
        _ => return None,
    };
    let before = |n: usize| first.checked_sub(n).and_then(|at| fields.get(at));
    // With the type at the very front nothing but it can stand two fields before the name.
    let groups = before(2).filter(|groups| **groups != "REQUEST");
    let groups = groups.map(|groups| groups.trim().replace(',', "/"));
    let name = *before(1)?;
    let kind = Kind {
        shown_as: name.to_owned(),
        flow: flow(name),
        labels: groups
            .filter(|groups| !groups.is_empty())
            .map(|groups| ("group".to_owned(), groups))
            .into_iter()
            .collect(),
        failed,
    };
    Some((kind, ended.checked_sub(began)? as f64))
}

/// The version in a binary log's head: a zero, then the length of the version, then the version.
pub(crate) fn binary_version(bytes: &[u8]) -> Option<&str> {
    let (&length, rest) = bytes.strip_prefix(&[0, 0, 0, 0])?.split_first()?;
    let version = rest.get(..usize::from(length))?;
    let parts = |text: &&str| text.contains('.') && text.starts_with(|c: char| c.is_ascii_digit());
    std::str::from_utf8(version).ok().filter(parts)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;
    use crate::ErrorKind;
    use crate::draft::samples;
    use crate::report::Payload;

    const RUN: &str = "RUN\tx.Simulation\tid\t1522406682290\t \t3.5.1\r\n";

    #[test]
    fn requests_of_all_versions_are_read_and_failures_are_apart() {
        let text = format!(
            "{RUN}USER\ts\tSTART\t1522406682831\r\nREQUEST\t\tpay\t1522406682000\t1522406682010\tOK\r\nREQUEST\t7\ta,b\tpay\t1522406682000\t1522406682020\tKO\tstatus 500\r\nREQUEST\ts\t7\t\tpay\t1522406682000\t1522406682001\t1522406682002\t1522406682030\tOK\r\nGROUP\ta\t1522406682000\t1522406682010\t9\tOK\r\nREQUEST\t\tpay\t15224066"
        );
        let report = crate::parse(text.as_bytes(), &ParseOptions::default()).unwrap();
        let values: Vec<_> = report.observations.iter().map(|o| &o.payload).collect();
        assert_eq!(values, [&samples(vec![10.0, 30.0]), &samples(vec![20.0])]);
        let failed = &report.observations[1].labels;
        assert_eq!((&*failed["outcome"], &*failed["group"]), ("error", "a/b"));
        assert_eq!(report.skipped.len(), 1, "the line that was cut");
    }

    #[test]
    fn addresses_become_routes() {
        let text =
            format!("{RUN}REQUEST\t\thttp://shop/item/17?q=1\t1522406682000\t1522406682000\tOK\n");
        let report = crate::parse(text.as_bytes(), &ParseOptions::default()).unwrap();
        assert_eq!(report.observations[0].flow, "/item/:id");
        assert!(
            matches!(&report.observations[0].payload, Payload::Samples(s) if s.values == [0.0])
        );
    }

    #[test]
    fn the_binary_log_is_named() {
        let error =
            crate::parse(b"\0\0\0\0\x063.12.1\0\0\0\0+", &ParseOptions::default()).unwrap_err();
        assert_eq!(error.kind, ErrorKind::UnsupportedBinary);
        assert!(error.message.contains("binary") && error.message.contains("Gatling 3.12.1"));
    }
}
