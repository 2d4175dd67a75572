#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;

use collectors::report::{Direction, Source};
use collectors::units::Dimension;

use super::*;

const SHOP: &str = include_str!("shop.toml");

fn shop() -> Config {
    Config::parse(SHOP).unwrap()
}

fn labels(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

fn day(text: &str) -> jiff::civil::Date {
    text.parse().unwrap()
}

#[test]
fn the_documented_file_reads_as_written() {
    let config = shop();
    assert_eq!(config.project.name.as_deref(), Some("shop"));
    assert_eq!(
        (
            config.project.limits.series,
            config.project.limits.undeclared_rum_flows
        ),
        (20_000, 200)
    );
    let budget = config.budget("checkout-lcp").unwrap();
    assert_eq!(
        (budget.quantile(), budget.window.days(), budget.enforcement),
        (Some(0.75), Some(28), Enforcement::Track)
    );
    assert_eq!(budget.limit.to_base(Dimension::TimeNs), Ok(2.5e9));
    let gate = config.gate("release").unwrap();
    assert_eq!(
        (gate.margin.fraction(), gate.confidence, gate.fresh),
        (0.02, 0.95, Period::hours(24))
    );
    assert_eq!(gate.minimum.unwrap().to_base(Dimension::TimePs), Ok(5e9));
    assert_eq!(config.direction_of("billing_cost"), Some(Direction::Lower));
    assert_eq!(config.reference_of("checkout").unwrap().release, "v2.30");
    assert_eq!(
        config.routes_of(config.owner_of("checkout").unwrap())[0].kind,
        RouteKind::Slack
    );
    assert!(config.is_key("checkout") && !config.is_key("search"));
    assert_eq!(config.warnings(), Vec::<String>::new());
}

#[test]
fn the_first_match_wins_and_unmatched_names_are_flows_of_their_own() {
    let config = shop();
    let flow = |source, name| config.flow_for(source, name, "latency", &BTreeMap::new());
    assert_eq!(flow(Source::Load, "POST /checkout/pay"), "checkout");
    assert_eq!(
        flow(Source::Rum, "POST /checkout/pay"),
        "POST /checkout/pay"
    );
    assert_eq!(flow(Source::Load, "GET /"), "GET /");
}

#[test]
fn a_match_may_ask_for_metric_and_labels() {
    let text = "[[flow]]\nname = \"pay\"\n[[flow.match]]\nname = \"*\"\nmetric = \"lcp\"\nlabels = { device = \"mobile\" }\n";
    let config = Config::parse(text).unwrap();
    let mobile = labels(&[("device", "mobile"), ("country", "de")]);
    assert_eq!(config.flow_for(Source::Rum, "/pay", "lcp", &mobile), "pay");
    assert_eq!(config.flow_for(Source::Rum, "/pay", "inp", &mobile), "/pay");
    assert_eq!(
        config.flow_for(Source::Rum, "/pay", "lcp", &BTreeMap::new()),
        "/pay"
    );
}

#[test]
fn a_renamed_series_goes_on_under_its_new_name_with_or_without_the_source() {
    let config = shop();
    assert_eq!(
        config.alias(Source::Bench, "bench/checkout_v1"),
        "bench/checkout"
    );
    assert_eq!(config.alias(Source::Bench, "checkout_v1"), "checkout");
    assert_eq!(config.alias(Source::Load, "checkout_v1"), "checkout_v1");
}

#[test]
fn a_budget_covers_only_series_with_its_labels() {
    let config = shop();
    let count = |labels: &BTreeMap<String, String>| {
        config
            .budgets_for("checkout", Source::Rum, "lcp", labels)
            .len()
    };
    assert_eq!(count(&labels(&[("device", "mobile"), ("variant", "b")])), 1);
    assert_eq!(count(&labels(&[("device", "desktop")])), 0);
}

#[test]
fn enforcement_rises_on_its_day_and_a_waiver_ends_after_its_last() {
    let config = shop();
    let budget = config.budget("checkout-lcp").unwrap();
    assert_eq!(budget.enforcement_on(day("2027-01-31")), Enforcement::Track);
    assert_eq!(
        budget.enforcement_on(day("2027-02-01")),
        Enforcement::Verify
    );
    assert_eq!(
        config
            .waiver_for("checkout-lcp", day("2027-01-31"))
            .unwrap()
            .owner,
        "payments"
    );
    assert_eq!(config.waiver_for("checkout-lcp", day("2027-02-01")), None);
}

#[test]
fn days_are_counted_in_utc() {
    assert_eq!(utc_date(0), day("1970-01-01"));
    assert_eq!(utc_date(-1), day("1969-12-31"));
    assert_eq!(utc_date(1_801_526_399_999_999), day("2027-02-01"));
    assert_eq!(utc_date(i64::MAX), jiff::civil::Date::MAX);
}

/// The error of the documented file with `from` replaced by `to`.
fn broken(from: &str, to: &str) -> ConfigError {
    assert!(SHOP.contains(from), "{from}");
    Config::parse(&SHOP.replacen(from, to, 1)).expect_err(to)
}

#[test]
fn errors_name_place_field_and_remedy() {
    let error = broken("percentile = 75", "percentil = 75");
    assert_eq!(
        (error.line, error.column, error.field.as_str()),
        (37, 1, "budget[0].percentil")
    );
    assert_eq!(
        (error.message.as_str(), error.hint.as_str()),
        ("unknown key `percentil`", "did you mean `percentile`?")
    );
    let error = broken("\"2.5 s\"", "\"2.5 sec\"");
    assert_eq!(
        (error.line, error.column, error.field.as_str()),
        (38, 9, "budget[0].limit")
    );
    assert_eq!(error.message, "`2.5 sec` has an unknown unit `sec`");
}

#[test]
fn every_kind_of_fault_is_refused_where_it_stands() {
    for (from, to, field, says) in [
        ("[[flow]]", "[flow]", "flow", "begun by [[flow]]"),
        (
            "source = \"load\"",
            "source = \"laod\"",
            "flow[0].match[0].source",
            "did you mean `load`?",
        ),
        (
            "series = 20000",
            "series = 0",
            "project.limits.series",
            "from 1 up",
        ),
        ("key = true", "key = 1", "flow[0].key", "true or false"),
        (
            "percentile = 75",
            "percentile = 100",
            "budget[0].percentile",
            "maximum",
        ),
        (
            "percentile = 75",
            "percentile = 0.75",
            "budget[0].percentile",
            "write 75",
        ),
        (
            "window = \"28d\"",
            "window = \"30d\"",
            "budget[0].window",
            "did you mean",
        ),
        (
            "rises_to = \"verify\"",
            "rises_to = \"observe\"",
            "budget[0].rises_to",
            "not stricter",
        ),
        ("rises_on = 2027-02-01", "", "budget[0].rises_on", "missing"),
        (
            "rises_on = 2027-02-01",
            "rises_on = 2027-02-01T10:00:00Z",
            "budget[0].rises_on",
            "not a day",
        ),
        ("limit = \"2.5 s\"", "", "budget[0].limit", "missing"),
        (
            "margin = \"2 %\"",
            "margin = 2",
            "gate[0].margin",
            "as in `2 %`",
        ),
        (
            "flows = [\"checkout\"]",
            "flows = []",
            "gate[0].flows",
            "tests no flow",
        ),
        (
            "flows = [\"checkout\"]",
            "flows = [\"chekout\"]",
            "gate[0].flows",
            "did you mean `checkout`?",
        ),
        (
            "confidence = 0.95",
            "confidence = 95",
            "gate[0].confidence",
            "between 0.5 and 1",
        ),
        (
            "budget = \"checkout-lcp\"",
            "budget = \"checkout-lpc\"",
            "waiver[0].budget",
            "did you mean `checkout-lcp`?",
        ),
        (
            "ceiling = \"2.9 s\"",
            "ceiling = \"2.9 MB\"",
            "waiver[0].ceiling",
            "different things",
        ),
        ("until = 2027-01-31", "until = 2027-02-31", "", "date"),
        (
            "reason = \"new tax rules; follow-up planned\"",
            "reason = \" \"",
            "waiver[0].reason",
            "empty",
        ),
        (
            "routes = [\"payments-slack\"]",
            "routes = [\"payment-slack\"]",
            "owner[0].routes",
            "did you mean `payments-slack`?",
        ),
        (
            "LONGWATCH_ROUTE_PAYMENTS",
            "AWS_SECRET_ACCESS_KEY",
            "route[0].url_env",
            "LONGWATCH_ROUTE_",
        ),
        (
            "to = \"bench/checkout\"",
            "to = \"bench/checkout_v1\"",
            "series_alias[0].to",
            "back to itself",
        ),
        ("name = \"shop\"", "name = \"shop", "", ""),
        ("name = \"shop\"", "name = \"sh\\u0000op\"", "", "U+0000"),
    ] {
        let error = broken(from, to);
        assert!(error.to_string().contains(says), "{to}: {error}");
        assert!(field.is_empty() || error.field == field, "{to}: {error}");
        assert!(error.line > 1, "{to}: {error}");
    }
}

#[test]
fn a_name_is_declared_once() {
    for kind in ["flow", "metric", "owner", "gate", "route", "budget"] {
        let start = SHOP.find(&format!("[[{kind}]]")).unwrap();
        let end = start + SHOP[start..].find("\n\n").unwrap();
        let error = Config::parse(&format!("{SHOP}\n{}\n", &SHOP[start..end])).expect_err(kind);
        assert!(error.message.contains("declared twice"), "{kind}: {error}");
        assert!(error.line > SHOP.lines().count(), "{kind}: {error}");
    }
}

#[test]
fn a_file_that_is_too_large_is_refused_unread() {
    let error = Config::parse(&"# \n".repeat(FILE_BYTES)).unwrap_err();
    assert!(error.message.contains("bytes"), "{error}");
}

#[test]
fn owners_nobody_hears_from_are_warned_about() {
    let config =
        Config::parse(&SHOP.replacen("owner = \"payments\"", "owner = \"paymnets\"", 1)).unwrap();
    assert_eq!(
        config.warnings(),
        [
            "owner `paymnets` has no [[owner]] entry, so findings reach nobody; did you mean `payments`?"
        ]
    );
}

fn words(old: Option<&Config>, new: &Config) -> Vec<String> {
    difference(old, new)
        .iter()
        .map(ToString::to_string)
        .collect()
}

#[test]
fn the_same_file_differs_in_nothing() {
    assert_eq!(words(Some(&shop()), &shop()), Vec::<String>::new());
}

#[test]
fn a_changed_limit_is_told_before_and_after() {
    let tighter = Config::parse(
        &SHOP
            .replace("\"2.5 s\"", "\"2.4 s\"")
            .replace("track", "observe"),
    )
    .unwrap();
    assert_eq!(
        words(Some(&shop()), &tighter),
        ["changes budget `checkout-lcp`: limit 2.5 s → 2.4 s; enforcement track → observe"]
    );
}

#[test]
fn the_first_file_adds_everything_and_the_empty_one_hides_flows_without_losing_data() {
    let empty = Config::parse("").unwrap();
    let added = words(None, &shop());
    assert!(
        added.contains(
            &"adds flow `checkout`: key yes; owner payments; matches load `POST /checkout*`"
                .to_owned()
        ),
        "{added:?}"
    );
    assert!(
        words(Some(&shop()), &empty).contains(&"hides flow `checkout`; its data stay".to_owned())
    );
}

#[test]
fn another_order_of_flows_is_a_change() {
    let flow = |name: &str| format!("[[flow]]\nname = \"{name}\"\n");
    let parse = |text: String| Config::parse(&text).unwrap();
    let (ab, ba) = (parse(flow("a") + &flow("b")), parse(flow("b") + &flow("a")));
    assert_eq!(
        words(Some(&ab), &ba),
        ["matches flows in another order: b, a"]
    );
}

#[test]
fn what_is_younger_than_a_quarter_is_never_forgotten() {
    let read = |text: &str| Config::parse(&format!("[project.retention]\n{text}\n"));
    let kept = read("runs = \"90d\"").unwrap().project.retention;
    assert_eq!((kept.runs, kept.days), (Some(Period::days(90)), None));
    let error = read("days = \"89d\"").unwrap_err().to_string();
    assert!(
        error.starts_with(
            "line 2, column 8, project.retention.days: `89d` is shorter than 90d (the past"
        ),
        "{error}"
    );
    let error = read("hours = \"1y\"").unwrap_err().to_string();
    assert!(error.contains("unknown key `hours`"), "{error}");

    let day_us = 86_400_000_000;
    let now_us = 20_000 * day_us + 5;
    assert_eq!(kept.runs_from_us(now_us), Some(now_us - 90 * day_us));
    let days = read("days = \"90d\"").unwrap().project.retention;
    assert_eq!(days.days_from_us(now_us), Some((20_000 - 90) * day_us));
}
