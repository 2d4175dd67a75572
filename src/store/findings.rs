//! Findings: what the detector saw, with evidence, a life and a trail.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::db::{Tx, args};
use super::outbox::{self, NewDelivery};
use super::series::{from_word, word};
use super::{Id, Lease, ProjectId, SeriesId, Store, StoreError, leases};

/// Where a finding stands in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FindingState {
    /// Nobody has said anything yet.
    Open,
    /// Somebody has seen it.
    Acknowledged,
    /// Somebody has taken it.
    Assigned,
    /// Not before a given time.
    Snoozed,
    /// Done, by a person or because it went away.
    Resolved,
    /// A person says it is not a problem; counted as a false alarm of ours.
    FalseAlarm,
}

impl FindingState {
    /// Whether it still asks for something.
    pub fn is_open(self) -> bool {
        !matches!(self, FindingState::Resolved | FindingState::FalseAlarm)
    }
}

/// What the detector saw. Its identity stays while its onset and size are refined.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// Its id.
    pub id: Id,
    /// The series, or none for findings about a whole flow.
    pub series: Option<SeriesId>,
    /// What makes two judgements the same finding; unique in the project.
    pub identity: String,
    /// `step`, `bleed`, `improvement`, `breach`, `epoch` or `missing`.
    pub kind: String,
    /// Its state.
    pub state: FindingState,
    /// The flow.
    pub flow: String,
    /// Who owns the flow.
    pub owner: Option<String>,
    /// Who has taken it.
    pub assignee: Option<String>,
    /// When it began, microseconds.
    pub onset_us: i64,
    /// When it was first seen.
    pub detected_us: i64,
    /// When it last changed.
    pub updated_us: i64,
    /// Until when it sleeps.
    pub snoozed_until_us: Option<i64>,
    /// When it ended.
    pub closed_us: Option<i64>,
    /// The size that its owner was last told, per cent.
    pub told_pct: Option<f64>,
    /// Numbers and sentences as JSON, see `detector::Evidence`; only who needs them reads them.
    pub evidence: String,
}

/// One line of a finding's trail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FindingEvent {
    /// Which finding.
    pub finding: Id,
    /// When, microseconds.
    pub at_us: i64,
    /// Who: an account, a token or `longwatch`.
    pub actor: String,
    /// What was done, one word.
    pub action: String,
    /// In the actor's words.
    pub note: String,
}

/// A change of one finding with what it causes.
#[derive(Debug, Clone)]
pub struct FindingChange {
    /// As it is from now on.
    pub finding: Finding,
    /// The line for its trail.
    pub event: FindingEvent,
    /// Who is to be told.
    pub deliveries: Vec<NewDelivery>,
}

type FindingRow = (
    Vec<u8>,
    Vec<u8>,
    String,
    String,
    String,
    String,
    Option<String>,
    Option<String>,
    i64,
    i64,
    i64,
    Option<i64>,
    Option<i64>,
    Option<f64>,
    String,
);

const UPSERT: &str = "INSERT INTO finding (project_id, id, series_id, identity, kind, state, flow, owner, assignee, \
     onset_us, detected_us, updated_us, snoozed_until_us, closed_us, told_pct, evidence) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16) \
     ON CONFLICT (project_id, id) DO UPDATE SET identity = excluded.identity, kind = excluded.kind, state = excluded.state, \
     flow = excluded.flow, owner = excluded.owner, assignee = excluded.assignee, onset_us = excluded.onset_us, \
     updated_us = excluded.updated_us, snoozed_until_us = excluded.snoozed_until_us, closed_us = excluded.closed_us, \
     told_pct = excluded.told_pct, evidence = excluded.evidence";
const LIST: &str = "SELECT id, series_id, identity, kind, state, flow, owner, assignee, onset_us, detected_us, updated_us, \
     snoozed_until_us, closed_us, told_pct, evidence FROM finding WHERE project_id = $1 ORDER BY id DESC LIMIT $2";
const ONE: &str = "SELECT id, series_id, identity, kind, state, flow, owner, assignee, onset_us, detected_us, updated_us, \
     snoozed_until_us, closed_us, told_pct, evidence FROM finding WHERE project_id = $1 AND id = $2";
