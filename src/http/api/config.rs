//! The configuration in force, and declared epochs.

use axum::Json;
use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use super::rfc3339;
use crate::clock::now_us;
use crate::config::{Config, difference};
use crate::http::error::{Error, Result};
use crate::http::ingest::parse_time;
use crate::http::{App, auth};
use crate::record::Record;
use crate::store::{DeclaredEpoch, Id};

/// Whether to apply, or only to say what would change.
#[derive(Debug, Clone, Default, Deserialize, utoipa::IntoParams)]
#[serde(default)]
pub struct ApplyQuery {
    /// Only says what would change.
    pub check: bool,
}

/// What an applied file changes.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct Applied {
    /// The version in force after it; the one before for `check`.
    pub version: i64,
    /// In words, one a change.
    pub changes: Vec<String>,
    /// What each gate's margin needs, in words.
    pub gates: Vec<String>,
    /// What is odd but allowed.
    pub warnings: Vec<String>,
}

/// Applies a `longwatch.toml`, or with `check=true` says what it would change.
#[utoipa::path(put, path = "/api/v1/projects/{project}/config", tag = "config",
    params(("project" = String, Path), ApplyQuery),
    request_body(content = String, content_type = "application/toml"),
    responses((status = 200, body = Applied)))]
pub async fn apply(
    State(app): State<App>,
    caller: auth::Administrator,
    Query(query): Query<ApplyQuery>,
    text: String,
) -> Result<Json<Applied>> {
    let new = Config::parse(&text)?;
    let before = app.store.policy(caller.project()).await?;
    let old = before
        .as_ref()
        .map(|policy| Config::parse(&policy.toml))
        .transpose()?;
    let config = std::sync::Arc::new(new.clone());
    let record = Record::load(&app.store, caller.project(), config).await?;
    refuse_uncarried(&record)?;
    let changes: Vec<String> = difference(old.as_ref(), &new)
        .into_iter()
        .map(|change| change.text)
        .collect();
    let gates = crate::verdict::what_margins_need(&app.store, &record).await?;
    let mut version = before.map_or(0, |policy| policy.version);
    if !query.check && (!changes.is_empty() || version == 0) {
        let applied = app
            .store
            .apply_policy(caller.project(), &text, &caller.0.actor, now_us())
            .await?;
        version = applied.version;
    }
    Ok(Json(Applied {
        version,
        changes,
        gates,
        warnings: new.warnings(),
    }))
}

/// A budget must name a statistic that its series can carry.
fn refuse_uncarried(record: &crate::record::Record) -> Result<()> {
    for tracked in record.series.values() {
        for budget in record.budgets(tracked) {
            let what = format!(
                "budget {:?} on {} {}",
                budget.id, tracked.flow, tracked.series.metric
            );
            if budget.quantile().is_some() && !tracked.has_percentiles() {
                return Err(Error::invalid(format!(
                    "{what}: its values are no single operations, so no percentile of them is one of operations"
                ))
                .hint("leave percentile out: the budget then holds the median of the runs"));
            }
            if budget.limit.to_base(tracked.dimension).is_err() {
                return Err(Error::invalid(format!(
                    "{what}: the limit's unit does not fit {}",
                    tracked.series.unit
                ))
                .hint("give the limit in the unit of what is measured"));
            }
        }
    }
    Ok(())
}

/// The configuration in force, as TOML.
#[utoipa::path(get, path = "/api/v1/projects/{project}/config", tag = "config",
    params(("project" = String, Path)),
    responses((status = 200, content_type = "application/toml", body = String)))]
pub async fn show(State(app): State<App>, caller: auth::Reader) -> Result<Response> {
    let policy = app.store.policy(caller.project()).await?.ok_or_else(|| {
        Error::not_found().hint("nothing was applied yet: longwatch apply longwatch.toml")
    })?;
    Ok((
        [(header::CONTENT_TYPE, "application/toml; charset=utf-8")],
        policy.toml,
    )
        .into_response())
}

/// An epoch as declared.
#[derive(Debug, Clone, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewEpoch {
    /// The flow that is measured anew.
    pub flow: String,
    /// Only this source.
    #[serde(default)]
    pub source: Option<String>,
    /// From when on, RFC 3339; now where left out.
    #[serde(default)]
    pub at: Option<String>,
    /// `workload`, `harness` or `machine`.
    pub kind: String,
    /// Why.
    pub reason: String,
}

/// A declared epoch.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct EpochRow {
    /// Its id.
    pub id: String,
    /// From when on.
    pub at: String,
}

/// Declares that a flow is measured anew, with a reason.
#[utoipa::path(post, path = "/api/v1/projects/{project}/epochs", tag = "config",
    params(("project" = String, Path)), request_body = NewEpoch, responses((status = 201, body = EpochRow)))]
pub async fn declare_epoch(
    State(app): State<App>,
    caller: auth::Administrator,
    Json(new): Json<NewEpoch>,
) -> Result<(StatusCode, Json<EpochRow>)> {
    if !["workload", "harness", "machine"].contains(&new.kind.as_str()) {
        return Err(
            Error::invalid(format!("kind {:?}", new.kind)).hint("use workload, harness or machine")
        );
    }
    if new.reason.trim().is_empty() {
        return Err(Error::invalid("reason is empty").hint("say what changed"));
    }
    let epoch = DeclaredEpoch {
        id: Id::new(),
        flow: new.flow,
        source: new.source,
        at_us: match &new.at {
            Some(at) => parse_time(at)?,
            None => now_us(),
        },
        kind: new.kind,
        reason: new.reason,
        actor: caller.0.actor.clone(),
    };
    app.store
        .declare_epoch(caller.project(), &epoch, now_us())
        .await?;
    Ok((
        StatusCode::CREATED,
        Json(EpochRow {
            id: epoch.id.to_string(),
            at: rfc3339(epoch.at_us),
        }),
    ))
}
