//! Who spent it: each release's signed share of a change since a reference, adding up to the whole.
//!
//! Source: telescoping sums; every entry is a linear combination of the releases' independent values, so its variance
//! follows exactly (Gauss 1823); Šidák (1967) over the releases that are tried alone. Assumes that a release's standard
//! error counts the noise between runs. Smallest sample: two releases. Cannot split what came within one release, nor
//! say which of several releases made a change that none of them shows alone: those share one entry.

use serde::{Deserialize, Serialize};

use super::tails::normal_quantile;
use super::{Estimate, Interval};

/// Releases that are named together: a step's is one, a bleed's are all from onset to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Span {
    /// The first release of the new level, at least 1.
    pub first: usize,
    /// The last release that moved it; equal to `first` for a step.
    pub last: usize,
}

/// A named share.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Share {
    /// Whose it is.
    pub span: Span,
    /// What they added, in the values' unit, with its range.
    pub change: Interval,
}

/// The account of a series since its reference.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ledger {
    /// The newest release's value minus the reference's.
    pub total: Interval,
    /// What can be named, the largest amount first.
    pub shares: Vec<Share>,
    /// What all other releases added together; with the shares it makes the total exactly.
    pub others: Interval,
    /// How many releases that is.
    pub others_count: usize,
}

/// A level is the mean of at most so many releases on its side: further ones may have drifted.
const LEVEL_RELEASES: usize = 10;

/// The ledger of `values`, one estimate a release in release order, the reference first. `proven` are the steps and
/// bleeds that were found in this stretch (others are looked for release by release). None below two releases.
pub fn ledger(values: &[Estimate], proven: &[Span], confidence: f64) -> Option<Ledger> {
    if values.len() < 2 {
        return None;
    }
    let z = normal_quantile(0.5 + confidence / 2.0);
    let spans = named_spans(values, proven, confidence);
    let mut rest = vec![0.0; values.len()];
    rest[0] -= 1.0;
    rest[values.len() - 1] += 1.0;
    let total = combination(&rest, values, z);
    let mut shares = Vec::new();
    for (i, span) in spans.iter().enumerate() {
        let from = i.checked_sub(1).map_or(0, |p| spans[p].last);
        let to = spans.get(i + 1).map_or(values.len(), |next| next.first);
        let weights = level_change(values.len(), from, *span, to);
        rest.iter_mut().zip(&weights).for_each(|(r, w)| *r -= w);
        shares.push(Share {
            span: *span,
            change: combination(&weights, values, z),
        });
    }
    shares.sort_by(|a, b| {
        b.change
            .value
            .abs()
            .total_cmp(&a.change.value.abs())
            .then(a.span.cmp(&b.span))
    });
    let named: usize = spans.iter().map(|s| s.last - s.first + 1).sum();
    Some(Ledger {
        total,
        shares,
        others: combination(&rest, values, z),
        others_count: values.len() - 1 - named,
    })
}

/// The proven spans, and single releases outside of them whose own difference stands out among all that are tried.
fn named_spans(values: &[Estimate], proven: &[Span], confidence: f64) -> Vec<Span> {
    let mut spans: Vec<Span> = proven
        .iter()
        .copied()
        .filter(|s| s.first >= 1 && s.first <= s.last && s.last < values.len())
        .collect();
    spans.sort();
    spans.dedup_by(|next, kept| next.first <= kept.last);
    let z = normal_quantile(1.0 - (1.0 - confidence.powf(1.0 / (values.len() - 1) as f64)) / 2.0);
    let alone = |i: usize| {
        (values[i].value - values[i - 1].value).abs() > z * values[i].se.hypot(values[i - 1].se)
    };
    let near = |i: usize| spans.iter().any(|s| i + 1 >= s.first && i <= s.last + 1);
    let single: Vec<Span> = (1..values.len())
        .filter(|i| !near(*i) && alone(*i))
        .map(|i| Span { first: i, last: i })
        .collect();
    spans.extend(single);
    spans.sort();
    spans
}

/// Weights of "mean of the level after minus mean of the level before"; a level reaches to the neighbouring spans.
fn level_change(n: usize, from: usize, span: Span, to: usize) -> Vec<f64> {
    let before = span.first.saturating_sub(LEVEL_RELEASES).max(from)..span.first;
    let after = span.last..to.min(span.last + LEVEL_RELEASES).max(span.last + 1);
    let mut weights = vec![0.0; n];
    let (n_before, n_after) = (before.len() as f64, after.len() as f64);
    before.for_each(|i| weights[i] -= 1.0 / n_before);
    after.for_each(|i| weights[i] += 1.0 / n_after);
    weights
}

fn combination(weights: &[f64], values: &[Estimate], z: f64) -> Interval {
    let value: f64 = weights.iter().zip(values).map(|(w, v)| w * v.value).sum();
    let half = z * weights
        .iter()
        .zip(values)
        .map(|(w, v)| (w * v.se).powi(2))
        .sum::<f64>()
        .sqrt();
    Interval {
        value,
        lower: value - half,
        upper: value + half,
    }
}

