//! Backups made beside a running server, and restored on another machine.

mod refusals;

use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use reqwest::{Client, Method};
use serde_json::{Value, json};

use crate::ground::{Database, databases, of_engine};
use crate::process::{Process, run, token, within};

const CONFIG: &str = r#"
[project]
name = "shop"

[[flow]]
name = "checkout"
key = true
owner = "payments"

[[owner]]
name = "payments"
routes = []

[[budget]]
id = "checkout-latency"
flow = "checkout"
source = "load"
metric = "latency"
percentile = 75
limit = "100 ms"
enforcement = "track"
"#;
/// Values of each run.
const VALUES: u64 = 60;

/// A served database with what is needed to ask and fill it.
struct Machine {
    database: Database,
    client: Client,
    admin: String,
}

impl Machine {
    fn new(database: Database) -> Machine {
        Machine {
            admin: token(database.directory.path(), &database.url, "shop", "admin"),
            client: Client::new(),
            database,
        }
    }

    fn home(&self) -> &Path {
        self.database.directory.path()
    }

    fn serve(&self) -> Process {
        Process::serve(self.home(), &self.database.url, &[])
    }

    async fn load(&self, server: &Process, flow: &str, run: u64) {
        put_run(server, &self.client, &self.admin, flow, run).await;
    }
}

async fn put_run(server: &Process, client: &Client, admin: &str, flow: &str, run: u64) {
    let values: Vec<u64> = (0..VALUES).map(|i| 200 + (run * 7 + i * 37) % 60).collect();
    let body = json!({"source": "load", "release": format!("v{}", run % 4), "run": run.to_string(), "measurements": [
        {"flow": flow, "metric": "latency", "unit": "ms", "basis": "op", "values": values}]});
    let answer = server
        .api(client, admin, Method::POST, "samples")
        .json(&body)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200, "{}", answer.text().await.unwrap());
}

fn back_up(home: &Path, file: &Path, database: &str) -> Output {
    let file = file.to_str().unwrap();
    run(home, &["backup", file, "--database", database])
}

/// Restores into a fresh database of the same engine.
async fn restored(engine: &str, file: &Path) -> Database {
    let database = of_engine(engine).await;
    let arguments = [
        "restore",
        file.to_str().unwrap(),
        "--database",
        &database.url,
    ];
    let output = run(database.directory.path(), &arguments);
    assert!(output.status.success(), "{engine}: {output:?}");
    database
}

/// What people ask: series with their points and histograms, releases, findings.
async fn answers(server: &Process, client: &Client, admin: &str) -> Vec<Value> {
    let mut all = Vec::new();
    let series = server.get(client, admin, "series").await;
    for one in series["items"].as_array().unwrap() {
        let id = one["id"].as_str().unwrap();
        for what in ["points?by=release", "points?by=day", "histogram"] {
            all.push(
                server
                    .get(client, admin, &format!("series/{id}/{what}"))
                    .await,
            );
        }
    }
    for what in ["releases", "findings"] {
        all.push(server.get(client, admin, what).await);
    }
    all.push(series);
    all
}

async fn count(server: &Process, client: &Client, admin: &str, flow: &str) -> u64 {
    let series = server
        .get(client, admin, &format!("series?flow={flow}"))
        .await;
    let id = series["items"][0]["id"].as_str().unwrap();
    let histogram = server
        .get(client, admin, &format!("series/{id}/histogram"))
        .await;
    histogram["count"].as_u64().unwrap()
}

/// Backs a database up while one client goes on sending.
async fn under_load(machine: &Machine, server: &Arc<Process>, file: PathBuf) {
    let acknowledged = Arc::new(AtomicU64::new(0));
    let enough = Arc::new(AtomicBool::new(false));
    let sending = {
        let (client, admin) = (machine.client.clone(), machine.admin.clone());
        let (server, acknowledged, enough) = (server.clone(), acknowledged.clone(), enough.clone());
        tokio::spawn(async move {
            while !enough.load(Ordering::SeqCst) {
                let run = acknowledged.load(Ordering::SeqCst);
                put_run(&server, &client, &admin, "search", run).await;
                acknowledged.fetch_add(1, Ordering::SeqCst);
            }
        })
    };
    let so_far = || acknowledged.load(Ordering::SeqCst);
    within(Duration::from_secs(20), "some runs", async || {
        (so_far() > 20).then_some(())
    })
    .await;
    let before = so_far();
    let (home, url) = (machine.home().to_owned(), machine.database.url.clone());
    let place = file.clone();
    let made = tokio::task::spawn_blocking(move || back_up(&home, &place, &url))
        .await
        .unwrap();
    let after = so_far();
    enough.store(true, Ordering::SeqCst);
    sending.await.unwrap();
    let engine = machine.database.engine;
    assert!(made.status.success(), "{engine}: {made:?}");
    let copy = restored(engine, &file).await;
    let other = Process::serve(copy.directory.path(), &copy.url, &[]);
    let held = count(&other, &machine.client, &machine.admin, "search").await;
    println!(
        "{engine}: {before} runs before, {after} after, {} in the backup",
        held / VALUES
    );
    // The client waits for each answer: one more may have been committed.
    assert!(
        (before * VALUES..=(after + 1) * VALUES).contains(&held),
        "{engine}: {held} values of {before} to {after} runs"
    );
}

