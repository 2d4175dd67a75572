//! A finding and its evidence as pages show them: lines, facts, the wedge of a bleed, and where it goes.

use crate::chart::trend::{BleedMark, Forecast as ForecastMark, StepMark};
use crate::detector::evidence::Evidence;
use crate::http::paths;
use crate::stats::headroom::Forecast;
use crate::store::Finding;
use crate::wording::finding::{Manner, Onset};
use crate::wording::moment::DAY_US;
use crate::wording::names::observation_noun;
use crate::wording::number::counted;
use crate::wording::quantity::Quantity;
use crate::wording::state::Kind;

use super::facts::{Change, Fact, FindingLine, RunsOut};
use super::tracked::runs_out;
use super::visit::Visit;

/// A forecast is drawn this far, whatever the chart's room.
const FORECAST_DAYS: f64 = 63.0;

/// The kind of a finding; unknown names come from a newer version and are shown as steps.
pub(super) fn kind(finding: &Finding) -> Kind {
    Kind::from_stored(&finding.kind).unwrap_or(Kind::Step)
}

/// How the metric of a finding gets worse.
pub(super) fn manner(evidence: &Evidence) -> Manner {
    Manner::of(evidence.unit(), evidence.direction)
}

/// The release with which it began, and the range that it may have been.
pub(super) fn onset(evidence: &Evidence) -> Option<Onset> {
    let release = evidence
        .onset_release
        .clone()
        .filter(|release| !release.is_empty())?;
    let one_of = evidence
        .onset_range
        .clone()
        .filter(|(first, last)| first != last);
    Some(Onset { release, one_of })
}

/// The change as an amount: level after less level before.
pub(super) fn amount(evidence: &Evidence) -> Option<Quantity> {
    let (from, to) = (evidence.from?, evidence.to?);
    let change = |base: f64| base - from;
    Some(Quantity::new(
        change(to.value),
        change(to.lower),
        change(to.upper),
        evidence.unit(),
    ))
}

/// The change in percent.
pub(super) fn change(evidence: &Evidence) -> Option<Change> {
    evidence.change().map(|percent| Change {
        percent,
        manner: manner(evidence),
    })
}

/// A finding in a list.
pub(super) fn line(visit: &Visit, finding: &Finding) -> FindingLine {
    let evidence = Evidence::read(&finding.evidence);
    let begun = visit.moment(finding.onset_us).day();
    let kind = kind(finding);
    let since = match (&evidence, kind) {
        (Some(evidence), Kind::Step | Kind::Bleed | Kind::Improvement) => {
            onset(evidence).map_or(begun, |onset| onset.release)
        }
        _ => begun,
    };
    FindingLine {
        path: paths::finding(visit.slug(), &finding.id.to_string()),
        kind,
        life: finding.state.into(),
        sentence: evidence.as_ref().map_or_else(
            || finding.kind.clone(),
            |evidence| evidence.sentence.clone(),
        ),
        since,
        change: evidence.as_ref().and_then(change),
        confidence: evidence.as_ref().and_then(|evidence| evidence.confidence),
        owner: owner(finding),
        found: visit.moment(finding.detected_us),
        moved_with: 0,
    }
}

/// Who has it: who was assigned, else the flow's owner, else nobody.
pub(super) fn owner(finding: &Finding) -> String {
    finding
        .assignee
        .clone()
        .or_else(|| finding.owner.clone())
        .unwrap_or_default()
}

/// Since, by how much, how sure, runs out; what is not known is left out.
pub(super) fn facts(visit: &Visit, finding: &Finding, evidence: &Evidence) -> Vec<Fact> {
    let mut facts = Vec::new();
    let at = visit.moment(finding.onset_us);
    match (kind(finding), onset(evidence)) {
        (Kind::Step | Kind::Bleed | Kind::Improvement, Some(onset)) => {
            facts.push(Fact::since(&onset, at))
        }
        _ => facts.push(Fact::new("Since", at.day(), "")),
    }
    match (amount(evidence), evidence.to, evidence.limit) {
        (Some(amount), ..) => facts.push(Fact::by_how_much(&amount)),
        (None, Some(to), Some(limit)) => {
            let (value, limit) = (
                evidence.quantity(&to),
                Quantity::exact(limit, evidence.unit()),
            );
            facts.push(Fact::new(
                "Value",
                format!("{} of {}", value.value(), limit.value()),
                value.range(),
            ));
        }
        _ => {}
    }
    if let Some(same) = &evidence.same_visitors {
        let effect = same.effect_pct;
        let change = Quantity::percent(effect.value, effect.lower, effect.upper);
        facts.push(Fact::new(
            "With the same visitors",
            change.signed(),
            change.range(),
        ));
    }
    if let Some(confidence) = evidence.confidence {
        let rests_on = match evidence.samples {
            0 => String::new(),
            samples => counted(samples, observation_noun(evidence.source)),
        };
        facts.push(Fact::how_sure(confidence, &rests_on));
    }
    if let Some(found) = forecast(visit, evidence)
        && finding.state.is_open()
    {
        facts.push(found.fact(visit.now_us));
    }
    facts
}

