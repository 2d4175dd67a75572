//! Gates: asking, and reading past answers.

use axum::Json;
use axum::extract::{Path, Query, State};
use serde::Deserialize;

use super::{Page, PageQuery, record};
use crate::clock::now_us;
use crate::http::error::{Error, Result};
use crate::http::{App, auth, paths};
use crate::store::Id;
use crate::verdict::{self, Answer, AskError};

/// The question.
#[derive(Debug, Clone, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// The release to judge.
    pub release: String,
}

impl From<AskError> for Error {
    fn from(error: AskError) -> Self {
        let detail = error.to_string();
        match error {
            AskError::NoGate(_) => Error::new(axum::http::StatusCode::NOT_FOUND, "no_gate", detail)
                .hint("gates are declared in longwatch.toml; see GET …/config"),
            AskError::NoRelease(_) => {
                Error::new(axum::http::StatusCode::NOT_FOUND, "no_release", detail)
                    .hint("push results with this release, or register it with longwatch release")
            }
            AskError::Store(error) => error.into(),
        }
    }
}

/// Asks a gate about a release. The same evidence gives the same stored verdict, so asking again is no new look.
#[utoipa::path(post, path = "/api/v1/projects/{project}/gates/{gate}/verdicts", tag = "gates",
    params(("project" = String, Path), ("gate" = String, Path)), request_body = Question,
    responses((status = 200, body = Object)))]
pub async fn ask(
    State(app): State<App>,
    caller: auth::GateAsker,
    Path((project, gate)): Path<(String, String)>,
    Json(question): Json<Question>,
) -> Result<Json<Answer>> {
    let record = record(&app, caller.project()).await?;
    let url = format!("{}{}", app.settings.public_url, paths::project(&project));
    let answer = verdict::ask(
        &app.store,
        &record,
        &gate,
        &question.release,
        &url,
        now_us(),
    )
    .await?;
    Ok(Json(answer))
}

/// Lists a gate's verdicts, newest first.
#[utoipa::path(get, path = "/api/v1/projects/{project}/gates/{gate}/verdicts", tag = "gates",
    params(("project" = String, Path), ("gate" = String, Path), PageQuery),
    responses((status = 200, body = Page<Object>)))]
pub async fn list(
    State(app): State<App>,
    caller: auth::Reader,
    Path((_project, gate)): Path<(String, String)>,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<Answer>>> {
    let stored = app.store.verdicts(caller.project(), 1_000).await?;
    let answers = stored
        .iter()
        .filter(|stored| stored.gate == gate)
        .map(verdict::decode)
        .collect::<std::result::Result<Vec<Answer>, _>>()?;
    Ok(Json(page.cut(answers)?))
}

/// One verdict, as it was given.
#[utoipa::path(get, path = "/api/v1/projects/{project}/gates/{gate}/verdicts/{id}", tag = "gates",
    params(("project" = String, Path), ("gate" = String, Path), ("id" = String, Path)),
    responses((status = 200, body = Object)))]
pub async fn one(
    State(app): State<App>,
    caller: auth::Reader,
    Path((_project, gate, id)): Path<(String, String, String)>,
) -> Result<Json<Answer>> {
    let id = Id::parse(&id).ok_or_else(Error::not_found)?;
    let stored = app
        .store
        .verdict(caller.project(), &id)
        .await?
        .filter(|stored| stored.gate == gate)
        .ok_or_else(Error::not_found)?;
    Ok(Json(verdict::decode(&stored)?))
}
