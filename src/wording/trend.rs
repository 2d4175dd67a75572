//! The sentence above a trend: what the line does, from where to where, since when.

use super::moment::month_word;
use super::quantity::Quantity;

/// What a line did between two points.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Course {
    /// Both ranges apart, upwards.
    Rose,
    /// Both ranges apart, downwards.
    Fell,
    /// The ranges overlap.
    Stayed,
}

impl Course {
    /// The course from one value to another: only ranges that lie apart prove a movement.
    pub fn between(first: &Quantity, last: &Quantity) -> Self {
        if last.lower > first.upper {
            Course::Rose
        } else if last.upper < first.lower {
            Course::Fell
        } else {
            Course::Stayed
        }
    }
}

/// "P75 rose from 2.18 to 2.41 s since v2.22 while every release passed", or "P75 stayed within 116 to 123 ms since March".
///
/// `values` are the points since then, oldest first; `since` is a release, `since_us` its instant.
pub fn trend_sentence(
    percentile: &str,
    values: &[Quantity],
    since: &str,
    since_us: i64,
    every_release_passed: bool,
) -> String {
    let (Some(first), Some(last)) = (values.first(), values.last()) else {
        return format!("{percentile} has no value yet");
    };
    let course = Course::between(first, last);
    if course == Course::Stayed {
        let value = |quantity: &&Quantity| quantity.value;
        let least = values
            .iter()
            .min_by(|a, b| value(a).total_cmp(&value(b)))
            .unwrap_or(first);
        let most = values
            .iter()
            .max_by(|a, b| value(a).total_cmp(&value(b)))
            .unwrap_or(last);
        let within = Quantity::from_to(least, most).replace('→', "to");
        return format!(
            "{percentile} stayed within {within} since {}",
            month_word(since_us)
        );
    }
    let verb = if course == Course::Rose {
        "rose"
    } else {
        "fell"
    };
    let walk = Quantity::from_to(first, last).replace('→', "to");
    let passed = if every_release_passed {
        " while every release passed"
    } else {
        ""
    };
    format!("{percentile} {verb} from {walk} since {since}{passed}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wording::moment::DAY_US;
    use crate::wording::number::NO_BREAK_SPACE;
    use crate::wording::unit::Unit;

    fn ms(value: f64, h: f64) -> Quantity {
        Quantity::new(
            value * 1e6,
            (value - h) * 1e6,
            (value + h) * 1e6,
            Unit::Nanoseconds,
        )
    }

    #[test]
    fn only_ranges_that_lie_apart_are_a_movement() {
        let say = |values: &[Quantity]| {
            trend_sentence("P75", values, "v2.22", 60 * DAY_US, true).replace(NO_BREAK_SPACE, " ")
        };
        assert_eq!(
            say(&[ms(2180.0, 30.0), ms(2300.0, 30.0), ms(2410.0, 30.0)]),
            "P75 rose from 2.18 to 2.41 s since v2.22 while every release passed"
        );
        assert_eq!(
            say(&[ms(120.0, 4.0), ms(116.0, 4.0), ms(123.0, 4.0)]),
            "P75 stayed within 116 to 123 ms since March"
        );
        assert_eq!(say(&[]), "P75 has no value yet");
    }
}
