//! Owners, and the routes on which findings reach them. Addresses and secrets stay in the server's environment.

use super::error::ConfigError;
use super::table::Table;

/// What the names of environment variables in the file must begin with, so that no file can ask for other secrets.
pub const ENV_PREFIX: &str = "LONGWATCH_ROUTE_";

/// An `[[owner]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// The name that flows, budgets and waivers use.
    pub name: String,
    /// The names of the routes for its findings.
    pub routes: Vec<String>,
}

impl Owner {
    pub(super) fn read(table: &Table<'_>) -> Result<Self, ConfigError> {
        table.only(&["name", "routes"])?;
        Ok(Self {
            name: table.required("name", table.text("name")?, "\"payments\"")?,
            routes: table.texts("routes")?,
        })
    }
}

/// A `[[route]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// Its name, unique in the file.
    pub name: String,
    /// Where it leads.
    pub kind: RouteKind,
    /// The variable that holds the address, read on the server when sending.
    pub url_env: Option<String>,
    /// The variable that holds the signing secret or key.
    pub secret_env: Option<String>,
}

/// Where a route leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RouteKind {
    /// A Slack incoming webhook.
    Slack,
    /// A signed webhook of the user's own.
    Webhook,
    /// Mail.
    Email,
    /// PagerDuty's events.
    PagerDuty,
    /// GitHub issues or checks.
    GitHub,
}

impl RouteKind {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("slack", Self::Slack),
        ("webhook", Self::Webhook),
        ("email", Self::Email),
        ("pagerduty", Self::PagerDuty),
        ("github", Self::GitHub),
    ];

    /// As in the file.
    pub fn as_str(self) -> &'static str {
        Self::WORDS
            .iter()
            .find(|(_, kind)| *kind == self)
            .map_or("", |(word, _)| word)
    }
}

impl Route {
    pub(super) fn read(table: &Table<'_>) -> Result<Self, ConfigError> {
        table.only(&["name", "kind", "url_env", "secret_env"])?;
        let (url_env, secret_env) = (variable(table, "url_env")?, variable(table, "secret_env")?);
        if url_env.is_none() && secret_env.is_none() {
            return Err(table.fault(
                "url_env",
                "the route has no address",
                format!("write for example `url_env = \"{ENV_PREFIX}PAYMENTS\"`"),
            ));
        }
        Ok(Self {
            name: table.required("name", table.text("name")?, "\"payments-slack\"")?,
            kind: table.required("kind", table.word("kind", RouteKind::WORDS)?, "\"slack\"")?,
            url_env,
            secret_env,
        })
    }
}

fn variable(table: &Table<'_>, key: &str) -> Result<Option<String>, ConfigError> {
    let name = table.text(key)?;
    let allowed = |name: &str| {
        name.strip_prefix(ENV_PREFIX).is_some_and(|rest| {
            !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        })
    };
    match name {
        Some(name) if !allowed(&name) => {
            let message = format!("`{name}` is no variable that a route may read");
            Err(table.fault(
                key,
                message,
                format!("its name must begin with {ENV_PREFIX}, then letters, digits and _"),
            ))
        }
        name => Ok(name),
    }
}
