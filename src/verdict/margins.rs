//! What a gate's margin takes at the noise of its series, told before anybody relies on it.

use super::gathered::noise_of;
use crate::config::{Enforcement, Gate};
use crate::record::{Measured, Record};
use crate::stats::{gate, wording};
use crate::store::{Store, StoreError};

/// What each gate's margin needs, in words: how noisy its series are, and how many runs settle it.
pub async fn what_margins_need(store: &Store, record: &Record) -> Result<Vec<String>, StoreError> {
    let mut words = Vec::new();
    for gate in &record.config.gates {
        let margin_pct = 100.0 * gate.margin.fraction();
        let confidence = gate::check_confidence(gate.confidence, checks_of(record, gate), 1);
        for flow in &gate.flows {
            for tracked in record.series_of(flow).filter(|t| !t.series.is_field()) {
                if record.budgets(tracked).is_empty() {
                    continue;
                }
                let q = record.watched(tracked);
                let measured = record.measured(store, tracked, q).await?;
                // What was measured in another way says nothing of the noise that is.
                let epoch = measured.last().map_or(0, |m| m.epoch);
                let all: Vec<&Measured> = measured.iter().filter(|m| m.epoch == epoch).collect();
                let Some(noise) = noise_of(&all, false) else {
                    continue;
                };
                let newest = measured.last().map_or(0, |m| m.release);
                let sent = measured.iter().filter(|m| m.release == newest).count() as u32;
                let settles =
                    gate::smallest_margin_pct(&noise, sent.max(1), sent.max(1), confidence);
                let needed = gate::runs_needed(&noise, margin_pct, confidence).map_or_else(
                    || format!("more than {} runs", gate::MOST_RUNS),
                    |runs| wording::plural(u64::from(runs), "run"),
                );
                words.push(format!(
                    "gate {}, {flow} {}: at {:.1} % noise the margin of {} takes {needed} a release; you send {sent}, which settles {:.1} %",
                    gate.name,
                    tracked.series.metric,
                    100.0 * noise.sd_log,
                    wording::percent(margin_pct),
                    settles,
                ));
            }
        }
    }
    Ok(words)
}

/// How many checks share a gate's error: each budget that counts, and its comparison with the release before and, where
/// one is pinned, with that.
fn checks_of(record: &Record, gate: &Gate) -> usize {
    let of_flow = |flow: &String| {
        let comparisons = 1 + usize::from(record.config.reference_of(flow).is_some());
        let budgets = record.series_of(flow).flat_map(|one| record.budgets(one));
        let counting = budgets.filter(|budget| budget.enforcement == Enforcement::Verify);
        counting.count() * (1 + comparisons)
    };
    gate.flows.iter().map(of_flow).sum()
}
