//! Exponential histograms as buckets with edges: bucket `i` of a side covers `(base^i, base^(i+1)]` where
//! `base = 2^(2^-scale)`, so that halving the resolution merges two neighbours exactly.

use super::message::{ExponentialPoint, Side};

/// Buckets that one side may have; more are merged by lowering the scale.
const SIDE_BUCKETS: i64 = 320;
/// Scales that we compute edges for; below, two neighbouring edges are further apart than floats reach.
const SCALES: std::ops::RangeInclusive<i32> = -10..=20;

/// `(lower edge, upper edge, count)`.
type Bucket = (f64, f64, u64);

/// Edges and counts (one more than edges), ascending. Errs with the reason where they cannot be told.
pub(super) fn explicit(point: &ExponentialPoint) -> Result<(Vec<f64>, Vec<u64>), &'static str> {
    if point.scale < *SCALES.start() {
        return Err("the scale is below -10: its buckets say nothing");
    }
    let threshold = point.zero_threshold;
    if !threshold.is_finite() || threshold < 0.0 {
        return Err("the threshold of zero is no length");
    }
    let sides = [&point.positive, &point.negative]
        .map(|side| side.as_ref().map(filled).unwrap_or_default());
    let scale = common_scale(point.scale, &sides)?;
    let [positive, negative] = sides.map(|side| edges(&side, point.scale, scale));
    let mut all: Vec<Bucket> = negative
        .iter()
        .rev()
        .map(|&(low, high, n)| (-high, -low, n))
        .collect();
    if point.zero_count > 0 {
        all.push((-threshold, threshold, point.zero_count));
    }
    all.extend(positive);
    Ok(joined(&all))
}

/// Buckets that hold something, with their index.
fn filled(side: &Side) -> Vec<(i64, u64)> {
    let indexed = (i64::from(side.offset)..).zip(side.bucket_counts.iter().copied());
    indexed.filter(|&(_, n)| n > 0).collect()
}

/// The highest scale from `scale` down at which both sides are small enough.
fn common_scale(scale: i32, sides: &[Vec<(i64, u64)>; 2]) -> Result<i32, &'static str> {
    let fits = |side: &Vec<(i64, u64)>, shift: i32| match (side.first(), side.last()) {
        (Some((first, _)), Some((last, _))) => (last >> shift) - (first >> shift) < SIDE_BUCKETS,
        _ => true,
    };
    let mut lower = (*SCALES.start()..=scale.min(*SCALES.end())).rev();
    lower
        .find(|to| {
            let shift = scale.saturating_sub(*to).min(63);
            sides.iter().all(|side| fits(side, shift))
        })
        .ok_or("its buckets reach further than numbers do")
}

/// Buckets with their edges after merging from scale `from` down to `to`.
fn edges(side: &[(i64, u64)], from: i32, to: i32) -> Vec<Bucket> {
    let shift = from.saturating_sub(to).min(63);
    let mut merged: Vec<(i64, u64)> = Vec::new();
    for &(index, n) in side {
        let index = index >> shift;
        match merged.last_mut() {
            Some(last) if last.0 == index => last.1 = last.1.saturating_add(n),
            _ => merged.push((index, n)),
        }
    }
    let edge = |index: i64| (index as f64 * (-f64::from(to)).exp2()).exp2();
    merged
        .into_iter()
        .map(|(index, n)| (edge(index), edge(index + 1), n))
        .collect()
}

/// One row of buckets out of ascending ones that may have gaps. What lies beyond the largest float is open above.
fn joined(all: &[Bucket]) -> (Vec<f64>, Vec<u64>) {
    let (mut bounds, mut counts): (Vec<f64>, Vec<u64>) = (Vec::new(), Vec::new());
    let mut open = 0_u64;
    for &(low, high, n) in all {
        let lowest = bounds.last().copied().unwrap_or(f64::NEG_INFINITY);
        if low.is_finite() && low > lowest && low < high {
            bounds.push(low);
            counts.push(std::mem::take(&mut open));
        }
        let lowest = bounds.last().copied().unwrap_or(f64::NEG_INFINITY);
        open = open.saturating_add(n);
        if high.is_finite() && high > lowest {
            bounds.push(high);
            counts.push(std::mem::take(&mut open));
        } else if high == lowest
            && let Some(last) = counts.last_mut()
        {
            *last = last.saturating_add(std::mem::take(&mut open));
        }
    }
    counts.push(open);
    (bounds, counts)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn side(offset: i32, bucket_counts: Vec<u64>) -> Option<Side> {
        Some(Side {
            offset,
            bucket_counts,
        })
    }

    #[test]
    fn edges_are_powers_of_the_base_on_both_sides_of_zero() {
        let point = ExponentialPoint {
            scale: 0,
            zero_count: 3,
            positive: side(1, vec![0, 2, 0, 1]),
            negative: side(0, vec![5]),
            ..ExponentialPoint::default()
        };
        let (bounds, counts) = explicit(&point).unwrap();
        assert_eq!(bounds, [-2.0, -1.0, 0.0, 4.0, 8.0, 16.0, 32.0]);
        assert_eq!(counts, [0, 5, 3, 0, 2, 0, 1, 0]);
    }

    #[test]
    fn too_many_buckets_are_merged_by_lowering_the_scale() {
        let point = ExponentialPoint {
            scale: 21,
            positive: side(-641, vec![1; 1282]),
            ..ExponentialPoint::default()
        };
        let (bounds, counts) = explicit(&point).unwrap();
        assert!(bounds.len() <= 322, "{}", bounds.len());
        assert_eq!(counts.iter().sum::<u64>(), 1282);
        assert!(bounds.is_sorted());
        assert!(bounds.contains(&1.0), "a power of the base stays an edge");
    }

    #[test]
    fn what_floats_cannot_reach_is_open_or_refused() {
        let at = |scale, offset| ExponentialPoint {
            scale,
            positive: side(offset, vec![1, 1]),
            ..ExponentialPoint::default()
        };
        let (bounds, counts) = explicit(&at(0, 1022)).unwrap();
        assert_eq!((bounds.len(), counts), (2, vec![0, 1, 1]));
        assert!(explicit(&at(-11, 0)).is_err());
        let (bounds, counts) = explicit(&at(20, i32::MAX)).unwrap();
        assert!(bounds.iter().all(|b| b.is_finite()));
        assert_eq!(counts.iter().sum::<u64>(), 2);
    }
}
