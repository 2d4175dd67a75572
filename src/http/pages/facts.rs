//! Small decided values that several pages show: facts, changes, what is left of a budget, and findings in a row.

use crate::chart::headroom::HeadroomBar;
use crate::wording::finding::{Manner, Onset};
use crate::wording::moment::{DAY_US, Moment, day_range};
use crate::wording::number::DASH;
use crate::wording::quantity::Quantity;
use crate::wording::state::{Kind, Life, how_sure};

/// A label, what it says, and what qualifies it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    /// "Since".
    pub label: &'static str,
    /// "v2.23, 7 Aug".
    pub value: String,
    /// "or v2.21–v2.25"; may be empty.
    pub detail: String,
}

impl Fact {
    /// A fact with its qualification, which may be empty.
    pub fn new(label: &'static str, value: impl Into<String>, detail: impl Into<String>) -> Self {
        Fact {
            label,
            value: value.into(),
            detail: detail.into(),
        }
    }

    /// Since when, with the range of releases that it may have been.
    pub fn since(onset: &Onset, at: Moment) -> Self {
        Fact::new(
            "Since",
            format!("{}, {}", onset.release, at.day()),
            onset.alternatives(),
        )
    }

    /// By how much, with its range.
    pub fn by_how_much(change: &Quantity) -> Self {
        Fact::new("By how much", change.signed(), change.range())
    }

    /// How sure, with what it rests on ("412 k page views").
    pub fn how_sure(confidence: f64, rests_on: &str) -> Self {
        // 99.96 % is not 100 %: certainty is never claimed.
        let percent = (confidence * 100.0).floor().clamp(0.0, 99.0);
        let detail = format!("({percent}\u{a0}%)");
        let detail = if rests_on.is_empty() {
            detail
        } else {
            format!("{detail}, {rests_on}")
        };
        Fact::new("How sure", how_sure(confidence), detail)
    }
}

/// A change in percent, and what it means for people.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Change {
    /// The change with its range.
    pub percent: Quantity,
    /// How the metric gets worse.
    pub manner: Manner,
}

impl Change {
    /// The class that colours it: only what is proven, and only where a direction is known.
    pub fn class(&self) -> &'static str {
        if self.percent.may_be_zero() {
            "plain"
        } else if self.manner == Manner::Unknown {
            "ref"
        } else if self.manner.is_worse(self.percent.value) {
            "worse"
        } else {
            "better"
        }
    }

    /// The qualification behind "since v2.22": the half-width where the change may be nothing.
    pub fn doubt(&self) -> String {
        if self.percent.may_be_zero() {
            format!(", {}", self.percent.spread())
        } else {
            String::new()
        }
    }
}

/// When a budget is used up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunsOut {
    /// There is no budget.
    NoBudget,
    /// It already is.
    Over,
    /// Nothing is being spent.
    NotInSight,
    /// Without fresh data nobody can say.
    CannotSay,
    /// Between two days, in microseconds, and between two releases where their rhythm is known.
    Between {
        /// The early day.
        from_us: i64,
        /// The late day.
        until_us: i64,
        /// The releases that will be due about then.
        releases: Option<(String, String)>,
    },
    /// From a day on; how late is not known.
    From {
        /// The early day.
        from_us: i64,
    },
}

impl RunsOut {
    /// The words of a cell.
    pub fn text(&self, now_us: i64) -> String {
        match self {
            RunsOut::NoBudget => DASH.to_owned(),
            RunsOut::Over => "it is over".to_owned(),
            RunsOut::NotInSight => "not in sight".to_owned(),
            RunsOut::CannotSay => "cannot say".to_owned(),
            RunsOut::Between {
                from_us, until_us, ..
            } => day_range(*from_us, *until_us, now_us),
            RunsOut::From { from_us } => {
                format!("from {} on", day_range(*from_us, *from_us, now_us))
            }
        }
    }

    /// "at v2.41–v2.48", or nothing.
    pub fn releases(&self) -> String {
        match self {
            RunsOut::Between {
                releases: Some((first, last)),
                ..
            } => format!("at {first}–{last}"),
            _ => String::new(),
        }
    }

