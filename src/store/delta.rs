//! What the journal holds: deltas as raw values or sparse pairs in base units, never a dense histogram.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Id, SeriesId};

mod first_encoding;
mod gaps;
mod row;
mod second_encoding;

pub use row::Origin;
pub(super) use row::{Report, Row, decode, encode};

/// One series' new measurements from one upload.
#[derive(Debug, Clone, PartialEq)]
pub struct Delta {
    /// What was measured where.
    pub origin: Arc<Origin>,
    /// When it was measured, microseconds since the epoch in UTC.
    pub time_us: i64,
    /// The measurements, in base units.
    pub values: Values,
    /// Failed operations among them.
    pub failed: u64,
    /// Values left out: out of range, negative, not a number.
    pub dropped: u64,
}

/// A run's id as it travels in the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RunRef(pub [u8; 16]);

impl From<Id> for RunRef {
    fn from(id: Id) -> Self {
        RunRef(*id.bytes())
    }
}

/// Measurements in base units (ps or ns, bytes, counts, millionths, thousandths a second).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Values {
    /// Each value.
    Raw(Vec<u64>),
    /// HDR bucket index and count, sorted by index.
    Pairs(#[serde(with = "gaps")] Vec<(u32, u64)>),
    /// Bucket `i` counts values in `(bounds[i-1], bounds[i]]`; one more count than bounds.
    Explicit {
        /// Ascending edges.
        bounds: Vec<f64>,
        /// Counts.
        counts: Vec<u64>,
    },
    /// What a tool printed; never turned into percentiles.
    Summary(Summary),
    /// One exact value.
    Exact(f64),
    /// One report of a page view's metric; the last of an id wins, resolved in the fold.
    Report {
        /// Metric instance.
        id: ReportId,
        /// Order among the reports of one id.
        sequence: u64,
        /// The value so far.
        value: u64,
    },
}

impl Values {
    /// How many numbers there are to write.
    pub fn numbers(&self) -> usize {
        match self {
            Values::Raw(values) => values.len(),
            Values::Pairs(pairs) => pairs.len(),
            Values::Explicit { counts, .. } => counts.len(),
            Values::Summary(_) | Values::Exact(_) | Values::Report { .. } => 1,
        }
    }
}

/// Which metric of which page view a report speaks of: a digest of the series and the sender's id for it. Of a billion
/// page views that are open at once two share one with a probability of 3 %.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ReportId([u8; 8]);

impl ReportId {
    /// The digest of a sender's id for a metric.
    pub fn of(series: SeriesId, id: &str, metric: &str) -> ReportId {
        // `Id::of(&[&series.to_string(), &format!("{id} {metric}")])` without the texts: every beacon comes by here.
        let mut hex = [0; 32];
        let name = uuid::Uuid::from_bytes(*series.id().bytes());
        let name = name.simple().encode_lower(&mut hex).as_bytes();
        let mut hash = Sha256::new();
        hash.update(32_u64.to_be_bytes());
        hash.update(name);
        hash.update((id.len() as u64 + 1 + metric.len() as u64).to_be_bytes());
        hash.update(id);
        hash.update(b" ");
        hash.update(metric);
        let mut half = [0; 8];
        half.copy_from_slice(&hash.finalize()[..8]);
        ReportId(half)
    }

    /// From the longer digest that the first schema kept.
    pub(super) fn first_half(digest: &Id) -> ReportId {
        let mut half = [0; 8];
        half.copy_from_slice(&digest.bytes()[..8]);
        ReportId(half)
    }

    /// The digest's bytes.
    pub fn bytes(&self) -> &[u8; 8] {
        &self.0
    }
}

impl From<[u8; 8]> for ReportId {
    fn from(bytes: [u8; 8]) -> Self {
        ReportId(bytes)
    }
}

/// A tool's own statistics, in base units under its own names.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// The tool's headline value.
    pub headline: Option<f64>,
    /// How many operations it speaks of, where said.
    pub count: Option<u64>,
    /// Standard deviation, where said.
    pub stddev: Option<f64>,
    /// Everything the tool printed, native units.
    pub reported: Vec<(String, f64)>,
}

/// Sampling rate and mix class of field data; a window keeps its strata apart so that they can be weighted when read.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Stratum {
    /// Sampling rate in millionths; 1,000,000 kept everything.
    pub rate_ppm: u32,
    /// Form factor, or empty.
    pub device: String,
    /// Country group, `unknown`, or empty for lab data.
    pub country: String,
    /// Navigation class, or empty.
    pub navigation: String,
}

impl Stratum {
    /// Everything kept, no class: lab data.
    pub fn whole() -> Stratum {
        Stratum {
            rate_ppm: 1_000_000,
            device: String::new(),
            country: String::new(),
            navigation: String::new(),
        }
    }

    /// Where strata beyond a window's limit go.
    pub fn other(rate_ppm: u32) -> Stratum {
        Stratum {
            rate_ppm,
            device: "other".into(),
            country: "other".into(),
            navigation: "other".into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reports_digest_is_that_of_series_id_and_metric() {
        let series = SeriesId(Id::new());
        let whole = Id::of(&[&series.to_string(), "v5-1 LCP"]);
        assert_eq!(
            ReportId::of(series, "v5-1", "LCP"),
            ReportId::first_half(&whole)
        );
    }
}
