//! Series with their points and histograms.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use collectors::report::{Basis, Direction, Source};
use collectors::units::Unit;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Page, PageQuery, record, rfc3339};
use crate::detector;
use crate::http::error::{Error, Result};
use crate::http::ingest::parse_time;
use crate::http::{App, auth};
use crate::record::{By, CONFIDENCE, Measured, Point, Record, Tracked};
use crate::stats::{Estimate, Needs};
use crate::store::{SeriesId, Span, StoreError, Window};
use crate::verdict::native_unit;

/// Percentiles that are given where none is asked for.
const USUAL: [f64; 3] = [0.5, 0.75, 0.99];

/// A series as listed.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct SeriesRow {
    /// Its stable id.
    pub id: String,
    /// The flow it belongs to.
    pub flow: String,
    /// The name as sent.
    pub name: String,
    /// Metric in snake_case.
    pub metric: String,
    /// Unit of all values in answers.
    pub unit: String,
    /// Where measured.
    #[schema(value_type = String)]
    pub source: Source,
    /// Named kind of machine or device.
    pub testbed: String,
    /// What one value stands for.
    #[schema(value_type = String)]
    pub basis: Basis,
    /// Which way is good.
    #[schema(value_type = String)]
    pub direction: Direction,
    /// Dimensions that split series.
    pub labels: BTreeMap<String, String>,
    /// Budgets that it is held to.
    pub budgets: Vec<String>,
}

/// Which series.
#[derive(Debug, Clone, Default, Deserialize, utoipa::IntoParams)]
#[serde(default)]
pub struct SeriesQuery {
    /// Only this flow.
    pub flow: Option<String>,
    /// Only this metric.
    pub metric: Option<String>,
    /// Only this source.
    #[param(value_type = Option<String>)]
    pub source: Option<Source>,
    /// At most this many rows.
    pub limit: Option<usize>,
    /// Where to go on.
    pub cursor: Option<String>,
    /// Labels as `label.name=value`.
    #[serde(flatten)]
    #[param(ignore)]
    pub labels: BTreeMap<String, String>,
}

fn row(record: &Record, tracked: &Tracked) -> SeriesRow {
    let series = &tracked.series;
    SeriesRow {
        id: tracked.id.to_string(),
        flow: tracked.flow.clone(),
        name: series.flow_name.clone(),
        metric: series.metric.clone(),
        unit: series.unit.clone(),
        source: series.source,
        testbed: series.testbed.clone(),
        basis: series.basis,
        direction: tracked.direction,
        labels: series.labels.clone(),
        budgets: record
            .budgets(tracked)
            .iter()
            .map(|budget| budget.id.clone())
            .collect(),
    }
}

/// Lists series.
#[utoipa::path(get, path = "/api/v1/projects/{project}/series", tag = "series",
    params(("project" = String, Path), SeriesQuery), responses((status = 200, body = Page<SeriesRow>)))]
pub async fn list(
    State(app): State<App>,
    caller: auth::Reader,
    Query(query): Query<SeriesQuery>,
) -> Result<Json<Page<SeriesRow>>> {
    let record = record(&app, caller.project()).await?;
    let wanted = |tracked: &&Tracked| {
        let series = &tracked.series;
        query.flow.as_ref().is_none_or(|flow| *flow == tracked.flow)
            && query
                .metric
                .as_ref()
                .is_none_or(|metric| *metric == series.metric)
            && query.source.is_none_or(|source| source == series.source)
            && query.labels.iter().all(|(name, value)| {
                name.strip_prefix("label.")
                    .is_some_and(|name| series.labels.get(name) == Some(value))
            })
    };
    let rows = record
        .series
        .values()
        .filter(wanted)
        .map(|tracked| row(&record, tracked))
        .collect();
    let page = PageQuery {
        limit: query.limit,
        cursor: query.cursor,
    };
    Ok(Json(page.cut(rows)?))
}

/// Which points.
#[derive(Debug, Clone, Default, Deserialize, utoipa::IntoParams)]
#[serde(default)]
pub struct PointsQuery {
    /// `release` (default), `day`, `hour`, or `evidence`: each run, or each UTC day of field data, at the one statistic that
    /// is watched, as changes are looked for in them (`longwatch detect` reads that CSV).
    pub by: Option<String>,
    /// From this time on, RFC 3339.
    pub from: Option<String>,
    /// Up to, not including, this time.
    pub to: Option<String>,
    /// Percentiles as quantiles between 0 and 1, comma-separated (`0.75,0.99`).
    pub q: Option<String>,
}

