//! Amounts with a unit as people write them (`2.5 s`, `1.5 MB`, `0.1`, `2 %`), and their worth in base units at rest.

use std::fmt;
use std::str::FromStr;

use collectors::units::Dimension;

use super::period::Unreadable;

/// What a unit measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Time,
    Bytes,
    Plain,
    Rate,
}

/// A unit's text, what it measures, and how many of its kind's elementary unit (s, B, 1, 1/s) it stands for.
type UnitRow = (&'static str, Kind, f64);

const UNITS: &[UnitRow] = &[
    ("", Kind::Plain, 1.0),
    ("%", Kind::Plain, 0.01),
    ("ps", Kind::Time, 1e-12),
    ("ns", Kind::Time, 1e-9),
    ("us", Kind::Time, 1e-6),
    ("µs", Kind::Time, 1e-6),
    ("μs", Kind::Time, 1e-6),
    ("ms", Kind::Time, 1e-3),
    ("s", Kind::Time, 1.0),
    ("min", Kind::Time, 60.0),
    ("h", Kind::Time, 3_600.0),
    ("B", Kind::Bytes, 1.0),
    ("kB", Kind::Bytes, 1e3),
    ("KB", Kind::Bytes, 1e3),
    ("MB", Kind::Bytes, 1e6),
    ("GB", Kind::Bytes, 1e9),
    ("TB", Kind::Bytes, 1e12),
    ("KiB", Kind::Bytes, 1_024.0),
    ("MiB", Kind::Bytes, 1_048_576.0),
    ("GiB", Kind::Bytes, 1_073_741_824.0),
    ("TiB", Kind::Bytes, 1_099_511_627_776.0),
    ("/s", Kind::Rate, 1.0),
    ("ops/s", Kind::Rate, 1.0),
    ("req/s", Kind::Rate, 1.0),
    ("/min", Kind::Rate, 1.0 / 60.0),
    ("B/s", Kind::Rate, 1.0),
    ("kB/s", Kind::Rate, 1e3),
    ("MB/s", Kind::Rate, 1e6),
    ("GB/s", Kind::Rate, 1e9),
    ("KiB/s", Kind::Rate, 1_024.0),
    ("MiB/s", Kind::Rate, 1_048_576.0),
    ("GiB/s", Kind::Rate, 1_073_741_824.0),
];

/// What a dimension holds, and how many of its base units make one of the kind's elementary unit.
fn held(dimension: Dimension) -> (Kind, f64) {
    match dimension {
        Dimension::TimePs => (Kind::Time, 1e12),
        Dimension::TimeNs => (Kind::Time, 1e9),
        Dimension::Bytes => (Kind::Bytes, 1.0),
        Dimension::Count => (Kind::Plain, 1.0),
        Dimension::Ppm => (Kind::Plain, 1e6),
        Dimension::MilliPerS => (Kind::Rate, 1e3),
    }
}

/// A finite amount, not negative, with the unit in which it was written.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quantity {
    value: f64,
    unit: &'static str,
    kind: Kind,
    factor: f64,
}

/// A quantity whose unit does not fit the series it was meant for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{quantity}` does not fit a series in {dimension}; write {wanted}")]
pub struct UnitMismatch {
    /// The quantity as written.
    pub quantity: String,
    /// The series' dimension.
    pub dimension: Dimension,
    /// What would fit.
    pub wanted: &'static str,
}

impl Quantity {
    /// The amount in its own unit.
    pub fn value(&self) -> f64 {
        self.value
    }

    /// The unit as written; empty for a bare number.
    pub fn unit(&self) -> &'static str {
        self.unit
    }

    /// The amount in the base unit of a series' dimension.
    ///
    /// Errs where the unit measures something else; change the budget's unit then.
    pub fn to_base(&self, dimension: Dimension) -> Result<f64, UnitMismatch> {
        let (kind, per_unit) = held(dimension);
        if kind == self.kind {
            return Ok(self.value * self.factor * per_unit);
        }
        Err(UnitMismatch {
            quantity: self.to_string(),
            dimension,
            wanted: kind.example(),
        })
    }

    /// Whether both measure the same thing, so that one may stand in for the other.
    pub fn comparable_to(&self, other: &Self) -> bool {
        self.kind == other.kind
    }
}

