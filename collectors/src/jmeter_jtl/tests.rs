#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;
use crate::error::ErrorKind;
use crate::report::{Outcome, Payload};

fn read(text: &str) -> Result<Report, ParseError> {
    crate::parse(text.as_bytes(), &ParseOptions::default())
}

/// Name, outcome and times of every series.
fn series(report: &Report) -> Vec<(&str, bool, Vec<f64>)> {
    let of = |o: &crate::report::Observation| match &o.payload {
        Payload::Samples(samples) => samples.values.clone(),
        _ => panic!("{o:?}"),
    };
    let all = report.observations.iter();
    all.map(|o| (o.flow.as_str(), o.labels.contains_key("outcome"), of(o)))
        .collect()
}

#[test]
fn semicolons_quotes_and_line_breaks_are_read_and_failures_are_apart() {
    let text = "timeStamp;elapsed;label;responseMessage;success\r\n\
                1600000000000;12;\"pay; now\";\"two\r\nlines\";true\r\n\
                1600000000001;1;\"pay; now\";no;FALSE\r\n";
    let report = read(text).unwrap();
    assert_eq!(
        series(&report),
        [
            ("pay; now", false, vec![12.0]),
            ("pay; now", true, vec![1.0])
        ]
    );
    assert_eq!(report.context.time_us, Some(1_600_000_000_000_000));
    assert_eq!(report.observations[1].failed, 1);
}

#[test]
fn a_log_without_a_header_has_the_default_columns_and_says_so() {
    for row in [
        "1600000000000,12,http://shop/item/7?u=1,200,OK,t 1-1,text,true,,10,1,1,1,null,3,0,1",
        "2020/09/13 12:26:40.000,12,http://shop/item/7?u=1,200,OK,t 1-1,true,10,1,1,3",
    ] {
        let report = read(row).unwrap();
        assert_eq!(series(&report), [("/item/:id", false, vec![12.0])]);
        assert_eq!(report.warnings.len(), 1);
    }
    assert!(read("1,2,3,4,5,6,7,true,9").is_err());
}

#[test]
fn rows_with_gaps_are_left_out_and_named() {
    let text = "timeStamp,elapsed,label,success\n1,5,a,true\n2,,a,true\n3,x,a,true\n4,5\n\
                timeStamp,elapsed,label,success\n5,-3,a,true\n6,7,a,maybe\n";
    let report = read(text).unwrap();
    assert_eq!(series(&report), [("a", false, vec![5.0])]);
    assert_eq!(report.skipped.len(), 5);
    assert_eq!(report.outcome(), Outcome::Partial);
}

#[test]
fn a_header_alone_is_no_data() {
    let report = read("timeStamp,elapsed,label,success\n").unwrap();
    assert_eq!(report.outcome(), Outcome::NoData);
    let report = read("<?xml version=\"1.0\"?>\n<testResults version=\"1.2\"/>").unwrap();
    assert_eq!(report.outcome(), Outcome::NoData);
}

#[test]
fn samples_within_samples_are_series_of_their_own() {
    let text = "<testResults version=\"1.2\"><sample t=\"9\" lb=\"a &amp; b\" s=\"true\" ts=\"1\">\
                <httpSample t=\"4\" lb=\"b\" s=\"false\"><responseData>x &lt; y</responseData></httpSample>\
                </sample></testResults>";
    let report = read(text).unwrap();
    assert_eq!(
        series(&report),
        [("a & b", false, vec![9.0]), ("b", true, vec![4.0])]
    );
}

#[test]
fn xml_that_is_broken_or_tricky_is_refused_with_its_line() {
    for text in [
        "<testResults>\n<sample t=\"1\" lb=\"a\" s=\"true\"/>\n",
        "<testResults>\n<sample t=\"1\" lb=\"a\n",
        "<testResults>\n</other>",
        "<testResults>\n<sample t=\"1\" lb=\"&bomb;\"/></testResults>",
        "<?xml version=\"1.0\"?><!DOCTYPE x [<!ENTITY a \"b\">]>\n<testResults/>",
    ] {
        let error = read(text).unwrap_err();
        assert_eq!(error.kind, ErrorKind::InvalidXml, "{text}");
        assert!(error.place.unwrap().line.is_some());
    }
    let deep = format!("<testResults>{}", "<a>".repeat(100));
    assert_eq!(read(&deep).unwrap_err().kind, ErrorKind::TooLarge);
}