/// A series at one release, day or hour.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct PointRow {
    /// When.
    pub time: String,
    /// The release measured.
    pub release: String,
    /// `p75`, `p99` … or `median`: of runs where the basis has no percentiles.
    pub statistic: String,
    /// The value; null where the count does not allow it.
    pub value: Option<f64>,
    /// Lower end of the range.
    pub lower: Option<f64>,
    /// Upper end of the range.
    pub upper: Option<f64>,
    /// Unit of the three.
    pub unit: String,
    /// Values recorded.
    pub count: u64,
    /// Failed operations among them.
    pub failed: u64,
    /// Runs behind it, for lab sources.
    pub runs: u32,
    /// Epoch, counted from 0: points of different epochs are not comparable.
    pub epoch: u32,
    /// The limit of the budget on this statistic, if there is one.
    pub budget: Option<f64>,
    /// Whether the window is still open.
    pub provisional: bool,
    /// What a refused value or range would need.
    #[schema(value_type = Option<Object>)]
    pub needs: Option<Needs>,
}

/// A series' points.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct Points {
    /// The series.
    pub series: SeriesRow,
    /// Oldest first.
    pub points: Vec<PointRow>,
}

fn parse_id(id: &str) -> Result<SeriesId> {
    SeriesId::parse(id).ok_or_else(Error::not_found)
}

fn parse_qs(text: Option<&str>) -> Result<Vec<f64>> {
    let Some(text) = text else {
        return Ok(USUAL.to_vec());
    };
    let qs: Vec<f64> = text
        .split(',')
        .map(|q| q.trim().parse::<f64>().ok())
        .collect::<Option<_>>()
        .filter(|qs: &Vec<f64>| qs.len() <= 20 && qs.iter().all(|q| (0.001..=0.999_99).contains(q)))
        .ok_or_else(|| {
            Error::invalid(format!("q={text:?}"))
                .hint("give up to 20 quantiles between 0.001 and 0.99999, such as q=0.75,0.99")
        })?;
    Ok(qs)
}

fn range(from: Option<&str>, to: Option<&str>) -> Result<(i64, i64)> {
    let from_us = from.map(parse_time).transpose()?.unwrap_or(i64::MIN);
    let to_us = to.map(parse_time).transpose()?.unwrap_or(i64::MAX);
    if from_us >= to_us {
        return Err(Error::invalid("from must lie before to"));
    }
    Ok((from_us, to_us))
}

/// A series' points by release, day or hour; with `.csv` behind `points` as CSV.
#[utoipa::path(get, path = "/api/v1/projects/{project}/series/{id}/points", tag = "series",
    params(("project" = String, Path), ("id" = String, Path), PointsQuery),
    responses((status = 200, body = Points)))]
pub async fn points(
    State(app): State<App>,
    caller: auth::Reader,
    Path((_project, id)): Path<(String, String)>,
    Query(query): Query<PointsQuery>,
) -> Result<Response> {
    let points = read_points(&app, &caller, &id, &query).await?;
    // A year is 160 KB in 26,000 pieces, each of which axum's own `Json` would make room for.
    let mut text = Vec::with_capacity(512 + points.points.len() * 256);
    serde_json::to_writer(&mut text, &points)
        .map_err(|error| StoreError::Corrupt(format!("points: {error}")))?;
    Ok(([(header::CONTENT_TYPE, "application/json")], text).into_response())
}

async fn read_points(
    app: &App,
    caller: &auth::Reader,
    id: &str,
    query: &PointsQuery,
) -> Result<Points> {
    let by = match query.by.as_deref() {
        None | Some("release") => Some(By::Release),
        Some("day") => Some(By::Day),
        Some("hour") => Some(By::Hour),
        Some("evidence") => None,
        Some(other) => {
            let hint = "use release, day, hour or evidence";
            return Err(Error::invalid(format!("by={other:?}")).hint(hint));
        }
    };
    if by.is_none() && query.q.is_some() {
        return Err(Error::invalid("q with by=evidence")
            .hint("evidence is of the statistic that is watched; leave q out"));
    }
    let qs = parse_qs(query.q.as_deref())?;
    let (from_us, to_us) = range(query.from.as_deref(), query.to.as_deref())?;
    let record = record(app, caller.project()).await?;
    let tracked = record
        .series
        .get(&parse_id(id)?)
        .ok_or_else(Error::not_found)?;
    let watched;
    let (points, qs) = match by {
        Some(by) => {
            let points = record.points(&app.store, tracked, by, from_us, to_us, &qs);
            (points.await?, &qs[..])
        }
        None => {
            watched = record.watched(tracked);
            let mut points = evidence(app, &record, tracked).await?;
            points.retain(|point| (from_us..to_us).contains(&point.time_us));
            (points, watched.as_slice())
        }
    };
    let shown = Shown::of(&record, tracked, qs);
    Ok(Points {
        series: row(&record, tracked),
        points: points.into_iter().map(|point| shown.row(point)).collect(),
    })
}

