//! Two at once, many times over: whatever comes first, the outcome is one that some order of the two explains. Each pair
//! goes through two instances over one database.

mod deleting;
mod people;
mod tokens;

use std::time::Duration;

use longwatch::http::Settings;
use longwatch::stats::seeded::Seeded;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::deletion::second;
use crate::ground::{Server, databases};
use crate::seeds::{below, each_seed};

/// Two instances, and what happens next.
struct Two {
    one: Server,
    other: Server,
    random: Seeded,
    engine: &'static str,
}

impl Two {
    /// A pause that leaves open which of two comes first.
    fn jitter(&mut self) -> Duration {
        Duration::from_micros(below(&mut self.random, 4_000) as u64)
    }
}

/// Runs a test on two instances over each engine.
async fn each_engine(seeds: &[u64], test: impl AsyncFn(&mut Two)) {
    each_seed(seeds, async |seed| {
        for database in databases().await {
            let other = second(&database).await;
            let one = Server::start(database, Settings::default()).await;
            let mut two = Two {
                engine: one.engine,
                one,
                other,
                random: Seeded::new(seed),
            };
            test(&mut two).await;
            two.other.stop().await;
            two.one.stop().await;
        }
    })
    .await;
}

/// A report of one run, as JSON.
fn report(flow: &str, release: &str, run: &str, values: usize) -> String {
    json!({"source": "load", "release": release, "run": run, "measurements": [
        {"flow": flow, "metric": "latency", "unit": "ms", "values": vec![5.0; values]}]})
    .to_string()
}

/// Sends something after a while; status and answer. What could not be done at once is sent again, as clients do.
async fn ask(
    server: &Server,
    pause: Duration,
    method: Method,
    path: &str,
    body: String,
) -> (StatusCode, Value) {
    tokio::time::sleep(pause).await;
    loop {
        let request = server.api(method.clone(), path).body(body.clone());
        let request = request.header("content-type", "application/json");
        let answer = request.send().await.unwrap();
        let status = answer.status();
        if status != StatusCode::SERVICE_UNAVAILABLE {
            let text = answer.text().await.unwrap();
            return (status, serde_json::from_str(&text).unwrap_or_default());
        }
    }
}

