//! Names of flows, metrics and series as people say them.

use std::collections::BTreeMap;

use collectors::report::Source;

/// A flow's name at the start of a sentence or a row: "checkout" becomes "Checkout", "POST /checkout" stays.
pub fn flow_title(flow: &str) -> String {
    let is_plain = flow
        .chars()
        .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || " -_".contains(c));
    let mut letters = flow.chars();
    match letters.next() {
        Some(first) if is_plain => first.to_uppercase().chain(letters).collect(),
        _ => flow.to_owned(),
    }
}

/// A metric's name: browser metrics keep their capitals, other names lose their underscores.
pub fn metric_name(metric: &str) -> String {
    match metric {
        "lcp" | "inp" | "cls" | "fcp" | "ttfb" | "fid" | "tbt" | "tti" => metric.to_uppercase(),
        _ => metric.replace('_', " "),
    }
}

/// Where measurements come from; real users are "field".
pub fn source_word(source: Source) -> &'static str {
    match source {
        Source::Bench => "bench",
        Source::Load => "load",
        Source::Lab => "lab",
        Source::Rum => "field",
        Source::Telemetry => "telemetry",
    }
}

/// What one observation of a source is called.
pub fn observation_noun(source: Source) -> &'static str {
    match source {
        Source::Rum => "page view",
        Source::Telemetry => "observation",
        Source::Bench | Source::Load | Source::Lab => "sample",
    }
}

/// The second line of a row: "field · LCP mobile".
pub fn series_line(source: Source, metric: &str, labels: &BTreeMap<String, String>) -> String {
    let mut line = format!("{} · {}", source_word(source), metric_name(metric));
    for value in labels.values() {
        line.push(' ');
        line.push_str(value);
    }
    line
}

/// A tab's name: "Field LCP, mobile".
pub fn series_tab(source: Source, metric: &str, labels: &BTreeMap<String, String>) -> String {
    let mut name = flow_title(source_word(source));
    name.push(' ');
    name.push_str(&metric_name(metric));
    for value in labels.values() {
        name.push_str(", ");
        name.push_str(value);
    }
    name
}

/// What a sentence is about: "Checkout LCP on mobile".
pub fn subject(flow: &str, metric: &str, labels: &BTreeMap<String, String>) -> String {
    let mut subject = format!("{} {}", flow_title(flow), metric_name(metric));
    if !labels.is_empty() {
        let values: Vec<&str> = labels.values().map(String::as_str).collect();
        subject.push_str(" on ");
        subject.push_str(&values.join(", "));
    }
    subject
}

/// "P75", "P99.9" for a quantile of 0.75, 0.999.
pub fn percentile_name(quantile: f64) -> String {
    let mut text = format!("{:.4}", quantile * 100.0);
    let kept = text.trim_end_matches('0').trim_end_matches('.').len();
    text.truncate(kept);
    format!("P{text}")
}

/// Things in a row: "a", "a and b", "a, b and c".
pub fn listed(things: &[String]) -> String {
    match things {
        [] => String::new(),
        [only] => only.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mobile() -> BTreeMap<String, String> {
        BTreeMap::from([("device".to_owned(), "mobile".to_owned())])
    }

    #[test]
    fn plain_names_get_a_capital_and_code_stays_code() {
        assert_eq!(flow_title("parse import"), "Parse import");
        assert_eq!(flow_title("POST /checkout"), "POST /checkout");
        assert_eq!(flow_title("bench/checkout_v1"), "bench/checkout_v1");
        assert_eq!(flow_title(""), "");
    }

    #[test]
    fn a_series_is_named_by_source_metric_and_labels() {
        assert_eq!(
            series_line(Source::Rum, "lcp", &mobile()),
            "field · LCP mobile"
        );
        assert_eq!(
            series_tab(Source::Rum, "lcp", &mobile()),
            "Field LCP, mobile"
        );
        assert_eq!(
            subject("checkout", "lcp", &mobile()),
            "Checkout LCP on mobile"
        );
        assert_eq!(
            series_line(Source::Bench, "wall_time", &BTreeMap::new()),
            "bench · wall time"
        );
    }

    #[test]
    fn percentiles_have_no_idle_zeros() {
        assert_eq!(percentile_name(0.75), "P75");
        assert_eq!(percentile_name(0.999), "P99.9");
        assert_eq!(percentile_name(0.5), "P50");
        assert_eq!(percentile_name(0.1), "P10");
    }

    #[test]
    fn lists_read_as_english() {
        let names = |n: usize| {
            ["a", "b", "c"]
                .iter()
                .take(n)
                .map(|s| (*s).to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(listed(&names(0)), "");
        assert_eq!(listed(&names(1)), "a");
        assert_eq!(listed(&names(2)), "a and b");
        assert_eq!(listed(&names(3)), "a, b and c");
    }
}
