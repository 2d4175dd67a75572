//! `longwatch token`: makes, lists and revokes tokens, on the database itself.

use clap::Subcommand;

use super::output::say;
use super::{Exit, Failure, block_on};
use crate::clock::now_us;
use crate::config::Period;
use crate::store::{Id, Scope, Store};

/// How the audit trail calls whoever holds the database.
const ACTOR: &str = "command line";

/// Makes, lists and revokes tokens; works beside a running server
#[derive(clap::Args)]
pub(crate) struct Args {
    /// `sqlite:FILE` or `postgres://…`
    #[arg(
        long,
        value_name = "URL",
        env = "LONGWATCH_DATABASE",
        default_value = super::serve::DATABASE,
        global = true
    )]
    database: String,
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Makes a token, and its project where that is new; prints the token alone, once
    Create {
        /// The project
        #[arg(long, value_name = "NAME", env = "LONGWATCH_PROJECT")]
        project: String,
        /// ingest, ci (ingest and gate), rum (public, beacons only), read or admin
        #[arg(long, value_name = "SCOPE")]
        scope: Scope,
        /// What it is for
        #[arg(long, value_name = "TEXT", default_value = "")]
        label: String,
        /// When it ends, as in `90d`; never where left out
        #[arg(long, value_name = "PERIOD")]
        expires: Option<Period>,
    },
    /// Lists a project's tokens without their secrets
    List {
        /// The project
        #[arg(long, value_name = "NAME", env = "LONGWATCH_PROJECT")]
        project: String,
    },
    /// Ends a token at once
    Revoke {
        /// The project
        #[arg(long, value_name = "NAME", env = "LONGWATCH_PROJECT")]
        project: String,
        /// The token's id, as listed
        #[arg(value_name = "ID")]
        id: String,
    },
}

/// Whoever can open the database may do this.
pub(crate) fn run(args: Args) -> Result<Exit, Failure> {
    block_on(async {
        let store = Store::open(&args.database).await?;
        let done = act(&store, args.action).await;
        store.close().await;
        done
    })
}

async fn act(store: &Store, action: Action) -> Result<Exit, Failure> {
    match action {
        Action::Create {
            project,
            scope,
            label,
            expires,
        } => {
            check_slug(&project)?;
            let project = store.ensure_project(&project, ACTOR, now_us()).await?;
            let expires_us = expires.map(|period| now_us() + period.micros());
            let token = store
                .create_token(&project, scope, &label, expires_us, ACTOR, now_us())
                .await?;
            say(token.text)?;
        }
        Action::List { project } => {
            let project = store.project_for_administration(&project).await?;
            for token in store.tokens(&project).await? {
                let state = match (token.revoked_us, token.expires_us) {
                    (Some(_), _) => "revoked",
                    (None, Some(end)) if end <= now_us() => "expired",
                    _ => "valid",
                };
                let key = token.public_key.unwrap_or_default();
                say(format!(
                    "{}  {:<6}  {state:<7}  {}  {key}",
                    token.id, token.scope, token.label
                ))?;
            }
        }
        Action::Revoke { project, id } => {
            let project = store.project_for_administration(&project).await?;
            let id = Id::parse(&id).ok_or_else(|| {
                Failure::usage(
                    format!("{id:?} is no token id"),
                    "`longwatch token list` shows the ids",
                )
            })?;
            store.revoke_token(&project, &id, ACTOR, now_us()).await?;
        }
    }
    Ok(Exit::Ok)
}

/// A project's name stands in addresses.
fn check_slug(slug: &str) -> Result<(), Failure> {
    let fits = (1..=64).contains(&slug.len())
        && slug
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_')
        && !RESERVED.contains(&slug);
    if fits {
        Ok(())
    } else {
        Err(Failure::usage(
            format!("{slug:?} can't be a project's name"),
            "use 1 to 64 of a-z, 0-9, - and _; some words, such as api, are taken",
        ))
    }
}

/// First parts of addresses that are not projects.
const RESERVED: [&str; 12] = [
    "api", "rum", "v1", "healthz", "readyz", "metrics", "badge", "assets", "login", "logout",
    "enrol", "favicon",
];
