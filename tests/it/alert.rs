//! From the sample that completes a proof to the alert at its owner, with the real server, which may die in between.

pub(crate) mod receiver;
mod stopped;

use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use reqwest::{Client, Method};
use serde_json::{Value, json};

use crate::cli_stub::nobody;
use crate::ground::{Database, of_engine};
use crate::process::{Process, token, within};
use receiver::{Alert, KEY, Reaction, Receiver};

/// What a delivered alert may take from the acknowledgement of the sample that completed its proof.
const ALERTED_WITHIN: Duration = Duration::from_secs(10);
const URL: &str = "LONGWATCH_ROUTE_TEST";
const SECRET: &str = "LONGWATCH_ROUTE_TEST_SECRET";
/// Releases with an even level, and runs of each.
const RELEASES: u32 = 10;
const RUNS: u32 = 4;
/// Slow runs after which a step of this size must have been told.
const ENOUGH_RUNS: u32 = 12;

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
url_env = "LONGWATCH_ROUTE_TEST"
secret_env = "LONGWATCH_ROUTE_TEST_SECRET"

[[budget]]
id = "checkout-latency"
flow = "checkout"
source = "load"
metric = "latency"
percentile = 75
limit = "400 ms"
enforcement = "track"
"#;

/// A shop whose checkout is watched.
struct Shop {
    database: Database,
    admin: String,
    client: Client,
    secret: String,
    route: String,
}

impl Shop {
    fn new(database: Database, route: &str) -> Shop {
        let admin = token(database.directory.path(), &database.url, "shop", "admin");
        Shop {
            admin,
            client: Client::new(),
            secret: format!("whsec_{}", STANDARD.encode(KEY)),
            route: format!("http://{route}/alerts"),
            database,
        }
    }

    fn serve(&self) -> Process {
        let environment = [(URL, self.route.as_str()), (SECRET, self.secret.as_str())];
        let home = self.database.directory.path();
        Process::serve_with(
            home,
            &self.database.url,
            &["--allow-private-routes"],
            &environment,
        )
    }

    /// Applies the configuration and brings in the even releases.
    async fn begin(&self, server: &Process) {
        let applied = server
            .api(&self.client, &self.admin, Method::PUT, "config")
            .body(CONFIG)
            .send()
            .await
            .unwrap();
        assert_eq!(applied.status(), 200, "{}", applied.text().await.unwrap());
        for release in 0..RELEASES {
            for run in 0..RUNS {
                self.run(server, release, run, 1.0).await;
            }
        }
    }