async fn answers_the_same_elsewhere(database: Database) {
    let machine = Machine::new(database);
    let (engine, client, admin) = (
        machine.database.engine,
        machine.client.clone(),
        machine.admin.clone(),
    );
    let rum = token(machine.home(), &machine.database.url, "shop", "rum");
    let server = Arc::new(machine.serve());
    let applied = server
        .api(&client, &admin, Method::PUT, "config")
        .body(CONFIG)
        .send()
        .await
        .unwrap();
    assert_eq!(applied.status(), 200);
    under_load(&machine, &server, machine.home().join("first.backup")).await;
    for run in 0..12 {
        machine.load(&server, "checkout", run).await;
    }
    let beacon = json!({"v": 1, "r": "v3", "pv": "a1", "s": 1, "f": "checkout", "d": "mobile", "n": "navigate",
        "m": [["LCP", 1834.2, "v5-1", 1]]});
    let sent = client
        .post(format!("{}/rum/{rum}", server.url))
        .body(beacon.to_string());
    assert_eq!(sent.send().await.unwrap().status(), 204);
    // At rest: everything but the open page view is folded, and what is over its budget is found.
    within(Duration::from_secs(20), "rest", async || {
        let all = answers(&server, &client, &admin).await;
        let found = server.get(&client, &admin, "findings?kind=breach").await;
        let open = all
            .iter()
            .filter(|answer| answer["provisional"] == true)
            .count();
        (open == 1 && !found["items"].as_array().unwrap().is_empty()).then_some(())
    })
    .await;
    let told = answers(&server, &client, &admin).await;
    let file = machine.home().join("second.backup");
    let made = back_up(machine.home(), &file, &machine.database.url);
    assert!(made.status.success(), "{engine}: {made:?}");
    let said = String::from_utf8(made.stdout).unwrap();
    assert!(said.contains("projects: 1, series: 3,"), "{engine}: {said}");
    drop(server);
    let copy = restored(engine, &file).await;
    let other = Process::serve(copy.directory.path(), &copy.url, &[]);
    // The tokens are in it too.
    assert_eq!(answers(&other, &client, &admin).await, told, "{engine}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_made_under_load_answers_the_same_on_another_machine() {
    for database in databases().await {
        answers_the_same_elsewhere(database).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replaced_database_keeps_nothing_of_the_old_one() {
    for engine in ["SQLite", "PostgreSQL"] {
        let [kept, gone] = [of_engine(engine).await, of_engine(engine).await].map(Machine::new);
        let server = kept.serve();
        kept.load(&server, "kept", 1).await;
        let file = kept.home().join("kept.backup");
        assert!(
            back_up(kept.home(), &file, &kept.database.url)
                .status
                .success()
        );
        // Killed, so that SQLite leaves its log with commits behind.
        let server = gone.serve();
        for run in 0..10 {
            gone.load(&server, "gone", run).await;
        }
        server.kill();
        let log = gone.home().join("test.db-wal");
        if engine == "SQLite" {
            assert!(std::fs::metadata(&log).unwrap().len() > 0);
        }
        let url = &gone.database.url;
        let arguments = [
            "restore",
            file.to_str().unwrap(),
            "--database",
            url,
            "--replace",
        ];
        // PostgreSQL notices a killed client a moment later.
        within(Duration::from_secs(20), "the restore", async || {
            let output = run(gone.home(), &arguments);
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(output.status.success() || said.contains("in use"), "{said}");
            output.status.success().then_some(())
        })
        .await;
        assert!(!log.exists());
        let server = gone.serve();
        let list = server.get(&kept.client, &kept.admin, "series").await;
        let flows: Vec<&Value> = list["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|series| &series["flow"])
            .collect();
        assert_eq!(flows, ["kept"], "{engine}");
    }
}
