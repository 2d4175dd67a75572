//! Databases of every earlier version, with data as that version wrote it, come up to date and answer as before.
//!
//! `tests/it/golden/NNNN/` holds the rows of all tables at version NNNN, which are the same on both engines, and what the
//! API answered. A folder is made once, while its version is the newest, and never made again:
//!
//! ```sh
//! LONGWATCH_GOLDEN=make tests/run golden      # before the next migration is written
//! ```

mod fill;
mod rows;

use std::path::PathBuf;
use std::sync::Arc;

use longwatch::clock::now_us;
use longwatch::http::{App, Settings, router};
use longwatch::store::{Store, back_up, restore};
use longwatch::writer::Writer;
use serde_json::{Map, Value};
use tokio::net::TcpListener;

use super::{all_migrations, migrations};
use crate::ground::{Database, PROJECT, databases, of_engine};

fn golden(version: i64) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/it/golden/{version:04}"))
}

/// Handlers over a store without fold, detector and notifier: what it answers is what lies there.
struct Still {
    url: String,
    store: Store,
    serving: tokio::task::JoinHandle<()>,
}

impl Still {
    async fn over(database: &Database) -> Still {
        let store = Store::open(&database.url).await.unwrap();
        let (writer, _) = Writer::start(store.clone(), || {});
        let settings = Settings {
            public_read: true,
            ..Settings::default()
        };
        let app = App::new(store.clone(), writer, Arc::default(), settings);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let service = router(app).into_make_service();
        let serving = tokio::spawn(async move { axum::serve(listener, service).await.unwrap() });
        Still {
            url,
            store,
            serving,
        }
    }

    async fn get(&self, path: &str) -> Value {
        let url = format!("{}/api/v1/projects/{PROJECT}/{path}", self.url);
        let answer = reqwest::get(url).await.unwrap();
        let (status, text) = (answer.status(), answer.text().await.unwrap());
        assert_eq!(status, 200, "{path}: {text}");
        // The configuration is TOML.
        serde_json::from_str(&text).unwrap_or(Value::String(text))
    }

    async fn close(self) {
        self.serving.abort();
        self.store.close().await;
    }
}

/// Everything that is asked of a golden database, by its path.
async fn answers(still: &Still) -> Map<String, Value> {
    let mut paths: Vec<String> = [
        "series",
        "releases",
        "findings",
        "gates/release/verdicts",
        "config",
    ]
    .map(str::to_owned)
    .to_vec();
    let releases = still.get("releases").await;
    for release in releases["items"].as_array().unwrap() {
        paths.push(format!(
            "releases/{}/runs",
            release["name"].as_str().unwrap()
        ));
    }
    for series in still.get("series").await["items"].as_array().unwrap() {
        let id = series["id"].as_str().unwrap();
        paths.push(format!("series/{id}/points?by=release&q=0.75"));
        paths.push(format!("series/{id}/points?by=day&q=0.75"));
        paths.push(format!("series/{id}/histogram"));
    }
    for finding in still.get("findings").await["items"].as_array().unwrap() {
        paths.push(format!("findings/{}", finding["id"].as_str().unwrap()));
    }
    let mut all = Map::new();
    for path in paths {
        let answer = still.get(&path).await;
        all.insert(path, answer);
    }
    all
}

/// What an answer said is said still; later versions may say more.
fn says_still(told: &Value, now: &Value, whereabouts: &str) {
    match (told, now) {
        (Value::Object(told), Value::Object(now)) => {
            for (key, value) in told {
                let found = now.get(key).unwrap_or(&Value::Null);
                says_still(value, found, &format!("{whereabouts}/{key}"));
            }
        }
        (Value::Array(told), Value::Array(now)) => {
            assert_eq!(told.len(), now.len(), "{whereabouts}");
            for (at, (told, now)) in told.iter().zip(now).enumerate() {
                says_still(told, now, &format!("{whereabouts}/{at}"));
            }
        }
        _ => assert_eq!(told, now, "{whereabouts}"),
    }
}

/// The counts, and what was still open is marked so no more.
fn closed(mut answer: Value) -> Value {
    if let Some(object) = answer.as_object_mut() {
        object.insert("provisional".into(), Value::Bool(false));
    }
    answer
}

async fn comes_up_to_date(database: &Database, version: i64) {
    let what = format!("version {version} on {}", database.engine);
    rows::load(database, version, &golden(version)).await;
    assert_eq!(migrations(database).await.last(), Some(&version), "{what}");
    // A backup of that version restores into this one.
    let backup = database.directory.path().join("backup");
    back_up(&database.url, &backup, false).await.unwrap();
    let other = of_engine(database.engine).await;
    restore(&backup, &other.url, false).await.unwrap();
    assert_eq!(
        migrations(&other).await,
        all_migrations(other.engine),
        "{what}"
    );
    let told: Map<String, Value> =
        serde_json::from_slice(&std::fs::read(golden(version).join("answers.json")).unwrap())
            .unwrap();
    let still = Still::over(database).await;
    assert_eq!(
        migrations(database).await,
        all_migrations(database.engine),
        "{what}"
    );
    for (path, told) in &told {
        says_still(told, &still.get(path).await, &format!("{what}: {path}"));
    }
    // What lay there unfolded and open is folded and closed, once.
    let project = still
        .store
        .project_for_administration(PROJECT)
        .await
        .unwrap();
    let later_us = now_us() + fill::LONG_US;
    let lease = still.store.lease(&project, "fold", "test", later_us).await;
    fill::fold(&still.store, &lease.unwrap().unwrap(), later_us).await;
    let mut histograms = 0;
    for (path, told) in told.iter().filter(|(path, _)| path.ends_with("/histogram")) {
        let now = still.get(path).await;
        says_still(
            &closed(told.clone()),
            &now,
            &format!("{what}, folded: {path}"),
        );
        histograms += 1;
    }
    assert!(histograms > 0, "{what}");
    still.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_golden_database_of_every_version_comes_up_to_date_and_answers_as_before() {
    let versions = all_migrations("SQLite");
    let (newest, earlier) = versions.split_last().unwrap();
    if std::env::var("LONGWATCH_GOLDEN").is_ok_and(|word| word == "make") {
        fill::make(of_engine("SQLite").await, *newest, &golden(*newest)).await;
    }
    let mut tried = 0;
    for version in &versions {
        let is_there = golden(*version).exists();
        assert!(
            is_there || !earlier.contains(version),
            "tests/it/golden/{version:04} is missing: make it as golden.rs says, without the migrations after it"
        );
        if is_there {
            for database in databases().await {
                comes_up_to_date(&database, *version).await;
            }
            tried += 1;
        }
    }
    assert!(tried > 0);
}
