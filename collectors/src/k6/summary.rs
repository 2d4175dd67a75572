//! k6's summaries: `--summary-export` (flat), `handleSummary` (with `values`), and the machine-readable one (a list).
//!
//! Statistics stay as k6 printed them. Thresholds are left alone: the first says `true` for failed, the second `ok`.

use serde_json::Value;

use crate::Format;
use crate::draft::{Draft, observation};
use crate::error::ParseError;
use crate::json;
use crate::report::{Basis, Observation, Payload, Report, Summary};

/// Fields of a metric that are no statistics.
const NOT_STATISTICS: [&str; 5] = ["thresholds", "type", "contains", "values", "name"];

/// The metrics of any of the summaries as name and body; `None` where the document is none of them.
pub(super) fn metrics(document: &Value) -> Option<Vec<(&str, &Value)>> {
    if let Some(list) = document
        .pointer("/results/metrics")
        .and_then(Value::as_array)
    {
        return list
            .iter()
            .map(|metric| Some((json::string(metric, "name")?, metric)))
            .collect();
    }
    let metrics = document.get("metrics")?.as_object()?;
    // Other formats have `metrics` as well; k6 always measures its iterations.
    let k6s = metrics.contains_key("iterations") || metrics.contains_key("vus");
    k6s.then(|| {
        metrics
            .iter()
            .map(|(name, metric)| (name.as_str(), metric))
            .collect()
    })
}

pub(super) fn parse(metrics: Vec<(&str, &Value)>) -> Result<Report, ParseError> {
    let mut draft = Draft::new(Format::K6);
    draft.context().fingerprint.tool = Some("k6".into());
    for (name, metric) in metrics {
        match summary(name, metric) {
            Some(observation) => draft.add(observation)?,
            None => draft.skip(name, "no statistics"),
        }
    }
    Ok(draft.finish())
}

fn summary(name: &str, metric: &Value) -> Option<Observation> {
    let statistics = metric.get("values").unwrap_or(metric);
    let reported = json::reported(statistics, &NOT_STATISTICS);
    let (base, labels) = submetric(name);
    let unit = match json::string(metric, "contains") {
        Some("time") => "ms",
        Some("data") => "byte",
        // The flat export does not say; k6's own metrics are documented.
        None if timed(base) => "ms",
        None if base.starts_with("data_") => "byte",
        _ => "?",
    };
    if reported.is_empty() {
        return None;
    }
    // A counter's rate is per second, and says more of a service than a total that grows with the test; but bytes are
    // declared as bytes.
    let reports = |name: &str| reported.iter().any(|(known, _)| known == name);
    let rate = unit != "byte" && reports("count") && reports("rate");
    let headline = match rate {
        true => Some("rate"),
        false => ["med", "avg", "count", "rate", "value"]
            .into_iter()
            .find(|name| reports(name)),
    };
    let unit = if rate { "1/s" } else { unit };
    let count = statistics
        .get("count")
        .and_then(Value::as_u64)
        .filter(|_| !rate);
    let payload = Payload::Summary(Summary {
        headline: headline.map(str::to_owned),
        count,
        stddev: None,
        reported,
    });
    let mut observation = Observation {
        shown_as: Some(name.to_owned()),
        ..observation("k6", name, unit, payload)
    };
    observation.basis = Basis::ToolSummary;
    observation.labels.extend(labels);
    Some(observation)
}

fn timed(metric: &str) -> bool {
    metric.starts_with("http_req_") && metric != "http_req_failed"
        || ["iteration_duration", "group_duration"].contains(&metric)
}

/// `http_req_duration{phase:spike}` is a metric with a tag.
fn submetric(name: &str) -> (&str, Vec<(String, String)>) {
    let Some((base, tags)) = name.strip_suffix('}').and_then(|n| n.split_once('{')) else {
        return (name, Vec::new());
    };
    let pairs = tags.split(',').filter_map(|tag| tag.split_once(':'));
    (
        base,
        pairs
            .map(|(key, value)| (key.trim().to_owned(), value.trim().to_owned()))
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;
    use crate::ParseOptions;

    fn read(text: &str) -> Report {
        crate::parse(text.as_bytes(), &ParseOptions::default()).unwrap()
    }

    #[test]
    fn all_three_summaries_are_read_and_stay_summaries() {
        let flat = read(
            r#"{"root_group": {}, "metrics": {"vus": {"value": 3}, "http_req_waiting": {"avg": 2.5, "med": 2, "p(95)": 9, "thresholds": {"avg<1": true}}}}"#,
        );
        let handled = read(
            r#"{"metrics": {"vus": {"type": "gauge", "contains": "default", "values": {"value": 3}}, "http_req_waiting": {"type": "trend", "contains": "time", "values": {"med": 2, "avg": 2.5, "p(95)": 9}}}}"#,
        );
        let machine = read(
            r#"{"results": {"metrics": [{"name": "http_req_waiting", "type": "trend", "contains": "time", "values": {"med": 2, "avg": 2.5, "p(95)": 9}}]}}"#,
        );
        for report in [flat, handled, machine] {
            let waiting = report
                .observations
                .iter()
                .find(|o| o.metric == "http_req_waiting")
                .unwrap();
            let Payload::Summary(summary) = &waiting.payload else {
                panic!()
            };
            assert_eq!(
                (summary.headline_value(), summary.reported.len()),
                (Some(2.0), 3)
            );
            assert_eq!(
                (waiting.unit.as_str(), waiting.basis),
                ("ms", Basis::ToolSummary)
            );
        }
    }

    #[test]
    fn a_submetrics_tags_are_labels() {
        let report = read(
            r#"{"metrics": {"iterations": {"count": 5, "rate": 2.5}, "http_req_duration{phase:spike}": {"med": 2}}}"#,
        );
        assert_eq!(report.observations[1].labels["phase"], "spike");
        assert_eq!(
            (
                report.observations[0].unit.as_str(),
                report.observations[1].unit.as_str()
            ),
            ("1/s", "ms")
        );
    }
}
