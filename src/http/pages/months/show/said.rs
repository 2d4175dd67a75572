//! What the months say: the sentence, the lead and the four figures.

use crate::http::pages::evidence::kind;
use crate::http::pages::months::{BleedLine, Figure};
use crate::http::pages::tracked::headroom;
use crate::http::pages::visit::Visit;
use crate::http::prose::Prose;
use crate::standing::quarter_start;
use crate::store::StoredVerdict;
use crate::wording::moment::month_word;
use crate::wording::names::flow_title;
use crate::wording::number::counted;
use crate::wording::quantity::Quantity;
use crate::wording::state::{Kind, State as Stands};

use super::Watched;

/// "Nine months: two flows got faster, one is bleeding".
pub(super) fn headline(visit: &Visit, from_us: i64, range: &str) -> String {
    let flows_with = |wanted: Kind, is_open: bool| {
        let own = visit.findings.iter().filter(|finding| {
            kind(finding) == wanted
                && finding.onset_us >= from_us
                && (!is_open || finding.state.is_open())
        });
        own.map(|finding| finding.flow.as_str())
            .collect::<std::collections::BTreeSet<_>>()
            .len()
    };
    let faster = flows_with(Kind::Improvement, false);
    let bleeding = flows_with(Kind::Bleed, true);
    let mut said = Vec::new();
    if faster > 0 {
        said.push(several(faster, "flow got better", "flows got better"));
    }
    if bleeding > 0 {
        said.push(several(bleeding, "is bleeding", "are bleeding"));
    }
    let capital = format!("{}{}", range[..1].to_uppercase(), &range[1..]);
    if said.is_empty() {
        format!("{capital}: nothing moved for long")
    } else {
        format!("{capital}: {}", said.join(", "))
    }
}

/// "one flow got better", "three flows got better".
fn several(count: usize, one: &str, many: &str) -> String {
    const WORDS: [&str; 13] = [
        "no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
        "eleven", "twelve",
    ];
    let number = WORDS
        .get(count)
        .map_or_else(|| count.to_string(), |word| (*word).to_owned());
    format!("{number} {}", if count == 1 { one } else { many })
}

