#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;
use crate::report::{Outcome, Payload, Quality};

fn read(text: &str) -> Result<Report, ParseError> {
    crate::parse(text.as_bytes(), &ParseOptions::default())
}

fn hit(code: u16, error: &str, body: &str) -> String {
    format!(
        r#"{{"attack":"50rps","seq":0,"code":{code},"timestamp":"2026-01-01T00:00:00Z","latency":5,"bytes_out":0,"bytes_in":1,"error":"{error}","body":"{body}","method":"GET","url":"http://shop/item/17?utm=x"}}"#
    )
}

#[test]
fn failures_are_apart_and_addresses_are_routes() {
    let report =
        read(&[hit(200, "", ""), hit(503, "", ""), hit(0, "refused", "")].join("\n")).unwrap();
    let listed: Vec<_> = report
        .observations
        .iter()
        .map(|o| (o.flow.as_str(), o.labels.contains_key("outcome"), o.failed))
        .collect();
    assert_eq!(
        listed,
        [("GET /item/:id", false, 0), ("GET /item/:id", true, 2)]
    );
    assert_eq!(report.observations[0].labels["attack"], "50rps");
    assert!(!format!("{report:?}").contains("utm"));
}

#[test]
fn a_body_longer_than_other_strings_is_skipped_and_a_line_beyond_the_limit_refused() {
    let long = "A".repeat(limits::JSON_STRING_BYTES * 2);
    for text in [
        hit(200, "", &long),
        format!("{}\n{}\n", hit(200, "", &long), hit(200, "", &long)),
    ] {
        assert_eq!(read(&text).unwrap().observations.len(), 1);
    }
    let longer = "A".repeat(limits::LINE_BYTES);
    let text = format!("{}\n{}\n", hit(200, "", ""), hit(200, "", &longer));
    assert_eq!(read(&text).unwrap_err().kind, ErrorKind::TooLarge);
}

#[test]
fn a_line_that_is_cut_short_is_named() {
    let text = format!("{}\n{}", hit(200, "", ""), &hit(200, "", "")[..60]);
    let error = read(&text).unwrap_err();
    assert_eq!(
        (error.kind, error.place.unwrap().line),
        (ErrorKind::InvalidJson, Some(2))
    );
}

#[test]
fn rows_with_and_without_addresses_are_read() {
    let old = "1600000000000000000,200,5,0,1,,Ym9keQ==,,0\n1600000000000000001,500,1,0,1,\"a, b\",,,1\n16000";
    let report = read(old).unwrap();
    assert_eq!(report.observations.len(), 2);
    assert_eq!(report.observations[0].flow, "(unnamed)");
    assert_eq!(report.outcome(), Outcome::Partial);
    let new = "1600000000000000000,200,5,0,1,,,,0,POST,http://shop/pay?x=1,aGVhZGVycw==\n";
    assert_eq!(read(new).unwrap().observations[0].flow, "POST /pay");
}

#[test]
fn a_report_of_nothing_is_no_data_and_one_with_failures_says_so() {
    let report = |requests: u32, codes: &str| {
        format!(
            r#"{{"latencies":{{"mean":5,"50th":4}},"bytes_in":{{}},"requests":{requests},"throughput":1.5,"status_codes":{codes}}}"#
        )
    };
    assert_eq!(read(&report(0, "{}")).unwrap().outcome(), Outcome::NoData);
    let some = read(&report(3, r#"{"0":1,"200":2}"#)).unwrap();
    assert_eq!(some.observations[0].failed, 1);
    assert_eq!(some.observations[0].quality, [Quality::FailuresIncluded]);
    assert!(matches!(some.observations[0].payload, Payload::Summary(_)));
}

#[test]
fn a_histogram_has_the_edges_that_were_asked_for() {
    let text = "Bucket           #    %       Histogram\n[0s,     1.5ms]  2    50.00%  ##\n[1.5ms,  1m0.5s] 1  25.00%  #\n[1m0.5s,  +Inf]  1    25.00%  #\n";
    let report = read(text).unwrap();
    let Payload::Buckets(crate::report::Buckets::Explicit { bounds, counts, .. }) =
        &report.observations[0].payload
    else {
        panic!()
    };
    assert_eq!(
        (bounds.as_slice(), counts.as_slice()),
        (&[1.5, 60_500.0][..], &[2, 1, 1][..])
    );
    let beyond = format!("{text}[1m0.5s, 2m] 1 1%\n");
    assert_eq!(read(&beyond).unwrap_err().place.unwrap().line, Some(5));
    let gap = text.replace("[1.5ms,", "[1.6ms,");
    assert_eq!(read(&gap).unwrap_err().place.unwrap().line, Some(3));
}
