#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use proptest::prelude::*;

use super::super::{BeaconBatch, Rejection};
use super::*;

const OWN: &str = r#"{"v":1,"r":"v2.31","pv":"5f0c","s":0.25,"f":"checkout","d":"mobile","n":"navigate","m":[["LCP",1834.2,"v5-1",1],["CLS",0,"v5-2",3],["cart_ready",120,"",1]]}"#;

fn read(body: &str) -> BeaconBatch {
    parse_beacon(
        body.as_bytes(),
        None,
        "",
        Some("https://shop/item/17?utm=x"),
    )
    .unwrap()
}

#[test]
fn our_own_beacon_says_all_there_is() {
    let batch = read(OWN);
    let lcp = &batch.reports[0];
    assert_eq!(
        (lcp.name.as_str(), lcp.value, lcp.unit),
        ("LCP", 1834.2, "ms")
    );
    assert_eq!(
        (lcp.flow.as_deref(), lcp.release.as_deref()),
        (Some("checkout"), Some("v2.31"))
    );
    let beacon = &lcp.beacon;
    assert_eq!(
        (beacon.id.as_str(), beacon.sequence, beacon.sampling_ppm),
        ("v5-1", 1, 250_000)
    );
    assert_eq!(
        (beacon.device.as_deref(), beacon.navigation.as_deref()),
        (Some("mobile"), Some("navigate"))
    );
    assert_eq!(batch.reports[1].unit, "1");
    assert_eq!(
        batch.reports[2].beacon.id, "5f0c",
        "a mark without an id has its page view's"
    );
}

