//! `longwatch migrate`: brings a database's schema up to date without serving.

use super::output::say;
use super::{Exit, Failure, block_on};
use crate::store::Store;

/// Brings a database's schema up to date
#[derive(clap::Args)]
pub(crate) struct Args {
    /// `sqlite:FILE` or `postgres://…`
    #[arg(long, value_name = "URL", env = "LONGWATCH_DATABASE", default_value = super::serve::DATABASE)]
    database: String,
}

/// On SQLite no server may run beside it.
pub(crate) fn run(args: Args) -> Result<Exit, Failure> {
    block_on(async {
        let _held = Store::lock_for_serving(&args.database)?;
        let store = Store::open(&args.database).await?;
        store.close().await;
        say("the schema is up to date")?;
        Ok(Exit::Ok)
    })
}
