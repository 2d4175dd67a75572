//! Missing data: a series with a budget that used to be measured and no longer is. Silence is never good news.

use super::breach::event;
use super::evidence::Evidence;
use super::reconcile::deliveries;
use crate::record::{DAY_US, Record, Tracked};
use crate::store::{Finding, FindingChange, FindingState, Id, Store, StoreError};

/// Field data come every day; after three days without any the beacon, not the weather, is the likely reason.
const FIELD_SILENCE_US: i64 = 3 * DAY_US;
/// Lab data come with releases; two in a row without a run are no accident.
const SILENT_RELEASES: usize = 2;
/// A release is given this long to send its runs before it counts as silent, microseconds: a day.
const RUNS_COME_US: i64 = DAY_US;

/// Since when a series is silent, if it is: the time of its newest data, and the release it was last seen with; of what
/// [`Record::last_seen`] says of it.
pub fn silent_since(
    record: &Record,
    tracked: &Tracked,
    seen: Option<(usize, i64)>,
    now_us: i64,
) -> Option<(i64, Option<String>)> {
    let (last_rank, newest_us) = seen?;
    let release = record
        .releases
        .get(last_rank)
        .map(|release| release.name.clone());
    let silent = if tracked.series.is_field() {
        newest_us < now_us - FIELD_SILENCE_US
    } else {
        let since: Vec<_> = record
            .releases
            .iter()
            .skip(last_rank + 1)
            .filter(|release| release.time_us < now_us - RUNS_COME_US)
            .collect();
        since.len() >= SILENT_RELEASES
    };
    silent.then_some((newest_us, release))
}

/// What changes among the findings of missing data.
pub(super) async fn look(
    store: &Store,
    record: &Record,
    url: &str,
    now_us: i64,
) -> Result<Vec<FindingChange>, StoreError> {
    let mut changes = Vec::new();
    for tracked in record.series.values() {
        let budgets = record.budgets(tracked);
        if budgets.is_empty() {
            continue;
        }
        let seen = record.last_seen(store, tracked).await?;
        let silent = silent_since(record, tracked, seen, now_us);
        let identity = silent
            .as_ref()
            .map(|(since_us, _)| format!("missing/{}/{since_us}", tracked.id));
        let findings = store.findings_of_series(&record.project, tracked.id);
        // Where somebody has closed the one about this silence, that stands until data have come again.
        let known = findings.await?.into_iter().find(|finding| {
            let is_this = Some(&finding.identity) == identity.as_ref();
            finding.kind == "missing" && (finding.state.is_open() || is_this)
        });
        match (silent.zip(identity), known) {
            (Some(((since_us, release), identity)), None) => {
                let mut evidence = Evidence::about(tracked, record.watched(tracked), now_us);
                evidence.budget = budgets.first().map(|budget| budget.id.clone());
                evidence.end_release = release;
                evidence.reason =
                    "data used to come and no longer do; other flows are not affected by it"
                        .to_owned();
                evidence.say("missing", &tracked.flow, since_us, now_us);
                let id = Id::new();
                let mut finding = Finding {
                    id,
                    series: Some(tracked.id),
                    identity,
                    kind: "missing".to_owned(),
                    state: FindingState::Open,
                    flow: tracked.flow.clone(),
                    owner: record.config.owner_of(&tracked.flow).map(str::to_owned),
                    assignee: None,
                    onset_us: since_us,
                    detected_us: now_us,
                    updated_us: now_us,
                    snoozed_until_us: None,
                    closed_us: None,
                    told_pct: None,
                    evidence: evidence.to_json(),
                };
                let sent = deliveries(record, tracked, &finding, &evidence, "opened", url, now_us);
                if !sent.is_empty() {
                    finding.told_pct = Some(0.0);
                }
                changes.push(FindingChange {
                    event: event(id, "opened", evidence.sentence.clone(), now_us),
                    finding,
                    deliveries: sent,
                });
            }
            (None, Some(mut finding)) => {
                finding.state = FindingState::Resolved;
                finding.closed_us = Some(now_us);
                finding.updated_us = now_us;
                let sent = match Evidence::read(&finding.evidence) {
                    Some(evidence) if finding.told_pct.is_some() => {
                        deliveries(record, tracked, &finding, &evidence, "ended", url, now_us)
                    }
                    _ => Vec::new(),
                };
                changes.push(FindingChange {
                    event: event(finding.id, "ended", "data are back".to_owned(), now_us),
                    finding,
                    deliveries: sent,
                });
            }
            _ => {}
        }
    }
    Ok(changes)
}
