//! The words for how things stand: states of a budget, verdicts of a gate, kinds and lives of findings.

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

impl From<crate::stats::budget::State> for State {
    fn from(decided: crate::stats::budget::State) -> Self {
        use crate::stats::budget::State as Decided;
        match decided {
            Decided::Stale => State::Stale,
            Decided::NotEnough => State::NotEnough,
            Decided::Breached => State::Breached,
            Decided::AtRisk => State::AtRisk,
            Decided::Within => State::Within,
        }
    }
}

impl State {
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
    /// Other visitors than before.
    Mix,
    /// A change for the better.
    Improvement,
}

impl Kind {
    /// Every kind, worst first.
    pub const ALL: [Kind; 7] = [
        Kind::Breach,
        Kind::Bleed,
        Kind::Step,
        Kind::Missing,
        Kind::Epoch,
        Kind::Mix,
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
            Kind::Mix => "mix",
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
            Kind::Mix => "Other visitors",
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

impl From<crate::store::FindingState> for Life {
    fn from(state: crate::store::FindingState) -> Self {
        use crate::store::FindingState as Stored;
        match state {
            Stored::Open => Life::Open,
            Stored::Acknowledged => Life::Acknowledged,
            Stored::Assigned => Life::Assigned,
            Stored::Snoozed => Life::Snoozed,
            Stored::Resolved => Life::Resolved,
            Stored::FalseAlarm => Life::FalseAlarm,
        }
    }
}

impl From<crate::stats::gate::Verdict> for Answer {
    fn from(verdict: crate::stats::gate::Verdict) -> Self {
        use crate::stats::gate::Verdict;
        match verdict {
            Verdict::Pass => Answer::Pass,
            Verdict::Inconclusive => Answer::Inconclusive,
            Verdict::Fail => Answer::Fail,
        }
    }
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
        c if c >= 0.98 => "very sure",
        c if c >= 0.9 => "sure",
        _ => "not sure yet",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
