//! `longwatch gate`: asks whether a release may go, and answers by exit code.

mod github;
mod junit;
mod markdown;
mod verdict;

use std::time::{Duration, Instant};

use clap::ValueEnum;
use reqwest::Method;
use serde_json::{Value, json};

use super::ci::CiRun;
use super::client::{Client, ClientError, Content};
use super::connection::Connection;
use super::output::{say, say_json};
use super::retry::{Patience, with_retries};
use super::{Exit, Failure, block_on};
use crate::config::Period;
use verdict::Verdict;

/// Asks a gate about a release: ends with 0 for pass, 1 for fail, 3 for inconclusive
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The gate's name in longwatch.toml
    #[arg(value_name = "NAME")]
    name: String,
    /// The release or commit; CI variables fill it where it is not given
    #[arg(long, value_name = "RELEASE")]
    release: Option<String>,
    /// While the answer is inconclusive, ask again for this long
    #[arg(long, value_name = "PERIOD")]
    wait: Option<Period>,
    /// How to print the verdict
    #[arg(long, value_enum, default_value_t = Output::Text)]
    output: Output,
    #[command(flatten)]
    connection: Connection,
}

/// How to print a verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    /// Sentences
    Text,
    /// The server's document
    Json,
    /// A table for a pull request's comment
    Markdown,
    /// A test suite with a case a check
    Junit,
    /// Workflow annotations, and the table in the job's summary
    Github,
}

/// How long to try while the server is away, unless --wait says longer.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between the first two questions while waiting for evidence, doubling: what is on its way comes within a second.
const FIRST_WAIT: Duration = Duration::from_millis(500);
/// Between later questions: a run takes minutes.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// Prints the verdict in the asked form.
pub(crate) fn run(args: Args) -> Result<Exit, Failure> {
    let client = Client::new(&args.connection)?;
    let release = release(&args)?;
    let wait = args.wait.map_or(Duration::ZERO, Period::duration);
    let document = block_on(async { Ok(ask(&client, &args.name, &release, wait).await?) })?;
    let verdict = Verdict::read(&document)?;
    match args.output {
        Output::Text => verdict.lines().iter().try_for_each(say)?,
        Output::Json => say_json(&document)?,
        Output::Markdown => say(markdown::page(&verdict))?,
        Output::Junit => say(junit::suite(&verdict))?,
        Output::Github => {
            github::annotations(&verdict).iter().try_for_each(say)?;
            github::summarise(&markdown::page(&verdict))?;
        }
    }
    Ok(verdict.exit())
}

fn release(args: &Args) -> Result<String, Failure> {
    let ci = CiRun::here();
    let known = args.release.clone().or(ci.release).or(ci.commit);
    known.ok_or_else(|| {
        Failure::usage(
            "no release is given",
            "give --release; outside of CI it cannot be guessed",
        )
    })
}

/// Asks until the verdict is no longer inconclusive or the wait is over.
///
/// The same evidence gives the same stored verdict, so that asking again is no new look at the data.
async fn ask(
    client: &Client,
    gate: &str,
    release: &str,
    wait: Duration,
) -> Result<Value, ClientError> {
    let started = Instant::now();
    let question = json!({ "release": release });
    let mut between = FIRST_WAIT;
    loop {
        let left = wait.saturating_sub(started.elapsed());
        let send = || {
            client.send(
                Method::POST,
                client.address(&["gates", gate, "verdicts"], &[]),
                Content::json(&question),
            )
        };
        let document = with_retries(Patience::of(left.max(PATIENCE)), send).await?;
        let is_open = document.get("verdict").and_then(Value::as_str) == Some("inconclusive");
        let left = wait.saturating_sub(started.elapsed());
        if !is_open || left.is_zero() {
            return Ok(document);
        }
        tokio::time::sleep(between.min(left)).await;
        between = (between * 2).min(LONGEST_WAIT);
    }
}
