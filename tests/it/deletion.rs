//! What is deleted is gone, stays gone and can be sent again; what is not deleted does not notice.

pub(crate) mod alerts;
mod kills;
mod project;
mod races;
pub(crate) mod rows;

use longwatch::http::Settings;
use longwatch::store::Scope;
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};

use crate::ground::{Database, Server, databases, each_backend, eventually};

/// A report of one run, as JSON.
fn values(flow: &str, release: &str, run: &str, values: &[f64]) -> String {
    json!({"source": "load", "release": release, "run": run, "measurements": [
        {"flow": flow, "metric": "latency", "unit": "ms", "basis": "op", "values": values}]})
    .to_string()
}

/// Sends a report and has it acknowledged; the answer.
async fn send(server: &Server, body: String) -> Value {
    let answer = server.api(Method::POST, "samples").body(body).send().await;
    let answer = answer.unwrap();
    assert_eq!(answer.status(), StatusCode::OK, "{}", server.engine);
    answer.json().await.unwrap()
}

async fn delete(server: &Server, path: &str) -> Response {
    server.api(Method::DELETE, path).send().await.unwrap()
}

/// Deletes something small: it is over when the answer comes.
async fn deleted(server: &Server, path: &str) {
    let answer = delete(server, path).await;
    assert_eq!(
        answer.status(),
        StatusCode::NO_CONTENT,
        "{}: {path}",
        server.engine
    );
}

/// The one series of a flow, if it is there.
async fn series_of(server: &Server, flow: &str) -> Option<String> {
    let list = server.get(&format!("series?flow={flow}")).await;
    let items = list["items"].as_array().unwrap();
    assert!(items.len() <= 1, "{list}");
    items
        .first()
        .map(|row| row["id"].as_str().unwrap().to_owned())
}

/// How many samples a flow's one series has in a release; none where either is gone.
async fn count(server: &Server, flow: &str, release: &str) -> u64 {
    let Some(id) = series_of(server, flow).await else {
        return 0;
    };
    let path = format!("series/{id}/histogram?release={release}");
    let answer = server.api(Method::GET, &path).send().await.unwrap();
    if answer.status() == StatusCode::NOT_FOUND {
        return 0;
    }
    let histogram: Value = answer.json().await.unwrap();
    histogram["count"].as_u64().unwrap()
}

async fn folded(server: &Server, flow: &str, release: &str) {
    eventually("everything is folded", async || {
        let id = series_of(server, flow).await?;
        let path = format!("series/{id}/histogram?release={release}");
        (server.get(&path).await["provisional"] == false).then_some(())
    })
    .await;
}

async fn run_named(server: &Server, release: &str, name: &str) -> Option<String> {
    let runs = server.get(&format!("releases/{release}/runs")).await;
    let runs = runs.as_array().unwrap();
    let run = runs.iter().find(|run| run["name"] == name)?;
    Some(run["id"].as_str().unwrap().to_owned())
}

pub(crate) async fn beacon(server: &Server, key: &str, release: &str, view: &str) {
    let body = json!({"v": 1, "r": release, "pv": view, "s": 1, "f": "checkout", "d": "mobile", "n": "navigate",
        "m": [["LCP", 1800.0, format!("v5-{view}"), 1]]});
    let answer = server
        .client
        .post(format!("{}/rum/{key}", server.url))
        .body(body.to_string())
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), StatusCode::NO_CONTENT);
}

async fn audited(server: &Server, action: &str) -> usize {
    let project = server.store.project_for_administration("shop").await;
    let trail = server.store.audit_trail(&project.unwrap(), 100).await;
    let rows = trail.unwrap();
    rows.iter().filter(|row| row.2 == action).count()
}

