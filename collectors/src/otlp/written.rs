//! Values as OTLP/JSON may write them: numbers as numbers or as text, enumerations by number or name.

use serde::{Deserialize, Deserializer};

/// A number as JSON writes it: as it is, or as text.
#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Unsigned(u64),
    Signed(i64),
    Float(f64),
    Text(String),
    Nothing(()),
}

fn read<'de, D: Deserializer<'de>, T>(
    from: D,
    what: &str,
    of: fn(&Written) -> Option<T>,
) -> Result<T, D::Error> {
    let written = Written::deserialize(from)?;
    of(&written).ok_or_else(|| serde::de::Error::custom(format!("expected {what}")))
}

/// The one field of several that is there. An option in a flattened place would hide what is wrong within the field, so
/// only the error that none of them is there counts as none.
pub(super) fn one_of<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    from: D,
) -> Result<Option<T>, D::Error> {
    match T::deserialize(from) {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.to_string().starts_with("no variant of enum") => Ok(None),
        Err(error) => Err(error),
    }
}

fn unsigned_of(written: &Written) -> Option<u64> {
    match written {
        Written::Unsigned(n) => Some(*n),
        Written::Text(text) => text.parse().ok(),
        Written::Nothing(()) => Some(0),
        Written::Float(f) if f.fract() == 0.0 && (0.0..9e15).contains(f) => Some(*f as u64),
        _ => None,
    }
}

fn signed_of(written: &Written) -> Option<i64> {
    match written {
        Written::Signed(n) => Some(*n),
        Written::Unsigned(n) => i64::try_from(*n).ok(),
        Written::Text(text) => text.parse().ok(),
        Written::Nothing(()) => Some(0),
        Written::Float(f) if f.fract() == 0.0 && f.abs() < 9e15 => Some(*f as i64),
        Written::Float(_) => None,
    }
}

fn float_of(written: &Written) -> Option<f64> {
    Some(match written {
        Written::Float(f) => *f,
        Written::Signed(n) => *n as f64,
        Written::Unsigned(n) => *n as f64,
        Written::Text(text) => text.parse().ok()?,
        Written::Nothing(()) => 0.0,
    })
}

fn temporality_of(written: &Written) -> Option<i32> {
    match written {
        Written::Text(name) => match name.as_str() {
            "AGGREGATION_TEMPORALITY_UNSPECIFIED" => Some(0),
            "AGGREGATION_TEMPORALITY_DELTA" => Some(1),
            "AGGREGATION_TEMPORALITY_CUMULATIVE" => Some(2),
            number => number.parse().ok(),
        },
        other => signed_of(other).and_then(|n| i32::try_from(n).ok()),
    }
}

fn list<T>(written: Option<Vec<Written>>, of: fn(&Written) -> Option<T>) -> Option<Vec<T>> {
    written.unwrap_or_default().iter().map(of).collect()
}

pub(super) fn unsigned<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
    read(from, "a whole number", unsigned_of)
}

pub(super) fn signed<'de, D: Deserializer<'de>>(from: D) -> Result<i64, D::Error> {
    read(from, "a whole number", signed_of)
}

pub(super) fn float<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    read(from, "a number", float_of)
}

pub(super) fn temporality<'de, D: Deserializer<'de>>(from: D) -> Result<i32, D::Error> {
    read(from, "an aggregation temporality", temporality_of)
}

pub(super) fn optional_float<'de, D: Deserializer<'de>>(from: D) -> Result<Option<f64>, D::Error> {
    read(from, "a number", |written| match written {
        Written::Nothing(()) => Some(None),
        other => float_of(other).map(Some),
    })
}

pub(super) fn unsigned_list<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u64>, D::Error> {
    let numbers = list(Option::deserialize(from)?, unsigned_of);
    numbers.ok_or_else(|| serde::de::Error::custom("expected whole numbers"))
}

pub(super) fn float_list<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<f64>, D::Error> {
    let numbers = list(Option::deserialize(from)?, float_of);
    numbers.ok_or_else(|| serde::de::Error::custom("expected numbers"))
}
