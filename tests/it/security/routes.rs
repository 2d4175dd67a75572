//! Every route that the OpenAPI document names, with every kind of token: whoever may not, cannot; a route that this
//! table does not know fails the test.

use std::collections::BTreeMap;

use longwatch::clock::now_us;
use longwatch::http::Settings;
use longwatch::store::Scope::{self, Admin, Ci, Ingest, Read, Rum};
use reqwest::Method;

use super::{server, sqlite};
use crate::ground::Server;

const READERS: &[Scope] = &[Read, Ci, Admin];
const INGESTERS: &[Scope] = &[Ingest, Ci, Admin];
const GATE_ASKERS: &[Scope] = &[Ci, Admin];
const ADMINISTRATORS: &[Scope] = &[Admin];

/// Who may what, by method and path below the project.
const RIGHTS: &[(&str, &str, &[Scope])] = &[
    ("post", "results", INGESTERS),
    ("post", "samples", INGESTERS),
    ("post", "releases", INGESTERS),
    ("get", "releases", READERS),
    ("get", "releases/{release}/runs", READERS),
    ("patch", "runs/{id}", ADMINISTRATORS),
    ("get", "series", READERS),
    ("get", "series/{id}/points", READERS),
    ("get", "series/{id}/points.csv", READERS),
    ("get", "series/{id}/histogram", READERS),
    ("get", "compare", READERS),
    ("post", "gates/{gate}/verdicts", GATE_ASKERS),
    ("get", "gates/{gate}/verdicts", READERS),
    ("get", "gates/{gate}/verdicts/{id}", READERS),
    ("get", "findings", READERS),
    ("get", "findings/{id}", READERS),
    ("patch", "findings/{id}", ADMINISTRATORS),
    ("post", "deliveries/{id}/again", ADMINISTRATORS),
    ("get", "flows/{flow}/ledger", READERS),
    ("get", "flows/{flow}/ledger.csv", READERS),
    ("get", "flows/{flow}/headroom", READERS),
    ("get", "flows/{flow}/blindspots", READERS),
    ("put", "config", ADMINISTRATORS),
    ("get", "config", READERS),
    ("post", "epochs", ADMINISTRATORS),
    ("delete", "batches/{id}", ADMINISTRATORS),
    ("delete", "runs/{id}", ADMINISTRATORS),
    ("delete", "releases/{release}", ADMINISTRATORS),
    ("delete", "series/{id}", ADMINISTRATORS),
    ("get", "deletions/{id}", ADMINISTRATORS),
    ("delete", "", ADMINISTRATORS),
];

/// Routes that belong to no project's API, each with why it needs no token.
const OPEN: &[(&str, &str)] = &[
    ("/healthz", "says only that the process lives"),
    ("/readyz", "says only that the database answers"),
    ("/metrics", "names no project"),
    ("/rum/{key}", "takes beacons and tells nothing"),
];

const PROJECT: &str = "/api/v1/projects/{project}";

struct Route {
    method: Method,
    path: String,
    allowed: &'static [Scope],
}

/// All routes of the document below a project.
async fn routes(server: &Server) -> Vec<Route> {
    let url = format!("{}/api/openapi.json", server.url);
    let document: serde_json::Value = server
        .client
        .get(url)
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    let rights: BTreeMap<(&str, &str), &'static [Scope]> = RIGHTS
        .iter()
        .map(|(method, path, allowed)| ((*method, *path), *allowed))
        .collect();
    let mut routes = Vec::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        let below = path.strip_prefix(PROJECT);
        let Some(below) = below.map(|below| below.trim_start_matches('/')) else {
            assert!(
                OPEN.iter().any(|(open, _)| open == path),
                "{path} is not in the table"
            );
            continue;
        };
        for method in operations.as_object().unwrap().keys() {
            let allowed = rights.get(&(method.as_str(), below));
            let allowed = allowed.unwrap_or_else(|| panic!("{method} {below} is not in the table"));
            routes.push(Route {
                method: method.to_uppercase().parse().unwrap(),
                path: below
                    .replace("{id}", "0123456789abcdef0123456789abcdef")
                    .replace("{release}", "v1")
                    .replace("{gate}", "release")
                    .replace("{flow}", "checkout"),
                allowed,
            });
        }
    }
    // Whoever may delete the project leaves nothing for the others to try.
    routes.sort_by_key(|route| route.path.is_empty());
    assert_eq!(
        routes.len(),
        RIGHTS.len(),
        "the table names routes that are no more"
    );
    routes
}

