//! Beacons in. Always 204: nobody reads the answer, and a page must not suffer from ours. What is deliberately not
//! stored is counted by reason; only what could not be committed is answered with 503.

use std::collections::{BTreeMap, HashSet};

use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use collectors::Format;
use collectors::report::{Basis, Context, Direction, Observation, Payload, Report, Scalar, Source};
use collectors::web_vitals::{BeaconReport, parse_beacon};
use http_body_util::{BodyExt, Limited};

use super::App;
use super::error::{Error, Result};
use crate::clock::now_us;
use crate::config::Config;
use crate::intake::{Sender, intake};
use crate::store::{Committed, Submission};

/// Largest beacon (ingest.md §5); browsers keep about as much in flight.
const BEACON_BYTES: usize = 64 << 10;
/// The flow of beacons whose own is not declared, once the project's limit of undeclared flows is reached.
const OTHER: &str = "other";

/// Takes a beacon; the key names the project and is public.
#[utoipa::path(post, path = "/rum/{key}", tag = "ingest", params(("key" = String, Path)),
    request_body(content = String, content_type = "text/plain"),
    responses((status = 204, description = "stored, or deliberately dropped"), (status = 503, description = "could not be committed; send it again")))]
pub async fn beacon(
    State(app): State<App>,
    Path(key): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let answer = match take(&app, &key, query.as_deref().unwrap_or(""), &headers, body).await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(error) if error.status == StatusCode::SERVICE_UNAVAILABLE => error.into_response(),
        Err(error) => {
            tracing::debug!(code = error.code, "beacon dropped");
            StatusCode::NO_CONTENT.into_response()
        }
    };
    open_to_pages(answer, &headers)
}

/// Answers the preflight that a JSON content type causes.
#[utoipa::path(options, path = "/rum/{key}", tag = "ingest", params(("key" = String, Path)),
    responses((status = 204)))]
pub async fn preflight(headers: HeaderMap) -> Response {
    open_to_pages(StatusCode::NO_CONTENT.into_response(), &headers)
}

/// Lets any page send; no credentials are taken and no answer carries anything, so there is nothing to protect here.
fn open_to_pages(mut answer: Response, headers: &HeaderMap) -> Response {
    let out = answer.headers_mut();
    let set: [(HeaderName, &'static str); 4] = [
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (header::ACCESS_CONTROL_ALLOW_METHODS, "POST"),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, "content-type"),
        (header::ACCESS_CONTROL_MAX_AGE, "86400"),
    ];
    if headers.contains_key(header::ORIGIN) {
        for (name, value) in set {
            out.insert(name, HeaderValue::from_static(value));
        }
    }
    answer
}

async fn take(app: &App, key: &str, query: &str, headers: &HeaderMap, body: Body) -> Result<()> {
    let received_us = now_us();
    let project = app
        .known
        .rum_key(&app.store, key)
        .await?
        .ok_or_else(Error::not_found)?;
    let bytes = Limited::new(body, BEACON_BYTES)
        .collect()
        .await
        .map_err(|_| Error::invalid("the beacon is too large or was cut short"))?
        .to_bytes();
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let parsed = parse_beacon(
        &bytes,
        text(header::CONTENT_TYPE),
        query,
        text(header::REFERER),
    );
    let config = app.known.config(&app.store, &project).await?;
    let mut dropped: BTreeMap<&'static str, u64> = BTreeMap::new();
    let mut by_release: BTreeMap<Option<String>, Vec<BeaconReport>> = BTreeMap::new();
    match parsed {
        Ok(batch) => {
            for (reason, count) in batch.rejected {
                *dropped.entry(reason.name()).or_default() += u64::from(count);
            }
            for report in batch.reports {
                if report.beacon.navigation.as_deref() == Some("prerender") {
                    *dropped.entry("prerender").or_default() += 1;
                } else {
                    by_release
                        .entry(report.release.clone())
                        .or_default()
                        .push(report);
                }
            }
        }
        Err(error) => *dropped.entry(error.kind.name()).or_default() += 1,
    }
    let mut groups: Vec<_> = by_release.into_iter().collect();
    if groups.is_empty() {
        groups.push((None, Vec::new()));
    }
    let mut dropped = Some(dropped);
    for (release, reports) in groups {
        let flows = app
            .known
            .undeclared_flows(&app.store, &project, &config)
            .await?;
        let report = report_of(release, reports, &config, &flows);
        let sender = Sender {
            main_branch: config.project.main_branch.clone(),
            received_us,
            ..Sender::default()
        };
        let taken = intake(&report, &sender)?;
        let ids: Vec<_> = taken.series.iter().map(crate::store::Series::id).collect();
        let unseen = app.known.unseen(&project, ids.iter().copied());
        let release = taken
            .release
            .filter(|release| !app.known.knows_release(&project, &release.name));
        let new_release = release.as_ref().map(|release| release.name.clone());
        let submission = Submission {
            project,
            entry: None,
            new_series: taken
                .series
                .into_iter()
                .filter(|series| unseen.contains(&series.id()))
                .collect(),
            run: None,
            release,
            deltas: taken.deltas,
            dropped: dropped
                .take()
                .unwrap_or_default()
                .into_iter()
                .chain(taken.dropped)
                .collect(),
            received_us,
        };
        if let Committed::Stored = app.writer.submit(submission).await? {
            if !unseen.is_empty() {
                app.known.remember(&project, unseen.into_iter());
            }
            if let Some(release) = new_release {
                app.known.remember_release(&project, release);
            }
        }
    }
    Ok(())
}

fn report_of(
    release: Option<String>,
    reports: Vec<BeaconReport>,
    config: &Config,
    flows: &HashSet<String>,
) -> Report {
    let observations = reports
        .into_iter()
        .map(|report| Observation {
            flow: admitted(report.flow, config, flows),
            shown_as: None,
            metric: report.name,
            unit: report.unit.to_owned(),
            direction: Direction::Lower,
            basis: Basis::Op,
            labels: BTreeMap::new(),
            payload: Payload::Scalar(Scalar {
                value: report.value,
            }),
            failed: 0,
            dropped: 0,
            quality: Vec::new(),
            beacon: Some(report.beacon),
            extra: serde_json::Map::new(),
            time_us: None,
        })
        .collect();
    Report {
        format: Format::LongwatchBeacon,
        context: Context {
            source: Some(Source::Rum),
            release,
            ..Context::default()
        },
        observations,
        skipped: Vec::new(),
        skipped_more: 0,
        warnings: Vec::new(),
    }
}

/// The flow itself if it is declared, known, or there is room for one more undeclared one; else `other`.
fn admitted(flow: Option<String>, config: &Config, flows: &HashSet<String>) -> String {
    let Some(flow) = flow else {
        return OTHER.to_owned();
    };
    let limit = config.project.limits.undeclared_rum_flows as usize;
    let named = config.flow_for(Source::Rum, &flow, "", &BTreeMap::new());
    if config.declares_flow(named) || flows.contains(&flow) || flows.len() < limit {
        flow
    } else {
        OTHER.to_owned()
    }
}
