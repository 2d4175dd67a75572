//! From a tool's own unit to integers of one base unit at rest, once, and back for display.
//!
//! The dimension follows from the unit's text, the metric's name where the text is missing, and the source: time is kept
//! in picoseconds for benchmarks and in nanoseconds elsewhere. It never depends on a value, so that a series keeps its
//! dimension. What is not known to be time, bytes, an integral count or a rate is kept in millionths.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::histogram::MAX_VALUE;
use crate::report::{Direction, Source};

pub use crate::metric::metric_name;

/// What a series' values are integers of, at rest; its name is part of the series' identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dimension {
    /// Picoseconds: benchmark time, where results below a nanosecond are real.
    TimePs,
    /// Nanoseconds: all other time.
    TimeNs,
    /// Bytes.
    Bytes,
    /// Things that come whole: instructions, requests.
    Count,
    /// Millionths of a unit: ratios, scores, layout shift, averages of counts.
    Ppm,
    /// Thousandths of a unit per second.
    MilliPerS,
}

impl Dimension {
    /// All of them.
    pub const ALL: [Dimension; 6] = [
        Self::TimePs,
        Self::TimeNs,
        Self::Bytes,
        Self::Count,
        Self::Ppm,
        Self::MilliPerS,
    ];

    /// The stable name that series identities hold.
    pub fn name(self) -> &'static str {
        match self {
            Dimension::TimePs => "time_ps",
            Dimension::TimeNs => "time_ns",
            Dimension::Bytes => "bytes",
            Dimension::Count => "count",
            Dimension::Ppm => "ppm",
            Dimension::MilliPerS => "milli_per_s",
        }
    }

    /// The base value as a plain number of seconds, bytes, units, or units per second.
    pub fn plain(self, base: f64) -> f64 {
        match self {
            Dimension::TimePs => base / 1e12,
            Dimension::TimeNs => base / 1e9,
            Dimension::Bytes | Dimension::Count => base,
            Dimension::Ppm => base / 1e6,
            Dimension::MilliPerS => base / 1e3,
        }
    }

    /// Whether values are times.
    pub fn is_time(self) -> bool {
        matches!(self, Dimension::TimePs | Dimension::TimeNs)
    }
}

impl fmt::Display for Dimension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The text names no dimension.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no dimension: time_ps, time_ns, bytes, count, ppm and milli_per_s are")]
pub struct UnknownDimension(String);

impl FromStr for Dimension {
    type Err = UnknownDimension;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|d| d.name() == text)
            .ok_or_else(|| UnknownDimension(text.to_owned()))
    }
}

/// Why a value has no place at rest; such values are counted and shown, never clamped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unstorable {
    /// Below zero, as clocks that step and corrected start-up times give.
    #[error("negative")]
    Negative,
    /// NaN or an infinity.
    #[error("not a finite number")]
    NotFinite,
    /// Above 2^62 base units.
    #[error("beyond the largest value that is stored")]
    TooLarge,
}

/// A native unit: its dimension and its size in base units.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Unit {
    /// What base values are integers of.
    pub dimension: Dimension,
    /// Base units in one native unit, as a fraction of two exact numbers.
    numerator: f64,
    denominator: f64,
}

impl Unit {
    /// The base integer of a native value, rounded half to even.
    pub fn to_base(self, native: f64) -> Result<u64, Unstorable> {
        let base = self.to_base_exactly(native);
        if !native.is_finite() {
            return Err(Unstorable::NotFinite);
        }
        let rounded = round_half_even(base);
        if rounded < 0.0 {
            Err(Unstorable::Negative)
        } else if rounded > MAX_VALUE as f64 {
            Err(Unstorable::TooLarge)
        } else {
            Ok(rounded as u64)
        }
    }

    /// The base value without rounding, for means and bounds, which are no observations.
    pub fn to_base_exactly(self, native: f64) -> f64 {
        native * self.numerator / self.denominator
    }

    /// The native value of a base value.
    pub fn to_native(self, base: f64) -> f64 {
        base * self.denominator / self.numerator
    }
}

/// Half to even for numbers from 0 up. Adding 2^52 leaves no room for a fraction, so the processor rounds as it always
/// does; `f64::round_ties_even` is a call on machines without SSE 4.1, and batches round thousands of values.
fn round_half_even(base: f64) -> f64 {
    const NO_FRACTION: f64 = (1u64 << 52) as f64;
    if base.abs() < NO_FRACTION && base >= 0.0 {
        (base + NO_FRACTION) - NO_FRACTION
    } else {
        base.round_ties_even()
    }
}

/// Reads a native unit. Always answers: a text that says nothing is settled by the metric's name, else counts as unitless.
pub fn unit(text: &str, metric: &str, source: Source) -> Unit {
    let text = text.trim();
    let known = named(text, source).or_else(|| by_metric(text, metric, source));
    known.unwrap_or(Unit {
        dimension: Dimension::Ppm,
        numerator: 1e6,
        denominator: 1.0,
    })
}

/// Whether the text is a unit that we know, so that nothing has to be guessed.
pub fn is_known(text: &str) -> bool {
    named(text.trim(), Source::Load).is_some()
}

/// Which way is good, as far as unit and metric say: less time, fewer bytes and allocations, more per second.
pub fn direction(text: &str, metric: &str) -> Direction {
    let text = text.trim();
    let less = [
        "allocs",
        "allocs/op",
        "allocations",
        "instructions",
        "instr",
        "cycles",
        "faults",
        "errors",
    ];
    match unit(text, metric, Source::Load).dimension {
        Dimension::TimeNs | Dimension::TimePs | Dimension::Bytes => Direction::Lower,
        Dimension::MilliPerS => Direction::Higher,
        _ if less.contains(&text) || metric.eq_ignore_ascii_case("cls") => Direction::Lower,
        _ if text == "score" => Direction::Higher,
        _ => Direction::Unknown,
    }
}

