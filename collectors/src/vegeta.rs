//! vegeta: every request from `vegeta encode` as lines of JSON or as CSV; the summary of `report -type=json` and the
//! spectrum and buckets of `-type=hdrplot` and `-type=hist`. Fields are those of vegeta's `lib/results.go` and `lib/reporters.go`.
//!
//! An answer's body and headers dominate a file's size and are skipped unread. Requests are kept per method and route.

use std::collections::BTreeMap;

use csv::StringRecord;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::draft::Draft;
use crate::error::{ErrorKind, ParseError};
use crate::input::{Input, Shape};
use crate::report::Report;
use crate::requests::{Kind, Requests};
use crate::route::template;
use crate::table::rows;
use crate::{Format, ParseOptions, limits};

mod reports;

/// One request of a file of JSON lines; what it does not name is skipped, and so takes no memory.
#[derive(Debug, Deserialize)]
struct Hit {
    attack: String,
    /// The answer's status, 0 where there was none.
    code: u16,
    timestamp: String,
    /// Nanoseconds.
    latency: i64,
    #[serde(default)]
    error: String,
    #[serde(default)]
    method: String,
    #[serde(default)]
    url: String,
}

pub(crate) fn sniff(input: &Input) -> bool {
    match &input.shape {
        Shape::Json(document) => reports::is_report(document),
        Shape::Lines(first) => {
            ["attack", "code", "timestamp", "latency"].map(|key| first.get(key).is_some())
                == [true; 4]
        }
        Shape::Text => {
            let text = &input.text;
            reports::is_hdrplot(text) || reports::is_hist(text) || is_csv(text)
        }
        _ => false,
    }
}

/// The first request of a file of JSON lines without what was answered, which may be longer than other strings may be.
pub(crate) fn first_result(line: &str) -> Option<Value> {
    if line.len() > limits::LINE_BYTES || !line.contains("\"latency\"") {
        return None;
    }
    let hit: Hit = serde_json::from_str(line).ok()?;
    Some(
        json!({"attack": hit.attack, "code": hit.code, "timestamp": hit.timestamp, "latency": hit.latency}),
    )
}

/// Whether bytes begin as Go's gob encoding of vegeta's results does: with the names of the type and its fields.
pub(crate) fn is_gob(bytes: &[u8]) -> bool {
    let head = &bytes[..bytes.len().min(256)];
    [&b"Result"[..], b"Attack", b"Latency"]
        .iter()
        .all(|name| memchr::memmem::find(head, name).is_some())
}

/// The columns have no names: nanoseconds since the epoch, status, latency, bytes out and in, error, body, attack,
/// sequence, and since version 12.8 method, address and headers.
const OLDEST_COLUMNS: usize = 9;

fn is_csv(text: &str) -> bool {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let begins = (18..=20).contains(&digits) && text.as_bytes().get(digits) == Some(&b',');
    begins
        && rows(text, b',')
            .next()
            .and_then(Result::ok)
            .is_some_and(|(_, row)| of_row(&row).is_ok())
}

pub(crate) fn parse(input: &Input, _: &ParseOptions) -> Result<Report, ParseError> {
    let mut draft = Draft::new(Format::Vegeta);
    draft.context().fingerprint.tool = Some("vegeta".into());
    match &input.shape {
        Shape::Json(document) => reports::read(document, &mut draft)?,
        Shape::Text if reports::is_hdrplot(&input.text) => reports::hdrplot(input, &mut draft)?,
        Shape::Text if reports::is_hist(&input.text) => reports::hist(input, &mut draft)?,
        Shape::Text => {
            let mut requests = Requests::default();
            for row in rows(&input.text, b',') {
                let (line, row) = row?;
                match of_row(&row) {
                    Ok((hit, time_us)) => {
                        draft.context().time_us.get_or_insert(time_us);
                        take(&hit, &mut requests);
                    }
                    Err(reason) => draft.skip(format!("line {line}"), reason),
                }
            }
            requests.finish(&mut draft, "latency", "ns", &[])?;
        }
        _ => {
            let mut requests = Requests::default();
            for line in input.lines() {
                let (number, line) = line?;
                let hit: Hit = serde_json::from_str(line).map_err(|e| invalid(number, &e))?;
                let context = draft.context();
                if context.time_us.is_none() {
                    context.time_us = crate::time::microseconds(&hit.timestamp);
                }
                take(&hit, &mut requests);
            }
            requests.finish(&mut draft, "latency", "ns", &[])?;
        }
    }
    Ok(draft.finish())
}

fn invalid(line: usize, error: &serde_json::Error) -> ParseError {
    let (kind, what) = match error.classify() {
        serde_json::error::Category::Data => (ErrorKind::InvalidValue, "no result of vegeta"),
        _ => (ErrorKind::InvalidJson, "not valid JSON"),
    };
    let error = ParseError::new(kind, format!("{what}: {error}")).at_line(line);
    error.hint("was the file cut short?")
}

fn take(hit: &Hit, requests: &mut Requests) {
    let flow = match (hit.method.as_str(), hit.url.as_str()) {
        ("", "") => "(unnamed)".to_owned(),
        ("", url) => template(url),
        (method, "") => method.to_owned(),
        (method, url) => format!("{method} {}", template(url)),
    };
    let mut labels = BTreeMap::new();
    if !hit.attack.is_empty() {
        labels.insert("attack".to_owned(), hit.attack.clone());
    }
    let shown_as = match hit.attack.as_str() {
        "" => "(unnamed)",
        name => name,
    };
    // vegeta itself counts answers from 200 to 399 as success.
    let failed = !(200..400).contains(&hit.code) || !hit.error.is_empty();
    let kind = Kind {
        shown_as: shown_as.to_owned(),
        flow,
        labels,
        failed,
    };
    requests.add(kind, hit.latency as f64);
}

/// A row with the microseconds at which it began.
fn of_row(row: &StringRecord) -> Result<(Hit, i64), &'static str> {
    if row.len() < OLDEST_COLUMNS {
        return Err("too few columns for a result of vegeta: was it cut short?");
    }
    let text = |at: usize| row.get(at).unwrap_or_default().to_owned();
    let whole = |at: usize| row.get(at).and_then(|field| field.parse::<i64>().ok());
    let (Some(time_ns), Some(latency), Some(_), Some(_), Some(_)) =
        (whole(0), whole(2), whole(3), whole(4), whole(8))
    else {
        return Err("no result of vegeta: numbers are missing");
    };
    let code = row.get(1).and_then(|field| field.parse().ok());
    let hit = Hit {
        attack: text(7),
        code: code.ok_or("no result of vegeta: the status is no number")?,
        timestamp: String::new(),
        latency,
        error: text(5),
        method: text(9),
        url: text(10),
    };
    Ok((hit, time_ns / 1_000))
}

#[cfg(test)]
mod tests;
