//! Fills the list of projects.

use axum::extract::State;

use crate::clock::now_us;
use crate::http::error::Result;
use crate::http::pages::layout::{Account, Shell};
use crate::http::pages::overview::show::worst;
use crate::http::{App, api, auth::Visitor, paths};
use crate::standing::standing;
use crate::store::ProjectId;
use crate::wording::moment::Moment;
use crate::wording::state::State as Stands;

use super::{ProjectRow, ProjectsPage};

/// Projects whose states are worked out; beyond them only names are listed.
const WORKED_OUT: usize = 30;
/// Verdicts searched for those about the last release.
const SEARCHED: i64 = 100;

/// The list of projects.
pub async fn show(State(app): State<App>, visitor: Visitor) -> Result<ProjectsPage> {
    let now_us = now_us();
    let mut projects = Vec::new();
    for (index, (project, slug)) in app.store.projects().await?.into_iter().enumerate() {
        projects.push(if index < WORKED_OUT {
            row(&app, &project, slug, now_us).await?
        } else {
            bare(slug)
        });
    }
    ProjectsPage::sort(&mut projects);
    let account = visitor.name.map_or(Account::Guest, Account::SignedIn);
    Ok(ProjectsPage {
        shell: Shell::bare(account, now_us),
        projects,
    })
}

fn bare(slug: String) -> ProjectRow {
    ProjectRow {
        path: paths::project(&slug),
        name: slug,
        states: vec![],
        last_release: None,
        data_to: None,
    }
}

async fn row(app: &App, project: &ProjectId, slug: String, now_us: i64) -> Result<ProjectRow> {
    let record = api::record(app, project).await?;
    let store = app.store.for_one_request();
    let findings = store.findings(project).await?;
    let mut counts = [
        Stands::Breached,
        Stands::AtRisk,
        Stands::Stale,
        Stands::Within,
        Stands::NotEnough,
    ]
    .map(|state| (state, 0));
    let mut newest = record.runs.values().map(|run| run.started_us).max();
    for tracked in record
        .series
        .values()
        .filter(|tracked| record.config.is_key(&tracked.flow))
    {
        for budget in record.budgets(tracked) {
            let found = standing(&store, &record, tracked, budget, &findings, now_us).await?;
            newest = newest.max(found.newest_us);
            let state = Stands::from(found.state);
            counts
                .iter_mut()
                .filter(|(known, _)| *known == state)
                .for_each(|(_, count)| *count += 1);
        }
    }
    let verdicts = store.verdicts(project, SEARCHED).await?;
    Ok(ProjectRow {
        path: paths::project(&slug),
        name: slug,
        states: counts.into(),
        last_release: record
            .releases
            .last()
            .map(|last| (last.name.clone(), worst(&verdicts, &last.name))),
        data_to: newest.map(|at_us| Moment::new(at_us.min(now_us), now_us)),
    })
}
