//! The project itself, its limits, and the directions of its metrics.

use collectors::report::Direction;

use super::error::ConfigError;
use super::period::Period;
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
    /// How long single runs and days are kept.
    pub retention: Retention,
}

impl Default for Project {
    fn default() -> Self {
        Self {
            name: None,
            main_branch: "main".to_owned(),
            limits: Limits::default(),
            retention: Retention::default(),
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
        table.only(&["name", "main_branch", "limits", "retention"])?;
        let standard = Self::default();
        Ok(Self {
            name: table.text("name")?,
            main_branch: table.text("main_branch")?.unwrap_or(standard.main_branch),
            limits: Limits::read(table.table("limits")?.as_ref())?,
            retention: Retention::read(table.table("retention")?.as_ref())?,
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

/// How long single runs and UTC days of field data are kept; for ever where nothing is said. Releases are kept always.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Retention {
    /// Runs, from their start on.
    pub runs: Option<Period>,
    /// UTC days.
    pub days: Option<Period>,
}

/// Nothing younger may be forgotten: budgets, gates and changes are judged by up to a quarter.
const SHORTEST: Period = Period::days(90);
/// Microseconds of a UTC day.
const DAY_US: i64 = 86_400_000_000;

impl Retention {
    /// Since when runs are kept, microseconds.
    pub fn runs_from_us(&self, now_us: i64) -> Option<i64> {
        self.runs.map(|kept| now_us - kept.micros())
    }

    /// The first day that is kept, microseconds.
    pub fn days_from_us(&self, now_us: i64) -> Option<i64> {
        let first = |kept: Period| (now_us - kept.micros()).div_euclid(DAY_US) * DAY_US;
        self.days.map(first)
    }

    fn read(table: Option<&Table<'_>>) -> Result<Self, ConfigError> {
        let Some(table) = table else {
            return Ok(Self::default());
        };
        table.only(&["runs", "days"])?;
        let kept = |key: &str| {
            match table.value::<Period>(key)? {
            Some(period) if period < SHORTEST => Err(table.fault(
                key,
                format!("`{period}` is shorter than {SHORTEST}"),
                format!("the past quarter is judged by: write {SHORTEST} or more, or leave `{key}` out to keep them for ever"),
            )),
            period => Ok(period),
        }
        };
        Ok(Self {
            runs: kept("runs")?,
            days: kept("days")?,
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
