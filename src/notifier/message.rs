//! An alert: the finding's sentence, the four facts, whose it is, and where to read on.

use std::collections::BTreeMap;
use std::fmt;

use collectors::report::Source;
use serde::{Deserialize, Serialize};

use super::facts::Facts;
use crate::detector::evidence::Evidence;
use crate::http::paths::segment;
use crate::stats::Interval;
use crate::store::{Finding, Id};
use crate::wording::moment::Moment;
use crate::wording::unit::Unit;

/// What a receiver is told, as stored in the outbox and as sent in webhooks. It shows itself as its JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// What happened to the finding: `opened`, `worse`, `ended` or `withdrawn`.
    pub event: String,
    /// The finding.
    pub finding: Id,
    /// `step`, `bleed`, `breach` or `missing`.
    pub kind: String,
    /// The finding in one sentence: the alert's subject.
    pub sentence: String,
    /// The four facts in words.
    pub facts: Facts,
    /// Why we say so, in words.
    pub reason: String,
    /// Who owns the flow.
    pub owner: Option<String>,
    /// The flow.
    pub flow: String,
    /// Where it was measured.
    pub source: Source,
    /// What was measured, in snake_case.
    pub metric: String,
    /// The series' labels.
    pub labels: BTreeMap<String, String>,
    /// The percentile watched, as a quantile; none for the median of runs.
    pub percentile: Option<f64>,
    /// The release with which it began.
    pub onset_release: Option<String>,
    /// The first and the last release that it may have been.
    pub onset_range: Option<(String, String)>,
    /// When it began, RFC 3339.
    pub onset: String,
    /// The change in per cent with its range.
    pub effect_pct: Option<Interval>,
    /// The level before, in `unit`.
    pub from: Option<f64>,
    /// The level now with its range, in `unit`.
    pub to: Option<Interval>,
    /// The budget concerned.
    pub budget: Option<String>,
    /// Its limit, in `unit`.
    pub limit: Option<f64>,
    /// `ms` for times, `bytes`, `count`, `1/s`, or `1` for values without a unit.
    pub unit: String,
    /// How sure, 0 to 1.
    pub confidence: Option<f64>,
    /// The release that ended it.
    pub ended_by: Option<String>,
    /// The finding's page.
    pub finding_url: String,
    /// The flow's page.
    pub flow_url: String,
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&serde_json::to_string(self).map_err(|_| fmt::Error)?)
    }
}

/// The alert that an event of a finding causes. `url` is the project's address, without a slash at its end.
pub fn of(finding: &Finding, evidence: &Evidence, event: &str, url: &str) -> Message {
    let (unit, base_units) = unit_of_messages(evidence.unit());
    let scaled = |base: f64| base / base_units;
    Message {
        event: event.to_owned(),
        finding: finding.id,
        kind: finding.kind.clone(),
        sentence: evidence.sentence.clone(),
        facts: Facts::of(finding, evidence),
        reason: evidence.reason.clone(),
        owner: finding.owner.clone(),
        flow: finding.flow.clone(),
        source: evidence.source,
        metric: evidence.metric.clone(),
        labels: evidence.labels.clone(),
        percentile: evidence.percentile,
        onset_release: evidence.onset_release.clone(),
        onset_range: evidence.onset_range.clone(),
        onset: Moment::new(finding.onset_us, finding.onset_us).iso(),
        effect_pct: evidence.effect_pct,
        from: evidence.from.map(scaled),
        to: evidence.to.map(|to| Interval {
            value: scaled(to.value),
            lower: scaled(to.lower),
            upper: scaled(to.upper),
        }),
        budget: evidence.budget.clone(),
        limit: evidence.limit.map(scaled),
        unit: unit.to_owned(),
        confidence: evidence.confidence,
        ended_by: evidence.ended_by.clone(),
        finding_url: format!("{url}/findings/{}", finding.id),
        flow_url: format!("{url}/flows/{}", segment(&finding.flow)),
    }
}

/// One unit for each dimension, so that programs need no table of units: its name and how many base units it holds.
fn unit_of_messages(unit: Unit) -> (&'static str, f64) {
    match unit {
        Unit::Picoseconds => ("ms", 1e9),
        Unit::Nanoseconds => ("ms", 1e6),
        Unit::Bytes => ("bytes", 1.0),
        Unit::Count => ("count", 1.0),
        Unit::Millionths => ("1", 1e6),
        Unit::MilliPerSecond => ("1/s", 1e3),
        Unit::Percent => ("%", 1.0),
    }
}

#[cfg(test)]
pub(super) mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;
    use crate::notifier::facts::tests::{evidence, finding};

    /// The alert of a bleed on a checkout.
    pub(in crate::notifier) fn bleed(event: &str) -> Message {
        let (finding, evidence) = (finding("bleed"), evidence("bleed"));
        of(
            &finding,
            &evidence,
            event,
            "https://perf.example.com/p/shop",
        )
    }

    #[test]
    fn a_message_reads_back_as_it_was_stored() {
        let message = bleed("opened");
        let stored = message.to_string();
        assert_eq!(serde_json::from_str::<Message>(&stored).unwrap(), message);
    }

    #[test]
    fn a_message_holds_what_a_program_needs() {
        let message: serde_json::Value = serde_json::from_str(&bleed("worse").to_string()).unwrap();
        insta::assert_json_snapshot!(message);
    }

    #[test]
    fn a_flow_is_one_segment_of_its_address() {
        let mut finding = finding("step");
        finding.flow = "POST /checkout?é".to_owned();
        let message = of(
            &finding,
            &evidence("step"),
            "opened",
            "https://perf.example.com/p/shop",
        );
        assert_eq!(
            message.flow_url,
            "https://perf.example.com/p/shop/flows/POST%20%2Fcheckout%3F%C3%A9"
        );
    }

    #[test]
    fn benchmark_and_field_times_share_a_unit() {
        let mut evidence = evidence("step");
        evidence.dimension = "time_ps".to_owned();
        evidence.from = Some(4.68e10);
        let message = of(&finding("step"), &evidence, "opened", "");
        assert_eq!((message.unit.as_str(), message.from), ("ms", Some(46.8)));
    }
}