/// A series' units of evidence as points of their own.
async fn evidence(app: &App, record: &Record, tracked: &Tracked) -> Result<Vec<Point>> {
    let q = record.watched(tracked);
    let (measured, _) = detector::units(&app.store, record, tracked).await?;
    let point = |unit: Measured| Point {
        release: record
            .releases
            .get(unit.release)
            .map_or_else(String::new, |release| release.name.clone()),
        time_us: unit.time_us,
        measured_us: (unit.time_us, unit.time_us),
        q,
        interval: unit.se.map(|se| {
            Estimate {
                value: unit.value,
                se,
            }
            .interval(CONFIDENCE)
        }),
        se: unit.se,
        bare: unit.se.is_none().then_some(unit.value),
        needs: None,
        count: unit.count,
        failed: 0,
        runs: u32::from(unit.run.is_some()),
        epoch: unit.epoch,
        provisional: false,
    };
    Ok(measured.into_iter().map(point).collect())
}

/// What all points of an answer have in common.
struct Shown<'a> {
    unit: Unit,
    unit_name: &'a str,
    /// Each statistic's name and the limit of its budget, in the series' own unit.
    statistics: Vec<(Option<f64>, String, Option<f64>)>,
}

impl<'a> Shown<'a> {
    fn of(record: &Record, tracked: &'a Tracked, qs: &[f64]) -> Shown<'a> {
        let unit = native_unit(tracked);
        let budgets = record.budgets(tracked);
        let limit = |q: Option<f64>| {
            let budget = budgets.iter().find(|budget| budget.quantile() == q)?;
            budget.limit.to_base(tracked.dimension).ok()
        };
        let asked = qs.iter().map(|q| Some(*q));
        Shown {
            unit,
            unit_name: &tracked.series.unit,
            statistics: asked
                .chain([None])
                .map(|q| {
                    (
                        q,
                        statistic_name(q),
                        limit(q).map(|base| unit.to_native(base)),
                    )
                })
                .collect(),
        }
    }

    fn row(&self, point: Point) -> PointRow {
        let native = |base: f64| self.unit.to_native(base);
        let statistic = self.statistics.iter().find(|(q, ..)| *q == point.q);
        let (name, budget) = statistic.map_or_else(
            || (statistic_name(point.q), None),
            |(_, name, budget)| (name.clone(), *budget),
        );
        PointRow {
            time: rfc3339(point.time_us),
            value: point.value().map(native),
            release: point.release,
            statistic: name,
            lower: point.interval.map(|interval| native(interval.lower)),
            upper: point.interval.map(|interval| native(interval.upper)),
            unit: self.unit_name.to_owned(),
            count: point.count,
            failed: point.failed,
            runs: point.runs,
            epoch: point.epoch,
            budget,
            provisional: point.provisional,
            needs: point.needs,
        }
    }
}

/// `p75`, `p99.9` or `median`.
pub fn statistic_name(q: Option<f64>) -> String {
    match q {
        Some(q) => format!("p{}", (q * 1e5).round() / 1e3),
        None => "median".to_owned(),
    }
}

/// The same points as CSV, cells quoted and never formulas.
#[utoipa::path(get, path = "/api/v1/projects/{project}/series/{id}/points.csv", tag = "series",
    params(("project" = String, Path), ("id" = String, Path), PointsQuery),
    responses((status = 200, content_type = "text/csv", body = String)))]
pub async fn points_csv(
    State(app): State<App>,
    caller: auth::Reader,
    Path((_project, id)): Path<(String, String)>,
    Query(query): Query<PointsQuery>,
) -> Result<Response> {
    let points = read_points(&app, &caller, &id, &query).await?;
    let header = [
        "time",
        "release",
        "statistic",
        "value",
        "lower",
        "upper",
        "unit",
        "count",
        "failed",
        "runs",
        "epoch",
        "budget",
        "needs",
    ];
    let rows = points.points.iter().map(|point| {
        let number = |value: Option<f64>| value.map(|v| v.to_string()).unwrap_or_default();
        let needs = point.needs.map_or_else(String::new, |needs| {
            serde_json::to_string(&needs).unwrap_or_default()
        });
        vec![
            point.time.clone(),
            point.release.clone(),
            point.statistic.clone(),
            number(point.value),
            number(point.lower),
            number(point.upper),
            point.unit.clone(),
            point.count.to_string(),
            point.failed.to_string(),
            point.runs.to_string(),
            point.epoch.to_string(),
            number(point.budget),
            needs,
        ]
    });
    Ok(crate::http::csv::answer("points", &header, rows))
}

/// Which histogram.
#[derive(Debug, Clone, Default, Deserialize, utoipa::IntoParams)]
#[serde(default)]
pub struct HistogramQuery {
    /// One release's.
    pub release: Option<String>,
    /// From this time on, RFC 3339 (whole UTC days).
    pub from: Option<String>,
    /// Up to, not including, this time.
    pub to: Option<String>,
    /// `json` (default) or `hdr` for an HdrHistogram V2 payload in base units.
    pub format: Option<String>,
}

