//! Fills the list of gates.

use crate::http::error::Result;
use crate::http::pages::layout::Section;
use crate::http::pages::visit::Visit;
use crate::http::paths;
use crate::http::wording::names::{flow_title, listed};
use crate::http::wording::state::Answer;
use crate::standing::quarter_start;

use super::{GateRow, GatesPage, VerdictLine};

/// Verdicts that are read: a quarter's, several times over.
const VERDICTS: i64 = 1_000;
/// Verdicts that are shown for each gate.
const SHOWN: usize = 5;

/// The list of gates.
pub async fn show(visit: Visit) -> Result<GatesPage> {
    let stored = visit
        .store
        .verdicts(&visit.caller.project, VERDICTS)
        .await?;
    let quarter_us = quarter_start(visit.now_us);
    let config = &visit.record.config;
    let gates = config
        .gates
        .iter()
        .map(|gate| {
            let own = || stored.iter().filter(|verdict| verdict.gate == gate.name);
            let asked = own().filter(|verdict| verdict.created_us >= quarter_us);
            let decided = asked
                .clone()
                .filter(|verdict| verdict.verdict != "inconclusive")
                .count();
            let waivers = config.waivers.iter().filter(|waiver| {
                waiver.until >= crate::config::utc_date(visit.now_us)
                    && config
                        .budget(&waiver.budget)
                        .is_some_and(|budget| gate.flows.contains(&budget.flow))
            });
            let flows: Vec<String> = gate.flows.iter().map(|flow| flow_title(flow)).collect();
            GateRow {
                name: gate.name.clone(),
                flows: listed(&flows),
                verdicts: own()
                    .take(SHOWN)
                    .map(|verdict| VerdictLine {
                        path: paths::verdict(visit.slug(), &gate.name, &verdict.id.to_string()),
                        release: verdict.release.clone(),
                        answer: Answer::from_stored(&verdict.verdict)
                            .unwrap_or(Answer::Inconclusive),
                        asked: visit.moment(verdict.created_us),
                    })
                    .collect(),
                decided: (decided as u64, asked.count() as u64),
                next_waiver: waivers.min_by_key(|waiver| waiver.until).map(|waiver| {
                    (
                        waiver.budget.clone(),
                        visit.moment(midnight_us(waiver.until)),
                        waiver.owner.clone(),
                    )
                }),
            }
        })
        .collect();
    Ok(GatesPage {
        gates,
        shell: visit.shell(Section::Gates).await?,
    })
}

/// The first instant of a UTC day.
pub(in crate::http::pages) fn midnight_us(day: jiff::civil::Date) -> i64 {
    day.to_zoned(jiff::tz::TimeZone::UTC)
        .map_or(0, |zoned| zoned.timestamp().as_microsecond())
}
