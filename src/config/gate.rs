//! Gates and the references that they compare with.

use super::error::ConfigError;
use super::period::Period;
use super::quantity::{Percent, Quantity};
use super::table::Table;

/// A `[[gate]]`: one answer, ship or not, over several flows.
#[derive(Debug, Clone, PartialEq)]
pub struct Gate {
    /// Its name, unique in the file.
    pub name: String,
    /// The flows whose budgeted series it tests; at least one.
    pub flows: Vec<String>,
    /// How much slower than the reference is still let through.
    pub margin: Percent,
    /// The smallest change that counts, for metrics of its unit; the larger of this and the margin holds.
    pub minimum: Option<Quantity>,
    /// The family-wise confidence of all its checks together, above 0.5 and below 1.
    pub confidence: f64,
    /// How old the evidence may be.
    pub fresh: Period,
    /// What an inconclusive verdict does.
    pub on_inconclusive: OnInconclusive,
}

/// What an inconclusive verdict does to a release; the exit code stays 3.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnInconclusive {
    /// Holds it back.
    Block,
    /// Lets it through with a warning.
    Warn,
}

impl OnInconclusive {
    const WORDS: &'static [(&'static str, Self)] = &[("block", Self::Block), ("warn", Self::Warn)];

    /// As in the file.
    pub fn as_str(self) -> &'static str {
        Self::WORDS
            .iter()
            .find(|(_, answer)| *answer == self)
            .map_or("", |(word, _)| word)
    }
}

/// 2 %: what people notice in a flow's time is larger, what one run can settle is about 5 % (`apply` says so).
const USUAL_MARGIN: Percent = Percent::new(2.0);
/// The custom of the field: one wrong "fail" in twenty gates of an unchanged product at most.
const USUAL_CONFIDENCE: f64 = 0.95;
/// A working day's evidence.
const USUAL_FRESH: Period = Period::hours(24);

impl Gate {
    pub(super) fn read(table: &Table<'_>) -> Result<Self, ConfigError> {
        table.only(&[
            "name",
            "flows",
            "margin",
            "minimum",
            "confidence",
            "fresh",
            "on_inconclusive",
        ])?;
        let flows = table.texts("flows")?;
        if flows.is_empty() {
            return Err(table.fault(
                "flows",
                "the gate tests no flow",
                "write for example `flows = [\"checkout\"]`",
            ));
        }
        let confidence = table.number("confidence")?.unwrap_or(USUAL_CONFIDENCE);
        if !(confidence > 0.5 && confidence < 1.0) {
            return Err(table.fault(
                "confidence",
                format!("{confidence} is not between 0.5 and 1"),
                "write for example 0.95",
            ));
        }
        Ok(Self {
            name: table.required("name", table.text("name")?, "\"release\"")?,
            flows,
            margin: table.value("margin")?.unwrap_or(USUAL_MARGIN),
            minimum: table.value("minimum")?,
            confidence,
            fresh: table.value("fresh")?.unwrap_or(USUAL_FRESH),
            on_inconclusive: table
                .word("on_inconclusive", OnInconclusive::WORDS)?
                .unwrap_or(OnInconclusive::Block),
        })
    }
}

/// A `[[reference]]`: the release that a flow is held against until someone moves it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// The flow.
    pub flow: String,
    /// The pinned release.
    pub release: String,
}

impl Reference {
    pub(super) fn read(table: &Table<'_>) -> Result<Self, ConfigError> {
        table.only(&["flow", "release"])?;
        Ok(Self {
            flow: table.required("flow", table.text("flow")?, "\"checkout\"")?,
            release: table.required("release", table.text("release")?, "\"v2.30\"")?,
        })
    }
}
