//! What people and the service do while a fault comes: each a short list of operations, and how one knows that all of it
//! was done.

use std::path::Path;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use super::Fault;
use super::shop::{Shop, Template, gone, hours_ago, made};
use crate::process::{command, token};

const RETENTION: &str = r#"
[project]
name = "shop"

[project.retention]
runs = "90d"
days = "90d"
"#;

const ALERTS: &str = r#"
[project]
name = "shop"

[[flow]]
name = "checkout"
owner = "payments"

[[owner]]
name = "payments"
routes = ["payments-hook"]

[[route]]
name = "payments-hook"
kind = "webhook"
url_env = "LONGWATCH_ROUTE_TEST"

[[budget]]
id = "checkout-latency"
flow = "checkout"
source = "telemetry"
metric = "latency"
percentile = 75
limit = "400 ms"
window = "28d"
enforcement = "track"
"#;

const GATE: &str = r#"
[project]
name = "shop"

[[flow]]
name = "checkout"
key = true

[[budget]]
id = "checkout-latency"
flow = "checkout"
source = "load"
metric = "latency"
percentile = 75
limit = "900 ms"
enforcement = "verify"

[[gate]]
name = "release"
flows = ["checkout"]
margin = "5 %"
"#;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Case {
    /// A server starts on an empty database.
    Start,
    /// Two runs of a new release are uploaded and folded.
    Upload,
    /// Measurements of days that are folded come while others are being folded.
    LateData,
    /// Browsers report page views, which close.
    PageViews,
    /// Hours, days, runs and keys grow too old.
    Upkeep,
    /// A run is deleted and sent again; a release is deleted.
    Deletion,
    /// A run is excluded, another restored.
    Exclusion,
    /// A budget is broken, and its owner told.
    Alert,
    /// A gate is asked.
    Gate,
    /// The database is backed up, and restored elsewhere.
    Backup,
}

/// So many values around a level, all different from those around another.
fn around(level: u64, count: u64) -> Vec<u64> {
    (0..count).map(|at| level + at * 7 % count).collect()
}

impl Case {
    pub(super) const ALL: [Case; 10] = [
        Case::Start,
        Case::Upload,
        Case::LateData,
        Case::PageViews,
        Case::Upkeep,
        Case::Deletion,
        Case::Exclusion,
        Case::Alert,
        Case::Gate,
        Case::Backup,
    ];

    /// Whether a fault can come here. The process that backs PostgreSQL up is not the server, which it could end.
    pub(super) fn takes(self, fault: Fault, engine: &str) -> bool {
        let dies = matches!(fault, Fault::DieBefore | Fault::DieAfter);
        !(self == Case::Backup && dies && engine == "PostgreSQL")
    }

    /// What is there before.
    pub(super) async fn template(self, engine: &'static str) -> Template {
        if self == Case::Start {
            return Template::empty(engine).await;
        }
        let project = Template::project(engine).await;
        let shop = project.open().await;
        project.remove().await;
        shop.serve().await;
        match self {
            Case::Start | Case::PageViews => {}
            Case::Upload => {
                let values = around(100, 40);
                shop.upload("load", "v1", "1", hours_ago(9), &values).await;
            }
            Case::LateData => {
                for (run, hours, level) in [("1", 2, 100), ("2", 26, 200)] {
                    let values = around(level, 40);
                    shop.upload("telemetry", "v1", run, hours_ago(hours), &values)
                        .await;
                }
            }
            Case::Upkeep => {
                apply(&shop, RETENTION).await;
                for (source, run, hours) in [
                    ("load", "1", 60 * 24),
                    ("load", "2", 59 * 24),
                    ("load", "3", 1),
                    ("telemetry", "4", 60 * 24),
                    ("telemetry", "5", 2),
                    ("telemetry", "6", 3),
                ] {
                    let values = around(100, 40);
                    shop.upload(source, "v1", run, hours_ago(hours), &values)
                        .await;
                }
            }
            Case::Alert => apply(&shop, ALERTS).await,
            Case::Deletion | Case::Exclusion | Case::Gate | Case::Backup => {
                apply(&shop, GATE).await;
                for (release, run, level) in [
                    ("v1", "1", 100),
                    ("v1", "2", 150),
                    ("v2", "3", 100),
                    ("v2", "4", 150),
                ] {
                    let values = around(level, 40);
                    shop.upload("load", release, run, hours_ago(9), &values)
                        .await;
                }
                if self == Case::Exclusion {
                    change_run(&shop, "v1", "2", Some("noise")).await;
                    shop.enter("checkout", "v1", &around(150, 40), -1);
                }
            }
        }
        shop.settles("the beginning", |_| true).await;
        shop.close().await
    }

