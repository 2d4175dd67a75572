//! Whether a change of a field series is one of the pages or only of who came: people changing phones is no regression.
//!
//! Each day's percentile is taken as if those had come who came before the change (post-stratification,
//! [`crate::stats::mix`]), and the detector is asked again. What it no longer sees, and what is less than half as large
//! then, was the visitors' doing; it is told as that, and alerts nobody. What stays is looked at class by class.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::settings;
use crate::record::mix::{Mix, as_if, mix, only};
use crate::record::{CONFIDENCE, DAY_US, Measured, Record, Tracked};
use crate::stats::difference::change_pct;
use crate::stats::judge::{Row, judge};
use crate::stats::percentile::standard_error;
use crate::stats::{Direction, Interval};
use crate::store::{Finding, Store, StoreError, Window, WindowBody};

use super::evidence::Evidence;

/// So many days before a change say who came then.
const BEFORE_DAYS: i64 = 60;
/// A change that is at least this share of itself with the same visitors is one of the pages.
const OWN_SHARE: f64 = 0.5;
/// A change with the same visitors may be seen so many days away from where it was seen.
const APART_DAYS: i64 = 10;
/// Classes with less of the visitors are not told of by name.
const LEAST_CLASS: f64 = 0.05;
/// A class whose share moved by so much is named when the visitors changed.
const MOVED: f64 = 0.02;

/// A change, looked at with the same visitors.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SameVisitors {
    /// The change in per cent as if those had come who came before.
    pub effect_pct: Interval,
    /// Whether that is too little: the visitors changed, not the pages.
    pub is_mix: bool,
    /// Where the pages changed: the classes of visitors that show it, if others do not. Where the visitors changed: the
    /// classes whose share moved most, in words.
    pub classes: Vec<String>,
}

/// A change of a field series with the same visitors; none where one class of visitors is all there is, or where too few
/// came to say.
pub(super) async fn same_visitors(
    store: &Store,
    record: &Record,
    tracked: &Tracked,
    measured: &[Measured],
    finding: &Finding,
) -> Result<Option<SameVisitors>, StoreError> {
    let evidence = Evidence::read(&finding.evidence);
    let effect = evidence.as_ref().and_then(|evidence| evidence.effect_pct);
    let (Some(q), Some(evidence), Some(effect)) = (record.watched(tracked), evidence, effect)
    else {
        return Ok(None);
    };
    let onset_us = finding.onset_us;
    let epoch = measured.iter().rfind(|m| m.time_us <= onset_us);
    let epoch = epoch.map_or(0, |at| at.epoch);
    let began_us = measured.iter().find(|m| m.epoch == epoch);
    let from_us = began_us.map_or(i64::MIN, |m| m.time_us);
    let from_us = from_us.max(onset_us - BEFORE_DAYS * DAY_US);
    let days = record.whole_days(store, tracked, from_us, i64::MAX);
    let days: Vec<Day> = days.await?;
    let end = evidence.end_release.as_deref();
    let end = end.and_then(|name| record.rank(name));
    let is_after = |(day_us, _, release): &Day| {
        // While a bleed climbs it is neither before nor after.
        *day_us >= onset_us && (evidence.releases < 2 || record.rank(release) >= end)
    };
    let before = merged(days.iter().filter(|day| day.0 < onset_us))?;
    let after = merged(days.iter().filter(|day| is_after(day)))?;
    let (Some(before), Some(after)) = (before, after) else {
        return Ok(None);
    };
    let then = mix(&before);
    let value = |body: &WindowBody| as_if(&then, body, q).ok();
    let own = value(&before)
        .zip(value(&after))
        .and_then(|(before, after)| change_pct(&before, &after));
    let Some(own) = own.filter(|_| then.len() > 1) else {
        return Ok(None);
    };
    let is_seen = is_seen(&days, value, tracked.direction, onset_us, effect.value);
    let is_mix = !is_seen && own.value * effect.value.signum() < OWN_SHARE * effect.value.abs();
    let classes = if is_mix {
        moved(&then, &mix(&after))
    } else {
        showing(&then, &before, &after, q, own.value.signum())
    };
    Ok(Some(SameVisitors {
        effect_pct: own,
        is_mix,
        classes,
    }))
}

