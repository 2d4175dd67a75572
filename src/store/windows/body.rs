//! What a window holds: histograms by stratum, exact values, explicit buckets, summaries; and how it lies on disk.

use std::cell::RefCell;
use std::collections::BTreeMap;

use collectors::histogram::Histogram;
use serde::{Deserialize, Serialize};
use zstd::bulk::{Compressor, Decompressor};

use super::super::delta::Summary;
use super::super::{StoreError, Stratum, Values};
use crate::stats::percentile::{percentile_of, weighted_percentile};
use crate::stats::{Interval, Needs, mix};

/// What a window holds, in base units.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct WindowBody {
    /// Histograms by sampling rate and mix class; lab data have one stratum.
    pub strata: BTreeMap<Stratum, Packed>,
    /// Exact values (instruction counts, scores), in order of arrival, at most `EXACT_KEPT`.
    pub exact: Vec<f64>,
    /// Explicit buckets by their bounds.
    pub explicit: Vec<(Vec<f64>, Vec<u64>)>,
    /// Tools' summaries, never merged, at most `SUMMARIES_KEPT`.
    pub summaries: Vec<Summary>,
}

/// A histogram as it lies on disk: gaps between bucket indices and counts, apart, since each compresses better alone.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Packed(pub Histogram);

/// Exact values kept per window; a run has a handful.
const EXACT_KEPT: usize = 1_000;
/// Summaries kept per window; a run has one or a few attempts.
const SUMMARIES_KEPT: usize = 100;
/// Strata per window; what comes beyond joins `other`.
pub(super) const STRATA_KEPT: usize = 64;
/// Bodies smaller than this gain nothing from compression.
const COMPRESS_FROM: usize = 128;
/// How sure a stored interval is.
const CONFIDENCE: f64 = 0.95;

impl Serialize for Packed {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut last = 0;
        let mut gaps = Vec::with_capacity(self.0.pairs().len());
        let mut counts = Vec::with_capacity(self.0.pairs().len());
        for (index, count) in self.0.pairs() {
            gaps.push(index - last);
            counts.push(*count);
            last = *index;
        }
        (gaps, counts).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Packed {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (gaps, counts): (Vec<u32>, Vec<u64>) = Deserialize::deserialize(deserializer)?;
        let mut index = 0_u32;
        let pairs = gaps
            .into_iter()
            .zip(counts)
            .map(|(gap, count)| {
                index = index.saturating_add(gap);
                (index, count)
            })
            .collect();
        Histogram::from_pairs(pairs)
            .map(Packed)
            .map_err(serde::de::Error::custom)
    }
}

impl WindowBody {
    /// All strata in one histogram, counts raw.
    pub fn merged(&self) -> Histogram {
        let mut all = Histogram::default();
        for packed in self.strata.values() {
            // Totals stay far below 2^64, so merging can't overflow; were it to, the fold has refused it before.
            let _ = all.merge(&packed.0);
        }
        all
    }

    /// Percentile `q` with its interval, in base units; strata sampled at different rates are weighted.
    ///
    /// # Errors
    /// What it would need, where there are too few samples.
    pub fn percentile(&self, q: f64) -> Result<Interval, Needs> {
        self.percentile_at(q, CONFIDENCE)
    }

    /// The same with an interval of another confidence.
    ///
    /// # Errors
    /// What it would need, where there are too few samples.
    pub fn percentile_at(&self, q: f64, confidence: f64) -> Result<Interval, Needs> {
        self.percentile_of(&self.merged(), q, confidence)
    }

    pub(super) fn percentile_in(&self, merged: &Histogram, q: f64) -> Result<Interval, Needs> {
        self.percentile_of(merged, q, CONFIDENCE)
    }

    fn percentile_of(
        &self,
        merged: &Histogram,
        q: f64,
        confidence: f64,
    ) -> Result<Interval, Needs> {
        let mut rates = self.strata.keys().map(|stratum| stratum.rate_ppm);
        let first = rates.next();
        if rates.all(|rate| Some(rate) == first) {
            return percentile_of(
                merged.count(),
                q,
                confidence,
                |q| merged.quantile(q),
                |rank| merged.value_at_rank(rank),
            );
        }
        // Each kept page view stands for as many as its sampling rate left out.
        let weight = |stratum: &Stratum| 1e6 / f64::from(stratum.rate_ppm.max(1));
        let counted = self
            .strata
            .iter()
            .map(|(stratum, packed)| (weight(stratum), packed.0.count() as f64));
        let effective = mix::effective_samples(counted);
        let mut buckets: Vec<(f64, f64)> = Vec::new();
        for (stratum, packed) in &self.strata {
            buckets.extend(packed.0.buckets().map(|(lower, upper, count)| {
                (
                    (lower as f64 + upper as f64) / 2.0,
                    count as f64 * weight(stratum),
                )
            }));
        }
        buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
        let total: f64 = buckets.iter().map(|(_, weight)| weight).sum();
        weighted_percentile(effective, q, confidence, |q| {
            let mut seen = 0.0;
            buckets
                .iter()
                .find(|(_, weight)| {
                    seen += weight;
                    seen >= q * total
                })
                .map(|(value, _)| *value)
        })
    }

