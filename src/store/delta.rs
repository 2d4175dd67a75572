//! What the journal holds: deltas as raw values or sparse pairs in base units, never a dense histogram.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Id, SeriesId, StoreError};

/// First byte of every journal row, so that a later encoding can be told from this one.
const ENCODING: u8 = 1;

/// One series' new measurements from one upload.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Delta {
    /// The series.
    pub series: SeriesId,
    /// Release that was measured; empty when nobody said (field data of unlabelled pages).
    pub release: String,
    /// The run for `bench`, `load` and `lab`; `None` for the field, whose unit is the UTC day.
    pub run: Option<RunRef>,
    /// When it was measured, microseconds since the epoch in UTC.
    pub time_us: i64,
    /// Sampling rate and mix class.
    pub stratum: Stratum,
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
    Pairs(Vec<(u32, u64)>),
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
        id: String,
        /// Order among the reports of one id.
        sequence: u64,
        /// The value so far.
        value: u64,
    },
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

    /// Reads what [`fmt::Display`] writes.
    pub(super) fn parse(text: &str) -> Result<Stratum, StoreError> {
        let mut parts = text.split('\t');
        let rate_ppm = parts
            .next()
            .and_then(|rate| rate.parse().ok())
            .ok_or_else(|| StoreError::Corrupt(format!("stratum {text:?}")))?;
        let mut next = || parts.next().unwrap_or_default().to_owned();
        Ok(Stratum {
            rate_ppm,
            device: next(),
            country: next(),
            navigation: next(),
        })
    }
}

impl fmt::Display for Stratum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}\t{}\t{}\t{}",
            self.rate_ppm, self.device, self.country, self.navigation
        )
    }
}

/// Encodes one journal row.
pub(super) fn encode(deltas: &[&Delta]) -> Result<Vec<u8>, StoreError> {
    postcard::to_extend(deltas, vec![ENCODING])
        .map_err(|error| StoreError::Corrupt(format!("journal row: {error}")))
}

/// Decodes one journal row.
pub(super) fn decode(row: &[u8]) -> Result<Vec<Delta>, StoreError> {
    match row.split_first() {
        Some((&ENCODING, rest)) => postcard::from_bytes(rest)
            .map_err(|error| StoreError::Corrupt(format!("journal row: {error}"))),
        _ => Err(StoreError::Corrupt(
            "journal row of unknown encoding".into(),
        )),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_row_reads_back_as_written() {
        let delta = Delta {
            series: SeriesId(Id::new()),
            release: "v2.31".into(),
            run: Some(Id::new().into()),
            time_us: 1_700_000_000_000_000,
            stratum: Stratum::whole(),
            values: Values::Raw(vec![0, 1, u64::MAX]),
            failed: 1,
            dropped: 2,
        };
        assert_eq!(decode(&encode(&[&delta]).unwrap()).unwrap(), vec![delta]);
        assert!(decode(&[9, 9]).is_err());
        assert!(decode(&[]).is_err());
    }

    #[test]
    fn a_stratum_reads_back_as_written() {
        let stratum = Stratum {
            rate_ppm: 250_000,
            device: "mobile".into(),
            country: "unknown".into(),
            navigation: "navigate".into(),
        };
        assert_eq!(Stratum::parse(&stratum.to_string()).unwrap(), stratum);
        assert!(Stratum::parse("x").is_err());
    }
}
