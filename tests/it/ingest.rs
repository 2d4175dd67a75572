//! Results in, histograms and points out, on both engines.

use std::path::PathBuf;

use collectors::histogram::Histogram;
use longwatch::store::Scope;
use reqwest::Method;
use serde_json::{Value, json};

use crate::ground::{PROJECT, Server, each_backend, eventually};

fn fixture(path: &str) -> Vec<u8> {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("collectors/test_data")
        .join(path);
    std::fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// Our own report of some values, as JSON.
fn values(flow: &str, release: &str, run: &str, values: &[f64]) -> String {
    json!({"source": "load", "release": release, "run": run, "measurements": [
        {"flow": flow, "metric": "latency", "unit": "ms", "basis": "op", "values": values}]})
    .to_string()
}

async fn post_samples(server: &Server, body: String) -> (u16, Value) {
    let answer = server
        .api(Method::POST, "samples")
        .body(body)
        .send()
        .await
        .unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

async fn only_series(server: &Server, query: &str) -> String {
    let list = server.get(&format!("series?{query}")).await;
    assert_eq!(list["items"].as_array().unwrap().len(), 1, "{list}");
    list["items"][0]["id"].as_str().unwrap().to_owned()
}

fn near(found: &Value, wanted: f64) -> bool {
    found
        .as_f64()
        .is_some_and(|found| (found - wanted).abs() <= 0.001 * wanted.abs() + 1e-9)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_is_in_the_next_answer_folded_or_not() {
    each_backend(|server| async {
        let all: Vec<f64> = (1..=1000).map(f64::from).collect();
        let (status, answer) = post_samples(&server, values("search", "v1", "1", &all)).await;
        assert_eq!(
            (status, &answer["samples"]),
            (200, &json!(1000)),
            "{answer}"
        );
        let id = only_series(&server, "flow=search").await;
        // At once, and again after the fold has certainly run.
        for wait_ms in [0, 1_800] {
            tokio::time::sleep(std::time::Duration::from_millis(wait_ms)).await;
            let points = server
                .get(&format!("series/{id}/points?q=0.5,0.75,0.99"))
                .await;
            let points = points["points"].as_array().unwrap();
            assert_eq!(points.len(), 3);
            for (point, wanted) in points.iter().zip([500.0, 750.0, 990.0]) {
                assert!(near(&point["value"], wanted), "{point}");
                assert_eq!(point["count"], 1000);
                assert!(point["lower"].as_f64() < point["value"].as_f64());
                assert!(point["upper"].as_f64() > point["value"].as_f64());
            }
        }
        let histogram = server
            .get(&format!("series/{id}/histogram?release=v1"))
            .await;
        assert_eq!(histogram["count"], 1000);
        assert_eq!(histogram["provisional"], false);
        server
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fold_that_is_far_behind_hides_nothing_from_readers() {
    each_backend(|server| async {
        // Whoever holds the lease has died: nobody folds until it runs out.
        let now_us = longwatch::clock::now_us();
        let project = server
            .store
            .ensure_project(crate::ground::PROJECT, "test", now_us)
            .await
            .unwrap();
        let held = server.store.lease(&project, "fold", "dead", now_us).await;
        assert!(held.unwrap().is_some());
        for number in 0..1_100 {
            let value = [f64::from(number)];
            let run = number.to_string();
            let (status, answer) =
                post_samples(&server, values("search", "v1", &run, &value)).await;
            assert_eq!(status, 200, "{answer}");
        }
        let id = only_series(&server, "flow=search").await;
        let histogram = server
            .get(&format!("series/{id}/histogram?release=v1"))
            .await;
        assert_eq!(histogram["count"], 1_100);
        server
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_percentile_that_the_count_does_not_allow_is_null_with_what_it_needs() {
    each_backend(|server| async {
        let few: Vec<f64> = (1..=40).map(f64::from).collect();
        post_samples(&server, values("search", "v1", "1", &few)).await;
        let id = only_series(&server, "flow=search").await;
        let points = server.get(&format!("series/{id}/points?q=0.75,0.99")).await;
        assert!(near(&points["points"][0]["value"], 30.0), "{points}");
        assert_eq!(points["points"][1]["value"], Value::Null);
        assert_eq!(points["points"][1]["needs"]["samples"], 368);
        server
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_and_chunks_merge_into_the_release_whatever_their_order() {
    each_backend(|server| async {
        let whole: Vec<f64> = (0..600).map(|i| f64::from(i * 7 % 600 + 1)).collect();
        for (run, chunk) in whole
            .chunks(200)
            .enumerate()
            .collect::<Vec<_>>()
            .into_iter()
            .rev()
        {
            post_samples(&server, values("search", "v1", &run.to_string(), chunk)).await;
        }
        post_samples(&server, values("together", "v1", "1", &whole)).await;
        let apart = only_series(&server, "flow=search").await;
        let together = only_series(&server, "flow=together").await;
        let read = async |id: String| {
            let mut document = server
                .get(&format!("series/{id}/histogram?release=v1"))
                .await;
            document["series"] = Value::Null;
            document["provisional"] = Value::Null;
            document
        };
        assert_eq!(read(apart).await, read(together).await);
        server
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_upload_counts_once_and_a_reused_key_is_refused() {
    each_backend(|server| async {
        let file = fixture("hyperfine/three_commands_1.20.json");
        let (status, first) = server.upload("release=v1&run=7", file.clone()).await;
        assert_eq!(status, 200, "{first}");
        let (_, again) = server.upload("release=v1&run=7", file.clone()).await;
        assert_eq!(again["duplicate"], true);
        assert_eq!(again["batch"], first["batch"]);
        let id = only_series(&server, "flow=true&metric=wall_time").await;
        let histogram = server.get(&format!("series/{id}/histogram")).await;
        assert_eq!(histogram["count"], 12);
        let keyed = |body: &'static str| {
            server
                .api(Method::POST, "samples")
                .header("idempotency-key", "k1")
                .body(body)
                .send()
        };
        let one = r#"{"source":"load","release":"v1","measurements":[{"flow":"a","metric":"latency","unit":"ms","basis":"op","values":[1]}]}"#;
        let two = r#"{"source":"load","release":"v1","measurements":[{"flow":"a","metric":"latency","unit":"ms","basis":"op","values":[2]}]}"#;
        assert_eq!(keyed(one).await.unwrap().status(), 200);
        assert_eq!(keyed(one).await.unwrap().status(), 200);
        let reused = keyed(two).await.unwrap();
        assert_eq!(reused.status(), 409);
        assert_eq!(reused.json::<Value>().await.unwrap()["code"], "key_reused");
        server
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_input_says_what_where_and_what_to_do_and_stores_nothing() {
    each_backend(|server| async {
        let (status, problem) = server.upload("release=v1", "{\"results\": [").await;
        assert_eq!(status, 422);
        for field in ["code", "detail", "title", "status"] {
            assert!(!problem[field].is_null(), "{field} of {problem}");
        }
        let (status, problem) = server.upload("release=v1", "").await;
        assert_eq!(
            (status.as_u16(), &problem["code"]),
            (422, &json!("empty_file"))
        );
        let file = fixture("hyperfine/three_commands_1.20.json");
        let (status, problem) = server.upload("", file.clone()).await;
        assert_eq!(
            (status.as_u16(), &problem["code"]),
            (422, &json!("release_missing"))
        );
        let (status, _) = server
            .upload("release=v1&format=nonsense", file.clone())
            .await;
        assert_eq!(status, 422);
        let (status, problem) = server.upload("release=v1&tme=now", file).await;
        assert_eq!(status, 422, "a misspelt parameter is no label: {problem}");
        let list = server.get("series").await;
        assert_eq!(list["items"], json!([]));
        server
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forty_byte_histogram_that_asks_for_gigabytes_is_refused() {
    each_backend(|server| async {
        // V2 header: payload length 0, digits 5, highest 2^62; nothing behind it.
        let mut inner = Vec::new();
        inner.extend(0x1c84_9313_u32.to_be_bytes());
        inner.extend(0x7fff_ffff_u32.to_be_bytes());
        inner.extend(0_u32.to_be_bytes());
        inner.extend(5_u32.to_be_bytes());
        inner.extend(1_u64.to_be_bytes());
        inner.extend((1_u64 << 62).to_be_bytes());
        inner.extend(1.0_f64.to_be_bytes());
        let answer = server
            .api(Method::POST, "samples?release=v1&unit=ms&flow=a")
            .header("content-type", "application/x-hdrhistogram")
            .body(inner)
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 422);
        server
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn more_series_than_the_limit_are_refused_with_its_name() {
    each_backend(|server| async {
        let (status, answer) = server
            .apply("[project]\nname = \"shop\"\n[project.limits]\nseries = 2\n")
            .await;
        assert_eq!(status, 200, "{answer}");
        tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
        for (flow, wanted) in [("a", 200), ("b", 200), ("c", 429), ("a", 200)] {
            let run = format!("{flow}{wanted}");
            let (status, answer) = post_samples(&server, values(flow, "v1", &run, &[1.0])).await;
            assert_eq!(status, wanted, "{flow}: {answer}");
            if wanted == 429 {
                assert_eq!(answer["code"], "too_many_series");
            }
        }
        server
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_report_of_a_page_view_is_the_one_that_counts() {
    each_backend(|server| async {
        let key = server.token(Scope::Rum).await;
        let beacon = async |metric: &str, value: f64, id: &str, sequence: u64| {
            let body = json!({"v": 1, "r": "v1", "pv": "1", "s": 1, "f": "checkout", "d": "mobile", "n": "navigate",
                "m": [[metric, value, id, sequence]]});
            let answer = server
                .client
                .post(format!("{}/rum/{key}", server.url))
                .header("content-type", "text/plain;charset=UTF-8")
                .header("origin", "https://shop.example")
                .body(body.to_string())
                .send()
                .await
                .unwrap();
            assert_eq!(answer.status(), 204);
            assert_eq!(answer.headers()["access-control-allow-origin"], "*");
        };
        beacon("LCP", 1800.0, "v5-1-1", 1).await;
        beacon("LCP", 2400.0, "v5-1-1", 2).await;
        beacon("LCP", 1900.0, "v5-1-1", 1).await;
        beacon("LCP", 1000.0, "v5-2-2", 1).await;
        let id = only_series(&server, "flow=checkout&metric=lcp&label.device=mobile").await;
        for wait_ms in [0, 1_800] {
            tokio::time::sleep(std::time::Duration::from_millis(wait_ms)).await;
            let histogram = server.get(&format!("series/{id}/histogram?release=v1")).await;
            assert_eq!(histogram["count"], 2, "{histogram}");
            assert!(near(&histogram["max"], 2400.0), "{histogram}");
            assert_eq!(histogram["provisional"], true);
        }
        // Unknown keys, nonsense and implausible values vanish without a trace for the page.
        for (key, body) in [("nonsense", "{}"), (key.as_str(), "not a beacon"), (key.as_str(), "")] {
            let answer = server.client.post(format!("{}/rum/{key}", server.url)).body(body).send().await.unwrap();
            assert_eq!(answer.status(), 204);
        }
        server
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_excluded_run_counts_nowhere_until_it_is_restored() {
    each_backend(|server| async {
        post_samples(&server, values("search", "v1", "good", &[100.0; 20])).await;
        post_samples(&server, values("search", "v1", "bad", &[900.0; 20])).await;
        let id = only_series(&server, "flow=search").await;
        let count = async || {
            server
                .get(&format!("series/{id}/histogram?release=v1"))
                .await["count"]
                .as_u64()
        };
        assert_eq!(count().await, Some(40));
        eventually("both runs are folded", async || {
            let histogram = server
                .get(&format!("series/{id}/histogram?release=v1"))
                .await;
            (histogram["provisional"] == false).then_some(())
        })
        .await;
        let runs = server.get("releases/v1/runs").await;
        let bad = runs
            .as_array()
            .unwrap()
            .iter()
            .find(|run| run["name"] == "bad")
            .unwrap();
        let change = async |body: Value| {
            let path = format!("runs/{}", bad["id"].as_str().unwrap());
            eventually("the fold's lease is free", async || {
                let answer = server
                    .api(Method::PATCH, &path)
                    .json(&body)
                    .send()
                    .await
                    .unwrap();
                (answer.status() != 503).then(|| answer.status().as_u16())
            })
            .await
        };
        assert_eq!(
            change(json!({"excluded": true})).await,
            422,
            "a reason is needed"
        );
        assert_eq!(
            change(json!({"excluded": true, "reason": "noisy neighbour"})).await,
            200
        );
        assert_eq!(count().await, Some(20));
        assert_eq!(change(json!({"excluded": false})).await, 200);
        assert_eq!(count().await, Some(40));

        // What comes of an excluded run counts nowhere either, while it waits for the fold and after.
        let noisy = json!({"excluded": true, "reason": "noisy neighbour"});
        assert_eq!(change(noisy).await, 200);
        let project = server.store.project_for_administration(PROJECT).await;
        let project = project.unwrap();
        let lease = eventually("the fold is held up", async || {
            let later_us = longwatch::clock::now_us() + 60_000_000;
            let lease = server.store.lease(&project, "fold", "test", later_us);
            lease.await.unwrap()
        })
        .await;
        post_samples(&server, values("search", "v1", "bad", &[900.0; 5])).await;
        assert_eq!(count().await, Some(20), "{}", server.engine);
        server.store.give_back(&lease).await.unwrap();
        eventually("it is folded", async || {
            let waits = server.store.projects_to_fold().await.unwrap();
            waits.is_empty().then_some(())
        })
        .await;
        assert_eq!(count().await, Some(20), "{}", server.engine);
        server
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn counts_beyond_what_any_tool_records_are_refused_and_hold_up_nobody() {
    each_backend(|server| async {
        let huge = Histogram::from_pairs(vec![(100, 1 << 63)]).unwrap();
        for payload in [
            json!({"buckets": {"bounds": [10, 20], "counts": [0, 1_u64 << 63, 1]}}),
            json!({"histogram": huge.encode_base64()}),
            json!({"summary": {"count": u64::MAX, "mean": 1.0}}),
            json!({"values": [1.0], "failed": u64::MAX}),
        ] {
            let mut measurement = json!({"flow": "search", "metric": "latency", "unit": "ms"});
            let fields = measurement.as_object_mut().unwrap();
            fields.extend(payload.as_object().unwrap().clone());
            let body = json!({"source": "load", "release": "v1", "measurements": [measurement]});
            let (status, answer) = post_samples(&server, body.to_string()).await;
            assert_eq!(
                (status, &answer["code"]),
                (422, &json!("invalid_value")),
                "{payload}: {answer}"
            );
        }
        post_samples(&server, values("search", "v1", "1", &[100.0; 20])).await;
        let id = only_series(&server, "flow=search").await;
        eventually("others are folded", async || {
            let histogram = server
                .get(&format!("series/{id}/histogram?release=v1"))
                .await;
            (histogram["provisional"] == false && histogram["count"] == 20).then_some(())
        })
        .await;
        server
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn releases_are_ordered_by_parent_then_time_never_by_arrival() {
    each_backend(|server| async {
        for (name, commit, parent, time) in [
            ("v3", "c3", "c2", "2026-01-01T00:00:00Z"),
            ("v1", "c1", "c0", "2026-01-03T00:00:00Z"),
            ("v2", "c2", "c1", "2026-01-02T00:00:00Z"),
        ] {
            let body = json!({"name": name, "commit": commit, "parent": parent, "time": time});
            let answer = server
                .api(Method::POST, "releases")
                .json(&body)
                .send()
                .await
                .unwrap();
            assert_eq!(answer.status(), 201);
        }
        let list = server.get("releases").await;
        let names: Vec<&str> = list["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|r| r["name"].as_str().unwrap())
            .collect();
        assert_eq!(names, ["v3", "v2", "v1"]);
        server
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_project_and_a_missing_token_see_nothing() {
    each_backend(|server| async {
        let other = server.address("series").replace(PROJECT, "other");
        let asked = |url: String, token: Option<String>| {
            let request = server.client.get(url);
            match token {
                Some(token) => request.bearer_auth(token),
                None => request,
            }
            .send()
        };
        let status = async |url: String, token: Option<String>| {
            asked(url, token).await.unwrap().status().as_u16()
        };
        assert_eq!(status(server.address("series"), None).await, 401);
        assert_eq!(
            status(server.address("series"), Some("lw_nonsense".into())).await,
            401
        );
        assert_eq!(status(other, Some(server.admin.clone())).await, 404);
        let rum = server.token(Scope::Rum).await;
        assert_eq!(status(server.address("series"), Some(rum)).await, 403);
        let ingest = server.token(Scope::Ingest).await;
        assert_eq!(status(server.address("series"), Some(ingest)).await, 403);
        let read = server.token(Scope::Read).await;
        assert_eq!(status(server.address("series"), Some(read)).await, 200);
        server
    })
    .await;
}
