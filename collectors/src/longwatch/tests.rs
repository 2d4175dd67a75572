#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;
use crate::histogram::Histogram;
use crate::report::{Basis, Buckets, Direction, Observation, Outcome, Payload, Source};

const CONTEXT: &str = r#""source": "load", "release": "v2.31", "commit": "9f3c", "time": "2026-11-20T10:00:00Z", "testbed": "ci-x64", "run": 812, "workload": "a1", "fingerprint": {"cpu": "Z80"}"#;

fn read(text: &str) -> Result<Report, ParseError> {
    crate::parse(text.as_bytes(), &ParseOptions::default())
}

fn document(measurements: &str) -> Report {
    read(&format!(
        "{{{CONTEXT}, \"measurements\": [{measurements}]}}"
    ))
    .unwrap()
}

#[test]
fn every_payload_is_read_in_its_nature() {
    let encoded = Histogram::from_values([5, 6, 7]).unwrap().encode_base64();
    let report = document(&format!(
        r#"{{"flow": "a", "metric": "wall_time", "unit": "ms", "values": [12.1, 11.9]}},
        {{"flow": "a", "metric": "latency", "unit": "us", "histogram": "{encoded}"}},
        {{"flow": "a", "metric": "latency", "unit": "ms", "buckets": {{"bounds": [10, 20, 50], "counts": [4, 9, 2, 0]}}, "labels": {{"outcome": "error", "n": 3}}}},
        {{"flow": "a", "metric": "wall_time", "unit": "s", "summary": {{"count": 20, "mean": 1.2, "stddev": 0.1}}}},
        {{"flow": "a", "metric": "billing_cost", "unit": "1", "value": 4.25, "direction": "lower", "basis": "count", "time": "2026-11-19T00:00:00Z"}}"#
    ));
    let of = |at: usize| -> &Observation { &report.observations[at] };
    assert!(matches!(&of(0).payload, Payload::Samples(s) if s.values == [12.1, 11.9]));
    assert!(
        matches!(&of(1).payload, Payload::Buckets(Buckets::Hdr { histogram, .. }) if histogram.count() == 3)
    );
    assert!(
        matches!(&of(2).payload, Payload::Buckets(Buckets::Explicit { counts, .. }) if counts == &[4, 9, 2, 0])
    );
    assert_eq!(of(2).labels["n"], "3");
    assert!(
        matches!(&of(3).payload, Payload::Summary(s) if s.headline_value() == Some(1.2) && s.count == Some(20))
    );
    assert_eq!(
        (of(4).direction, of(4).basis, of(4).time_us),
        (Direction::Lower, Basis::Count, Some(1_795_046_400_000_000))
    );
    assert_eq!(of(3).basis, Basis::ToolSummary);
    let context = &report.context;
    assert_eq!(
        (context.source, context.run.as_deref(), context.time_us),
        (Some(Source::Load), Some("812"), Some(1_795_168_800_000_000))
    );
    assert_eq!(context.fingerprint.cpu.as_deref(), Some("Z80"));
    assert_eq!(report.outcome(), Outcome::Ok);
}

#[test]
fn lines_are_read_as_the_document_is() {
    let measurement =
        r#"{"flow": "a", "metric": "wall_time", "unit": "ms", "values": [12.1, 11.9]}"#;
    let lines = read(&format!("{{{CONTEXT}}}\n{measurement}\n{measurement}\n")).unwrap();
    assert_eq!(lines, document(&format!("{measurement},{measurement}")));
    let without_context = read(&format!("{measurement}\n")).unwrap();
    assert_eq!(without_context.observations.len(), 1);
}

#[test]
fn measurements_that_do_not_hold_together_are_listed_and_the_others_taken() {
    let report = document(
        r#"{"flow": "good", "metric": "m", "unit": "ms", "values": [1]},
        {"metric": "m", "unit": "ms", "values": [1]},
        {"flow": "a", "metric": "m", "values": [1]},
        {"flow": "a", "metric": "m", "unit": "ms"},
        {"flow": "a", "metric": "m", "unit": "ms", "values": [1], "value": 2},
        {"flow": "a", "metric": "m", "unit": "ms", "values": ["1"]},
        {"flow": "a", "metric": "m", "unit": "ms", "values": [1], "iterations": [1, 2]},
        {"flow": "a", "metric": "m", "unit": "ms", "histogram": "HISTFAAA"},
        {"flow": "a", "metric": "m", "unit": "ms", "buckets": {"bounds": [1, 2], "counts": [1, 2]}},
        {"flow": "a", "metric": "m", "unit": "ms", "buckets": {"bounds": [2, 1], "counts": [1, 2, 3]}},
        {"flow": "a", "metric": "m", "unit": "ms", "summary": {"p95": 3}},
        {"flow": "a", "metric": "m", "unit": "ms", "values": [1], "basis": "guess"},
        {"flow": "a", "metric": "m", "unit": "ms", "values": [1], "time": "yesterday"},
        {"flow": "a", "metric": "m", "unit": "ms", "values": [1], "labels": {"x": {}}}"#,
    );
    assert_eq!((report.observations.len(), report.skipped.len()), (1, 13));
    assert_eq!(report.outcome(), Outcome::Partial);
    assert_eq!(report.skipped[0].name, "(no flow) (/measurements/1)");
}

#[test]
fn a_context_that_cannot_be_read_is_refused() {
    for (field, value) in [
        ("source", "\"moon\""),
        ("time", "\"2026-11-20\""),
        ("release", "[]"),
        ("fingerprint", "3"),
    ] {
        let error = read(&format!(r#"{{"{field}": {value}, "measurements": []}}"#)).unwrap_err();
        assert_eq!(error.kind, ErrorKind::InvalidValue);
        assert_eq!(error.place.unwrap().pointer, Some(format!("/{field}")));
    }
}

#[test]
fn a_unit_that_we_do_not_know_is_pointed_out() {
    let report = document(r#"{"flow": "a", "metric": "m", "unit": "parsecs", "values": [1]}"#);
    assert!(report.warnings[0].contains("parsecs"));
}
