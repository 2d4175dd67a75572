//! A tracked series in the words and values of pages.

use crate::record::Tracked;
use crate::standing::Standing;
use crate::stats::headroom::Forecast;
use crate::stats::{Interval, Needs};
use crate::wording::finding::Manner;
use crate::wording::names::{percentile_name, series_line, series_tab, subject};
use crate::wording::number::counted;
use crate::wording::quantity::Quantity;
use crate::wording::unit::Unit;

use super::facts::{Headroom, RunsOut};
use crate::chart::headroom::HeadroomBar;
use crate::wording::moment::DAY_US;

impl Tracked {
    /// The unit of its base values.
    pub fn unit(&self) -> Unit {
        Unit::from_stored(&self.series.dimension).unwrap_or(Unit::Millionths)
    }

    /// How it gets worse.
    pub fn manner(&self) -> Manner {
        Manner::of(self.unit(), self.direction)
    }

    /// A value with its range.
    pub fn quantity(&self, interval: &Interval) -> Quantity {
        Quantity::new(interval.value, interval.lower, interval.upper, self.unit())
    }

    /// A value that is known exactly.
    pub fn exact(&self, base: f64) -> Quantity {
        Quantity::exact(base, self.unit())
    }

    /// "field · LCP mobile".
    pub fn line(&self) -> String {
        series_line(self.series.source, &self.series.metric, &self.series.labels)
    }

    /// "field · LCP mobile P75".
    pub fn line_with(&self, q: Option<f64>) -> String {
        format!("{} {}", self.line(), statistic_word(q))
    }

    /// "Field LCP, mobile", with its testbed where the flow has several.
    pub fn tab(&self, says_testbed: bool) -> String {
        let tab = series_tab(self.series.source, &self.series.metric, &self.series.labels);
        if says_testbed && !self.series.testbed.is_empty() {
            format!("{tab} · {}", self.series.testbed)
        } else {
            tab
        }
    }

    /// "Checkout LCP on mobile".
    pub fn subject(&self) -> String {
        subject(&self.flow, &self.series.metric, &self.series.labels)
    }
}

/// "P75", or "median" of runs where the basis has no percentiles.
pub(super) fn statistic_word(q: Option<f64>) -> String {
    q.map_or_else(|| "median".to_owned(), percentile_name)
}

/// What a refused value would need, in words.
pub(super) fn needs_words(needs: &Needs) -> String {
    match (needs.runs, needs.samples) {
        (Some(runs), _) => format!("needs {}", counted(u64::from(runs), "more run")),
        (None, Some(samples)) => format!("needs {}", counted(samples, "sample")),
        (None, None) => "needs more data".to_owned(),
    }
}

/// When a budget runs out, from a forecast counted in days from now.
pub(super) fn runs_out(forecast: Option<&Forecast>, is_stale: bool, now_us: i64) -> RunsOut {
    let day = |days: f64| now_us.saturating_add((days * DAY_US as f64) as i64);
    match forecast {
        _ if is_stale => RunsOut::CannotSay,
        Some(Forecast::Passed) => RunsOut::Over,
        Some(Forecast::Between {
            early_days,
            late_days: Some(late_days),
        }) => RunsOut::Between {
            from_us: day(*early_days),
            until_us: day(*late_days),
            releases: None,
        },
        Some(Forecast::Between {
            early_days,
            late_days: None,
        }) => RunsOut::From {
            from_us: day(*early_days),
        },
        Some(Forecast::NotAtThisRate) | None => RunsOut::NotInSight,
    }
}

/// What is left of a budget, as pages show it.
pub(super) fn headroom(standing: &Standing<'_>, now_us: i64) -> Headroom {
    let tracked = standing.tracked;
    let state = standing.state.into();
    let bar = standing
        .reference
        .as_ref()
        .zip(standing.limit)
        .zip(standing.value);
    let is_over = standing.left.is_some_and(|left| left.upper < 0.0);
    let is_stale = standing.state == crate::stats::budget::State::Stale;
    Headroom {
        bar: bar.map(|(((_, reference), limit), value)| HeadroomBar {
            reference: reference.value,
            limit,
            value: tracked.quantity(&value),
            state,
        }),
        left: standing
            .left
            .filter(|_| !is_stale)
            .map(|left| tracked.quantity(&left)),
        spent_this_quarter: standing
            .spent_this_quarter
            .map(|spent| tracked.quantity(&spent)),
        runs_out: if is_over && !is_stale {
            RunsOut::Over
        } else {
            runs_out(standing.forecast.as_ref(), is_stale, now_us)
        },
    }
}
