//! Grafana Faro's payloads, as a captured HTTP request or as JSON alone: the measurements in them. The fields are those of
//! `TransportBody` in Faro's web SDK.
//!
//! Of `web-vitals` the metric itself is kept, with its id, navigation type and device class; what it changed by and what
//! it is made of is shown and not stored. Other measurements keep their type and the flow that their context names.
//! Sessions, users, browsers, elements, addresses, events, logs and exceptions are not kept.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::draft::{Draft, observation, scalar};
use crate::error::ParseError;
use crate::input::{Input, Shape};
use crate::json;
use crate::limits::{self, cut, fnv1a};
use crate::report::{Beacon, Observation, Report};
use crate::requests;
use crate::route::template;
use crate::web_vitals::{Request, is_plausible, is_request, navigation};
use crate::{Format, ParseOptions};

/// web-vitals' metrics as Faro writes them.
const VITALS: [&str; 6] = ["lcp", "fcp", "cls", "inp", "ttfb", "fid"];

pub(crate) fn sniff(input: &Input) -> bool {
    match &input.shape {
        Shape::Json(document) if is_request(document) => {
            captured(document).is_some_and(|body| is_payload(&body))
        }
        Shape::Json(document) | Shape::Lines(document) => is_payload(document),
        _ => false,
    }
}

/// Something about the page, and lists of what happened on it.
fn is_payload(body: &Value) -> bool {
    let about = ["app", "sdk", "session", "page", "browser", "view"];
    let lists = ["measurements", "events", "logs", "exceptions", "traces"];
    let meta = body.get("meta").filter(|meta| meta.is_object());
    meta.is_some_and(|meta| {
        about
            .iter()
            .any(|key| meta.get(key).is_some_and(Value::is_object))
    }) && lists.iter().any(|key| body.get(key).is_some())
}

fn captured(document: &Value) -> Option<Value> {
    let body = Request::read(document)?.body;
    json::parse(std::str::from_utf8(&body).ok()?).ok()
}

pub(crate) fn parse(input: &Input, _: &ParseOptions) -> Result<Report, ParseError> {
    let mut draft = Draft::new(Format::Faro);
    match &input.shape {
        Shape::Json(document) if is_request(document) => {
            let body = captured(document).unwrap_or_default();
            payload(&body, &mut draft)?;
        }
        Shape::Json(document) => payload(document, &mut draft)?,
        _ => {
            for record in input.records() {
                payload(&record?.1, &mut draft)?;
            }
        }
    }
    Ok(draft.finish())
}

fn payload(body: &Value, draft: &mut Draft) -> Result<(), ParseError> {
    let text = |pointer: &str| body.pointer(pointer).and_then(Value::as_str);
    let mobile = match body.pointer("/meta/browser/mobile") {
        Some(Value::Bool(mobile)) => Some(*mobile),
        Some(Value::String(text)) => text.parse().ok(),
        _ => None,
    };
    let page = Page {
        route: text("/meta/page/url").map_or_else(|| "other".to_owned(), template),
        device: mobile.map(|mobile| if mobile { "mobile" } else { "desktop" }),
        session: text("/meta/session/id").unwrap_or_default(),
    };
    if let Some(release) = text("/meta/app/version").filter(|text| !text.is_empty()) {
        draft.context().release = Some(cut(release, limits::LABEL_VALUE_BYTES));
    }
    let measurements = json::array(body, "measurements").into_iter().flatten();
    let mut any = false;
    for measurement in measurements {
        any = true;
        page.measurement(measurement, draft)?;
    }
    if !any {
        draft.skip("payload", "it holds no measurements");
    }
    Ok(())
}

/// What the payload says around its measurements.
struct Page<'a> {
    route: String,
    device: Option<&'static str>,
    session: &'a str,
}