impl Kind {
    fn example(self) -> &'static str {
        match self {
            Self::Time => "a time, as in `250 ms`",
            Self::Bytes => "a size, as in `1.5 MB`",
            Self::Plain => "a bare number, as in `0.1`",
            Self::Rate => "a rate, as in `200 /s` or `5 MB/s`",
        }
    }
}

/// Splits a text into its leading number and what follows it.
fn number_and_rest(text: &str) -> Option<(f64, &str)> {
    let trimmed = text.trim();
    let end = trimmed
        .find(|c: char| !c.is_ascii_digit() && !matches!(c, '.' | '_'))
        .unwrap_or(trimmed.len());
    let (number, rest) = trimmed.split_at(end);
    let value: f64 = number.replace('_', "").parse().ok()?;
    Some((value, rest.trim()))
}

impl FromStr for Quantity {
    type Err = Unreadable;

    fn from_str(text: &str) -> Result<Self, Unreadable> {
        let hint = "write a number and a unit, as in `250 ms`, `1.5 MB`, `5 MB/s`, or a bare number such as `0.1`";
        let (value, unit) = number_and_rest(text).ok_or_else(|| {
            Unreadable::new(
                format!("`{text}` does not begin with a number from 0 up"),
                hint,
            )
        })?;
        let row = UNITS.iter().find(|(name, _, _)| *name == unit);
        let (unit, kind, factor) = *row.ok_or_else(|| {
            Unreadable::new(format!("`{text}` has an unknown unit `{unit}`"), hint)
        })?;
        Ok(Self {
            value,
            unit,
            kind,
            factor,
        })
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.value)?;
        if self.unit.is_empty() {
            Ok(())
        } else {
            write!(f, " {}", self.unit)
        }
    }
}

/// A share written with its sign (`2 %`), from 0 up.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Percent {
    percent: f64,
}

impl Percent {
    /// So many hundredths.
    pub(super) const fn new(percent: f64) -> Self {
        Self { percent }
    }

    /// As a fraction of one: 0.02 for `2 %`.
    pub fn fraction(self) -> f64 {
        self.percent / 100.0
    }
}

impl FromStr for Percent {
    type Err = Unreadable;

    fn from_str(text: &str) -> Result<Self, Unreadable> {
        match number_and_rest(text) {
            Some((percent, "%")) if percent <= 1_000.0 => Ok(Self { percent }),
            _ => Err(Unreadable::new(
                format!("`{text}` is no share from 0 % to 1000 %"),
                "write it with its sign, as in `2 %`",
            )),
        }
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} %", self.percent)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use collectors::units::Dimension;

    use super::{Percent, Quantity};

    fn base(text: &str, dimension: Dimension) -> f64 {
        text.parse::<Quantity>()
            .unwrap()
            .to_base(dimension)
            .unwrap()
    }

    #[test]
    fn quantities_become_base_units() {
        assert_eq!(base("2.5 s", Dimension::TimeNs), 2.5e9);
        assert_eq!(base("250ms", Dimension::TimePs), 250e9);
        assert_eq!(base("1.5 MB", Dimension::Bytes), 1.5e6);
        assert_eq!(base("2 KiB", Dimension::Bytes), 2_048.0);
        assert_eq!(base("0.1", Dimension::Ppm), 1e5);
        assert_eq!(base("12", Dimension::Count), 12.0);
        assert_eq!(base("200 /s", Dimension::MilliPerS), 2e5);
        assert_eq!(
            base("1 µs", Dimension::TimeNs),
            base("1 μs", Dimension::TimeNs)
        );
    }

    #[test]
    fn a_unit_that_does_not_fit_is_refused_with_what_would() {
        let error = "2.5"
            .parse::<Quantity>()
            .unwrap()
            .to_base(Dimension::TimeNs)
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "`2.5` does not fit a series in time_ns; write a time, as in `250 ms`"
        );
    }

    #[test]
    fn what_is_no_quantity_is_refused() {
        for text in ["", "s", "-1 s", "NaN", "1e9 s", "2 sec", "1..2 s", "inf"] {
            assert!(text.parse::<Quantity>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_percent_needs_its_sign() {
        assert_eq!("2 %".parse::<Percent>().unwrap().fraction(), 0.02);
        assert!("2".parse::<Percent>().is_err());
        assert!("-2 %".parse::<Percent>().is_err());
        assert_eq!("0.5%".parse::<Percent>().unwrap().to_string(), "0.5 %");
    }
}