const OF_SERIES: &str = "SELECT id, series_id, identity, kind, state, flow, owner, assignee, onset_us, detected_us, \
     updated_us, snoozed_until_us, closed_us, told_pct, evidence FROM finding \
     WHERE project_id = $1 AND series_id = $2 ORDER BY id LIMIT $3";
const TOUCH: &str = "UPDATE finding SET updated_us = updated_us WHERE project_id = $1 AND id = $2";
const DROP_DELIVERIES: &str = "DELETE FROM delivery WHERE project_id = $1 AND finding_id IN \
     (SELECT id FROM finding WHERE project_id = $1 AND series_id = $2)";
const DROP_EVENTS: &str = "DELETE FROM finding_event WHERE project_id = $1 AND finding_id IN \
     (SELECT id FROM finding WHERE project_id = $1 AND series_id = $2)";
const DROP_FINDINGS: &str = "DELETE FROM finding WHERE project_id = $1 AND series_id = $2";
const EVENT: &str = "INSERT INTO finding_event (project_id, finding_id, id, at_us, actor, action, note) \
     VALUES ($1, $2, $3, $4, $5, $6, $7)";
const TRAIL: &str = "SELECT at_us, actor, action, note FROM finding_event \
     WHERE project_id = $1 AND finding_id = $2 ORDER BY id LIMIT 500";
const UNJUDGED: &str = "SELECT series_id, changed FROM series_state \
     WHERE project_id = $1 AND changed > judged ORDER BY changed_us LIMIT $2";
const WAITING: &str = "SELECT project_id FROM series_state WHERE changed > judged AND project_id > $1 \
     ORDER BY project_id LIMIT $2";
const WATERMARK: &str =
    "UPDATE series_state SET judged = $3 WHERE project_id = $1 AND series_id = $2 AND judged < $3";

/// Findings that one answer may hold; a healthy project opens a few a month.
const FINDING_LIMIT: i64 = 5_000;
/// Series judged in one round.
const SERIES_A_ROUND: i64 = 500;

fn decode(row: FindingRow) -> Result<Finding, StoreError> {
    let series = Id::from_row(&row.1)?;
    Ok(Finding {
        id: Id::from_row(&row.0)?,
        series: (series != Id::NIL).then_some(SeriesId(series)),
        identity: row.2,
        kind: row.3,
        state: from_word(row.4)?,
        flow: row.5,
        owner: row.6,
        assignee: row.7,
        onset_us: row.8,
        detected_us: row.9,
        updated_us: row.10,
        snoozed_until_us: row.11,
        closed_us: row.12,
        told_pct: row.13,
        evidence: row.14,
    })
}

async fn write(
    tx: &mut Tx,
    project: &ProjectId,
    change: &FindingChange,
    now_us: i64,
) -> Result<(), StoreError> {
    let FindingChange {
        finding,
        event,
        deliveries,
    } = change;
    let series = finding.series.map_or(Id::NIL, |series| *series.id());
    let state = word(&finding.state);
    tx.execute(
        UPSERT,
        args![
            project,
            &finding.id,
            &series,
            &finding.identity,
            &finding.kind,
            &state,
            &finding.flow,
            &finding.owner,
            &finding.assignee,
            finding.onset_us,
            finding.detected_us,
            finding.updated_us,
            finding.snoozed_until_us,
            finding.closed_us,
            finding.told_pct,
            &finding.evidence,
        ],
    )
    .await?;
    if !event.action.is_empty() {
        tx.execute(
            EVENT,
            args![
                project,
                &finding.id,
                &Id::new(),
                event.at_us,
                &event.actor,
                &event.action,
                &event.note,
            ],
        )
        .await?;
    }
    for delivery in deliveries {
        outbox::insert(tx, project, delivery, now_us).await?;
    }
    Ok(())
}

/// Removes a series' findings with their trails and deliveries; a series has some dozens in its life.
pub(super) async fn delete_of_series(
    tx: &mut Tx,
    project: &ProjectId,
    series: SeriesId,
) -> Result<(), StoreError> {
    for sql in [DROP_DELIVERIES, DROP_EVENTS, DROP_FINDINGS] {
        tx.execute(sql, args![project, series.id()]).await?;
    }
    Ok(())
}