/// When the budget runs out, with the releases that are due about then.
pub(super) fn forecast(visit: &Visit, evidence: &Evidence) -> Option<RunsOut> {
    let passed_days = (visit.now_us - evidence.judged_us) as f64 / DAY_US as f64;
    let now = match evidence.forecast? {
        Forecast::Between {
            early_days,
            late_days,
        } => Forecast::Between {
            early_days: (early_days - passed_days).max(0.0),
            late_days: late_days.map(|late| (late - passed_days).max(0.0)),
        },
        other => other,
    };
    Some(runs_out(Some(&now), false, visit.now_us))
}

/// A bleed's wedge. It ends today while the bleed is open.
pub(super) fn bleed_mark(
    visit: &Visit,
    finding: &Finding,
    evidence: &Evidence,
) -> Option<BleedMark> {
    let onset = onset(evidence)?;
    let release_us = |name: &str| Some(visit.record.releases[visit.record.rank(name)?].time_us);
    let end_us = match finding.state.is_open() {
        true => visit.now_us,
        false => evidence.end_release.as_deref().and_then(release_us)?,
    };
    let one_of = onset.one_of.as_ref().and_then(|(first, last)| {
        Some((
            (release_us(first)?, first.clone()),
            (release_us(last)?, last.clone()),
        ))
    });
    Some(BleedMark {
        onset_us: finding.onset_us,
        onset_release: onset.release,
        one_of,
        base: evidence.from?,
        end_us,
        end: evidence.to?.value,
        total: amount(evidence)?,
    })
}

/// Where an open bleed goes: its slope onwards, between the slopes that reach the limit on the early and the late day.
pub(super) fn forecast_mark(
    visit: &Visit,
    finding: &Finding,
    evidence: &Evidence,
) -> Option<ForecastMark> {
    let (from, to) = (evidence.from?, evidence.to?.value);
    let days = (visit.now_us - finding.onset_us) as f64 / DAY_US as f64;
    if !finding.state.is_open() || days <= 0.0 {
        return None;
    }
    let slope = (to - from) / days;
    let reaching = |days: Option<f64>| match (days, evidence.limit) {
        (Some(days), Some(limit)) if days > 0.0 => (limit - to) / days,
        _ => slope,
    };
    let (early, late) = match evidence.forecast {
        Some(Forecast::Between {
            early_days,
            late_days,
        }) => (
            reaching(Some(early_days)),
            late_days.map_or(0.0, |late| reaching(Some(late))),
        ),
        _ => (slope, slope),
    };
    let at = |slope: f64| to + slope * FORECAST_DAYS;
    let ends = [at(early), at(late), at(slope)];
    Some(ForecastMark {
        at_us: visit.now_us + (FORECAST_DAYS * DAY_US as f64) as i64,
        value: Quantity::new(
            at(slope),
            ends.into_iter().fold(f64::MAX, f64::min),
            ends.into_iter().fold(f64::MIN, f64::max),
            evidence.unit(),
        ),
    })
}

/// A step's mark.
pub(super) fn step_mark(finding: &Finding, evidence: &Evidence) -> Option<StepMark> {
    let change = change(evidence)?;
    let is_worse = match change.manner {
        Manner::Unknown => None,
        manner => Some(manner.is_worse(change.percent.value)),
    };
    Some(StepMark {
        at_us: finding.onset_us,
        release: onset(evidence)?.release,
        change: change.percent,
        is_worse,
    })
}
