//! Budgets: how slow is too slow, over which window, and how strictly.

use std::collections::BTreeMap;

use collectors::report::Source;
use jiff::civil::Date;

use super::error::ConfigError;
use super::flow::{SOURCES, carries};
use super::quantity::Quantity;
use super::table::Table;

/// A `[[budget]]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Budget {
    /// Its name, unique in the file.
    pub id: String,
    /// The flow it is for.
    pub flow: String,
    /// Where the evidence comes from.
    pub source: Source,
    /// The metric it bounds, by its snake_case name.
    pub metric: String,
    /// Only series that carry these labels, perhaps among others.
    pub labels: BTreeMap<String, String>,
    /// The percentile it bounds, above 0 and below 100; none for series that track a run's value.
    pub percentile: Option<f64>,
    /// The bound.
    pub limit: Quantity,
    /// What it is judged over.
    pub window: Window,
    /// How strictly, today.
    pub enforcement: Enforcement,
    /// A stricter enforcement from a day on.
    pub rises: Option<(Enforcement, Date)>,
    /// Who answers for it; else the flow's owner.
    pub owner: Option<String>,
}

/// What a budget is judged over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Window {
    /// Each release.
    Release,
    /// The last seven UTC days.
    Days7,
    /// The last 28 UTC days.
    Days28,
    /// The last 90 UTC days.
    Days90,
}

impl Window {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("release", Self::Release),
        ("7d", Self::Days7),
        ("28d", Self::Days28),
        ("90d", Self::Days90),
    ];

    /// How many days; none for [`Window::Release`].
    pub fn days(self) -> Option<u32> {
        match self {
            Self::Release => None,
            Self::Days7 => Some(7),
            Self::Days28 => Some(28),
            Self::Days90 => Some(90),
        }
    }

    /// As in the file.
    pub fn as_str(self) -> &'static str {
        Self::WORDS
            .iter()
            .find(|(_, window)| *window == self)
            .map_or("", |(word, _)| word)
    }

    /// Releases for what is measured per release, 28 days for the field, as browser vendors judge it.
    fn usual(source: Source) -> Self {
        match source {
            Source::Bench | Source::Load | Source::Lab => Self::Release,
            Source::Rum | Source::Telemetry => Self::Days28,
        }
    }
}

/// How strictly a budget is held, from mild to strict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Enforcement {
    /// Shown.
    Observe,
    /// Alerts.
    Track,
    /// Gates.
    Verify,
}

impl Enforcement {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("observe", Self::Observe),
        ("track", Self::Track),
        ("verify", Self::Verify),
    ];

    /// As in the file.
    pub fn as_str(self) -> &'static str {
        Self::WORDS
            .iter()
            .find(|(_, enforcement)| *enforcement == self)
            .map_or("", |(word, _)| word)
    }
}

impl Budget {
    pub(super) fn read(table: &Table<'_>) -> Result<Self, ConfigError> {
        table.only(&[
            "id",
            "flow",
            "source",
            "metric",
            "labels",
            "percentile",
            "limit",
            "window",
            "enforcement",
            "rises_to",
            "rises_on",
            "owner",
        ])?;
        let source = table.required("source", table.word("source", SOURCES)?, "\"rum\"")?;
        let enforcement = table
            .word("enforcement", Enforcement::WORDS)?
            .unwrap_or(Enforcement::Track);
        Ok(Self {
            id: table.required("id", table.text("id")?, "\"checkout-lcp\"")?,
            flow: table.required("flow", table.text("flow")?, "\"checkout\"")?,
            source,
            metric: table.required("metric", table.text("metric")?, "\"lcp\"")?,
            labels: table.labels("labels")?,
            percentile: percentile(table)?,
            limit: table.required("limit", table.value("limit")?, "\"2.5 s\"")?,
            window: table
                .word("window", Window::WORDS)?
                .unwrap_or(Window::usual(source)),
            enforcement,
            rises: rises(table, enforcement)?,
            owner: table.text("owner")?,
        })
    }

    /// The percentile as a quantile: 0.75 for 75.
    pub fn quantile(&self) -> Option<f64> {
        self.percentile.map(|percentile| percentile / 100.0)
    }

    /// How strictly it is held on a UTC day.
    pub fn enforcement_on(&self, day: Date) -> Enforcement {
        match self.rises {
            Some((stricter, from)) if day >= from => stricter,
            _ => self.enforcement,
        }
    }

    /// Whether it bounds the series with this identity.
    pub fn covers(
        &self,
        flow: &str,
        source: Source,
        metric: &str,
        labels: &BTreeMap<String, String>,
    ) -> bool {
        self.flow == flow
            && self.source == source
            && self.metric == metric
            && carries(labels, &self.labels)
    }
}

fn percentile(table: &Table<'_>) -> Result<Option<f64>, ConfigError> {
    let percentile = table.number("percentile")?;
    match percentile {
        Some(p) if p <= 0.0 || p >= 100.0 => {
            let hint = if p > 0.0 {
                "the maximum is no percentile; write for example 99"
            } else {
                "write for example 75"
            };
            Err(table.fault("percentile", format!("{p} is not between 0 and 100"), hint))
        }
        Some(p) if p < 1.0 => Err(table.fault(
            "percentile",
            format!("{p} reads like a fraction"),
            format!("write {} for P{}", p * 100.0, p * 100.0),
        )),
        _ => Ok(percentile),
    }
}

fn rises(table: &Table<'_>, now: Enforcement) -> Result<Option<(Enforcement, Date)>, ConfigError> {
    match (
        table.word("rises_to", Enforcement::WORDS)?,
        table.date("rises_on")?,
    ) {
        (None, None) => Ok(None),
        (Some(later), Some(day)) if later > now => Ok(Some((later, day))),
        (Some(later), Some(_)) => {
            let message = format!(
                "`{}` is not stricter than `{}`",
                later.as_str(),
                now.as_str()
            );
            Err(table.fault(
                "rises_to",
                message,
                "from mild to strict: observe, track, verify",
            ))
        }
        (Some(_), None) => Err(table.fault(
            "rises_on",
            "`rises_on` is missing",
            "say from which day on, as in `rises_on = 2027-02-01`",
        )),
        (None, Some(_)) => Err(table.fault(
            "rises_to",
            "`rises_to` is missing",
            "say to what, as in `rises_to = \"verify\"`",
        )),
    }
}
