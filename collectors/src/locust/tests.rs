#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;
use crate::report::Outcome;

fn read(text: &str) -> Result<Report, ParseError> {
    crate::parse(text.as_bytes(), &ParseOptions::default())
}

fn entry(failures: u32, times: &str) -> String {
    format!(
        r#"[{{"name":"http://shop/item/17?u=1","method":"GET","start_time":1600000000.5,"num_requests":3,"num_failures":{failures},"total_response_time":9.0,"response_times":{times}}}]"#
    )
}

#[test]
fn failures_that_cannot_be_told_apart_are_flagged_and_all_failed_is_another_outcome() {
    let some = read(&entry(1, r#"{"3":2,"4.0":1}"#)).unwrap();
    assert_eq!(some.observations[0].flow, "GET /item/:id");
    assert!(
        some.observations[0]
            .quality
            .contains(&Quality::FailuresIncluded)
    );
    assert_eq!(some.context.time_us, Some(1_600_000_000_500_000));
    let all = read(&entry(3, r#"{"3":3}"#)).unwrap();
    assert_eq!(all.observations[0].labels["outcome"], "error");
    assert_eq!(read(&entry(0, "{}")).unwrap().outcome(), Outcome::NoData);
}

#[test]
fn a_time_that_is_none_is_refused_with_its_place() {
    let error = read(&entry(0, r#"{"x":1}"#)).unwrap_err();
    assert_eq!(error.place.unwrap().pointer.unwrap(), "/0/response_times/x");
}

#[test]
fn names_may_hold_line_breaks_and_older_headers_are_known() {
    let text = "\"Method\",\"Name\",\"# requests\",\"# failures\",\"Median response time\",\"Average response time\"\r\n\
                \"GET\",\"two\r\nlines\",2,1,5,6.5\r\n\"GET\",\"none\",0,0,N/A,0\r\n\"None\",\"Total\",2,1,5,6.5\r\n";
    let report = read(text).unwrap();
    assert_eq!(report.observations[0].flow, "GET two\r\nlines");
    assert_eq!(report.observations[1].extra["aggregate"], true);
    assert_eq!(report.skipped.len(), 1);
}

#[test]
fn a_history_is_shown_and_not_stored() {
    let report =
        read("Timestamp,User Count,Type,Name,Total Request Count\n1,0,,Aggregated,7\n").unwrap();
    assert!(report.observations.is_empty());
    assert_eq!(
        (report.shown_only.len(), report.outcome()),
        (1, Outcome::Ok)
    );
}
