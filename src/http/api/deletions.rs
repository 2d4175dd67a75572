//! Deletion: of a batch, a run, a release, a series, or the project.

use std::time::Duration;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::rfc3339;
use crate::clock::now_us;
use crate::http::error::{Error, Result};
use crate::http::{App, auth, paths};
use crate::store::{Deletion, DeletionKind, Id, SeriesId};

/// The answer waits this long for the work, so that a small deletion is over when it comes.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often it looks meanwhile.
const LOOK: Duration = Duration::from_millis(50);

/// A deletion, and how it stands.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct DeletionRow {
    /// Its id.
    pub id: String,
    /// What is deleted.
    #[schema(value_type = String)]
    pub kind: DeletionKind,
    /// Its id, or the release's or project's name.
    pub subject: String,
    /// `under_way` or `done`.
    pub state: &'static str,
    /// Who asked.
    pub actor: String,
    /// When.
    pub asked: String,
    /// When nothing of it was left.
    pub done: Option<String>,
}

impl From<&Deletion> for DeletionRow {
    fn from(deletion: &Deletion) -> Self {
        DeletionRow {
            id: deletion.id.to_string(),
            kind: deletion.kind,
            subject: deletion.subject.clone(),
            state: match deletion.done_us {
                Some(_) => "done",
                None => "under_way",
            },
            actor: deletion.actor.clone(),
            asked: rfc3339(deletion.asked_us),
            done: deletion.done_us.map(rfc3339),
        }
    }
}

/// Deletes a batch that is the whole of its run, with the run; one that is merged with others is refused.
#[utoipa::path(delete, path = "/api/v1/projects/{project}/batches/{id}", tag = "deletion",
    params(("project" = String, Path), ("id" = String, Path)),
    responses((status = 204, description = "gone"), (status = 202, body = DeletionRow),
        (status = 409, description = "merged with others; the hint says what can be deleted instead")))]
pub async fn batch(
    State(app): State<App>,
    caller: auth::Administrator,
    Path((_project, id)): Path<(String, String)>,
) -> Result<Response> {
    let id = Id::parse(&id).ok_or_else(Error::not_found)?;
    let deletion = app
        .store
        .delete_batch(caller.project(), &id, &caller.0.actor, now_us())
        .await?;
    outcome(&app, &caller, &deletion).await
}

/// Deletes a run with its batches; what its uploads held can be sent again.
#[utoipa::path(delete, path = "/api/v1/projects/{project}/runs/{id}", tag = "deletion",
    params(("project" = String, Path), ("id" = String, Path)),
    responses((status = 204, description = "gone"), (status = 202, body = DeletionRow)))]
pub async fn run(
    State(app): State<App>,
    caller: auth::Administrator,
    Path((_project, id)): Path<(String, String)>,
) -> Result<Response> {
    let id = Id::parse(&id).ok_or_else(Error::not_found)?;
    let deletion = app
        .store
        .delete_run(caller.project(), &id, &caller.0.actor, now_us())
        .await?;
    outcome(&app, &caller, &deletion).await
}

/// Deletes a release with its runs, batches and field data.
#[utoipa::path(delete, path = "/api/v1/projects/{project}/releases/{release}", tag = "deletion",
    params(("project" = String, Path), ("release" = String, Path)),
    responses((status = 204, description = "gone"), (status = 202, body = DeletionRow)))]
pub async fn release(
    State(app): State<App>,
    caller: auth::Administrator,
    Path((_project, release)): Path<(String, String)>,
) -> Result<Response> {
    let deletion = app
        .store
        .delete_release(caller.project(), &release, &caller.0.actor, now_us())
        .await?;
    outcome(&app, &caller, &deletion).await
}

/// Deletes a series with its findings; data that come later make it anew.
#[utoipa::path(delete, path = "/api/v1/projects/{project}/series/{id}", tag = "deletion",
    params(("project" = String, Path), ("id" = String, Path)),
    responses((status = 204, description = "gone"), (status = 202, body = DeletionRow)))]
pub async fn series(
    State(app): State<App>,
    caller: auth::Administrator,
    Path((_project, id)): Path<(String, String)>,
) -> Result<Response> {
    let id = SeriesId::parse(&id).ok_or_else(Error::not_found)?;
    let deletion = app
        .store
        .delete_series(caller.project(), id, &caller.0.actor, now_us())
        .await?;
    outcome(&app, &caller, &deletion).await
}

/// Deletes the project with everything in it. Its tokens and keys end at once, this one too; its name is free.
#[utoipa::path(delete, path = "/api/v1/projects/{project}", tag = "deletion",
    params(("project" = String, Path)), responses((status = 202, body = DeletionRow)))]
pub async fn project(
    State(app): State<App>,
    caller: auth::Administrator,
) -> Result<(StatusCode, Json<DeletionRow>)> {
    let deletion = app
        .store
        .delete_project(caller.project(), &caller.0.actor, now_us())
        .await?;
    app.fold.notify_one();
    Ok((StatusCode::ACCEPTED, Json(DeletionRow::from(&deletion))))
}

/// How a deletion stands.
#[utoipa::path(get, path = "/api/v1/projects/{project}/deletions/{id}", tag = "deletion",
    params(("project" = String, Path), ("id" = String, Path)), responses((status = 200, body = DeletionRow)))]
pub async fn one(
    State(app): State<App>,
    caller: auth::Administrator,
    Path((_project, id)): Path<(String, String)>,
) -> Result<Json<DeletionRow>> {
    let id = Id::parse(&id).ok_or_else(Error::not_found)?;
    let deletion = app
        .store
        .deletion(caller.project(), &id)
        .await?
        .ok_or_else(Error::not_found)?;
    Ok(Json(DeletionRow::from(&deletion)))
}

/// 204 when it is over in time, else 202 and where to ask. It is durable in either case.
async fn outcome(app: &App, caller: &auth::Administrator, deletion: &Deletion) -> Result<Response> {
    app.fold.notify_one();
    let asked = tokio::time::Instant::now();
    while asked.elapsed() < PATIENCE {
        let now = app.store.deletion(caller.project(), &deletion.id).await?;
        // None when the whole project was deleted meanwhile.
        if now.is_none_or(|now| now.done_us.is_some()) {
            // Other instances still know it stored, and say no more of it; then the fold brings back what comes again.
            app.known.forget(caller.project());
            return Ok(StatusCode::NO_CONTENT.into_response());
        }
        tokio::time::sleep(LOOK).await;
    }
    let place = format!(
        "/api/v1/projects/{}/deletions/{}",
        paths::segment(&caller.0.slug),
        deletion.id
    );
    let mut answer = (StatusCode::ACCEPTED, Json(DeletionRow::from(deletion))).into_response();
    if let Ok(place) = HeaderValue::from_str(&place) {
        answer.headers_mut().insert(header::LOCATION, place);
    }
    Ok(answer)
}