impl Store {
    /// Projects with series that changed since they were last judged.
    pub async fn projects_to_judge(&self) -> Result<Vec<ProjectId>, StoreError> {
        leases::waiting(&self.db, WAITING, None).await
    }

    /// The series to judge, with the watermark that a judgement of their present data reaches.
    pub async fn unjudged(&self, project: &ProjectId) -> Result<Vec<(SeriesId, i64)>, StoreError> {
        let rows: Vec<(Vec<u8>, i64)> = self
            .db
            .rows(UNJUDGED, args![project, SERIES_A_ROUND])
            .await?;
        rows.into_iter()
            .map(|(id, changed)| Ok((SeriesId(Id::from_row(&id)?), changed)))
            .collect()
    }

    /// Writes what a judgement changed: findings, their trail, their deliveries and the new watermarks, or nothing.
    pub async fn record_judgement(
        &self,
        lease: &Lease,
        changes: &[FindingChange],
        watermarks: &[(SeriesId, i64)],
        now_us: i64,
    ) -> Result<(), StoreError> {
        let project = &lease.project;
        let mut tx = self.db.begin().await?;
        leases::hold(&mut tx, lease, now_us).await?;
        for change in changes {
            write(&mut tx, project, change, now_us).await?;
        }
        // In the fold's order, so that neither waits for the other.
        for (series, watermark) in &BTreeMap::from_iter(watermarks.iter().copied()) {
            tx.execute(WATERMARK, args![project, series.id(), *watermark])
                .await?;
        }
        tx.commit().await
    }

    /// Changes one finding as a person says, with a line for its trail and an audit row. `said` gets it as it is; what
    /// others say at the same time waits. A judgement that is under way has read it as it was, and is begun anew.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] where there is none, or none any more.
    pub async fn change_finding(
        &self,
        project: &ProjectId,
        id: &Id,
        said: impl FnOnce(&mut Finding) -> FindingEvent,
        now_us: i64,
    ) -> Result<(), StoreError> {
        let mut tx = self.db.begin().await?;
        // Before the finding, as judgements do: each waits for the other at the same place.
        leases::break_off(&mut tx, project, leases::DETECT).await?;
        tx.execute(TOUCH, args![project, id]).await?;
        let row: Option<FindingRow> = tx.row(ONE, args![project, id]).await?;
        let mut finding = decode(row.ok_or(StoreError::NotFound)?)?;
        let event = said(&mut finding);
        let change = FindingChange {
            finding,
            event,
            deliveries: Vec::new(),
        };
        write(&mut tx, project, &change, now_us).await?;
        let action = format!("finding.{}", change.event.action);
        super::access::audit(
            &mut tx,
            project,
            &change.event.actor,
            &action,
            &id.to_string(),
            &change.event.note,
            now_us,
        )
        .await?;
        tx.commit().await
    }

    /// All findings, newest first.
    pub async fn findings(&self, project: &ProjectId) -> Result<Vec<Finding>, StoreError> {
        let rows: Vec<FindingRow> = self.db.rows(LIST, args![project, FINDING_LIMIT]).await?;
        rows.into_iter().map(decode).collect()
    }

    /// The findings of one series, oldest first.
    pub async fn findings_of_series(
        &self,
        project: &ProjectId,
        series: SeriesId,
    ) -> Result<Vec<Finding>, StoreError> {
        let rows: Vec<FindingRow> = self
            .db
            .rows(OF_SERIES, args![project, series.id(), FINDING_LIMIT])
            .await?;
        rows.into_iter().map(decode).collect()
    }

    /// One finding.
    pub async fn finding(
        &self,
        project: &ProjectId,
        id: &Id,
    ) -> Result<Option<Finding>, StoreError> {
        let row: Option<FindingRow> = self.db.row(ONE, args![project, id]).await?;
        row.map(decode).transpose()
    }

    /// A finding's trail, oldest first.
    pub async fn trail(
        &self,
        project: &ProjectId,
        finding: &Id,
    ) -> Result<Vec<FindingEvent>, StoreError> {
        let rows: Vec<(i64, String, String, String)> =
            self.db.rows(TRAIL, args![project, finding]).await?;
        Ok(rows
            .into_iter()
            .map(|(at_us, actor, action, note)| FindingEvent {
                finding: *finding,
                at_us,
                actor,
                action,
                note,
            })
            .collect())
    }
}
