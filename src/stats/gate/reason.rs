//! The sentence that a comparison's verdict is told in.
//!
//! Source: the project's table of verdicts. Assumes a reader who knows no statistics.

use super::super::wording::{self, Scale};
use super::super::{Direction, Interval};
use super::comparison::Comparison;
use super::{Decision, Rule, Verdict};

/// The sentence of the table of verdicts.
pub(super) fn comparison_reason(
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
