//! Base units as stored, and the scales in which people read them.

use super::number::NO_BREAK_SPACE;

/// A scale is left for the next larger one from here on, so that rounding never prints 1000.
const SCALE_CEILING: f64 = 999.5;

/// The base unit in which a value is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Unit {
    /// Time in picoseconds (benchmarks).
    Picoseconds,
    /// Time in nanoseconds (every other source).
    Nanoseconds,
    /// Bytes.
    Bytes,
    /// A count of something.
    Count,
    /// A unitless value in millionths, such as CLS.
    Millionths,
    /// A rate in thousandths per second.
    MilliPerSecond,
    /// Hundredths of something else, mostly changes.
    Percent,
}

impl Unit {
    /// The unit under its stored name (`time_ps`, `time_ns`, `bytes`, `count`, `ppm`, `milli_per_s`), if it is one.
    pub fn from_stored(name: &str) -> Option<Self> {
        Some(match name {
            "time_ps" => Unit::Picoseconds,
            "time_ns" => Unit::Nanoseconds,
            "bytes" => Unit::Bytes,
            "count" => Unit::Count,
            "ppm" => Unit::Millionths,
            "milli_per_s" => Unit::MilliPerSecond,
            _ => return None,
        })
    }

    /// True for both time units.
    pub fn is_time(self) -> bool {
        matches!(self, Unit::Picoseconds | Unit::Nanoseconds)
    }

    /// The scale that prints a value of this magnitude (in base units) as 1 to 999.
    pub fn scale_for(self, magnitude: f64) -> Scale {
        let scales = self.scales();
        let fits = |scale: &&Scale| magnitude.abs() < SCALE_CEILING * scale.base_units;
        scales
            .iter()
            .find(fits)
            .or(scales.last())
            .copied()
            .unwrap_or(Scale::ONE)
    }

    fn scales(self) -> &'static [Scale] {
        const fn scale(base_units: f64, symbol: &'static str) -> Scale {
            let word = match symbol.as_bytes() {
                b"ps" => "picoseconds",
                b"ns" => "nanoseconds",
                b"ms" => "milliseconds",
                b"s" => "seconds",
                b"min" => "minutes",
                b"h" => "hours",
                b"d" => "days",
                b"B" => "bytes",
                b"k" => "thousands",
                b"M" => "millions",
                b"G" => "billions",
                b"/s" => "per second",
                b"k/s" => "thousands per second",
                b"M/s" => "millions per second",
                b"%" => "percent",
                _ => symbol,
            };
            Scale {
                base_units,
                symbol,
                word,
            }
        }
        const PS: [Scale; 8] = [
            scale(1.0, "ps"),
            scale(1e3, "ns"),
            Scale {
                base_units: 1e6,
                symbol: "µs",
                word: "microseconds",
            },
            scale(1e9, "ms"),
            scale(1e12, "s"),
            scale(6e13, "min"),
            scale(3.6e15, "h"),
            scale(8.64e16, "d"),
        ];
        const NS: [Scale; 7] = [
            scale(1.0, "ns"),
            Scale {
                base_units: 1e3,
                symbol: "µs",
                word: "microseconds",
            },
            scale(1e6, "ms"),
            scale(1e9, "s"),
            scale(6e10, "min"),
            scale(3.6e12, "h"),
            scale(8.64e13, "d"),
        ];
        const BYTES: [Scale; 5] = [
            scale(1.0, "B"),
            scale(1e3, "kB"),
            scale(1e6, "MB"),
            scale(1e9, "GB"),
            scale(1e12, "TB"),
        ];
        const COUNT: [Scale; 4] = [
            Scale::ONE,
            scale(1e3, "k"),
            scale(1e6, "M"),
            scale(1e9, "G"),
        ];
        const MILLIONTHS: [Scale; 1] = [Scale {
            base_units: 1e6,
            symbol: "",
            word: "",
        }];
        const PER_SECOND: [Scale; 3] = [scale(1e3, "/s"), scale(1e6, "k/s"), scale(1e9, "M/s")];
        const PERCENT: [Scale; 1] = [scale(1.0, "%")];
        match self {
            Unit::Picoseconds => &PS,
            Unit::Nanoseconds => &NS,
            Unit::Bytes => &BYTES,
            Unit::Count => &COUNT,
            Unit::Millionths => &MILLIONTHS,
            Unit::MilliPerSecond => &PER_SECOND,
            Unit::Percent => &PERCENT,
        }
    }
}

/// A printable unit: how many base units it holds, its symbol and its name.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scale {
    /// Base units in one of this unit.
    pub base_units: f64,
    /// `ms`, `kB`, … or nothing.
    pub symbol: &'static str,
    /// The unit written out for a chart's axis, or nothing.
    pub word: &'static str,
}

impl Scale {
    /// Single things, without a symbol.
    pub const ONE: Scale = Scale {
        base_units: 1.0,
        symbol: "",
        word: "",
    };

    /// A number with this unit behind it.
    pub fn label(self, number: &str) -> String {
        if self.symbol.is_empty() {
            number.to_owned()
        } else {
            format!("{number}{NO_BREAK_SPACE}{}", self.symbol)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_stored_unit_is_known_and_no_other() {
        for name in ["time_ps", "time_ns", "bytes", "count", "ppm", "milli_per_s"] {
            assert!(Unit::from_stored(name).is_some(), "{name}");
        }
        assert_eq!(Unit::from_stored("furlong"), None);
    }

    #[test]
    fn the_largest_scale_takes_what_is_left() {
        assert_eq!(Unit::Bytes.scale_for(1e18).symbol, "TB");
        assert_eq!(Unit::Nanoseconds.scale_for(0.0).symbol, "ns");
    }
}
