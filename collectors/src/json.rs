//! JSON read within limits, with the place of what is wrong; and small readers for its values.

use std::borrow::Cow;

use serde_json::Value;

use crate::error::{ErrorKind, ParseError, Place};
use crate::limits;

/// Keys of the formats in which Python's `NaN` and `Infinity` occur: old pytest-benchmark's, and asv's.
const PYTHONS: [&str; 2] = ["\"machine_info\"", "\"commit_hash\""];

/// A whole document. Depth, strings, keys and the number of values are checked before anything is built.
pub(crate) fn parse(text: &str) -> Result<Value, ParseError> {
    check_limits(text)?;
    let strict = serde_json::from_str(text).map_err(|e| invalid(&e));
    match strict {
        Err(_)
            if PYTHONS.iter().any(|key| text.contains(key))
                && text.contains("NaN") | text.contains("Infinity") =>
        {
            serde_json::from_str(&without_python_numbers(text)).map_err(|e| invalid(&e))
        }
        other => other,
    }
}

fn invalid(error: &serde_json::Error) -> ParseError {
    let whole = error.to_string();
    let message = whole.split(" at line ").next().unwrap_or(&whole);
    let place = Place {
        line: Some(error.line() as u64),
        column: Some(error.column() as u64),
        ..Place::default()
    };
    let error =
        ParseError::new(ErrorKind::InvalidJson, format!("not valid JSON: {message}")).at(place);
    if message.starts_with("EOF") {
        error.hint("the file ends early: was it cut short?")
    } else {
        error
    }
}

/// Bytes that may open, close or part something; most are none of these.
static STRUCTURAL: [bool; 256] = {
    let mut structural = [false; 256];
    let bytes = b"\"{}[]:,";
    let mut at = 0;
    while at < bytes.len() {
        structural[bytes[at] as usize] = true;
        at += 1;
    }
    structural
};

/// Refuses what is nested too deeply or too large, with its place, before anything is built.
pub(crate) fn check_limits(text: &str) -> Result<(), ParseError> {
    let too_large = |byte: usize, what: String| {
        let place = Place {
            byte: Some(byte as u64),
            ..Place::default()
        };
        Err(ParseError::new(ErrorKind::TooLarge, what)
            .at(place)
            .hint("send it in parts"))
    };
    let bytes = text.as_bytes();
    let mut keys: Vec<usize> = Vec::new();
    let mut values = 0;
    let mut at = 0;
    while at < bytes.len() {
        if !STRUCTURAL[usize::from(bytes[at])] {
            at += 1;
            continue;
        }
        match bytes[at] {
            b'"' => {
                let start = at;
                at += 1;
                while at < bytes.len() && bytes[at] != b'"' {
                    at += if bytes[at] == b'\\' { 2 } else { 1 };
                }
                if at - start > limits::JSON_STRING_BYTES && !holds_what_is_not_kept(text) {
                    let longest = limits::JSON_STRING_BYTES;
                    return too_large(start, format!("a string is longer than {longest} bytes"));
                }
            }
            b'{' | b'[' if keys.len() == limits::JSON_DEPTH => {
                return too_large(
                    at,
                    format!(
                        "the JSON is nested deeper than {} levels",
                        limits::JSON_DEPTH
                    ),
                );
            }
            b'{' | b'[' => keys.push(0),
            b'}' | b']' => {
                keys.pop();
            }
            b':' => {
                if let Some(n) = keys.last_mut() {
                    *n += 1;
                    if *n > limits::JSON_KEYS {
                        return too_large(
                            at,
                            format!("an object has more than {} keys", limits::JSON_KEYS),
                        );
                    }
                }
            }
            b',' => {
                values += 1;
                if values > limits::JSON_VALUES {
                    return too_large(
                        at,
                        format!(
                            "the document holds more than {} values",
                            limits::JSON_VALUES
                        ),
                    );
                }
            }
            _ => {}
        }
        at += 1;
    }
    Ok(())
}

/// Whether long strings are a part of the format, of which nothing is kept: an HTTP archive, whose first key is `log`, holds
/// whole answers, and Lighthouse's report screenshots of whole pages.
fn holds_what_is_not_kept(text: &str) -> bool {
    let inside = text.trim_start().strip_prefix('{').map(str::trim_start);
    inside.is_some_and(|inside| inside.starts_with("\"log\""))
        || text.contains("\"lighthouseVersion\"")
}

