//! What a flow's budgets have left, and who spent them.

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{record, rfc3339};
use crate::clock::now_us;
use crate::http::api::series::statistic_name;
use crate::http::error::{Error, Result};
use crate::http::{App, auth};
use crate::record::{Record, Tracked};
use crate::standing::{self, Account, LedgerShare};
use crate::stats::Interval;
use crate::stats::headroom::Forecast;
use crate::verdict::native_unit;

/// Which ledger.
#[derive(Debug, Clone, Default, Deserialize, utoipa::IntoParams)]
#[serde(default)]
pub struct LedgerQuery {
    /// Since this release; the pinned reference where left out.
    pub since: Option<String>,
    /// Only this metric.
    pub metric: Option<String>,
}

/// One release's (or several releases') part of the change.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct ShareRow {
    /// The first release it belongs to.
    pub release: String,
    /// The last one, where it is several.
    pub last_release: String,
    /// How many releases these are.
    pub releases: usize,
    /// What they added, with its range.
    #[schema(value_type = Object)]
    pub change: Interval,
    /// What the release is about.
    pub note: Option<String>,
}

/// A series' ledger; `shares` and `together` add up to the total.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct LedgerRow {
    /// The series.
    pub series: String,
    /// Its metric.
    pub metric: String,
    /// `p75` … or `median`.
    pub statistic: String,
    /// Unit of all values.
    pub unit: String,
    /// The reference release.
    pub since: String,
    /// The newest release.
    pub until: String,
    /// The whole change.
    #[schema(value_type = Object)]
    pub total: Interval,
    /// What can be named, the largest first.
    pub shares: Vec<ShareRow>,
    /// What the releases between them added, each stretch together, in their order: none of them shows its share alone.
    pub together: Vec<ShareRow>,
    /// What all of these added.
    #[schema(value_type = Object)]
    pub others: Interval,
    /// How many releases that is.
    pub others_count: usize,
}

/// The series of a flow that are held to a budget, else all of it.
fn judged<'a>(record: &'a Record, flow: &'a str, metric: Option<&str>) -> Vec<&'a Tracked> {
    let all: Vec<&Tracked> = record
        .series_of(flow)
        .filter(|tracked| metric.is_none_or(|metric| tracked.series.metric == metric))
        .collect();
    let budgeted: Vec<&Tracked> = all
        .iter()
        .copied()
        .filter(|tracked| !record.budgets(tracked).is_empty())
        .collect();
    if budgeted.is_empty() { all } else { budgeted }
}

fn ledger_row(tracked: &Tracked, q: Option<f64>, account: Account) -> LedgerRow {
    let unit = native_unit(tracked);
    let native = |interval: Interval| interval.scaled(unit.to_native(1.0));
    let row = |share: LedgerShare| ShareRow {
        release: share.first,
        last_release: share.last,
        releases: share.releases,
        change: native(share.change),
        note: share.note,
    };
    LedgerRow {
        series: tracked.id.to_string(),
        metric: tracked.series.metric.clone(),
        statistic: statistic_name(q),
        unit: tracked.series.unit.clone(),
        since: account.since,
        until: account.until,
        total: native(account.total),
        shares: account.shares.into_iter().map(row).collect(),
        together: account.together.into_iter().map(row).collect(),
        others: native(account.others),
        others_count: account.others_count,
    }
}

async fn ledgers(
    app: &App,
    caller: &auth::Reader,
    flow: &str,
    query: &LedgerQuery,
) -> Result<Vec<LedgerRow>> {
    let record = record(app, caller.project()).await?;
    if let Some(since) = &query.since
        && record.rank(since).is_none()
    {
        return Err(Error::invalid(format!("since={since:?} is no release"))
            .hint("GET …/releases lists them"));
    }
    let findings = app.store.findings(caller.project()).await?;
    let mut rows = Vec::new();
    for tracked in judged(&record, flow, query.metric.as_deref()) {
        let q = record.watched(tracked);
        let account = standing::account(
            &app.store,
            &record,
            tracked,
            q,
            query.since.as_deref(),
            &findings,
        )
        .await?;
        rows.extend(account.map(|account| ledger_row(tracked, q, account)));
    }
    if rows.is_empty() && record.series_of(flow).next().is_none() {
        return Err(Error::not_found());
    }
    Ok(rows)
}

/// Who spent what on a flow since a reference: signed shares by release that add up to the total.
#[utoipa::path(get, path = "/api/v1/projects/{project}/flows/{flow}/ledger", tag = "flows",
    params(("project" = String, Path), ("flow" = String, Path), LedgerQuery),
    responses((status = 200, body = Vec<LedgerRow>)))]
pub async fn ledger(
    State(app): State<App>,
    caller: auth::Reader,
    Path((_project, flow)): Path<(String, String)>,
    Query(query): Query<LedgerQuery>,
) -> Result<Json<Vec<LedgerRow>>> {
    Ok(Json(ledgers(&app, &caller, &flow, &query).await?))
}

/// The same ledgers as CSV.
#[utoipa::path(get, path = "/api/v1/projects/{project}/flows/{flow}/ledger.csv", tag = "flows",
    params(("project" = String, Path), ("flow" = String, Path), LedgerQuery),
    responses((status = 200, content_type = "text/csv", body = String)))]
