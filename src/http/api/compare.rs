//! Two releases, or two variants of an experiment, percentile by percentile.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Query, State};
use collectors::report::Source;
use serde::{Deserialize, Serialize};

use super::series::statistic_name;
use super::{record, rfc3339};
use crate::http::error::{Error, Result};
use crate::http::ingest::parse_time;
use crate::http::{App, auth};
use crate::record::{CONFIDENCE, Record, Tracked};
use crate::stats::compare::{Row, compare, simultaneous};
use crate::stats::{Interval, Needs};
use crate::store::Window;
use crate::verdict::native_unit;

/// Percentiles that are compared, all of them at once.
const COMPARED: [f64; 5] = [0.5, 0.75, 0.9, 0.95, 0.99];

/// Pairs of series that one answer compares at most.
const MOST: usize = 40;

/// Between the two values of the label whose variants are compared.
const VARIANTS: &str = "..";

/// What to compare: two releases (`base` and `head`), or two variants of one label (`label.variant=a..b`).
#[derive(Debug, Clone, Default, Deserialize, utoipa::IntoParams)]
#[serde(default)]
pub struct CompareQuery {
    /// The flow.
    pub flow: Option<String>,
    /// Only this metric.
    pub metric: Option<String>,
    /// Only this source.
    #[param(value_type = Option<String>)]
    pub source: Option<Source>,
    /// The release that is compared with.
    pub base: Option<String>,
    /// The release that is asked about.
    pub head: Option<String>,
    /// Variants: from this time on, RFC 3339 (whole UTC days, of the field).
    pub from: Option<String>,
    /// Variants: up to, not including, this time.
    pub to: Option<String>,
    /// Labels as `label.name=value`; one of them may be `label.name=a..b`.
    #[serde(flatten)]
    #[param(ignore)]
    pub labels: BTreeMap<String, String>,
}

/// One of the two.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct SideRow {
    /// The series.
    pub series: String,
    /// The release, or the variant.
    pub name: String,
    /// Values recorded.
    pub samples: u64,
    /// The first measurement.
    pub from: String,
    /// The last.
    pub to: String,
}

/// One percentile on both sides.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct PercentileRow {
    /// `p50` …
    pub statistic: String,
    /// The base's value with its range.
    #[schema(value_type = Option<Object>)]
    pub base: Option<Interval>,
    /// The head's.
    #[schema(value_type = Option<Object>)]
    pub head: Option<Interval>,
    /// Head minus base.
    #[schema(value_type = Option<Object>)]
    pub difference: Option<Interval>,
    /// The same in per cent of the base.
    #[schema(value_type = Option<Object>)]
    pub change_pct: Option<Interval>,
    /// What a side that is refused would need.
    #[schema(value_type = Option<Object>)]
    pub needs: Option<Needs>,
}

/// A series' comparison. All of its ranges hold together at `confidence`: the chance that any of them is wrong is what is
/// left.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct ComparisonRow {
    /// The flow.
    pub flow: String,
    /// Metric in snake_case.
    pub metric: String,
    /// Where measured.
    #[schema(value_type = String)]
    pub source: Source,
    /// Labels that both have.
    pub labels: BTreeMap<String, String>,
    /// Unit of all values.
    pub unit: String,
    /// What is compared with.
    pub base: SideRow,
    /// What is asked about.
    pub head: SideRow,
    /// Of all ranges together.
    pub confidence: f64,
    /// Why the two are measured differently, if they are; then there is no difference to tell.
    pub not_comparable: Option<String>,
    /// Percentile by percentile.
    pub percentiles: Vec<PercentileRow>,
}

/// What is compared.
enum Asked<'a> {
    /// The same series with two releases.
    Releases { base: &'a str, head: &'a str },
    /// Two series that differ in one label.
    Variants {
        label: &'a str,
        base: &'a str,
        head: &'a str,
    },
}

impl<'a> Asked<'a> {
    fn of(query: &'a CompareQuery, record: &Record) -> Result<Self> {
        let variants: Vec<(&str, &str, &str)> = query
            .labels
            .iter()
            .filter_map(|(name, value)| {
                let (base, head) = value.split_once(VARIANTS)?;
                Some((name.strip_prefix("label.")?, base, head))
            })
            .collect();
        match (&query.base, &query.head, &variants[..]) {
            (Some(base), Some(head), []) => {
                for (field, name) in [("base", base), ("head", head)] {
                    if record.rank(name).is_none() {
                        return Err(Error::invalid(format!("{field}={name:?} is no release"))
                            .hint("GET …/releases lists them"));
                    }
                }
                Ok(Asked::Releases { base, head })
            }
            (None, None, [(label, base, head)]) => Ok(Asked::Variants { label, base, head }),
            _ => Err(Error::invalid("what is to be compared")
                .hint("give base and head, two releases, or one label.name=a..b, two variants")),
        }
    }

    /// The two series whose values are compared, where this one is the base's.
    fn pair<'r>(
        &self,
        record: &'r Record,
        tracked: &'r Tracked,
    ) -> Option<(&'r Tracked, &'r Tracked)> {
        match self {
            Asked::Releases { .. } => Some((tracked, tracked)),
            Asked::Variants { label, base, head } => {
                let own = tracked.series.labels.get(*label)?;
                let mut other = tracked.series.clone();
                other.labels.insert((*label).to_owned(), (*head).to_owned());
                let head = record.series.get(&other.id())?;
                (own == base).then_some((tracked, head))
            }
        }
    }
}

