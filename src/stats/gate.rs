//! May it go? Pass, fail or cannot say, with the reason and what would settle it.
//!
//! Source: three-way non-inferiority by confidence interval (ICH E9; Schuirmann 1987), Student's t with the run as the
//! unit, Bonferroni over checks (valid whatever their dependence). Assumes independent runs and one noise for both
//! sides, pooled with the series' history where runs are few. Smallest sample: one run each, if history lends its noise.
//! Cannot see a bias that all runs of one side share: run both sides on the same machines.

mod comparison;
mod plan;
mod reason;

use serde::{Deserialize, Serialize};

pub use self::comparison::regression;
pub use self::plan::{
    MOST_RUNS, runs_needed, runs_to_settle, samples_to_settle, smallest_margin_pct,
};
use super::wording::{self, Scale};
use super::{Direction, Interval, Needs};

/// A gate's answer, and each of its checks'.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Even the worst likely value is allowed.
    Pass,
    /// The evidence does not say.
    Inconclusive,
    /// Even the best likely value is not allowed.
    Fail,
}

impl Verdict {
    /// The answer of a gate from those of its checks: any fail fails, else anything open leaves it open. Without any
    /// check there is no evidence, and that is never a pass.
    pub fn of_all(checks: impl IntoIterator<Item = Verdict>) -> Verdict {
        checks.into_iter().max().unwrap_or(Verdict::Inconclusive)
    }
}

/// One check's answer with what it rests on.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// The answer.
    pub verdict: Verdict,
    /// The candidate's value in base units, where it has one.
    pub candidate: Option<Interval>,
    /// The reference's value in base units, where there is one to compare with.
    pub reference: Option<Interval>,
    /// The change in per cent of the reference, as measured (a plus is a larger value, not a worse one).
    pub change_pct: Option<Interval>,
    /// What was allowed: the margin in per cent for a comparison, the limit in base units for a budget.
    pub allowed: f64,
    /// What would settle it, where more of it would.
    pub needs: Option<Needs>,
    /// A sentence for a person who knows no statistics.
    pub reason: String,
}

/// What a comparison is held against.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rule {
    /// Which way is good.
    pub direction: Direction,
    /// The allowed change in per cent of the reference.
    pub margin_pct: f64,
    /// The allowed change in base units; the larger of the two counts.
    pub minimum: f64,
    /// The confidence of this one check: see [`check_confidence`].
    pub confidence: f64,
}

/// The confidence that each of `checks` needs so that all of them together keep `confidence`, at the `look`th set of
/// evidence on the same release (from 1). Four fifths of the error may be spent at the first look, since most gates
/// are asked once; what is left is shared by all later looks, so any number of them stays within the whole.
pub fn check_confidence(confidence: f64, checks: usize, look: u32) -> f64 {
    let spent = match look {
        0 | 1 => 0.8,
        later => 0.2 / (f64::from(later) * f64::from(later - 1)),
    };
    1.0 - (1.0 - confidence) * spent / checks.max(1) as f64
}

/// Tests a value against a budget's limit, both in base units.
pub fn budget(
    value: Result<Interval, Needs>,
    limit: f64,
    direction: Direction,
    scale: Scale<'_>,
) -> Decision {
    let interval = match value {
        Ok(interval) => interval,
        Err(needs) => return refused(needs, limit),
    };
    let (worse, bound) = (
        interval.worse_upwards(direction),
        if direction == Direction::Higher {
            -limit
        } else {
            limit
        },
    );
    let verdict = if worse.lower > bound {
        Verdict::Fail
    } else if worse.upper <= bound {
        Verdict::Pass
    } else {
        Verdict::Inconclusive
    };
    let (shown, limit_shown) = (scale.range(&interval), scale.value(limit, 0.0));
    let (high, low) = if direction == Direction::Higher {
        ("lowest", "highest")
    } else {
        ("highest", "lowest")
    };
    let reason = match verdict {
        Verdict::Pass => {
            format!("{shown}: even the {high} likely value is inside the allowed {limit_shown}")
        }
        Verdict::Fail => {
            format!("{shown}: even the {low} likely value is beyond the allowed {limit_shown}")
        }
        Verdict::Inconclusive => {
            let half = interval.half_width();
            format!(
                "could be {} or {}; allowed is {limit_shown}",
                scale.value(interval.lower, half),
                scale.value(interval.upper, half)
            )
        }
    };
    Decision {
        verdict,
        candidate: Some(interval),
        reference: None,
        change_pct: None,
        allowed: limit,
        needs: None,
        reason,
    }
}

