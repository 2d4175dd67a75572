//! Findings: reading them, and what people do with them.

use axum::Json;
use axum::extract::{Path, Query, State};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Page, PageQuery, rfc3339};
use crate::clock::now_us;
use crate::http::error::{Error, Result};
use crate::http::ingest::parse_time;
use crate::http::{App, auth};
use crate::store::{Finding, FindingEvent, FindingState, Id, StoreError};

/// A finding as listed.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct FindingRow {
    /// Its id.
    pub id: String,
    /// `step`, `bleed`, `improvement`, `breach`, `epoch` or `missing`.
    pub kind: String,
    /// Where it stands in its life.
    #[schema(value_type = String)]
    pub state: FindingState,
    /// The flow.
    pub flow: String,
    /// The series.
    pub series: Option<String>,
    /// Who owns the flow.
    pub owner: Option<String>,
    /// Who has taken it.
    pub assignee: Option<String>,
    /// When it began.
    pub onset: String,
    /// When it was first seen.
    pub detected: String,
    /// Until when it sleeps.
    pub snoozed_until: Option<String>,
    /// When it ended.
    pub closed: Option<String>,
    /// Numbers and sentences.
    #[schema(value_type = Object)]
    pub evidence: Value,
}

/// One line of a finding's trail.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct TrailRow {
    /// When.
    pub at: String,
    /// Who.
    pub actor: String,
    /// What.
    pub action: String,
    /// In their words.
    pub note: String,
}

/// One delivery of an alert.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct DeliveryRow {
    /// Its stable id.
    pub id: String,
    /// The route.
    pub route: String,
    /// What it tells.
    pub event: String,
    /// Attempts so far.
    pub attempts: i64,
    /// When it was delivered.
    pub sent: Option<String>,
    /// When we gave up.
    pub dead: Option<String>,
    /// Why the last attempt failed.
    pub error: Option<String>,
}

/// A finding with its trail and deliveries.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct FindingDetail {
    /// The finding.
    #[serde(flatten)]
    pub finding: FindingRow,
    /// Its trail, oldest first.
    pub trail: Vec<TrailRow>,
    /// Its deliveries, oldest first.
    pub deliveries: Vec<DeliveryRow>,
}

/// Which findings.
#[derive(Debug, Clone, Default, Deserialize, utoipa::IntoParams)]
#[serde(default)]
pub struct FindingsQuery {
    /// Only this kind.
    pub kind: Option<String>,
    /// Only this state, or `active` for all that still ask for something.
    pub state: Option<String>,
    /// Only this flow.
    pub flow: Option<String>,
    /// Only this owner's.
    pub owner: Option<String>,
    /// At most this many rows.
    pub limit: Option<usize>,
    /// Where to go on.
    pub cursor: Option<String>,
}

fn row(finding: &Finding) -> Result<FindingRow> {
    Ok(FindingRow {
        id: finding.id.to_string(),
        kind: finding.kind.clone(),
        state: finding.state,
        flow: finding.flow.clone(),
        series: finding.series.map(|series| series.to_string()),
        owner: finding.owner.clone(),
        assignee: finding.assignee.clone(),
        onset: rfc3339(finding.onset_us),
        detected: rfc3339(finding.detected_us),
        snoozed_until: finding.snoozed_until_us.map(rfc3339),
        closed: finding.closed_us.map(rfc3339),
        evidence: serde_json::from_str(&finding.evidence)
            .map_err(|error| StoreError::Corrupt(format!("evidence of a finding: {error}")))?,
    })
}

/// Lists findings, newest first.
#[utoipa::path(get, path = "/api/v1/projects/{project}/findings", tag = "findings",
    params(("project" = String, Path), FindingsQuery), responses((status = 200, body = Page<FindingRow>)))]
pub async fn list(
    State(app): State<App>,
    caller: auth::Reader,
    Query(query): Query<FindingsQuery>,
) -> Result<Json<Page<FindingRow>>> {
    let same = |asked: &Option<String>, own: Option<&str>| {
        asked
            .as_ref()
            .is_none_or(|asked| own == Some(asked.as_str()))
    };
    let rows: Vec<FindingRow> = app
        .store
        .findings(caller.project())
        .await?
        .iter()
        .filter(|finding| {
            let state = serde_json::to_value(finding.state).unwrap_or_default();
            let in_state = match query.state.as_deref() {
                Some("active") => finding.state.is_open(),
                _ => same(&query.state, state.as_str()),
            };
            in_state
                && same(&query.kind, Some(&finding.kind))
                && same(&query.flow, Some(&finding.flow))
                && same(&query.owner, finding.owner.as_deref())
        })
        .map(row)
        .collect::<Result<_>>()?;
    let page = PageQuery {
        limit: query.limit,
        cursor: query.cursor,
    };
    Ok(Json(page.cut(rows)?))
}

async fn detail(app: &App, project: &crate::store::ProjectId, id: &Id) -> Result<FindingDetail> {
    let finding = app
        .store
        .finding(project, id)
        .await?
        .ok_or_else(Error::not_found)?;
    let trail = app.store.trail(project, id).await?;
    let deliveries = app.store.deliveries_of(project, id).await?;
    Ok(FindingDetail {
        finding: row(&finding)?,
        trail: trail
            .into_iter()
            .map(|event| TrailRow {
                at: rfc3339(event.at_us),
                actor: event.actor,
                action: event.action,
                note: event.note,
            })
            .collect(),
        deliveries: deliveries
            .into_iter()
            .map(|delivery| DeliveryRow {
                id: delivery.id.to_string(),
                route: delivery.route,
                event: delivery.event,
                attempts: delivery.attempts,
                sent: delivery.sent_us.map(rfc3339),
                dead: delivery.dead_us.map(rfc3339),
                error: delivery.last_error,
            })
            .collect(),
    })
}

