//! The mix of visitors then and now, and the change as if the same visitors had come as then.

use crate::chart::mix::{MixBar, MixStrip};
use crate::http::error::Result;
use crate::http::pages::facts::Change;
use crate::http::pages::visit::Visit;
use crate::record::mix::{Mix, as_if, mix};
use crate::record::{DAY_US, Tracked};
use crate::stats::Interval;
use crate::stats::difference::change_pct;
use crate::store::Window;
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
    let (before, after) = (mix(then.body.as_ref()?), mix(now.body.as_ref()?));
    if before.len() < 2 {
        return None;
    }
    let value = |window: &Window| window.body.as_ref()?.percentile(q).ok();
    let (base, observed) = (value(then)?, value(now)?);
    let same_visitors = as_if(&before, now.body.as_ref()?, q).ok()?;
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

/// Two bars with the same classes in the same order, the largest of then first.
fn bars(reference: &str, before: &Mix, after: &Mix) -> (MixBar, MixBar) {
    let mut classes: Vec<(&String, f64)> = before
        .iter()
        .map(|(class, share)| (class, *share))
        .collect();
    classes.sort_by(|a, b| b.1.total_cmp(&a.1));
    classes.truncate(SEGMENTS);
    let bar = |name: &str, shares: &Mix| {
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
}
