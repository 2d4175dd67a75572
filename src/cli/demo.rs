//! `longwatch demo`: nine months of a small shop, put in through the real writer and fold, then served.

use std::path::PathBuf;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use tokio::task::JoinSet;

use super::output::say;
use super::serve::{bind, log_to_standard_error, on_many_threads, serve};
use super::{Exit, Failure};
use crate::clock::now_us;
use crate::demo::{Arrival, Epoch, PROJECT, SEED, Shop};
use crate::http::Settings;
use crate::intake::{Sender, intake};
use crate::service::Service;
use crate::store::{DeclaredEpoch, Id, Release, Store, Submission};
use crate::writer::Writer;
use crate::{detector, folder, verdict};

/// Arrivals in flight towards the writer: enough that its groups are large.
const IN_FLIGHT: usize = 256;

/// Shows nine months of a small shop: steps, a slow bleed, an epoch, budgets and gates
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Address and port; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", env = "LONGWATCH_LISTEN", default_value = super::serve::LISTEN)]
    listen: String,
    /// Where to keep the database; a fresh temporary directory where left out
    #[arg(long, value_name = "DIR")]
    directory: Option<PathBuf>,
    /// Another shop for another seed
    #[arg(long, value_name = "NUMBER", default_value_t = SEED)]
    seed: u64,
    /// The moment that counts as now, as in 2026-11-20T10:00:00Z
    #[arg(long, value_name = "TIME")]
    now: Option<super::moment::Moment>,
    /// Only make the database, do not serve
    #[arg(long)]
    no_serve: bool,
    /// Let webhooks go to private addresses and plain HTTP
    #[arg(long)]
    allow_private_routes: bool,
}

/// Makes the shop's database and serves it.
pub(crate) fn run(args: Args) -> Result<Exit, Failure> {
    log_to_standard_error();
    on_many_threads(async {
        let directory = match &args.directory {
            Some(directory) => directory.clone(),
            None => std::env::temp_dir().join(format!("longwatch-demo-{}", std::process::id())),
        };
        std::fs::create_dir_all(&directory).map_err(|error| Failure::file(&directory, error))?;
        let file = directory.join("demo.db");
        if file.exists() {
            return Err(Failure::usage(
                format!("{} is there already", file.display()),
                "serve it with `longwatch serve --database`, or choose a fresh --directory",
            ));
        }
        let url = format!("sqlite:{}", file.display());
        let _held = Store::lock_for_serving(&url)?;
        let store = Store::open(&url).await?;
        let now_us = args
            .now
            .map_or_else(now_us, |moment| moment.as_microsecond());
        let shop = Shop::new(args.seed, now_us);
        fill(&store, &shop, now_us).await?;
        if args.no_serve {
            store.close().await;
            say(format!("the shop's database is {}", file.display()))?;
            return Ok(Exit::Ok);
        }
        let settings = Settings {
            public_read: true,
            public_url: String::new(),
            allow_private_routes: args.allow_private_routes,
            ..Settings::default()
        };
        let (listener, settings) = bind(&args.listen, settings).await?;
        let tour = tour(&store, &settings.public_url).await?;
        let service = Service::start(store, settings);
        say(tour)?;
        serve(service, listener).await
    })
}

/// Puts the whole shop in: the configuration first, then everything in the order of time.
async fn fill(store: &Store, shop: &Shop, now_us: i64) -> Result<(), Failure> {
    let project = store.ensure_project(PROJECT, "demo", now_us).await?;
    store
        .apply_policy(&project, &shop.config(), "demo", now_us)
        .await?;
    let bar = progress(shop.expected() as u64, "putting nine months in");
    let (writer, writing) = Writer::start(store.clone(), || {});
    let mut flying: JoinSet<Result<(), Failure>> = JoinSet::new();
    for (number, arrival) in shop.arrivals().enumerate() {
        while flying.len() >= IN_FLIGHT {
            landed(flying.join_next().await)?;
        }
        if let Arrival::Epoch(epoch) = arrival {
            store
                .declare_epoch(&project, &declared(&epoch), now_us)
                .await?;
            bar.inc(1);
            continue;
        }
        let submission = submission(project, arrival, number, now_us)?;
        let writer = writer.clone();
        flying.spawn(async move {
            writer
                .submit(Box::new(submission))
                .await
                .map(|_| ())
                .map_err(|error| Failure::usage(error.to_string(), "try again"))
        });
        bar.inc(1);
    }
    while let Some(done) = flying.join_next().await {
        landed(Some(done))?;
    }
    drop(writer);
    let _ = writing.await;
    bar.set_message("folding into windows");
    while folder::round(store, "demo").await? {}
    bar.set_message("judging");
    detector::round(store, "demo", "", true).await?;
    bar.finish_and_clear();
    Ok(())
}

