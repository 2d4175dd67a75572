//! The service's HTTP side: API and pages. Handlers are thin: extract, ask the store, ask the statistics, answer.

pub mod api;
mod as_page;
pub mod assets;
pub mod auth;
mod badge;
mod body;
mod csv;
mod door;
pub mod error;
mod finding_forms;
pub mod ingest;
pub mod known;
pub mod marks;
pub mod operations;
pub mod pages;
pub mod paths;
pub mod prose;
pub mod rum;
mod session;

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Json, Router};
use tokio::sync::Notify;
use tower::ServiceBuilder;
use tower_http::catch_panic::{CatchPanicLayer, DefaultResponseForPanic};
use tower_http::compression::CompressionLayer;
use tower_http::csrf::CsrfLayer;
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer};
use tower_http::sensitive_headers::SetSensitiveRequestHeadersLayer;
use tower_http::set_header::SetResponseHeaderLayer;
use tower_http::timeout::{RequestBodyDeadlineLayer, TimeoutLayer};
use tower_http::trace::TraceLayer;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub use door::Door;
pub use operations::Counters;

use crate::store::Store;
use crate::writer::Writer;

/// A whole request body must have come within this time where the settings say nothing else, so that a slow drip holds
/// no connection for long.
const BODY_DEADLINE: Duration = Duration::from_secs(60);
/// No answer takes longer.
const ANSWER_DEADLINE: Duration = Duration::from_secs(60);

/// What every handler may use; cheap to clone.
#[derive(Debug, Clone)]
pub struct App(Arc<Parts>);

impl Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

/// What handlers share; none of it is state that is not a cache.
#[derive(Debug)]
pub struct Parts {
    /// The database.
    pub store: Store,
    /// The way in.
    pub writer: Writer,
    /// What was looked up lately.
    pub known: known::Known,
    /// How this server was started.
    pub settings: Settings,
    /// What this process has done.
    pub counters: Counters,
    /// Wakes the fold of this instance; a hint.
    pub fold: Arc<Notify>,
    beacon_headers: HeaderMap,
}

impl App {
    /// What handlers use to serve a store; `fold` wakes what folds it.
    pub fn new(store: Store, writer: Writer, fold: Arc<Notify>, settings: Settings) -> App {
        App(Arc::new(Parts {
            store,
            writer,
            fold,
            known: known::Known::default(),
            beacon_headers: rum::headers(&settings),
            settings,
            counters: Counters::default(),
        }))
    }
}

/// How a server was started.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Whether anyone who reaches the port may read.
    pub public_read: bool,
    /// The address at which people reach it, for links in alerts and for cookies.
    pub public_url: String,
    /// Whether webhooks may go to private addresses.
    pub allow_private_routes: bool,
    /// Within what time a whole request body must have come; a minute where left out.
    pub body_deadline: Option<Duration>,
    /// How long a connection may say nothing, or take nothing of its answer; 75 seconds where left out.
    pub patience: Option<Duration>,
    /// How long it goes on accepting once it is told to stop, so that a load balancer hears of it first.
    pub grace: Duration,
}

/// The document at `/api/openapi.json`.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Longwatch",
        description = "A performance regression observatory: results in, percentiles against budgets, gates and findings out.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0")
    ),
    modifiers(&TokenScheme)
)]
struct Document;

struct TokenScheme;

impl utoipa::Modify for TokenScheme {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
        let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
        document
            .components
            .get_or_insert_default()
            .add_security_scheme("token", SecurityScheme::Http(scheme));
    }
}

/// The API's routes with their description: one registration for both, so that they cannot drift apart.
fn api() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(Document::openapi())
        .routes(routes!(ingest::results))
        .routes(routes!(ingest::samples))
        .routes(routes!(api::releases::declare, api::releases::list))
        .routes(routes!(api::releases::runs))
        .routes(routes!(api::releases::change_run, api::deletions::run))
        .routes(routes!(api::series::list))
        .routes(routes!(api::series::points))
        .routes(routes!(api::series::points_csv))
        .routes(routes!(api::series::histogram))
        .routes(routes!(api::compare::show))
        .routes(routes!(api::gates::ask, api::gates::list))
        .routes(routes!(api::gates::one))
        .routes(routes!(api::findings::list))
        .routes(routes!(api::findings::one, api::findings::change))
        .routes(routes!(api::findings::send_again))
        .routes(routes!(api::flows::ledger))
        .routes(routes!(api::flows::ledger_csv))
        .routes(routes!(api::flows::headroom))
        .routes(routes!(api::blind_spots::of_flow))
        .routes(routes!(api::config::apply, api::config::show))
        .routes(routes!(api::config::declare_epoch))
        .routes(routes!(api::deletions::batch))
        .routes(routes!(api::deletions::release))
        .routes(routes!(api::deletions::series))
        .routes(routes!(api::deletions::project))
        .routes(routes!(api::deletions::one))
}

