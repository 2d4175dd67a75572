//! What would go unseen in a flow's series.

use axum::Json;
use axum::extract::{Path, State};
use serde::Serialize;

use super::{record, rfc3339};
use crate::blind_spots;
use crate::http::api::series::statistic_name;
use crate::http::error::{Error, Result};
use crate::http::{App, auth};
use crate::stats::blind_spot::BlindSpot;

/// What would go unseen in one series.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct BlindSpotRow {
    /// The series.
    pub series: String,
    /// Source, metric and labels in words.
    pub name: String,
    /// `p75` … or `median`: what changes are looked for in.
    pub statistic: String,
    /// The sizes; null while there is too little history for a quarter and what came before it, or in the first
    /// minutes.
    #[schema(value_type = Option<Object>)]
    pub blind_spot: Option<BlindSpot>,
    /// When it was worked out, about daily.
    pub found: Option<String>,
}

/// The smallest step and the smallest bleed that would be told within a quarter, for each series of a flow.
#[utoipa::path(get, path = "/api/v1/projects/{project}/flows/{flow}/blindspots", tag = "flows",
    params(("project" = String, Path), ("flow" = String, Path)),
    responses((status = 200, body = Vec<BlindSpotRow>)))]
pub async fn of_flow(
    State(app): State<App>,
    caller: auth::Reader,
    Path((_project, flow)): Path<(String, String)>,
) -> Result<Json<Vec<BlindSpotRow>>> {
    let record = record(&app, caller.project()).await?;
    let mut rows = Vec::new();
    for tracked in record.series_of(&flow) {
        let known = blind_spots::known(&app.store, caller.project(), tracked.id).await?;
        let q = record.watched(tracked);
        rows.push(BlindSpotRow {
            series: tracked.id.to_string(),
            name: tracked.line_with(q),
            statistic: statistic_name(q),
            blind_spot: known.map(|(found, _)| found),
            found: known.map(|(_, at_us)| rfc3339(at_us)),
        });
    }
    if rows.is_empty() && !record.config.declares_flow(&flow) {
        return Err(Error::not_found());
    }
    Ok(Json(rows))
}
