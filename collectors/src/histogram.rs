//! A sparse, mergeable HDR histogram with three significant digits.
//!
//! The bucket layout is HdrHistogram's for a lowest discernible value of 1 and three digits (2,048 sub-buckets): values
//! below 2,048 are kept exactly, larger ones in buckets no wider than a 1,024th of their lower edge. Only buckets that
//! hold something are stored, so a window costs what its spread costs and merging is linear in the stored pairs.
//! See G. Tene, HdrHistogram; the encoding to and from its V2 format is in [`v2`].

use serde::{Deserialize, Serialize};

pub mod v2;

/// The largest value that can be recorded, 2^62 (53 days in picoseconds, 146 years in nanoseconds).
pub const MAX_VALUE: u64 = 1 << 62;

/// Buckets per power of two: half of the 2,048 sub-buckets that three significant digits ask for.
const HALF: u32 = 1024;
const HALF_MAGNITUDE: u32 = 10;
const SUB_BUCKET_MASK: u64 = 2 * HALF as u64 - 1;

/// The index of the bucket that holds [`MAX_VALUE`].
pub const MAX_INDEX: u32 = index_of(MAX_VALUE);

/// Why something could not be recorded; the histogram is unchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HistogramError {
    /// The value is above [`MAX_VALUE`]: count it apart.
    #[error("the value {0} lies beyond 2^62, the largest that a histogram holds")]
    ValueOutOfRange(u64),
    /// The total count would pass 2^64 - 1.
    #[error("the total count would pass 2^64 - 1")]
    CountOverflow,
    /// Stored pairs must be ascending by index, without zero counts, within the layout.
    #[error("the pair number {0} is out of order, empty, or beyond the layout")]
    BadPair(usize),
}

/// Values that room is made for before any of them is seen.
const ROOM: usize = 65_536;

/// Counts per HDR bucket, sorted, only buckets that hold something.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "Vec<(u32, u64)>", into = "Vec<(u32, u64)>")]
pub struct Histogram {
    counts: Vec<(u32, u64)>,
    total: u64,
}

impl Histogram {
    /// An empty histogram.
    pub fn new() -> Self {
        Self::default()
    }

    /// Records one value in base units, 0 to [`MAX_VALUE`].
    pub fn record(&mut self, value: u64) -> Result<(), HistogramError> {
        self.record_n(value, 1)
    }

    /// Records `n` equal values; nothing happens where `n` is 0.
    pub fn record_n(&mut self, value: u64, n: u64) -> Result<(), HistogramError> {
        if value > MAX_VALUE {
            return Err(HistogramError::ValueOutOfRange(value));
        }
        if n == 0 {
            return Ok(());
        }
        self.total = self
            .total
            .checked_add(n)
            .ok_or(HistogramError::CountOverflow)?;
        let index = index_of(value);
        match self.counts.binary_search_by_key(&index, |&(i, _)| i) {
            // No single count passes the total, which was checked above.
            Ok(at) => self.counts[at].1 += n,
            Err(at) => self.counts.insert(at, (index, n)),
        }
        Ok(())
    }

    /// A histogram of all values at once, for thousands of values: their bucket indexes are counted in a table over the
    /// range that they span, or sorted where they lie too far apart for that.
    pub fn from_values(values: impl IntoIterator<Item = u64>) -> Result<Self, HistogramError> {
        let values = values.into_iter();
        let (least, most) = values.size_hint();
        let mut indexes = Vec::with_capacity(most.unwrap_or(least).min(ROOM));
        for value in values {
            if value > MAX_VALUE {
                return Err(HistogramError::ValueOutOfRange(value));
            }
            indexes.push(index_of(value));
        }
        let lowest = indexes.iter().copied().min().unwrap_or(0);
        let span = (indexes.iter().copied().max().unwrap_or(0) - lowest) as usize + 1;
        let mut counts: Vec<(u32, u64)> = Vec::new();
        if span <= indexes.len() {
            let mut table = vec![0u64; span];
            for &index in &indexes {
                table[(index - lowest) as usize] += 1;
            }
            let held = (lowest..).zip(table).filter(|&(_, n)| n > 0);
            counts.extend(held);
        } else {
            indexes.sort_unstable();
            for &index in &indexes {
                match counts.last_mut() {
                    Some(last) if last.0 == index => last.1 += 1,
                    _ => counts.push((index, 1)),
                }
            }
        }
        counts.shrink_to_fit();
        Ok(Histogram {
            counts,
            total: indexes.len() as u64,
        })
    }

