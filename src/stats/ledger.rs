//! Who spent it: each release's signed share of a change since a reference, adding up to the whole.
//!
//! Source: telescoping sums; every entry is a linear combination of the releases' independent values, so its variance
//! follows exactly (Gauss 1823); Šidák (1967) over the releases that are tried alone. A share is the
//! `jump` at its release, so that one within a bleed is not charged with the bleed. Assumes that a release's standard
//! error counts the noise between runs. Smallest sample: two releases. Cannot split what came within one release, nor
//! say which of several releases made a change that none of them shows alone: those share one entry. Who is picked for standing out
//! is told too large, by up to half its range, as whatever is picked for its size is; the range allows for it.

use serde::{Deserialize, Serialize};

use super::jump::{Jump, Level};
use super::tails::normal_quantile;
use super::{Estimate, Interval};

/// Releases that are named together: a step's is one where it is sure which, a bleed's are all from onset to end.
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
    /// What the releases between those that are named added: each stretch of them together, in their order, since none of
    /// them shows its share alone. With the shares they add up to the total, to the last digit.
    pub together: Vec<Share>,
    /// What all of these added.
    pub others: Interval,
    /// How many releases that is.
    pub others_count: usize,
}

/// The ledger of `values`, one estimate a release in release order, the reference first. `proven` are the steps that were
/// found in this stretch, each with all releases that may have made it (others are looked for release by release); a single
/// release whose share may as well be nought is not named all the same. `bleeds` are from onset to end: their releases are
/// named alone where they show it, and else stand together. None below two releases.
pub fn ledger(
    values: &[Estimate],
    proven: &[Span],
    bleeds: &[Span],
    confidence: f64,
) -> Option<Ledger> {
    if values.len() < 2 {
        return None;
    }
    let z = normal_quantile(0.5 + confidence / 2.0);
    let proven = borne_out(values, proven, z);
    let z_tried = family_wise(confidence, values.len() - 1);
    let spans = with_single_releases(values, &proven, z, z_tried);
    let n = values.len();
    let (reference, newest) = (Level::at(n, 0), Level::at(n, n - 1));
    let whole = Span {
        first: 1,
        last: n - 1,
    };
    let mut rest = Jump::between(values, &reference, &newest, whole);
    let total = rest.interval(values, z);
    let mut named = Vec::new();
    for (span, jump) in spans.iter().zip(&jumps(values, &spans)) {
        rest.subtract(jump);
        // Who was picked for standing out among all needs the range that holds for all: luck helped to be picked.
        let z = if proven.contains(span) { z } else { z_tried };
        named.push(Share {
            span: *span,
            change: jump.interval(values, z),
        });
    }
    let mut together = stretches_between(values, &spans, bleeds, z);
    let mut others = rest.interval(values, z);
    let total = made_exact(total, &mut named, &mut together);
    others.value = together.iter().map(|share| share.change.value).sum();
    named.sort_by(|a, b| {
        b.change
            .value
            .abs()
            .total_cmp(&a.change.value.abs())
            .then(a.span.cmp(&b.span))
    });
    let releases: usize = spans.iter().map(|s| s.last - s.first + 1).sum();
    Some(Ledger {
        total,
        shares: named,
        together,
        others,
        others_count: n - 1 - releases,
    })
}

/// Where a stretch of releases begins or ends: the release whose level counts there.
struct Edge {
    release: usize,
    level: Level,
}

