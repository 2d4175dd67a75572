//! The sentences that say what was found; the same sentence heads the page, the alert and the comment.

use collectors::report::Direction;

use super::moment::Moment;
use super::quantity::Quantity;
use super::unit::Unit;

/// How a metric gets worse or better, in words: times get slower, sizes larger, counts higher.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// Times: slower and faster.
    Speed,
    /// Bytes: larger and smaller.
    Size,
    /// What should be low: higher and lower.
    Amount,
    /// What should be high: lower and higher.
    Yield,
    /// Nobody said which way is good: changed.
    Unknown,
}

impl Manner {
    /// The manner of a metric with this unit and direction.
    pub fn of(unit: Unit, direction: Direction) -> Self {
        match (direction, unit) {
            (Direction::Unknown, _) => Manner::Unknown,
            (Direction::Higher, _) => Manner::Yield,
            (Direction::Lower, unit) if unit.is_time() => Manner::Speed,
            (Direction::Lower, Unit::Bytes) => Manner::Size,
            (Direction::Lower, _) => Manner::Amount,
        }
    }

    /// True when a change of this sign is for the worse; never when the direction is unknown.
    pub fn is_worse(self, change: f64) -> bool {
        match self {
            Manner::Speed | Manner::Size | Manner::Amount => change > 0.0,
            Manner::Yield => change < 0.0,
            Manner::Unknown => false,
        }
    }

    /// The word for a change of this sign, or nothing when the direction is unknown.
    pub fn comparative(self, change: f64) -> Option<&'static str> {
        let is_up = change > 0.0;
        Some(match (self, is_up) {
            (Manner::Speed, true) => "slower",
            (Manner::Speed, false) => "faster",
            (Manner::Size, true) => "larger",
            (Manner::Size, false) => "smaller",
            (Manner::Amount | Manner::Yield, true) => "higher",
            (Manner::Amount | Manner::Yield, false) => "lower",
            (Manner::Unknown, _) => return None,
        })
    }

    /// "got 4.6 % slower", or "changed by +4.6 %".
    pub fn moved(self, change: &Quantity) -> String {
        match self.comparative(change.value) {
            Some(word) => format!("got {} {word}", change.unsigned()),
            None => format!("changed by {}", change.signed()),
        }
    }
}

/// The release with which something happened, and the range of releases when it is not certain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Onset {
    /// The likeliest release.
    pub release: String,
    /// The first and the last that it may have been.
    pub one_of: Option<(String, String)>,
}

impl Onset {
    /// A release that is certain.
    pub fn certain(release: impl Into<String>) -> Self {
        Onset {
            release: release.into(),
            one_of: None,
        }
    }

    /// "v2.4", or "one of v2.3 to v2.6".
    pub fn text(&self) -> String {
        match &self.one_of {
            Some((first, last)) => format!("one of {first} to {last}"),
            None => self.release.clone(),
        }
    }

    /// "or v2.21–v2.25" beside the likeliest release, or nothing.
    pub fn alternatives(&self) -> String {
        self.one_of
            .as_ref()
            .map_or_else(String::new, |(first, last)| format!("or {first}–{last}"))
    }
}

/// A step: "Parse import wall time got 4.6 % slower with v2.38".
pub fn step(subject: &str, manner: Manner, change: &Quantity, onset: &Onset) -> String {
    format!("{subject} {} with {}", manner.moved(change), onset.text())
}

/// A bleed: "Checkout LCP on mobile got 11 % slower over 16 releases, since v2.23".
pub fn bleed(
    subject: &str,
    manner: Manner,
    change: &Quantity,
    releases: u64,
    since: &str,
) -> String {
    let over = super::number::counted(releases, "release");
    format!(
        "{subject} {} over {over}, since {since}",
        manner.moved(change)
    )
}

/// An improvement: "Login got 18 % faster with v2.35; this stopped the bleed since v2.30".
pub fn improvement(
    flow: &str,
    manner: Manner,
    change: &Quantity,
    onset: &Onset,
    stopped_since: Option<&str>,
) -> String {
    let moved = format!("{flow} {} with {}", manner.moved(change), onset.text());
    match stopped_since {
        Some(since) => format!("{moved}; this stopped the bleed since {since}"),
        None => moved,
    }
}