    /// Adds all that `other` holds; linear in the stored pairs of both.
    pub fn merge(&mut self, other: &Histogram) -> Result<(), HistogramError> {
        let total = self.total.checked_add(other.total);
        self.total = total.ok_or(HistogramError::CountOverflow)?;
        self.add(&other.counts);
        Ok(())
    }

    /// Adds stored pairs, as [`Self::pairs`] gives them, and answers how many values they are; refuses what it cannot have
    /// given, and then adds nothing.
    pub fn merge_pairs(&mut self, pairs: &[(u32, u64)]) -> Result<u64, HistogramError> {
        let count = counted(pairs)?;
        let total = self.total.checked_add(count);
        self.total = total.ok_or(HistogramError::CountOverflow)?;
        self.add(pairs);
        Ok(count)
    }

    /// Adds pairs whose counts are in the total already. Histograms of one series mostly hold the same buckets: those are
    /// added to where they stand, and room is made for the others alone.
    fn add(&mut self, pairs: &[(u32, u64)]) {
        if self.counts.is_empty() {
            self.counts = pairs.to_vec();
            return;
        }
        let mut others = Vec::new();
        let mut at = 0;
        for &(index, n) in pairs {
            while self.counts.get(at).is_some_and(|&(own, _)| own < index) {
                at += 1;
            }
            match self.counts.get_mut(at) {
                // No single count passes the total.
                Some((own, count)) if *own == index => *count += n,
                _ => others.push((index, n)),
            }
        }
        if others.is_empty() {
            return;
        }
        let mut merged = Vec::with_capacity(self.counts.len() + others.len());
        let mut own = self.counts.iter().copied().peekable();
        for other in others {
            while let Some(pair) = own.next_if(|&(index, _)| index < other.0) {
                merged.push(pair);
            }
            merged.push(other);
        }
        merged.extend(own);
        self.counts = merged;
    }

    /// How many values were recorded.
    pub fn count(&self) -> u64 {
        self.total
    }

    /// Whether nothing was recorded.
    pub fn is_empty(&self) -> bool {
        self.total == 0
    }

    /// Lower edge of the lowest bucket that holds a value.
    pub fn lowest(&self) -> Option<u64> {
        self.counts.first().map(|&(index, _)| lower_edge(index))
    }

    /// Upper edge, inclusive, of the highest bucket that holds a value.
    pub fn highest(&self) -> Option<u64> {
        self.counts.last().map(|&(index, _)| upper_edge(index))
    }

    /// The value at a rank from 1 to the count (the `rank`th smallest), or `None` outside of that.
    ///
    /// The `c` values of a bucket are taken to lie evenly over its width, each in the middle of its share: the `k`th of
    /// them at `lower - 1/2 + width · (k - 1/2) / c`. A bucket of width 1 gives its integer exactly.
    pub fn value_at_rank(&self, rank: u64) -> Option<f64> {
        if rank == 0 {
            return None;
        }
        let mut before = 0;
        for &(index, count) in &self.counts {
            if rank - before <= count {
                return Some(within(index, count, rank - before));
            }
            before += count;
        }
        None
    }

    /// The quantile `q` (0 to 1) by nearest rank, `ceil(q · n)`, placed inside its bucket by [`Self::value_at_rank`].
    pub fn quantile(&self, q: f64) -> Option<f64> {
        self.value_at_rank(nearest_rank(q, self.total))
    }

    /// How many values lie in buckets whose upper edge is at or below `value`'s bucket's.
    pub fn count_at_or_below(&self, value: u64) -> u64 {
        let index = index_of(value.min(MAX_VALUE));
        self.counts
            .iter()
            .take_while(|&&(i, _)| i <= index)
            .map(|&(_, n)| n)
            .sum()
    }

