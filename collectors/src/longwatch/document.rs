//! Our own document read in one pass, with lists of values going straight into vectors: batches of many thousand samples
//! are what it is for, and a tree of JSON values costs several times the reading.
//!
//! Only the way to `values` is walked here; every other field is JSON for serde, within the usual limits.

use serde_json::value::RawValue;
use serde_json::{Deserializer, Map, Value};

use super::numbers::numbers;
use crate::{json, limits};

/// A document, or a line of NDJSON.
#[derive(Debug, Default)]
pub(crate) struct Document {
    /// All fields but `measurements` and `values`; null where something else than an object stood.
    pub(crate) fields: Value,
    /// The measurements, where there is a list of them.
    pub(crate) measurements: Option<Vec<Document>>,
    /// The values, where they were sent.
    pub(crate) values: Option<Values>,
}

/// What stands under `values`.
#[derive(Debug, PartialEq)]
pub(crate) enum Values {
    /// A list of numbers.
    Numbers(Vec<f64>),
    /// Anything else.
    NoNumbers,
}

/// Reads a whole text; `None` where it is no JSON object or passes a limit, which the general reader then says with its
/// place.
pub(crate) fn read(text: &str) -> Option<Document> {
    let mut cursor = Cursor {
        text,
        at: 0,
        budget: limits::JSON_VALUES,
    };
    let document = cursor.object(true)?;
    cursor.spaces();
    (cursor.at == text.len()).then_some(document)
}

struct Cursor<'a> {
    text: &'a str,
    at: usize,
    /// Values that may still be read.
    budget: usize,
}

