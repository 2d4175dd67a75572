//! Fills the list of gates.

use axum::extract::State;

use crate::config::{Gate, utc_date};
use crate::http::error::Result;
use crate::http::pages::layout::Section;
use crate::http::pages::visit::Visit;
use crate::http::{App, paths};
use crate::standing::quarter_start;
use crate::store::StoredVerdict;
use crate::wording::moment::{Moment, midnight_us};
use crate::wording::names::{flow_title, listed};
use crate::wording::state::Answer;

use super::{GateRow, GatesPage, VerdictLine};

/// Verdicts read: what a busy quarter brings.
const VERDICTS: i64 = 1_000;
/// Answers listed for each gate.
const LISTED: usize = 10;
/// Flows named in a row.
const NAMED_FLOWS: usize = 3;

/// The list of gates.
pub async fn show(State(_app): State<App>, visit: Visit) -> Result<GatesPage> {
    let verdicts = visit
        .store
        .verdicts(&visit.caller.project, VERDICTS)
        .await?;
    let gates = visit
        .record
        .config
        .gates
        .iter()
        .map(|gate| row(&visit, gate, &verdicts))
        .collect();
    Ok(GatesPage {
        gates,
        shell: visit.shell(Section::Gates).await?,
    })
}

fn row(visit: &Visit, gate: &Gate, verdicts: &[StoredVerdict]) -> GateRow {
    let own: Vec<&StoredVerdict> = verdicts
        .iter()
        .filter(|verdict| verdict.gate == gate.name)
        .collect();
    let since = quarter_start(visit.now_us);
    let quarter: Vec<&&StoredVerdict> = own
        .iter()
        .filter(|verdict| verdict.created_us >= since)
        .collect();
    let decided = quarter
        .iter()
        .filter(|verdict| verdict.verdict != "inconclusive")
        .count();
    GateRow {
        name: gate.name.clone(),
        flows: flows(gate),
        decided: (decided as u64, quarter.len() as u64),
        next_waiver: next_waiver(visit, gate),
        verdicts: own
            .into_iter()
            .take(LISTED)
            .filter_map(|verdict| line(visit, verdict))
            .collect(),
    }
}

fn line(visit: &Visit, verdict: &StoredVerdict) -> Option<VerdictLine> {
    Some(VerdictLine {
        path: paths::verdict(visit.slug(), &verdict.gate, &verdict.id.to_string()),
        release: verdict.release.clone(),
        answer: Answer::from_stored(&verdict.verdict)?,
        asked: visit.moment(verdict.created_us),
    })
}

fn flows(gate: &Gate) -> String {
    let mut names: Vec<String> = gate
        .flows
        .iter()
        .take(NAMED_FLOWS)
        .map(|flow| flow_title(flow))
        .collect();
    let more = gate.flows.len() - names.len();
    if more > 0 {
        names.push(format!("{more} more"));
    }
    listed(&names)
}

/// The waiver on one of the gate's budgets that ends next.
fn next_waiver(visit: &Visit, gate: &Gate) -> Option<(String, Moment, String)> {
    let config = &visit.record.config;
    let today = utc_date(visit.now_us);
    let of_gate = |budget: &str| {
        config
            .budget(budget)
            .is_some_and(|budget| gate.flows.contains(&budget.flow))
    };
    let running = config
        .waivers
        .iter()
        .filter(|waiver| waiver.until >= today && of_gate(&waiver.budget));
    let next = running.min_by_key(|waiver| waiver.until)?;
    Some((
        next.budget.clone(),
        visit.moment(midnight_us(next.until)),
        next.owner.clone(),
    ))
}