/// On how many days the key flows were inside their budgets, and what the bleeds do.
pub(super) fn lead(visit: &Visit, flows: &[Watched<'_>], bleeds: &[BleedLine]) -> Prose {
    let judged: Vec<Stands> = flows
        .iter()
        .flat_map(|flow| flow.days.iter().flatten().copied())
        .filter(|state| matches!(state, Stands::Within | Stands::AtRisk | Stands::Breached))
        .collect();
    if judged.is_empty() {
        return Prose::of("No key flow has a budget with enough data yet.");
    }
    let inside = judged
        .iter()
        .filter(|state| **state != Stands::Breached)
        .count();
    let share = (inside as f64 / judged.len() as f64 * 100.0).floor();
    let lead = Prose::of("Key flows were inside their budgets on ")
        .bold(&format!("{share}\u{a0}% of days"))
        .plain(".");
    let running: Vec<&BleedLine> = bleeds.iter().filter(|bleed| !bleed.is_stopped).collect();
    let stopped = bleeds.len() - running.len();
    let ends = flows.iter().filter_map(|flow| {
        let room = headroom(flow.standing.as_ref()?, visit.now_us);
        room.runs_out.days_left(visit.now_us)?;
        Some((
            flow_title(&flow.flow),
            room.runs_out.text(visit.now_us).replace(" – ", " and "),
        ))
    });
    let lead = match (running.len(), ends.into_iter().next()) {
        (0, _) => lead.plain(" No slow bleed is running"),
        (1, Some((flow, days))) => lead
            .plain(&format!(
                " One slow bleed is running; the budget of {flow} ends "
            ))
            .bold(&format!("between {days}")),
        (running, _) => lead.plain(&format!(" There are {running} slow bleeds running")),
    };
    match stopped {
        0 => lead.plain("."),
        1 => lead.plain("; one was stopped."),
        stopped => lead.plain(&format!("; {stopped} were stopped.")),
    }
}

pub(super) fn figures(
    visit: &Visit,
    flows: &[Watched<'_>],
    bleeds: &[BleedLine],
    verdicts: &[StoredVerdict],
) -> Vec<Figure> {
    vec![
        inside(visit, flows),
        spent(visit, flows),
        bleeding(bleeds),
        decided(visit, verdicts),
    ]
}

fn inside(visit: &Visit, flows: &[Watched<'_>]) -> Figure {
    let state = |flow: &Watched<'_>| {
        flow.standing
            .as_ref()
            .map(|standing| Stands::from(standing.state))
    };
    let count = |wanted: &[Stands]| {
        flows
            .iter()
            .filter(|flow| state(flow).is_some_and(|s| wanted.contains(&s)))
            .count()
    };
    let inside = count(&[Stands::Within, Stands::AtRisk]);
    let risky = count(&[Stands::AtRisk]);
    let unknown = flows.len() - inside - count(&[Stands::Breached]);
    Figure {
        label: format!("Inside budget in {}", month_word(visit.now_us)),
        value: format!("{inside} of {}", counted(flows.len() as u64, "flow")),
        range: String::new(),
        note: format!("{risky} of them at risk, {unknown} without data or budget"),
    }
}

/// Milliseconds of different flows are never added up: the flow that spent most is named.
fn spent(visit: &Visit, flows: &[Watched<'_>]) -> Figure {
    let spent = flows.iter().filter_map(|flow| {
        let room = headroom(flow.standing.as_ref()?, visit.now_us);
        let spent = room.spent_this_quarter.filter(|spent| spent.lower > 0.0)?;
        let share = flow
            .standing
            .as_ref()?
            .spent_share
            .map_or(0.0, |share| share.value);
        Some((flow_title(&flow.flow), spent, share))
    });
    let spent: Vec<(String, Quantity, f64)> = spent.collect();
    let label = "Headroom spent this quarter".to_owned();
    match spent.iter().max_by(|a, b| a.2.total_cmp(&b.2)) {
        Some((flow, most, _)) => Figure {
            label,
            value: most.value(),
            range: most.range(),
            note: match spent.len() {
                1 => format!("all of it in {flow}"),
                n => format!(
                    "in {flow}; {} more spent some",
                    counted(n as u64 - 1, "flow")
                ),
            },
        },
        None => Figure {
            label,
            value: "none proven".into(),
            range: String::new(),
            note: "no flow spent any for certain".into(),
        },
    }
}

fn bleeding(bleeds: &[BleedLine]) -> Figure {
    let running = bleeds.iter().filter(|bleed| !bleed.is_stopped).count();
    Figure {
        label: "Slow bleeds".into(),
        value: format!("{running} running, {} stopped", bleeds.len() - running),
        range: String::new(),
        note: bleeds.iter().find(|bleed| !bleed.is_stopped).map_or_else(
            || "none runs".into(),
            |bleed| bleed.when.replacen('R', "r", 1),
        ),
    }
}

fn decided(visit: &Visit, verdicts: &[StoredVerdict]) -> Figure {
    let since = quarter_start(visit.now_us);
    let quarter: Vec<&StoredVerdict> = verdicts
        .iter()
        .filter(|verdict| verdict.created_us >= since)
        .collect();
    let count = |word: &str| {
        quarter
            .iter()
            .filter(|verdict| verdict.verdict == word)
            .count()
    };
    let (pass, fail, open) = (count("pass"), count("fail"), count("inconclusive"));
    Figure {
        label: "Gate answers this quarter".into(),
        value: if quarter.is_empty() {
            "not asked".into()
        } else {
            format!("{} of {} decided", pass + fail, quarter.len())
        },
        range: String::new(),
        note: if quarter.is_empty() {
            "no gate was asked".into()
        } else {
            format!("{pass} pass, {fail} fail, {open} inconclusive")
        },
    }
}