/// A breach: "Checkout is over its budget: 2.61 s [2.58, 2.64] of 2.50 s, since 7 Aug".
pub fn breach(flow: &str, value: &Quantity, limit: &Quantity, since: Moment) -> String {
    format!(
        "{flow} is over its budget: {} of {}, since {}",
        value.with_range(),
        limit.value(),
        since.text()
    )
}

/// Missing data: "Search sends no field data since 11 Nov; last seen with v2.36".
pub fn missing(flow: &str, source: &str, since: Moment, last_release: Option<&str>) -> String {
    let missing = format!("{flow} sends no {source} data since {}", since.text());
    match last_release {
        Some(release) => format!("{missing}; last seen with {release}"),
        None => missing,
    }
}

/// A new epoch: "Checkout is measured anew since 7 Aug: browser 149 to 152".
pub fn epoch(flow: &str, since: Moment, what_changed: &str) -> String {
    format!(
        "{flow} is measured anew since {}: {what_changed}",
        since.text()
    )
}

/// Other visitors: "Checkout LCP: other visitors since 7 Aug (mobile 40 % → 60 %), not other pages: +12 % as observed, +0.3 %
/// [−0.4, 1.0] with the same visitors".
pub fn mix(
    flow: &str,
    since: Moment,
    classes: &[String],
    observed: &Quantity,
    same: &Quantity,
) -> String {
    let classes = match classes {
        [] => String::new(),
        classes => format!(" ({})", classes.join("; ")),
    };
    format!(
        "{flow}: other visitors since {}{classes}, not other pages: {} as observed, {} {} with the same visitors",
        since.text(),
        observed.signed(),
        same.signed(),
        same.range()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wording::moment::DAY_US;
    use crate::wording::number::NO_BREAK_SPACE;

    fn plain(text: String) -> String {
        text.replace(NO_BREAK_SPACE, " ")
    }

    #[test]
    fn each_kind_has_its_sentence() {
        let change = Quantity::percent(10.6, 8.9, 12.3);
        let range = Onset {
            release: "v2.5".into(),
            one_of: Some(("v2.4".into(), "v2.6".into())),
        };
        let now = 200 * DAY_US;
        let since = Moment::new(10 * DAY_US, now);
        let seconds = |s: f64, h: f64| {
            Quantity::new(s * 1e9, (s - h) * 1e9, (s + h) * 1e9, Unit::Nanoseconds)
        };
        let sentences = [
            step(
                "Parse import wall time",
                Manner::Speed,
                &Quantity::percent(4.6, 3.1, 6.2),
                &Onset::certain("v2.38"),
            ),
            step("Cart weight", Manner::Size, &change, &range),
            bleed(
                "Checkout LCP on mobile",
                Manner::Speed,
                &change,
                16,
                "v2.23",
            ),
            improvement(
                "Login",
                Manner::Speed,
                &Quantity::percent(-18.0, -20.0, -16.0),
                &Onset::certain("v2.35"),
                None,
            ),
            improvement(
                "Search",
                Manner::Yield,
                &change,
                &Onset::certain("v2.27"),
                Some("v2.20"),
            ),
            breach(
                "Checkout",
                &seconds(2.61, 0.03),
                &Quantity::exact(2.5e9, Unit::Nanoseconds),
                since,
            ),
            missing("Search", "field", since, Some("v2.36")),
            epoch("Checkout", since, "browser 149 to 152"),
            step("Score", Manner::Unknown, &change, &Onset::certain("v3")),
        ];
        let expected = [
            "Parse import wall time got 4.6 % slower with v2.38",
            "Cart weight got 11 % larger with one of v2.4 to v2.6",
            "Checkout LCP on mobile got 11 % slower over 16 releases, since v2.23",
            "Login got 18 % faster with v2.35",
            "Search got 11 % higher with v2.27; this stopped the bleed since v2.20",
            "Checkout is over its budget: 2.61 s [2.58, 2.64] of 2.50 s, since 11 Jan",
            "Search sends no field data since 11 Jan; last seen with v2.36",
            "Checkout is measured anew since 11 Jan: browser 149 to 152",
            "Score changed by +11 % with v3",
        ];
        assert_eq!(sentences.map(plain), expected);
    }

    #[test]
    fn nobody_says_worse_where_the_direction_is_unknown() {
        let manner = Manner::of(Unit::Nanoseconds, Direction::Unknown);
        assert!(!manner.is_worse(50.0) && !manner.is_worse(-50.0));
        assert!(Manner::of(Unit::MilliPerSecond, Direction::Higher).is_worse(-1.0));
    }
}
