//! Fills the list of flows.

use axum::extract::Query;
use serde::Deserialize;

use crate::http::error::Result;
use crate::http::pages::layout::Section;
use crate::http::pages::visit::Visit;
use crate::http::paths;
use crate::http::wording::names::{flow_title, source_word};
use crate::http::wording::state::State;
use crate::standing;

use super::{FlowLine, FlowsPage};

/// Flows on one page.
const SHOWN: usize = 100;

/// Where to go on.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Asked {
    from: usize,
}

/// All flows, key ones first.
pub async fn show(Query(asked): Query<Asked>, visit: Visit) -> Result<FlowsPage> {
    let config = &visit.record.config;
    let mut names = visit.record.flows();
    names.sort_by_key(|flow| (!config.is_key(flow), flow.to_lowercase()));
    let more = asked.from + SHOWN < names.len();
    let mut flows = Vec::new();
    for flow in names.iter().skip(asked.from).take(SHOWN) {
        flows.push(line(&visit, flow).await?);
    }
    Ok(FlowsPage {
        flows,
        next: more.then(|| {
            format!(
                "{}?from={}",
                paths::page(visit.slug(), "flows"),
                asked.from + SHOWN
            )
        }),
        shell: visit.shell(Section::Overview).await?,
    })
}

async fn line(visit: &Visit, flow: &str) -> Result<FlowLine> {
    let mut sources = Vec::new();
    let mut newest_us = None;
    let mut state: Option<State> = None;
    let mut series = 0;
    for tracked in visit.record.series_of(flow) {
        series += 1;
        let source = source_word(tracked.series.source);
        if !sources.contains(&source) {
            sources.push(source);
        }
        let seen = visit.record.last_seen(&visit.store, tracked).await?;
        newest_us = newest_us.max(seen.map(|(_, at_us)| at_us));
        for budget in visit.record.budgets(tracked) {
            let found = standing::standing(
                &visit.store,
                &visit.record,
                tracked,
                budget,
                &visit.findings,
                visit.now_us,
            )
            .await?;
            let own = State::from(found.state);
            state = Some(state.map_or(own, |known| known.min(own)));
        }
    }
    Ok(FlowLine {
        path: paths::flow(visit.slug(), flow),
        title: flow_title(flow),
        is_key: visit.record.config.is_key(flow),
        state,
        series,
        sources: sources.join(", "),
        newest: newest_us.map(|at_us| visit.moment(at_us.min(visit.now_us))),
    })
}
