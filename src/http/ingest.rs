//! Results in: a tool's output as it is, or our own JSON. Answers only after commit.

use std::collections::{BTreeMap, HashSet};

use axum::Json;
use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use collectors::limits::{LABEL_KEY_BYTES, LABEL_VALUE_BYTES, NAME_BYTES, cut};
use collectors::report::{Context, Outcome, Report, Skipped, Source};
use collectors::{Format, ParseOptions};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::error::{Error, Result};
use super::{App, auth, body};
use crate::clock::now_us;
use crate::intake::{Sender, intake};
use crate::store::{Committed, Entry, Id, ProjectId, Scope, SeriesId, Submission};

/// Bodies beyond this are parsed where blocking is allowed, so that they don't hold up other requests. Smaller ones take a
/// millisecond or so: less than to hand the worker's other work to another thread, over and over.
const LARGE: usize = 512 << 10;
/// Longest idempotency key; it is remembered for weeks, in an index.
const KEY_BYTES: usize = 256;
/// Field data may be this old, microseconds; older needs an admin token.
const FIELD_PAST_US: i64 = 86_400_000_000;

/// What the sender says of an upload, as query parameters; all optional.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, utoipa::IntoParams)]
#[serde(default)]
pub struct UploadQuery {
    /// Format name, or `auto` (the default) to recognise it.
    pub format: Option<String>,
    /// Unit of values whose file does not state one.
    pub unit: Option<String>,
    /// Release that was measured; else the commit.
    pub release: Option<String>,
    /// Commit hash.
    pub commit: Option<String>,
    /// Parent commit hash.
    pub parent: Option<String>,
    /// Branch; only the project's main branch feeds baselines.
    pub branch: Option<String>,
    /// Pull request.
    pub pr: Option<String>,
    /// Named kind of machine or device.
    pub testbed: Option<String>,
    /// Name of the run, attempts told apart.
    pub run: Option<String>,
    /// Version tag of what is measured; a change starts an epoch.
    pub workload: Option<String>,
    /// Version tag of how it is measured; a change starts an epoch.
    pub harness: Option<String>,
    /// When it was measured, RFC 3339.
    pub time: Option<String>,
    /// One flow for all measurements of the file.
    pub flow: Option<String>,
    /// Source, where the format's usual one does not hold: bench, load, lab, rum, telemetry.
    #[param(value_type = Option<String>)]
    pub source: Option<Source>,
    /// Labels as `label.name=value`.
    #[serde(flatten)]
    #[param(ignore)]
    pub labels: BTreeMap<String, String>,
}

/// What came of an upload.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct UploadAnswer {
    /// The batch's id.
    pub batch: String,
    /// The format that it was read as.
    pub format: String,
    /// `ok`, `partial` or `no_data`.
    pub outcome: String,
    /// Series that have data in it.
    pub series: u64,
    /// Values in it.
    pub samples: u64,
    /// What was left out, and why.
    #[schema(value_type = Vec<Object>)]
    pub skipped: Vec<Skipped>,
    /// Whether the same upload was stored before.
    pub duplicate: bool,
}

/// Stores a tool's output as it is.
#[utoipa::path(post, path = "/api/v1/projects/{project}/results", tag = "ingest",
    params(("project" = String, Path), UploadQuery, ("Idempotency-Key" = Option<String>, Header)),
    request_body(content = String, content_type = "application/octet-stream"),
    responses((status = 200, body = UploadAnswer), (status = 422, description = "refused, see code, where and hint")))]
pub async fn results(
    State(app): State<App>,
    caller: auth::Ingester,
    Query(query): Query<UploadQuery>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<UploadAnswer>> {
    let bytes = body::read(&headers, body).await?;
    let options = options_of(&query, None)?;
    store(&app, &caller.0, &query, &headers, &bytes, options).await
}

/// Stores our own JSON or NDJSON, or an HdrHistogram payload.
#[utoipa::path(post, path = "/api/v1/projects/{project}/samples", tag = "ingest",
    params(("project" = String, Path), UploadQuery, ("Idempotency-Key" = Option<String>, Header)),
    request_body(content = String, content_type = "application/json"),
    responses((status = 200, body = UploadAnswer), (status = 422, description = "refused, see code, where and hint")))]
