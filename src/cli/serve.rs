//! `longwatch serve`: the service.

use std::future::Future;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use listenfd::ListenFd;
use serde::Deserialize;
use tokio::net::TcpListener;

use super::output::say;
use super::{Exit, Failure};
use crate::clock::now_us;
use crate::http::Settings;
use crate::service::Service;
use crate::store::Store;

/// The database of a server that names none.
pub(super) const DATABASE: &str = "sqlite:longwatch.db";
/// Where a server listens that is told nothing else: this machine only.
pub(super) const LISTEN: &str = "127.0.0.1:7878";

/// Runs the service
#[derive(clap::Args)]
pub(crate) struct Args {
    /// `sqlite:FILE` or `postgres://…` [default: sqlite:longwatch.db]
    #[arg(long, value_name = "URL", env = "LONGWATCH_DATABASE")]
    database: Option<String>,
    /// Address and port; port 0 takes a free one; a socket that systemd passes wins [default: 127.0.0.1:7878]
    #[arg(long, value_name = "ADDRESS", env = "LONGWATCH_LISTEN")]
    listen: Option<String>,
    /// The address at which people reach it, for links in alerts [default: http:// and the listening address]
    #[arg(long, value_name = "URL", env = "LONGWATCH_PUBLIC_URL")]
    public_url: Option<String>,
    /// Show pages and answers to anyone who can reach the port
    #[arg(long, env = "LONGWATCH_PUBLIC_READ")]
    public_read: bool,
    /// Let webhooks go to private addresses and plain HTTP (never in the file)
    #[arg(long)]
    allow_private_routes: bool,
    /// The database is behind a PgBouncer 1.21 or newer that pools transactions, with max_prepared_statements above 0
    #[arg(long, env = "LONGWATCH_TRANSACTION_POOLER")]
    transaction_pooler: bool,
    /// Told to stop, go on serving for so many seconds while /readyz says 503, so that a load balancer notices
    /// [default: 0]
    #[arg(long, value_name = "SECONDS", env = "LONGWATCH_GRACE")]
    grace: Option<u16>,
    /// A TOML file with `database`, `listen`, `public_url`, `public_read`, `transaction_pooler`, `grace`; arguments and
    /// variables win over it
    #[arg(long, value_name = "FILE", env = "LONGWATCH_SETTINGS")]
    settings: Option<PathBuf>,
}

/// What the settings file may hold.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct SettingsFile {
    database: Option<String>,
    listen: Option<String>,
    public_url: Option<String>,
    public_read: Option<bool>,
    transaction_pooler: Option<bool>,
    grace: Option<u16>,
}

impl SettingsFile {
    fn read(path: Option<&Path>) -> Result<SettingsFile, Failure> {
        let Some(path) = path else {
            return Ok(SettingsFile::default());
        };
        let text = std::fs::read_to_string(path).map_err(|error| Failure::file(path, error))?;
        toml::from_str(&text).map_err(|error| {
            Failure::usage(
                format!("{}: {error}", path.display()),
                "it may hold database, listen, public_url, public_read, transaction_pooler and grace",
            )
        })
    }
}

/// Runs until it is told to stop.
pub(crate) fn run(args: Args) -> Result<Exit, Failure> {
    let file = SettingsFile::read(args.settings.as_deref())?;
    let database = args
        .database
        .or(file.database)
        .unwrap_or_else(|| DATABASE.to_owned());
    let listen = args
        .listen
        .or(file.listen)
        .unwrap_or_else(|| LISTEN.to_owned());
    let transaction_pooler = args.transaction_pooler || file.transaction_pooler.unwrap_or(false);
    let settings = Settings {
        public_read: args.public_read || file.public_read.unwrap_or(false),
        public_url: args.public_url.or(file.public_url).unwrap_or_default(),
        allow_private_routes: args.allow_private_routes,
        grace: Duration::from_secs(args.grace.or(file.grace).unwrap_or_default().into()),
        ..Settings::default()
    };
    log_to_standard_error();
    on_many_threads(async {
        let held = Store::lock_for_serving(&database)?;
        let store = if transaction_pooler {
            Store::open_behind_transaction_pooler(&database).await?
        } else {
            Store::open(&database).await?
        };
        if held.is_some() {
            store.end_claims_of_the_dead().await?;
        }
        let (listener, settings) = bind(&listen, settings).await?;
        if let Some(secret) = store.first_enrolment(now_us()).await? {
            eprintln!(
                "longwatch: no account yet; make the first administrator (once, within a day) at {}/enrol/{secret}",
                settings.public_url
            );
        }
        serve(Service::start(store, settings), listener).await
    })
}

/// Listens, on the socket that systemd passes where it passes one, and settles the address at which people reach the
/// service.
pub(super) async fn bind(
    listen: &str,
    mut settings: Settings,
) -> Result<(TcpListener, Settings), Failure> {
    let failed = |error| Failure::file(listen, error);
    let passed = ListenFd::from_env().take_tcp_listener(0);
    let listener = match passed.map_err(|error| Failure::file("passed socket", error))? {
        Some(listener) => {
            listener.set_nonblocking(true).map_err(failed)?;
            TcpListener::from_std(listener).map_err(failed)?
        }
        None => TcpListener::bind(listen).await.map_err(failed)?,
    };
    let address: SocketAddr = listener.local_addr().map_err(failed)?;
    if settings.public_url.is_empty() {
        settings.public_url = format!("http://{address}");
    }
    settings.public_url = settings.public_url.trim_end_matches('/').to_owned();
    Ok((listener, settings))
}

/// Says where it listens, and serves until the process is told to stop.
pub(super) async fn serve(service: Service, listener: TcpListener) -> Result<Exit, Failure> {
    let failed = |error| Failure::file("listener", error);
    let address = listener.local_addr().map_err(failed)?;
    say(format!("listening on http://{address}"))?;
    service.serve(listener, told_to_stop()).await;
    Ok(Exit::Ok)
}

/// Completes on SIGTERM or Ctrl-C.
async fn told_to_stop() {
    let interrupted = tokio::signal::ctrl_c();
    match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        Ok(mut terminated) => {
            tokio::select! {
                _ = interrupted => {}
                _ = terminated.recv() => {}
            }
        }
        Err(_) => drop(interrupted.await),
    }
}

/// Runs a server's future on all cores.
pub(super) fn on_many_threads(
    work: impl Future<Output = Result<Exit, Failure>>,
) -> Result<Exit, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::file("asynchronous input and output", error))?
        .block_on(work)
}

/// Logs go to standard error; `LONGWATCH_LOG` filters them (`info` unless told otherwise), `LONGWATCH_LOG_FORMAT=json`
/// writes a JSON object a line.
pub(super) fn log_to_standard_error() {
    use tracing_subscriber::EnvFilter;
    let filter =
        EnvFilter::try_from_env("LONGWATCH_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    // A second start in one process (tests) keeps the first's log.
    let _ = match std::env::var("LONGWATCH_LOG_FORMAT").as_deref() {
        Ok("json") => log.json().try_init(),
        _ => log.try_init(),
    };
}