    /// One run of the load test, acknowledged when this returns.
    async fn run(&self, server: &Process, release: u32, run: u32, factor: f64) -> Instant {
        let hours_ago = i64::from(RELEASES - release.min(RELEASES)) * 8;
        let time = Timestamp::now() - SignedDuration::from_hours(hours_ago);
        // Each run has its own level within a per cent, and its requests spread around it.
        let level = 200.0 * factor * (1.0 + 0.01 * f64::from(release * 7 + run * 13).sin());
        let values: Vec<f64> = (0..60)
            .map(|i| level * (1.0 + 0.1 * f64::from(i * 37 % 60) / 60.0))
            .collect();
        let body = json!({"source": "load", "release": format!("v{release}"), "run": format!("{release}-{run}"),
            "time": time.to_string(), "measurements": [
            {"flow": "checkout", "metric": "latency", "unit": "ms", "basis": "op", "values": values}]});
        let answer = server
            .api(&self.client, &self.admin, Method::POST, "samples")
            .json(&body)
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 200);
        Instant::now()
    }

    /// Sends runs of a release that is half as slow again, one a second, until `seen` sees what it waits for. Answers
    /// when the first of them was acknowledged: whichever of them completed the proof, it was not before that.
    async fn prove<T>(
        &self,
        server: &Process,
        mut seen: impl AsyncFnMut() -> Option<T>,
    ) -> (Instant, T) {
        let mut first = None;
        for run in 0..ENOUGH_RUNS {
            let acknowledged = self.run(server, RELEASES + run / RUNS, run, 1.5).await;
            while acknowledged.elapsed() < Duration::from_secs(1) {
                if let Some(found) = seen().await {
                    return (first.unwrap_or(acknowledged), found);
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            first.get_or_insert(acknowledged);
        }
        panic!("{}: {ENOUGH_RUNS} runs prove nothing", self.database.engine);
    }

    /// The step's finding, once it is there.
    async fn step(&self, server: &Process) -> Option<Value> {
        let list = server
            .get(&self.client, &self.admin, "findings?kind=step")
            .await;
        list["items"].as_array().unwrap().first().cloned()
    }
}

/// A receiver that fails at first gets the alert in time: signed, both times under one id.
async fn is_told_in_time(engine: &str) {
    let receiver = Receiver::at("127.0.0.1:0", &[Reaction::Fails, Reaction::Takes]).await;
    let shop = Shop::new(of_engine(engine).await, &receiver.address.to_string());
    let server = shop.serve();
    shop.begin(&server).await;
    let (acknowledged, alerts) = shop
        .prove(&server, async || {
            Some(receiver.alerts()).filter(|alerts| alerts.len() >= 2)
        })
        .await;
    let took = alerts[1].at - acknowledged;
    println!("{engine}: delivered at the second attempt, {took:?} after the first slow run");
    assert!(took <= ALERTED_WITHIN, "{engine}: {took:?}");
    assert_eq!(alerts[0].id, alerts[1].id, "{engine}");
    assert_eq!(alerts[0].body, alerts[1].body, "{engine}");
    assert!(alerts.iter().all(Alert::is_signed), "{engine}: {alerts:?}");

    let step = shop.step(&server).await.unwrap();
    let id = step["id"].as_str().unwrap();
    let told: Value = serde_json::from_slice(&alerts[1].body).unwrap();
    assert_eq!(told["type"], "finding.opened");
    let text = told.to_string();
    for part in [
        "checkout",
        "payments",
        "v10",
        "slower",
        &format!("{}/shop/findings/{id}", server.url),
    ] {
        assert!(text.contains(part), "{engine}: no {part} in {text}");
    }
    assert_eq!(
        (&step["owner"], &step["state"]),
        (&json!("payments"), &json!("open"))
    );
    let delivery = within(ALERTED_WITHIN, "the delivery is settled", async || {
        let finding = server
            .get(&shop.client, &shop.admin, &format!("findings/{id}"))
            .await;
        let delivery = finding["deliveries"][0].clone();
        delivery["sent"].is_string().then_some(delivery)
    })
    .await;
    assert_eq!(
        (&delivery["attempts"], &delivery["id"]),
        (&json!(2), &json!(alerts[0].id))
    );
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(
        receiver.alerts().len(),
        2,
        "{engine}: what was taken is not sent again"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_is_told_within_ten_seconds_on_sqlite() {
    is_told_in_time("SQLite").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_is_told_within_ten_seconds_on_postgresql() {
    is_told_in_time("PostgreSQL").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alert_whose_receiver_was_away_outlives_the_server() {
    for engine in ["SQLite", "PostgreSQL"] {
        let absent = nobody();
        let shop = Shop::new(of_engine(engine).await, &absent);
        let server = shop.serve();
        shop.begin(&server).await;
        let (_, step) = shop.prove(&server, async || shop.step(&server).await).await;
        server.kill();
        let receiver = Receiver::at(&absent, &[Reaction::Takes]).await;
        let server = shop.serve();
        let alert = within(
            // Killed in the middle of an attempt, its claim lasts a minute.
            Duration::from_secs(75),
            "the alert comes after all",
            async || receiver.alerts().first().cloned(),
        )
        .await;
        assert!(alert.is_signed(), "{engine}");
        let path = format!("findings/{}", step["id"].as_str().unwrap());
        let finding = server.get(&shop.client, &shop.admin, &path).await;
        assert_eq!(
            finding["deliveries"][0]["id"],
            alert.id.as_str(),
            "{engine}"
        );
        assert_eq!(
            finding["deliveries"].as_array().unwrap().len(),
            1,
            "{engine}: {finding:#}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alert_under_way_when_the_server_dies_is_sent_again_under_its_id() {
    let receiver = Receiver::at("127.0.0.1:0", &[Reaction::Hangs, Reaction::Takes]).await;
    let shop = Shop::new(of_engine("SQLite").await, &receiver.address.to_string());
    let server = shop.serve();
    shop.begin(&server).await;
    shop.prove(&server, async || receiver.alerts().first().cloned())
        .await;
    server.kill();
    let _server = shop.serve();
    let again = within(Duration::from_secs(10), "the second attempt", async || {
        receiver.alerts().get(1).cloned()
    })
    .await;
    assert_eq!(again.id, receiver.alerts()[0].id);
    assert!(again.is_signed());
}