    /// Whether the server itself may meet the fault.
    pub(super) async fn serve(self, shop: &Shop) {
        match self {
            // Its start is what is to fail.
            Case::Start => {}
            Case::Backup => drop(shop.serve_unhurt().await),
            _ => drop(shop.serve().await),
        }
    }

    /// Does it, sending again what is not settled. All of it is acknowledged in the end.
    pub(super) async fn act(self, shop: &mut Shop) {
        match self {
            Case::Start => {
                shop.serve().await;
                let home = shop.database.directory.path();
                let make = || token(home, &shop.database.url, "shop", "admin");
                shop.admin = tokio::task::block_in_place(make);
                let values = around(100, 40);
                shop.upload("load", "v1", "1", hours_ago(9), &values).await;
            }
            Case::Upload => {
                for (run, level) in [("1", 100), ("2", 150)] {
                    let values = around(level, 40);
                    shop.upload("load", "v2", run, hours_ago(1), &values).await;
                }
            }
            Case::LateData => {
                let late = async |run: &str, hours, level| {
                    let values = around(level, 40);
                    shop.upload("telemetry", "v1", run, hours_ago(hours), &values)
                        .await;
                };
                late("3", 2, 100).await;
                // The fold begins at about the same time.
                shop.advance(Duration::from_millis(150));
                tokio::join!(
                    late("4", 2, 120),
                    late("5", 26, 300),
                    late("6", 30, 100),
                    late("7", 2, 500)
                );
            }
            Case::PageViews => page_views(shop).await,
            Case::Upkeep => {
                shop.advance(Duration::from_secs(40 * 86_400));
            }
            Case::Deletion => {
                let runs = shop.get("releases/v1/runs").await;
                let id = id_of(&runs, "1");
                delete(shop, &format!("runs/{id}")).await;
                shop.enter("checkout", "v1", &around(100, 40), -1);
                let values = around(100, 40);
                shop.upload("load", "v1", "1", hours_ago(9), &values).await;
                delete(shop, "releases/v2").await;
                for level in [100, 150] {
                    shop.enter("checkout", "v2", &around(level, 40), -1);
                }
            }
            Case::Exclusion => {
                change_run(shop, "v1", "1", Some("noise")).await;
                shop.enter("checkout", "v1", &around(100, 40), -1);
                change_run(shop, "v1", "2", None).await;
                shop.enter("checkout", "v1", &around(150, 40), 1);
            }
            Case::Alert => {
                let values = around(500, 200);
                shop.upload("telemetry", "v1", "1", hours_ago(2), &values)
                    .await;
            }
            Case::Gate => {
                let path = "/api/v1/projects/shop/gates/release/verdicts";
                let question = json!({"release": "v2"}).to_string();
                let first = shop
                    .insist(Method::POST, path, None, question.clone())
                    .await;
                let again = shop.insist(Method::POST, path, None, question).await;
                assert_eq!(first, again, "the same evidence gives the same verdict");
                *shop.said.lock().unwrap() = first["verdict"].clone();
            }
            Case::Backup => back_up(shop).await,
        }
    }

    /// Whether all of it was done, where nothing failed.
    pub(super) fn is_done(self, document: &Value) -> bool {
        let rows = |of: &str| document["rows"][of].as_u64().unwrap();
        let points = |by: &str| -> u64 {
            let series = document.as_object().unwrap().values();
            series
                .filter(|one| one["source"] != "load")
                .map(|one| one[by].as_array().map_or(0, Vec::len) as u64)
                .sum()
        };
        match self {
            Case::Start => (rows("run"), rows("batch"), rows("window")) == (1, 1, 2),
            Case::Upload => (rows("run"), rows("batch"), rows("window")) == (3, 3, 5),
            Case::LateData => (rows("batch"), points("day"), points("hour")) == (7, 2, 3),
            Case::PageViews => (rows("open report"), points("day")) == (0, 1),
            Case::Upkeep => {
                let days = (points("day"), points("hour"));
                days == (1, 0) && (rows("run"), rows("idempotency")) == (1, 0)
            }
            Case::Deletion => (rows("run"), rows("batch"), rows("release")) == (2, 2, 1),
            Case::Exclusion => rows("window") == 6,
            Case::Alert => (rows("finding"), rows("delivery")) == (1, 1),
            Case::Gate => rows("verdict") == 1,
            Case::Backup => document["said"].is_string(),
        }
    }
}