/// A day with what was measured on it, and the release that had most of it.
type Day = (i64, Arc<Window>, String);

fn merged<'a>(mut days: impl Iterator<Item = &'a Day>) -> Result<Option<WindowBody>, StoreError> {
    let Some((_, first, _)) = days.next() else {
        return Ok(None);
    };
    let mut whole = Window::clone(first);
    for (_, window, _) in days {
        whole.merge(window)?;
    }
    Ok(whole.body)
}

/// Whether the detector sees a change of the effect's sign about the onset, in days of these values.
fn is_seen(
    days: &[Day],
    value: impl Fn(&WindowBody) -> Option<Interval>,
    direction: Direction,
    onset_us: i64,
    effect_pct: f64,
) -> bool {
    let row = |(day_us, window, release): &'_ Day| -> Option<(i64, Interval, u64, String)> {
        let value = value(window.body.as_ref()?)?;
        Some((*day_us, value, window.count, release.clone()))
    };
    let told: Vec<(i64, Interval, u64, String)> = days.iter().filter_map(row).collect();
    let rows: Vec<Row<'_>> = told
        .iter()
        .map(|(time_us, value, count, release)| Row {
            time_us: *time_us,
            release,
            value: value.value,
            count: Some(*count),
            se: Some(standard_error(value, CONFIDENCE)),
        })
        .collect();
    judge(&rows, &[], &settings(direction))
        .iter()
        .any(|change| {
            let from_us = rows[change.onset_lo].time_us - APART_DAYS * DAY_US;
            let to_us = rows[change.onset_hi.max(change.end)].time_us + APART_DAYS * DAY_US;
            (from_us..=to_us).contains(&onset_us) && change.effect_pct.value * effect_pct > 0.0
        })
}

/// The classes whose share moved most: "mobile 40 % → 60 %".
fn moved(then: &Mix, now: &Mix) -> Vec<String> {
    let share = |mix: &Mix, class: &str| mix.get(class).copied().unwrap_or(0.0);
    let mut classes: Vec<&String> = then.keys().chain(now.keys()).collect();
    classes.sort_unstable();
    classes.dedup();
    let by = |class: &str| (share(now, class) - share(then, class)).abs();
    classes.retain(|class| by(class) >= MOVED);
    classes.sort_by(|a, b| by(b).total_cmp(&by(a)));
    let words = classes.into_iter().take(2).map(|class| {
        let percent = |mix: &Mix| format!("{:.0}\u{a0}%", 100.0 * share(mix, class));
        format!("{class} {} → {}", percent(then), percent(now))
    });
    words.collect()
}

/// The classes that show a change of this sign, where at least one shows that it has none as large.
fn showing(then: &Mix, before: &WindowBody, after: &WindowBody, q: f64, sign: f64) -> Vec<String> {
    let of_class = |name: &String| {
        let value = |body: &WindowBody| only(name, body).percentile(q).ok();
        let change = change_pct(&value(before)?, &value(after)?)?;
        Some((name.clone(), change))
    };
    let large = then.iter().filter(|(_, share)| **share >= LEAST_CLASS);
    let changes: Vec<(String, Interval)> = large.filter_map(|(name, _)| of_class(name)).collect();
    let least = |change: &Interval| {
        if sign > 0.0 {
            change.lower
        } else {
            -change.upper
        }
    };
    let most = |change: &Interval| {
        if sign > 0.0 {
            change.upper
        } else {
            -change.lower
        }
    };
    let (shows, others): (Vec<_>, Vec<_>) =
        changes.iter().partition(|(_, change)| least(change) > 0.0);
    let smallest = shows.iter().map(|(_, change)| least(change));
    let smallest = smallest.fold(f64::INFINITY, f64::min);
    // One that is only too small a sample to show it says nothing.
    let is_spared = |(_, change): &&(String, Interval)| most(change) < smallest;
    if others.iter().any(is_spared) {
        shows.iter().map(|(name, _)| name.clone()).collect()
    } else {
        Vec::new()
    }
}
