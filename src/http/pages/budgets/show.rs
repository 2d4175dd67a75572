//! Fills the list of budgets.

use axum::extract::State;

use crate::config::{Window, utc_date};
use crate::http::error::Result;
use crate::http::pages::flow::show::enforcement_words;
use crate::http::pages::layout::Section;
use crate::http::pages::tracked::headroom;
use crate::http::pages::visit::Visit;
use crate::http::{App, paths};
use crate::standing::{Standing, standing};
use crate::wording::moment::midnight_us;
use crate::wording::names::flow_title;

use super::{BudgetRow, BudgetsPage};

/// The list of budgets.
pub async fn show(State(_app): State<App>, visit: Visit) -> Result<BudgetsPage> {
    let mut budgets = Vec::new();
    for tracked in visit.record.series.values() {
        for budget in visit.record.budgets(tracked) {
            let (store, record, findings) = (&visit.store, &visit.record, &visit.findings);
            let found = standing(store, record, tracked, budget, findings, visit.now_us).await?;
            budgets.push(row(&visit, &found));
        }
    }
    BudgetsPage::sort(&mut budgets);
    Ok(BudgetsPage {
        budgets,
        shell: visit.shell(Section::Budgets).await?,
    })
}

fn row(visit: &Visit, found: &Standing<'_>) -> BudgetRow {
    let (tracked, budget) = (found.tracked, found.budget);
    let waiver = visit
        .record
        .config
        .waiver_for(&budget.id, utc_date(visit.now_us));
    BudgetRow {
        path: paths::series(visit.slug(), &tracked.flow, &tracked.id.to_string()),
        id: budget.id.clone(),
        flow: flow_title(&tracked.flow),
        series: tracked.line_with(found.q),
        limit: tracked.exact(found.limit.unwrap_or_default()),
        window: window(budget.window),
        value: found.value.map(|value| tracked.quantity(&value)),
        state: found.state.into(),
        headroom: headroom(found, visit.now_us),
        enforcement: enforcement_words(visit, budget),
        waiver: waiver.map_or_else(String::new, |waiver| {
            format!(
                "until {} ({})",
                visit.moment(midnight_us(waiver.until)).day(),
                waiver.owner
            )
        }),
    }
}

fn window(window: Window) -> String {
    window.days().map_or_else(
        || "a release".to_owned(),
        |days| format!("{days}\u{a0}days"),
    )
}