/// What each stretch of releases between the spans added, from the level after the one to the level before the next; where
/// a bleed begins or ends, another stretch does.
fn stretches_between(values: &[Estimate], spans: &[Span], bleeds: &[Span], z: f64) -> Vec<Share> {
    let n = values.len();
    let mut found = Vec::new();
    for i in 0..=spans.len() {
        let before = i.checked_sub(1).map(|p| spans[p].last);
        let next = spans.get(i).map(|span| span.first);
        let (from, to) = (before.unwrap_or(0), next.unwrap_or(n));
        let mut edges = vec![Edge {
            release: from,
            level: before.map_or_else(|| Level::at(n, 0), |last| Level::after(n, last, to)),
        }];
        let mut cuts: Vec<(usize, bool)> = bleeds
            .iter()
            .flat_map(|bleed| [(bleed.first.saturating_sub(1), true), (bleed.last, false)])
            .filter(|(release, _)| from < *release && release + 1 < to)
            .collect();
        cuts.sort_unstable();
        cuts.dedup_by_key(|(release, _)| *release);
        for (i, (release, is_onset)) in cuts.iter().enumerate() {
            // The level beside a climb is known from where it does not climb.
            let level = if *is_onset {
                let last = i.checked_sub(1).map_or(from, |p| cuts[p].0);
                Level::before(n, last, release + 1)
            } else {
                Level::after(n, *release, cuts.get(i + 1).map_or(to, |next| next.0 + 1))
            };
            edges.push(Edge {
                release: *release,
                level,
            });
        }
        edges.push(Edge {
            release: to - 1,
            level: next.map_or_else(
                || Level::at(n, n - 1),
                |first| Level::before(n, from, first),
            ),
        });
        for pair in edges
            .windows(2)
            .filter(|pair| pair[0].release < pair[1].release)
        {
            let span = Span {
                first: pair[0].release + 1,
                last: pair[1].release,
            };
            let change = Jump::between(values, &pair[0].level, &pair[1].level, span);
            found.push(Share {
                span,
                change: change.interval(values, z),
            });
        }
    }
    found
}

/// The least difference that a ledger makes, in base units: a power of two, of which sums have no rounding, and so many
/// binary digits below the largest part.
const LEAST: f64 = 1.0 / 1_024.0;
const DIGITS: f64 = 48.0;

/// Rounds the parts so that they add up to the total to the last digit.
fn made_exact(total: Interval, named: &mut [Share], together: &mut [Share]) -> Interval {
    let parts: Vec<f64> = named
        .iter()
        .chain(&*together)
        .map(|share| share.change.value)
        .collect();
    let largest = parts
        .iter()
        .fold(f64::MIN_POSITIVE, |most, part| most.max(part.abs()));
    let exact = rounded(&parts, LEAST.max((largest.log2().ceil() - DIGITS).exp2()));
    let sum = exact.iter().sum();
    for (share, value) in named.iter_mut().chain(together).zip(exact) {
        share.change.value = value;
    }
    Interval {
        value: sum,
        ..total
    }
}

/// The standard deviations that one of so many normal variables exceeds by chance this rarely (Šidák 1967).
fn family_wise(confidence: f64, tried: usize) -> f64 {
    normal_quantile(0.5 + confidence.powf(1.0 / tried as f64) / 2.0)
}

/// The proven spans that lie within the values, less single releases whose share may be nought; where two meet, the
/// shorter one is as it is, and the other is what is left of it.
fn borne_out(values: &[Estimate], proven: &[Span], z: f64) -> Vec<Span> {
    let within = |s: &&Span| s.first >= 1 && s.first <= s.last && s.last < values.len();
    let mut sorted: Vec<Span> = proven.iter().filter(within).copied().collect();
    sorted.sort_by_key(|s| (s.last - s.first, s.first));
    let mut spans: Vec<Span> = Vec::new();
    for span in sorted {
        let mut left = vec![span];
        for known in &spans {
            left = left
                .into_iter()
                .flat_map(|part| without(part, *known))
                .collect();
        }
        spans.extend(left);
    }
    spans.sort();
    while let Some(weakest) = least_proven(values, &spans, &jumps(values, &spans), z) {
        spans.remove(weakest);
    }
    spans
}

/// What is left of a span when another's releases are taken out.
fn without(span: Span, other: Span) -> Vec<Span> {
    if other.last < span.first || span.last < other.first {
        return vec![span];
    }
    let before = Span {
        first: span.first,
        last: other.first - 1,
    };
    let after = Span {
        first: other.last + 1,
        last: span.last,
    };
    let is_left = |part: &Span| part.first <= part.last;
    [before, after].into_iter().filter(is_left).collect()
}

