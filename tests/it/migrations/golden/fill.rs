//! Makes a golden database: something in every table, some of it folded, some still open, some only journaled.

use std::path::Path;

use longwatch::clock::now_us;
use longwatch::http::Settings;
use longwatch::store::{Scope, Store};
use reqwest::Method;
use serde_json::{Value, json};

use super::{Still, answers, rows};
use crate::ground::{Database, PROJECT, Server, eventually};

/// A golden folder stays small, so that each version can have one, bytes.
const BYTES_MAX: usize = 100_000;
/// Longer than a page view stays open, microseconds.
pub(super) const LONG_US: i64 = 60 * 60 * 1_000_000;

const CONFIG: &str = r#"
[project]
name = "shop"

[[flow]]
name = "checkout"
key = true
owner = "payments"

[[owner]]
name = "payments"
routes = ["payments-hook"]

[[route]]
name = "payments-hook"
kind = "webhook"
url_env = "LONGWATCH_ROUTE_NOWHERE"

[[budget]]
id = "checkout-latency"
flow = "checkout"
source = "load"
metric = "latency"
percentile = 75
limit = "100 ms"
window = "release"
enforcement = "verify"

[[gate]]
name = "release"
flows = ["checkout"]
margin = "2 %"
fresh = "24h"
"#;

async fn post(server: &Server, method: Method, path: &str, body: &Value) -> Value {
    let answer = server.api(method, path).json(body).send().await.unwrap();
    let status = answer.status();
    let text = answer.text().await.unwrap();
    assert!(status.is_success(), "{path}: {text}");
    serde_json::from_str(&text).unwrap()
}

async fn beacon(server: &Server, key: &str, view: u32, sequence: u32) {
    let body = json!({"v": 1, "r": "v2", "pv": format!("{view:04x}"), "s": 1, "f": "checkout", "d": "mobile",
        "n": "navigate", "m": [["LCP", 1_000 + 10 * view + sequence, format!("v5-{view}"), sequence]]});
    let sent = server
        .client
        .post(format!("{}/rum/{key}", server.url))
        .body(body.to_string());
    assert_eq!(sent.send().await.unwrap().status(), 204);
}

fn run(release: usize, run: usize, flow: &str) -> Value {
    let level = if release == 2 { 150 } else { 80 };
    let values: Vec<usize> = (0..40).map(|i| level + (i * 37 + run * 11) % 30).collect();
    json!({"source": "load", "release": format!("v{release}"), "run": format!("{release}-{run}"),
        "time": format!("2026-01-{:02}T10:0{run}:00Z", 5 + release), "measurements": [
        {"flow": flow, "metric": "latency", "unit": "ms", "basis": "op", "values": values}]})
}

async fn everything(server: &Server, key: &str) {
    let applied = server.apply(CONFIG).await;
    assert!(applied.0.is_success(), "{applied:?}");
    for release in 0..3 {
        let time = format!("2026-01-{:02}T09:00:00Z", 5 + release);
        let declared = json!({"name": format!("v{release}"), "commit": format!("{release:040x}"), "time": time});
        post(server, Method::POST, "releases", &declared).await;
        for number in 0..4 {
            post(
                server,
                Method::POST,
                "samples",
                &run(release, number, "checkout"),
            )
            .await;
        }
        let time = format!("2026-01-{:02}T12:00:00Z", 5 + release);
        let values: Vec<usize> = (0..30).map(|i| 1_500 + i * 37 % 400).collect();
        let field = json!({"source": "rum", "release": format!("v{release}"), "time": time, "measurements": [
            {"flow": "/cart", "metric": "lcp", "unit": "ms", "basis": "op", "values": values}]});
        post(server, Method::POST, "samples", &field).await;
        let told = json!({"source": "bench", "release": format!("v{release}"), "run": release.to_string(),
            "time": time, "measurements": [{"flow": "startup", "metric": "wall_time", "unit": "s",
            "summary": {"count": 20, "mean": 1.2, "stddev": 0.1}}]});
        post(server, Method::POST, "samples", &told).await;
    }
    let epoch = json!({"flow": "startup", "kind": "harness", "reason": "a new harness", "at": "2026-01-06T00:00:00Z"});
    post(server, Method::POST, "epochs", &epoch).await;
    // A breach with its delivery, which fails for want of an address.
    let finding = eventually("a finding", async || {
        server.get("findings").await["items"][0]["id"]
            .as_str()
            .map(str::to_owned)
    })
    .await;
    let action = json!({"action": "acknowledge"});
    post(
        server,
        Method::PATCH,
        &format!("findings/{finding}"),
        &action,
    )
    .await;
    post(
        server,
        Method::POST,
        "gates/release/verdicts",
        &json!({"release": "v1"}),
    )
    .await;
    let runs = server.get("releases/v0/runs").await;
    let excluded = runs[0]["id"].as_str().unwrap();
    let change = json!({"excluded": true, "reason": "a noisy neighbour"});
    eventually("an excluded run", async || {
        // The fold may hold the lease for a moment.
        let asked = server
            .api(Method::PATCH, &format!("runs/{excluded}"))
            .json(&change);
        asked
            .send()
            .await
            .unwrap()
            .status()
            .is_success()
            .then_some(())
    })
    .await;
    for view in 0..10 {
        beacon(server, key, view, 1).await;
    }
    let unreadable = server
        .client
        .post(format!("{}/rum/{key}", server.url))
        .body("no beacon");
    assert_eq!(unreadable.send().await.unwrap().status(), 204);
}

