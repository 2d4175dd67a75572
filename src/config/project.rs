//! The project itself, its limits, and the directions of its metrics.

use collectors::report::Direction;

use super::error::ConfigError;
use super::table::Table;

/// The `[project]` table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Project {
    /// Its name, where the file says so; the address to which the file is applied wins.
    pub name: Option<String>,
    /// The branch that feeds baselines, ledger and bleeds.
    pub main_branch: String,
    /// Bounds on what the project may store.
    pub limits: Limits,
}

impl Default for Project {
    fn default() -> Self {
        Self {
            name: None,
            main_branch: "main".to_owned(),
            limits: Limits::default(),
        }
    }
}

/// Bounds on what a project may store; beyond them the service answers 429 and names the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Series in all.
    pub series: u64,
    /// Flows that real users' beacons may bring into being; further ones count as `other`.
    pub undeclared_rum_flows: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            series: 20_000,
            undeclared_rum_flows: 200,
        }
    }
}

impl Project {
    pub(super) fn read(table: Option<&Table<'_>>) -> Result<Self, ConfigError> {
        let Some(table) = table else {
            return Ok(Self::default());
        };
        table.only(&["name", "main_branch", "limits"])?;
        let standard = Self::default();
        Ok(Self {
            name: table.text("name")?,
            main_branch: table.text("main_branch")?.unwrap_or(standard.main_branch),
            limits: Limits::read(table.table("limits")?.as_ref())?,
        })
    }
}

impl Limits {
    fn read(table: Option<&Table<'_>>) -> Result<Self, ConfigError> {
        let standard = Self::default();
        let Some(table) = table else {
            return Ok(standard);
        };
        table.only(&["series", "undeclared_rum_flows"])?;
        Ok(Self {
            series: table.count("series")?.unwrap_or(standard.series),
            undeclared_rum_flows: table
                .count("undeclared_rum_flows")?
                .unwrap_or(standard.undeclared_rum_flows),
        })
    }
}

/// A `[[metric]]`: says which way of it is good where the tool does not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metric {
    /// The metric's snake_case name.
    pub name: String,
    /// Which way is good.
    pub direction: Direction,
}

/// The words for directions in the file.
pub(super) const DIRECTIONS: &[(&str, Direction)] = &[
    ("lower", Direction::Lower),
    ("higher", Direction::Higher),
    ("unknown", Direction::Unknown),
];

impl Metric {
    pub(super) fn read(table: &Table<'_>) -> Result<Self, ConfigError> {
        table.only(&["name", "direction"])?;
        Ok(Self {
            name: table.required("name", table.text("name")?, "\"billing_cost\"")?,
            direction: table.required(
                "direction",
                table.word("direction", DIRECTIONS)?,
                "\"lower\"",
            )?,
        })
    }
}
