//! Fills the settings.

use axum::extract::{Path, State};
use axum::response::Redirect;

use crate::clock::now_us;
use crate::detector::evidence::Evidence;
use crate::http::error::{Error, Result};
use crate::http::pages::layout::Section;
use crate::http::pages::visit::Visit;
use crate::http::{App, auth, paths};
use crate::store::{Delivery, Id, TokenRow as StoredToken};
use crate::wording::moment::{DAY_US, Moment};
use collectors::report::Source;

use super::{AuditRow, LimitRow, RouteRow, SettingsPage, TokenRow};

/// Deliveries looked through.
const DELIVERIES: i64 = 500;
/// Changes listed.
const AUDIT_ROWS: i64 = 50;
/// What was dropped is told for this many days.
const DROPPED_DAYS: i64 = 7;
/// Undeclared field flows listed.
const OTHERS: usize = 20;

/// The settings.
pub async fn show(State(_app): State<App>, visit: Visit) -> Result<SettingsPage> {
    let project = &visit.caller.project;
    let policy = visit.store.policy(project).await?;
    let deliveries = visit.store.recent_deliveries(project, DELIVERIES).await?;
    // Who may only look need not know which tokens there are.
    let tokens = if visit.may_act() {
        Some(visit.store.tokens(project).await?)
    } else {
        None
    };
    let audit = if visit.may_act() {
        Some(visit.store.audit_trail(project, AUDIT_ROWS).await?)
    } else {
        None
    };
    let since_us = visit.now_us - DROPPED_DAYS * DAY_US;
    let dropped = visit.store.dropped_since(project, since_us).await?;
    let valid = |tokens: Vec<StoredToken>| {
        let valid = tokens.iter().filter(|token| token.revoked_us.is_none());
        valid.map(|token| token_row(&visit, token)).collect()
    };
    Ok(SettingsPage {
        applied: policy
            .as_ref()
            .map(|policy| (visit.moment(policy.applied_us), policy.actor.clone())),
        configuration: policy.map(|policy| policy.toml).unwrap_or_default(),
        routes: routes(&visit, &deliveries),
        tokens: tokens.map(valid),
        limits: limits(&visit),
        other_flows: other_flows(&visit),
        dropped: dropped
            .into_iter()
            .map(|(reason, count)| (reason.replace('_', " "), count.unsigned_abs()))
            .collect(),
        audit: audit.map(|rows| rows.into_iter().map(|row| audit_row(&visit, row)).collect()),
        shell: visit.shell(Section::Settings).await?,
    })
}

fn routes(visit: &Visit, deliveries: &[Delivery]) -> Vec<RouteRow> {
    let row = |route: &crate::config::Route| {
        let own = || {
            deliveries
                .iter()
                .filter(|delivery| delivery.route == route.name)
        };
        let dead =
            own().filter(|delivery| delivery.sent_us.is_none() && delivery.dead_us.is_some());
        RouteRow {
            name: route.name.clone(),
            kind: route.kind.as_str().to_owned(),
            last: own()
                .filter_map(|delivery| delivery.sent_us)
                .max()
                .map(|at_us| visit.moment(at_us)),
            dead: dead
                .map(|delivery| (again(visit, &delivery.id), what(visit, delivery)))
                .collect(),
        }
    };
    visit.record.config.routes.iter().map(row).collect()
}

fn again(visit: &Visit, delivery: &Id) -> String {
    format!(
        "{}/deliveries/{delivery}/again",
        paths::project(visit.slug())
    )
}

/// The sentence that could not be told.
fn what(visit: &Visit, delivery: &Delivery) -> String {
    let finding = visit
        .findings
        .iter()
        .find(|finding| finding.id == delivery.finding);
    let evidence = finding.and_then(|finding| Evidence::read(&finding.evidence));
    evidence.map_or_else(|| "a finding".to_owned(), |evidence| evidence.sentence)
}

fn token_row(visit: &Visit, token: &StoredToken) -> TokenRow {
    let id = token.id.to_string();
    let moment = |at_us: i64| -> Moment { visit.moment(at_us) };
    TokenRow {
        scope: token.scope.to_string(),
        last_four: id.chars().skip(id.len().saturating_sub(4)).collect(),
        expires: token.expires_us.map(moment),
        used: token.last_used_us.map(moment),
    }
}

fn audit_row(
    visit: &Visit,
    (at_us, actor, action, subject, detail): (i64, String, String, String, String),
) -> AuditRow {
    let subject = [subject, detail];
    let subject: Vec<&str> = subject
        .iter()
        .map(String::as_str)
        .filter(|part| !part.is_empty())
        .collect();
    AuditRow {
        at: visit.moment(at_us),
        actor,
        action,
        subject: subject.join(" · "),
    }
}

/// Field flows that no `[[flow]]` declares.
fn undeclared(visit: &Visit) -> Vec<String> {
    let field = visit
        .record
        .series
        .values()
        .filter(|tracked| tracked.series.source == Source::Rum);
    let names = field
        .map(|tracked| tracked.flow.clone())
        .filter(|flow| !visit.record.config.declares_flow(flow));
    names
        .collect::<std::collections::BTreeSet<_>>()
        .into_iter()
        .collect()
}

fn limits(visit: &Visit) -> Vec<LimitRow> {
    let allowed = &visit.record.config.project.limits;
    vec![
        LimitRow {
            name: "Series".into(),
            used: visit.record.series.len() as u64,
            allowed: allowed.series,
        },
        LimitRow {
            name: "Undeclared field flows".into(),
            used: undeclared(visit).len() as u64,
            allowed: allowed.undeclared_rum_flows,
        },
    ]
}

fn other_flows(visit: &Visit) -> Vec<String> {
    undeclared(visit).into_iter().take(OTHERS).collect()
}

/// Puts a delivery that was given up back into the queue.
pub async fn send_again(
    State(app): State<App>,
    caller: auth::Administrator,
    Path((project, id)): Path<(String, String)>,
) -> Result<Redirect> {
    let id = Id::parse(&id).ok_or_else(Error::not_found)?;
    app.store
        .send_again(caller.project(), &id, &caller.0.actor, now_us())
        .await?;
    Ok(Redirect::to(&paths::page(&project, "settings")))
}