pub async fn samples(
    State(app): State<App>,
    caller: auth::Ingester,
    Query(query): Query<UploadQuery>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<UploadAnswer>> {
    let bytes = body::read(&headers, body).await?;
    let hdr = headers
        .get(axum::http::header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"application/x-hdrhistogram"));
    let format = if hdr {
        Format::HdrPayload
    } else {
        Format::Longwatch
    };
    let options = options_of(&query, Some(format))?;
    store(&app, &caller.0, &query, &headers, &bytes, options).await
}

fn options_of(query: &UploadQuery, fixed: Option<Format>) -> Result<ParseOptions> {
    let format = match query.format.as_deref() {
        None | Some("" | "auto") => fixed,
        Some(name) => Some(name.parse::<Format>().map_err(|error| {
            let known: Vec<&str> = Format::ALL.iter().map(|format| format.name()).collect();
            Error::invalid(error.to_string())
                .hint(format!("leave format out, or use {}", known.join(", ")))
        })?),
    };
    Ok(ParseOptions {
        format,
        unit: query.unit.clone(),
        flow: query.flow.clone(),
        ..ParseOptions::default()
    })
}

/// An upload is one run. What github-action-benchmark keeps of many commits would be counted as one release's.
fn refuse_history(report: &Report) -> Result<()> {
    if report.format != Format::BenchmarkAction {
        return Ok(());
    }
    let commits = report.observations.iter().map(|o| o.extra.get("commit"));
    let commits: HashSet<_> = commits.flatten().filter_map(|id| id.as_str()).collect();
    match commits.len() {
        0 | 1 => Ok(()),
        several => {
            let message =
                format!("the file is a history of {several} commits, and an upload is one run");
            Err(Error::invalid(message)
                .hint("bring it in with its dates: longwatch import benchmark-action FILE"))
        }
    }
}

fn sender_of(query: &UploadQuery, main_branch: &str, content: &[u8; 32]) -> Result<Sender> {
    let time_us = match &query.time {
        None => None,
        Some(text) => Some(parse_time(text)?),
    };
    let mut labels = BTreeMap::new();
    for (name, value) in &query.labels {
        let Some(name) = name.strip_prefix("label.") else {
            return Err(Error::invalid(format!("unknown parameter {name:?}"))
                .hint("labels are given as label.name=value"));
        };
        labels.insert(cut(name, LABEL_KEY_BYTES), cut(value, LABEL_VALUE_BYTES));
    }
    // Within the bounds of a file's own words.
    let word = |word: &Option<String>| word.as_deref().map(|word| cut(word, LABEL_VALUE_BYTES));
    Ok(Sender {
        context: Context {
            source: query.source,
            release: word(&query.release),
            commit: word(&query.commit),
            parent: word(&query.parent),
            branch: word(&query.branch),
            pr: word(&query.pr),
            testbed: word(&query.testbed),
            run: word(&query.run),
            workload: word(&query.workload),
            harness: word(&query.harness),
            time_us,
            fingerprint: Default::default(),
        },
        flow: query.flow.as_deref().map(|flow| cut(flow, NAME_BYTES)),
        labels,
        main_branch: main_branch.to_owned(),
        content: content.iter().map(|byte| format!("{byte:02x}")).collect(),
        received_us: now_us(),
    })
}

/// An RFC 3339 time as microseconds since the epoch.
pub fn parse_time(text: &str) -> Result<i64> {
    text.parse::<jiff::Timestamp>()
        .map(|time| time.as_microsecond())
        .map_err(|_| {
            Error::invalid(format!("{text:?} is no time")).hint("write it as 2026-11-20T10:00:00Z")
        })
}

