//! A candidate's runs against a reference's.
//!
//! Source: pooled t test on log values (Student 1908), noise lent by history ([`super::super::runs`]). Assumes one
//! noise for both sides; where a value is not positive, differences are compared as they are. Smallest sample: one run
//! each if history lends its noise, else three in all. Cannot see what all runs of one side share.

use super::super::runs::{Noise, Spread, combined, logarithms, spread};
use super::super::tails::t_quantile;
use super::super::wording::Scale;
use super::super::{Direction, Interval, Needs};
use super::plan::MOST_RUNS;
use super::reason::comparison_reason;
use super::{Decision, Rule, Verdict};

/// Tests a candidate's runs against a reference's; values in base units, one per run.
pub fn regression(
    candidate: &[f64],
    reference: &[f64],
    history: Option<&Noise>,
    rule: &Rule,
    scale: Scale<'_>,
) -> Decision {
    let comparison = match Comparison::of(candidate, reference, history, rule.confidence) {
        Ok(comparison) => comparison,
        Err(missing) => return missing.decision(rule),
    };
    let margin = rule.margin_pct / 100.0 * comparison.reference.value.abs();
    let allowed = margin.max(rule.minimum);
    let verdict = against(&comparison.change, allowed, rule.direction);
    let base = comparison.reference.value;
    let mut decision = Decision {
        verdict,
        candidate: Some(comparison.candidate),
        reference: Some(comparison.reference),
        change_pct: (base > 0.0).then(|| comparison.change.scaled(100.0 / base)),
        allowed: if base > 0.0 {
            100.0 * allowed / base
        } else {
            allowed
        },
        needs: None,
        reason: String::new(),
    };
    if verdict == Verdict::Inconclusive {
        decision.needs = comparison.runs_to_settle(allowed, rule).map(Needs::runs);
    }
    decision.reason = comparison_reason(&decision, &comparison, allowed, rule, scale);
    decision
}

/// Where a signed change stands against what is allowed, both in one unit.
fn against(change: &Interval, allowed: f64, direction: Direction) -> Verdict {
    let worse = change.worse_upwards(direction);
    let two_sided = direction == Direction::Unknown;
    if worse.lower > allowed || (two_sided && worse.upper < -allowed) {
        Verdict::Fail
    } else if worse.upper < allowed && !(two_sided && worse.lower <= -allowed) {
        Verdict::Pass
    } else {
        Verdict::Inconclusive
    }
}

/// Both sides on one scale, with the noise that they share.
pub(super) struct Comparison {
    pub(super) candidate: Interval,
    pub(super) reference: Interval,
    /// In base units.
    pub(super) change: Interval,
    /// The same on the scale of the test.
    shift: f64,
    noise: Noise,
    runs: (f64, f64),
    log: bool,
}

/// Why there is nothing to compare.
enum Missing {
    Run,
    Reference,
    Noise,
}

impl Comparison {
    fn of(
        candidate: &[f64],
        reference: &[f64],
        history: Option<&Noise>,
        confidence: f64,
    ) -> Result<Self, Missing> {
        let logs = logarithms(candidate).zip(logarithms(reference));
        let log = logs.is_some();
        let (a, b) = logs.unwrap_or_else(|| (candidate.to_vec(), reference.to_vec()));
        let after = spread(&a).ok_or(Missing::Run)?;
        let before = spread(&b).ok_or(Missing::Reference)?;
        let df = after.df + before.df;
        let variance = if df > 0.0 {
            (after.df * after.sd.powi(2) + before.df * before.sd.powi(2)) / df
        } else {
            0.0
        };
        let own = Spread {
            mean: after.mean,
            sd: variance.sqrt(),
            df,
        };
        // Equal values of counts have no spread at all: then the change is known exactly.
        let silent =
            (df > 0.0 && variance == 0.0 && history.is_none()).then_some(Noise { sd_log: 0.0, df });
        let noise = combined(&own, history.filter(|_| log))
            .or(silent)
            .ok_or(Missing::Noise)?;
        let t = t_quantile(0.5 + confidence / 2.0, noise.df) * noise.sd_log;
        let runs = (after.df + 1.0, before.df + 1.0);
        let side = |s: &Spread, n: f64| placed(s.mean, t / n.sqrt(), log);
        let (candidate, reference) = (side(&after, runs.0), side(&before, runs.1));
        let shift = after.mean - before.mean;
        let half = t * (1.0 / runs.0 + 1.0 / runs.1).sqrt();
        let back = |x: f64| if log { reference.value * x.exp_m1() } else { x };
        let change = Interval {
            value: back(shift),
            lower: back(shift - half),
            upper: back(shift + half),
        };
        Ok(Self {
            candidate,
            reference,
            change,
            shift,
            noise,
            runs,
            log,
        })
    }

