//! Our own document read in one pass, with lists of values going straight into vectors: batches of many thousand samples
//! are what it is for, and a tree of JSON values would cost several times their reading.

use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

/// A document, or a line of NDJSON.
#[derive(Debug, Default)]
pub(crate) struct Document {
    /// All fields but `measurements` and `values`.
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

impl<'de> Deserialize<'de> for Document {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(DocumentVisitor)
    }
}

/// Visits of scalars, all of which mean the same here.
macro_rules! scalars {
    ($value:expr; $($visit:ident: $type:ty),*) => {
        $(fn $visit<E>(self, _: $type) -> Result<Self::Value, E> { Ok($value) })*
    };
}

struct DocumentVisitor;

impl<'de> Visitor<'de> for DocumentVisitor {
    type Value = Document;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    scalars!(Document::default(); visit_bool: bool, visit_i64: i64, visit_u64: u64, visit_f64: f64, visit_str: &str);

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Document::default())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Document::default())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut document = Document::default();
        let mut fields = Map::new();
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "measurements" => document.measurements = map.next_value::<Measurements>()?.0,
                "values" => {
                    // Skipping checks that it is JSON; reading it ourselves takes half of the time of a visitor.
                    let json = map.next_value::<&RawValue>()?.get();
                    document.values = (json != "null").then(|| Values::read(json));
                }
                _ => {
                    fields.insert(key, map.next_value()?);
                }
            }
        }
        document.fields = Value::Object(fields);
        Ok(document)
    }
}

/// A list of measurements; `None` where something else stands.
struct Measurements(Option<Vec<Document>>);

impl<'de> Deserialize<'de> for Measurements {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer
            .deserialize_any(MeasurementsVisitor)
            .map(Measurements)
    }
}

struct MeasurementsVisitor;

impl<'de> Visitor<'de> for MeasurementsVisitor {
    type Value = Option<Vec<Document>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of measurements")
    }

    scalars!(None; visit_bool: bool, visit_i64: i64, visit_u64: u64, visit_f64: f64, visit_str: &str);

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(None)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut measurements = Vec::new();
        while let Some(measurement) = seq.next_element()? {
            measurements.push(measurement);
        }
        Ok(Some(measurements))
    }
}

impl Values {
    /// Reads the text of a JSON value: a list of numbers, or not.
    fn read(json: &str) -> Values {
        let list = json
            .trim()
            .strip_prefix('[')
            .and_then(|j| j.strip_suffix(']'));
        let numbers = list.and_then(|list| match list.trim() {
            "" => Some(Vec::new()),
            list => numbers(list),
        });
        numbers.map_or(Values::NoNumbers, Values::Numbers)
    }
}

/// Powers of ten that a double holds exactly.
const EXACT_POWERS: [f64; 16] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
];

/// Numbers between commas, out of text that is known to be JSON. Up to 15 digits with a point, as measurements are
/// written, need one exact division (W. Clinger, How to read floating point numbers accurately, 1990); all others go to
/// the standard library.
fn numbers(list: &str) -> Option<Vec<f64>> {
    let bytes = list.as_bytes();
    let mut numbers = Vec::with_capacity(bytes.len() / 8);
    let mut at = 0;
    loop {
        at += spaces(&bytes[at..]);
        let start = at;
        let (mut mantissa, mut digits, mut decimals, mut point, mut plain) =
            (0u64, 0, 0, false, true);
        while let Some(&byte) = bytes.get(at).filter(|&&b| b != b',' && !is_space(b)) {
            let digit = byte.wrapping_sub(b'0');
            if digit < 10 {
                mantissa = mantissa.wrapping_mul(10).wrapping_add(u64::from(digit));
                digits += 1;
                decimals += usize::from(point);
            } else {
                plain &= byte == b'.';
                point = true;
            }
            at += 1;
        }
        numbers.push(match digits {
            1..=15 if plain => mantissa as f64 / EXACT_POWERS[decimals],
            _ => with_the_standard_library(&list[start..at])?,
        });
        at += spaces(&bytes[at..]);
        match bytes.get(at) {
            None => return Some(numbers),
            Some(b',') => at += 1,
            Some(_) => return None,
        }
    }
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

fn spaces(bytes: &[u8]) -> usize {
    bytes.iter().take_while(|&&b| is_space(b)).count()
}

/// The standard library reads `inf` and `nan` as well, which are no JSON.
fn with_the_standard_library(text: &str) -> Option<f64> {
    let begins = text
        .strip_prefix('-')
        .unwrap_or(text)
        .starts_with(|c: char| c.is_ascii_digit());
    text.parse().ok().filter(|_| begins)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn anything_may_stand_anywhere() {
        let read = |text: &str| serde_json::from_str::<Document>(text).unwrap();
        assert!(read("3").fields.is_null() && read("[1]").fields.is_null());
        assert!(read(r#"{"measurements": {"a": 1}}"#).measurements.is_none());
        let measurements = read(
            r#"{"measurements": [1, [], {"values": [1, -2, 0.5e1], "x": {"values": [1]}}, null]}"#,
        )
        .measurements
        .unwrap();
        assert_eq!(measurements.len(), 4);
        assert_eq!(
            measurements[2].values,
            Some(Values::Numbers(vec![1.0, -2.0, 5.0]))
        );
        assert_eq!(measurements[2].fields["x"]["values"][0], 1);
        for other in [
            "3",
            "{}",
            "\"1\"",
            "[1, null, 2]",
            "[1, [2], 3]",
            "[{}, 1]",
            "[\"1\"]",
        ] {
            assert_eq!(
                read(&format!(r#"{{"values": {other}}}"#)).values,
                Some(Values::NoNumbers),
                "{other}"
            );
        }
        assert_eq!(read(r#"{"values": null}"#).values, None);
        assert_eq!(
            read(r#"{"values": [ ]}"#).values,
            Some(Values::Numbers(vec![]))
        );
    }

    #[test]
    fn what_is_no_json_is_refused_among_values_too() {
        for broken in [
            "[01]", "[1,]", "[.5]", "[1.]", "[+1]", "[1 2]", "[inf]", "[NaN]", "[1,,2]", "[1",
        ] {
            assert!(
                serde_json::from_str::<Document>(&format!(r#"{{"values": {broken}}}"#)).is_err(),
                "{broken}"
            );
        }
    }

    proptest! {
        #[test]
        fn numbers_are_read_as_the_standard_library_reads_them(value in any::<f64>(), small in 0..1_000_000_000u64, decimals in 0..12usize) {
            prop_assume!(value.is_finite());
            for text in [value.to_string(), format!("{value:e}"), format!("{small}"), format!("{:.decimals$}", small as f64 / 7.0)] {
                prop_assert_eq!(numbers(&text), text.parse().ok().map(|n| vec![n]), "{}", text);
            }
        }
    }
}
