//! Fills a finding's page, and takes what people do about it.

use axum::extract::{Path, State};

use crate::detector::evidence::Evidence;
use crate::http::error::{Error, Result};
use crate::http::pages::evidence::{facts, kind, line};
use crate::http::pages::flow::show::actions;
use crate::http::pages::history::{Stretch, history};
use crate::http::pages::layout::Section;
use crate::http::pages::visit::Visit;
use crate::http::{App, paths, prose::Prose};
use crate::record::{By, Tracked};
use crate::store::{Delivery, Finding, FindingEvent, Id};
use crate::wording::moment::DAY_US;
use crate::wording::names::{flow_title, metric_name};
use crate::wording::quantity::Quantity;
use crate::wording::state::Kind;

use super::{DeliveryRow, FindingPage, RuledOut, TrailEntry};
use crate::http::pages::flow::mix::mix_card;
use crate::http::pages::tracked::statistic_word;

/// The evidence begins so long before the onset.
const BEFORE_US: i64 = 42 * DAY_US;
/// What began within so many days moved together.
const TOGETHER_US: i64 = 3 * DAY_US;
/// Lines of what moved with it.
const MOVED: usize = 8;

/// A finding's page.
pub async fn show(
    State(_app): State<App>,
    visit: Visit,
    Path((_project, id)): Path<(String, String)>,
) -> Result<FindingPage> {
    let id = Id::parse(&id).ok_or_else(Error::not_found)?;
    let project = &visit.caller.project;
    let finding = visit
        .store
        .finding(project, &id)
        .await?
        .ok_or_else(Error::not_found)?;
    let evidence = Evidence::read(&finding.evidence).ok_or_else(Error::not_found)?;
    let tracked = finding
        .series
        .and_then(|series| visit.record.series.get(&series));
    let history = match tracked {
        Some(tracked) => {
            let stretch = Stretch {
                from_us: finding.onset_us - BEFORE_US,
                by: By::Release,
                now: evidence
                    .to
                    .filter(|_| finding.state.is_open())
                    .map(|to| evidence.quantity(&to)),
            };
            Some(history(&visit, tracked, evidence.percentile, stretch).await?)
        }
        None => None,
    };
    let trail = visit.store.trail(project, &id).await?;
    let flow = match tracked {
        Some(tracked) => paths::series(visit.slug(), &finding.flow, &tracked.id.to_string()),
        None => paths::flow(visit.slug(), &finding.flow),
    };
    Ok(FindingPage {
        kind: kind(&finding),
        life: finding.state.into(),
        headline: evidence.sentence.clone(),
        lead: lead(&evidence),
        facts: facts(&visit, &finding, &evidence),
        actions: actions(&visit, &finding),
        flow: (flow, flow_title(&finding.flow)),
        correction: correction(&visit, &trail),
        legend: history
            .as_ref()
            .map(|history| history.legend.clone())
            .unwrap_or_default(),
        trend: history.and_then(|history| history.trend),
        ruled_out: match tracked {
            Some(tracked) => ruled_out(&visit, &finding, &evidence, tracked).await?,
            None => vec![],
        },
        moved_with: moved_with(&visit, &finding),
        trail: trail
            .iter()
            .rev()
            .map(|event| entry(&visit, event))
            .collect(),
        deliveries: deliveries(&visit, visit.store.deliveries_of(project, &id).await?),
        shell: visit.shell(Section::Findings).await?,
    })
}

fn lead(evidence: &Evidence) -> Prose {
    let name = format!(
        "{}, {}: ",
        flow_title(&metric_name(&evidence.metric)),
        statistic_word(evidence.percentile)
    );
    match evidence.from.zip(evidence.to) {
        Some((from, to)) => {
            let walk = Quantity::from_to(
                &Quantity::exact(from, evidence.unit()),
                &evidence.quantity(&to),
            );
            let lead = Prose::of(&name).bold(&walk).plain(".");
            if evidence.reason.is_empty() {
                lead
            } else {
                lead.plain(&format!(" {}.", capital(&evidence.reason)))
            }
        }
        None if evidence.reason.is_empty() => Prose::default(),
        None => Prose::of(&format!("{}.", capital(&evidence.reason))),
    }
}

fn capital(words: &str) -> String {
    let mut letters = words.trim_end_matches('.').chars();
    let first = letters
        .next()
        .map(|first| first.to_uppercase().collect::<String>())
        .unwrap_or_default();
    format!("{first}{}", letters.as_str())
}

/// The last time that Longwatch itself took something back.
fn correction(visit: &Visit, trail: &[FindingEvent]) -> String {
    let corrected = trail.iter().rev().find(|event| {
        matches!(
            event.action.as_str(),
            "withdraw" | "withdrawn" | "redate" | "redated"
        )
    });
    corrected.map_or_else(String::new, |event| {
        let word = if event.action.starts_with("withdraw") {
            "Withdrawn"
        } else {
            "Re-dated"
        };
        let note = if event.note.is_empty() {
            String::new()
        } else {
            format!(": {}", event.note)
        };
        format!("{word} on {}{note}", visit.moment(event.at_us).day())
    })
}