    /// How many more runs of the candidate bring the nearer end of the range to what is allowed, if the change stays
    /// what it looks like now.
    fn runs_to_settle(&self, allowed: f64, rule: &Rule) -> Option<u32> {
        let on_scale = |change: f64| {
            if self.log {
                (change / self.reference.value).max(-0.999_999).ln_1p()
            } else {
                change
            }
        };
        let edges = match rule.direction {
            Direction::Lower => vec![on_scale(allowed)],
            Direction::Higher => vec![on_scale(-allowed)],
            Direction::Unknown => vec![on_scale(allowed), on_scale(-allowed)],
        };
        let room = edges
            .iter()
            .map(|edge| (edge - self.shift).abs())
            .fold(f64::INFINITY, f64::min);
        let half = |more: u32| {
            let t = t_quantile(0.5 + rule.confidence / 2.0, self.noise.df + f64::from(more));
            t * self.noise.sd_log
                * (1.0 / (self.runs.0 + f64::from(more)) + 1.0 / self.runs.1).sqrt()
        };
        // The width falls with every run, so the first count that fits is found by halving.
        if half(MOST_RUNS) >= room {
            return None;
        }
        let (mut too_few, mut enough) = (0, MOST_RUNS);
        while enough - too_few > 1 {
            let middle = u32::midpoint(too_few, enough);
            if half(middle) < room {
                enough = middle
            } else {
                too_few = middle
            }
        }
        Some(enough)
    }
}

fn placed(mean: f64, half: f64, log: bool) -> Interval {
    let back = |x: f64| if log { x.exp() } else { x };
    Interval {
        value: back(mean),
        lower: back(mean - half),
        upper: back(mean + half),
    }
}

