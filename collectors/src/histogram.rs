//! A sparse HDR histogram with three significant digits.

/// Counts per HDR bucket, sorted, only buckets that hold something.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Histogram {
    counts: Vec<(u32, u64)>,
}

impl Histogram {
    /// How many values were recorded.
    pub fn count(&self) -> u64 {
        self.counts.iter().map(|(_, n)| n).sum()
    }
}