#[test]
fn the_flow_is_the_named_one_else_the_page_else_the_referer() {
    let vital = |more: &str| format!(r#"{{"name":"LCP","value":1,"id":"a"{more}}}"#);
    let flow = |body: &str, query: &str| {
        let batch = parse_beacon(
            body.as_bytes(),
            Some("text/plain;charset=UTF-8"),
            query,
            Some("https://shop/item/17?utm=x"),
        )
        .unwrap();
        batch.reports[0].flow.clone().unwrap()
    };
    assert_eq!(
        flow(&vital(r#","flow":"checkout","url":"/x""#), "flow=q"),
        "checkout"
    );
    assert_eq!(
        flow(&vital(r#","url":"/x""#), "a=b&flow=pay%20now"),
        "pay now"
    );
    assert_eq!(
        flow(
            &vital(r#","navigationURL":"https://shop/cart/9?secret=1#x","url":"/x""#),
            ""
        ),
        "/cart/:id"
    );
    assert_eq!(
        flow(&vital(r#","page":"/user/ann@example.org""#), ""),
        "/user/:id"
    );
    assert_eq!(flow(&vital(""), ""), "/item/:id");
    assert_eq!(flow(&vital(r#","flow":"/item/4711?x=1""#), ""), "/item/:id");
}

#[test]
fn arrays_pages_around_metrics_and_forms_are_read_alike() {
    let bodies = [
        r#"[{"name":"LCP","value":5,"id":"a","navigationType":"reload","flow":"x"},{"name":"CLS","value":0.1,"id":"b","flow":"x"}]"#.to_owned(),
        r#"{"flow":"x","metrics":[{"name":"LCP","value":"5","id":"a","navigationType":"reload"},{"name":"CLS","value":0.1,"id":"b"}]}"#.to_owned(),
        "flow=x&metrics=%5B%7B%22name%22%3A%22LCP%22%2C%22value%22%3A5%2C%22id%22%3A%22a%22%2C%22navigationType%22%3A%22reload%22%7D%2C{}%5D&z=1".replace("{}", "%7B%22name%22%3A%22CLS%22%2C%22value%22%3A0.1%2C%22id%22%3A%22b%22%7D"),
        "--B\r\nContent-Disposition: form-data; name=\"flow\"\r\n\r\nx\r\n--B\r\nContent-Disposition: form-data; name=\"m\"\r\n\r\n[{\"name\":\"LCP\",\"value\":5,\"id\":\"a\",\"navigationType\":\"reload\"},{\"name\":\"CLS\",\"value\":0.1,\"id\":\"b\"}]\r\n--B--\r\n".to_owned(),
    ];
    for body in bodies {
        let batch = read(&body);
        let seen: Vec<_> = batch
            .reports
            .iter()
            .map(|r| (r.name.as_str(), r.value, r.flow.as_deref()))
            .collect();
        assert_eq!(
            seen,
            [("LCP", 5.0, Some("x")), ("CLS", 0.1, Some("x"))],
            "{body}"
        );
        assert_eq!(
            batch.reports[0].beacon.navigation.as_deref(),
            Some("reload")
        );
    }
}

#[test]
fn what_cannot_be_true_is_rejected_by_reason() {
    let batch = read(
        r#"[{"name":"LCP","value":600001,"id":"a"},{"name":"CLS","value":100.5,"id":"b"},{"name":"INP","value":-1,"id":"c"},{"name":"TTFB","id":"d"},
           {"name":"FCP","value":null,"id":"e"},{"name":"XYZ","value":1,"id":"f"},{"name":"FCP","value":1},{"name":"LCP","value":600000,"id":"g"}]"#,
    );
    assert_eq!(batch.reports.len(), 1);
    let rejected: Vec<_> = batch.rejected.into_iter().collect();
    assert_eq!(
        rejected,
        [
            (Rejection::UnknownMetric, 1),
            (Rejection::NoValue, 2),
            (Rejection::Implausible, 3),
            (Rejection::NoId, 1)
        ]
    );
    for sampling in ["0", "1.5", "\"x\"", "-1"] {
        let batch = read(&OWN.replace("0.25", sampling));
        assert_eq!(batch.rejected[&Rejection::BadSampling], 3, "{sampling}");
    }
}

#[test]
fn of_several_reports_with_one_id_the_last_counts() {
    let batch = read(
        r#"[{"name":"CLS","value":0.1,"id":"a"},{"name":"INP","value":8,"id":"a"},{"name":"CLS","value":0.3,"id":"a"}]"#,
    );
    let seen: Vec<_> = batch
        .reports
        .iter()
        .map(|r| (r.name.as_str(), r.value))
        .collect();
    assert_eq!(seen, [("CLS", 0.3), ("INP", 8.0)]);
}

#[test]
fn nothing_personal_survives() {
    let batch = read(
        r#"{"name":"INP","value":8,"id":"a","attribution":{"interactionTarget":"secret"},"entries":[{"name":"secret"}],"user":"secret","userAgent":"secret","navigationType":"secret","device":"secret"}"#,
    );
    assert!(!format!("{batch:?}").contains("secret"));
    assert_eq!(batch.reports[0].beacon.navigation.as_deref(), Some("other"));
}

#[test]
fn other_bodies_are_refused() {
    let kind = |body: &[u8]| parse_beacon(body, None, "", None).unwrap_err().kind;
    assert_eq!(kind(b""), ErrorKind::EmptyFile);
    assert_eq!(kind(b"{\"name\": "), ErrorKind::InvalidJson);
    assert_eq!(kind(b"hello"), ErrorKind::WrongFormat);
    assert_eq!(kind(b"{\"a\": 1}"), ErrorKind::WrongFormat);
    assert_eq!(kind(b"t_done=334&u=x"), ErrorKind::WrongFormat);
    assert_eq!(kind(&[0xff, 0xfe, 0]), ErrorKind::UnsupportedEncoding);
    assert_eq!(
        kind(&vec![b' '; limits::BEACON_BYTES + 1]),
        ErrorKind::TooLarge
    );
    assert_eq!(kind("[".repeat(60_000).as_bytes()), ErrorKind::InvalidJson);
}

proptest! {
    #[test]
    fn arbitrary_bodies_never_panic(body in prop::collection::vec(any::<u8>(), 0..300), query in ".{0,40}", referer in ".{0,40}") {
        let _ = parse_beacon(&body, None, &query, Some(&referer));
    }

    #[test]
    fn a_mutated_beacon_never_panics(at in 0..OWN.len(), with in any::<u8>(), cut in 0..OWN.len()) {
        let mut body = OWN.as_bytes().to_vec();
        body[at] = with;
        let _ = parse_beacon(&body, None, "", None);
        let _ = parse_beacon(&body[..cut], None, "", None);
    }
}
