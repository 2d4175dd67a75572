//! Fills a finding's page.

use axum::extract::Path;

use crate::detector::evidence::Evidence;
use crate::http::error::{Error, Result};
use crate::http::pages::actions::Actions;
use crate::http::pages::evidence::{facts, kind, line, owner};
use crate::http::pages::history::{Stretch, history};
use crate::http::pages::layout::Section;
use crate::http::pages::visit::Visit;
use crate::http::paths;
use crate::http::prose::Prose;
use crate::http::wording::moment::DAY_US;
use crate::http::wording::names::flow_title;
use crate::http::wording::number::counted;
use crate::http::wording::quantity::Quantity;
use crate::record::By;
use crate::store::{Delivery, Finding, FindingEvent, FindingState, Id};

use super::{DeliveryRow, FindingPage, RuledOut, TrailEntry};

/// The evidence begins so long before the onset.
const BEFORE_ONSET_US: i64 = 42 * DAY_US;
/// Findings that began this close together may have one cause.
const TOGETHER_US: i64 = 3 * DAY_US;

/// A finding's page.
pub async fn show(
    Path((_project, id)): Path<(String, String)>,
    visit: Visit,
) -> Result<FindingPage> {
    let id = Id::parse(&id).ok_or_else(Error::not_found)?;
    let project = &visit.caller.project;
    let finding = visit
        .store
        .finding(project, &id)
        .await?
        .ok_or_else(Error::not_found)?;
    let evidence = Evidence::read(&finding.evidence).ok_or_else(Error::not_found)?;
    let trail = visit.store.trail(project, &id).await?;
    let deliveries = visit.store.deliveries_of(project, &id).await?;
    let tracked = finding
        .series
        .and_then(|series| visit.record.series.get(&series));
    let history = match tracked {
        Some(tracked) => {
            let stretch = Stretch {
                from_us: finding.onset_us - BEFORE_ONSET_US,
                by: if tracked.series.is_field() {
                    By::Day
                } else {
                    By::Release
                },
            };
            Some(history(&visit, tracked, evidence.percentile, stretch).await?)
        }
        None => None,
    };
    Ok(FindingPage {
        kind: kind(&finding),
        life: finding.state.into(),
        headline: evidence.sentence.clone(),
        lead: lead(&evidence),
        facts: facts(&visit, &finding, &evidence),
        actions: actions(&visit, &finding),
        flow: (
            match finding.series {
                Some(series) => paths::series(visit.slug(), &finding.flow, &series.to_string()),
                None => paths::flow(visit.slug(), &finding.flow),
            },
            flow_title(&finding.flow),
        ),
        correction: correction(&trail),
        legend: history
            .as_ref()
            .map(|history| history.legend.clone())
            .unwrap_or_default(),
        trend: history.and_then(|history| history.trend),
        ruled_out: ruled_out(&visit, &finding, &evidence),
        moved_with: moved_with(&visit, &finding)
            .map(|other| line(&visit, other))
            .collect(),
        trail: trail
            .iter()
            .rev()
            .map(|event| entry(&visit, event))
            .collect(),
        deliveries: deliveries
            .iter()
            .map(|delivery| delivery_row(&visit, delivery))
            .collect(),
        shell: visit.shell(Section::Findings).await?,
    })
}

fn lead(evidence: &Evidence) -> Prose {
    let mut lead = Prose::default();
    if let Some((from, to)) = evidence.from.zip(evidence.to) {
        let to = evidence.quantity(&to);
        let walk = Quantity::from_to(&Quantity::exact(from, evidence.unit()), &to);
        lead = lead.bold(&walk).plain(&format!(" {}. ", to.range()));
    }
    lead.plain(&evidence.reason)
}

fn actions(visit: &Visit, finding: &Finding) -> Actions {
    let since_us = match finding.state {
        FindingState::Snoozed => finding.snoozed_until_us,
        FindingState::Open => None,
        _ => Some(finding.closed_us.unwrap_or(finding.updated_us)),
    };
    Actions {
        path: paths::finding(visit.slug(), &finding.id.to_string()),
        life: finding.state.into(),
        since: since_us.map(|at_us| visit.moment(at_us)),
        owner: owner(finding),
        may_act: visit.may_act(),
    }
}

