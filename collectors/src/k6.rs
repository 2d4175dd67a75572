//! k6: every point of `--out json`; its two summaries are in [`summary`].
//!
//! k6 lists by metric; people think in requests, groups and checks. Points are kept per flow (`GET /cart`, a group, a
//! check, else the scenario) and listed by metric. Failed requests' times are a sibling series, `outcome=error`.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

use crate::draft::{Draft, observation, samples};
use crate::error::{ErrorKind, ParseError};
use crate::input::{Input, Shape};
use crate::json;
use crate::report::{Basis, Direction, Observation, Report};
use crate::route::template;
use crate::{Format, ParseOptions};

mod summary;

pub(crate) fn sniff(input: &Input) -> bool {
    match &input.shape {
        Shape::Json(document) => is_point(document) || summary::metrics(document).is_some(),
        Shape::Lines(first) => is_point(first),
        _ => false,
    }
}

fn is_point(record: &Value) -> bool {
    matches!(json::string(record, "type"), Some("Metric" | "Point"))
        && json::string(record, "metric").is_some()
}

pub(crate) fn parse(input: &Input, _: &ParseOptions) -> Result<Report, ParseError> {
    if let Some(metrics) = input.document().and_then(summary::metrics) {
        return summary::parse(metrics);
    }
    let mut points = Points {
        draft: Draft::new(Format::K6),
        metrics: HashMap::new(),
        series: Vec::new(),
        at: HashMap::new(),
    };
    points.draft.context().fingerprint.tool = Some("k6".into());
    for record in input.records() {
        let (line, record) = record?;
        points
            .record(&record)
            .map_err(|message| ParseError::new(ErrorKind::InvalidValue, message).at_line(line))?;
    }
    points.finish()
}

/// What a `Metric` line declares.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
struct Declared {
    kind: String,
    contains: String,
}

impl Declared {
    fn unit(&self) -> &'static str {
        match self.contains.as_str() {
            "time" => "ms",
            "data" => "byte",
            _ => "1",
        }
    }

    fn basis(&self) -> Basis {
        if self.kind == "counter" {
            Basis::Count
        } else {
            Basis::Op
        }
    }
}

/// Metric, flow, and whether the requests failed.
type Key = (String, String, bool);

struct Points {
    draft: Draft,
    metrics: HashMap<String, Declared>,
    series: Vec<(Key, Vec<f64>)>,
    at: HashMap<Key, usize>,
}

impl Points {
    fn record(&mut self, record: &Value) -> Result<(), String> {
        let metric = json::string(record, "metric").ok_or("a record without a metric")?;
        let data = record.get("data").ok_or("a record without data")?;
        match json::string(record, "type") {
            Some("Metric") => {
                let text = |key| json::string(data, key).unwrap_or_default().to_owned();
                self.metrics.insert(
                    metric.to_owned(),
                    Declared {
                        kind: text("type"),
                        contains: text("contains"),
                    },
                );
            }
            Some("Point") => {
                let value = json::number(data, "value").ok_or("a point without a value")?;
                self.point(metric, value, data);
            }
            _ => {}
        }
        Ok(())
    }

    fn point(&mut self, metric: &str, value: f64, data: &Value) {
        let no_tags = Value::Null;
        let tags = data.get("tags").unwrap_or(&no_tags);
        let timed = self
            .metrics
            .get(metric)
            .is_some_and(|m| m.contains == "time");
        let failed = timed && json::string(tags, "expected_response") == Some("false");
        let key = (metric.to_owned(), flow(metric, tags), failed);
        let at = *self.at.entry(key.clone()).or_insert(self.series.len());
        if at == self.series.len() {
            self.series.push((key, Vec::new()));
        }
        self.series[at].1.push(value);
        let context = self.draft.context();
        if context.time_us.is_none() {
            context.time_us = json::string(data, "time").and_then(crate::time::microseconds);
        }
    }