/// A second service over the same database.
pub(crate) async fn second(database: &Database) -> Server {
    let again = Database {
        url: database.url.clone(),
        engine: database.engine,
        directory: tempfile::TempDir::new().unwrap(),
    };
    Server::start(again, Settings::default()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_run_counts_nowhere_and_can_be_sent_again() {
    each_backend(|server| async {
        let bad = values("search", "v1", "bad", &[900.0; 20]);
        send(&server, values("search", "v1", "good", &[100.0; 20])).await;
        send(&server, bad.clone()).await;
        send(&server, values("search", "v2", "bad", &[900.0; 7])).await;
        for wait_for_fold in [false, true] {
            if wait_for_fold {
                folded(&server, "search", "v1").await;
            }
            assert_eq!(count(&server, "search", "v1").await, 40);
            let run = run_named(&server, "v1", "bad").await.unwrap();
            deleted(&server, &format!("runs/{run}")).await;
            assert_eq!(run_named(&server, "v1", "bad").await, None);
            assert_eq!(count(&server, "search", "v1").await, 20);
            assert_eq!(
                count(&server, "search", "v2").await,
                7,
                "of the same name, another run"
            );
            let again = delete(&server, &format!("runs/{run}")).await;
            assert_eq!(again.status(), StatusCode::NOT_FOUND);
            assert_eq!(send(&server, bad.clone()).await["duplicate"], false);
            assert_eq!(send(&server, bad.clone()).await["duplicate"], true);
            assert_eq!(count(&server, "search", "v1").await, 40);
        }
        assert_eq!(audited(&server, "run.delete").await, 2);
        server
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_goes_with_its_run_or_is_refused_with_what_to_do() {
    each_backend(|server| async {
        let whole = send(&server, values("search", "v1", "whole", &[1.0; 5])).await;
        let part = send(&server, values("search", "v1", "parts", &[1.0; 6])).await;
        send(&server, values("search", "v1", "parts", &[2.0; 7])).await;
        let field = json!({"source": "telemetry", "release": "v1", "measurements": [
            {"flow": "api", "metric": "latency", "unit": "ms", "basis": "op", "values": [3.0]}]});
        let field = send(&server, field.to_string()).await;
        let path = |batch: &Value| format!("batches/{}", batch["batch"].as_str().unwrap());

        let parts = run_named(&server, "v1", "parts").await.unwrap();
        for (batch, hint) in [(&part, parts.as_str()), (&field, "delete the release")] {
            let refused = delete(&server, &path(batch)).await;
            assert_eq!(refused.status(), StatusCode::CONFLICT);
            let problem: Value = refused.json().await.unwrap();
            assert_eq!(problem["code"], "merged");
            assert!(
                problem["hint"].as_str().unwrap().contains(hint),
                "{problem}"
            );
        }
        assert_eq!(count(&server, "search", "v1").await, 18);

        deleted(&server, &path(&whole)).await;
        assert_eq!(count(&server, "search", "v1").await, 13);
        assert_eq!(count(&server, "api", "v1").await, 1);
        assert_eq!(
            delete(&server, &path(&whole)).await.status(),
            StatusCode::NOT_FOUND
        );
        assert_eq!(audited(&server, "batch.delete").await, 1);
        let sent = send(&server, values("search", "v1", "whole", &[1.0; 5])).await;
        assert_eq!(sent["duplicate"], false);
        server
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_release_takes_its_runs_and_field_data_and_comes_anew_with_new_ones() {
    for database in databases().await {
        let other = second(&database).await;
        let server = Server::start(database, Settings::default()).await;
        let key = server.token(Scope::Rum).await;
        let field = |release: &str| {
            json!({"source": "telemetry", "release": release, "measurements": [
                {"flow": "api", "metric": "latency", "unit": "ms", "basis": "op", "values": [3.0, 4.0]}]})
            .to_string()
        };
        for release in ["v1", "v2"] {
            send(&server, values("search", release, "1", &[5.0; 9])).await;
            send(&server, values("search", release, "2", &[5.0; 9])).await;
            send(&server, field(release)).await;
            beacon(&other, &key, release, release).await;
        }
        folded(&server, "search", "v2").await;
        folded(&server, "api", "v2").await;
        deleted(&server, "releases/v1").await;
        let again = delete(&server, "releases/v1").await;
        assert_eq!(again.status(), StatusCode::NOT_FOUND);
        for (flow, kept) in [("search", 18), ("api", 2), ("checkout", 1)] {
            assert_eq!(count(&server, flow, "v1").await, 0, "{flow}");
            assert_eq!(count(&server, flow, "v2").await, kept, "{flow}");
        }
        let api = series_of(&server, "api").await.unwrap();
        let days = server
            .get(&format!("series/{api}/points?by=day&q=0.5"))
            .await;
        assert_eq!(days["points"][0]["count"], 2, "{days}");
        let names = async || {
            let list = server.get("releases").await;
            let rows = list["items"].as_array().unwrap();
            rows.iter()
                .map(|row| row["name"].as_str().unwrap().to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(names().await, ["v2"]);
        assert_eq!(audited(&server, "release.delete").await, 1);

        // The other instance has told of v1 once and tells no more; its beacons bring it back all the same.
        beacon(&other, &key, "v1", "2").await;
        eventually("the release is there again", async || {
            names().await.contains(&"v1".to_owned()).then_some(())
        })
        .await;
        assert_eq!(count(&server, "checkout", "v1").await, 1);
        assert_eq!(send(&server, field("v1")).await["duplicate"], false);
        assert_eq!(count(&server, "api", "v1").await, 2);
        other.stop().await;
        server.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_series_comes_anew_with_new_data_through_any_instance() {
    for database in databases().await {
        let other = second(&database).await;
        let server = Server::start(database, Settings::default()).await;
        let key = server.token(Scope::Rum).await;
        beacon(&other, &key, "v1", "1").await;
        send(&other, values("search", "v1", "1", &[5.0; 9])).await;
        folded(&server, "search", "v1").await;
        for round in 0..3 {
            for flow in ["checkout", "search"] {
                let id = series_of(&server, flow).await.unwrap();
                deleted(&server, &format!("series/{id}")).await;
                assert_eq!(series_of(&server, flow).await, None);
                let points = server.api(Method::GET, &format!("series/{id}/points"));
                assert_eq!(points.send().await.unwrap().status(), StatusCode::NOT_FOUND);
            }
            // This instance has seen both series stored and sends no description again.
            beacon(&other, &key, "v1", &format!("again-{round}")).await;
            let run = format!("again-{round}");
            send(&other, values("search", "v1", &run, &[6.0; 4])).await;
            eventually("both are there again", async || {
                let seen = [
                    count(&server, "checkout", "v1").await,
                    count(&server, "search", "v1").await,
                ];
                assert!(seen[0] <= 1 && seen[1] <= 4, "{seen:?}");
                (seen == [1, 4]).then_some(())
            })
            .await;
        }
        assert_eq!(audited(&server, "series.delete").await, 6);
        other.stop().await;
        server.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_excluded_run_restored_gives_the_same_points_to_the_byte() {
    each_backend(|server| async {
        for run in 0..6 {
            let spread: Vec<f64> = (0..150)
                .map(|i| 80.0 + f64::from((i * 37 + run * 11) % 90) / 3.0)
                .collect();
            for flow in ["search", "cart"] {
                let run = run.to_string();
                send(&server, values(flow, "v1", &run, &spread)).await;
            }
        }
        folded(&server, "search", "v1").await;
        folded(&server, "cart", "v1").await;
        let mut paths = Vec::new();
        for flow in ["search", "cart"] {
            let id = series_of(&server, flow).await.unwrap();
            paths.push(format!("series/{id}/points?q=0.5,0.75,0.99"));
            paths.push(format!("series/{id}/histogram?release=v1"));
        }
        let texts = async || {
            let mut texts = Vec::new();
            for path in &paths {
                let answer = server.api(Method::GET, path).send().await.unwrap();
                texts.push(answer.text().await.unwrap());
            }
            texts
        };
        let before = texts().await;
        let run = run_named(&server, "v1", "3").await.unwrap();
        for change in [
            json!({"excluded": true, "reason": "noisy neighbour"}),
            json!({"excluded": false}),
        ] {
            eventually("the fold's lease is free", async || {
                let request = server.api(Method::PATCH, &format!("runs/{run}"));
                let status = request.json(&change).send().await.unwrap().status();
                (status != StatusCode::SERVICE_UNAVAILABLE).then(|| assert_eq!(status, 200))
            })
            .await;
            assert_eq!(texts().await == before, change["excluded"] == false);
        }
        server
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_finding_whose_evidence_was_deleted_is_withdrawn_at_once() {
    each_backend(|server| async {
        // A step in each of two flows, on machines of their own.
        for flow in ["search", "cart"] {
            for (release, level) in [("1", 100.0), ("2", 150.0)] {
                for run in 0..12 {
                    let body = json!({"source": "load", "release": format!("{flow}-{release}"), "testbed": flow,
                        "time": format!("2026-01-0{release}T{:02}:00:00Z", 2 * run), "run": run.to_string(),
                        "measurements": [{"flow": flow, "metric": "latency", "unit": "ms", "basis": "op",
                            "values": (0..40).map(|i| level + f64::from((i * 7 + run * 3) % 11) / 10.0).collect::<Vec<_>>()}]});
                    send(&server, body.to_string()).await;
                }
            }
        }
        let states = async || {
            let list = server.get("findings").await;
            let rows = list["items"].as_array().unwrap();
            let state = |flow| {
                let row = rows.iter().find(|row| row["flow"] == flow && row["kind"] == "step")?;
                Some(row["state"].as_str().unwrap().to_owned())
            };
            [state("search"), state("cart")]
        };
        let once = async |what: &str, wanted: [&str; 2]| {
            eventually(what, async || {
                (states().await == wanted.map(|state| Some(state.to_owned()))).then_some(())
            })
            .await;
        };
        once("both steps are found", ["open", "open"]).await;
        deleted(&server, "releases/search-2").await;
        once("the deleted step is withdrawn", ["resolved", "open"]).await;
        for release in ["cart-1", "cart-2"] {
            deleted(&server, &format!("releases/{release}")).await;
        }
        once("a finding about nothing is withdrawn", ["resolved", "resolved"]).await;
        server
    })
    .await;
}
