//! A flow's state as a picture, on both engines.

use longwatch::http::Settings;
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::ground::{Server, databases, eventually};

fn budget(limit: &str) -> String {
    format!(
        "[[budget]]\nid = \"search-latency\"\nflow = \"search\"\nsource = \"load\"\nmetric = \"latency\"\npercentile = 75\n\
         limit = \"{limit}\"\nwindow = \"release\"\nenforcement = \"track\"\n"
    )
}

async fn push(server: &Server, flow: &str) {
    let values: Vec<f64> = (0..2_000).map(|i| 100.0 + f64::from(i % 50)).collect();
    for run in 0..4 {
        let body = json!({"source": "load", "release": "v1", "run": format!("{flow}-{run}"), "measurements": [
            {"flow": flow, "metric": "latency", "unit": "ms", "basis": "op", "values": values}]});
        let sent = server.api(Method::POST, "samples").json(&body).send();
        assert_eq!(sent.await.unwrap().status(), StatusCode::OK);
    }
}

async fn apply(server: &Server, toml: String) {
    let sent = server.api(Method::PUT, "config").body(toml).send();
    assert!(sent.await.unwrap().status().is_success());
}

#[tokio::test]
async fn a_badge_says_how_a_flow_stands_to_whoever_may_read() {
    for database in databases().await {
        let engine = database.engine;
        let settings = Settings {
            public_read: true,
            ..Settings::default()
        };
        let server = Server::start(database, settings).await;
        push(&server, "search").await;
        push(&server, "<b>login</b>").await;
        let badge = async |flow: &str| {
            let url = format!("{}/badge/shop/{flow}.svg", server.url);
            let answer = reqwest::get(url).await.unwrap();
            let (status, headers) = (answer.status(), answer.headers().clone());
            (status, headers, answer.text().await.unwrap())
        };
        for (limit, words) in [("300 ms", "within budget"), ("90 ms", "over budget")] {
            apply(&server, budget(limit)).await;
            let shown = eventually("the budget is judged", async || {
                let (status, headers, picture) = badge("search").await;
                assert_eq!(status, StatusCode::OK, "{engine}: {picture}");
                assert_eq!(headers["content-type"], "image/svg+xml");
                picture.contains(words).then_some(picture)
            });
            assert!(shown.await.starts_with("<svg "));
        }
        let (_, _, other) = badge("%3Cb%3Elogin%3C%2Fb%3E").await;
        assert!(
            other.contains("no budget") && !other.contains("<b>"),
            "{other}"
        );
        assert_eq!(badge("none").await.0, StatusCode::NOT_FOUND);
        let url = format!("{}/badge/shop/search.png", server.url);
        assert_eq!(
            reqwest::get(url).await.unwrap().status(),
            StatusCode::NOT_FOUND
        );
    }
}

#[tokio::test]
async fn a_badge_is_shown_to_nobody_who_may_not_read() {
    let database = databases().await.remove(0);
    let server = Server::start(database, Settings::default()).await;
    push(&server, "search").await;
    let url = format!("{}/badge/shop/search.svg", server.url);
    let answer = reqwest::get(url).await.unwrap();
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
}