    pub(super) fn add(&mut self, stratum: &Stratum, values: &Values) -> Result<u64, StoreError> {
        let histogram = match values {
            Values::Raw(values) => Histogram::from_values(values.iter().copied()),
            Values::Pairs(pairs) => return self.add_pairs(stratum, pairs),
            Values::Report { value, .. } => Histogram::from_values([*value]),
            Values::Exact(value) => {
                if self.exact.len() < EXACT_KEPT {
                    self.exact.push(*value);
                }
                return Ok(1);
            }
            Values::Summary(summary) => {
                if self.summaries.len() < SUMMARIES_KEPT {
                    self.summaries.push(summary.clone());
                }
                return Ok(summary.count.unwrap_or(0));
            }
            Values::Explicit { bounds, counts } => {
                match self.explicit.iter_mut().find(|(known, _)| known == bounds) {
                    Some((_, sums)) => {
                        for (sum, count) in sums.iter_mut().zip(counts) {
                            *sum = sum.saturating_add(*count);
                        }
                    }
                    None => self.explicit.push((bounds.clone(), counts.clone())),
                }
                return Ok(counts.iter().sum());
            }
        };
        let histogram = histogram.map_err(|error| StoreError::Corrupt(error.to_string()))?;
        self.add_pairs(stratum, histogram.pairs())
    }

    fn add_pairs(&mut self, stratum: &Stratum, pairs: &[(u32, u64)]) -> Result<u64, StoreError> {
        let stratum = if self.strata.contains_key(stratum) || self.strata.len() < STRATA_KEPT {
            stratum.clone()
        } else {
            Stratum::other(stratum.rate_ppm)
        };
        let histogram = &mut self.strata.entry(stratum).or_default().0;
        histogram
            .merge_pairs(pairs)
            .map_err(|error| StoreError::Corrupt(error.to_string()))
    }

    pub(super) fn merge(&mut self, other: &WindowBody) -> Result<(), StoreError> {
        for (stratum, packed) in &other.strata {
            self.add_pairs(stratum, packed.0.pairs())?;
        }
        for value in &other.exact {
            self.add(&Stratum::whole(), &Values::Exact(*value))?;
        }
        for (bounds, counts) in &other.explicit {
            self.add(
                &Stratum::whole(),
                &Values::Explicit {
                    bounds: bounds.clone(),
                    counts: counts.clone(),
                },
            )?;
        }
        for summary in &other.summaries {
            self.add(&Stratum::whole(), &Values::Summary(summary.clone()))?;
        }
        Ok(())
    }

    pub(super) fn encode(&self) -> Result<Vec<u8>, StoreError> {
        let corrupt =
            |error: &dyn std::fmt::Display| StoreError::Corrupt(format!("window: {error}"));
        let plain = postcard::to_allocvec(self).map_err(|e| corrupt(&e))?;
        if plain.len() < COMPRESS_FROM {
            return Ok([&[0], plain.as_slice()].concat());
        }
        let packed = COMPRESSOR
            .with_borrow_mut(|compressor| compressor.as_mut().map(|it| it.compress(&plain)))
            .ok_or_else(|| corrupt(&"no memory to compress"))?
            .map_err(|e| corrupt(&e))?;
        Ok([&[1], packed.as_slice()].concat())
    }

    pub(super) fn decode(row: &[u8]) -> Result<WindowBody, StoreError> {
        let corrupt =
            |error: &dyn std::fmt::Display| StoreError::Corrupt(format!("window: {error}"));
        match row.split_first() {
            Some((0, plain)) => postcard::from_bytes(plain).map_err(|e| corrupt(&e)),
            Some((1, packed)) => {
                let plain = unpacked(packed).map_err(|e| corrupt(&e))?;
                postcard::from_bytes(&plain).map_err(|e| corrupt(&e))
            }
            _ => Err(corrupt(&"unknown encoding")),
        }
    }
}

thread_local! {
    // To make a context costs more than to use it on a window. In gaps and counts there is hardly anything to find twice:
    // levels up to 9 take up to six times as long for 2 % at best.
    static COMPRESSOR: RefCell<Option<Compressor<'static>>> = RefCell::new(Compressor::new(1).ok());
    static DECOMPRESSOR: RefCell<Option<Decompressor<'static>>> = RefCell::new(Decompressor::new().ok());
}

fn unpacked(packed: &[u8]) -> std::io::Result<Vec<u8>> {
    let bytes = zstd::zstd_safe::get_frame_content_size(packed)
        .ok()
        .flatten()
        .and_then(|bytes| usize::try_from(bytes).ok());
    DECOMPRESSOR.with_borrow_mut(|decompressor| match (decompressor, bytes) {
        (Some(decompressor), Some(bytes)) => decompressor.decompress(packed, bytes),
        // Earlier ones do not say how long they are.
        _ => zstd::stream::decode_all(packed),
    })
}

pub(super) fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => None,
        n if n % 2 == 1 => Some(sorted[n / 2]),
        n => Some((sorted[n / 2 - 1] + sorted[n / 2]) / 2.0),
    }
}
