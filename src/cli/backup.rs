//! `longwatch backup`: the whole database in one file.

use std::path::PathBuf;

use super::output::say;
use super::{Exit, Failure, block_on};
use crate::store::{Contents, back_up};

/// Writes the whole database to one file and reads it back; works beside a running server
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Where to; a server goes on writing meanwhile, and the file holds one moment
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// `sqlite:FILE` or `postgres://…`
    #[arg(long, value_name = "URL", env = "LONGWATCH_DATABASE", default_value = super::serve::DATABASE)]
    database: String,
    /// Replace FILE where it is there already
    #[arg(long)]
    replace: bool,
}

/// On PostgreSQL it needs the server's `pg_dump`.
pub(crate) fn run(args: Args) -> Result<Exit, Failure> {
    let made = block_on(async { Ok(back_up(&args.database, &args.file, args.replace).await?) })?;
    say(format!("{}: {}", args.file.display(), in_words(&made)))?;
    Ok(Exit::Ok)
}

/// What a backup holds.
pub(super) fn in_words(contents: &Contents) -> String {
    let Contents {
        version,
        projects,
        series,
        windows,
        bytes,
    } = contents;
    format!(
        "{bytes} bytes, schema version {version}; projects: {projects}, series: {series}, windows: {windows}"
    )
}
