//! The four facts of a finding as people read them: since when, by how much, how sure, and when the budget runs out.

use serde::{Deserialize, Serialize};

use crate::detector::evidence::Evidence;
use crate::stats::headroom::Forecast;
use crate::store::Finding;
use crate::wording::finding::Onset;
use crate::wording::moment::{DAY_US, Moment, day_range};
use crate::wording::names::observation_noun;
use crate::wording::number::counted;
use crate::wording::quantity::Quantity;
use crate::wording::state::how_sure;

/// What a finding's owner wants to know first; what is not known is left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// "v2.23, 7 Aug or v2.21–v2.25".
    pub since: String,
    /// "+11 % [8.9, 12.3], 2.18 → 2.41 s".
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by_how_much: Option<String>,
    /// "very sure (99 %), 412 k page views".
    #[serde(skip_serializing_if = "Option::is_none")]
    pub how_sure: Option<String>,
    /// "12 Dec – 30 Jan".
    #[serde(skip_serializing_if = "Option::is_none")]
    pub budget_runs_out: Option<String>,
}

impl Facts {
    /// The facts of a finding, seen from when it was last judged.
    pub fn of(finding: &Finding, evidence: &Evidence) -> Facts {
        Facts {
            since: since(finding, evidence),
            by_how_much: by_how_much(evidence),
            how_sure: certainty(evidence),
            budget_runs_out: evidence
                .forecast
                .and_then(|forecast| runs_out(forecast, evidence.judged_us)),
        }
    }

    /// Those that are known, each under its name.
    pub fn named(&self) -> Vec<(&'static str, &str)> {
        let facts = [
            ("Since", Some(&self.since)),
            ("By how much", self.by_how_much.as_ref()),
            ("How sure", self.how_sure.as_ref()),
            ("Budget runs out", self.budget_runs_out.as_ref()),
        ];
        facts
            .into_iter()
            .filter_map(|(name, fact)| Some((name, fact?.as_str())))
            .collect()
    }
}

fn since(finding: &Finding, evidence: &Evidence) -> String {
    let day = Moment::new(finding.onset_us, evidence.judged_us).text();
    match (finding.kind.as_str(), &evidence.onset_release) {
        // What is over its limit or gone is so since a day; which release is to blame, other findings say.
        ("breach" | "missing", _) | (_, None) => day,
        (_, Some(release)) => {
            let onset = Onset {
                release: release.clone(),
                one_of: evidence
                    .onset_range
                    .clone()
                    .filter(|(first, last)| first != last),
            };
            let or = onset.alternatives();
            let space = if or.is_empty() { "" } else { " " };
            format!("{release}, {day}{space}{or}")
        }
    }
}

fn by_how_much(evidence: &Evidence) -> Option<String> {
    let level = evidence.to.map(|to| evidence.quantity(&to));
    let exact = |base: f64| Quantity::exact(base, evidence.unit());
    match (evidence.change(), evidence.from, evidence.limit) {
        (Some(change), from, _) => {
            let walk = from
                .zip(level)
                .map(|(from, to)| format!(", {}", Quantity::from_to(&exact(from), &to)));
            Some(format!("{}{}", change.change(), walk.unwrap_or_default()))
        }
        (None, _, Some(limit)) => {
            level.map(|level| format!("{} of {}", level.with_range(), exact(limit).value()))
        }
        (None, _, None) => level.map(|level| level.with_range()),
    }
}

fn certainty(evidence: &Evidence) -> Option<String> {
    let confidence = evidence.confidence?;
    // Rounded down, and never to the hundred that no evidence gives.
    let pct = ((confidence * 1_000.0).floor() / 10.0).clamp(0.0, 99.9);
    let mut sure = format!("{} ({pct}\u{a0}%)", how_sure(confidence));
    if evidence.samples > 0 {
        let noun = observation_noun(evidence.source);
        sure.push_str(", ");
        sure.push_str(&counted(evidence.samples, noun));
    }
    Some(sure)
}

fn runs_out(forecast: Forecast, judged_us: i64) -> Option<String> {
    let day = |days: f64| judged_us.saturating_add((days * DAY_US as f64) as i64);
    match forecast {
        Forecast::Passed => Some("it already has".to_owned()),
        Forecast::Between {
            early_days,
            late_days: Some(late_days),
        } => Some(day_range(day(early_days), day(late_days), judged_us)),
        Forecast::Between {
            early_days,
            late_days: None,
        } => {
            let early = day(early_days);
            Some(format!("from {} on", day_range(early, early, judged_us)))
        }
        Forecast::NotAtThisRate => Some("not at this rate".to_owned()),
    }
}

