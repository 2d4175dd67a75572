//! Waivers: a budget may be overrun up to a ceiling, by someone's word, until a day.

use jiff::civil::Date;

use super::error::ConfigError;
use super::quantity::Quantity;
use super::table::Table;

/// A `[[waiver]]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Waiver {
    /// The budget's id.
    pub budget: String,
    /// The bound that holds meanwhile.
    pub ceiling: Quantity,
    /// The last UTC day on which it holds.
    pub until: Date,
    /// Who answers for it.
    pub owner: String,
    /// Why.
    pub reason: String,
}

impl Waiver {
    pub(super) fn read(table: &Table<'_>) -> Result<Self, ConfigError> {
        table.only(&["budget", "ceiling", "until", "owner", "reason"])?;
        Ok(Self {
            budget: table.required("budget", table.text("budget")?, "\"checkout-lcp\"")?,
            ceiling: table.required("ceiling", table.value("ceiling")?, "\"2.9 s\"")?,
            until: table.required("until", table.date("until")?, "2027-01-31")?,
            owner: table.required("owner", table.text("owner")?, "\"payments\"")?,
            reason: table.required(
                "reason",
                table.text("reason")?,
                "\"new tax rules; follow-up planned\"",
            )?,
        })
    }
}
