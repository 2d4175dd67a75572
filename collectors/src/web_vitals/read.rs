//! Beacons' JSON read in one pass: what we know is kept, attribution and entries are skipped without being built.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::item::{Item, OwnReport};

/// Text where text or a number stands, else nothing.
struct Text<'a>(Option<Cow<'a, str>>);

/// A number where a number stands, as text too, else nothing.
struct Number(Option<f64>);

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer
            .deserialize_any(Scalar)
            .map(|(text, number)| Text(text.or_else(|| number.map(|n| Cow::Owned(n.to_string())))))
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer
            .deserialize_any(Scalar)
            .map(|(text, number)| Number(number.or_else(|| text?.trim().parse().ok())))
    }
}

/// Reads any value and keeps it where it is text or a number.
struct Scalar;

impl<'de> Visitor<'de> for Scalar {
    type Value = (Option<Cow<'de, str>>, Option<f64>);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok((Some(Cow::Borrowed(text)), None))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok((Some(Cow::Owned(text.to_owned())), None))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Self::Value, E> {
        Ok((None, Some(number)))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
        Ok((None, Some(number as f64)))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
        Ok((None, Some(number as f64)))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok((None, None))
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok((None, None))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok((None, None))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok((None, None))
    }
}

/// Any JSON as the items in it: an object is one, an array holds several, all else holds none.
pub(super) struct Items<'a>(pub(super) Vec<Item<'a>>);

impl<'de> Deserialize<'de> for Items<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ItemsVisitor).map(Items)
    }
}

struct ItemsVisitor;

/// Visits that find no item.
macro_rules! holds_none {
    ($($visit:ident: $type:ty),*) => { $(fn $visit<E>(self, _: $type) -> Result<Self::Value, E> { Ok(Self::Value::default()) })* };
}

impl<'de> Visitor<'de> for ItemsVisitor {
    type Value = Vec<Item<'de>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    holds_none!(visit_bool: bool, visit_i64: i64, visit_u64: u64, visit_f64: f64, visit_str: &str);

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Vec::new())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut items = Vec::new();
        while let Some(Items(more)) = seq.next_element()? {
            items.extend(more);
        }
        Ok(items)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut item = Item::default();
        while let Some(Text(key)) = map.next_key()? {
            match key.as_deref().unwrap_or_default() {
                "value" => item.value = map.next_value::<Number>()?.0,
                "s" => item.sampling = map.next_value::<Number>()?.0.or(Some(f64::NAN)),
                "m" => item.own = map.next_value::<OwnReports>()?.0,
                "metrics" | "vitals" | "data" => item.within = map.next_value::<Items>()?.0,
                key => match item.field(key) {
                    Some(field) => {
                        *field = map.next_value::<Text>()?.0.filter(|t| !t.trim().is_empty())
                    }
                    None => {
                        map.next_value::<IgnoredAny>()?;
                    }
                },
            }
        }
        Ok(vec![item])
    }
}

/// Our own form's list, where one stands.
struct OwnReports<'a>(Option<Vec<OwnReport<'a>>>);

impl<'de> Deserialize<'de> for OwnReports<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer
            .deserialize_any(OwnReportsVisitor)
            .map(OwnReports)
    }
}

struct OwnReportsVisitor;

impl<'de> Visitor<'de> for OwnReportsVisitor {
    type Value = Option<Vec<OwnReport<'de>>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of reports")
    }

    holds_none!(visit_bool: bool, visit_i64: i64, visit_u64: u64, visit_f64: f64, visit_str: &str);

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(None)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut reports = Vec::new();
        while let Some(report) = seq.next_element::<OwnReport>()? {
            reports.push(report);
        }
        Ok(Some(reports))
    }
}

impl<'de> Deserialize<'de> for OwnReport<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OwnReportVisitor)
    }
}

struct OwnReportVisitor;

impl<'de> Visitor<'de> for OwnReportVisitor {
    type Value = OwnReport<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[name, value, id, sequence]")
    }

    holds_none!(visit_bool: bool, visit_i64: i64, visit_u64: u64, visit_f64: f64, visit_str: &str);

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(OwnReport::default())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(OwnReport::default())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let name = seq.next_element::<Text>()?.and_then(|t| t.0);
        let value = seq.next_element::<Number>()?.and_then(|n| n.0);
        let id = seq.next_element::<Text>()?.and_then(|t| t.0);
        let sequence = seq
            .next_element::<Number>()?
            .and_then(|n| n.0)
            .unwrap_or(0.0);
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        // A cast from f64 saturates: no sequence makes trouble here.
        Ok(OwnReport {
            name,
            value,
            id,
            sequence: sequence as u64,
        })
    }
}
