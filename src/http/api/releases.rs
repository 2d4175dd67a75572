//! Releases and runs.

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};

use super::{Page, PageQuery, record, rfc3339};
use crate::clock::now_us;
use crate::http::error::{Error, Result};
use crate::http::ingest::parse_time;
use crate::http::{App, auth};
use crate::store::{Id, Release, Run};

/// A release as registered.
#[derive(Debug, Clone, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewRelease {
    /// Its name, at most 200 characters.
    pub name: String,
    /// Commit hash.
    #[serde(default)]
    pub commit: Option<String>,
    /// First parent: a release name or commit hash.
    #[serde(default)]
    pub parent: Option<String>,
    /// Branch; none means the main branch.
    #[serde(default)]
    pub branch: Option<String>,
    /// Commit or deploy time, RFC 3339; none means now.
    #[serde(default)]
    pub time: Option<String>,
    /// What it is about.
    #[serde(default)]
    pub note: Option<String>,
}

/// A release as listed.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct ReleaseRow {
    /// Its name.
    pub name: String,
    /// Commit hash.
    pub commit: Option<String>,
    /// First parent.
    pub parent: Option<String>,
    /// Branch.
    pub branch: Option<String>,
    /// Commit, deploy or first-seen time.
    pub time: String,
    /// What it is about.
    pub note: Option<String>,
}

impl From<&Release> for ReleaseRow {
    fn from(release: &Release) -> Self {
        ReleaseRow {
            name: release.name.clone(),
            commit: release.commit.clone(),
            parent: release.parent.clone(),
            branch: release.branch.clone(),
            time: rfc3339(release.time_us),
            note: release.note.clone(),
        }
    }
}

/// Longest release name.
const NAME_CHARS: usize = 200;

/// Registers a release, or tells more about a known one.
#[utoipa::path(post, path = "/api/v1/projects/{project}/releases", tag = "releases",
    params(("project" = String, Path)), request_body = NewRelease,
    responses((status = 201, body = ReleaseRow)))]
pub async fn declare(
    State(app): State<App>,
    caller: auth::Ingester,
    Json(new): Json<NewRelease>,
) -> Result<(StatusCode, Json<ReleaseRow>)> {
    let name = new.name.trim();
    if name.is_empty() || name.chars().count() > NAME_CHARS {
        return Err(Error::invalid("name must have 1 to 200 characters"));
    }
    let config = app.known.config(&app.store, caller.project()).await?;
    let release = Release {
        name: name.to_owned(),
        on_main: new
            .branch
            .as_ref()
            .is_none_or(|branch| *branch == config.project.main_branch),
        commit: new.commit,
        parent: new.parent,
        branch: new.branch,
        time_us: match &new.time {
            Some(time) => parse_time(time)?,
            None => now_us(),
        },
        declared: true,
        note: new.note,
    };
    app.store
        .declare_release(caller.project(), &release, now_us())
        .await?;
    Ok((StatusCode::CREATED, Json(ReleaseRow::from(&release))))
}

/// Lists the main branch's releases, newest first.
#[utoipa::path(get, path = "/api/v1/projects/{project}/releases", tag = "releases",
    params(("project" = String, Path), PageQuery), responses((status = 200, body = Page<ReleaseRow>)))]
pub async fn list(
    State(app): State<App>,
    caller: auth::Reader,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<ReleaseRow>>> {
    let record = record(&app, caller.project()).await?;
    let rows = record.releases.iter().rev().map(ReleaseRow::from).collect();
    Ok(Json(page.cut(rows)?))
}

/// A run as listed.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct RunRow {
    /// Its id.
    pub id: String,
    /// The sender's name of it.
    pub name: String,
    /// The release it measured.
    pub release: String,
    /// Named kind of machine.
    pub testbed: String,
    /// When it began.
    pub started: String,
    /// Why it counts in no statistics, if it does not.
    pub excluded: Option<String>,
}

fn run_row(id: &Id, run: &Run) -> RunRow {
    RunRow {
        id: id.to_string(),
        name: run.name.clone(),
        release: run.release.clone(),
        testbed: run.testbed.clone(),
        started: rfc3339(run.started_us),
        excluded: run.excluded.clone(),
    }
}

/// Lists the runs of a release.
#[utoipa::path(get, path = "/api/v1/projects/{project}/releases/{release}/runs", tag = "releases",
    params(("project" = String, Path), ("release" = String, Path)), responses((status = 200, body = Vec<RunRow>)))]
pub async fn runs(
    State(app): State<App>,
    caller: auth::Reader,
    Path((_project, release)): Path<(String, String)>,
) -> Result<Json<Vec<RunRow>>> {
    let runs = app
        .store
        .runs_of_release(caller.project(), &release)
        .await?;
    Ok(Json(
        runs.iter().map(|(id, run)| run_row(id, run)).collect(),
    ))
}

/// Excludes a run from all statistics, or restores it.
#[derive(Debug, Clone, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RunChange {
    /// Whether it is excluded from now on.
    pub excluded: bool,
    /// Why; needed to exclude.
    #[serde(default)]
    pub reason: Option<String>,
}

/// Excludes or restores a run, with a reason; windows are rebuilt and its series judged again.
#[utoipa::path(patch, path = "/api/v1/projects/{project}/runs/{id}", tag = "releases",
    params(("project" = String, Path), ("id" = String, Path)), request_body = RunChange,
    responses((status = 200, body = RunRow)))]
pub async fn change_run(
    State(app): State<App>,
    caller: auth::Administrator,
    Path((_project, id)): Path<(String, String)>,
    Json(change): Json<RunChange>,
) -> Result<Json<RunRow>> {
    let id = Id::parse(&id).ok_or_else(Error::not_found)?;
    let reason = match (change.excluded, change.reason.as_deref().map(str::trim)) {
        (true, None | Some("")) => {
            return Err(Error::invalid("reason is missing").hint("say why the run does not count"));
        }
        (true, reason) => reason,
        (false, _) => None,
    };
    let owner = Id::new().to_string();
    let lease = app
        .store
        .lease(caller.project(), "fold", &owner, now_us())
        .await?
        .ok_or_else(Error::busy)?;
    let done = app
        .store
        .exclude_run(&lease, &id, reason, &caller.0.actor, now_us())
        .await;
    app.store.give_back(&lease).await?;
    done?;
    let run = app
        .store
        .run(caller.project(), &id)
        .await?
        .ok_or_else(Error::not_found)?;
    Ok(Json(run_row(&id, &run)))
}
