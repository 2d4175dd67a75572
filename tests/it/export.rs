//! The export: what other tools read is what the API answers, at one moment, without secrets.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hdrhistogram::Histogram;
use hdrhistogram::serialization::Deserializer;
use reqwest::{Client, Method};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::ground::{Database, databases};
use crate::process::{Process, run, token, within};

const CONFIG: &str = "[project]\nname = \"shop\"\n\n[[flow]]\nname = \"checkout\"\nkey = true\n";

fn lines(directory: &Path, kind: &str) -> Vec<Value> {
    let text = fs::read_to_string(directory.join(format!("shop/{kind}.ndjson"))).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// A window's histograms as HdrHistogram's own library reads and adds them.
fn decoded(window: &Value) -> Histogram<u64> {
    let mut whole = Histogram::<u64>::new(3).unwrap();
    for part in window["histograms"].as_array().unwrap() {
        let bytes = STANDARD.decode(part["hdr"].as_str().unwrap()).unwrap();
        let one: Histogram<u64> = Deserializer::new().deserialize(&mut &bytes[..]).unwrap();
        whole.add(one).unwrap();
    }
    whole
}

fn export(home: &Path, url: &str, name: &str) -> std::path::PathBuf {
    let directory = home.join(name);
    let place = directory.to_str().unwrap();
    let output = run(
        home,
        &["export", place, "--database", url, "--project", "shop"],
    );
    assert!(output.status.success(), "{output:?}");
    directory
}

/// Sums of the windows' counts by span; of lab data those of runs and of releases must agree.
fn sums(windows: &[Value], series: &str) -> BTreeMap<String, u64> {
    let mut sums = BTreeMap::new();
    for window in windows
        .iter()
        .filter(|window| window["series_id"] == series)
    {
        let span = window["span"].as_str().unwrap().to_owned();
        *sums.entry(span).or_default() += window["count"].as_u64().unwrap();
    }
    sums
}

async fn put_run(server: &Process, client: &Client, admin: &str, run: u64) {
    let values: Vec<u64> = (0..100).map(|i| 100 + run + i * 37 % 100).collect();
    let body = json!({"source": "load", "release": format!("v{}", run % 3), "run": run.to_string(), "measurements": [
        {"flow": "checkout", "metric": "latency", "unit": "ms", "basis": "op", "values": values}]});
    let answer = server
        .api(client, admin, Method::POST, "samples")
        .json(&body)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
}

async fn exports(database: Database) {
    let (home, url, engine) = (database.directory.path(), &database.url, database.engine);
    let [admin, rum] = ["admin", "rum"].map(|scope| token(home, url, "shop", scope));
    let client = Client::new();
    let server = Arc::new(Process::serve(home, url, &[]));
    let applied = server
        .api(&client, &admin, Method::PUT, "config")
        .body(CONFIG);
    assert_eq!(applied.send().await.unwrap().status(), 200);
    let beacon = json!({"v": 1, "r": "v1", "pv": "a1", "s": 1, "f": "checkout", "d": "mobile", "n": "navigate",
        "m": [["LCP", 1834.2, "v5-1", 1]]});
    let sent = client
        .post(format!("{}/rum/{rum}", server.url))
        .body(beacon.to_string());
    assert_eq!(sent.send().await.unwrap().status(), 204);

    // While a client sends, and the fold is at work, every export is of one moment and holds what was acknowledged.
    let enough = Arc::new(AtomicBool::new(false));
    let sending = {
        let (server, client, admin) = (server.clone(), client.clone(), admin.clone());
        let enough = enough.clone();
        tokio::spawn(async move {
            let mut run = 0;
            while !enough.load(Ordering::SeqCst) {
                put_run(&server, &client, &admin, run).await;
                run += 1;
            }
            run
        })
    };
    let lab = within(Duration::from_secs(20), "a series", async || {
        let list = server.get(&client, &admin, "series?source=load").await;
        list["items"][0]["id"].as_str().map(str::to_owned)
    })
    .await;
    for number in 0..5 {
        let (place, database, name) = (home.to_owned(), url.clone(), format!("busy-{number}"));
        let made = tokio::task::spawn_blocking(move || export(&place, &database, &name))
            .await
            .unwrap();
        let sums = sums(&lines(&made, "windows"), &lab);
        assert_eq!(sums["run"], sums["release"], "{engine}: {sums:?}");
    }
    enough.store(true, Ordering::SeqCst);
    let runs = sending.await.unwrap();
    let directory = export(home, url, "out");
    let windows = lines(&directory, "windows");
    assert_eq!(sums(&windows, &lab)["release"], runs * 100, "{engine}");

    // What it holds is what the API answers, to the last bucket.
    for window in &windows {
        assert_eq!(
            json!(decoded(window).len()),
            window["count"],
            "{engine}: {window}"
        );
    }
    for window in windows.iter().filter(|window| window["span"] == "release") {
        let (series, release) = (&window["series_id"], &window["release"]);
        let path = format!(
            "series/{}/histogram?release={}",
            series.as_str().unwrap(),
            release.as_str().unwrap()
        );
        let told = server.get(&client, &admin, &path).await;
        assert_eq!(told["count"], window["count"], "{engine}: {window}");
        let nanoseconds = told["percentiles"]["p75"]["value"]
            .as_f64()
            .map(|ms| ms * 1e6);
        assert_eq!(
            nanoseconds.is_some(),
            window["p75"].is_object(),
            "{engine}: {window}"
        );
        if let Some(p75) = nanoseconds {
            let read = decoded(window).value_at_quantile(0.75) as f64;
            assert!(
                (read - p75).abs() <= 0.002 * p75,
                "{engine}: {read} for {p75}"
            );
        }
    }
    // The page view is still open.
    let field: Vec<&Value> = windows
        .iter()
        .filter(|window| window["series_id"] != json!(lab))
        .collect();
    assert_eq!(field.len(), 3, "{engine}: day, release and hour");
    assert!(field.iter().all(|window| window["provisional"] == true));
    assert_eq!(field[0]["histograms"][0]["device"], "mobile");

    let listed = server.get(&client, &admin, "releases").await;
    assert_eq!(
        lines(&directory, "releases").len(),
        listed["items"].as_array().unwrap().len()
    );
    assert_eq!(lines(&directory, "runs").len() as u64, runs);
    assert_eq!(lines(&directory, "series").len(), 2);
    assert_eq!(lines(&directory, "batches").len() as u64, runs);
    assert_eq!(
        fs::read_to_string(directory.join("shop/longwatch.toml")).unwrap(),
        CONFIG
    );
    let manifest: Value =
        serde_json::from_str(&fs::read_to_string(directory.join("shop/manifest.json")).unwrap())
            .unwrap();
    assert_eq!(manifest["rows"]["windows"], windows.len());
    let actions: Vec<Value> = lines(&directory, "audit")
        .iter()
        .map(|row| row["action"].clone())
        .collect();
    assert!(actions.contains(&json!("config.apply")), "{actions:?}");
    let time = lines(&directory, "releases")[0]["time"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(time.parse::<jiff::Timestamp>().is_ok(), "{time}");
    holds_no_secret(&directory, &[&admin, &rum]);

    let again = run(
        home,
        &["export", directory.to_str().unwrap(), "--database", url],
    );
    assert_eq!(again.status.code(), Some(2), "{again:?}");
    let unknown = run(
        home,
        &["export", "none", "--database", url, "--project", "nobody"],
    );
    assert_eq!(unknown.status.code(), Some(2), "{unknown:?}");
}

/// No file holds a token's secret, nor the digest that the database keeps of it.
fn holds_no_secret(directory: &Path, tokens: &[&String]) {
    let secrets: Vec<String> = tokens
        .iter()
        .flat_map(|token| {
            let body = token.rsplit_once('_').unwrap().0;
            let secret = body.splitn(4, '_').nth(3).unwrap().to_owned();
            let digest = Sha256::digest(URL_SAFE_NO_PAD.decode(&secret).unwrap());
            let digest = digest.iter().map(|byte| format!("{byte:02x}")).collect();
            [secret, digest]
        })
        .collect();
    for entry in fs::read_dir(directory.join("shop")).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        for secret in &secrets {
            assert!(!text.contains(secret), "{}", path.display());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_beside_a_busy_server_is_of_one_moment_and_holds_what_the_api_answers() {
    for database in databases().await {
        exports(database).await;
    }
}
