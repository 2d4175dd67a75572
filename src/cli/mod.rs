//! The command line: one file a command, each with its `Args` and `run`.
//!
//! Results go to standard output, messages to standard error. To add a command, write its module and its line in
//! `commands!`.

mod apply;
mod backtest;
mod backup;
mod blindspots;
mod ci;
mod client;
mod connection;
mod demo;
mod detect;
mod exit;
mod export;
mod failure;
mod gate;
mod import;
mod migrate;
mod moment;
mod output;
mod parse;
mod push;
mod release;
mod restore;
mod retry;
mod serve;
mod token;

pub(crate) use exit::Exit;
pub(crate) use failure::Failure;

use std::future::Future;
use std::process::ExitCode;

use clap::builder::Styles;
use clap::builder::styling::AnsiColor;
use clap::{Parser, Subcommand};

/// Makes the subcommands of `Variant => module` lines; the module's `Args` carry the help text.
macro_rules! commands {
    ($($variant:ident => $module:ident,)*) => {
        #[derive(Subcommand)]
        enum Command {
            $($variant(Box<$module::Args>),)*
        }

        impl Command {
            fn run(self) -> Result<Exit, Failure> {
                match self {
                    $(Self::$variant(args) => $module::run(*args),)*
                }
            }
        }
    };
}

commands! {
    Apply => apply,
    Backtest => backtest,
    Backup => backup,
    Blindspots => blindspots,
    Demo => demo,
    Detect => detect,
    Export => export,
    Gate => gate,
    Import => import,
    Migrate => migrate,
    Parse => parse,
    Push => push,
    Release => release,
    Restore => restore,
    Serve => serve,
    Token => token,
}

/// A performance regression observatory: percentiles against budgets over months, slow bleeds, ship gates.
#[derive(Parser)]
#[command(name = "longwatch", version, styles = STYLES, max_term_width = 100, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default());

/// Reads the arguments, runs the command, and answers its exit code.
pub fn main() -> ExitCode {
    let command = Cli::parse().command;
    match command.run() {
        Ok(exit) => exit.into(),
        Err(failure) => {
            failure.print();
            failure.exit().into()
        }
    }
}

/// Runs a client command's future to its end on this thread.
fn block_on<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime
        .map_err(|source| Failure::file("asynchronous input and output", source))?
        .block_on(work)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_holds_together() {
        super::Cli::command().debug_assert();
    }
}