/// The newest withdrawal or re-dating.
fn correction(trail: &[FindingEvent]) -> String {
    trail
        .iter()
        .rev()
        .find_map(|event| match event.action.as_str() {
            "withdrawn" => Some(format!("Taken back: {}.", event.note)),
            "dated" => Some(format!("Dated anew: it {}.", event.note)),
            _ => None,
        })
        .unwrap_or_default()
}

/// What was looked at and does not explain it. Only what was really looked at is listed.
fn ruled_out(visit: &Visit, finding: &Finding, evidence: &Evidence) -> Vec<RuledOut> {
    if !matches!(finding.kind.as_str(), "step" | "bleed" | "improvement") {
        return Vec::new();
    }
    let mut rows = vec![RuledOut {
        what: "A new way of measuring".to_owned(),
        seen: "the change lies within one epoch; what is measured differently is judged apart"
            .to_owned(),
        is_ruled_out: true,
    }];
    let tracked = finding
        .series
        .and_then(|series| visit.record.series.get(&series));
    if let Some(tracked) = tracked.filter(|tracked| !tracked.series.is_field()) {
        let beside = visit
            .record
            .series
            .values()
            .filter(|other| {
                other.series.testbed == tracked.series.testbed
                    && other.series.source == tracked.series.source
                    && other.id != tracked.id
            })
            .count();
        if beside >= 2 {
            rows.push(RuledOut {
                what: "The whole machine".to_owned(),
                seen: format!(
                    "{} on {} did not move along",
                    counted(beside as u64, "other benchmark"),
                    tracked.series.testbed
                ),
                is_ruled_out: true,
            });
        }
    }
    if evidence.measured > 1 {
        rows.push(RuledOut {
            what: "One wild run or day".to_owned(),
            seen: format!(
                "it rests on {}, and a single one changes no verdict",
                counted(evidence.measured as u64, "measurement")
            ),
            is_ruled_out: true,
        });
    }
    rows
}

/// Others that began about the same time.
fn moved_with<'a>(visit: &'a Visit, finding: &'a Finding) -> impl Iterator<Item = &'a Finding> {
    visit.findings.iter().filter(move |other| {
        other.id != finding.id
            && other.kind == finding.kind
            && (other.onset_us - finding.onset_us).abs() <= TOGETHER_US
    })
}

fn entry(visit: &Visit, event: &FindingEvent) -> TrailEntry {
    let what = match event.action.as_str() {
        "opened" => "found it".to_owned(),
        "dated" => event.note.clone(),
        "worse" => format!("got worse: {}", event.note),
        "ended" => format!("ended: {}", event.note),
        "withdrawn" => format!("took it back: {}", event.note),
        "acknowledge" => "acknowledged it".to_owned(),
        "assign" => format!("assigned it {}", event.note),
        "snooze" => format!("snoozed it {}", event.note),
        "resolve" if event.note.is_empty() => "resolved it".to_owned(),
        "resolve" => format!("resolved it: {}", event.note),
        "false_alarm" => format!("called it no problem: {}", event.note),
        "reopen" => "opened it again".to_owned(),
        other => format!("{other} {}", event.note),
    };
    TrailEntry {
        at: visit.moment(event.at_us),
        who: match event.actor.as_str() {
            "longwatch" => "Longwatch".to_owned(),
            actor => actor.to_owned(),
        },
        what,
    }
}

fn delivery_row(visit: &Visit, delivery: &Delivery) -> DeliveryRow {
    let attempts = counted(delivery.attempts.max(0) as u64, "attempt");
    let outcome = match (delivery.sent_us, delivery.dead_us) {
        (Some(_), _) => "delivered".to_owned(),
        (None, Some(_)) => format!("given up after {attempts}"),
        (None, None) => format!("waiting, {attempts}"),
    };
    let why = delivery
        .last_error
        .as_ref()
        .filter(|_| delivery.sent_us.is_none())
        .map(|error| format!(" ({error})"))
        .unwrap_or_default();
    let at_us = delivery
        .sent_us
        .or(delivery.dead_us)
        .unwrap_or(delivery.created_us);
    DeliveryRow {
        route: delivery.route.clone(),
        at: visit.moment(at_us),
        outcome: format!("{outcome}{why}"),
        is_dead: delivery.dead_us.is_some() && delivery.sent_us.is_none(),
    }
}