    /// The mean in base units, each bucket counted at its middle.
    pub fn mean(&self) -> Option<f64> {
        let sum: f64 = self
            .counts
            .iter()
            .map(|&(index, n)| middle(index) * n as f64)
            .sum();
        (self.total > 0).then(|| sum / self.total as f64)
    }

    /// The standard deviation of the recorded values themselves (divisor n), each bucket counted at its middle.
    pub fn stddev(&self) -> Option<f64> {
        let mean = self.mean()?;
        let squares: f64 = self
            .counts
            .iter()
            .map(|&(index, n)| (middle(index) - mean).powi(2) * n as f64)
            .sum();
        Some((squares / self.total as f64).sqrt())
    }

    /// The buckets that hold something, ascending: lower edge, upper edge (inclusive), count.
    pub fn buckets(&self) -> impl Iterator<Item = (u64, u64, u64)> + '_ {
        self.counts
            .iter()
            .map(|&(index, n)| (lower_edge(index), upper_edge(index), n))
    }

    /// The stored pairs of bucket index and count, ascending: what a compact encoding keeps.
    pub fn pairs(&self) -> &[(u32, u64)] {
        &self.counts
    }

    /// [`Self::pairs`], without a copy.
    pub fn into_pairs(self) -> Vec<(u32, u64)> {
        self.counts
    }

    /// A histogram of stored pairs; refuses what [`Self::pairs`] cannot have given.
    pub fn from_pairs(counts: Vec<(u32, u64)>) -> Result<Self, HistogramError> {
        let total = counted(&counts)?;
        Ok(Histogram { counts, total })
    }
}

/// How many values stored pairs hold; refuses what [`Histogram::pairs`] cannot have given.
fn counted(pairs: &[(u32, u64)]) -> Result<u64, HistogramError> {
    let mut total: u64 = 0;
    let mut next = 0;
    for (at, &(index, n)) in pairs.iter().enumerate() {
        if index < next || index > MAX_INDEX || n == 0 {
            return Err(HistogramError::BadPair(at));
        }
        next = index + 1;
        total = total.checked_add(n).ok_or(HistogramError::CountOverflow)?;
    }
    Ok(total)
}

impl TryFrom<Vec<(u32, u64)>> for Histogram {
    type Error = HistogramError;

    fn try_from(pairs: Vec<(u32, u64)>) -> Result<Self, Self::Error> {
        Histogram::from_pairs(pairs)
    }
}

impl From<Histogram> for Vec<(u32, u64)> {
    fn from(histogram: Histogram) -> Self {
        histogram.counts
    }
}

/// The rank of quantile `q` among `n` values: `ceil(q · n)`, from 1 to `n`; 0 where there are none.
pub fn nearest_rank(q: f64, n: u64) -> u64 {
    // The product may miss the integer that was meant by its own rounding error (0.07 · 100 gives 7.000000000000001).
    let exact = q * n as f64;
    let rank = (exact * (1.0 - 4.0 * f64::EPSILON)).ceil();
    (rank as u64).max(1).min(n)
}

/// The index of the bucket that holds `value`.
const fn index_of(value: u64) -> u32 {
    let bucket = (64 - HALF_MAGNITUDE - 1) - (value | SUB_BUCKET_MASK).leading_zeros();
    bucket * HALF + (value >> bucket) as u32
}

/// How far a bucket's width is above 1, as a power of two.
const fn shift_of(index: u32) -> u32 {
    if index < 2 * HALF {
        0
    } else {
        index / HALF - 1
    }
}

const fn lower_edge(index: u32) -> u64 {
    let shift = shift_of(index);
    ((index - shift * HALF) as u64) << shift
}

const fn upper_edge(index: u32) -> u64 {
    lower_edge(index) + ((1 << shift_of(index)) - 1)
}

fn middle(index: u32) -> f64 {
    (lower_edge(index) as f64 + upper_edge(index) as f64) / 2.0
}

fn within(index: u32, count: u64, position: u64) -> f64 {
    let shift = shift_of(index);
    if shift == 0 {
        return lower_edge(index) as f64;
    }
    let width = (1u64 << shift) as f64;
    lower_edge(index) as f64 - 0.5 + width * (position as f64 - 0.5) / count as f64
}

#[cfg(test)]
#[path = "histogram/tests.rs"]
mod tests;
