//! Slow bleeds, running and stopped, with who has them and who is credited.

use crate::detector::evidence::Evidence;
use crate::http::error::Result;
use crate::http::pages::evidence::{amount, kind, owner};
use crate::http::pages::months::BleedLine;
use crate::http::pages::visit::Visit;
use crate::http::paths;
use crate::store::Finding;
use crate::wording::moment::span;
use crate::wording::names::{flow_title, listed};
use crate::wording::state::Kind;

/// Bleeds listed.
const BLEEDS: usize = 8;

/// Bleeds, running first, then the newest.
pub(super) async fn bleeds(visit: &Visit, from_us: i64) -> Result<Vec<BleedLine>> {
    let mut own: Vec<&Finding> = visit
        .findings
        .iter()
        .filter(|finding| kind(finding) == Kind::Bleed)
        .filter(|finding| {
            finding.state.is_open() || finding.closed_us.unwrap_or(finding.updated_us) >= from_us
        })
        .filter(|finding| finding.state != crate::store::FindingState::FalseAlarm)
        .collect();
    own.sort_by_key(|finding| {
        (
            !finding.state.is_open(),
            std::cmp::Reverse(finding.onset_us),
        )
    });
    let mut lines = Vec::new();
    for finding in own.into_iter().take(BLEEDS) {
        lines.extend(bleed(visit, finding).await?);
    }
    Ok(lines)
}

async fn bleed(visit: &Visit, finding: &Finding) -> Result<Option<BleedLine>> {
    let Some(evidence) = Evidence::read(&finding.evidence) else {
        return Ok(None);
    };
    let total = amount(&evidence)
        .map(|amount| amount.change())
        .unwrap_or_default();
    let what = format!("{}, {total}", flow_title(&finding.flow));
    let path = paths::finding(visit.slug(), &finding.id.to_string());
    if finding.state.is_open() {
        let trail = visit
            .store
            .trail(&visit.caller.project, &finding.id)
            .await?;
        let acknowledged = trail
            .iter()
            .find(|event| event.action == "acknowledge")
            .map(|event| event.at_us);
        let known = match acknowledged {
            Some(at_us) => format!("acknowledged after {}", span(at_us - finding.detected_us)),
            None => "not acknowledged yet".to_owned(),
        };
        let found = format!("found {}", visit.moment(finding.detected_us).text());
        let owned = Some(owner(finding))
            .filter(|owner| !owner.is_empty())
            .map(|owner| format!("owner {owner}"));
        let who = owned
            .into_iter()
            .chain([found, known])
            .collect::<Vec<_>>()
            .join(" · ");
        let when = format!("Running since {}", visit.moment(finding.onset_us).day());
        return Ok(Some(BleedLine {
            path,
            when,
            what,
            who,
            is_stopped: false,
        }));
    }
    let ended = visit
        .moment(finding.closed_us.unwrap_or(finding.updated_us))
        .day();
    let release = evidence.ended_by.as_deref();
    let note =
        release.and_then(|name| visit.record.releases[visit.record.rank(name)?].note.clone());
    let credit: Vec<String> = visit
        .record
        .config
        .owner_of(&finding.flow)
        .map(str::to_owned)
        .into_iter()
        .chain(note.map(|note| format!("“{note}”")))
        .collect();
    Ok(Some(BleedLine {
        path,
        when: match release {
            Some(release) => format!("Stopped by {release}"),
            None => format!("Ended {ended}"),
        },
        what,
        who: if credit.is_empty() {
            String::new()
        } else {
            format!("credit: {}", listed(&credit))
        },
        is_stopped: true,
    }))
}