fn named(text: &str, source: Source) -> Option<Unit> {
    if let Some(seconds) = time(text) {
        return Some(of_seconds(seconds, source));
    }
    if let Some(bytes) = bytes(text) {
        return Some(Unit {
            dimension: Dimension::Bytes,
            numerator: bytes,
            denominator: 1.0,
        });
    }
    if let Some(of) = text
        .strip_suffix("/s")
        .or_else(|| text.strip_suffix("/sec"))
        .or_else(|| text.strip_suffix("/second"))
    {
        return Some(Unit {
            dimension: Dimension::MilliPerS,
            numerator: 1e3 * bytes(of).unwrap_or_else(|| thousands(of)),
            denominator: 1.0,
        });
    }
    // An average over operations keeps the unit of what it averages, except that counts stop being whole.
    if let Some(of) = ["/op", "/iter", "/iteration", "/call"]
        .iter()
        .find_map(|s| text.strip_suffix(s))
    {
        let unit = named(of, source)?;
        let whole = unit.dimension == Dimension::Count;
        return Some(if whole {
            Unit {
                dimension: Dimension::Ppm,
                numerator: 1e6,
                denominator: 1.0,
            }
        } else {
            unit
        });
    }
    match text.to_lowercase().as_str() {
        "count" | "counts" | "{count}" | "instructions" | "instr" | "ir" | "cycles" | "events"
        | "allocs" | "allocations" | "requests" | "errors" | "calls" | "faults" => Some(Unit {
            dimension: Dimension::Count,
            numerator: 1.0,
            denominator: 1.0,
        }),
        "1" | "unitless" | "none" | "ratio" | "score" | "number" => Some(Unit {
            dimension: Dimension::Ppm,
            numerator: 1e6,
            denominator: 1.0,
        }),
        "%" | "percent" => Some(Unit {
            dimension: Dimension::Ppm,
            numerator: 1e4,
            denominator: 1.0,
        }),
        "hz" => Some(Unit {
            dimension: Dimension::MilliPerS,
            numerator: 1e3,
            denominator: 1.0,
        }),
        _ => None,
    }
}

/// Seconds in a unit of time as a power of ten (and minutes, hours), as `(numerator, denominator)`.
fn time(text: &str) -> Option<(f64, f64)> {
    Some(match text {
        "fs" => (1.0, 1e15),
        "ps" | "picosecond" | "picoseconds" => (1.0, 1e12),
        "ns" | "nsec" | "nanosecond" | "nanoseconds" => (1.0, 1e9),
        // The micro sign and the Greek letter are two code points.
        "us" | "usec" | "\u{b5}s" | "\u{3bc}s" | "microsecond" | "microseconds" => (1.0, 1e6),
        "ms" | "msec" | "millisecond" | "milliseconds" => (1.0, 1e3),
        "s" | "sec" | "second" | "seconds" => (1.0, 1.0),
        "min" | "minute" | "minutes" => (60.0, 1.0),
        "h" | "hour" | "hours" => (3600.0, 1.0),
        _ => return None,
    })
}

fn of_seconds((numerator, denominator): (f64, f64), source: Source) -> Unit {
    let (dimension, per_second) = match source {
        Source::Bench => (Dimension::TimePs, 1e12),
        _ => (Dimension::TimeNs, 1e9),
    };
    // Both are powers of ten below 2^53, so the quotient that is whole is exact.
    let base = numerator * per_second;
    let (numerator, denominator) = if base >= denominator {
        (base / denominator, 1.0)
    } else {
        (1.0, denominator / base)
    };
    Unit {
        dimension,
        numerator,
        denominator,
    }
}

fn bytes(text: &str) -> Option<f64> {
    Some(match text {
        "B" | "By" | "b" | "byte" | "bytes" | "Byte" | "Bytes" => 1.0,
        "kB" | "KB" | "kbytes" => 1e3,
        "MB" => 1e6,
        "GB" => 1e9,
        "KiB" => 1024.0,
        "MiB" => 1024.0 * 1024.0,
        "GiB" => 1024.0 * 1024.0 * 1024.0,
        _ => return None,
    })
}

/// The multiplier in front of a counted thing in a rate: `k`, `M` and `G` alone or before a word with an upper-case start.
fn thousands(of: &str) -> f64 {
    match of {
        "k" | "K" | "kop" | "Kop" | "kops" | "Kops" => 1e3,
        "M" | "Mop" | "Mops" | "MElem" | "Melem" => 1e6,
        "G" | "Gop" | "Gops" | "GElem" | "Gelem" => 1e9,
        _ => 1.0,
    }
}

/// What the metric's name says where the unit's text says nothing (`?`, empty).
fn by_metric(text: &str, metric: &str, source: Source) -> Option<Unit> {
    if !matches!(text, "" | "?" | "default") {
        return None;
    }
    let metric = metric.to_lowercase();
    let milliseconds = ["lcp", "fcp", "ttfb", "inp", "fid"].contains(&metric.as_str())
        || metric.starts_with("http_req_") && metric != "http_req_failed";
    if milliseconds {
        return Some(of_seconds((1.0, 1e3), source));
    }
    // Prometheus' metrics end in their unit, counters with `_total` after it.
    let name = metric.strip_suffix("_total").unwrap_or(&metric);
    match name.rsplit_once('_')?.1 {
        unit @ ("seconds" | "milliseconds" | "microseconds" | "nanoseconds" | "bytes") => {
            named(unit, source)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
