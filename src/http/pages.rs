//! The pages: one file, one struct and one template each. A page's struct holds decided values; its methods put them
//! into words, and its template puts the words into place. Handlers stand beside them as `show`.

pub mod actions;
pub mod budgets;
pub mod compare;
pub mod enrol;
pub mod error;
mod evidence;
pub mod facts;
pub mod finding;
pub mod findings;
pub mod flow;
pub mod flows;
pub mod gate;
pub mod gates;
mod history;
pub mod layout;
pub mod login;
pub mod months;
pub mod overview;
pub mod projects;
pub mod release;
pub mod settings;
mod tracked;
pub mod visit;

use axum::Router;
use axum::routing::{get, post};
use tower_http::csrf::CsrfLayer;

use super::{App, assets, paths};

/// All pages with their assets. Forms of other sites are refused.
pub fn router() -> Router<App> {
    Router::new()
        .route(paths::PROJECTS, get(projects::show::show))
        .route("/{project}", get(overview::show::show))
        .route("/{project}/flows", get(flows::show::show))
        .route("/{project}/flows/{flow}", get(flow::show::show))
        .route("/{project}/releases/{release}", get(release::show::show))
        .route("/{project}/findings", get(findings::show::show))
        .route("/{project}/findings/{id}", get(finding::show::show))
        .route("/{project}/gates", get(gates::show::show))
        .route("/{project}/gates/{gate}", get(gate::show::newest))
        .route(
            "/{project}/gates/{gate}/verdicts/{id}",
            get(gate::show::show),
        )
        .route("/{project}/months", get(months::show::show))
        .route("/{project}/budgets", get(budgets::show::show))
        .route("/{project}/compare", get(compare::show::show))
        .route("/{project}/settings", get(settings::show::show))
        .route(
            "/{project}/deliveries/{id}/again",
            post(settings::show::send_again),
        )
        .layer(CsrfLayer::new())
        .route("/assets/{name}", get(assets::serve))
}
