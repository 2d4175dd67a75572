//! Real-user beacons: web-vitals objects as people already send them, and our own compact form.
//!
//! [`parse_beacon`] is what the route for beacons calls. A report keeps the metric's name and value, its id, the page's
//! route, the release, the device class, the navigation type and the sampling rate; attribution, entries, addresses'
//! queries and everything else stay unread. Several reports may share an id: the last one counts.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::draft::{Draft, observation, scalar};
use crate::error::ParseError;
use crate::input::{Input, Shape};
use crate::json;
use crate::report::{Beacon, Observation, Report};
use crate::{Format, ParseOptions};

mod body;
mod gather;
mod item;
mod read;

pub(crate) use body::form_fields;
pub use body::parse_beacon;
use body::read_items;
use gather::batch;
pub(crate) use gather::{is_plausible, navigation};
use item::Item;

/// One metric of one page view as a beacon reported it.
#[derive(Debug, Clone, PartialEq)]
pub struct BeaconReport {
    /// The metric's name as web-vitals writes it (`LCP`), or the name of one's own mark.
    pub name: String,
    /// The value in [`Self::unit`].
    pub value: f64,
    /// `ms`, or `1` for CLS.
    pub unit: &'static str,
    /// The flow as sent, else the page's route template; `None` where neither is known.
    pub flow: Option<String>,
    /// The release that the page says it is.
    pub release: Option<String>,
    /// Id, sequence, device, navigation and sampling.
    pub beacon: Beacon,
}

/// What one beacon held.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct BeaconBatch {
    /// What can be taken; of several reports with one id and name, the last.
    pub reports: Vec<BeaconReport>,
    /// How many reports were rejected, by reason.
    pub rejected: BTreeMap<Rejection, u32>,
}

/// Why a report is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rejection {
    /// The metric's name is none that we know.
    UnknownMetric,
    /// The value is missing or no number.
    NoValue,
    /// The value is beyond what a page can take: 0 to 10 minutes, for CLS 0 to 100.
    Implausible,
    /// No id: reports could not be told apart.
    NoId,
    /// The sampling rate is not above 0 and at most 1.
    BadSampling,
}

impl Rejection {
    /// The stable text, for counters.
    pub fn name(self) -> &'static str {
        match self {
            Rejection::UnknownMetric => "unknown_metric",
            Rejection::NoValue => "no_value",
            Rejection::Implausible => "implausible",
            Rejection::NoId => "no_id",
            Rejection::BadSampling => "bad_sampling",
        }
    }
}

pub(crate) fn sniff(input: &Input) -> bool {
    match &input.shape {
        Shape::Json(document) if is_request(document) => {
            is_preflight(document)
                || Request::read(document)
                    .is_some_and(|r| r.items().is_ok_and(|i| i.iter().any(Item::is_vital)))
        }
        Shape::Json(Value::Array(items)) => !items.is_empty() && items.iter().all(looks_like_vital),
        Shape::Json(document) | Shape::Lines(document) => {
            looks_like_vital(document)
                || document
                    .get("metrics")
                    .and_then(Value::as_array)
                    .is_some_and(|m| m.iter().any(looks_like_vital))
        }
        Shape::Text => {
            input.text.contains("value=")
                && read_items(input.text.as_bytes(), None)
                    .is_ok_and(|items| items.iter().any(Item::is_vital))
        }
        _ => false,
    }
}

fn looks_like_vital(value: &Value) -> bool {
    json::string(value, "name").is_some_and(item::is_vital)
        && value.get("value").is_some()
        && value.get("id").is_some()
}

/// A captured request: method, headers, body.
pub(crate) fn is_request(document: &Value) -> bool {
    document.get("method").is_some()
        && document.get("headers").is_some_and(Value::is_object)
        && document.get("body_base64").is_some()
}

fn is_preflight(document: &Value) -> bool {
    json::string(document, "method") == Some("OPTIONS")
        && json::string(document, "body_base64") == Some("")
}

pub(crate) struct Request<'a> {
    pub(crate) body: Vec<u8>,
    content_type: Option<&'a str>,
    pub(crate) query: &'a str,
    pub(crate) referer: Option<&'a str>,
}

impl<'a> Request<'a> {
    /// The request that was captured, where its body can be decoded.
    pub(crate) fn read(document: &'a Value) -> Option<Self> {
        let header = |name: &str| document.get("headers").and_then(|h| json::string(h, name));
        Some(Request {
            body: STANDARD
                .decode(json::string(document, "body_base64")?)
                .ok()?,
            content_type: header("content-type"),
            query: json::string(document, "query").unwrap_or_default(),
            referer: header("referer"),
        })
    }

    fn items(&self) -> Result<Vec<Item<'_>>, ParseError> {
        read_items(&self.body, self.content_type)
    }
}

pub(crate) fn parse(input: &Input, _: &ParseOptions) -> Result<Report, ParseError> {
    let mut draft = Draft::new(Format::WebVitals);
    match &input.shape {
        Shape::Json(document) if is_request(document) => {
            let Some(request) = Request::read(document).filter(|_| !is_preflight(document)) else {
                draft.skip(
                    "preflight",
                    "a CORS preflight: to be answered, nothing to ingest",
                );
                return Ok(draft.finish());
            };
            add(
                &mut draft,
                batch(request.items()?, request.query, request.referer),
                request.content_type,
            )?;
        }
        Shape::Lines(_) => {
            for line in input.lines() {
                add(
                    &mut draft,
                    batch(read_items(line?.1.as_bytes(), None)?, "", None),
                    None,
                )?;
            }
        }
        _ => add(
            &mut draft,
            batch(read_items(input.text.as_bytes(), None)?, "", None),
            None,
        )?,
    }
    Ok(draft.finish())
}

/// Adds a batch's reports to a report, and lists what was rejected.
pub(crate) fn add(
    draft: &mut Draft,
    batch: BeaconBatch,
    content_type: Option<&str>,
) -> Result<(), ParseError> {
    for report in batch.reports {
        let context = draft.context();
        context.release = context.release.take().or(report.release);
        let flow = report.flow.as_deref().unwrap_or("other");
        let mut of_report = Observation {
            shown_as: Some(report.name.clone()),
            ..observation(flow, &report.name, report.unit, scalar(report.value))
        };
        of_report
            .extra
            .insert("id".into(), report.beacon.id.as_str().into());
        if let Some(content_type) = content_type {
            of_report
                .extra
                .insert("content_type".into(), json!(content_type));
        }
        of_report.beacon = Some(report.beacon);
        draft.add(of_report)?;
    }
    for (reason, n) in batch.rejected {
        draft.skip(reason.name(), format!("{n} report(s) rejected"));
    }
    Ok(())
}
