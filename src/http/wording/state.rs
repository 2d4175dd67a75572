//! The words for how things stand: states of a budget, verdicts of a gate, kinds and lives of findings.

use collectors::report::Direction;

use super::quantity::Quantity;

/// The share of the reference's headroom from which a budget is at risk.
const RISKY_SHARE: f64 = 2.0 / 3.0;
/// An open bleed whose early date is at most this many days off puts its budget at risk.
const RISKY_DAYS: f64 = 90.0;

/// How a series stands against its budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// The lower bound is above the limit.
    Breached,
    /// The limit may be reached soon, or already is.
    AtRisk,
    /// The newest data are too old to say.
    Stale,
    /// The value is inside its budget.
    Within,
    /// The percentile is refused for want of samples or runs.
    NotEnough,
}

/// What a state is decided from. Values are in base units.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Standing {
    /// The newest data are older than allowed, or the last two releases have no run.
    pub is_stale: bool,
    /// The tracked percentile with its range, unless refused.
    pub value: Option<Quantity>,
    /// The limit, where there is a budget.
    pub limit: Option<f64>,
    /// The value at the pinned reference, where there is one.
    pub reference: Option<f64>,
    /// Days until the early date on which an open bleed ends the budget.
    pub days_left: Option<f64>,
    /// Which way is good.
    pub direction: Direction,
}

impl State {
    /// The first rule that holds, in the order stale, not enough, breached, at risk, within.
    pub fn of(standing: &Standing) -> State {
        if standing.is_stale {
            return State::Stale;
        }
        let Some(value) = standing.value else {
            return State::NotEnough;
        };
        let Some(limit) = standing.limit else {
            return State::Within;
        };
        let (good_end, bad_end, sign) = match standing.direction {
            Direction::Higher => (value.upper, value.lower, -1.0),
            Direction::Lower | Direction::Unknown => (value.lower, value.upper, 1.0),
        };
        if (good_end - limit) * sign > 0.0 {
            return State::Breached;
        }
        let is_near = standing.reference.is_some_and(|reference| {
            let room = (limit - reference) * sign;
            room > 0.0 && (value.value - reference) * sign >= RISKY_SHARE * room
        });
        let ends_soon = standing.days_left.is_some_and(|days| days <= RISKY_DAYS);
        if (bad_end - limit) * sign >= 0.0 || is_near || ends_soon {
            State::AtRisk
        } else {
            State::Within
        }
    }

    /// The word on the chip.
    pub fn word(self) -> &'static str {
        match self {
            State::Stale => "Stale",
            State::NotEnough => "Not enough data",
            State::Breached => "Breached",
            State::AtRisk => "At risk",
            State::Within => "Within",
        }
    }
}

/// What a gate or one of its checks answered. Ordered as pages list them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Answer {
    /// Proven beyond what is allowed.
    Fail,
    /// The evidence does not settle it.
    Inconclusive,
    /// Judged, but the budget's enforcement keeps it from counting.
    TrackedOnly,
    /// Proven inside what is allowed.
    Pass,
}

impl Answer {
    /// The answer under its stored name (`pass`, `fail`, `inconclusive`, `tracked`), if it is one.
    pub fn from_stored(name: &str) -> Option<Self> {
        Some(match name {
            "pass" => Answer::Pass,
            "fail" => Answer::Fail,
            "inconclusive" => Answer::Inconclusive,
            "tracked" => Answer::TrackedOnly,
            _ => return None,
        })
    }

    /// The word on the chip.
    pub fn word(self) -> &'static str {
        match self {
            Answer::Pass => "Pass",
            Answer::Fail => "Fail",
            Answer::Inconclusive => "Inconclusive",
            Answer::TrackedOnly => "Tracked only",
        }
    }

    /// The word inside a sentence: "1 fail, 4 pass".
    pub fn lower_word(self) -> &'static str {
        match self {
            Answer::Pass => "pass",
            Answer::Fail => "fail",
            Answer::Inconclusive => "inconclusive",
            Answer::TrackedOnly => "tracked only",
        }
    }
}

/// What a finding found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A value beyond its limit.
    Breach,
    /// Many small steps the same way.
    Bleed,
    /// A sudden change for the worse.
    Step,
    /// Expected data that do not come.
    Missing,
    /// Measured in a new way.
    Epoch,
    /// A change for the better.
    Improvement,
}

impl Kind {
    /// Every kind, worst first.
    pub const ALL: [Kind; 6] = [
        Kind::Breach,
        Kind::Bleed,
        Kind::Step,
        Kind::Missing,
        Kind::Epoch,
        Kind::Improvement,
    ];

    /// The kind under its stored name, if it is one.
    pub fn from_stored(name: &str) -> Option<Self> {
        Kind::ALL.into_iter().find(|kind| kind.stored() == name)
    }

    /// The name in the store, the API and links.
    pub fn stored(self) -> &'static str {
        match self {
            Kind::Breach => "breach",
            Kind::Bleed => "bleed",
            Kind::Step => "step",
            Kind::Missing => "missing",
            Kind::Epoch => "epoch",
            Kind::Improvement => "improvement",
        }
    }

    /// The words on a card.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Breach => "Over budget",
            Kind::Bleed => "Slow bleed",
            Kind::Step => "Step",
            Kind::Missing => "Missing data",
            Kind::Epoch => "New epoch",
            Kind::Improvement => "Improvement",
        }
    }
}

