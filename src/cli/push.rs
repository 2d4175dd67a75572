//! `longwatch push`: sends results, waits for an absent server, and keeps on disk what it could not deliver.

mod context;
mod inputs;
mod outcome;
mod spool;
mod upload;

use std::path::PathBuf;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::client::Client;
use super::connection::Connection;
use super::output::{say, say_json};
use super::{Exit, Failure, block_on};
use crate::config::Period;
use context::Context;
use inputs::Input;
use outcome::{Outcome, Sent};
use spool::Spool;

/// Sends the results of benchmarks and load tests
#[derive(clap::Args)]
#[command(
    after_help = "Exit codes: 0 stored, 3 partly stored, 4 refused, 5 nothing to ingest, 6 spooled, 2 wrong usage or \
                        no connection; of several files the worst."
)]
pub(crate) struct Args {
    /// Result files; a directory is walked, `-` is standard input
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// End with 0 where only part of a file could be stored
    #[arg(long)]
    allow_partial: bool,
    /// End with 0 where the server is away and the upload waits on disk
    #[arg(long)]
    allow_spool: bool,
    /// Where uploads wait while the server is away [default: longwatch/spool in the XDG state directory]
    #[arg(long, value_name = "DIR", env = "LONGWATCH_SPOOL")]
    spool: Option<PathBuf>,
    /// How long to try while the server is away
    #[arg(long, value_name = "PERIOD", default_value = "30s")]
    retry_for: Period,
    /// Print what came of each file as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    context: context::Given,
    #[command(flatten)]
    connection: Connection,
}

/// Sends what waits from earlier, then each file in turn.
pub(crate) fn run(args: Args) -> Result<Exit, Failure> {
    let client = Client::new(&args.connection)?;
    let context = Context::of(&args.context)?;
    let inputs = inputs::of(&args.files)?;
    let spool = Spool::at(args.spool.clone());
    let sent = block_on(async {
        upload::resume(&client, &spool).await;
        send_all(&args, &client, &context, &spool, inputs).await
    })?;
    if args.json {
        say_json(&sent.iter().map(Sent::document).collect::<Vec<_>>())?;
    }
    if sent.is_empty() {
        eprintln!("longwatch: there is no file in what was given");
    }
    Ok(sent
        .iter()
        .map(|sent| args.forgiven(sent.exit()))
        .max()
        .unwrap_or(Exit::Nothing))
}

impl Args {
    fn forgiven(&self, exit: Exit) -> Exit {
        match exit {
            Exit::Partial if self.allow_partial => Exit::Ok,
            Exit::Spooled if self.allow_spool => Exit::Ok,
            exit => exit,
        }
    }
}

async fn send_all(
    args: &Args,
    client: &Client,
    context: &Context,
    spool: &Spool,
    inputs: Vec<Input>,
) -> Result<Vec<Sent>, Failure> {
    let progress = progress(inputs.len());
    let mut patience = args.retry_for.duration();
    let mut sent = Vec::with_capacity(inputs.len());
    for input in inputs {
        progress.set_message(input.name.clone());
        let one = upload::input(client, context, spool, &input, patience).await?;
        // Whoever was not there for the first file is given one chance for each further one.
        if matches!(one.outcome, Outcome::Spooled { .. } | Outcome::Lost { .. }) {
            patience = Duration::ZERO;
        }
        progress.suspend(|| report(args, &one))?;
        progress.inc(1);
        sent.push(one);
    }
    progress.finish_and_clear();
    Ok(sent)
}

/// Results to standard output, refusals to standard error.
fn report(args: &Args, sent: &Sent) -> Result<(), Failure> {
    if sent.exit() >= Exit::Refused {
        eprintln!("longwatch: {}", sent.lines().join("\n"));
        return Ok(());
    }
    if args.json {
        Ok(())
    } else {
        sent.lines().iter().try_for_each(say)
    }
}

/// A bar on a terminal, where there is more than a moment's work; nothing elsewhere.
pub(super) fn progress(files: usize) -> ProgressBar {
    let bar = ProgressBar::new(files as u64);
    match ProgressStyle::with_template("{bar:24} {pos}/{len} {wide_msg}") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
