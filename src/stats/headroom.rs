//! What is left up to a limit, what was spent, and when it runs out.
//!
//! Source: differences by MOVER ([`super::difference`]); the crossing time after Fieller (1954) in its predictive form:
//! the chance that level plus slope times days has passed the limit, from 10 to 90 of 100. Assumes that a bleed goes
//! on as straight as it came and that level and slope err independently. Smallest sample: a range for each.
//! Cannot see the next release.

use serde::{Deserialize, Serialize};

use super::difference::difference;
use super::tails::normal_at_most;
use super::{Direction, Estimate, Interval};

/// What is left up to the limit, in the value's unit; negative once it is passed.
pub fn left(value: &Interval, limit: f64, direction: Direction) -> Interval {
    match direction {
        Direction::Higher => difference(&Interval::exact(limit), value),
        Direction::Lower | Direction::Unknown => difference(value, &Interval::exact(limit)),
    }
}

/// What was spent from `reference` to `value`, in their unit; a gain is negative.
pub fn spent(reference: &Interval, value: &Interval, direction: Direction) -> Interval {
    match direction {
        Direction::Higher => difference(value, reference),
        Direction::Lower | Direction::Unknown => difference(reference, value),
    }
}

/// What was spent, as a share of the headroom that the reference had (1 is all of it); none where it had none.
pub fn spent_share(
    reference: &Interval,
    value: &Interval,
    limit: f64,
    direction: Direction,
) -> Option<Interval> {
    let had = left(reference, limit, direction).value;
    (had > 0.0).then(|| spent(reference, value, direction).scaled(1.0 / had))
}

/// When a bleed reaches the limit.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Forecast {
    /// The value is over the limit already.
    Passed,
    /// In so many days: eight chances in ten between early and late.
    Between {
        /// Days until one chance in ten that it has been reached.
        early_days: f64,
        /// Days until nine chances in ten; none where the slope's error leaves that open.
        late_days: Option<f64>,
    },
    /// Not at this rate: not within [`HORIZON_DAYS`], or it moves away from the limit.
    NotAtThisRate,
}

/// Ten years: beyond it a straight line means nothing.
pub const HORIZON_DAYS: f64 = 3_652.0;

/// When a level that moves by `slope` a day reaches `limit`; level and slope in base units.
pub fn forecast(
    level: Estimate,
    slope_per_day: Estimate,
    limit: f64,
    direction: Direction,
) -> Forecast {
    let sign = if direction == Direction::Higher {
        -1.0
    } else {
        1.0
    };
    let (room, pace) = (sign * (limit - level.value), sign * slope_per_day.value);
    if room < 0.0 {
        return Forecast::Passed;
    }
    if pace <= 0.0 {
        return Forecast::NotAtThisRate;
    }
    let reached = |days: f64| {
        let error = level.se.hypot(days * slope_per_day.se);
        let beyond = pace * days - room;
        if error > 0.0 {
            normal_at_most(beyond / error)
        } else {
            f64::from(u8::from(beyond >= 0.0))
        }
    };
    match (day_of(0.1, &reached), day_of(0.9, &reached)) {
        (Some(early_days), late_days) => Forecast::Between {
            early_days,
            late_days,
        },
        (None, _) => Forecast::NotAtThisRate,
    }
}

/// The first day on which the chance is reached, by halving: the chance rises with the days wherever level and pace
/// point at the limit.
fn day_of(chance: f64, reached: &dyn Fn(f64) -> f64) -> Option<f64> {
    let (mut before, mut after) = (0.0, HORIZON_DAYS);
    if reached(after) < chance {
        return None;
    }
    while after - before > 0.01 {
        let middle = f64::midpoint(before, after);
        if reached(middle) >= chance {
            after = middle
        } else {
            before = middle
        }
    }
    Some(after)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    fn sure(value: f64) -> Estimate {
        Estimate { value, se: 0.0 }
    }

    #[test]
    fn left_and_spent_add_up_to_what_the_reference_had() {
        let (reference, value) = (
            Interval::exact(40.0),
            Interval {
                value: 70.0,
                lower: 68.0,
                upper: 72.0,
            },
        );
        let (had, left, spent) = (
            60.0,
            left(&value, 100.0, Direction::Lower),
            spent(&reference, &value, Direction::Lower),
        );
        assert!((left.value + spent.value - had).abs() < 1e-9);
        assert_eq!((left.lower, left.upper), (28.0, 32.0));
        assert_eq!(
            spent_share(&reference, &value, 100.0, Direction::Lower)
                .unwrap()
                .value,
            0.5
        );
    }

    #[test]
    fn where_higher_is_better_the_headroom_lies_above_the_limit() {
        let value = Interval {
            value: 130.0,
            lower: 125.0,
            upper: 135.0,
        };
        assert_eq!(left(&value, 100.0, Direction::Higher).value, 30.0);
        assert_eq!(
            spent(&Interval::exact(150.0), &value, Direction::Higher).value,
            20.0
        );
    }

    #[test]
    fn a_sure_slope_gives_one_day() {
        let Forecast::Between {
            early_days,
            late_days,
        } = forecast(sure(80.0), sure(0.5), 100.0, Direction::Lower)
        else {
            panic!("it runs out");
        };
        assert!((early_days - 40.0).abs() < 0.02 && (late_days.unwrap() - 40.0).abs() < 0.02);
    }

    #[test]
    fn an_unsure_slope_widens_the_range_and_may_leave_its_end_open() {
        let slope = |se| Estimate { value: 0.5, se };
        let days = |se| match forecast(
            Estimate {
                value: 80.0,
                se: 1.0,
            },
            slope(se),
            100.0,
            Direction::Lower,
        ) {
            Forecast::Between {
                early_days,
                late_days,
            } => (early_days, late_days),
            other => panic!("{other:?}"),
        };
        let (early, late) = days(0.05);
        assert!(
            early > 30.0 && early < 40.0 && late.unwrap() > 40.0 && late.unwrap() < 55.0,
            "{early} {late:?}"
        );
        assert!(days(0.1).0 < early);
        assert_eq!(days(0.6).1, None);
    }

    #[test]
    fn moving_away_or_over_already_is_said() {
        assert_eq!(
            forecast(sure(80.0), sure(-0.5), 100.0, Direction::Lower),
            Forecast::NotAtThisRate
        );
        assert_eq!(
            forecast(sure(80.0), sure(0.001), 100.0, Direction::Lower),
            Forecast::NotAtThisRate
        );
        assert_eq!(
            forecast(sure(101.0), sure(0.5), 100.0, Direction::Lower),
            Forecast::Passed
        );
        assert!(matches!(
            forecast(sure(120.0), sure(-0.5), 100.0, Direction::Higher),
            Forecast::Between { .. }
        ));
    }
}
