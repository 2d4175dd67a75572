//! The mix of visitors then and now, and the change as if the same visitors had come as then.

use std::collections::BTreeMap;

use crate::chart::mix::{MixBar, MixStrip};
use crate::http::error::Result;
use crate::http::pages::facts::Change;
use crate::http::pages::visit::Visit;
use crate::record::{CONFIDENCE, DAY_US, Tracked};
use crate::stats::difference::change_pct;
use crate::stats::mix::{Stratum as Weighted, reweighted};
use crate::stats::{Interval, Needs};
use crate::store::{Stratum, Window};
use crate::wording::quantity::Quantity;

use super::MixCard;

/// Segments of a bar; the rest is "other".
const SEGMENTS: usize = 4;
/// The stretch that counts as now, where no budget says otherwise.
const NOW_DAYS: i64 = 28;

/// The card, where the series is of the field, a reference is pinned, and both mixes are known.
pub(in crate::http::pages) async fn mix_card(
    visit: &Visit,
    tracked: &Tracked,
    q: Option<f64>,
) -> Result<Option<MixCard>> {
    let pinned = visit.record.config.reference_of(&tracked.flow);
    let (Some(q), Some(pinned), true) = (q, pinned, tracked.series.is_field()) else {
        return Ok(None);
    };
    let then = visit.release_window(tracked, &pinned.release).await?;
    let from_us = visit.now_us - NOW_DAYS * DAY_US;
    let now = visit
        .record
        .merged_days(&visit.store, tracked, from_us, i64::MAX)
        .await?;
    let (Some(then), Some(now)) = (then, now) else {
        return Ok(None);
    };
    Ok(card(tracked, q, &pinned.release, &then, &now))
}

fn card(
    tracked: &Tracked,
    q: f64,
    reference: &str,
    then: &Window,
    now: &Window,
) -> Option<MixCard> {
    let (before, after) = (shares(then), shares(now));
    if before.len() < 2 {
        return None;
    }
    let value = |window: &Window| window.body.as_ref()?.percentile(q).ok();
    let (base, observed) = (value(then)?, value(now)?);
    let same_visitors = as_then(&before, now, q).ok()?;
    let change = |value: &Interval| {
        let percent = change_pct(&base, value)?;
        Some(Change {
            percent: Quantity::percent(percent.value, percent.lower, percent.upper),
            manner: tracked.manner(),
        })
    };
    let (reference_bar, now_bar) = bars(reference, &before, &after);
    Some(MixCard {
        strip: MixStrip {
            id: "mix".into(),
            title: "Who came then and who comes now".into(),
            reference: reference_bar,
            now: now_bar,
        },
        observed: change(&observed)?,
        reweighted: change(&same_visitors)?,
        reference: reference.to_owned(),
    })
}

/// A class of visitors in words: "mobile, DE, navigate".
fn class(stratum: &Stratum) -> String {
    let parts = [&stratum.device, &stratum.country, &stratum.navigation];
    let known: Vec<&str> = parts
        .into_iter()
        .map(String::as_str)
        .filter(|part| !part.is_empty() && *part != "unknown")
        .collect();
    if known.is_empty() {
        "unknown".to_owned()
    } else {
        known.join(", ")
    }
}

/// How many visitors a stratum's sample stands for.
fn visitors(stratum: &Stratum, count: u64) -> f64 {
    count as f64 * 1e6 / f64::from(stratum.rate_ppm.max(1))
}

/// Each class's share of the visitors.
fn shares(window: &Window) -> BTreeMap<String, f64> {
    let mut shares: BTreeMap<String, f64> = BTreeMap::new();
    for (stratum, packed) in window.body.iter().flat_map(|body| &body.strata) {
        *shares.entry(class(stratum)).or_default() += visitors(stratum, packed.0.count());
    }
    let total: f64 = shares.values().sum();
    if total > 0.0 {
        shares.values_mut().for_each(|share| *share /= total);
    }
    shares
}

/// The percentile now, each class weighted as then; strata of one class share its weight by the visitors they stand for.
fn as_then(
    before: &BTreeMap<String, f64>,
    now: &Window,
    q: f64,
) -> std::result::Result<Interval, Needs> {
    let strata: Vec<_> = now.body.iter().flat_map(|body| &body.strata).collect();
    let mut of_class: BTreeMap<String, f64> = BTreeMap::new();
    for (stratum, packed) in &strata {
        *of_class.entry(class(stratum)).or_default() += visitors(stratum, packed.0.count());
    }
    let weighted: Vec<Weighted> = strata
        .iter()
        .filter_map(|(stratum, packed)| {
            let class = class(stratum);
            let within = visitors(stratum, packed.0.count()) / of_class.get(&class)?;
            Some(Weighted::of(before.get(&class)? * within, &packed.0))
        })
        .collect();
    reweighted(&weighted, q, CONFIDENCE).map(|found| found.interval)
}

/// Two bars with the same classes in the same order, the largest of then first.
fn bars(
    reference: &str,
    before: &BTreeMap<String, f64>,
    after: &BTreeMap<String, f64>,
) -> (MixBar, MixBar) {
    let mut classes: Vec<(&String, f64)> = before
        .iter()
        .map(|(class, share)| (class, *share))
        .collect();
    classes.sort_by(|a, b| b.1.total_cmp(&a.1));
    classes.truncate(SEGMENTS);
    let bar = |name: &str, shares: &BTreeMap<String, f64>| {
        let share = |class: &str| shares.get(class).copied().unwrap_or(0.0);
        let mut segments: Vec<(String, f64)> = classes
            .iter()
            .map(|(class, _)| ((*class).clone(), share(class)))
            .collect();
        let rest = 1.0 - segments.iter().map(|(_, share)| share).sum::<f64>();
        if rest > 0.005 {
            segments.push(("other".to_owned(), rest));
        }
        MixBar {
            name: name.to_owned(),
            segments,
        }
    };
    (bar(reference, before), bar("now", after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_hold_the_same_classes_and_the_rest_is_other() {
        let shares = |list: &[(&str, f64)]| {
            list.iter()
                .map(|(class, share)| ((*class).to_owned(), *share))
                .collect()
        };
        let before = shares(&[("a", 0.4), ("b", 0.2), ("c", 0.2), ("d", 0.1), ("e", 0.1)]);
        let after = shares(&[("a", 0.3), ("e", 0.7)]);
        let (then, now) = bars("v1", &before, &after);
        assert_eq!(then.segments.len(), 5);
        assert_eq!(then.segments[0].0, "a");
        assert_eq!(now.segments[0].1, 0.3);
        assert!((now.segments.iter().map(|(_, share)| share).sum::<f64>() - 1.0).abs() < 1e-9);
    }

    #[test]
    fn a_class_leaves_out_what_is_not_known() {
        let stratum = |country: &str| Stratum {
            rate_ppm: 1_000_000,
            device: "mobile".into(),
            country: country.into(),
            navigation: String::new(),
        };
        assert_eq!(class(&stratum("unknown")), "mobile");
        assert_eq!(class(&stratum("DE")), "mobile, DE");
    }
}