/// The spans, and single releases away from them that stand out among all that are tried: the clearest first, since it
/// colours what its neighbours show.
fn with_single_releases(values: &[Estimate], proven: &[Span], z: f64, z_tried: f64) -> Vec<Span> {
    let mut spans = proven.to_vec();
    let by_itself = |i: usize| {
        (values[i].value - values[i - 1].value).abs() > z * values[i].se.hypot(values[i - 1].se)
    };
    let beside_proven = |i: usize| proven.iter().any(|s| i + 1 >= s.first && i <= s.last + 1);
    let tried: Vec<usize> = (1..values.len())
        .filter(|i| by_itself(*i) && !beside_proven(*i))
        .collect();
    loop {
        let clearest = tried
            .iter()
            .filter(|i| spans.iter().all(|s| s.first != **i))
            .map(|i| {
                let after = spans.partition_point(|s| s.first < *i);
                let from = after.checked_sub(1).map_or(0, |p| spans[p].last);
                let to = spans.get(after).map_or(values.len(), |next| next.first);
                let span = Span {
                    first: *i,
                    last: *i,
                };
                (
                    after,
                    span,
                    Jump::of(values, from, span, to).strength(values),
                )
            })
            .max_by(|a, b| a.2.total_cmp(&b.2));
        match clearest {
            Some((place, span, strength)) if strength > z_tried => spans.insert(place, span),
            _ => return spans,
        }
    }
}

/// The single release whose share is the likeliest to be nought, if its range holds nought.
fn least_proven(values: &[Estimate], spans: &[Span], jumps: &[Jump], z: f64) -> Option<usize> {
    let strength = |i: usize| jumps[i].strength(values);
    (0..spans.len())
        .filter(|i| spans[*i].first == spans[*i].last && strength(*i) < z)
        .min_by(|a, b| strength(*a).total_cmp(&strength(*b)))
}

/// The jump at each span; a side reaches to the neighbouring spans.
fn jumps(values: &[Estimate], spans: &[Span]) -> Vec<Jump> {
    let sides = |i: usize| {
        let from = i.checked_sub(1).map_or(0, |p| spans[p].last);
        let to = spans.get(i + 1).map_or(values.len(), |next| next.first);
        (from, to)
    };
    (0..spans.len())
        .map(|i| {
            let (from, to) = sides(i);
            Jump::of(values, from, spans[i], to)
        })
        .collect()
}