async fn store(
    app: &App,
    caller: &crate::store::Caller,
    query: &UploadQuery,
    headers: &HeaderMap,
    bytes: &[u8],
    options: ParseOptions,
) -> Result<Json<UploadAnswer>> {
    let config = app.known.config(&app.store, &caller.project).await?;
    let key = key_of(headers)?;
    let content_sha256: [u8; 32] = Sha256::digest(bytes).into();
    let context = context_hash(query, &content_sha256);
    let sender = sender_of(query, &config.project.main_branch, &context)?;
    let report = if bytes.len() > LARGE {
        tokio::task::block_in_place(|| collectors::parse(bytes, &options))
    } else {
        collectors::parse(bytes, &options)
    }?;
    refuse_history(&report)?;
    let mut taken = intake(&report, &sender)?;
    refuse_old_field_data(&taken.deltas, caller.scope, sender.received_us)?;
    let answer = UploadAnswer {
        batch: Id::new().to_string(),
        format: report.format.name().to_owned(),
        outcome: outcome_word(&report),
        series: taken.series.len() as u64,
        samples: taken.samples,
        skipped: report.skipped.clone(),
        duplicate: false,
    };
    let ids: Vec<SeriesId> = taken.series.iter().map(crate::store::Series::id).collect();
    let unseen = app.known.unseen(&caller.project, ids.iter().copied());
    within_series_limit(app, &caller.project, &unseen, config.project.limits.series).await?;
    taken.series.retain(|series| unseen.contains(&series.id()));
    let submission = Submission {
        project: caller.project,
        entry: Some(Entry {
            batch: Id::parse(&answer.batch).unwrap_or_default(),
            key: key.unwrap_or_else(|| sender.content.clone()),
            content_sha256,
            format: answer.format.clone(),
            series_count: answer.series,
            sample_count: answer.samples,
            skipped: serde_json::to_string(&answer.skipped).unwrap_or_default(),
            answer: serde_json::to_string(&answer).unwrap_or_default(),
        }),
        new_series: taken.series,
        run: taken.run,
        release: taken.release,
        deltas: taken.deltas,
        dropped: taken.dropped.into_iter().collect(),
        received_us: sender.received_us,
    };
    match app.writer.submit(Box::new(submission)).await? {
        Committed::Stored => {
            app.known.remember(&caller.project, ids.into_iter());
            Ok(Json(answer))
        }
        Committed::Duplicate(stored) => {
            let mut first: UploadAnswer = serde_json::from_str(&stored)
                .map_err(|error| crate::store::StoreError::Corrupt(error.to_string()))?;
            first.duplicate = true;
            Ok(Json(first))
        }
        Committed::KeyReused => Err(Error::new(
            StatusCode::CONFLICT,
            "key_reused",
            "this Idempotency-Key was used before with other content",
        )
        .hint("use a new key for new content")),
    }
}

/// The client's key for this upload, if it gave one.
fn key_of(headers: &HeaderMap) -> Result<Option<String>> {
    let key = headers.get("idempotency-key");
    let Some(key) = key.and_then(|key| key.to_str().ok()) else {
        return Ok(None);
    };
    if key.len() > KEY_BYTES {
        return Err(Error::invalid(format!(
            "the Idempotency-Key has {} bytes, at most {KEY_BYTES} are allowed",
            key.len()
        ))
        .hint("a UUID or a hash does"));
    }
    Ok(Some(key.to_owned()))
}

/// A hash of the whole context as given and of the content: the same words and bytes are the same upload.
fn context_hash(query: &UploadQuery, content_sha256: &[u8; 32]) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(serde_json::to_vec(query).unwrap_or_default());
    hash.update([0]);
    hash.update(content_sha256);
    hash.finalize().into()
}

fn outcome_word(report: &Report) -> String {
    match report.outcome() {
        Outcome::Ok => "ok",
        Outcome::Partial => "partial",
        Outcome::NoData => "no_data",
    }
    .to_owned()
}

fn refuse_old_field_data(
    deltas: &[crate::store::Delta],
    scope: Scope,
    received_us: i64,
) -> Result<()> {
    let old = deltas
        .iter()
        .any(|delta| delta.origin.run.is_none() && delta.time_us < received_us - FIELD_PAST_US);
    if old && scope != Scope::Admin {
        return Err(Error::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "clock",
            "field data older than 24 h",
        )
        .hint("bring histories in with an admin token"));
    }
    Ok(())
}

/// Refuses an upload whose new series would go beyond the project's limit.
async fn within_series_limit(
    app: &App,
    project: &ProjectId,
    unseen: &std::collections::HashSet<SeriesId>,
    limit: u64,
) -> Result<()> {
    if unseen.is_empty() {
        return Ok(());
    }
    let stored: std::collections::HashSet<SeriesId> =
        app.store.series_ids(project).await?.into_iter().collect();
    let new = unseen.iter().filter(|id| !stored.contains(id)).count();
    app.known.remember(project, stored.iter().copied());
    if stored.len() + new > limit as usize {
        return Err(Error {
            retry_after_s: Some(3600),
            ..Error::new(
                StatusCode::TOO_MANY_REQUESTS,
                "too_many_series",
                format!(
                    "the project has {} series, this upload would add {new}; its limit is {limit}",
                    stored.len()
                ),
            )
        }
        .hint(
            "look for a label or name that differs in every run, or raise project.limits.series",
        ));
    }
    Ok(())
}
