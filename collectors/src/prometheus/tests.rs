//! Cases that no fixture holds: most rules of OpenMetrics, and what the text format forgives.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use crate::report::{Buckets, Outcome, Payload, Report};
use crate::{ErrorKind, ParseError, ParseOptions, parse};

fn read(text: &str) -> Result<Report, ParseError> {
    parse(text.as_bytes(), &ParseOptions::default())
}

#[test]
fn what_breaks_a_rule_of_openmetrics_is_refused() {
    let broken = [
        "a 1\n\n# EOF\n",
        "a 1\n# EOF\nblah",
        "a 1\n# EOFblah",
        "a{a=1} 1\n# EOF\n",
        "a{a=\"1} 1\n# EOF\n",
        "a{a} 1\n# EOF\n",
        "a{a=\"1\"}1\n# EOF\n",
        "a{a=\"1\"b=\"2\"} 1\n# EOF\n",
        "a{a=\"1\",,b=\"2\"} 1\n# EOF\n",
        "a{a=\"1\",b=\"2\",} 1\n# EOF\n",
        "a{1=\"1\"} 1\n# EOF\n",
        "a{a=\"1\",a=\"1\"} 1\n# EOF\n",
        "a\n# EOF\n",
        "a \n# EOF\n",
        "a  1\n# EOF\n",
        "a 1\t\n# EOF\n",
        "a 1 \n# EOF\n",
        "a 1_2\n# EOF\n",
        "a 0x1p-3\n# EOF\n",
        "a 1 1.1.1\n# EOF\n",
        "a 1 NaN\n# EOF\n",
        "a.b 1\n# EOF\n",
        "# HELP a\n# EOF\n",
        " # HELP a meh\n# EOF\n",
        "# HELP a x\n# HELP a x\n# EOF\n",
        "# TYPE a gauge \n# EOF\n",
        "# TYPE a untyped\n# EOF\n",
        "# FOO a x\n# EOF\n",
        "# UNIT a seconds\n# EOF\n",
        "# TYPE x_u info\n# UNIT x_u u\n# EOF\n",
        "# TYPE a gauge\na 1\n# HELP a gauge\n# EOF\n",
        "# TYPE a stateset\na{a=\"b\"} 2\n# EOF\n",
        "# TYPE a stateset\na 0\n# EOF\n",
        "# TYPE a info\na_info 2\n# EOF\n",
        "# TYPE a summary\na 0\n# EOF\n",
        "# TYPE a summary\na{quantile=\"1.01\"} 0\n# EOF\n",
        "# TYPE a summary\na{quantile=\"0.5\"} -1\n# EOF\n",
        "# TYPE a counter\na 1\n# EOF\n",
        "# TYPE a counter\na_total NaN\n# EOF\n",
        "# TYPE a counter\na_total -1\n# EOF\n",
        "# TYPE a histogram\na_bucket{le=\"+Inf\"} 0.5\n# EOF\n",
        "# TYPE a histogram\na_bucket{le=\"NaN\"} 0\n# EOF\n",
        "# TYPE a histogram\na_bucket{le=\"+Inf\"} 1# {} 1\n# EOF\n",
        "# TYPE a histogram\na_bucket{le=\"+Inf\"} 1 #{} 1\n# EOF\n",
        "# TYPE a histogram\na_bucket{le=\"1\"} 0\na_sum 0\na_count 0\n# EOF\n",
        "# TYPE a histogram\na_bucket{le=\"+Inf\"} 1\na_count 2\na_sum 1\n# EOF\n",
        "# TYPE a histogram\na_bucket{le=\"+Inf\"} 0\na_sum 0\n# EOF\n",
        "# TYPE a histogram\na_bucket{a=\"1\",le=\"1\"} 0\na_bucket{a=\"2\",le=\"+Inf\"} 0\na_bucket{a=\"1\",le=\"+Inf\"} 0\n# EOF\n",
        "# TYPE a gauge\na 0 -1\na 0 -1.1\n# EOF\n",
        "# TYPE a gauge\na 0\na 0 0\n# EOF\n",
        "# TYPE a gauge\na 0\na 0\n# EOF\n",
        "# TYPE a gauge\na 0\nb 0\n# TYPE a gauge\n# EOF\n",
        "# TYPE a_created gauge\n# TYPE a counter\n# EOF\n",
        "# TYPE a counter\na_created 1 # {a=\"b\"} 0.5\n# EOF\n",
        "# TYPE a gauge\na 1\r\n# EOF\n",
    ];
    for text in broken {
        let error = read(text).expect_err(text);
        assert_eq!(error.kind, ErrorKind::InvalidOpenmetrics, "{text}");
        assert!(error.place.unwrap().line.is_some(), "{text}");
    }
}