/// One finding with its trail and deliveries.
#[utoipa::path(get, path = "/api/v1/projects/{project}/findings/{id}", tag = "findings",
    params(("project" = String, Path), ("id" = String, Path)), responses((status = 200, body = FindingDetail)))]
pub async fn one(
    State(app): State<App>,
    caller: auth::Reader,
    Path((_project, id)): Path<(String, String)>,
) -> Result<Json<FindingDetail>> {
    let id = Id::parse(&id).ok_or_else(Error::not_found)?;
    Ok(Json(detail(&app, caller.project(), &id).await?))
}

/// What a person does with a finding.
#[derive(Debug, Clone, Deserialize, utoipa::ToSchema)]
#[serde(tag = "action", rename_all = "snake_case", deny_unknown_fields)]
pub enum Action {
    /// "I have seen it."
    Acknowledge,
    /// "This one takes it."
    Assign {
        /// Who.
        assignee: String,
    },
    /// "Not before then."
    Snooze {
        /// RFC 3339.
        until: String,
    },
    /// "It is dealt with."
    Resolve {
        /// How.
        #[serde(default)]
        note: String,
    },
    /// "It is no problem": counts as a false alarm of ours.
    FalseAlarm {
        /// Why.
        #[serde(default)]
        note: String,
    },
    /// "It asks for something again."
    Reopen,
}

impl Action {
    /// The state that it leaves, its word and its note for the trail, and until when the finding sleeps.
    fn said(&self, now_us: i64) -> Result<(FindingState, &'static str, String, Option<i64>)> {
        Ok(match self {
            Action::Acknowledge => (
                FindingState::Acknowledged,
                "acknowledge",
                String::new(),
                None,
            ),
            Action::Assign { assignee } => {
                let assignee = assignee.trim();
                if assignee.is_empty() || assignee.len() > 200 {
                    return Err(Error::invalid("assignee must have 1 to 200 characters"));
                }
                let note = format!("to {assignee}");
                (FindingState::Assigned, "assign", note, None)
            }
            Action::Snooze { until } => {
                let until_us = parse_time(until)?;
                if until_us <= now_us {
                    return Err(Error::invalid("until lies in the past"));
                }
                let note = format!("until {until}");
                (FindingState::Snoozed, "snooze", note, Some(until_us))
            }
            Action::Resolve { note } => (FindingState::Resolved, "resolve", note.clone(), None),
            Action::FalseAlarm { note } => {
                (FindingState::FalseAlarm, "false_alarm", note.clone(), None)
            }
            Action::Reopen => (FindingState::Open, "reopen", String::new(), None),
        })
    }
}

/// Applies an action to a finding, with a line for its trail.
pub async fn act(
    app: &App,
    project: &crate::store::ProjectId,
    id: &Id,
    action: &Action,
    actor: &str,
) -> Result<()> {
    let now_us = now_us();
    let (state, word, note, until_us) = action.said(now_us)?;
    let said = |finding: &mut Finding| {
        finding.state = state;
        if let Action::Assign { assignee } = action {
            finding.assignee = Some(assignee.trim().to_owned());
        }
        finding.snoozed_until_us = until_us;
        finding.closed_us = (!state.is_open()).then_some(now_us);
        finding.updated_us = now_us;
        FindingEvent {
            finding: *id,
            at_us: now_us,
            actor: actor.to_owned(),
            action: word.to_owned(),
            note: note.chars().take(2_000).collect(),
        }
    };
    app.store.change_finding(project, id, said, now_us).await?;
    Ok(())
}

/// Acknowledges, assigns, snoozes, resolves or reopens a finding, or calls it a false alarm.
#[utoipa::path(patch, path = "/api/v1/projects/{project}/findings/{id}", tag = "findings",
    params(("project" = String, Path), ("id" = String, Path)), request_body = Action,
    responses((status = 200, body = FindingDetail)))]
pub async fn change(
    State(app): State<App>,
    caller: auth::Administrator,
    Path((_project, id)): Path<(String, String)>,
    Json(action): Json<Action>,
) -> Result<Json<FindingDetail>> {
    let id = Id::parse(&id).ok_or_else(Error::not_found)?;
    act(&app, caller.project(), &id, &action, &caller.0.actor).await?;
    Ok(Json(detail(&app, caller.project(), &id).await?))
}

/// Puts a dead letter back into the queue.
#[utoipa::path(post, path = "/api/v1/projects/{project}/deliveries/{id}/again", tag = "findings",
    params(("project" = String, Path), ("id" = String, Path)), responses((status = 204)))]
pub async fn send_again(
    State(app): State<App>,
    caller: auth::Administrator,
    Path((_project, id)): Path<(String, String)>,
) -> Result<axum::http::StatusCode> {
    let id = Id::parse(&id).ok_or_else(Error::not_found)?;
    app.store
        .send_again(caller.project(), &id, &caller.0.actor, now_us())
        .await?;
    Ok(axum::http::StatusCode::NO_CONTENT)
}
