#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use proptest::prelude::*;

use super::*;

/// Values over the whole range, with small, equal and huge ones common.
fn values() -> impl Strategy<Value = Vec<u64>> {
    let value = prop_oneof![
        0..3u64,
        0..5_000u64,
        0..2_000_000_000u64,
        (0..62u32).prop_map(|e| 1 << e),
        0..=MAX_VALUE
    ];
    prop::collection::vec(value, 0..300)
}

fn of(values: &[u64]) -> Histogram {
    Histogram::from_values(values.iter().copied()).unwrap()
}

#[test]
fn the_layout_is_hdr_histograms() {
    let mut oracle = hdrhistogram::Histogram::<u64>::new_with_bounds(1, MAX_VALUE, 3).unwrap();
    for e in 0..62u32 {
        for near in [0u64, 1, 2, 777, 1023, 1024] {
            let value = ((1u64 << e) + near).min(MAX_VALUE);
            oracle.record(value).unwrap();
            let index = index_of(value);
            assert_eq!(
                lower_edge(index),
                oracle.lowest_equivalent(value),
                "{value}"
            );
            assert_eq!(
                upper_edge(index),
                oracle.highest_equivalent(value),
                "{value}"
            );
        }
    }
}

#[test]
fn an_empty_histogram_has_no_statistics() {
    let empty = Histogram::new();
    assert!(empty.is_empty());
    assert_eq!(
        (
            empty.quantile(0.5),
            empty.mean(),
            empty.lowest(),
            empty.value_at_rank(1)
        ),
        (None, None, None, None)
    );
}

#[test]
fn zero_is_a_value_and_small_integers_are_exact() {
    let h = of(&[0, 0, 1, 2047]);
    assert_eq!(h.value_at_rank(1), Some(0.0));
    assert_eq!(h.value_at_rank(3), Some(1.0));
    assert_eq!(h.value_at_rank(4), Some(2047.0));
    assert_eq!(h.value_at_rank(5), None);
    assert_eq!(h.value_at_rank(0), None);
}

#[test]
fn ranks_spread_evenly_inside_a_bucket() {
    let mut h = Histogram::new();
    h.record_n(4096, 4).unwrap();
    // The bucket holds 4096 to 4099.
    let at: Vec<f64> = (1..=4).map(|rank| h.value_at_rank(rank).unwrap()).collect();
    assert_eq!(at, [4096.0, 4097.0, 4098.0, 4099.0]);
}

#[test]
fn a_value_beyond_the_range_is_refused_and_changes_nothing() {
    let mut h = of(&[5]);
    assert_eq!(
        h.record(MAX_VALUE + 1),
        Err(HistogramError::ValueOutOfRange(MAX_VALUE + 1))
    );
    assert!(Histogram::from_values([1, u64::MAX]).is_err());
    h.record(MAX_VALUE).unwrap();
    assert_eq!(h.count(), 2);
}

#[test]
fn a_total_beyond_u64_is_an_error_and_changes_nothing() {
    let mut h = Histogram::new();
    h.record_n(1, u64::MAX - 1).unwrap();
    let before = h.clone();
    assert_eq!(h.record_n(2, 2), Err(HistogramError::CountOverflow));
    assert_eq!(h.merge(&of(&[1, 2])), Err(HistogramError::CountOverflow));
    assert_eq!(h, before);
}

#[test]
fn stored_pairs_are_checked() {
    assert!(Histogram::from_pairs(vec![(1, 1), (1, 1)]).is_err());
    assert!(Histogram::from_pairs(vec![(2, 1), (1, 1)]).is_err());
    assert!(Histogram::from_pairs(vec![(1, 0)]).is_err());
    assert!(Histogram::from_pairs(vec![(MAX_INDEX + 1, 1)]).is_err());
    assert!(Histogram::from_pairs(vec![(0, u64::MAX), (1, 1)]).is_err());
    assert!(serde_json::from_str::<Histogram>("[[5,1],[4,1]]").is_err());
    assert_eq!(
        serde_json::from_str::<Histogram>("[[4,1],[5,1]]").unwrap(),
        of(&[4, 5])
    );
}

proptest! {
    #[test]
    fn merging_is_recording_everything_and_order_does_not_matter(a in values(), b in values(), c in values()) {
        let all = of(&[a.clone(), b.clone(), c.clone()].concat());
        let (a, b, c) = (of(&a), of(&b), of(&c));
        let mut left = a.clone();
        left.merge(&b).unwrap();
        left.merge(&c).unwrap();
        let mut right = c;
        right.merge(&b).unwrap();
        right.merge(&a).unwrap();
        prop_assert_eq!(&left, &all);
        prop_assert_eq!(&right, &all);
    }

    #[test]
    fn many_values_close_together_are_counted_like_few_far_apart(values in prop::collection::vec(1_000_000..1_100_000u64, 0..400)) {
        let mut one_by_one = Histogram::new();
        for &value in &values {
            one_by_one.record(value).unwrap();
        }
        prop_assert_eq!(one_by_one, of(&values));
    }

    #[test]
    fn recording_one_by_one_is_recording_at_once(values in values()) {
        let mut one_by_one = Histogram::new();
        for &value in &values {
            one_by_one.record(value).unwrap();
        }
        prop_assert_eq!(&one_by_one, &of(&values));
        prop_assert_eq!(one_by_one.count(), values.len() as u64);
        prop_assert_eq!(Histogram::from_pairs(one_by_one.pairs().to_vec()).unwrap(), one_by_one);
    }

    #[test]
    fn quantiles_are_within_a_thousandth_of_the_order_statistics(mut values in values(), q in 0.0..=1.0f64) {
        prop_assume!(!values.is_empty());
        let h = of(&values);
        values.sort_unstable();
        let exact = values[nearest_rank(q, values.len() as u64) as usize - 1] as f64;
        let got = h.quantile(q).unwrap();
        prop_assert!((got - exact).abs() <= exact * 0.001 + 1.0, "{} for {}", got, exact);
    }

    #[test]
    fn quantiles_never_fall(values in values()) {
        let h = of(&values);
        let ranked: Vec<f64> = (1..=h.count()).map(|rank| h.value_at_rank(rank).unwrap()).collect();
        prop_assert!(ranked.windows(2).all(|w| w[0] <= w[1]));
    }

    #[test]
    fn mean_and_spread_are_near_the_exact_ones(values in prop::collection::vec(0..10_000_000_000u64, 1..200)) {
        let h = of(&values);
        let n = values.len() as f64;
        let mean = values.iter().sum::<u64>() as f64 / n;
        let stddev = (values.iter().map(|&v| (v as f64 - mean).powi(2)).sum::<f64>() / n).sqrt();
        let largest = *values.iter().max().unwrap() as f64;
        prop_assert!((h.mean().unwrap() - mean).abs() <= mean * 0.001 + 1.0);
        prop_assert!((h.stddev().unwrap() - stddev).abs() <= largest * 0.001 + 1.0);
    }

    #[test]
    fn counts_up_to_a_value_match_the_oracle(values in values(), at in 0..=MAX_VALUE) {
        let mut oracle = hdrhistogram::Histogram::<u64>::new_with_bounds(1, MAX_VALUE, 3).unwrap();
        for &value in &values {
            oracle.record(value).unwrap();
        }
        let h = of(&values);
        prop_assert_eq!(h.count_at_or_below(at), oracle.count_between(0, at));
        prop_assert_eq!(h.highest().unwrap_or(0), oracle.max());
        prop_assert_eq!(h.buckets().map(|(_, _, n)| n).sum::<u64>(), oracle.len());
    }
}
