//! For whoever runs the service: is it alive, is it ready, what does it do, what does it offer.

use std::fmt::Write;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::App;
use crate::store::StoreError;

/// A database that takes longer to answer is not there for whoever asks.
const READY_WITHIN: Duration = Duration::from_secs(2);

/// What this process has done since it started.
#[derive(Debug, Default)]
pub struct Counters {
    requests: [AtomicU64; 5],
    beacons: AtomicU64,
    uploads: AtomicU64,
    draining: AtomicBool,
}

impl Counters {
    /// From now on this instance asks to be left out of the rotation.
    pub fn begin_draining(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// Whether this instance is about to stop.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }
}

impl Counters {
    /// One more answer of a status' class.
    fn answered(&self, status: StatusCode) {
        let class = usize::from(status.as_u16() / 100).clamp(1, 5) - 1;
        self.requests[class].fetch_add(1, Ordering::Relaxed);
    }

    /// One more answer to a beacon.
    pub fn answered_beacon(&self, status: StatusCode) {
        self.answered(status);
        if status.is_success() {
            self.beacons.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Whether the process answers at all.
#[utoipa::path(get, path = "/healthz", tag = "operations", responses((status = 200, body = String)))]
pub async fn healthz() -> &'static str {
    "ok"
}

/// Whether the process can do its work: the database answers and it is not shutting down.
#[utoipa::path(get, path = "/readyz", tag = "operations",
    responses((status = 200, body = String), (status = 503, body = String)))]
pub async fn readyz(State(app): State<App>) -> Response {
    if app.counters.is_draining() {
        return (StatusCode::SERVICE_UNAVAILABLE, "draining").into_response();
    }
    let answered = tokio::time::timeout(READY_WITHIN, app.store.ping()).await;
    match answered.unwrap_or(Err(StoreError::Silent)) {
        Ok(()) => "ready".into_response(),
        Err(error) => {
            tracing::warn!(%error, "not ready");
            (
                StatusCode::SERVICE_UNAVAILABLE,
                "the database does not answer",
            )
                .into_response()
        }
    }
}

/// Counters in Prometheus' text format. They name no project.
#[utoipa::path(get, path = "/metrics", tag = "operations", responses((status = 200, body = String)))]
pub async fn metrics(State(app): State<App>) -> Response {
    let counters = &app.counters;
    let mut text = String::new();
    let _ = writeln!(text, "# TYPE longwatch_http_requests_total counter");
    for (class, count) in (1..).zip(&counters.requests) {
        let count = count.load(Ordering::Relaxed);
        let _ = writeln!(
            text,
            "longwatch_http_requests_total{{status=\"{class}xx\"}} {count}"
        );
    }
    for (name, kind, value) in [
        (
            "beacons_total",
            "counter",
            counters.beacons.load(Ordering::Relaxed),
        ),
        (
            "uploads_total",
            "counter",
            counters.uploads.load(Ordering::Relaxed),
        ),
        ("write_queue", "gauge", app.writer.depth() as u64),
    ] {
        let _ = writeln!(
            text,
            "# TYPE longwatch_{name} {kind}\nlongwatch_{name} {value}"
        );
    }
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response()
}

/// Counts every answer by its class, and uploads that were taken.
pub async fn count(State(app): State<App>, request: Request, next: Next) -> Response {
    let is_upload = request
        .extensions()
        .get::<MatchedPath>()
        .map(MatchedPath::as_str)
        .is_some_and(|route| route.ends_with("/results") || route.ends_with("/samples"));
    let response = next.run(request).await;
    app.counters.answered(response.status());
    if is_upload && response.status().is_success() {
        app.counters.uploads.fetch_add(1, Ordering::Relaxed);
    }
    response
}