async fn ruled_out(
    visit: &Visit,
    finding: &Finding,
    evidence: &Evidence,
    tracked: &Tracked,
) -> Result<Vec<RuledOut>> {
    if !matches!(
        kind(finding),
        Kind::Step | Kind::Bleed | Kind::Improvement | Kind::Breach
    ) {
        return Ok(vec![]);
    }
    let mut ruled = Vec::new();
    if let Some(card) = mix_card(visit, tracked, evidence.percentile).await? {
        ruled.push(RuledOut {
            what: "The mix of visitors".into(),
            seen: format!(
                "since {}: as observed {}, with the visitors of then {}",
                card.reference,
                card.observed.percent.change(),
                card.reweighted.percent.change()
            ),
            is_ruled_out: !card.explains_all(),
        });
    }
    let epochs = visit.record.epoch_starts(&visit.store, tracked).await?;
    let near = epochs
        .iter()
        .find(|start| (start.at_us - finding.onset_us).abs() < TOGETHER_US);
    ruled.push(RuledOut {
        what: "A new way of measuring".into(),
        seen: match (near, epochs.last()) {
            (Some(start), _) => format!(
                "{} began on {}",
                start.reason,
                visit.moment(start.at_us).day()
            ),
            (None, Some(last)) => format!(
                "the last epoch began on {}, not then",
                visit.moment(last.at_us).day()
            ),
            (None, None) => "it was measured the same way all along".into(),
        },
        is_ruled_out: near.is_none(),
    });
    ruled.extend(whole_machine(visit, finding, tracked));
    Ok(ruled)
}

/// Whether the other series of the same testbed moved at that time too.
fn whole_machine(visit: &Visit, finding: &Finding, tracked: &Tracked) -> Option<RuledOut> {
    if tracked.series.is_field() || tracked.series.testbed.is_empty() {
        return None;
    }
    let others: Vec<&Tracked> = visit
        .record
        .series
        .values()
        .filter(|other| other.id != tracked.id && other.series.testbed == tracked.series.testbed)
        .collect();
    let moved = others
        .iter()
        .filter(|other| {
            visit.findings_of(other.id).any(|(known, _)| {
                matches!(kind(known), Kind::Step | Kind::Bleed)
                    && (known.onset_us - finding.onset_us).abs() < TOGETHER_US
            })
        })
        .count();
    (!others.is_empty()).then(|| RuledOut {
        what: "The whole machine".into(),
        seen: format!(
            "{moved} of {} other series on {} moved at that time",
            others.len(),
            tracked.series.testbed
        ),
        is_ruled_out: moved * 2 < others.len(),
    })
}

fn moved_with(visit: &Visit, finding: &Finding) -> Vec<crate::http::pages::facts::FindingLine> {
    let together = visit.findings.iter().filter(|other| {
        other.id != finding.id
            && (other.onset_us - finding.onset_us).abs() < TOGETHER_US
            && matches!(kind(other), Kind::Step | Kind::Bleed | Kind::Improvement)
    });
    together
        .take(MOVED)
        .map(|other| line(visit, other))
        .collect()
}

fn entry(visit: &Visit, event: &FindingEvent) -> TrailEntry {
    let who = if event.actor == "longwatch" {
        "Longwatch".to_owned()
    } else {
        event.actor.clone()
    };
    let did = match event.action.as_str() {
        "open" | "opened" => "found it",
        "acknowledge" => "acknowledged it",
        "assign" => "assigned it",
        "snooze" => "snoozed it",
        "resolve" | "resolved" | "ended" => "closed it",
        "false_alarm" => "called it no problem",
        "reopen" | "reopened" => "opened it again",
        "withdraw" | "withdrawn" => "withdrew it",
        "redate" | "redated" => "dated it anew",
        "worse" => "saw it get worse",
        "told" => "told its owner, since no waiver covers it any more",
        other => other,
    };
    let what = if event.note.is_empty() {
        did.to_owned()
    } else {
        format!("{did}: {}", event.note)
    };
    TrailEntry {
        at: visit.moment(event.at_us),
        who,
        what,
    }
}

fn deliveries(visit: &Visit, deliveries: Vec<Delivery>) -> Vec<DeliveryRow> {
    let row = |delivery: Delivery| DeliveryRow {
        at: visit.moment(
            delivery
                .sent_us
                .or(delivery.dead_us)
                .unwrap_or(delivery.created_us),
        ),
        outcome: match (delivery.sent_us, delivery.dead_us) {
            (Some(_), _) => "delivered".to_owned(),
            (None, Some(_)) => format!("given up after {} attempts", delivery.attempts),
            (None, None) => format!("waiting, {} attempts so far", delivery.attempts),
        },
        is_dead: delivery.sent_us.is_none() && delivery.dead_us.is_some(),
        route: delivery.route,
    };
    deliveries.into_iter().map(row).collect()
}
