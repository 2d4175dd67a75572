//! Reasons of a gate's answer that a person who knows no statistics can act on.

use collectors::report::Direction;

use super::moment::{Moment, span};
use super::quantity::Quantity;
use super::state::Answer;

/// The end of a range that would be bad news.
fn worst_end(direction: Direction) -> &'static str {
    if direction == Direction::Higher {
        "lowest"
    } else {
        "highest"
    }
}

/// The end of a range that would be good news.
fn best_end(direction: Direction) -> &'static str {
    if direction == Direction::Higher {
        "highest"
    } else {
        "lowest"
    }
}

/// A change proven inside its margin.
pub fn passed(change: &Quantity, margin: &str, direction: Direction) -> String {
    let worst = worst_end(direction);
    format!(
        "{} {}: even the {worst} likely value is inside the allowed {margin}",
        change.signed(),
        change.range()
    )
}

/// A change proven beyond its margin.
pub fn failed(
    from: &Quantity,
    to: &Quantity,
    change: &Quantity,
    margin: &str,
    direction: Direction,
) -> String {
    let walk = Quantity::from_to(from, to);
    let (signed, range, best) = (change.signed(), change.range(), best_end(direction));
    format!("{walk}, {signed} {range}: even the {best} likely value is beyond the allowed {margin}")
}

/// A value proven inside its budget.
pub fn inside_budget(value: &Quantity, limit: &Quantity, direction: Direction) -> String {
    let worst = worst_end(direction);
    format!(
        "{}: even the {worst} likely value is inside the budget of {}",
        value.with_range(),
        limit.value()
    )
}

/// A value proven beyond its budget.
pub fn over_budget(value: &Quantity, limit: &Quantity, direction: Direction) -> String {
    let best = best_end(direction);
    format!(
        "{}: even the {best} likely value is beyond the budget of {}",
        value.with_range(),
        limit.value()
    )
}

/// Undecided, and more runs would decide it.
pub fn few_runs(change: &Quantity, margin: &str, more_runs: u64) -> String {
    let (low, high) = change.ends();
    let noun = if more_runs == 1 {
        "run settles"
    } else {
        "runs settle"
    };
    format!(
        "could be {low} or {high}; allowed is {margin}. About {} more {noun} it",
        super::number::count(more_runs)
    )
}

/// Undecided for want of fresh data. Lengths are in microseconds.
pub fn stale(age_us: i64, fresh_us: i64) -> String {
    format!(
        "no data for {}; allowed is {}; more runs do not help",
        span(age_us),
        span(fresh_us)
    )
}

/// Undecided for want of any data.
pub fn no_data(fresh_us: i64) -> String {
    format!(
        "no data yet; at least one run within {} is needed",
        span(fresh_us)
    )
}

/// Undecided because the noise is too large for the margin.
pub fn too_noisy(margin: &str, settled_margin: &Quantity) -> String {
    format!(
        "at this noise {margin} cannot be settled; {} can",
        settled_margin.value()
    )
}

/// A waiver is over and the value is still beyond the limit.
pub fn waiver_ended(owner: &str, ended: Moment, value: &Quantity, limit: &Quantity) -> String {
    format!(
        "{owner}'s waiver ended on {}; {} is over {}",
        ended.day(),
        value.value(),
        limit.value()
    )
}

/// The page's sentence about a gate's answer; `because` is its most important reason, short.
pub fn headline(release: &str, gate: &str, answer: Answer, because: Option<&str>) -> String {
    let said = match answer {
        Answer::Pass => format!("{release} passes the gate “{gate}”"),
        Answer::Fail => format!("{release} does not pass the gate “{gate}”"),
        Answer::Inconclusive | Answer::TrackedOnly => {
            format!("The gate “{gate}” cannot decide about {release} yet")
        }
    };
    match because {
        Some(because) => format!("{said}: {because}"),
        None => said,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::wording::moment::DAY_US;
    use crate::http::wording::number::NO_BREAK_SPACE;
    use crate::http::wording::unit::Unit;

    fn plain(text: String) -> String {
        text.replace(NO_BREAK_SPACE, " ")
    }

    fn ms(value: f64, h: f64) -> Quantity {
        Quantity::new(
            value * 1e6,
            (value - h) * 1e6,
            (value + h) * 1e6,
            Unit::Nanoseconds,
        )
    }

    #[test]
    fn reasons_read_as_the_pages_promise() {
        let slower = Quantity::percent(4.6, 3.1, 6.2);
        let limit = Quantity::exact(2.5e9, Unit::Nanoseconds);
        let low = Direction::Lower;
        let reasons = [
            passed(&Quantity::percent(-1.0, -2.8, 0.8), "2 %", low),
            failed(&ms(46.8, 0.7), &ms(49.0, 0.7), &slower, "2 %", low),
            few_runs(&Quantity::percent(1.0, -2.0, 4.0), "2 %", 4),
            few_runs(&Quantity::percent(1.0, -2.0, 4.0), "2 %", 1),
            stale(9 * DAY_US, DAY_US),
            too_noisy("2 %", &Quantity::exact(5.0, Unit::Percent)),
            waiver_ended(
                "payments",
                Moment::new(30 * DAY_US, 40 * DAY_US),
                &ms(2610.0, 30.0),
                &limit,
            ),
            over_budget(&ms(2610.0, 30.0), &limit, low),
            passed(
                &Quantity::percent(-1.0, -2.8, 0.8),
                "2 %",
                Direction::Higher,
            ),
        ];
        let expected = [
            "−1 % [−2.8, 0.8]: even the highest likely value is inside the allowed 2 %",
            "46.8 → 49.0 ms, +4.6 % [3.1, 6.2]: even the lowest likely value is beyond the allowed 2 %",
            "could be −2 % or +4 %; allowed is 2 %. About 4 more runs settle it",
            "could be −2 % or +4 %; allowed is 2 %. About 1 more run settles it",
            "no data for 9 days; allowed is 24 hours; more runs do not help",
            "at this noise 2 % cannot be settled; 5 % can",
            "payments's waiver ended on 31 Jan; 2.61 s is over 2.50 s",
            "2.61 s [2.58, 2.64]: even the lowest likely value is beyond the budget of 2.50 s",
            "−1 % [−2.8, 0.8]: even the lowest likely value is inside the allowed 2 %",
        ];
        assert_eq!(reasons.map(plain), expected);
    }

    #[test]
    fn the_headline_names_release_gate_and_reason() {
        let said = headline(
            "v2.38",
            "release",
            Answer::Fail,
            Some("Parse import is proven slower"),
        );
        assert_eq!(
            said,
            "v2.38 does not pass the gate “release”: Parse import is proven slower"
        );
        assert_eq!(
            headline("v2.36", "release", Answer::Pass, None),
            "v2.36 passes the gate “release”"
        );
    }
}
