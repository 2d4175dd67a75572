//! May it go? Pass, fail or cannot say, with the reason and what would settle it.
//!
//! Source: three-way non-inferiority by confidence interval (ICH E9; Schuirmann 1987), Student's t with the run as the
//! unit, Bonferroni over checks (valid whatever their dependence). Assumes independent runs and one noise for both
//! sides, pooled with the series' history where runs are few. Smallest sample: one run each, if history lends its noise.
//! Cannot see a bias that all runs of one side share: run both sides on the same machines.

use serde::{Deserialize, Serialize};

use super::runs::{Noise, Spread, combined, logarithms, spread};
use super::tails::{normal_quantile, t_quantile};
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

/// More runs than this are not asked for: a gate that needs them needs a quieter machine or a wider margin.
pub const MOST_RUNS: u32 = 100;

/// Chance of passing that a planned number of runs must give a release that changed nothing.
const POWER: f64 = 0.8;

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

/// How many runs each side needs so that a release that changed nothing passes with four chances in five.
/// None where [`MOST_RUNS`] are too few.
pub fn runs_needed(noise: &Noise, margin_pct: f64, confidence: f64) -> Option<u32> {
    (1..=MOST_RUNS).find(|runs| smallest_margin_pct(noise, *runs, *runs, confidence) <= margin_pct)
}

/// The smallest margin, in per cent, that this many runs of the candidate against this many of the reference settle
/// with four chances in five for a release that changed nothing.
pub fn smallest_margin_pct(noise: &Noise, runs: u32, reference_runs: u32, confidence: f64) -> f64 {
    let (n, m) = (f64::from(runs.max(1)), f64::from(reference_runs.max(1)));
    let reach = t_quantile(0.5 + confidence / 2.0, noise.df + n + m - 2.0) + normal_quantile(POWER);
    100.0 * (reach * noise.sd_log * (1.0 / n + 1.0 / m).sqrt()).exp_m1()
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
struct Comparison {
    candidate: Interval,
    reference: Interval,
    /// In base units.
    change: Interval,
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

/// The sentence of the table of verdicts.
fn comparison_reason(
    decision: &Decision,
    comparison: &Comparison,
    allowed: f64,
    rule: &Rule,
    scale: Scale<'_>,
) -> String {
    let relative = decision.change_pct;
    let shown = relative.map_or_else(|| scale.range(&comparison.change), |c| wording::change(&c));
    let margin = |base: f64| match relative {
        Some(_) if rule.minimum >= allowed && rule.minimum > 0.0 => scale.value(base, 0.0),
        Some(_) => wording::percent(100.0 * base / comparison.reference.value),
        None => scale.value(base, 0.0),
    };
    let m = margin(allowed);
    let (high, low) = if rule.direction == Direction::Higher {
        ("lowest", "highest")
    } else {
        ("highest", "lowest")
    };
    match (decision.verdict, decision.needs) {
        (Verdict::Pass, _) => {
            format!("{shown}: even the {high} likely value is inside the allowed {m}")
        }
        (Verdict::Fail, _) => {
            let (from, to) = (comparison.reference, comparison.candidate);
            let (from, to) = (
                scale.value(from.value, from.half_width()),
                scale.value(to.value, to.half_width()),
            );
            format!("{from} → {to}, {shown}: even the {low} likely value is beyond the allowed {m}")
        }
        (Verdict::Inconclusive, Some(needs)) => {
            let runs = u64::from(needs.runs.unwrap_or(1));
            let (a, b) = ends(
                relative.as_ref().unwrap_or(&comparison.change),
                relative.is_some(),
                scale,
            );
            let settle = if runs == 1 { "settles" } else { "settle" };
            format!(
                "could be {a} or {b}; allowed is {m}. About {} {settle} it",
                wording::plural(runs, "more run")
            )
        }
        (Verdict::Inconclusive, None) => {
            let worst = comparison.change.worse_upwards(rule.direction).upper;
            let enough = worst.max(if rule.direction == Direction::Unknown {
                -comparison.change.lower
            } else {
                worst
            });
            format!(
                "at this noise {m} cannot be settled; {} can",
                round_up(enough, &margin, comparison, relative.is_some())
            )
        }
    }
}

/// The next tenth of a per cent above what the evidence at hand would pass.
fn round_up(
    enough: f64,
    margin: &dyn Fn(f64) -> String,
    comparison: &Comparison,
    relative: bool,
) -> String {
    if !relative {
        return margin(enough);
    }
    let base = comparison.reference.value;
    margin((1_000.0 * enough / base).floor().mul_add(1e-3, 1e-3) * base)
}

fn ends(change: &Interval, relative: bool, scale: Scale<'_>) -> (String, String) {
    let half = change.half_width();
    if relative {
        (
            wording::signed_percent(change.lower, half),
            wording::signed_percent(change.upper, half),
        )
    } else {
        (
            scale.value(change.lower, half),
            scale.value(change.upper, half),
        )
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::super::seeded::Seeded;
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
    fn plans_follow_the_noise() {
        let noise = Noise {
            sd_log: 0.021,
            df: 60.0,
        };
        let runs = runs_needed(&noise, 2.0, 0.95).expect("two per cent is within reach");
        assert!((16..=20).contains(&runs), "{runs}");
        assert!(smallest_margin_pct(&noise, 1, 1, 0.95) > smallest_margin_pct(&noise, 1, 50, 0.95));
        assert_eq!(
            runs_needed(
                &Noise {
                    sd_log: 0.5,
                    df: 60.0
                },
                1.0,
                0.95
            ),
            None
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

    #[test]
    fn all_looks_and_checks_together_stay_within_the_error() {
        let spent: f64 = (1..1_000)
            .map(|look| 8.0 * (1.0 - check_confidence(0.95, 8, look)))
            .sum();
        assert!(spent <= 0.05 + 1e-12 && spent > 0.049);
    }

    proptest! {
        #[test]
        fn a_verdict_does_not_depend_on_the_unit(shift in 0.9..1.1_f64, unit in 1e-3..1e3_f64) {
            let of = |unit: f64| regression(&around(100.0 * shift * unit), &around(100.0 * unit), None, &RULE, MS).verdict;
            prop_assert_eq!(of(1.0), of(unit));
        }
    }
}
