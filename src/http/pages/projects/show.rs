//! Fills the list of projects.

use axum::extract::State;
use axum::http::Uri;

use crate::clock::now_us;
use crate::http::error::Result;
use crate::http::pages::layout::{Account, Shell};
use crate::http::pages::overview::show::worst;
use crate::http::wording::moment::Moment;
use crate::http::wording::state::State as Standing;
use crate::http::{App, api, auth, paths};
use crate::standing;
use crate::store::ProjectId;

use super::{ProjectRow, ProjectsPage};

/// All projects, worst first.
pub async fn show(
    State(app): State<App>,
    visitor: auth::Visitor,
    uri: Uri,
) -> Result<ProjectsPage> {
    let now_us = now_us();
    let mut projects = Vec::new();
    for (project, slug) in app.store.projects().await? {
        projects.push(row(&app, &project, slug, now_us).await?);
    }
    ProjectsPage::sort(&mut projects);
    let account = visitor.name.map_or(Account::Guest, Account::SignedIn);
    Ok(ProjectsPage {
        projects,
        shell: Shell {
            address: format!("{}{}", app.settings.public_url, uri.path()),
            ..Shell::bare(account, now_us)
        },
    })
}

async fn row(app: &App, project: &ProjectId, slug: String, now_us: i64) -> Result<ProjectRow> {
    let record = api::record_of(&app.store, project).await?;
    let findings = app.store.findings(project).await?;
    let verdicts = app.store.verdicts(project, 200).await?;
    let mut states: Vec<(Standing, u64)> = Vec::new();
    for flow in record.flows() {
        if !record.config.is_key(&flow) {
            continue;
        }
        let mut worst_of_flow = None;
        for tracked in record.series_of(&flow) {
            for budget in record.budgets(tracked) {
                let found =
                    standing::standing(&app.store, &record, tracked, budget, &findings, now_us)
                        .await?;
                let state = Standing::from(found.state);
                worst_of_flow =
                    Some(worst_of_flow.map_or(state, |known: Standing| known.min(state)));
            }
        }
        let state = worst_of_flow.unwrap_or(Standing::NotEnough);
        match states.iter_mut().find(|(known, _)| *known == state) {
            Some((_, count)) => *count += 1,
            None => states.push((state, 1)),
        }
    }
    let newest_us = record.runs.values().map(|run| run.started_us).max();
    Ok(ProjectRow {
        path: paths::project(&slug),
        name: slug,
        states,
        last_release: record
            .releases
            .last()
            .map(|release| (release.name.clone(), worst(&verdicts, &release.name))),
        data_to: newest_us.map(|at_us| Moment::new(at_us, now_us)),
    })
}