pub async fn ledger_csv(
    State(app): State<App>,
    caller: auth::Reader,
    Path((_project, flow)): Path<(String, String)>,
    Query(query): Query<LedgerQuery>,
) -> Result<Response> {
    let ledgers = ledgers(&app, &caller, &flow, &query).await?;
    let header = [
        "series",
        "metric",
        "statistic",
        "release",
        "last_release",
        "change",
        "lower",
        "upper",
        "unit",
        "note",
    ];
    let mut rows = Vec::new();
    for ledger in ledgers {
        let named = ledger.shares.iter().chain(&ledger.together).map(|share| {
            (
                share.release.clone(),
                share.last_release.clone(),
                share.change,
                share.note.clone().unwrap_or_default(),
            )
        });
        let all: Vec<_> = named
            .chain([(
                "total".to_owned(),
                String::new(),
                ledger.total,
                String::new(),
            )])
            .collect();
        for (release, last, change, note) in all {
            rows.push(vec![
                ledger.series.clone(),
                ledger.metric.clone(),
                ledger.statistic.clone(),
                release,
                last,
                change.value.to_string(),
                change.lower.to_string(),
                change.upper.to_string(),
                ledger.unit.clone(),
                note,
            ]);
        }
    }
    Ok(crate::http::csv::answer("ledger", &header, rows.into_iter()).into_response())
}

/// What a budget has left.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct HeadroomRow {
    /// The budget.
    pub budget: String,
    /// The series.
    pub series: String,
    /// `p75` … or `median`.
    pub statistic: String,
    /// `within`, `at_risk`, `breached`, `not_enough` or `stale`.
    pub state: String,
    /// Unit of all values.
    pub unit: String,
    /// The value that the budget judges.
    #[schema(value_type = Option<Object>)]
    pub value: Option<Interval>,
    /// Samples behind it.
    pub samples: u64,
    /// The limit.
    pub limit: Option<f64>,
    /// What is left up to the limit.
    #[schema(value_type = Option<Object>)]
    pub left: Option<Interval>,
    /// The pinned reference; where that was measured in another way, the first release that was not.
    pub reference: Option<String>,
    /// What was spent since the reference.
    #[schema(value_type = Option<Object>)]
    pub spent: Option<Interval>,
    /// What was spent since the quarter began.
    #[schema(value_type = Option<Object>)]
    pub spent_this_quarter: Option<Interval>,
    /// When it runs out: days from now as an 80 % range, or why not.
    #[schema(value_type = Option<Object>)]
    pub forecast: Option<Forecast>,
    /// The earliest likely day, RFC 3339.
    pub runs_out_from: Option<String>,
    /// The latest likely day.
    pub runs_out_to: Option<String>,
    /// What a refused value would need.
    #[schema(value_type = Option<Object>)]
    pub needs: Option<crate::stats::Needs>,
}

/// What a flow's budgets have left, what was spent, and when they run out.
#[utoipa::path(get, path = "/api/v1/projects/{project}/flows/{flow}/headroom", tag = "flows",
    params(("project" = String, Path), ("flow" = String, Path)),
    responses((status = 200, body = Vec<HeadroomRow>)))]
pub async fn headroom(
    State(app): State<App>,
    caller: auth::Reader,
    Path((_project, flow)): Path<(String, String)>,
) -> Result<Json<Vec<HeadroomRow>>> {
    let record = record(&app, caller.project()).await?;
    let store = app.store.for_one_request();
    let findings = store.findings(caller.project()).await?;
    let now_us = now_us();
    let mut rows = Vec::new();
    for tracked in record.series_of(&flow) {
        for budget in record.budgets(tracked) {
            let found =
                standing::standing(&store, &record, tracked, budget, &findings, now_us).await?;
            rows.push(headroom_row(&found, now_us));
        }
    }
    if rows.is_empty() && record.series_of(&flow).next().is_none() {
        return Err(Error::not_found());
    }
    Ok(Json(rows))
}

fn headroom_row(found: &standing::Standing<'_>, now_us: i64) -> HeadroomRow {
    let unit = native_unit(found.tracked);
    let native = |interval: Interval| interval.scaled(unit.to_native(1.0));
    let day = |days: f64| rfc3339(now_us + (days * crate::record::DAY_US as f64) as i64);
    let (from, to) = match found.forecast {
        Some(Forecast::Between {
            early_days,
            late_days,
        }) => (Some(day(early_days)), late_days.map(day)),
        _ => (None, None),
    };
    HeadroomRow {
        budget: found.budget.id.clone(),
        series: found.tracked.id.to_string(),
        statistic: statistic_name(found.q),
        state: match serde_json::to_value(found.state) {
            Ok(Value::String(word)) => word,
            _ => String::new(),
        },
        unit: found.tracked.series.unit.clone(),
        value: found.value.map(native),
        samples: found.samples,
        limit: found.limit.map(|limit| unit.to_native(limit)),
        left: found.left.map(native),
        reference: found.reference.as_ref().map(|(release, _)| release.clone()),
        spent: found.spent.map(native),
        spent_this_quarter: found.spent_this_quarter.map(native),
        forecast: found.forecast,
        runs_out_from: from,
        runs_out_to: to,
        needs: found.needs,
    }
}