/// The text with bare `NaN`, `Infinity` and `-Infinity` as `null`; strings are left alone.
fn without_python_numbers(text: &str) -> Cow<'_, str> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['"', 'N', 'I', '-']) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        if let Some(token) = ["NaN", "-Infinity", "Infinity"]
            .into_iter()
            .find(|t| rest.starts_with(t))
        {
            out.push_str("null");
            rest = &rest[token.len()..];
            continue;
        }
        let end = if rest.starts_with('"') {
            string_end(rest)
        } else {
            1
        };
        out.push_str(&rest[..end]);
        rest = &rest[end..];
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// The byte after the string that `text` begins with.
fn string_end(text: &str) -> usize {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// The string under a key.
pub(crate) fn string<'a>(object: &'a Value, key: &str) -> Option<&'a str> {
    object.get(key)?.as_str()
}

/// The number under a key.
pub(crate) fn number(object: &Value, key: &str) -> Option<f64> {
    object.get(key)?.as_f64()
}

/// The array under a key.
pub(crate) fn array<'a>(object: &'a Value, key: &str) -> Option<&'a Vec<Value>> {
    object.get(key)?.as_array()
}

/// A value as a label's text: strings as they are, all else as JSON.
pub(crate) fn label(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

/// All numbers of an array, or `None` where something else is among them.
pub(crate) fn numbers(values: &[Value]) -> Option<Vec<f64>> {
    values.iter().map(Value::as_f64).collect()
}

/// The numbers among an object's fields, in file order, without those that `leave_out` names.
pub(crate) fn reported(object: &Value, leave_out: &[&str]) -> Vec<(String, f64)> {
    let fields = object.as_object().into_iter().flatten();
    fields
        .filter(|(key, _)| !leave_out.contains(&key.as_str()))
        .filter_map(|(key, value)| Some((key.clone(), value.as_f64()?)))
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    fn kind(text: &str) -> ErrorKind {
        parse(text).unwrap_err().kind
    }

    #[test]
    fn limits_hold_at_their_edges() {
        let nested = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
        assert!(parse(&nested(limits::JSON_DEPTH)).is_ok());
        assert_eq!(kind(&nested(limits::JSON_DEPTH + 1)), ErrorKind::TooLarge);
        let quoted = |n: usize| format!("\"{}\"", "x".repeat(n));
        assert!(parse(&quoted(limits::JSON_STRING_BYTES - 1)).is_ok());
        assert_eq!(
            kind(&quoted(limits::JSON_STRING_BYTES)),
            ErrorKind::TooLarge
        );
        let answer = format!("{{ \"log\": {}}}", quoted(limits::JSON_STRING_BYTES));
        assert!(parse(&answer).is_ok(), "an HTTP archive holds answers");
        let object = |n: usize| {
            format!(
                "{{{}}}",
                (0..n)
                    .map(|i| format!("\"{i}\":0"))
                    .collect::<Vec<_>>()
                    .join(",")
            )
        };
        assert!(parse(&object(limits::JSON_KEYS)).is_ok());
        assert_eq!(kind(&object(limits::JSON_KEYS + 1)), ErrorKind::TooLarge);
        assert_eq!(
            kind(&format!("[{}0]", "0,".repeat(limits::JSON_VALUES + 1))),
            ErrorKind::TooLarge
        );
    }

    #[test]
    fn brackets_and_commas_in_strings_count_for_nothing() {
        let text = format!("[\"{}\\\"{}\"]", "[{:,".repeat(1_000), "]]]");
        assert!(parse(&text).is_ok());
    }

    #[test]
    fn a_broken_document_says_where_and_that_it_ends_early() {
        let error = parse("{\"a\": 1,\n \"b\": ").unwrap_err();
        assert_eq!(error.kind, ErrorKind::InvalidJson);
        assert!(error.to_string().contains("line 2, column"), "{error}");
        assert!(error.hint.unwrap().contains("cut short"));
    }

    #[test]
    fn pythons_numbers_are_read_as_absent_in_pythons_files_alone() {
        let value = parse(
            r#"{"machine_info": {"node": "NaN \" Infinity"}, "a": [NaN, -Infinity, -1, Infinity]}"#,
        )
        .unwrap();
        assert_eq!(value["a"], serde_json::json!([null, null, -1, null]));
        assert_eq!(value["machine_info"]["node"], "NaN \" Infinity");
        assert_eq!(kind("[NaN]"), ErrorKind::InvalidJson);
    }
}