/// Rounds `parts` to multiples of `least` so that they still add up to their rounded sum: what rounding lost goes to the
/// parts that lost most (Hamilton's method).
pub fn rounded(parts: &[f64], least: f64) -> Vec<f64> {
    let scaled: Vec<f64> = parts.iter().map(|p| p / least).collect();
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
    whole.into_iter().map(|w| w * least).collect()
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
        fn shares_and_others_add_up_to_the_total(values in proptest::collection::vec(1.0..1e6_f64, 2..40), se in 0.1..1e4_f64, at in 1_usize..39, climb in 1_usize..39) {
            let span = Span { first: at.min(values.len() - 1), last: (at + 3).min(values.len() - 1) };
            let bleed = Span { first: climb, last: climb + 7 };
            let found = ledger(&estimates(&values, se), &[span], &[bleed], 0.95).unwrap();
            let parts = || found.shares.iter().chain(&found.together);
            let sum: f64 = parts().map(|s| s.change.value).sum();
            prop_assert_eq!(sum, found.total.value);
            prop_assert_eq!(parts().rev().map(|s| s.change.value).sum::<f64>(), sum);
            prop_assert!((sum - (values[values.len() - 1] - values[0])).abs() < 0.001);
            let mut covered: Vec<usize> = parts().flat_map(|s| s.span.first..=s.span.last).collect();
            covered.sort_unstable();
            prop_assert_eq!(covered, (1..values.len()).collect::<Vec<_>>());
            let named: usize = found.shares.iter().map(|s| s.span.last - s.span.first + 1).sum();
            prop_assert_eq!(named + found.others_count, values.len() - 1);
        }

        #[test]
        fn sums_hold_after_rounding(parts in proptest::collection::vec(-1e4..1e4_f64, 1..20), decimals in 0_i32..3) {
            let unit = 10_f64.powi(decimals);
            let shown = rounded(&parts, 1.0 / unit);
            let total = (parts.iter().sum::<f64>() * unit).round() / unit;
            prop_assert!((shown.iter().sum::<f64>() - total).abs() < 1e-6);
            prop_assert!(shown.iter().zip(&parts).all(|(s, p)| (s - p).abs() <= 1.0 / unit + 1e-9));
        }

        #[test]
        fn reversed_values_mirror_the_ledger(values in proptest::collection::vec(1.0..1e3_f64, 2..20)) {
            let mirrored: Vec<f64> = values.iter().map(|v| -v).collect();
            let (there, back) = (ledger(&estimates(&values, 20.0), &[], &[], 0.95).unwrap(), ledger(&estimates(&mirrored, 20.0), &[], &[], 0.95).unwrap());
            prop_assert_eq!(there.shares.len(), back.shares.len());
            prop_assert!((there.others.value + back.others.value).abs() < 0.01);
        }
    }

    #[test]
    fn the_largest_share_comes_first_and_who_stopped_it_is_credited() {
        let values = [100.0, 100.0, 112.0, 112.0, 112.0, 104.0, 104.0];
        let found = ledger(&estimates(&values, 0.5), &[], &[], 0.95).unwrap();
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
            &[],
            &[Span { first: 9, last: 22 }],
            0.95,
        )
        .unwrap();
        let bleed = found.together.iter().find(|share| share.span.first == 9);
        let bleed = bleed.expect("the bleed stands together");
        assert!(
            bleed.change.lower < 5.6 && bleed.change.upper > 5.6 && bleed.change.half_width() < 1.4,
            "{bleed:?}"
        );
        assert_eq!((bleed.span.last, found.shares.len()), (22, 0));
    }

    #[test]
    fn noise_alone_names_nobody() {
        let mut random = Seeded::new(31);
        let named: usize = (0..400)
            .map(|_| {
                let values: Vec<f64> = (0..30).map(|_| 100.0 + random.normal()).collect();
                ledger(&estimates(&values, 1.0), &[], &[], 0.95)
                    .unwrap()
                    .shares
                    .len()
                    .min(1)
            })
            .sum();
        assert!(named <= 28, "{named} of 400");
    }

    /// Releases that each add `slope`, and one that adds `extra` on top, with a standard error of 1.
    fn ramp(random: &mut Seeded, slope: f64, at: usize, extra: f64) -> Vec<Estimate> {
        (0..30)
            .map(|i| Estimate {
                value: slope * i as f64 + if i >= at { extra } else { 0.0 } + random.normal(),
                se: 1.0,
            })
            .collect()
    }

    #[test]
    fn a_pure_ramp_hardly_names_anybody_and_nobody_with_more_than_their_own() {
        let mut random = Seeded::new(12);
        let (mut named, mut wrong) = (0, 0);
        for _ in 0..300 {
            let found = ledger(&ramp(&mut random, 0.7, 0, 0.0), &[], &[], 0.95).unwrap();
            named += found.shares.len();
            let holds = |s: &&Share| s.change.lower <= 0.7 && s.change.upper >= 0.7;
            wrong += found.shares.iter().filter(|s| !holds(s)).count();
        }
        assert!(named <= 45 && wrong <= 15, "{named}, {wrong} wrong");
    }

    #[test]
    fn a_step_within_a_ramp_is_named_with_its_own_size() {
        let mut random = Seeded::new(13);
        let (mut named, mut held, mut sum) = (0, 0, 0.0);
        for _ in 0..300 {
            let values = ramp(&mut random, 0.7, 15, 6.0);
            let found = ledger(
                &values,
                &[Span {
                    first: 15,
                    last: 15,
                }],
                &[],
                0.95,
            )
            .unwrap();
            let Some(share) = found.shares.iter().find(|s| s.span.first == 15) else {
                continue;
            };
            named += 1;
            sum += share.change.value;
            held += usize::from(share.change.lower <= 6.7 && share.change.upper >= 6.7);
        }
        let mean = sum / f64::from(named);
        assert!(
            named >= 298 && (mean - 6.7).abs() < 0.2 && held >= 276,
            "{named} named, {held} held, {mean} on average"
        );
    }

    #[test]
    fn a_release_within_an_uneven_bleed_is_not_charged_with_the_bleed() {
        let bleed = [
            2180.7, 2181.5, 2224.0, 2239.6, 2235.6, 2276.9, 2269.5, 2255.7, 2268.7, 2290.4, 2315.7,
            2335.1, 2348.2, 2367.6,
        ];
        for proven in [None, Some(2), Some(5)] {
            let spans: Vec<Span> = proven
                .iter()
                .map(|i| Span {
                    first: *i,
                    last: *i,
                })
                .collect();
            let found = ledger(&estimates(&bleed, 10.0), &spans, &[], 0.95).unwrap();
            for share in &found.shares {
                let i = share.span.first;
                let own = bleed[i] - bleed[i - 1];
                assert!(
                    (share.change.value - own).abs() < 20.0 && share.change.value < 50.0,
                    "{found:?}"
                );
            }
            assert!(found.others.lower > 50.0, "{found:?}");
        }
    }

    #[test]
    fn a_proven_release_that_its_neighbours_do_not_bear_out_goes_to_the_others() {
        let flat = [100.0, 100.4, 99.8, 100.1, 100.2, 99.9, 100.0];
        let found = ledger(
            &estimates(&flat, 0.5),
            &[Span { first: 3, last: 3 }],
            &[],
            0.95,
        )
        .unwrap();
        assert_eq!((found.shares.len(), found.others_count), (0, 6));
    }

    #[test]
    fn what_is_not_named_stands_together_in_its_order() {
        let values = [100.0, 100.4, 99.9, 112.0, 112.3, 111.8, 112.1, 104.0, 104.2];
        let found = ledger(&estimates(&values, 0.5), &[], &[], 0.95).unwrap();
        let spans: Vec<(usize, usize)> = found
            .together
            .iter()
            .map(|share| (share.span.first, share.span.last))
            .collect();
        assert_eq!(spans, [(1, 2), (4, 6), (8, 8)]);
        let may_be_nought = |s: &Share| s.change.lower < 0.0 && s.change.upper > 0.0;
        assert!(found.together.iter().all(may_be_nought), "{found:?}");
    }

    #[test]
    fn a_step_within_a_bleed_stands_alone_and_the_rest_of_the_bleed_beside_it() {
        let mut random = Seeded::new(8);
        let values: Vec<f64> = (0..30_i32)
            .map(|i| {
                let step = if i >= 15 { 20.0 } else { 0.0 };
                100.0 + step + 0.4 * f64::from((i - 8).clamp(0, 14)) + 0.3 * random.normal()
            })
            .collect();
        let span = |(first, last)| Span { first, last };
        let (steps, bleeds) = ([span((15, 15))], [span((9, 22))]);
        let found = ledger(&estimates(&values, 0.5), &steps, &bleeds, 0.95).unwrap();
        let [step] = &found.shares[..] else {
            panic!("{found:?}")
        };
        assert!((step.change.value - 20.4).abs() < 1.5, "{found:?}");
        let stretches: Vec<(usize, usize, f64)> = found
            .together
            .iter()
            .map(|s| (s.span.first, s.span.last, s.change.value))
            .collect();
        let expected = [(1, 8, 0.0), (9, 14, 2.4), (16, 22, 2.8), (23, 29, 0.0)];
        assert_eq!(stretches.len(), expected.len(), "{stretches:?}");
        for (told, (first, last, change)) in stretches.iter().zip(expected) {
            assert_eq!((told.0, told.1), (first, last));
            assert!((told.2 - change).abs() < 1.5, "{stretches:?}");
        }
    }

    #[test]
    fn one_release_has_no_ledger() {
        assert_eq!(ledger(&estimates(&[1.0], 0.1), &[], &[], 0.95), None);
    }
}
