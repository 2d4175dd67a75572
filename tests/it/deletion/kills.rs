//! A server that dies in the middle of a deletion leaves the rest to the next.

use std::time::Duration;

use reqwest::{Client, Method};
use serde_json::json;

use super::rows::Rows;
use crate::ground::{Database, databases};
use crate::process::{Process, token, within};

/// Several steps of a deletion's work.
const SERIES: usize = 2_000;
/// Unoptimised, and on PostgreSQL a dead owner's lease ends after half a minute.
const PATIENCE: Duration = Duration::from_secs(120);

fn report(release: &str, run: &str) -> String {
    let measurements: Vec<_> = (0..SERIES)
        .map(|number| {
            json!({"flow": format!("flow-{number}"), "metric": "latency", "unit": "ms", "basis": "op",
                "values": [1.0, 2.0]})
        })
        .collect();
    json!({"source": "load", "release": release, "run": run, "measurements": measurements})
        .to_string()
}

async fn outlives(database: Database) {
    let (engine, home) = (database.engine, database.directory.path());
    let rows = Rows::of(&database);
    let admin = token(home, &database.url, "shop", "admin");
    let server = Process::serve(home, &database.url, &[]);
    let client = Client::new();
    for (release, run) in [("v1", "1"), ("v1", "2"), ("v2", "1")] {
        let sent = server.api(&client, &admin, Method::POST, "samples");
        let answer = sent.body(report(release, run)).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{}", answer.text().await.unwrap());
    }
    let number = async |sql: &str| -> usize {
        rows.texts(format!("SELECT CAST(COUNT(*) AS TEXT) FROM {sql}"))
            .await[0]
            .parse()
            .unwrap()
    };
    within(PATIENCE, "everything is folded", async || {
        (number("journal").await == 0).then_some(())
    })
    .await;
    let of_v1 = "series_window WHERE release = 'v1'";
    assert_eq!(number(of_v1).await, 3 * SERIES);

    let asked = server.api(&client, &admin, Method::DELETE, "releases/v1");
    let asked = tokio::spawn(asked.send());
    within(PATIENCE, "the work has begun", async || {
        let begun = "deletion WHERE reached IS NOT NULL".to_owned();
        (number(&begun).await > 0).then_some(())
    })
    .await;
    server.kill();
    assert!(asked.await.unwrap().is_err(), "no answer came");
    let left = number(of_v1).await;
    assert!(
        (1..3 * SERIES).contains(&left),
        "{engine}: killed in the middle, {left} left"
    );

    let server = Process::serve(home, &database.url, &[]);
    let id = if engine == "SQLite" {
        "lower(hex(id))"
    } else {
        "encode(id, 'hex')"
    };
    let id = rows.texts(format!("SELECT {id} FROM deletion")).await;
    let done = within(PATIENCE, "the deletion is over", async || {
        let path = format!("deletions/{}", id[0]);
        let deletion = server.get(&client, &admin, &path).await;
        (deletion["state"] == "done").then_some(deletion)
    })
    .await;
    assert_eq!(
        (&done["kind"], &done["subject"]),
        (&json!("release"), &json!("v1"))
    );
    assert_eq!(number(of_v1).await, 0);
    assert_eq!(
        number("series_window WHERE release = 'v2'").await,
        2 * SERIES
    );
    assert_eq!(number("deletion_journal").await, 0);
    let sent = server.api(&client, &admin, Method::POST, "samples");
    let answer = sent.body(report("v1", "1")).send().await.unwrap();
    let answer: serde_json::Value = answer.json().await.unwrap();
    assert_eq!(answer["duplicate"], false, "{engine}: it can be sent again");
    server.kill();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_outlives_the_death_of_its_server_on_sqlite() {
    outlives(databases().await.swap_remove(0)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_outlives_the_death_of_its_server_on_postgresql() {
    outlives(databases().await.swap_remove(1)).await;
}