#[test]
fn what_holds_all_rules_of_openmetrics_is_taken() {
    let good = [
        "# TYPE a counter\n# HELP a help\na_total{foo=\"1\"} 1 000\na_total{foo=\"2\"} 1 1.5e3\n# EOF",
        "# TYPE a_seconds gauge\n# UNIT a_seconds seconds\n# HELP a_seconds \na_seconds 1\n# EOF\n",
        "# TYPE a summary\na_count 1\na_sum 2\na{quantile=\"0.5\"} 0.7\n# EOF\n",
        "# TYPE a counter\na_total{foo=\"bar\",bar=\"b{a}z\"} 1\n# EOF\n",
        "# TYPE a stateset\na{a=\"on\"} 1\na{a=\"off\"} 0\n# EOF\n",
        "# TYPE a info\na_info{v=\"1\"} 1\na_info{v=\"2\"} 1\n# EOF\n",
        "# TYPE a counter\na_total 1 1 # {id=\" # \"} 0.5 1.5\na_created 1 1\n# EOF\n",
        "# TYPE a gauge\na 1 0.0\na 1 0.0\na 2 1\n# EOF\n",
        "# TYPE a counter\na_total{x=\"é\\\\\\\"\\n\"} 1\n# EOF\n",
        "# TYPE a gauge\na -1\n# EOF\n",
    ];
    for text in good {
        assert_eq!(read(text).expect(text).outcome(), Outcome::Ok, "{text}");
    }
    assert_eq!(read("# EOF\n").unwrap().outcome(), Outcome::NoData);
}

#[test]
fn the_text_format_forgives_space_and_leaves_out_what_makes_no_sense() {
    let report = read("# a comment\r\n# TYPE  a\thistogram\r\na_bucket{ le=\"1\" , x=\"y\", } 2\r\na_bucket{le=\"+Inf\",x=\"y\"} 5\r\n").unwrap();
    assert_eq!(report.outcome(), Outcome::Ok);
    let report = read("# TYPE a histogram\na_bucket{le=\"1\"} 2 1500\na_bucket{le=\"+Inf\"} 5 1500\na_sum 7 1500\na_count 5 1500\n# TYPE b histogram\nb_bucket{le=\"1\"} 2\nb_bucket{le=\"+Inf\"} 1\n").unwrap();
    assert_eq!(report.outcome(), Outcome::Partial);
    let found = &report.observations[0];
    assert_eq!(found.time_us, Some(1_500_000));
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
        (&[1.0][..], &[2, 3][..], Some(7.0))
    );
}

#[test]
fn a_text_that_breaks_off_is_refused_with_its_line() {
    let error = read("# TYPE a gauge\na{b=\"c").unwrap_err();
    assert_eq!(error.kind, ErrorKind::InvalidOpenmetrics);
    assert_eq!(error.place.unwrap().line, Some(2));
}

#[test]
fn when_a_series_began_is_shown_and_not_stored() {
    let text = "# TYPE orders_total counter\norders_total 5\n# TYPE orders_created gauge\norders_created 1.7e9\n# TYPE users_created gauge\nusers_created 3\n";
    let report = crate::parse(text.as_bytes(), &ParseOptions::default()).unwrap();
    let stored: Vec<&str> = report.observations.iter().map(|o| &*o.metric).collect();
    assert_eq!(stored, ["orders", "users_created"]);
    assert_eq!(report.shown_only[0].metric, "orders_created");
    assert_eq!(
        report.observations[0].extra["start_time_us"],
        1_700_000_000_000_000_i64
    );
}
