//! `longwatch restore`: a backup becomes the database.

use std::path::PathBuf;

use super::backup::in_words;
use super::output::say;
use super::{Exit, Failure, block_on};
use crate::store::restore;

/// Makes a backup the database; no server may run on it meanwhile
#[derive(clap::Args)]
pub(crate) struct Args {
    /// What `longwatch backup` wrote, of this version or an earlier one
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// `sqlite:FILE` or `postgres://…`, of the backup's engine
    #[arg(long, value_name = "URL", env = "LONGWATCH_DATABASE", default_value = super::serve::DATABASE)]
    database: String,
    /// Replace all that the database holds
    #[arg(long)]
    replace: bool,
}

/// The backup is read through first; where anything fails the database is as it was.
pub(crate) fn run(args: Args) -> Result<Exit, Failure> {
    let found = block_on(async { Ok(restore(&args.file, &args.database, args.replace).await?) })?;
    say(format!(
        "{} is restored: {}",
        args.file.display(),
        in_words(&found)
    ))?;
    Ok(Exit::Ok)
}