impl Missing {
    fn decision(&self, rule: &Rule) -> Decision {
        let (needs, reason) = match self {
            Missing::Run => (
                Some(Needs::runs(1)),
                "no run of this release yet".to_owned(),
            ),
            Missing::Reference => (None, "no reference to compare with yet".to_owned()),
            Missing::Noise => (
                Some(Needs::runs(2)),
                "how much runs differ by chance is not known yet. About 2 more runs tell"
                    .to_owned(),
            ),
        };
        let verdict = Verdict::Inconclusive;
        Decision {
            verdict,
            candidate: None,
            reference: None,
            change_pct: None,
            allowed: rule.margin_pct,
            needs,
            reason,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::super::super::seeded::Seeded;
    use super::super::super::wording;
    use super::*;
    use proptest::prelude::*;

    const MS: Scale<'_> = Scale {
        factor: 1e-6,
        symbol: "ms",
    };
    const RULE: Rule = Rule {
        direction: Direction::Lower,
        margin_pct: 2.0,
        minimum: 0.0,
        confidence: 0.95,
    };

    fn around(base: f64) -> Vec<f64> {
        [0.997, 1.004, 1.0, 0.999, 1.002, 0.998, 1.001, 1.0]
            .iter()
            .map(|x| x * base)
            .collect()
    }

    #[test]
    fn the_same_speed_passes_and_a_clear_loss_fails_with_their_sentences() {
        let pass = regression(&around(100e6), &around(100e6), None, &RULE, MS);
        assert_eq!(pass.verdict, Verdict::Pass);
        assert!(
            pass.reason
                .ends_with("even the highest likely value is inside the allowed 2\u{a0}%"),
            "{}",
            pass.reason
        );
        let fail = regression(&around(110e6), &around(100e6), None, &RULE, MS);
        assert_eq!(fail.verdict, Verdict::Fail);
        assert!(
            fail.reason
                .starts_with("100.0\u{a0}ms → 110.0\u{a0}ms, +10.0\u{a0}% ["),
            "{}",
            fail.reason
        );
        assert!(fail.reason.ends_with("beyond the allowed 2\u{a0}%"));
    }

    #[test]
    fn a_gain_fails_where_higher_is_better_and_fell() {
        let rule = Rule {
            direction: Direction::Higher,
            ..RULE
        };
        assert_eq!(
            regression(&around(110.0), &around(100.0), None, &rule, MS).verdict,
            Verdict::Pass
        );
        assert_eq!(
            regression(&around(90.0), &around(100.0), None, &rule, MS).verdict,
            Verdict::Fail
        );
    }

    #[test]
    fn an_unknown_direction_fails_both_ways() {
        let rule = Rule {
            direction: Direction::Unknown,
            ..RULE
        };
        for base in [90.0, 110.0] {
            assert_eq!(
                regression(&around(base), &around(100.0), None, &rule, MS).verdict,
                Verdict::Fail
            );
        }
    }

    #[test]
    fn few_noisy_runs_cannot_say_and_name_the_runs_that_settle_it() {
        let noise = Noise {
            sd_log: 0.02,
            df: 40.0,
        };
        let open = regression(
            &[100.5],
            &[100.0, 100.0, 100.0, 100.0, 100.0, 100.0, 100.0, 100.0],
            Some(&noise),
            &Rule {
                margin_pct: 4.0,
                ..RULE
            },
            MS,
        );
        assert_eq!(open.verdict, Verdict::Inconclusive);
        let more = open.needs.and_then(|n| n.runs).expect("runs settle it");
        assert!(
            open.reason.ends_with(&format!(
                "allowed is 4\u{a0}%. About {} settle it",
                wording::plural(u64::from(more), "more run")
            )) || more == 1,
            "{}",
            open.reason
        );
        let mut settled = vec![100.5; more as usize + 1];
        settled[0] = 100.5;
        let after = regression(
            &settled,
            &[100.0; 8],
            Some(&noise),
            &Rule {
                margin_pct: 4.0,
                ..RULE
            },
            MS,
        );
        assert_eq!(after.verdict, Verdict::Pass, "{}", after.reason);
    }

    #[test]
    fn noise_that_no_number_of_runs_beats_says_what_could_be_settled() {
        let noise = Noise {
            sd_log: 0.2,
            df: 40.0,
        };
        let open = regression(&[100.0], &[100.0], Some(&noise), &RULE, MS);
        assert_eq!((open.verdict, open.needs), (Verdict::Inconclusive, None));
        assert!(
            open.reason
                .starts_with("at this noise 2\u{a0}% cannot be settled; "),
            "{}",
            open.reason
        );
    }

    #[test]
    fn nothing_to_look_at_is_never_a_pass() {
        assert_eq!(
            regression(&[], &[1.0], None, &RULE, MS).needs,
            Some(Needs::runs(1))
        );
        assert_eq!(
            regression(&[1.0], &[1.0], None, &RULE, MS).needs,
            Some(Needs::runs(2))
        );
        assert_eq!(
            regression(&[1.0], &[], None, &RULE, MS).verdict,
            Verdict::Inconclusive
        );
        assert_eq!(Verdict::of_all([]), Verdict::Inconclusive);
        assert_eq!(
            Verdict::of_all([Verdict::Pass, Verdict::Inconclusive]),
            Verdict::Inconclusive
        );
        assert_eq!(
            Verdict::of_all([Verdict::Pass, Verdict::Fail, Verdict::Inconclusive]),
            Verdict::Fail
        );
    }

    #[test]
    fn a_small_absolute_minimum_overrules_a_tighter_relative_margin() {
        let rule = Rule {
            minimum: 20e6,
            ..RULE
        };
        let passed = regression(&around(110e6), &around(100e6), None, &rule, MS);
        assert_eq!(passed.verdict, Verdict::Pass);
        assert!(
            passed.reason.ends_with("inside the allowed 20.0\u{a0}ms"),
            "{}",
            passed.reason
        );
    }

    #[test]
    fn a_true_loss_at_the_margin_passes_no_more_often_than_promised() {
        let mut random = Seeded::new(77);
        let noise = Noise {
            sd_log: 0.02,
            df: 30.0,
        };
        let passes: u32 = (0..4_000)
            .map(|_| {
                let mut runs = |base: f64, n: usize| -> Vec<f64> {
                    (0..n)
                        .map(|_| base * (0.02 * random.normal()).exp())
                        .collect()
                };
                let (candidate, reference) = (runs(102.0, 3), runs(100.0, 5));
                u32::from(
                    regression(&candidate, &reference, Some(&noise), &RULE, MS).verdict
                        == Verdict::Pass,
                )
            })
            .sum();
        assert!(passes <= 4_000 * 25 / 1_000 + 30, "{passes} of 4,000");
    }

    proptest! {
        #[test]
        fn a_verdict_does_not_depend_on_the_unit(shift in 0.9..1.1_f64, unit in 1e-3..1e3_f64) {
            let of = |unit: f64| regression(&around(100.0 * shift * unit), &around(100.0 * unit), None, &RULE, MS).verdict;
            prop_assert_eq!(of(1.0), of(unit));
        }
    }
}
