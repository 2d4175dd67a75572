//! The bodies that browsers send: JSON under any content type, forms, multipart forms.

use std::borrow::Cow;

use super::BeaconBatch;
use super::gather::batch;
use super::item::Item;
use super::read::Items;
use crate::error::{ErrorKind, ParseError};
use crate::limits;

/// Fields that a form may have.
const FIELDS: usize = 256;

/// Reads a beacon of any kind that we know: our own, web-vitals objects and arrays, as JSON or in a form. The content
/// type is a hint only, since `sendBeacon` of a string says `text/plain`. The flow is the one that the beacon or the
/// query names, else the route of the page in the body, else of the referer.
///
/// Errs where the body is too large, unreadable, or no beacon; single reports that cannot be taken are counted in
/// [`BeaconBatch::rejected`].
pub fn parse_beacon(
    body: &[u8],
    content_type: Option<&str>,
    query: &str,
    referer: Option<&str>,
) -> Result<BeaconBatch, ParseError> {
    if body.len() > limits::BEACON_BYTES {
        let message = format!("the beacon is larger than {} bytes", limits::BEACON_BYTES);
        return Err(ParseError::new(ErrorKind::TooLarge, message));
    }
    Ok(batch(read_items(body, content_type)?, query, referer))
}

/// The items of a body; at least one of them is a beacon's.
pub(super) fn read_items<'a>(
    body: &'a [u8],
    content_type: Option<&str>,
) -> Result<Vec<Item<'a>>, ParseError> {
    let not_utf8 = |_| ParseError::new(ErrorKind::UnsupportedEncoding, "the beacon is not UTF-8");
    let text = std::str::from_utf8(body)
        .map_err(not_utf8)?
        .trim_start_matches('\u{feff}')
        .trim();
    if text.is_empty() {
        return Err(ParseError::new(ErrorKind::EmptyFile, "the beacon is empty"));
    }
    let items = if text.starts_with(['{', '[']) {
        from_json(text)?
    } else if text.starts_with("--") {
        let boundary = text.lines().next().unwrap_or_default().trim_end();
        vec![from_fields(parts(text, boundary))?]
    } else if text.contains('=') {
        vec![from_fields(form_fields(text))?]
    } else {
        Vec::new()
    };
    if items.iter().any(Item::is_beacon) {
        return Ok(items);
    }
    let message = format!(
        "no beacon that we know (content type {})",
        content_type.unwrap_or("not given")
    );
    Err(ParseError::new(ErrorKind::WrongFormat, message)
        .hint("send web-vitals objects as JSON, or our own beacon"))
}

fn from_json(text: &str) -> Result<Vec<Item<'_>>, ParseError> {
    let invalid = |e: serde_json::Error| {
        ParseError::new(
            ErrorKind::InvalidJson,
            format!("the beacon is not valid JSON: {e}"),
        )
    };
    serde_json::from_str::<Items>(text)
        .map(|items| items.0)
        .map_err(invalid)
}

/// A form's fields as one item; a field that holds JSON holds metrics.
fn from_fields<'a>(fields: Vec<(Cow<'a, str>, Cow<'a, str>)>) -> Result<Item<'a>, ParseError> {
    let mut item = Item::default();
    for (key, value) in fields {
        match value {
            Cow::Borrowed(text) if text.starts_with(['{', '[']) => item.hold(from_json(text)?),
            // Metrics that had to be decoded cannot be borrowed from the body: their text is short-lived, their fields are not.
            Cow::Owned(text) if text.starts_with(['{', '[']) => item.hold(
                from_json(&text)?
                    .into_iter()
                    .map(Item::into_owned)
                    .collect(),
            ),
            value => item.set(&key, value),
        }
    }
    Ok(item)
}

/// The fields of `a=1&b=2`, decoded.
pub(crate) fn form_fields(text: &str) -> Vec<(Cow<'_, str>, Cow<'_, str>)> {
    let pairs = text.split('&').filter(|pair| !pair.is_empty()).take(FIELDS);
    pairs
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(key, value)| (unescape(key), unescape(value)))
        .collect()
}

/// `%41` and `+`; what is malformed stays as it is.
fn unescape(text: &str) -> Cow<'_, str> {
    if !text.contains(['%', '+']) {
        return Cow::Borrowed(text);
    }
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = |i: usize| bytes.get(i).and_then(|&b| (b as char).to_digit(16));
        match (bytes[at], hex(at + 1), hex(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                out.push((high * 16 + low) as u8);
                at += 3;
                continue;
            }
            (b'+', ..) => out.push(b' '),
            (byte, ..) => out.push(byte),
        }
        at += 1;
    }
    Cow::Owned(String::from_utf8_lossy(&out).into_owned())
}

/// The named parts of a multipart form.
fn parts<'a>(text: &'a str, boundary: &str) -> Vec<(Cow<'a, str>, Cow<'a, str>)> {
    let mut found = Vec::new();
    for part in text.split(boundary).take(FIELDS) {
        let Some((head, body)) = part
            .split_once("\r\n\r\n")
            .or_else(|| part.split_once("\n\n"))
        else {
            continue;
        };
        let name = head
            .split(';')
            .find_map(|field| field.trim().strip_prefix("name=\""))
            .and_then(|n| n.split('"').next());
        if let Some(name) = name {
            found.push((
                Cow::Borrowed(name),
                Cow::Borrowed(body.trim_end_matches(['\r', '\n'])),
            ));
        }
    }
    found
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
