//! What senders may write that no fixture holds.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use prost::Message;
use serde_json::{Value, json};

use super::message::Request;
use crate::report::{Buckets, Outcome, Payload, Report};
use crate::{ErrorKind, Format, ParseError, ParseOptions, parse, sniff};

fn request(metric: Value) -> String {
    json!({"resourceMetrics": [{"resource": {"attributes": [
        {"key": "service.name", "value": {"stringValue": "shop"}},
        {"key": "service.version", "value": {"stringValue": "1.4.2"}},
        {"key": "host.name", "value": {"stringValue": "a"}}]},
        "scopeMetrics": [{"scope": {}, "metrics": [metric]}]}]})
    .to_string()
}

fn read(bytes: &[u8]) -> Result<Report, ParseError> {
    parse(bytes, &ParseOptions::default())
}

fn histogram(point: Value) -> String {
    request(json!({"name": "d", "unit": "ms", "histogram": {
        "aggregationTemporality": "AGGREGATION_TEMPORALITY_DELTA", "dataPoints": [point]}}))
}

#[test]
fn names_and_numbers_may_be_text() {
    let text = histogram(
        json!({"count": "3", "sum": "NaN", "explicitBounds": [1, "2.5"], "bucketCounts": ["1", 2, "0"],
        "startTimeUnixNano": "1795293781610000123", "timeUnixNano": 1795293781612000000_u64,
        "attributes": [{"key": "ok", "value": {"boolValue": true}}, {"key": "n", "value": {"intValue": "7"}},
            {"key": "list", "value": {"arrayValue": {"values": []}}}]}),
    );
    let report = read(text.as_bytes()).unwrap();
    let found = &report.observations[0];
    let Payload::Buckets(Buckets::Explicit {
        bounds,
        counts,
        sum,
    }) = &found.payload
    else {
        panic!()
    };
    assert_eq!(
        (&bounds[..], &counts[..], *sum),
        (&[1.0, 2.5][..], &[1, 2, 0][..], None)
    );
    assert_eq!(found.extra["temporality"], "delta");
    assert_eq!(found.extra["start_time_us"], 1_795_293_781_610_000_u64);
    assert_eq!(found.time_us, Some(1_795_293_781_612_000));
    let labels: Vec<_> = found.labels.iter().map(|(k, v)| (&**k, &**v)).collect();
    assert_eq!(
        labels,
        [("n", "7"), ("ok", "True"), ("service.name", "shop")]
    );
    assert_eq!(report.context.release.as_deref(), Some("1.4.2"));
}

#[test]
fn what_does_not_add_up_or_was_not_recorded_is_left_out() {
    for (point, reason) in [
        (
            json!({"count": 2, "explicitBounds": [1], "bucketCounts": [1]}),
            "one more",
        ),
        (
            json!({"count": 2, "explicitBounds": [2, 1], "bucketCounts": [1, 1, 0]}),
            "ascend",
        ),
        (
            json!({"count": 3, "explicitBounds": [1], "bucketCounts": [1, 1]}),
            "add up",
        ),
        (json!({"count": 0, "flags": 1}), "recorded"),
    ] {
        let report = read(histogram(point).as_bytes()).unwrap();
        assert_eq!(report.outcome(), Outcome::NoData);
        assert!(report.skipped[0].reason.contains(reason), "{reason}");
    }
    let whole = read(histogram(json!({"count": 2, "sum": 3})).as_bytes()).unwrap();
    assert_eq!(whole.outcome(), Outcome::Ok, "count and sum alone");
}

#[test]
fn the_same_request_is_the_same_as_protobuf_and_in_lines() {
    let text = histogram(json!({"count": 1, "bucketCounts": [1]}));
    let message: Request = serde_json::from_str(&text).unwrap();
    let binary = message.encode_to_vec();
    assert_eq!(sniff("", &binary).unwrap(), Format::Otlp);
    let report = read(text.as_bytes()).unwrap();
    assert_eq!(read(&binary).unwrap(), report);
    let lines = read(format!("{text}\n{text}\n").as_bytes()).unwrap();
    assert_eq!(lines.observations.len(), 2);
    for cut in [binary.len() - 1, binary.len() / 2] {
        let error = read(&binary[..cut]).unwrap_err();
        assert_eq!(error.kind, ErrorKind::InvalidProtobuf);
    }
}

#[test]
fn special_numbers_are_reported_and_not_compared() {
    let gauge = request(json!({"name": "g", "gauge": {"dataPoints": [{"asDouble": "-Infinity"}]}}));
    let report = read(gauge.as_bytes()).unwrap();
    assert_eq!(report.outcome(), Outcome::Ok);
    assert!(matches!(
        report.observations[0].payload,
        Payload::Summary(_)
    ));
    let wrong = request(json!({"name": "g", "gauge": {"dataPoints": [{"asInt": "x"}]}}));
    assert_eq!(
        read(wrong.as_bytes()).unwrap_err().kind,
        ErrorKind::InvalidValue
    );
}
