//! A server is killed in the middle of its work, again and again. What it acknowledged is there, once; what it
//! refused is not; what nobody heard of is sent again with its key and is then there once.

mod clients;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use reqwest::Client;
use sqlx::Connection;

use clients::{Counts, Ledger, PAGE, Sent, Way, keep_sending};

use crate::endurance::{Endurance, Tally};
use crate::ground::{Database, of_engine};
use crate::process::{Process, token, within};

/// How many times a server dies at least.
const LIVES: usize = 4;
/// Concurrent clients of each kind.
const UPLOADERS: usize = 5;
const BROWSERS: usize = 3;
/// On PostgreSQL a dead owner's lease on the fold ends after half a minute, since others may live.
const FOLDED_WITHIN: Duration = Duration::from_secs(45);

/// A server that lives answers within this time, whatever its database does.
const ANSWERED_WITHIN: Duration = Duration::from_secs(60);

fn counted<'a>(all: impl IntoIterator<Item = &'a Sent>) -> Counts {
    let mut counts = Counts::new();
    for (place, count) in all.into_iter().map(Sent::counts) {
        *counts.entry(place).or_default() += count;
    }
    counts
}

fn sum(a: &Counts, b: &Counts) -> Counts {
    let mut sum = a.clone();
    for (place, count) in b {
        *sum.entry(place.clone()).or_default() += count;
    }
    sum
}

/// What the server counts, by flow and release; and whether all uploads are folded.
async fn stored(server: &Process, way: &Way) -> (Counts, bool) {
    let (mut counts, mut folded) = (Counts::new(), true);
    let list = server.get(&way.client, &way.admin, "series").await;
    for series in list["items"].as_array().unwrap() {
        let (id, flow) = (
            series["id"].as_str().unwrap(),
            series["flow"].as_str().unwrap(),
        );
        for release in ["v0", "v1"] {
            let path = format!("series/{id}/histogram?release={release}");
            let histogram = server.get(&way.client, &way.admin, &path).await;
            let count = histogram["count"].as_u64().unwrap();
            *counts
                .entry((flow.to_owned(), release.to_owned()))
                .or_default() += count;
            // Page views stay open for half an hour.
            folded &= flow == PAGE || histogram["provisional"] == false;
        }
    }
    (counts, folded)
}

async fn survives(database: Database, instances: usize) {
    let engine = database.engine;
    let endurance = Endurance::begin("killed", engine, Duration::ZERO);
    let mut draws = endurance.draws();
    let home = database.directory.path();
    let admin = token(home, &database.url, "shop", "admin");
    let rum = token(home, &database.url, "shop", "rum");
    let serve = |_| Process::serve(home, &database.url, &[]);
    let mut servers: Vec<Process> = (0..instances).map(serve).collect();
    let urls = servers.iter().map(|server| server.url.clone());
    let way = Way {
        client: Client::builder().timeout(ANSWERED_WITHIN).build().unwrap(),
        urls: Arc::new(Mutex::new(urls.collect())),
        admin,
        rum,
    };
    let ledger = Arc::new(Mutex::new(Ledger::default()));
    let until = Arc::new(Mutex::new(false));
    let mut clients = Vec::new();
    for client in 0..UPLOADERS {
        let send = keep_sending(way.clone(), ledger.clone(), until.clone(), move |n| {
            Sent::upload(client, n)
        });
        clients.push(tokio::spawn(send));
    }
    for client in 0..BROWSERS {
        let send = keep_sending(way.clone(), ledger.clone(), until.clone(), move |n| {
            Sent::beacon(client, n)
        });
        clients.push(tokio::spawn(send));
    }
    let acknowledged = || ledger.lock().unwrap().acknowledged;
    let mut lives = 0;
    while lives < LIVES || endurance.goes_on() {
        let before = acknowledged();
        // Lives of different lengths, so that death meets the fold and the commit at different places.
        let (victim, life) = (draws.bits() as usize % instances, draws.bits() % 2_000);
        tokio::time::sleep(Duration::from_millis(1_000 + life)).await;
        within(Duration::from_secs(20), "work in every life", async || {
            (acknowledged() > before + 20).then_some(())
        })
        .await;
        servers.remove(victim).kill();
        servers.insert(victim, Process::serve(home, &database.url, &[]));
        way.urls.lock().unwrap()[victim].clone_from(&servers[victim].url);
        lives += 1;
    }
    *until.lock().unwrap() = true;
    for client in clients {
        client.await.unwrap();
    }
    let Ledger {
        acknowledged,
        counts,
        some,
        refused,
        unknown,
    } = std::mem::take(&mut *ledger.lock().unwrap());
    let mut tally = Tally {
        acknowledged,
        refused: refused.len(),
        unknown: unknown.len(),
        ..Tally::default()
    };
    println!("{engine}: {lives} lives; {tally:?}");
    let server = servers.swap_remove(0);

    let (before, _) = stored(&server, &way).await;
    // What had been stored of the unknown is what the server calls a repetition when it comes again.
    let mut had_been_stored = Vec::new();
    for sent in &unknown {
        if way.insist(sent).await {
            had_been_stored.push(sent.clone());
        }
    }
    let expected = sum(&counts, &counted(&had_been_stored));
    compare(&mut tally, &of_uploads(&expected), &of_uploads(&before));
    let mut all = sum(&counts, &counted(&unknown));
    compare(&mut tally, &all, &stored(&server, &way).await.0);
    for sent in &refused {
        assert!(
            !way.insist(sent).await,
            "{engine}: refused, and stored: {sent:?}"
        );
    }
    all = sum(&all, &counted(&refused));
    for sent in &some {
        assert!(
            way.insist(sent).await,
            "{engine}: acknowledged, and not known: {sent:?}"
        );
    }
    within(
        FOLDED_WITHIN,
        "the fold goes on after its owner's death",
        async || stored(&server, &way).await.1.then_some(()),
    )
    .await;
    compare(&mut tally, &all, &stored(&server, &way).await.0);
    server.kill();
    drop(servers);
    is_whole(&database).await;
    endurance.tell(tally);
}

fn compare(tally: &mut Tally, expected: &Counts, found: &Counts) {
    for place in sum(expected, found).keys() {
        let of = |counts: &Counts| counts.get(place).copied().unwrap_or_default();
        tally.compare(of(expected), of(found));
    }
}

fn of_uploads(counts: &Counts) -> Counts {
    let mut counts = counts.clone();
    counts.retain(|(flow, _), _| flow != PAGE);
    counts
}

/// SQLite's own check of the file; PostgreSQL was not killed.
async fn is_whole(database: &Database) {
    if database.engine != "SQLite" {
        return;
    }
    let mut connection = sqlx::SqliteConnection::connect(&database.url)
        .await
        .unwrap();
    let (found,): (String,) = sqlx::query_as("PRAGMA integrity_check")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    assert_eq!(found, "ok");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_outlives_kills_exactly_once_on_sqlite() {
    survives(of_engine("SQLite").await, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_outlives_kills_exactly_once_on_postgresql() {
    survives(of_engine("PostgreSQL").await, 3).await;
}