    /// The class that colours it: a date is a warning, the rest is calm.
    pub fn class(&self) -> &'static str {
        match self {
            RunsOut::Between { .. } | RunsOut::From { .. } => "risk nw",
            RunsOut::Over => "breach",
            RunsOut::NoBudget | RunsOut::NotInSight | RunsOut::CannotSay => "soft",
        }
    }

    /// The fact.
    pub fn fact(&self, now_us: i64) -> Fact {
        Fact::new("Budget runs out", self.text(now_us), self.releases())
    }

    /// Days until the early date, where there is one.
    pub fn days_left(&self, now_us: i64) -> Option<f64> {
        match self {
            RunsOut::Between { from_us, .. } | RunsOut::From { from_us } => {
                Some((from_us - now_us) as f64 / DAY_US as f64)
            }
            RunsOut::Over => Some(0.0),
            RunsOut::NoBudget | RunsOut::NotInSight | RunsOut::CannotSay => None,
        }
    }
}

/// What is left in a budget.
#[derive(Debug, Clone, PartialEq)]
pub struct Headroom {
    /// The bar, where there is a pinned reference.
    pub bar: Option<HeadroomBar>,
    /// Limit minus value (or value minus limit where higher is better), with its range; nothing when nobody can say.
    pub left: Option<Quantity>,
    /// Spent in the quarter, with its range.
    pub spent_this_quarter: Option<Quantity>,
    /// When it is used up.
    pub runs_out: RunsOut,
}

impl Headroom {
    /// The share that is spent, for ordering; what is unknown comes last.
    pub fn share(&self) -> f64 {
        self.bar.and_then(|bar| bar.spent()).unwrap_or(f64::MIN)
    }
}

/// A finding in a list.
#[derive(Debug, Clone, PartialEq)]
pub struct FindingLine {
    /// Its page.
    pub path: String,
    /// What it found.
    pub kind: Kind,
    /// Where it is in its life.
    pub life: Life,
    /// Its sentence.
    pub sentence: String,
    /// Since when.
    pub since: String,
    /// By how much, with its range.
    pub change: Option<Change>,
    /// Between 0 and 1.
    pub confidence: Option<f64>,
    /// Who has it; may be empty.
    pub owner: String,
    /// When it was found.
    pub found: Moment,
    /// How many other series moved with it.
    pub moved_with: u64,
}

impl FindingLine {
    /// "very sure", or a dash.
    pub fn sureness(&self) -> &'static str {
        self.confidence.map_or(DASH, how_sure)
    }
}

/// What the reader needs to know once on a page, each term with its meaning.
pub const TERMS: [(&str, &str); 7] = [
    ("P75", "three of four were at least this fast"),
    (
        "range [a, b]",
        "the true value lies here in 95 of 100 cases",
    ),
    ("headroom", "what is left up to the limit"),
    (
        "slow bleed",
        "many small steps that add up while each one passes",
    ),
    ("margin", "the change that we agreed to ignore"),
    ("epoch", "measured in a new way from here"),
    ("reference mix", "as if the same devices had come as then"),
];

/// The terms of a page, in the order asked; names that are no term are left out.
pub fn terms(names: &[&str]) -> Vec<(&'static str, &'static str)> {
    names
        .iter()
        .filter_map(|name| TERMS.iter().find(|(term, _)| term == name).copied())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_proven_is_coloured() {
        let change = |value, lower, upper, manner| Change {
            percent: Quantity::percent(value, lower, upper),
            manner,
        };
        assert_eq!(change(2.0, -1.0, 5.0, Manner::Speed).class(), "plain");
        assert_eq!(change(4.6, 3.1, 6.2, Manner::Speed).class(), "worse");
        assert_eq!(change(4.6, 3.1, 6.2, Manner::Yield).class(), "better");
        assert_eq!(change(4.6, 3.1, 6.2, Manner::Unknown).class(), "ref");
    }

    #[test]
    fn certainty_is_never_claimed() {
        assert_eq!(Fact::how_sure(0.9999, "").detail, "(99\u{a0}%)");
        assert_eq!(
            Fact::how_sure(0.96, "412 k page views").detail,
            "(96\u{a0}%), 412 k page views"
        );
    }

    #[test]
    fn terms_are_found_by_name() {
        assert_eq!(terms(&["P75", "nonsense", "margin"]).len(), 2);
    }
}
