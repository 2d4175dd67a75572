//! What state a budget is in: the first that holds of stale, not enough data, breached, at risk, within.
//!
//! Source: the project's table of states. Assumes that the value's range and the reference are of one statistic and
//! one window. Needs no smallest sample of its own: a refused percentile is a state. Cannot see why.

use serde::{Deserialize, Serialize};

use super::headroom;
use super::{Direction, Interval, Needs};

/// A budget's state, worst first but for the two that lack evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// The newest data is older than fresh data may be, or the last two releases have no run.
    Stale,
    /// The percentile is refused.
    NotEnough,
    /// Even the best likely value is over the limit.
    Breached,
    /// The limit may be reached, two thirds of the headroom are spent, or a bleed may reach it within 90 days.
    AtRisk,
    /// None of these.
    Within,
}

/// What a state is decided on. Values in base units.
#[derive(Debug, Clone, Copy)]
pub struct Evidence {
    /// The budget's statistic now, or what it would need.
    pub value: Result<Interval, Needs>,
    /// The budget's limit.
    pub limit: f64,
    /// Which way is good; unknown counts as lower.
    pub direction: Direction,
    /// Age of the newest data, microseconds; none where there is no data.
    pub age_us: Option<i64>,
    /// How old fresh data may be, microseconds.
    pub fresh_us: i64,
    /// How many of the newest releases have no run.
    pub releases_without_run: u32,
    /// The pinned reference's statistic, where there is one.
    pub reference: Option<Interval>,
    /// The earliest likely day, from now, on which an open bleed reaches the limit.
    pub bleed_early_days: Option<f64>,
}

/// Releases in a row without a run that make a budget stale.
pub const SILENT_RELEASES: u32 = 2;
/// The share of the reference's headroom whose loss puts a budget at risk.
pub const RISKY_SHARE: f64 = 2.0 / 3.0;
/// A bleed that may reach the limit within so many days puts a budget at risk.
pub const RISKY_DAYS: f64 = 90.0;

/// The first state that holds.
pub fn state(evidence: &Evidence) -> State {
    let stale = evidence.age_us.is_some_and(|age| age > evidence.fresh_us)
        || evidence.releases_without_run >= SILENT_RELEASES;
    if stale {
        return State::Stale;
    }
    let (Ok(value), Some(_)) = (evidence.value, evidence.age_us) else {
        return State::NotEnough;
    };
    let left = headroom::left(&value, evidence.limit, evidence.direction);
    if left.upper < 0.0 {
        return State::Breached;
    }
    let spent = evidence
        .reference
        .and_then(|r| headroom::spent_share(&r, &value, evidence.limit, evidence.direction));
    let risky = left.lower <= 0.0
        || spent.is_some_and(|share| share.value >= RISKY_SHARE)
        || evidence
            .bleed_early_days
            .is_some_and(|days| days <= RISKY_DAYS);
    if risky { State::AtRisk } else { State::Within }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(lower: f64, value: f64, upper: f64) -> Evidence {
        Evidence {
            value: Ok(Interval {
                value,
                lower,
                upper,
            }),
            limit: 100.0,
            direction: Direction::Lower,
            age_us: Some(5),
            fresh_us: 10,
            releases_without_run: 0,
            reference: Some(Interval::exact(40.0)),
            bleed_early_days: None,
        }
    }

    #[test]
    fn the_first_state_that_holds_wins() {
        assert_eq!(state(&at(50.0, 51.0, 52.0)), State::Within);
        assert_eq!(state(&at(99.0, 99.5, 100.0)), State::AtRisk);
        assert_eq!(state(&at(100.1, 103.0, 106.0)), State::Breached);
        assert_eq!(state(&at(100.0, 103.0, 106.0)), State::AtRisk);
        assert_eq!(
            state(&Evidence {
                age_us: Some(11),
                ..at(100.1, 103.0, 106.0)
            }),
            State::Stale
        );
        assert_eq!(
            state(&Evidence {
                releases_without_run: 2,
                ..at(50.0, 51.0, 52.0)
            }),
            State::Stale
        );
        assert_eq!(
            state(&Evidence {
                value: Err(Needs::samples(368)),
                ..at(0.0, 0.0, 0.0)
            }),
            State::NotEnough
        );
        assert_eq!(
            state(&Evidence {
                age_us: None,
                ..at(50.0, 51.0, 52.0)
            }),
            State::NotEnough
        );
    }

    #[test]
    fn two_thirds_of_the_headroom_spent_is_a_risk() {
        assert_eq!(state(&at(79.0, 79.9, 80.5)), State::Within);
        assert_eq!(state(&at(79.0, 80.0, 81.0)), State::AtRisk);
    }

    #[test]
    fn a_bleed_that_may_arrive_within_ninety_days_is_a_risk() {
        assert_eq!(
            state(&Evidence {
                bleed_early_days: Some(91.0),
                ..at(50.0, 51.0, 52.0)
            }),
            State::Within
        );
        assert_eq!(
            state(&Evidence {
                bleed_early_days: Some(90.0),
                ..at(50.0, 51.0, 52.0)
            }),
            State::AtRisk
        );
    }

    #[test]
    fn everything_is_mirrored_where_higher_is_better() {
        let higher = |lower, value, upper| Evidence {
            direction: Direction::Higher,
            reference: Some(Interval::exact(160.0)),
            ..at(lower, value, upper)
        };
        assert_eq!(state(&higher(94.0, 97.0, 99.9)), State::Breached);
        assert_eq!(state(&higher(99.0, 103.0, 106.0)), State::AtRisk);
        assert_eq!(state(&higher(145.0, 148.0, 151.0)), State::Within);
    }
}