/// Compares two releases, or two variants of an experiment over the same days, P50 to P99 with ranges that hold together.
#[utoipa::path(get, path = "/api/v1/projects/{project}/compare", tag = "series",
    params(("project" = String, Path), CompareQuery), responses((status = 200, body = Vec<ComparisonRow>)))]
pub async fn show(
    State(app): State<App>,
    caller: auth::Reader,
    Query(query): Query<CompareQuery>,
) -> Result<Json<Vec<ComparisonRow>>> {
    let record = record(&app, caller.project()).await?;
    let asked = Asked::of(&query, &record)?;
    let Some(flow) = &query.flow else {
        return Err(Error::invalid("no flow").hint("say which flow: flow=checkout"));
    };
    if record.series_of(flow).next().is_none() {
        return Err(Error::not_found());
    }
    let span = (
        time(query.from.as_deref(), i64::MIN)?,
        time(query.to.as_deref(), i64::MAX)?,
    );
    let is_wanted = |tracked: &&Tracked| {
        let series = &tracked.series;
        let has = |(name, value): (&String, &String)| match name.strip_prefix("label.") {
            Some(_) if value.contains(VARIANTS) => true,
            Some(name) => series.labels.get(name) == Some(value),
            None => false,
        };
        tracked.has_percentiles()
            && query
                .metric
                .as_ref()
                .is_none_or(|metric| *metric == series.metric)
            && query.source.is_none_or(|source| source == series.source)
            && query.labels.iter().all(has)
    };
    let pairs: Vec<(&Tracked, &Tracked)> = record
        .series_of(flow)
        .filter(is_wanted)
        .filter_map(|tracked| asked.pair(&record, tracked))
        .collect();
    if pairs.len() > MOST {
        let found = format!("{} series to compare, at most {MOST} at once", pairs.len());
        return Err(Error::invalid(found).hint("name a metric, a source or labels"));
    }
    let mut rows = Vec::new();
    for (base, head) in pairs {
        let sides = match asked {
            Asked::Releases {
                base: from,
                head: to,
            } => {
                let from = record.release_window(&app.store, base, from).await?;
                from.zip(record.release_window(&app.store, head, to).await?)
            }
            Asked::Variants { .. } => record.in_common(&app.store, base, head, span).await?,
        };
        let Some(sides) = sides else { continue };
        let not_comparable = match asked {
            Asked::Releases {
                base: from,
                head: to,
            } => record.epoch_between(&app.store, base, from, to).await?,
            Asked::Variants { .. } => None,
        };
        let reason = not_comparable.map(|start| {
            format!(
                "measured in a new way since {}: {}",
                rfc3339(start.at_us),
                start.reason
            )
        });
        rows.extend(row((base, head), &sides, &asked, reason));
    }
    Ok(Json(rows))
}

fn time(given: Option<&str>, otherwise: i64) -> Result<i64> {
    given.map_or(Ok(otherwise), parse_time)
}

fn row(
    (base, head): (&Tracked, &Tracked),
    (before, after): &(Window, Window),
    asked: &Asked<'_>,
    not_comparable: Option<String>,
) -> Option<ComparisonRow> {
    let unit = native_unit(base);
    let native = |interval: Interval| interval.scaled(unit.to_native(1.0));
    let each = simultaneous(CONFIDENCE, COMPARED.len());
    let (b, h) = (before.body.as_ref()?, after.body.as_ref()?);
    let compared = compare(
        &COMPARED,
        |q| b.percentile_at(q, each),
        |q| h.percentile_at(q, each),
    );
    let is_comparable = not_comparable.is_none();
    let percentile = |row: &Row| PercentileRow {
        statistic: statistic_name(Some(row.q)),
        base: row.base.ok().map(native),
        head: row.head.ok().map(native),
        difference: row.difference.filter(|_| is_comparable).map(native),
        change_pct: row.change_pct.filter(|_| is_comparable),
        needs: row.base.err().or(row.head.err()),
    };
    let (base_name, head_name) = match asked {
        Asked::Releases { base, head } | Asked::Variants { base, head, .. } => (base, head),
    };
    let side = |tracked: &Tracked, name: &str, window: &Window| SideRow {
        series: tracked.id.to_string(),
        name: name.to_owned(),
        samples: window.count,
        from: rfc3339(window.first_us),
        to: rfc3339(window.last_us),
    };
    let shared = base.series.labels.iter();
    let shared = shared.filter(|(name, value)| head.series.labels.get(*name) == Some(value));
    Some(ComparisonRow {
        flow: base.flow.clone(),
        metric: base.series.metric.clone(),
        source: base.series.source,
        labels: shared
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect(),
        unit: base.series.unit.clone(),
        base: side(base, base_name, before),
        head: side(head, head_name, after),
        confidence: CONFIDENCE,
        not_comparable,
        percentiles: compared.iter().map(percentile).collect(),
    })
}