fn landed(
    done: Option<Result<Result<(), Failure>, tokio::task::JoinError>>,
) -> Result<(), Failure> {
    match done {
        Some(Ok(outcome)) => outcome,
        Some(Err(error)) => Err(Failure::usage(error.to_string(), "try again")),
        None => Ok(()),
    }
}

fn declared(epoch: &Epoch) -> DeclaredEpoch {
    DeclaredEpoch {
        id: Id::new(),
        flow: epoch.flow.to_owned(),
        source: match serde_json::to_value(epoch.source) {
            Ok(serde_json::Value::String(word)) => Some(word),
            _ => None,
        },
        at_us: epoch.time_us,
        kind: epoch.kind.to_owned(),
        reason: epoch.reason.to_owned(),
        actor: "demo".to_owned(),
    }
}

fn submission(
    project: crate::store::ProjectId,
    arrival: Arrival,
    number: usize,
    now_us: i64,
) -> Result<Submission, Failure> {
    let mut submission = Submission {
        project,
        entry: None,
        new_series: Vec::new(),
        run: None,
        release: None,
        deltas: Vec::new(),
        dropped: Vec::new(),
        received_us: now_us,
    };
    match arrival {
        Arrival::Release(release) => {
            submission.release = Some(Release {
                name: release.name,
                commit: Some(release.commit),
                parent: release.parent,
                branch: Some(release.branch),
                on_main: true,
                time_us: release.time_us,
                declared: true,
                note: release.note.map(str::to_owned),
            });
        }
        Arrival::Epoch(_) => {}
        Arrival::Report(report) => {
            let sender = Sender {
                main_branch: "main".to_owned(),
                content: format!("demo-{number:08}"),
                received_us: now_us,
                ..Sender::default()
            };
            let taken = intake(&report, &sender)
                .map_err(|error| Failure::usage(error.to_string(), "choose another --now"))?;
            submission.new_series = taken.series;
            submission.run = taken.run;
            submission.release = taken.release;
            submission.deltas = taken.deltas;
        }
    }
    Ok(submission)
}

fn progress(length: u64, message: &'static str) -> ProgressBar {
    let bar = ProgressBar::new(length);
    if let Ok(style) = ProgressStyle::with_template("{msg:24} {bar:40} {pos}/{len} {elapsed}") {
        bar.set_style(style);
    }
    bar.set_message(message);
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}

/// What to look at, from what was really found.
async fn tour(store: &Store, address: &str) -> Result<String, Failure> {
    let project = store.project_for_administration(PROJECT).await?;
    let start = format!("{address}{}", crate::http::paths::project(PROJECT));
    let findings = store.findings(&project).await?;
    let first = |kind: &str, open: bool| {
        findings
            .iter()
            .find(|finding| finding.kind == kind && finding.state.is_open() == open)
    };
    let mut lines = vec![format!("Nine months of a small shop: {start}")];
    let mut point = |what: &str, finding: Option<&crate::store::Finding>| {
        if let Some(finding) = finding {
            lines.push(format!("  {what}: {start}/findings/{}", finding.id));
        }
    };
    point("a slow bleed that passed every gate", first("bleed", true));
    point("a bleed that somebody stopped", first("bleed", false));
    point("a step", first("step", true));
    point("a flow that went silent", first("missing", true));
    let gates = format!("  the gate's answers: {start}/gates");
    lines.push(gates);
    let record = crate::http::api::record_of(store, &project).await?;
    for release in record.releases.iter().rev().take(3).rev() {
        let asked = verdict::ask(store, &record, "release", &release.name, &start, now_us()).await;
        if let Ok(answer) = asked {
            lines.push(format!(
                "  longwatch gate release --release {}   {}",
                release.name,
                verdict::word_of(answer.verdict)
            ));
        }
    }
    Ok(lines.join("\n"))
}