/// Rounds `parts` to `decimals` so that they still add up to their rounded sum: what rounding lost goes to the parts
/// that lost most (Hamilton's method).
pub fn rounded(parts: &[f64], decimals: u32) -> Vec<f64> {
    let unit = 10_f64.powi(decimals as i32);
    let scaled: Vec<f64> = parts.iter().map(|p| p * unit).collect();
    let mut whole: Vec<f64> = scaled.iter().map(|s| s.floor()).collect();
    let missing =
        (scaled.iter().sum::<f64>().round() - whole.iter().sum::<f64>()).max(0.0) as usize;
    let mut order: Vec<usize> = (0..parts.len()).collect();
    order.sort_by(|a, b| {
        (scaled[*b] - whole[*b])
            .total_cmp(&(scaled[*a] - whole[*a]))
            .then(a.cmp(b))
    });
    order
        .into_iter()
        .take(missing)
        .for_each(|i| whole[i] += 1.0);
    whole.into_iter().map(|w| w / unit).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::super::seeded::Seeded;
    use super::*;
    use proptest::prelude::*;

    fn estimates(values: &[f64], se: f64) -> Vec<Estimate> {
        values.iter().map(|v| Estimate { value: *v, se }).collect()
    }

    proptest! {
        #[test]
        fn shares_and_others_add_up_to_the_total(values in proptest::collection::vec(1.0..1e6_f64, 2..40), se in 0.1..1e4_f64, at in 1_usize..39) {
            let span = Span { first: at.min(values.len() - 1), last: (at + 3).min(values.len() - 1) };
            let found = ledger(&estimates(&values, se), &[span], 0.95).unwrap();
            let sum: f64 = found.shares.iter().map(|s| s.change.value).sum::<f64>() + found.others.value;
            prop_assert!((sum - found.total.value).abs() < 1e-6 * (1.0 + found.total.value.abs()));
            let named: usize = found.shares.iter().map(|s| s.span.last - s.span.first + 1).sum();
            prop_assert_eq!(named + found.others_count, values.len() - 1);
        }

        #[test]
        fn sums_hold_after_rounding(parts in proptest::collection::vec(-1e4..1e4_f64, 1..20), decimals in 0_u32..3) {
            let shown = rounded(&parts, decimals);
            let unit = 10_f64.powi(decimals as i32);
            let total = (parts.iter().sum::<f64>() * unit).round() / unit;
            prop_assert!((shown.iter().sum::<f64>() - total).abs() < 1e-6);
            prop_assert!(shown.iter().zip(&parts).all(|(s, p)| (s - p).abs() <= 1.0 / unit + 1e-9));
        }

        #[test]
        fn reversed_values_mirror_the_ledger(values in proptest::collection::vec(1.0..1e3_f64, 2..20)) {
            let mirrored: Vec<f64> = values.iter().map(|v| -v).collect();
            let (there, back) = (ledger(&estimates(&values, 20.0), &[], 0.95).unwrap(), ledger(&estimates(&mirrored, 20.0), &[], 0.95).unwrap());
            prop_assert_eq!(there.shares.len(), back.shares.len());
            prop_assert!((there.others.value + back.others.value).abs() < 1e-9);
        }
    }

    #[test]
    fn the_largest_share_comes_first_and_who_stopped_it_is_credited() {
        let values = [100.0, 100.0, 112.0, 112.0, 112.0, 104.0, 104.0];
        let found = ledger(&estimates(&values, 0.5), &[], 0.95).unwrap();
        let named: Vec<(usize, f64)> = found
            .shares
            .iter()
            .map(|s| (s.span.first, s.change.value.round()))
            .collect();
        assert_eq!(named, [(2, 12.0), (5, -8.0)]);
        assert!(found.others.lower < 0.0 && found.others.upper > 0.0);
    }

    #[test]
    fn a_bleed_is_one_entry_of_many_releases() {
        let mut random = Seeded::new(8);
        let values: Vec<f64> = (0..30_i32)
            .map(|i| 100.0 + 0.4 * f64::from((i - 8).clamp(0, 14)) + 0.5 * random.normal())
            .collect();
        let found = ledger(
            &estimates(&values, 0.5),
            &[Span { first: 9, last: 22 }],
            0.95,
        )
        .unwrap();
        let bleed = found.shares.first().expect("the bleed is named");
        assert!(
            bleed.change.lower < 5.6 && bleed.change.upper > 5.6 && bleed.change.half_width() < 1.0,
            "{bleed:?}"
        );
        assert_eq!(found.others_count, 15);
    }

    #[test]
    fn noise_alone_names_nobody() {
        let mut random = Seeded::new(31);
        let named: usize = (0..400)
            .map(|_| {
                let values: Vec<f64> = (0..30).map(|_| 100.0 + random.normal()).collect();
                ledger(&estimates(&values, 1.0), &[], 0.95)
                    .unwrap()
                    .shares
                    .len()
                    .min(1)
            })
            .sum();
        assert!(named <= 28, "{named} of 400");
    }

    #[test]
    fn one_release_has_no_ledger() {
        assert_eq!(ledger(&estimates(&[1.0], 0.1), &[], 0.95), None);
    }
}
