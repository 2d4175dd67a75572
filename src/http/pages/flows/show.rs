//! Fills the list of all flows.

use std::collections::BTreeSet;

use axum::extract::{Query, State};
use serde::Deserialize;

use crate::http::error::Result;
use crate::http::pages::layout::Section;
use crate::http::pages::visit::Visit;
use crate::http::{App, paths};
use crate::record::Tracked;
use crate::standing::standing;
use crate::wording::names::{flow_title, source_word};

use super::{FlowLine, FlowsPage};

/// Rows on a page.
const ROWS: usize = 100;

/// Where the list goes on.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Choice {
    after: usize,
}

/// The list of all flows, key ones first.
pub async fn show(
    State(_app): State<App>,
    visit: Visit,
    Query(choice): Query<Choice>,
) -> Result<FlowsPage> {
    let mut names = visit.record.flows();
    names.sort_by_key(|flow| (!visit.record.config.is_key(flow), flow.clone()));
    let after = choice.after.saturating_add(ROWS);
    let next = (names.len() > after)
        .then(|| format!("{}?after={after}", paths::page(visit.slug(), "flows")));
    let mut flows = Vec::new();
    for flow in names.into_iter().skip(choice.after).take(ROWS) {
        flows.push(line(&visit, &flow).await?);
    }
    Ok(FlowsPage {
        flows,
        next,
        shell: visit.shell(Section::Overview).await?,
    })
}

async fn line(visit: &Visit, flow: &str) -> Result<FlowLine> {
    let series: Vec<&Tracked> = visit.record.series_of(flow).collect();
    let sources: BTreeSet<&str> = series
        .iter()
        .map(|tracked| source_word(tracked.series.source))
        .collect();
    let main = visit.main_series(flow);
    let (mut state, mut newest) = (None, None);
    if let Some(tracked) = main {
        newest = visit
            .record
            .last_seen(&visit.store, tracked)
            .await?
            .map(|(_, at_us)| visit.moment(at_us));
        if let Some(budget) = visit.record.budgets(tracked).first() {
            let (store, record, findings) = (&visit.store, &visit.record, &visit.findings);
            let found = standing(store, record, tracked, budget, findings, visit.now_us).await?;
            state = Some(found.state.into());
        }
    }
    Ok(FlowLine {
        path: paths::flow(visit.slug(), flow),
        title: flow_title(flow),
        is_key: visit.record.config.is_key(flow),
        state,
        series: series.len() as u64,
        sources: sources.into_iter().collect::<Vec<_>>().join(", "),
        newest,
    })
}