async fn apply(shop: &Shop, config: &str) {
    let path = "/api/v1/projects/shop/config";
    shop.insist(Method::PUT, path, None, config.to_owned())
        .await;
}

async fn delete(shop: &Shop, what: &str) {
    let path = format!("/api/v1/projects/shop/{what}");
    shop.insist(Method::DELETE, &path, None, String::new())
        .await;
}

fn id_of(runs: &Value, name: &str) -> String {
    let runs = runs.as_array().unwrap();
    let run = runs.iter().find(|run| run["name"] == name).unwrap();
    run["id"].as_str().unwrap().to_owned()
}

async fn change_run(shop: &Shop, release: &str, name: &str, reason: Option<&str>) {
    let runs = shop.get(&format!("releases/{release}/runs")).await;
    let path = format!("/api/v1/projects/shop/runs/{}", id_of(&runs, name));
    let change = json!({"excluded": reason.is_some(), "reason": reason});
    shop.insist(Method::PATCH, &path, None, change.to_string())
        .await;
}

/// Six page views, half of which grow; each counts with its last word.
async fn page_views(shop: &Shop) {
    const VIEWS: u64 = 6;
    let report = async |view: u64, sequence: u64, value: u64| {
        let id = format!("{view:012x}");
        let body = json!({"v": 1, "r": "v1", "pv": id, "s": 1, "f": "checkout", "d": "mobile", "n": "navigate",
            "m": [["LCP", value, format!("v5-{view}"), sequence]]});
        let path = format!("/rum/{}", shop.rum);
        shop.insist(Method::POST, &path, None, body.to_string())
            .await;
    };
    for view in 0..VIEWS {
        report(view, 1, 500 + view * 10).await;
    }
    shop.advance(Duration::from_secs(12 * 60));
    for view in 0..VIEWS / 2 {
        report(view, 2, 800 + view * 10).await;
    }
    for view in 0..VIEWS {
        let last = if view < VIEWS / 2 { 800 } else { 500 };
        shop.enter("checkout", "v1", &[last + view * 10], 1);
    }
    shop.advance(Duration::from_secs(50 * 60));
}

/// Backs up until it is done. A backup that failed is not there; one that was broken off may be, but then it is whole.
async fn back_up(shop: &Shop) {
    let home = shop.database.directory.path();
    let backup = home.join("backup");
    let shown = backup.display().to_string();
    let attempt = async || {
        let mut backing_up = command(home, &["backup", &shown, "--database", &shop.url()]);
        if shop.is_sqlite() {
            backing_up.envs(shop.environment(&shown));
        }
        let output = tokio::task::spawn_blocking(move || backing_up.output().unwrap());
        output.await.unwrap()
    };
    for _ in 0..10 {
        let output = attempt().await;
        if output.status.success() {
            break;
        }
        if backup.exists() {
            std::fs::rename(&backup, home.join("broken-off")).unwrap();
            restored(shop, home, "broken-off").await;
        }
        // Killed, it could not tidy up after itself.
        if output.status.code().is_some() {
            let left: Vec<_> = std::fs::read_dir(home)
                .unwrap()
                .map(|file| file.unwrap().file_name())
                .collect();
            let is_part = |name: &std::ffi::OsString| name.to_string_lossy().starts_with("backup");
            assert!(!left.iter().any(is_part), "{output:?} left {left:?}");
        }
    }
    *shop.said.lock().unwrap() = json!(restored(shop, home, "backup").await);
}

/// Restores a backup into a database of its own; what it holds.
async fn restored(shop: &Shop, home: &Path, backup: &str) -> String {
    let into = made(shop.database.engine, None).await;
    let arguments = ["restore", backup, "--database", &into.url];
    let mut restoring = command(home, &arguments);
    let output = tokio::task::block_in_place(|| restoring.output().unwrap());
    assert!(output.status.success(), "{output:?}");
    gone(&into).await;
    let said = String::from_utf8(output.stdout).unwrap();
    said.split_once("schema version")
        .unwrap()
        .1
        .trim()
        .to_owned()
}
