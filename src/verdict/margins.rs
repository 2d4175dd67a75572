//! What a gate's margin takes at the noise of its series, told before anybody relies on it.

use super::gathered::noise_of;
use crate::record::{Measured, Record};
use crate::stats::{gate, wording};
use crate::store::{Store, StoreError};

/// What each gate's margin needs, in words: how noisy its series are, and how many runs settle it.
pub async fn what_margins_need(store: &Store, record: &Record) -> Result<Vec<String>, StoreError> {
    let mut words = Vec::new();
    for gate in &record.config.gates {
        let margin_pct = 100.0 * gate.margin.fraction();
        for flow in &gate.flows {
            for tracked in record.series_of(flow).filter(|t| !t.series.is_field()) {
                if record.budgets(tracked).is_empty() {
                    continue;
                }
                let q = record.watched(tracked);
                let measured = record.measured(store, tracked, q).await?;
                let all: Vec<&Measured> = measured.iter().collect();
                let Some(noise) = noise_of(&all, false) else {
                    continue;
                };
                let newest = measured.last().map_or(0, |m| m.release);
                let sent = measured.iter().filter(|m| m.release == newest).count() as u32;
                let settles =
                    gate::smallest_margin_pct(&noise, sent.max(1), sent.max(1), gate.confidence);
                let needed = gate::runs_needed(&noise, margin_pct, gate.confidence).map_or_else(
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
