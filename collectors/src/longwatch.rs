//! Our own JSON (context and `measurements` in one document) and NDJSON (a context line, then a measurement a line).
//!
//! ```json
//! {"source": "bench", "release": "v2.31", "time": "2026-11-20T10:00:00Z", "measurements": [
//!   {"flow": "parse/large", "metric": "wall_time", "unit": "ms", "values": [12.1, 11.9]}]}
//! ```
//! A measurement that does not hold together is listed as skipped, with what is wrong; the others are taken.

use serde_json::Value;

use crate::draft::Draft;
use crate::error::{ErrorKind, ParseError};
use crate::input::{Input, Shape};
use crate::json;
use crate::limits::{LABEL_VALUE_BYTES, cut};
use crate::report::{Context, Fingerprint, Report};
use crate::{Format, ParseOptions, time};

mod document;
mod measurement;
mod numbers;

pub(crate) use document::Document;

/// Fields of the context that are plain text.
const CONTEXT_TEXTS: [&str; 10] = [
    "source", "release", "commit", "parent", "branch", "pr", "testbed", "run", "workload",
    "harness",
];

pub(crate) fn sniff(input: &Input) -> bool {
    match &input.shape {
        Shape::Own(_) => true,
        Shape::Json(first) | Shape::Lines(first) => is_measurement(first) || is_context(first),
        _ => false,
    }
}

/// Reads text as our own document; `None` where it is not one, or not JSON.
pub(crate) fn document(text: &str) -> Option<Document> {
    if !text.contains("\"measurements\"") {
        return None;
    }
    let document = document::read(text)?;
    // Grafana Faro has `measurements` too, beside `meta`.
    (document.measurements.is_some() && document.fields.get("meta").is_none()).then_some(document)
}

fn is_measurement(record: &Value) -> bool {
    record.get("flow").is_some() && record.get("metric").is_some() && record.get("type").is_none()
}

/// A context line holds nothing but a context's fields.
fn is_context(record: &Value) -> bool {
    let known = |key: &String| {
        CONTEXT_TEXTS.contains(&key.as_str()) || key == "time" || key == "fingerprint"
    };
    record
        .as_object()
        .is_some_and(|fields| !fields.is_empty() && fields.keys().all(known))
}

pub(crate) fn parse(input: &Input, options: &ParseOptions) -> Result<Report, ParseError> {
    let mut draft = Draft::new(Format::Longwatch);
    if let Shape::Own(document) = &input.shape {
        *draft.context() = context(&document.fields)?;
        for (at, measurement) in document.measurements.iter().flatten().enumerate() {
            measure(
                &mut draft,
                measurement,
                &format!("/measurements/{at}"),
                options,
            )?;
        }
        return Ok(draft.finish());
    }
    for (nth, line) in input.lines().enumerate() {
        let (number, line) = line?;
        let record = record(line).map_err(|error| error.on_line(number))?;
        if nth == 0 && !is_measurement(&record.fields) {
            *draft.context() = context(&record.fields).map_err(|error| error.at_line(number))?;
        } else {
            measure(&mut draft, &record, &format!("line {number}"), options)?;
        }
    }
    Ok(draft.finish())
}

/// One line, which may be any JSON.
fn record(line: &str) -> Result<Document, ParseError> {
    match document::read(line) {
        Some(record) => Ok(record),
        None => json::parse(line).map(|_| Document::default()),
    }
}

fn measure(
    draft: &mut Draft,
    record: &Document,
    place: &str,
    options: &ParseOptions,
) -> Result<(), ParseError> {
    match measurement::read(record, options) {
        Ok(observation) => {
            if measurement::is_guessed(&observation.unit) {
                draft.warn(format!(
                    "{place}: the unit {:?} is not known; values are kept as plain numbers",
                    observation.unit
                ));
            }
            draft.add(observation)
        }
        Err(reason) => {
            let name = json::string(&record.fields, "flow").unwrap_or("(no flow)");
            draft.skip(format!("{name} ({place})"), reason);
            Ok(())
        }
    }
}

/// The run's context. A field that is there and unreadable is refused: measurements in the wrong place are worse than none.
fn context(document: &Value) -> Result<Context, ParseError> {
    Ok(Context {
        source: field(
            document,
            "source",
            "none of bench, load, lab, rum and telemetry",
            |v| serde_json::from_value(v.clone()).ok(),
        )?,
        release: field(document, "release", NO_TEXT, text)?,
        commit: field(document, "commit", NO_TEXT, text)?,
        parent: field(document, "parent", NO_TEXT, text)?,
        branch: field(document, "branch", NO_TEXT, text)?,
        pr: field(document, "pr", NO_TEXT, text)?,
        testbed: field(document, "testbed", NO_TEXT, text)?,
        run: field(document, "run", NO_TEXT, text)?,
        workload: field(document, "workload", NO_TEXT, text)?,
        harness: field(document, "harness", NO_TEXT, text)?,
        time_us: field(
            document,
            "time",
            "no RFC 3339 time with a zone, such as 2026-11-20T10:00:00Z",
            |v| time::microseconds(v.as_str()?),
        )?,
        fingerprint: field(document, "fingerprint", "no object of texts", |v| {
            serde_json::from_value::<Fingerprint>(v.clone()).ok()
        })?
        .unwrap_or_default(),
    })
}

const NO_TEXT: &str = "no text";

fn text(value: &Value) -> Option<String> {
    value
        .is_string()
        .then(|| json::label(value))
        .or_else(|| value.is_number().then(|| value.to_string()))
        .map(|t| cut(&t, LABEL_VALUE_BYTES))
}

fn field<T>(
    document: &Value,
    name: &str,
    what_it_is_not: &str,
    read: impl Fn(&Value) -> Option<T>,
) -> Result<Option<T>, ParseError> {
    match document.get(name).filter(|v| !v.is_null()) {
        None => Ok(None),
        Some(value) => match read(value) {
            Some(read) => Ok(Some(read)),
            None => Err(ParseError::new(
                ErrorKind::InvalidValue,
                format!("{name} is {what_it_is_not}"),
            )
            .at_pointer(format!("/{name}"))),
        },
    }
}

#[cfg(test)]
#[path = "longwatch/tests.rs"]
mod tests;