#[cfg(test)]
pub(super) mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use std::collections::BTreeMap;

    use collectors::report::{Direction, Source};

    use super::*;
    use crate::stats::Interval;
    use crate::store::{FindingState, Id};
    use crate::wording::number::NO_BREAK_SPACE;

    /// 20 November 2026, 14:10 UTC.
    const NOW_US: i64 = 1_795_183_800_000_000;

    fn interval(value: f64, lower: f64, upper: f64) -> Interval {
        Interval {
            value,
            lower,
            upper,
        }
    }

    /// A finding of this kind about a checkout, begun 105 days ago.
    pub(in crate::notifier) fn finding(kind: &str) -> Finding {
        Finding {
            id: Id::of(&["finding"]),
            series: None,
            identity: String::new(),
            kind: kind.to_owned(),
            state: FindingState::Open,
            flow: "checkout".to_owned(),
            owner: Some("payments".to_owned()),
            assignee: None,
            onset_us: NOW_US - 105 * DAY_US,
            detected_us: NOW_US,
            updated_us: NOW_US,
            snoozed_until_us: None,
            closed_us: None,
            told_pct: None,
            evidence: "{}".to_owned(),
        }
    }

    /// What such a finding rests on.
    pub(in crate::notifier) fn evidence(kind: &str) -> Evidence {
        let mut evidence = Evidence {
            sentence: String::new(),
            reason: "16 releases in a row went the same way".to_owned(),
            metric: "lcp".to_owned(),
            source: Source::Rum,
            labels: BTreeMap::from([("device".to_owned(), "mobile".to_owned())]),
            dimension: "time_ns".to_owned(),
            direction: Direction::Lower,
            percentile: Some(0.75),
            onset_release: Some("v2.23".to_owned()),
            onset_range: Some(("v2.21".to_owned(), "v2.25".to_owned())),
            end_release: Some("v2.38".to_owned()),
            releases: 16,
            slope_pct_per_release: Some(0.65),
            effect_pct: Some(interval(10.6, 8.9, 12.3)),
            from: Some(2.18e9),
            to: Some(interval(2.41e9, 2.38e9, 2.44e9)),
            confidence: Some(0.996),
            measured: 105,
            samples: 412_345,
            budget: Some("checkout-lcp".to_owned()),
            limit: Some(2.5e9),
            forecast: Some(Forecast::Between {
                early_days: 22.0,
                late_days: Some(71.0),
            }),
            ended_by: None,
            judged_us: NOW_US,
            missed: 0,
            since_us: None,
            since_onset: 0,
            closed_by_us: false,
            same_visitors: None,
        };
        evidence.say(kind, "checkout", NOW_US - 105 * DAY_US, NOW_US);
        evidence
    }

    fn named(kind: &str, evidence: &Evidence) -> Vec<(&'static str, String)> {
        Facts::of(&finding(kind), evidence)
            .named()
            .into_iter()
            .map(|(name, fact)| (name, fact.replace(NO_BREAK_SPACE, " ")))
            .collect()
    }

    fn owned(facts: &[(&'static str, &str)]) -> Vec<(&'static str, String)> {
        facts
            .iter()
            .map(|(name, fact)| (*name, (*fact).to_owned()))
            .collect()
    }

    #[test]
    fn a_bleed_has_four_facts() {
        assert_eq!(
            named("bleed", &evidence("bleed")),
            owned(&[
                ("Since", "v2.23, 7 Aug or v2.21–v2.25"),
                ("By how much", "+11 % [8.9, 12.3], 2.18 → 2.41 s"),
                ("How sure", "very sure (99.6 %), 412 k page views"),
                ("Budget runs out", "12 Dec – 30 Jan"),
            ])
        );
    }

    #[test]
    fn a_breach_says_the_value_and_its_limit() {
        let mut evidence = evidence("breach");
        evidence.effect_pct = None;
        evidence.from = None;
        evidence.forecast = None;
        evidence.confidence = Some(0.95);
        assert_eq!(
            named("breach", &evidence),
            owned(&[
                ("Since", "7 Aug"),
                ("By how much", "2.41 s [2.38, 2.44] of 2.50 s"),
                ("How sure", "sure (95 %), 412 k page views"),
            ])
        );
    }

    #[test]
    fn what_is_not_known_is_left_out() {
        let mut evidence = evidence("missing");
        evidence.effect_pct = None;
        evidence.from = None;
        evidence.to = None;
        evidence.confidence = None;
        evidence.forecast = None;
        assert_eq!(named("missing", &evidence), owned(&[("Since", "7 Aug")]));
        let stored = serde_json::to_string(&Facts::of(&finding("missing"), &evidence)).unwrap();
        let read: Facts = serde_json::from_str(&stored).unwrap();
        assert_eq!(read, Facts::of(&finding("missing"), &evidence));
    }

    #[test]
    fn an_open_end_a_passed_limit_and_no_end_have_words() {
        let says = |forecast| {
            runs_out(forecast, NOW_US)
                .unwrap()
                .replace(NO_BREAK_SPACE, " ")
        };
        assert_eq!(
            says(Forecast::Between {
                early_days: 22.0,
                late_days: None
            }),
            "from 12 Dec on"
        );
        assert_eq!(says(Forecast::Passed), "it already has");
        assert_eq!(says(Forecast::NotAtThisRate), "not at this rate");
    }

    #[test]
    fn nobody_is_a_hundred_per_cent_sure() {
        let mut evidence = evidence("step");
        evidence.confidence = Some(1.0);
        evidence.samples = 1;
        let sure = certainty(&evidence).unwrap();
        assert_eq!(
            sure.replace(NO_BREAK_SPACE, " "),
            "very sure (99.9 %), 1 page view"
        );
    }
}
