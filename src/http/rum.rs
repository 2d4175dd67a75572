//! Beacons in. Always 204: nobody reads the answer, and a page must not suffer from ours. What is deliberately not
//! stored is counted by reason; only what could not be committed is answered with an error, 503 where it may come again.
//!
//! Beacons come by the thousand, so this route has no layers of its own and settles what the reports of a flow, metric,
//! release and class have in common only once ([`Place`]).

use std::collections::{BTreeMap, HashSet};
use std::fmt::Write;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use collectors::Format;
use collectors::report::{Basis, Context, Direction, Observation, Payload, Report, Scalar, Source};
use collectors::units::{self, Unit};
use collectors::web_vitals::{BeaconReport, parse_beacon};
use http_body_util::{BodyExt, Limited};

use super::error::{Error, Result};
use super::{App, BODY_DEADLINE, Settings};
use crate::clock::now_us;
use crate::config::Config;
use crate::intake::{Sender, intake};
use crate::store::{Committed, Delta, Origin, ProjectId, ReportId, Submission, Values};

/// Largest beacon (ingest.md §5); browsers keep about as much in flight.
const BEACON_BYTES: usize = 64 << 10;
/// The flow of beacons whose own is not declared, once the project's limit of undeclared flows is reached.
const OTHER: &str = "other";

/// What the reports of one flow, metric, release and class have in common, settled once.
#[derive(Debug)]
pub struct Place {
    origin: Arc<Origin>,
    unit: Unit,
}

/// Takes a beacon; the key names the project and is public.
#[utoipa::path(post, path = "/rum/{key}", tag = "ingest", params(("key" = String, Path)),
    request_body(content = String, content_type = "text/plain"),
    responses((status = 204, description = "stored, or deliberately dropped"), (status = 503, description = "could not be committed; send it again")))]
pub async fn beacon(State(app): State<App>, request: Request) -> Response {
    taken(&app, request).await
}

/// The beacon key that an address names, if it is the address of one.
pub fn key_of(uri: &Uri) -> Option<&str> {
    let key = uri.path().strip_prefix("/rum/")?;
    (!key.is_empty() && !key.contains('/')).then_some(key)
}

/// The answer to a beacon.
pub async fn taken(app: &App, request: Request) -> Response {
    let mut answer = match take(app, request).await {
        Err(error) if error.status.is_server_error() => error.into_response(),
        taken => {
            if let Err(error) = taken {
                tracing::debug!(code = error.code, "beacon dropped");
            }
            let mut answer = StatusCode::NO_CONTENT.into_response();
            answer.headers_mut().clone_from(&app.beacon_headers);
            answer
        }
    };
    if answer.status() != StatusCode::NO_CONTENT {
        answer.headers_mut().extend(app.beacon_headers.clone());
    }
    if app.counters.is_draining() {
        let close = HeaderValue::from_static("close");
        answer.headers_mut().insert(header::CONNECTION, close);
    }
    app.counters.answered_beacon(answer.status());
    answer
}

/// Answers the preflight that a JSON content type causes.
#[utoipa::path(options, path = "/rum/{key}", tag = "ingest", params(("key" = String, Path)),
    responses((status = 204)))]
pub async fn preflight(State(app): State<App>) -> Response {
    let mut headers = app.beacon_headers.clone();
    let set: [(HeaderName, &'static str); 3] = [
        (header::ACCESS_CONTROL_ALLOW_METHODS, "POST"),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, "content-type"),
        (header::ACCESS_CONTROL_MAX_AGE, "86400"),
    ];
    headers.extend(set.map(|(name, value)| (name, HeaderValue::from_static(value))));
    app.counters.answered_beacon(StatusCode::NO_CONTENT);
    (StatusCode::NO_CONTENT, headers).into_response()
}

/// The headers of every answer to a beacon. Any page may send: no credentials are taken and no answer carries anything.
pub(super) fn headers(settings: &Settings) -> HeaderMap {
    let anyone = (
        header::ACCESS_CONTROL_ALLOW_ORIGIN,
        HeaderValue::from_static("*"),
    );
    super::protective(settings)
        .into_iter()
        .chain([anyone])
        .collect()
}

