//! Two releases and two variants, percentile by percentile, through the API on both engines.

use longwatch::http::Settings;
use longwatch::stats::seeded::Seeded;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::ground::{Server, databases, eventually};

async fn push(server: &Server, release: &str, variant: &str, median_ms: f64, workload: &str) {
    let mut random = Seeded::new(release.len() as u64 + variant.len() as u64);
    let values: Vec<f64> = (0..3_000)
        .map(|_| median_ms * (0.2 * random.normal()).exp())
        .collect();
    let body = json!({"source": "load", "release": release, "run": format!("{release}-{variant}"), "workload": workload,
        "measurements": [{"flow": "search", "metric": "latency", "unit": "ms", "basis": "op", "values": values,
            "labels": {"variant": variant, "region": "eu"}}]});
    let sent = server.api(Method::POST, "samples").json(&body).send();
    assert_eq!(sent.await.unwrap().status(), StatusCode::OK);
}

async fn compared(server: &Server, query: &str) -> Value {
    server.get(&format!("compare?flow=search&{query}")).await
}

fn change(comparison: &Value, statistic: &str) -> (f64, f64, f64) {
    let rows = comparison["percentiles"].as_array().unwrap();
    let row = rows.iter().find(|row| row["statistic"] == statistic);
    let change = &row.unwrap_or_else(|| panic!("{comparison:#}"))["change_pct"];
    let end = |name: &str| change[name].as_f64().unwrap();
    (end("lower"), end("value"), end("upper"))
}

#[tokio::test]
async fn releases_and_variants_are_compared_percentile_by_percentile() {
    for database in databases().await {
        let settings = Settings {
            public_read: true,
            ..Settings::default()
        };
        let engine = database.engine;
        let server = Server::start(database, settings).await;
        for (release, old, new) in [("v1", 100.0, 112.0), ("v2", 120.0, 134.4)] {
            push(&server, release, "old", old, "w1").await;
            push(&server, release, "renewed", new, "w1").await;
        }
        // A variant without its counterpart is left out of what both have in common.
        push(&server, "v3", "old", 500.0, "w2").await;
        eventually("all is folded", async || {
            let answer = compared(&server, "base=v1&head=v3").await;
            let all = answer.as_array()?.len() == 1;
            all.then_some(())
        })
        .await;

        let releases = compared(&server, "base=v1&head=v2").await;
        let releases = releases.as_array().unwrap();
        assert_eq!(releases.len(), 2, "{engine}: {releases:#?}");
        for one in releases {
            assert_eq!(
                (&one["base"]["name"], &one["head"]["name"]),
                (&json!("v1"), &json!("v2"))
            );
            assert_eq!(one["base"]["samples"], 3_000);
            for statistic in ["p50", "p75", "p90", "p95", "p99"] {
                let (lower, value, upper) = change(one, statistic);
                assert!(
                    lower < 20.0 && 20.0 < upper && (value - 20.0).abs() < 6.0,
                    "{one:#}"
                );
            }
        }

        let variants = compared(&server, "label.variant=old..renewed&label.region=eu").await;
        let [one] = &variants.as_array().unwrap()[..] else {
            panic!("{engine}: {variants:#}")
        };
        assert_eq!(one["labels"], json!({"region": "eu"}));
        assert_eq!(
            (&one["base"]["samples"], &one["head"]["samples"]),
            (&json!(6_000), &json!(6_000))
        );
        let (lower, value, upper) = change(one, "p50");
        assert!(
            lower < 12.0 && 12.0 < upper && (value - 12.0).abs() < 4.0,
            "{one:#}"
        );

        // Another workload is another way of measuring: values are shown, and no difference.
        let across = compared(&server, "base=v1&head=v3").await;
        let one = &across[0];
        let reason = one["not_comparable"].as_str().unwrap();
        assert!(reason.contains("workload"), "{one:#}");
        assert!(
            one["percentiles"][0]["head"].is_object()
                && one["percentiles"][0]["change_pct"].is_null()
        );
    }
}

#[tokio::test]
async fn a_question_that_names_no_two_sides_is_told_what_to_give() {
    let database = databases().await.remove(0);
    let server = Server::start(database, Settings::default()).await;
    push(&server, "v1", "old", 100.0, "w1").await;
    for (query, hint) in [
        ("flow=search", "give base and head"),
        ("flow=search&base=v1", "give base and head"),
        (
            "flow=search&base=v1&head=v1&label.variant=a..b",
            "give base and head",
        ),
        ("flow=search&base=v1&head=v9", "lists them"),
        ("base=v1&head=v1", "which flow"),
    ] {
        let answer = server.api(Method::GET, &format!("compare?{query}")).send();
        let answer = answer.await.unwrap();
        assert_eq!(answer.status(), StatusCode::UNPROCESSABLE_ENTITY, "{query}");
        let problem: Value = answer.json().await.unwrap();
        let told = problem["hint"].as_str().unwrap();
        assert!(told.contains(hint), "{query}: {problem:#}");
    }
    let absent = server
        .api(Method::GET, "compare?flow=none&base=v1&head=v1")
        .send();
    assert_eq!(absent.await.unwrap().status(), StatusCode::NOT_FOUND);
}