impl Page<'_> {
    fn measurement(&self, measurement: &Value, draft: &mut Draft) -> Result<(), ParseError> {
        let kind = json::string(measurement, "type").unwrap_or_default();
        let no_context = Value::Null;
        let context = measurement.get("context").unwrap_or(&no_context);
        let values = measurement.get("values").and_then(Value::as_object);
        let vital = VITALS
            .into_iter()
            .find(|vital| kind == "web-vitals" && values.is_some_and(|v| v.contains_key(*vital)));
        for (name, value) in values.into_iter().flatten() {
            let unit = unit(name, kind, vital);
            let Some(value) = value.as_f64() else {
                draft.skip(name, "no number");
                continue;
            };
            let mut series = Observation {
                shown_as: Some(name.clone()),
                ..observation(&self.flow(context), name, unit, scalar(value))
            };
            if let Some(timestamp) = measurement.get("timestamp").filter(|t| t.is_string()) {
                series.extra.insert("timestamp".into(), timestamp.clone());
            }
            if kind == "web-vitals" && vital != Some(name.as_str()) {
                draft.show(series);
                continue;
            }
            if vital.is_some() && !is_plausible(unit, value) {
                draft.skip(name, "no plausible value");
                continue;
            }
            if vital.is_none() && !kind.is_empty() {
                series.labels = BTreeMap::from([("type".into(), kind.to_owned())]);
            }
            series.beacon = Some(self.beacon(measurement, context, kind, name));
            draft.add(series)?;
        }
        Ok(())
    }

    /// The flow that the page names for a measurement, else the page's route.
    fn flow(&self, context: &Value) -> String {
        let named = json::string(context, "flow").map(str::trim);
        let named = named.filter(|flow| !flow.is_empty());
        named.map_or_else(|| self.route.clone(), requests::flow)
    }

    /// The id of the metric; where it has none, a hash that tells it from all others and says nothing of the session.
    fn beacon(&self, measurement: &Value, context: &Value, kind: &str, name: &str) -> Beacon {
        let id = json::string(context, "id").filter(|id| kind == "web-vitals" && !id.is_empty());
        let id = id.map_or_else(
            || {
                let time = json::string(measurement, "timestamp").unwrap_or_default();
                let parts = [self.session, time, kind, name, &self.route].join("\n");
                format!("{:016x}", fnv1a(parts.as_bytes()))
            },
            |id| cut(id, 128),
        );
        Beacon {
            id,
            sequence: 0,
            device: self.device.map(str::to_owned),
            navigation: json::string(context, "navigation_type").map(navigation),
            sampling_ppm: 1_000_000,
        }
    }
}

/// Faro states no units: web-vitals measures milliseconds but for layout shift, and nobody knows of the rest.
fn unit(name: &str, kind: &str, vital: Option<&str>) -> &'static str {
    match (kind, name) {
        ("web-vitals", "cls" | "largest_shift_value") => "1",
        ("web-vitals", "delta") if vital == Some("cls") => "1",
        ("web-vitals", _) => "ms",
        _ => "1",
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;
    use crate::report::Outcome;

    fn read(measurements: &str) -> Report {
        let text = format!(
            r#"{{"meta":{{"app":{{"version":"1.4.2"}},"page":{{"url":"https://shop/item/17?utm=x"}},"browser":{{"mobile":true,"userAgent":"Secret/1"}},"session":{{"id":"secret"}},"user":{{"id":"ann"}}}},"measurements":[{measurements}]}}"#
        );
        crate::parse(text.as_bytes(), &ParseOptions::default()).unwrap()
    }

    #[test]
    fn a_vital_is_stored_and_its_parts_are_shown() {
        let report = read(
            r#"{"type":"web-vitals","values":{"cls":0.1,"delta":0.1,"largest_shift_time":5},"context":{"id":"v6-1","navigation_type":"back_forward","element":"secret"}}"#,
        );
        let [vital] = report.observations.as_slice() else {
            panic!()
        };
        let beacon = vital.beacon.as_ref().unwrap();
        assert_eq!(
            (vital.flow.as_str(), vital.unit.as_str()),
            ("/item/:id", "1")
        );
        assert_eq!(
            (
                beacon.id.as_str(),
                beacon.device.as_deref(),
                beacon.navigation.as_deref()
            ),
            ("v6-1", Some("mobile"), Some("back-forward"))
        );
        let units: Vec<_> = report.shown_only.iter().map(|o| o.unit.as_str()).collect();
        assert_eq!(units, ["1", "ms"]);
        assert_eq!(report.context.release.as_deref(), Some("1.4.2"));
        let all = format!("{report:?}").to_lowercase();
        assert!(
            ["secret", "ann", "utm"]
                .iter()
                .all(|word| !all.contains(word)),
            "{all}"
        );
    }

    #[test]
    fn measurements_of_ones_own_have_their_type_and_flow() {
        let of = |time: &str| {
            format!(
                r#"{{"type":"checkout","values":{{"items":3}},"timestamp":"{time}","context":{{"flow":"checkout"}}}}"#
            )
        };
        let report = read(&format!(
            "{},{}",
            of("2026-01-01T00:00:00Z"),
            of("2026-01-01T00:00:01Z")
        ));
        assert_eq!(report.observations[0].flow, "checkout");
        assert_eq!(report.observations[0].labels["type"], "checkout");
        let id = |at: usize| report.observations[at].beacon.as_ref().unwrap().id.clone();
        assert_ne!(id(0), id(1));
    }

    #[test]
    fn what_cannot_be_is_left_out_and_nothing_measured_is_no_data() {
        let report =
            read(r#"{"type":"web-vitals","values":{"lcp":-1}},{"type":"x","values":{"y":"z"}}"#);
        assert_eq!(
            (report.outcome(), report.skipped.len()),
            (Outcome::NoData, 2)
        );
        assert_eq!(read("").outcome(), Outcome::NoData);
    }
}