/// Where a finding is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Life {
    /// Nobody has taken it.
    Open,
    /// Somebody knows.
    Acknowledged,
    /// Somebody has it.
    Assigned,
    /// Left alone until a date.
    Snoozed,
    /// Over.
    Resolved,
    /// It was not a problem.
    FalseAlarm,
}

impl Life {
    /// The life under its stored name, if it is one.
    pub fn from_stored(name: &str) -> Option<Self> {
        Some(match name {
            "open" => Life::Open,
            "acknowledged" => Life::Acknowledged,
            "assigned" => Life::Assigned,
            "snoozed" => Life::Snoozed,
            "resolved" => Life::Resolved,
            "false_alarm" => Life::FalseAlarm,
            _ => return None,
        })
    }

    /// The word inside a line.
    pub fn word(self) -> &'static str {
        match self {
            Life::Open => "open",
            Life::Acknowledged => "acknowledged",
            Life::Assigned => "assigned",
            Life::Snoozed => "snoozed",
            Life::Resolved => "resolved",
            Life::FalseAlarm => "not a problem",
        }
    }

    /// True while somebody may still have to act.
    pub fn is_running(self) -> bool {
        !matches!(self, Life::Resolved | Life::FalseAlarm)
    }
}

/// What a budget's enforcement does, and what it will do: "tracks now, gates from 1 Feb".
pub fn enforcement(now: &str, rises: Option<(&str, String)>) -> String {
    let does = |enforcement: &str| match enforcement {
        "track" => "tracks",
        "verify" => "gates",
        _ => "observes",
    };
    match rises {
        Some((next, day)) => format!("{} now, {} from {day}", does(now), does(next)),
        None => does(now).to_owned(),
    }
}

/// How sure a confidence between 0 and 1 lets us speak.
pub fn how_sure(confidence: f64) -> &'static str {
    match confidence {
        c if c >= 0.99 => "very sure",
        c if c >= 0.95 => "sure",
        _ => "not sure yet",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::wording::unit::Unit;

    fn standing(value: f64, lower: f64, upper: f64) -> Standing {
        Standing {
            is_stale: false,
            value: Some(Quantity::new(value, lower, upper, Unit::Count)),
            limit: Some(100.0),
            reference: Some(40.0),
            days_left: None,
            direction: Direction::Lower,
        }
    }

    #[test]
    fn the_first_rule_that_holds_names_the_state() {
        assert_eq!(State::of(&standing(50.0, 48.0, 52.0)), State::Within);
        assert_eq!(
            State::of(&standing(80.0, 79.0, 81.0)),
            State::AtRisk,
            "two thirds of the headroom are spent"
        );
        assert_eq!(
            State::of(&standing(70.0, 40.0, 100.0)),
            State::AtRisk,
            "the upper bound is at the limit"
        );
        assert_eq!(State::of(&standing(110.0, 100.5, 120.0)), State::Breached);
        assert_eq!(
            State::of(&Standing {
                is_stale: true,
                ..standing(110.0, 101.0, 120.0)
            }),
            State::Stale
        );
        assert_eq!(
            State::of(&Standing {
                value: None,
                ..standing(0.0, 0.0, 0.0)
            }),
            State::NotEnough
        );
        assert_eq!(
            State::of(&Standing {
                days_left: Some(89.0),
                ..standing(50.0, 48.0, 52.0)
            }),
            State::AtRisk
        );
        assert_eq!(
            State::of(&Standing {
                limit: None,
                ..standing(110.0, 101.0, 120.0)
            }),
            State::Within
        );
    }

    #[test]
    fn where_higher_is_better_everything_is_mirrored() {
        let higher = |value, lower, upper| Standing {
            reference: Some(160.0),
            direction: Direction::Higher,
            ..standing(value, lower, upper)
        };
        assert_eq!(State::of(&higher(150.0, 148.0, 152.0)), State::Within);
        assert_eq!(State::of(&higher(115.0, 112.0, 118.0)), State::AtRisk);
        assert_eq!(State::of(&higher(90.0, 80.0, 99.0)), State::Breached);
    }

    #[test]
    fn stored_names_come_back() {
        for kind in Kind::ALL {
            assert_eq!(Kind::from_stored(kind.stored()), Some(kind));
        }
        assert_eq!(Life::from_stored("false_alarm"), Some(Life::FalseAlarm));
        assert_eq!(Answer::from_stored("maybe"), None);
    }

    #[test]
    fn enforcement_says_what_it_does_and_will_do() {
        assert_eq!(
            enforcement("track", Some(("verify", "1 Feb".into()))),
            "tracks now, gates from 1 Feb"
        );
        assert_eq!(enforcement("observe", None), "observes");
    }

    #[test]
    fn sureness_has_three_words() {
        assert_eq!(how_sure(0.995), "very sure");
        assert_eq!(how_sure(0.95), "sure");
        assert_eq!(how_sure(0.8), "not sure yet");
    }
}