    fn finish(mut self) -> Result<Report, ParseError> {
        for ((metric, flow, failed), values) in self.series {
            let declared = self.metrics.get(&metric).cloned().unwrap_or_default();
            let mut series = Observation {
                shown_as: Some(metric.clone()),
                ..observation(&flow, &metric, declared.unit(), samples(values))
            };
            series.basis = declared.basis();
            series.direction = direction(&metric, &declared);
            if failed {
                series.labels = BTreeMap::from([("outcome".into(), "error".into())]);
            }
            series.extra.insert("k6_type".into(), declared.kind.into());
            self.draft.add(series)?;
        }
        Ok(self.draft.finish())
    }
}

/// The unit of work that a point belongs to: the request, else the check, the group, or the scenario.
fn flow(metric: &str, tags: &Value) -> String {
    let tag = |name| json::string(tags, name).filter(|text| !text.is_empty());
    if let Some(name) = tag("name") {
        // k6 names a request by its URL unless the script names it; a URL is cut to its route.
        let named = if tag("url") == Some(name) || name.contains("://") {
            template(name)
        } else {
            name.to_owned()
        };
        return tag("method").map_or(named.clone(), |method| format!("{method} {named}"));
    }
    let group = tag("group").map(|group| group.trim_start_matches("::"));
    let check = tag("check").filter(|_| metric == "checks");
    check
        .or(group)
        .or(tag("scenario"))
        .unwrap_or("k6")
        .to_owned()
}

fn direction(metric: &str, declared: &Declared) -> Direction {
    match (metric, declared.contains.as_str()) {
        ("http_req_failed", _) => Direction::Lower,
        ("checks", _) => Direction::Higher,
        (_, "time") => Direction::Lower,
        _ => Direction::Unknown,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    const DECLARED: &str = r#"{"type":"Metric","data":{"name":"http_req_duration","type":"trend","contains":"time"},"metric":"http_req_duration"}"#;

    fn point(value: f64, tags: &str) -> String {
        format!(
            r#"{{"metric":"http_req_duration","type":"Point","data":{{"time":"2026-01-01T00:00:00Z","value":{value},"tags":{{{tags}}}}}}}"#
        )
    }

    fn read(points: &[String]) -> Report {
        let text = format!("{DECLARED}\n{}\n", points.join("\n"));
        crate::parse(text.as_bytes(), &ParseOptions::default()).unwrap()
    }

    #[test]
    fn requests_are_flows_without_ids_or_queries_and_failures_are_apart() {
        let tags = |url: &str, ok: bool| {
            format!(r#""name":"{url}","url":"{url}","method":"GET","expected_response":"{ok}""#)
        };
        let report = read(&[
            point(1.0, &tags("http://shop/item/17?utm=x", true)),
            point(2.0, &tags("http://shop/item/18", true)),
            point(0.1, &tags("http://shop/item/19", false)),
        ]);
        let listed: Vec<_> = report
            .observations
            .iter()
            .map(|o| (o.flow.as_str(), o.labels.get("outcome").map(String::as_str)))
            .collect();
        assert_eq!(
            listed,
            [("GET /item/:id", None), ("GET /item/:id", Some("error"))]
        );
        assert!(!format!("{report:?}").contains("utm"));
        assert_eq!(report.context.time_us, Some(1_767_225_600_000_000));
    }

    #[test]
    fn a_name_that_the_script_gives_is_kept_and_groups_and_scenarios_come_after() {
        let report = read(&[
            point(1.0, r#""name":"pay","url":"http://shop/x","method":"POST""#),
            point(1.0, r#""group":"::browse::cart","scenario":"s""#),
            point(1.0, r#""group":"","scenario":"s""#),
        ]);
        let flows: Vec<_> = report
            .observations
            .iter()
            .map(|o| o.flow.as_str())
            .collect();
        assert_eq!(flows, ["POST pay", "browse::cart", "s"]);
    }

    #[test]
    fn a_point_without_a_value_is_refused_with_its_line() {
        let text = format!(
            "{DECLARED}\n{}",
            r#"{"metric":"x","type":"Point","data":{}}"#
        );
        let error = crate::parse(text.as_bytes(), &ParseOptions::default()).unwrap_err();
        assert_eq!(error.place.unwrap().line, Some(2));
    }
}
