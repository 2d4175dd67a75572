//! What a finding rests on: numbers for pages and programs, and the sentence that says it.

use std::collections::BTreeMap;

use collectors::report::{Direction, Source};
use serde::{Deserialize, Serialize};

use super::mix::SameVisitors;
use crate::record::Tracked;
use crate::stats::Interval;
use crate::stats::headroom::Forecast;
use crate::wording::finding::{self, Manner, Onset};
use crate::wording::moment::Moment;
use crate::wording::names::{flow_title, metric_name, source_word};
use crate::wording::quantity::Quantity;
use crate::wording::unit::Unit;

/// A finding's evidence. Values are in the series' base unit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// The finding in one sentence.
    pub sentence: String,
    /// Why we say so, in plain words.
    pub reason: String,
    /// Metric in snake_case.
    pub metric: String,
    /// Where measured.
    pub source: Source,
    /// Dimensions that split series.
    pub labels: BTreeMap<String, String>,
    /// What base values are integers of.
    pub dimension: String,
    /// Which way is good.
    pub direction: Direction,
    /// The percentile watched, as a quantile; none for the runs' median.
    pub percentile: Option<f64>,
    /// The release with which it began.
    pub onset_release: Option<String>,
    /// The earliest and the latest release that it may have been.
    pub onset_range: Option<(String, String)>,
    /// The last release that moved the level.
    pub end_release: Option<String>,
    /// How many releases it took.
    pub releases: usize,
    /// Per cent per release, where it took several.
    pub slope_pct_per_release: Option<f64>,
    /// The change in per cent with its range.
    pub effect_pct: Option<Interval>,
    /// The level before.
    pub from: Option<f64>,
    /// The level after, or now.
    pub to: Option<Interval>,
    /// How sure, 0 to 1.
    pub confidence: Option<f64>,
    /// Runs (or days of field data) behind it.
    pub measured: usize,
    /// Samples behind it.
    pub samples: u64,
    /// The budget concerned.
    pub budget: Option<String>,
    /// Its limit.
    pub limit: Option<f64>,
    /// When the budget runs out at this pace, counted from `judged_us`.
    pub forecast: Option<Forecast>,
    /// The release that ended it, with credit.
    pub ended_by: Option<String>,
    /// When it was last judged, microseconds.
    pub judged_us: i64,
    /// New runs (or days) in a row with which it was no longer seen, however many of them were judged at once.
    #[serde(default)]
    pub missed: u32,
    /// The time of the oldest measurement that it was judged by, microseconds.
    #[serde(default)]
    pub since_us: Option<i64>,
    /// Runs (or days) behind it from its onset on.
    #[serde(default)]
    pub since_onset: usize,
    /// Whether it was us who closed it: what shows again is then open again.
    #[serde(default)]
    pub closed_by_us: bool,
    /// The change with the same visitors, of field series where several classes of them come.
    #[serde(default)]
    pub same_visitors: Option<SameVisitors>,
}

impl Evidence {
    /// The evidence of nothing yet, about a series.
    pub fn about(tracked: &Tracked, percentile: Option<f64>, now_us: i64) -> Evidence {
        Evidence {
            sentence: String::new(),
            reason: String::new(),
            metric: tracked.series.metric.clone(),
            source: tracked.series.source,
            labels: tracked.series.labels.clone(),
            dimension: tracked.series.dimension.clone(),
            direction: tracked.direction,
            percentile,
            onset_release: None,
            onset_range: None,
            end_release: None,
            releases: 0,
            slope_pct_per_release: None,
            effect_pct: None,
            from: None,
            to: None,
            confidence: None,
            measured: 0,
            samples: 0,
            budget: None,
            limit: None,
            forecast: None,
            ended_by: None,
            judged_us: now_us,
            missed: 0,
            since_us: None,
            since_onset: 0,
            closed_by_us: false,
            same_visitors: None,
        }
    }

    /// Its unit for display.
    pub fn unit(&self) -> Unit {
        Unit::from_stored(&self.dimension).unwrap_or(Unit::Millionths)
    }

    /// A value with its range as people read it.
    pub fn quantity(&self, interval: &Interval) -> Quantity {
        Quantity::new(interval.value, interval.lower, interval.upper, self.unit())
    }

    /// The size of the change as people read it.
    pub fn change(&self) -> Option<Quantity> {
        self.effect_pct
            .map(|effect| Quantity::percent(effect.value, effect.lower, effect.upper))
    }

    /// Reads what a finding stores.
    pub fn read(json: &str) -> Option<Evidence> {
        serde_json::from_str(json).ok()
    }

    /// As stored.
    pub fn to_json(&self) -> String {
        // Maps have names as keys, and JSON takes all else.
        serde_json::to_string(self).unwrap_or_else(|_| "{}".to_owned())
    }

    /// Puts the finding into one sentence, in the words of its kind.
    pub fn say(&mut self, kind: &str, flow: &str, onset_us: i64, now_us: i64) {
        let mut subject = format!("{} {}", flow_title(flow), metric_name(&self.metric));
        for value in self.labels.values() {
            subject.push_str(" on ");
            subject.push_str(value);
        }
        let manner = Manner::of(self.unit(), self.direction);
        let onset = self.onset();
        let since = Moment::new(onset_us, now_us);
        self.sentence = match (kind, self.change()) {
            ("bleed", Some(change)) => finding::bleed(
                &subject,
                manner,
                &change,
                self.releases as u64,
                &onset.release,
            ),
            ("step", Some(change)) => finding::step(&subject, manner, &change, &onset),
            ("improvement", Some(change)) => {
                finding::improvement(&subject, manner, &change, &onset, self.ended_by.as_deref())
            }
            ("breach", _) => match (&self.to, self.limit) {
                (Some(value), Some(limit)) => {
                    let limit = Quantity::exact(limit, self.unit());
                    finding::breach(&subject, &self.quantity(value), &limit, since)
                }
                _ => format!("{subject} is over its budget"),
            },
            ("missing", _) => finding::missing(
                &flow_title(flow),
                source_word(self.source),
                since,
                self.end_release.as_deref(),
            ),
            ("mix", Some(change)) => {
                let same = self.same_visitors.as_ref();
                let effect = same.map_or(Interval::exact(0.0), |same| same.effect_pct);
                let classes = same.map_or(&[][..], |same| &same.classes);
                let same = Quantity::percent(effect.value, effect.lower, effect.upper);
                finding::mix(&subject, since, classes, &change, &same)
            }
            _ => finding::epoch(&subject, since, &self.reason),
        };
        if let Some(same) = self.same_visitors.as_ref().filter(|same| !same.is_mix)
            && !same.classes.is_empty()
        {
            let only = same.classes.join("; ");
            self.sentence.push_str(&format!("; only {only} shows it"));
        }
    }

    /// Says that a budget is kept again.
    pub fn say_kept(&mut self, flow: &str) {
        let what = format!("{} {}", flow_title(flow), metric_name(&self.metric));
        self.sentence = match (&self.to, self.limit) {
            (Some(value), Some(limit)) => format!(
                "{what} is within its budget again: {} of {}",
                self.quantity(value).with_range(),
                Quantity::exact(limit, self.unit()).value()
            ),
            _ => format!("{what} is within its budget again"),
        };
    }

    fn onset(&self) -> Onset {
        Onset {
            release: self.onset_release.clone().unwrap_or_default(),
            one_of: self
                .onset_range
                .clone()
                .filter(|(first, last)| first != last),
        }
    }
}