/// How many samples a flow's series has in a release; none where either is not there.
async fn count(server: &Server, flow: &str, release: &str) -> u64 {
    let list = server.get(&format!("series?flow={flow}")).await;
    let items = list["items"].as_array().unwrap();
    assert!(items.len() <= 1, "{}: {list}", server.engine);
    let Some(id) = items.first().and_then(|row| row["id"].as_str()) else {
        return 0;
    };
    let path = format!("series/{id}/histogram?release={release}");
    let (status, histogram) = ask(server, Duration::ZERO, Method::GET, &path, String::new()).await;
    match status {
        StatusCode::NOT_FOUND => 0,
        status => {
            assert_eq!(status, StatusCode::OK, "{histogram}");
            histogram["count"].as_u64().unwrap()
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_series_release_and_run_that_two_make_at_once_are_made_once_with_all_that_both_sent() {
    each_engine(&[1], async |two| {
        for round in 0..25 {
            let (flow, release) = (format!("flow-{round}"), format!("v{round}"));
            let runs = [
                "same",
                *crate::seeds::pick(&mut two.random, &["same", "other"]),
            ];
            let pauses = [two.jitter(), two.jitter()];
            let (a, b) = tokio::join!(
                ask(
                    &two.one,
                    pauses[0],
                    Method::POST,
                    "samples",
                    report(&flow, &release, runs[0], 3)
                ),
                ask(
                    &two.other,
                    pauses[1],
                    Method::POST,
                    "samples",
                    report(&flow, &release, runs[1], 4)
                ),
            );
            assert_eq!((a.0, b.0), (StatusCode::OK, StatusCode::OK), "{a:?} {b:?}");
            for server in [&two.one, &two.other] {
                assert_eq!(count(server, &flow, &release).await, 7, "{}", two.engine);
            }
            let listed = two.one.get(&format!("releases/{release}/runs")).await;
            let names = if runs[0] == runs[1] { 1 } else { 2 };
            assert_eq!(listed.as_array().unwrap().len(), names, "{listed}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_an_upload_that_two_send_at_once_one_is_the_repetition() {
    each_engine(&[2], async |two| {
        for round in 0..25 {
            let body = report("search", &format!("v{round}"), "1", 3);
            let pauses = [two.jitter(), two.jitter()];
            let (a, b) = tokio::join!(
                ask(&two.one, pauses[0], Method::POST, "samples", body.clone()),
                ask(&two.other, pauses[1], Method::POST, "samples", body.clone()),
            );
            assert_eq!((a.0, b.0), (StatusCode::OK, StatusCode::OK), "{a:?} {b:?}");
            let duplicates = [&a.1["duplicate"], &b.1["duplicate"]];
            assert!(
                duplicates[0] != duplicates[1],
                "{}: {duplicates:?}",
                two.engine
            );
            assert_eq!(
                a.1["batch"], b.1["batch"],
                "the repetition is told of the first"
            );
            assert_eq!(count(&two.one, "search", &format!("v{round}")).await, 3);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_configurations_applied_at_once_both_are_versions_and_the_later_one_is_in_force() {
    let toml = |limit: usize| {
        format!(
            "[project]\nname = \"shop\"\n\n[project.limits]\nseries = {}\n\n[[flow]]\nname = \"checkout\"\n\n\
             [[gate]]\nname = \"release\"\nflows = [\"checkout\"]\nmargin = \"2 %\"\n",
            1_000 + limit
        )
    };
    each_engine(&[3], async |two| {
        for round in 0..15 {
            let texts = [toml(2 * round), toml(2 * round + 1)];
            let pauses = [two.jitter(), two.jitter()];
            let (a, b) = tokio::join!(
                ask(&two.one, pauses[0], Method::PUT, "config", texts[0].clone()),
                ask(
                    &two.other,
                    pauses[1],
                    Method::PUT,
                    "config",
                    texts[1].clone()
                ),
            );
            assert_eq!((a.0, b.0), (StatusCode::OK, StatusCode::OK), "{a:?} {b:?}");
            let mut versions =
                [&a, &b].map(|answer| answer.1["version"].as_u64().unwrap() as usize);
            let last = usize::from(versions[1] > versions[0]);
            versions.sort_unstable();
            assert_eq!(versions, [2 * round + 1, 2 * round + 2], "{}", two.engine);
            let shown = two.other.api(Method::GET, "config").send().await.unwrap();
            assert_eq!(shown.text().await.unwrap(), texts[last], "{}", two.engine);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_that_ask_a_gate_at_once_get_the_same_verdict() {
    each_engine(&[4], async |two| {
        let toml = "[project]\nname = \"shop\"\n\n[[flow]]\nname = \"checkout\"\n\n[[budget]]\nid = \"latency\"\n\
             flow = \"checkout\"\nsource = \"load\"\nmetric = \"latency\"\npercentile = 75\nlimit = \"9 ms\"\n\
             enforcement = \"verify\"\n\n[[gate]]\nname = \"release\"\nflows = [\"checkout\"]\nmargin = \"2 %\"\n";
        assert_eq!(two.one.apply(toml).await.0, StatusCode::OK);
        for round in 0..10 {
            let release = format!("v{round}");
            let sent = report("checkout", &release, "1", 30);
            ask(&two.one, Duration::ZERO, Method::POST, "samples", sent).await;
            let question = json!({"release": release}).to_string();
            let pauses = [two.jitter(), two.jitter()];
            let path = "gates/release/verdicts";
            let (a, b) = tokio::join!(
                ask(&two.one, pauses[0], Method::POST, path, question.clone()),
                ask(&two.other, pauses[1], Method::POST, path, question.clone()),
            );
            assert_eq!((a.0, b.0), (StatusCode::OK, StatusCode::OK), "{a:?} {b:?}");
            assert_eq!(a.1, b.1, "{}", two.engine);
        }
    })
    .await;
}