/// Tests the age of the newest evidence, microseconds, against what counts as fresh. No evidence at all has no age.
/// Stale evidence is never a pass.
pub fn freshness(age_us: Option<i64>, fresh_us: i64) -> Decision {
    let fresh = wording::span(fresh_us);
    let (verdict, reason) = match age_us {
        Some(age) if age <= fresh_us => (
            Verdict::Pass,
            format!("newest data {} old; allowed is {fresh}", wording::span(age)),
        ),
        Some(age) => (
            Verdict::Inconclusive,
            format!(
                "no data for {}; allowed is {fresh}; more runs do not help",
                wording::span(age)
            ),
        ),
        None => (
            Verdict::Inconclusive,
            format!("no data yet; allowed is {fresh}"),
        ),
    };
    Decision {
        verdict,
        candidate: None,
        reference: None,
        change_pct: None,
        allowed: fresh_us as f64,
        needs: None,
        reason,
    }
}

fn refused(needs: Needs, limit: f64) -> Decision {
    let wanted = match (needs.samples, needs.runs) {
        (Some(samples), _) => format!("it takes {}", wording::plural(samples, "sample")),
        (None, Some(runs)) => format!("it takes {}", wording::plural(u64::from(runs), "more run")),
        (None, None) => "there is no data".to_owned(),
    };
    let reason = format!("cannot say yet: {wanted}");
    let verdict = Verdict::Inconclusive;
    Decision {
        verdict,
        candidate: None,
        reference: None,
        change_pct: None,
        allowed: limit,
        needs: Some(needs),
        reason,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    const MS: Scale<'_> = Scale {
        factor: 1e-6,
        symbol: "ms",
    };

    #[test]
    fn stale_evidence_says_that_more_runs_do_not_help() {
        let hour = 3_600_000_000;
        assert_eq!(freshness(Some(hour), 24 * hour).verdict, Verdict::Pass);
        let stale = freshness(Some(30 * hour), 24 * hour);
        assert_eq!(
            stale.reason,
            "no data for 30 hours; allowed is 24 hours; more runs do not help"
        );
        assert_eq!(stale.verdict, Verdict::Inconclusive);
        assert_eq!(freshness(None, 24 * hour).verdict, Verdict::Inconclusive);
    }

    #[test]
    fn a_budget_is_broken_only_when_proven() {
        let at = |lower: f64, upper: f64| {
            budget(
                Ok(Interval {
                    value: (lower + upper) / 2.0,
                    lower,
                    upper,
                }),
                100e6,
                Direction::Lower,
                MS,
            )
        };
        assert_eq!(at(101e6, 105e6).verdict, Verdict::Fail);
        assert_eq!(at(95e6, 100e6).verdict, Verdict::Pass);
        assert_eq!(at(95e6, 101e6).verdict, Verdict::Inconclusive);
        assert_eq!(
            budget(Err(Needs::samples(368)), 100e6, Direction::Lower, MS).reason,
            "cannot say yet: it takes 368 samples"
        );
    }

    #[test]
    fn all_looks_and_checks_together_stay_within_the_error() {
        let spent: f64 = (1..1_000)
            .map(|look| 8.0 * (1.0 - check_confidence(0.95, 8, look)))
            .sum();
        assert!(spent <= 0.05 + 1e-12 && spent > 0.049);
    }

    #[test]
    fn a_gate_without_checks_is_never_a_pass() {
        assert_eq!(Verdict::of_all([]), Verdict::Inconclusive);
    }
}