/// A series' merged histogram over a release or a stretch of time.
#[utoipa::path(get, path = "/api/v1/projects/{project}/series/{id}/histogram", tag = "series",
    params(("project" = String, Path), ("id" = String, Path), HistogramQuery),
    responses((status = 200, body = Object)))]
pub async fn histogram(
    State(app): State<App>,
    caller: auth::Reader,
    Path((_project, id)): Path<(String, String)>,
    Query(query): Query<HistogramQuery>,
) -> Result<Response> {
    let record = record(&app, caller.project()).await?;
    let tracked = record
        .series
        .get(&parse_id(&id)?)
        .ok_or_else(Error::not_found)?;
    let mut whole: Option<Window> = None;
    for window in windows(&app, &record, tracked, &query).await? {
        match &mut whole {
            None => whole = Some(window),
            Some(whole) => whole.merge(&window)?,
        }
    }
    let whole = whole.ok_or_else(|| {
        Error::not_found().hint("this series has no data in that release or time")
    })?;
    match query.format.as_deref() {
        None | Some("json") => Ok(Json(described(tracked, &whole)).into_response()),
        Some("hdr") => {
            let body = whole.body.unwrap_or_default().merged().encode_base64();
            Ok(([(header::CONTENT_TYPE, "application/x-hdrhistogram")], body).into_response())
        }
        Some(other) => Err(Error::invalid(format!("format={other:?}")).hint("use json or hdr")),
    }
}

async fn windows(
    app: &App,
    record: &Record,
    tracked: &Tracked,
    query: &HistogramQuery,
) -> Result<Vec<Window>> {
    let (from_us, to_us) = range(query.from.as_deref(), query.to.as_deref())?;
    let timed = query.from.is_some() || query.to.is_some();
    let mut found = Vec::new();
    for id in tracked.predecessors.iter().copied().chain([tracked.id]) {
        let like = match (timed, tracked.series.is_field()) {
            (true, true) => Span::Day(0),
            (true, false) => Span::Run(crate::store::Id::NIL),
            (false, _) => Span::Release,
        };
        let all = app
            .store
            .windows(&record.project, id, like, from_us.max(0), to_us, true)
            .await?;
        found.extend(all.into_iter().filter(|window| {
            let in_release = query
                .release
                .as_ref()
                .is_none_or(|release| *release == window.key.release);
            let in_time =
                !timed || (from_us..to_us).contains(&window.first_us) || tracked.series.is_field();
            in_release && in_time
        }));
    }
    Ok(found)
}

/// A window as JSON: buckets in the native unit, with what is not a histogram beside them.
fn described(tracked: &Tracked, window: &Window) -> Value {
    let unit = native_unit(tracked);
    let native = |base: f64| unit.to_native(base);
    let body = window.body.clone().unwrap_or_default();
    let merged = body.merged();
    let buckets: Vec<[f64; 3]> = merged
        .buckets()
        .map(|(lower, upper, count)| [native(lower as f64), native(upper as f64), count as f64])
        .collect();
    let quantiles: BTreeMap<String, Value> = [0.5, 0.75, 0.9, 0.95, 0.99, 0.999]
        .into_iter()
        .map(|q| {
            let found = body.percentile(q);
            let described = match found {
                Ok(i) => json!({"value": native(i.value), "lower": native(i.lower), "upper": native(i.upper)}),
                Err(needs) => json!({"value": null, "needs": needs}),
            };
            (statistic_name(Some(q)), described)
        })
        .collect();
    json!({
        "series": tracked.id.to_string(),
        "unit": tracked.series.unit,
        "count": window.count,
        "failed": window.failed,
        "dropped": window.dropped,
        "provisional": window.provisional,
        "min": merged.lowest().map(|v| native(v as f64)),
        "max": merged.highest().map(|v| native(v as f64)),
        "mean": merged.mean().map(native),
        "percentiles": quantiles,
        "buckets": buckets,
        "exact": body.exact.iter().map(|v| native(*v)).collect::<Vec<f64>>(),
        "explicit": body.explicit.iter().map(|(bounds, counts)| json!({
            "bounds": bounds.iter().map(|b| native(*b)).collect::<Vec<f64>>(), "counts": counts,
        })).collect::<Vec<Value>>(),
        "summaries": body.summaries.iter().map(|summary| json!({
            "headline": summary.headline.map(native), "count": summary.count,
            "stddev": summary.stddev.map(native),
            "reported": summary.reported.iter().cloned().collect::<BTreeMap<String, f64>>(),
        })).collect::<Vec<Value>>(),
    })
}