fn open() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(operations::healthz))
        .routes(routes!(operations::readyz))
        .routes(routes!(operations::metrics))
}

fn beacons() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(rum::beacon, rum::preflight))
}

/// The OpenAPI document.
pub fn openapi() -> utoipa::openapi::OpenApi {
    let (_, mut document) = api().split_for_parts();
    document.merge(open().split_for_parts().1);
    document.merge(beacons().split_for_parts().1);
    document
}

/// The whole service. Every answer, errors included, carries the security headers, and closes its connection where the
/// service is about to stop.
pub fn router(app: App) -> Router {
    let (api, _) = api().split_for_parts();
    let (open, _) = open().split_for_parts();
    let pages = Router::new()
        .route("/login", get(session::login).post(session::sign_in))
        .route("/logout", post(session::sign_out))
        .route(
            "/enrol/{secret}",
            get(session::enrol).post(session::make_account),
        )
        .route(
            "/{project}/findings/{id}/{button}",
            post(finding_forms::press),
        );
    // What a session cookie can reach is guarded against other sites' forms; beacons carry no right to anything.
    let guarded = pages.merge(api).layer(CsrfLayer::new());
    // Beacons come by the thousand and nobody reads the answer: what the layers below do for others, their handler does
    // itself as far as they need it, at a third of the price.
    let (beacons, _) = beacons().split_for_parts();
    let others = Router::new()
        .merge(guarded)
        .merge(open)
        .merge(pages::router())
        .route("/badge/{project}/{file}", get(badge::show))
        .route("/api/openapi.json", get(async || Json(openapi())))
        .fallback(async || error::Error::not_found())
        .layer(
            ServiceBuilder::new()
                .layer(SetRequestIdLayer::x_request_id(MakeRequestUuid))
                .layer(SetSensitiveRequestHeadersLayer::new([
                    header::AUTHORIZATION,
                    header::COOKIE,
                ]))
                .layer(TraceLayer::new_for_http())
                .layer(PropagateRequestIdLayer::x_request_id())
                .layer(from_fn_with_state(app.clone(), operations::count))
                .layer(security_headers(&app.settings))
                .layer(CompressionLayer::new())
                .layer(from_fn(as_page::errors))
                .layer(limits(&app.settings))
                .layer(axum::extract::DefaultBodyLimit::max(2 << 20))
                .layer(RequestBodyLimitLayer::new(body::DECODED_BYTES)),
        );
    let draining = app.clone();
    let close = move |_: &Response| {
        let is_last = draining.counters.is_draining();
        is_last.then(|| HeaderValue::from_static("close"))
    };
    beacons
        .merge(others)
        .layer(SetResponseHeaderLayer::overriding(
            header::CONNECTION,
            close,
        ))
        .with_state(app)
}

type Limits = (
    CatchPanicLayer<DefaultResponseForPanic>,
    TimeoutLayer,
    RequestBodyDeadlineLayer,
);

/// A panic is an answer, no answer takes for ever, and no body drips in for long.
fn limits(settings: &Settings) -> Limits {
    (
        CatchPanicLayer::new(),
        TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, ANSWER_DEADLINE),
        RequestBodyDeadlineLayer::new(settings.body_deadline.unwrap_or(BODY_DEADLINE)),
    )
}

type HeaderLayer = SetResponseHeaderLayer<HeaderValue>;

/// The headers of every answer (S15).
fn security_headers(settings: &Settings) -> (HeaderLayer, HeaderLayer, HeaderLayer, HeaderLayer) {
    let set = |at: usize| {
        let (name, value) = protective(settings)[at].clone();
        SetResponseHeaderLayer::if_not_present(name, value)
    };
    (set(0), set(1), set(2), set(3))
}

/// Names and values of the headers of every answer.
fn protective(settings: &Settings) -> [(HeaderName, HeaderValue); 4] {
    let transport = if settings.public_url.starts_with("https://") {
        "max-age=31536000; includeSubDomains"
    } else {
        "max-age=0"
    };
    [
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
             frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
        ),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "same-origin"),
        (header::STRICT_TRANSPORT_SECURITY, transport),
    ]
    .map(|(name, value)| (name, HeaderValue::from_static(value)))
}