impl<'a> Cursor<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn spaces(&mut self) {
        let rest = &self.text.as_bytes()[self.at..];
        self.at += rest
            .iter()
            .take_while(|b| matches!(b, b' ' | b'\t' | b'\n' | b'\r'))
            .count();
    }

    /// Goes past a byte that must come next, after white space.
    fn expect(&mut self, byte: u8) -> Option<()> {
        self.spaces();
        self.accept(byte).then_some(())
    }

    fn accept(&mut self, byte: u8) -> bool {
        let there = self.peek() == Some(byte);
        self.at += usize::from(there);
        there
    }

    /// The text of whatever value comes next, which is JSON.
    fn skip(&mut self) -> Option<&'a str> {
        self.spaces();
        let mut values = Deserializer::from_str(self.rest()).into_iter::<&RawValue>();
        let text = values.next()?.ok()?.get();
        self.at += values.byte_offset();
        Some(text)
    }

    fn value(&mut self) -> Option<Value> {
        let text = self.skip()?;
        self.budget = self.budget.checked_sub(1)?;
        json::parse(text).ok()
    }

    /// An object; `whole` documents hold measurements, which hold no measurements themselves.
    fn object(&mut self, whole: bool) -> Option<Document> {
        let mut document = Document::default();
        let mut fields = Map::new();
        self.expect(b'{')?;
        self.spaces();
        while !self.accept(b'}') {
            if !fields.is_empty() || document.measurements.is_some() || document.values.is_some() {
                self.expect(b',')?;
            }
            let Value::String(key) = self.value()? else {
                return None;
            };
            self.expect(b':')?;
            self.spaces();
            match key.as_str() {
                "measurements" if whole && self.peek() == Some(b'[') => {
                    document.measurements = Some(self.measurements()?);
                }
                "values" => document.values = Some(self.values()?),
                _ => {
                    fields.insert(key, self.value()?);
                }
            }
            if fields.len() > limits::JSON_KEYS {
                return None;
            }
            self.spaces();
        }
        document.fields = Value::Object(fields);
        Some(document)
    }

    fn measurements(&mut self) -> Option<Vec<Document>> {
        let mut measurements = Vec::new();
        self.expect(b'[')?;
        self.spaces();
        while !self.accept(b']') {
            if !measurements.is_empty() {
                self.expect(b',')?;
                self.spaces();
            }
            measurements.push(match self.peek() {
                Some(b'{') => self.object(false)?,
                _ => self.value().map(|_| Document::default())?,
            });
            self.spaces();
        }
        Some(measurements)
    }

    fn values(&mut self) -> Option<Values> {
        self.spaces();
        let most = self.budget.min(limits::SAMPLES + 1);
        match numbers(self.rest(), most) {
            Some((numbers, length)) => {
                self.at += length;
                self.budget -= numbers.len();
                Some(Values::Numbers(numbers))
            }
            None => {
                let text = self.skip()?;
                json::check_limits(text).ok()?;
                Some(Values::NoNumbers)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn anything_may_stand_anywhere() {
        let measurements = read(
            r#" { "a" : [1, {"values": [2]}] , "measurements" : [ 1, [], {"values": [1, -2, 0.5e1], "x": {"values": [1]}}, null ] } "#,
        );
        let measurements = measurements.unwrap().measurements.unwrap();
        assert_eq!(measurements.len(), 4);
        assert_eq!(
            measurements[2].values,
            Some(Values::Numbers(vec![1.0, -2.0, 5.0]))
        );
        assert_eq!(measurements[2].fields, json!({"x": {"values": [1]}}));
        assert_eq!(
            read(r#"{"measurements": {"a": 1}}"#).unwrap().fields,
            json!({"measurements": {"a": 1}})
        );
        for other in [
            "3",
            "{}",
            "\"1\"",
            "[1, null, 2]",
            "[1, [2], 3]",
            "[{}, 1]",
            "[\"1\"]",
            "null",
        ] {
            assert_eq!(
                read(&format!(r#"{{"values": {other}}}"#)).unwrap().values,
                Some(Values::NoNumbers),
                "{other}"
            );
        }
        assert_eq!(
            read(r#"{"values": [ ]}"#).unwrap().values,
            Some(Values::Numbers(vec![]))
        );
        assert!(read("{}").unwrap().fields.is_object());
    }

    #[test]
    fn limits_hold_on_the_way() {
        let deep = format!(r#"{{"x": {}{}}}"#, "[".repeat(100), "]".repeat(100));
        let deep_values = deep.replace('x', "values");
        let many = format!(
            r#"{{"measurements": [{}0]}}"#,
            "0,".repeat(limits::JSON_VALUES)
        );
        let keys = format!(
            "{{{}\"x\": 1}}",
            (0..=limits::JSON_KEYS)
                .map(|i| format!("\"{i}\":0,"))
                .collect::<String>()
        );
        for text in [deep, deep_values, many, keys] {
            assert!(read(&text).is_none(), "{}", &text[..40]);
        }
        let long = format!(r#"{{"values": [{}1]}}"#, "1,".repeat(limits::SAMPLES + 5));
        assert_ne!(
            read(&long).map(|d| d.values),
            Some(Some(Values::Numbers(vec![])))
        );
    }

    /// JSON of any shape, as text, in which our own keys are common.
    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(json!(null)),
            any::<bool>().prop_map(Value::from),
            any::<i32>().prop_map(Value::from),
            (0..9_999u32).prop_map(|n| json!(f64::from(n) / 8.0)),
            ".{0,6}".prop_map(Value::from)
        ];
        leaf.prop_recursive(5, 40, 6, |inner| {
            let key = prop_oneof![
                Just("values".to_owned()),
                Just("measurements".to_owned()),
                ".{0,4}"
            ];
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::vec((key, inner), 0..6)
                    .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn it_takes_what_serde_takes_and_finds_the_same(value in any_json(), pretty in any::<bool>()) {
            let text = if pretty { format!("{value:#}") } else { value.to_string() };
            let Some(object) = value.as_object() else {
                prop_assert!(read(&text).is_none());
                return Ok(());
            };
            let document = read(&text).unwrap();
            let list = object.get("values").and_then(Value::as_array).and_then(|list| json::numbers(list));
            let expected = object.get("values").map(|_| list.map_or(Values::NoNumbers, Values::Numbers));
            prop_assert_eq!(document.values, expected);
            let others = |v: &Value| v.as_object().unwrap().iter().filter(|(k, v)| *k != "values" && !(*k == "measurements" && v.is_array())).count();
            prop_assert_eq!(document.fields.as_object().unwrap().len(), others(&value));
            let measured = object.get("measurements").and_then(Value::as_array).map(Vec::len);
            prop_assert_eq!(document.measurements.map(|m| m.len()), measured);
        }

        #[test]
        fn what_serde_refuses_is_refused(value in any_json(), at in any::<prop::sample::Index>(), with in prop::sample::select(vec!["", ",", "}", "]", "\"", "0", ".", "-", "x", " "])) {
            let mut text = value.to_string();
            let at = (0..=at.index(text.len() + 1)).rev().find(|&at| text.is_char_boundary(at)).unwrap();
            let end = (at + 1..text.len()).find(|&end| text.is_char_boundary(end)).unwrap_or(text.len());
            text.replace_range(at..end.max(at), with);
            let strict = serde_json::from_str::<Value>(&text).is_ok_and(|v| v.is_object());
            prop_assert_eq!(read(&text).is_some(), strict, "{}", text);
        }
    }
}
