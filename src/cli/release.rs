//! `longwatch release`: registers a release and its deploy.

use reqwest::Method;
use serde_json::{Map, Value};

use super::ci::CiRun;
use super::client::{Client, Content};
use super::connection::Connection;
use super::moment::Moment;
use super::output::{say, say_json};
use super::retry::{Patience, with_retries};
use super::{Exit, Failure, block_on};
use crate::config::Period;

/// Registers a release and its deploy; CI variables fill what is not given
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The release's name
    #[arg(value_name = "NAME")]
    name: String,
    /// Its commit
    #[arg(long, value_name = "HASH")]
    commit: Option<String>,
    /// The commit before it on the main branch
    #[arg(long, value_name = "HASH")]
    parent: Option<String>,
    /// Its branch
    #[arg(long, value_name = "NAME")]
    branch: Option<String>,
    /// When it was deployed, as in 2026-11-20T10:00:00Z; else now
    #[arg(long, value_name = "TIME")]
    time: Option<Moment>,
    /// How long to try while the server is away
    #[arg(long, value_name = "PERIOD", default_value = "30s")]
    retry_for: Period,
    /// Print the server's answer as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connection: Connection,
}

/// Registering the same release again changes only what is given anew, so that trying again is harmless.
pub(crate) fn run(args: Args) -> Result<Exit, Failure> {
    let client = Client::new(&args.connection)?;
    let document = document(&args, CiRun::here());
    let answer = block_on(async {
        let send = || {
            client.send(
                Method::POST,
                client.address(&["releases"], &[]),
                Content::json(&document),
            )
        };
        Ok(with_retries(Patience::of(args.retry_for.duration()), send).await?)
    })?;
    if args.json {
        say_json(&answer)?
    } else {
        say(format!(
            "{}: release {} is registered",
            client.project(),
            args.name
        ))?
    }
    Ok(Exit::Ok)
}

fn document(args: &Args, ci: CiRun) -> Value {
    let fields = [
        ("name", Some(args.name.clone())),
        ("commit", args.commit.clone().or(ci.commit)),
        ("parent", args.parent.clone().or(ci.parent)),
        ("branch", args.branch.clone().or(ci.branch)),
        ("time", args.time.as_ref().map(ToString::to_string)),
    ];
    let given = fields
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), Value::String(value?))));
    Value::Object(given.collect::<Map<_, _>>())
}