async fn take(app: &App, request: Request) -> Result<()> {
    let received_us = now_us();
    let (parts, body) = request.into_parts();
    let project = match key_of(&parts.uri) {
        Some(key) => app.known.rum_key(&app.store, key).await?,
        None => None,
    }
    .ok_or_else(Error::not_found)?;
    let deadline = app.settings.body_deadline.unwrap_or(BODY_DEADLINE);
    let bytes = tokio::time::timeout(deadline, Limited::new(body, BEACON_BYTES).collect())
        .await
        .ok()
        .and_then(std::result::Result::ok)
        .ok_or_else(|| Error::invalid("the beacon is too large, too slow or was cut short"))?
        .to_bytes();
    let text = |name: HeaderName| {
        let value = parts.headers.get(name);
        value.and_then(|value| value.to_str().ok())
    };
    let parsed = parse_beacon(
        &bytes,
        text(header::CONTENT_TYPE),
        parts.uri.query().unwrap_or_default(),
        text(header::REFERER),
    );
    let config = app.known.config(&app.store, &project).await?;
    let mut submission = Box::new(plain(project, received_us));
    let mut strangers = Vec::new();
    match parsed {
        Ok(batch) => {
            for (reason, count) in batch.rejected {
                submission.dropped.push((reason.name(), u64::from(count)));
            }
            for report in batch.reports {
                if report.beacon.navigation.as_deref() == Some("prerender") {
                    submission.dropped.push(("prerender", 1));
                    continue;
                }
                let word = word_of(&report);
                let place = app.known.place(&project, &config, &word);
                match place.and_then(|place| delta_of(&place, &report, received_us)) {
                    Some(delta) => submission.deltas.push(delta),
                    None => strangers.push((word, report)),
                }
            }
        }
        Err(error) => submission.dropped.push((error.kind.name(), 1)),
    }
    if !submission.deltas.is_empty() || !submission.dropped.is_empty() {
        app.writer.submit(submission).await?;
    }
    for (word, report) in strangers {
        // In a box, since it is rare and would make every beacon's future as large as itself.
        Box::pin(settle(app, &project, &config, received_us, word, report)).await?;
    }
    Ok(())
}

fn plain(project: ProjectId, received_us: i64) -> Submission {
    Submission {
        project,
        entry: None,
        new_series: Vec::new(),
        run: None,
        release: None,
        deltas: Vec::new(),
        dropped: Vec::new(),
        received_us,
    }
}

/// What a report's place depends on, as one text.
fn word_of(report: &BeaconReport) -> String {
    let beacon = &report.beacon;
    let mut word = String::with_capacity(128);
    word.push_str(&report.name);
    for part in [
        &report.flow,
        &report.release,
        &beacon.device,
        &beacon.navigation,
    ] {
        word.push('\n');
        if let Some(part) = part {
            word.push('+');
            word.push_str(part);
        }
    }
    // Writing to a string can't fail.
    let _ = write!(word, "\n{}", beacon.sampling_ppm);
    word
}

/// A report at a known place; none where its value has no place at rest.
fn delta_of(place: &Place, report: &BeaconReport, time_us: i64) -> Option<Delta> {
    let origin = place.origin.clone();
    let value = place.unit.to_base(report.value).ok()?;
    let values = Values::Report {
        id: ReportId::of(origin.series, &report.beacon.id, &report.name),
        sequence: report.beacon.sequence,
        value,
    };
    Some(Delta {
        origin,
        time_us,
        values,
        failed: 0,
        dropped: 0,
    })
}

/// Takes a report whose place is not known yet, and remembers the place.
async fn settle(
    app: &App,
    project: &ProjectId,
    config: &Arc<Config>,
    received_us: i64,
    word: String,
    report: BeaconReport,
) -> Result<()> {
    let flows = app
        .known
        .undeclared_flows(&app.store, project, config)
        .await?;
    let unit = units::unit(report.unit, &report.name, Source::Rum);
    let report = report_of(report, config, &flows);
    let sender = Sender {
        main_branch: config.project.main_branch.clone(),
        received_us,
        ..Sender::default()
    };
    let taken = intake(&report, &sender)?;
    let origin = taken.deltas.first().map(|delta| delta.origin.clone());
    let ids: Vec<_> = taken.series.iter().map(crate::store::Series::id).collect();
    let unseen = app.known.unseen(project, ids.iter().copied());
    let release = taken
        .release
        .filter(|release| !app.known.knows_release(project, &release.name));
    let new_release = release.as_ref().map(|release| release.name.clone());
    let submission = Box::new(Submission {
        new_series: taken
            .series
            .into_iter()
            .filter(|series| unseen.contains(&series.id()))
            .collect(),
        release,
        deltas: taken.deltas,
        dropped: taken.dropped.into_iter().collect(),
        ..plain(*project, received_us)
    });
    if let Committed::Stored = app.writer.submit(submission).await? {
        if !unseen.is_empty() {
            app.known.remember(project, unseen.into_iter());
        }
        if let Some(release) = new_release {
            app.known.remember_release(project, release);
        }
        if let Some(origin) = origin {
            let place = Arc::new(Place { origin, unit });
            app.known.remember_place(project, config, word, place);
        }
    }
    Ok(())
}

fn report_of(report: BeaconReport, config: &Config, flows: &HashSet<String>) -> Report {
    let observation = Observation {
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
    };
    Report {
        format: Format::LongwatchBeacon,
        context: Context {
            source: Some(Source::Rum),
            release: report.release,
            ..Context::default()
        },
        observations: vec![observation],
        shown_only: Vec::new(),
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