/// Folds until nothing waits, as if it were later; nobody else folds meanwhile.
pub(super) async fn fold(store: &Store, lease: &longwatch::store::Lease, at_us: i64) {
    while store.fold(lease, at_us).await.unwrap().more {}
}

/// Fills a fresh database, and writes its rows and what it answers.
pub(super) async fn make(database: Database, version: i64, golden: &Path) {
    assert!(
        !golden.exists(),
        "{} is there already: it is what that version wrote",
        golden.display()
    );
    let url = database.url.clone();
    let server = Server::start(database, Settings::default()).await;
    let key = server.token(Scope::Rum).await;
    everything(&server, &key).await;
    let store = server.store.clone();
    people(&store).await;
    let project = store.project_for_administration(PROJECT).await.unwrap();
    let lease = eventually("the fold's lease", async || {
        store
            .lease(&project, "fold", "golden", now_us())
            .await
            .unwrap()
    })
    .await;
    post(&server, Method::POST, "samples", &run(2, 8, "mistake")).await;
    // Page views that have closed, then some that are open, then some of which only the journal knows.
    fold(&store, &lease, now_us() + LONG_US).await;
    for view in 10..20 {
        beacon(&server, &key, view, 1).await;
    }
    fold(&store, &lease, now_us()).await;
    for view in 15..25 {
        beacon(&server, &key, view, 2).await;
    }
    post(&server, Method::POST, "samples", &run(2, 9, "checkout")).await;
    // A series that was taken out, and lies there still: its windows, and what the journal has of it.
    post(&server, Method::POST, "samples", &run(2, 9, "mistake")).await;
    let series = server.get("series?flow=mistake").await;
    let series = series["items"][0]["id"].as_str().unwrap();
    let taken_out = server.api(Method::DELETE, &format!("series/{series}"));
    assert!(taken_out.send().await.unwrap().status().is_success());
    let directory = tempfile::TempDir::new().unwrap();
    let file = directory.path().join("copy.db");
    longwatch::store::back_up(&url, &file, false).await.unwrap();
    server.stop().await;
    let copy = Database {
        url: format!("sqlite:{}", file.display()),
        engine: "SQLite",
        directory,
    };
    let still = Still::over(&copy).await;
    still.store.give_back(&lease).await.unwrap();
    let rows = rows::dump(&copy).await;
    let told = format!("{}\n", Value::Object(answers(&still).await));
    still.close().await;
    assert!(
        rows.len() + told.len() <= BYTES_MAX,
        "{} and {} bytes",
        rows.len(),
        told.len()
    );
    std::fs::create_dir_all(golden).unwrap();
    std::fs::write(golden.join("rows.ndjson"), rows).unwrap();
    std::fs::write(golden.join("answers.json"), told).unwrap();
    println!("version {version}: {}", golden.display());
}

/// Somebody who is signed in, and a link that nobody used.
async fn people(store: &Store) {
    let now_us = now_us();
    store.first_enrolment(now_us).await.unwrap();
    store.save_account("ada", "no hash", now_us).await.unwrap();
    let ada = store.account("ada").await.unwrap().unwrap();
    store.begin_session(&ada, now_us).await.unwrap();
}
