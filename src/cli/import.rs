//! `longwatch import`: brings a history in at once, every run with its own release and time.

mod benchmark_action;
mod csv;

use std::path::PathBuf;
use std::sync::Arc;

use clap::ValueEnum;
use collectors::report::Direction;
use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::task::JoinSet;

use super::client::{Client, ClientError, Content};
use super::connection::Connection;
use super::output::{say, say_json};
use super::push::progress;
use super::retry::{Patience, with_retries};
use super::{Exit, Failure, block_on};
use crate::config::Period;

/// Uploads under way at a time: enough that a commit takes many of them, and far below what a server queues.
const AT_ONCE: usize = 64;

/// Brings a history in at once
#[derive(clap::Args)]
#[command(
    after_help = "csv: a file is a series of `time,release,value[,count][,env][,epoch]`, a row a run, as `longwatch detect` \
                  reads it. A changed `env` is a changed machine, a changed `epoch` something else measured. The flow is named \
                  by the file; --metric and --unit say what its values are.\n\n\
                  benchmark-action: github-action-benchmark's data.js, with each commit's own values, units and time.\n\n\
                  What was imported before is not stored again: import the same files as they grow.\n\n\
                  Exit codes: 0 stored, 3 some rows left out, 4 refused, 5 nothing to import, 2 wrong usage or no connection."
)]
pub(crate) struct Args {
    /// What the history is
    #[arg(value_enum)]
    kind: Kind,
    /// Its files; a directory is walked for them
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<PathBuf>,
    /// The metric
    #[arg(long, value_name = "NAME", default_value = "value")]
    metric: String,
    /// The unit of the values: ns, us, ms, s, B, 1, 1/s …
    #[arg(long, value_name = "UNIT", default_value = "1")]
    unit: String,
    /// Which way is good [default: as the metric and the unit say]
    #[arg(long, value_enum)]
    direction: Option<Good>,
    /// The kind of machine that all of it was measured on
    #[arg(long, value_name = "NAME", env = "LONGWATCH_TESTBED")]
    testbed: Option<String>,
    /// How long to try while the server is away
    #[arg(long, value_name = "PERIOD", default_value = "30s")]
    retry_for: Period,
    /// Print what came of each series as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connection: Connection,
}

/// What a history is.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Kind {
    /// Files of `time,release,value[,count][,env][,epoch]`
    Csv,
    /// The `data.js` of github-action-benchmark
    BenchmarkAction,
}

/// Which way of a metric is good.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Good {
    /// Lower is better
    Lower,
    /// Higher is better
    Higher,
    /// Neither is
    Unknown,
}

impl Good {
    fn direction(self) -> Direction {
        match self {
            Good::Lower => Direction::Lower,
            Good::Higher => Direction::Higher,
            Good::Unknown => Direction::Unknown,
        }
    }
}

/// One series of a history: a report a run.
#[derive(Debug)]
struct History {
    /// Its flow.
    flow: String,
    /// Oldest first, each with where it stands.
    runs: Vec<(String, Value)>,
    /// Rows that hold no measurement.
    left_out: usize,
}

/// What came of a series.
#[derive(Debug, Default)]
struct Imported {
    flow: String,
    stored: usize,
    known: usize,
    left_out: usize,
}

/// Reads everything before anything is sent: a history with a fault in it is refused whole.
pub(crate) fn run(args: Args) -> Result<Exit, Failure> {
    let histories = match args.kind {
        Kind::Csv => csv::histories(&args)?,
        Kind::BenchmarkAction => benchmark_action::histories(&args)?,
    };
    let client = Arc::new(Client::new(&args.connection)?);
    let patience = Patience::of(args.retry_for.duration());
    let imported = block_on(send_all(&args, client, patience, histories))?;
    if args.json {
        say_json(&imported.iter().map(Imported::document).collect::<Vec<_>>())?;
    }
    let any = |count: fn(&Imported) -> usize| imported.iter().any(|one| count(one) > 0);
    Ok(
        match (any(|one| one.stored + one.known), any(|one| one.left_out)) {
            (false, _) => Exit::Nothing,
            (true, true) => Exit::Partial,
            (true, false) => Exit::Ok,
        },
    )
}

async fn send_all(
    args: &Args,
    client: Arc<Client>,
    patience: Patience,
    histories: Vec<History>,
) -> Result<Vec<Imported>, Failure> {
    let progress = progress(histories.iter().map(|history| history.runs.len()).sum());
    let mut all = Vec::with_capacity(histories.len());
    for history in histories {
        progress.set_message(history.flow.clone());
        let mut imported = Imported {
            flow: history.flow,
            left_out: history.left_out,
            ..Imported::default()
        };
        let (mut sending, mut runs) = (JoinSet::new(), history.runs.into_iter());
        loop {
            while sending.len() < AT_ONCE
                && let Some(run) = runs.next()
            {
                sending.spawn(send(client.clone(), patience, run));
            }
            let Some(sent) = sending.join_next().await else {
                break;
            };
            let sent =
                sent.map_err(|error| Failure::file("an upload", std::io::Error::other(error)))?;
            if sent? {
                imported.known += 1;
            } else {
                imported.stored += 1;
            }
            progress.inc(1);
        }
        if !args.json {
            progress.suspend(|| say(imported.words()))?;
        }
        all.push(imported);
    }
    progress.finish_and_clear();
    Ok(all)
}

/// Sends a run; whether it was stored before.
async fn send(
    client: Arc<Client>,
    patience: Patience,
    (place, report): (String, Value),
) -> Result<bool, Failure> {
    let body = report.to_string();
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Ok(key) = HeaderValue::from_str(&key(client.project(), &body)) {
        headers.insert(HeaderName::from_static("idempotency-key"), key);
    }
    let content = Content {
        body: body.into_bytes(),
        headers,
    };
    let send = || {
        let url = client.address(&["samples"], &[]);
        client.send(Method::POST, url, content.clone())
    };
    let answer = with_retries(patience, send)
        .await
        .map_err(|error| match error {
            ClientError::Refused(mut problem) => {
                problem.detail = format!("{place}: {}", problem.detail);
                ClientError::Refused(problem)
            }
            other => other,
        })?;
    Ok(answer.get("duplicate").and_then(Value::as_bool) == Some(true))
}

/// The same run of the same project has the same key, whenever and from wherever it is imported.
fn key(project: &str, body: &str) -> String {
    let mut hash = Sha256::new();
    for part in ["import", project, body] {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    let bytes = hash.finalize();
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Imported {
    fn words(&self) -> String {
        let mut words = format!("{}: stored {}", self.flow, runs(self.stored));
        if self.known > 0 {
            words.push_str(&format!(", {} stored before", self.known));
        }
        if self.left_out > 0 {
            words.push_str(&format!(", {} without a value left out", self.left_out));
        }
        words
    }

    fn document(&self) -> Value {
        json!({
            "flow": self.flow, "stored": self.stored, "stored_before": self.known, "left_out": self.left_out,
        })
    }
}

fn runs(count: usize) -> String {
    match count {
        1 => "1 run".to_owned(),
        count => format!("{count} runs"),
    }
}
