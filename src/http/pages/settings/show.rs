//! Fills the settings page.

use crate::http::error::Result;
use crate::http::pages::layout::Section;
use crate::http::pages::visit::Visit;
use crate::store::Delivery;

use super::{LimitRow, RouteRow, SettingsPage, TokenRow};

/// Deliveries that are read: the newest of all routes.
const DELIVERIES: i64 = 500;
/// Dead letters listed for each route.
const DEAD_SHOWN: usize = 20;
/// Characters of a token's id that tell it from others.
const TAIL: usize = 4;

/// The settings; tokens are shown to signed-in people only.
pub async fn show(visit: Visit) -> Result<SettingsPage> {
    let project = &visit.caller.project;
    let policy = visit.store.policy(project).await?;
    let deliveries = visit.store.recent_deliveries(project, DELIVERIES).await?;
    let config = &visit.record.config;
    let routes = config
        .routes
        .iter()
        .map(|route| {
            let own = || {
                deliveries
                    .iter()
                    .filter(|delivery| delivery.route == route.name)
            };
            RouteRow {
                name: route.name.clone(),
                kind: route.kind.as_str().to_owned(),
                last: own()
                    .filter_map(|delivery| delivery.sent_us)
                    .max()
                    .map(|at_us| visit.moment(at_us)),
                dead: own()
                    .filter(|delivery| delivery.dead_us.is_some() && delivery.sent_us.is_none())
                    .take(DEAD_SHOWN)
                    .map(|delivery| (again(&visit, delivery), told(delivery)))
                    .collect(),
            }
        })
        .collect();
    let tokens = if visit.may_act() {
        visit.store.tokens(project).await?
    } else {
        Vec::new()
    };
    let undeclared: std::collections::BTreeSet<&str> = visit
        .record
        .series
        .values()
        .filter(|tracked| tracked.series.is_field() && !config.declares_flow(&tracked.flow))
        .map(|tracked| tracked.flow.as_str())
        .collect();
    let limits = &config.project.limits;
    Ok(SettingsPage {
        applied: policy
            .as_ref()
            .map(|policy| (visit.moment(policy.applied_us), policy.actor.clone())),
        configuration: policy.map(|policy| policy.toml).unwrap_or_default(),
        routes,
        tokens: tokens
            .into_iter()
            .filter(|token| token.revoked_us.is_none())
            .map(|token| {
                let id = token.id.to_string();
                TokenRow {
                    scope: token.scope.to_string(),
                    last_four: id[id.len() - TAIL..].to_owned(),
                    expires: token.expires_us.map(|at_us| visit.moment(at_us)),
                    used: token.last_used_us.map(|at_us| visit.moment(at_us)),
                }
            })
            .collect(),
        limits: vec![
            LimitRow {
                name: "Series".to_owned(),
                used: visit.record.series.len() as u64,
                allowed: limits.series,
            },
            LimitRow {
                name: "Undeclared field flows".to_owned(),
                used: undeclared.len() as u64,
                allowed: limits.undeclared_rum_flows,
            },
        ],
        other_flows: Vec::new(),
        shell: visit.shell(Section::Settings).await?,
    })
}

/// Where a dead letter is sent again.
fn again(visit: &Visit, delivery: &Delivery) -> String {
    format!(
        "{}/deliveries/{}/again",
        crate::http::paths::project(visit.slug()),
        delivery.id
    )
}

/// What could not be delivered, and why.
fn told(delivery: &Delivery) -> String {
    let message: serde_json::Value = serde_json::from_str(&delivery.message).unwrap_or_default();
    let sentence = message["sentence"].as_str().unwrap_or("an alert");
    let error = delivery.last_error.as_deref().unwrap_or("no reason noted");
    format!("{sentence} ({}: {error})", delivery.event)
}
