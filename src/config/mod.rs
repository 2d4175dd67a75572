//! What a project declares in its `longwatch.toml`: flows, owners, budgets, references, gates, waivers, routes.
//!
//! [`Config::parse`] reads and checks a whole file; everything it returns can be trusted without a second look.
//! An error names line, column and field, what is wrong there, and what to write instead.
//!
//! ```
//! let config = longwatch::config::Config::parse(
//!     "[[budget]]\nid = \"b\"\nflow = \"checkout\"\nsource = \"rum\"\nmetric = \"lcp\"\npercentile = 75\nlimit = \"2.5 s\"\n",
//! )?;
//! assert_eq!(config.budgets[0].limit.to_string(), "2.5 s");
//! # Ok::<(), longwatch::config::ConfigError>(())
//! ```

mod budget;
mod check;
mod difference;
mod error;
mod flow;
mod gate;
mod lookup;
mod nearest;
mod period;
mod project;
mod quantity;
mod route;
mod table;
mod waiver;

pub use budget::{Budget, Enforcement, Window};
pub use difference::{Action, Change, difference};
pub use error::ConfigError;
pub use flow::{Alias, Flow, FlowMatch};
pub use gate::{Gate, OnInconclusive, Reference};
pub use lookup::utc_date;
pub use nearest::nearest;
pub use period::{Period, Unreadable};
pub use project::{Limits, Metric, Project, Retention};
pub use quantity::{Percent, Quantity, UnitMismatch};
pub use route::{ENV_PREFIX, Owner, Route, RouteKind};
pub use waiver::Waiver;

use table::{Document, Table};

/// The largest `longwatch.toml` we read, in bytes: thousands of budgets fit, a stray data file does not.
pub const FILE_BYTES: usize = 1 << 20;

/// A project's declarations, checked.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Config {
    /// The project itself and its limits.
    pub project: Project,
    /// Flows in file order; the first match wins.
    pub flows: Vec<Flow>,
    /// Renamed series, each `to` already the last name of its chain.
    pub aliases: Vec<Alias>,
    /// Metrics whose direction is declared.
    pub metrics: Vec<Metric>,
    /// Who answers for flows, and where their findings go.
    pub owners: Vec<Owner>,
    /// Budgets.
    pub budgets: Vec<Budget>,
    /// Pinned references, one a flow at most.
    pub references: Vec<Reference>,
    /// Gates.
    pub gates: Vec<Gate>,
    /// Waivers, past ones included.
    pub waivers: Vec<Waiver>,
    /// Where findings go.
    pub routes: Vec<Route>,
}

const KEYS: &[&str] = &[
    "project",
    "flow",
    "series_alias",
    "metric",
    "owner",
    "budget",
    "reference",
    "gate",
    "waiver",
    "route",
];

impl Config {
    /// Reads and checks the text of a `longwatch.toml`.
    ///
    /// Errs at the first thing that is not understood or does not hold together: bad TOML, an unknown key, a value
    /// of the wrong kind, a name declared twice, a name that is declared nowhere.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        if text.len() > FILE_BYTES {
            return Err(ConfigError::at(
                text,
                0,
                "",
                format!("the file has {} bytes, more than {FILE_BYTES}", text.len()),
                "split it into several projects",
            ));
        }
        let document = Document::read(text)?;
        let root = document.root();
        root.only(KEYS)?;
        let config = Self {
            project: Project::read(root.table("project")?.as_ref())?,
            flows: read_all(&root, "flow", Flow::read)?,
            aliases: read_all(&root, "series_alias", Alias::read)?,
            metrics: read_all(&root, "metric", Metric::read)?,
            owners: read_all(&root, "owner", Owner::read)?,
            budgets: read_all(&root, "budget", Budget::read)?,
            references: read_all(&root, "reference", Reference::read)?,
            gates: read_all(&root, "gate", Gate::read)?,
            waivers: read_all(&root, "waiver", Waiver::read)?,
            routes: read_all(&root, "route", Route::read)?,
        };
        config.check(&root)?;
        Ok(Self {
            aliases: flow::resolve_chains(&config.aliases),
            ..config
        })
    }
}

/// Reads each table of the array `key`.
fn read_all<T>(
    root: &Table<'_>,
    key: &str,
    read: fn(&Table<'_>) -> Result<T, ConfigError>,
) -> Result<Vec<T>, ConfigError> {
    root.tables(key)?.iter().map(read).collect()
}

#[cfg(test)]
mod tests;