async fn status(server: &Server, route: &Route, token: Option<&str>) -> u16 {
    let request = server
        .client
        .request(route.method.clone(), server.address(&route.path))
        .body("{}");
    let request = request.header("content-type", "application/json");
    let request = match token {
        Some(token) => request.bearer_auth(token),
        None => request,
    };
    request.send().await.unwrap().status().as_u16()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_lets_in_whom_it_should_and_nobody_else() {
    let server = server().await;
    let other = server
        .store
        .ensure_project("other", "test", now_us())
        .await
        .unwrap();
    let of_other = server
        .store
        .create_token(&other, Admin, "", None, "test", now_us())
        .await
        .unwrap()
        .text;
    let mut tokens = Vec::new();
    for scope in [Rum, Ingest, Ci, Read, Admin] {
        tokens.push((scope, server.token(scope).await));
    }
    for route in routes(&server).await {
        let name = format!("{} {}", route.method, route.path);
        assert_eq!(
            status(&server, &route, None).await,
            401,
            "{name} without a token"
        );
        assert_eq!(
            status(&server, &route, Some(&of_other)).await,
            404,
            "{name} with another project's token"
        );
        for (scope, token) in &tokens {
            let status = status(&server, &route, Some(token)).await;
            if route.allowed.contains(scope) {
                assert!(
                    ![401, 403, 500].contains(&status),
                    "{name} with {scope}: {status}"
                );
            } else {
                assert_eq!(status, 403, "{name} with {scope}");
            }
        }
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_longer_holds_or_never_did_opens_nothing() {
    let server = server().await;
    let project = server
        .store
        .project_for_administration("shop")
        .await
        .unwrap();
    let long_ago_us = now_us() - 1;
    let expired = server
        .store
        .create_token(&project, Admin, "", Some(long_ago_us), "test", now_us())
        .await
        .unwrap();
    let revoked = server
        .store
        .create_token(&project, Admin, "", None, "test", now_us())
        .await
        .unwrap();
    server
        .store
        .revoke_token(&project, &revoked.id, "test", now_us())
        .await
        .unwrap();
    // The same id with another's secret.
    let (own, foreign) = (server.token(Read).await, server.token(Admin).await);
    let parts = |token: &str| token.splitn(4, '_').map(str::to_owned).collect::<Vec<_>>();
    let crossed = format!("lw_read_{}_{}", parts(&own)[2], parts(&foreign)[3]);
    for route in routes(&server).await {
        for token in [
            expired.text.as_str(),
            &revoked.text,
            &crossed,
            "",
            "lw_admin_x_y_z",
        ] {
            assert_eq!(
                status(&server, &route, Some(token)).await,
                401,
                "{} {token}",
                route.path
            );
        }
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_public_service_shows_everything_and_changes_nothing() {
    let settings = Settings {
        public_read: true,
        ..Settings::default()
    };
    let server = Server::start(sqlite().await, settings).await;
    for route in routes(&server).await {
        let status = status(&server, &route, None).await;
        if route.allowed.contains(&Read) {
            assert!(![401, 403].contains(&status), "{}: {status}", route.path);
        } else {
            assert_eq!(status, 403, "{} {}", route.method, route.path);
        }
    }
    let absent = server.address("series").replace("/shop/", "/absent/");
    assert_eq!(
        server.client.get(absent).send().await.unwrap().status(),
        404
    );
    server.stop().await;
}
