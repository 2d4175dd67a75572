//! Fills the list of budgets.

use crate::config::{Budget, Enforcement, Window, utc_date};
use crate::http::error::Result;
use crate::http::pages::gates::show::midnight_us;
use crate::http::pages::layout::Section;
use crate::http::pages::tracked::headroom;
use crate::http::pages::visit::Visit;
use crate::http::paths;
use crate::http::wording::names::flow_title;
use crate::standing;

use super::{BudgetRow, BudgetsPage};

/// All budgets, least left first.
pub async fn show(visit: Visit) -> Result<BudgetsPage> {
    let mut budgets = Vec::new();
    for tracked in visit.record.series.values() {
        for budget in visit.record.budgets(tracked) {
            let found = standing::standing(
                &visit.store,
                &visit.record,
                tracked,
                budget,
                &visit.findings,
                visit.now_us,
            )
            .await?;
            let Some(limit) = found.limit else { continue };
            budgets.push(BudgetRow {
                path: paths::series(visit.slug(), &tracked.flow, &tracked.id.to_string()),
                id: budget.id.clone(),
                flow: flow_title(&tracked.flow),
                series: tracked.line_with(found.q),
                limit: tracked.exact(limit),
                window: window_words(budget.window),
                value: found.value.map(|value| tracked.quantity(&value)),
                state: found.state.into(),
                headroom: headroom(&found, visit.now_us),
                enforcement: enforcement_words(&visit, budget),
                waiver: waiver_words(&visit, budget),
            });
        }
    }
    BudgetsPage::sort(&mut budgets);
    Ok(BudgetsPage {
        budgets,
        shell: visit.shell(Section::Budgets).await?,
    })
}

fn window_words(window: Window) -> String {
    window
        .days()
        .map_or_else(|| "a release".to_owned(), |days| format!("{days} days"))
}

fn enforcement_words(visit: &Visit, budget: &Budget) -> String {
    let word = |enforcement| match enforcement {
        Enforcement::Observe => "is shown",
        Enforcement::Track => "tracks",
        Enforcement::Verify => "gates",
    };
    let now = budget.enforcement_on(utc_date(visit.now_us));
    match &budget.rises {
        Some((to, day)) if *to > now => format!(
            "{} now, {} from {}",
            word(now),
            word(*to),
            visit.moment(midnight_us(*day)).day()
        ),
        _ => word(now).to_owned(),
    }
}

fn waiver_words(visit: &Visit, budget: &Budget) -> String {
    visit
        .record
        .config
        .waiver_for(&budget.id, utc_date(visit.now_us))
        .map(|waiver| {
            let until = visit.moment(midnight_us(waiver.until)).day();
            format!("until {until} ({})", waiver.owner)
        })
        .unwrap_or_default()
}
