//! The database pauses, or crashes, under load: everybody is answered within a bounded time, the service recovers by
//! itself, and what was acknowledged is there once.

mod cluster;
mod proxy;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use reqwest::{Client, StatusCode};

use crate::endurance::Endurance;
use crate::ground::of_engine;
use crate::process::{Process, token, within};
use crate::writers::Writing;

const WRITERS: usize = 4;
/// A writer rests so long between two measurements.
const REST: Duration = Duration::from_millis(5);
/// The longest that anybody waits: for a statement that never ends, behind one for a connection.
const ANSWERED_WITHIN: Duration = Duration::from_secs(36);
/// How soon the service works again after its database does.
const RECOVERED_WITHIN: Duration = Duration::from_secs(10);
/// How often the database crashes at least.
const CRASHES: usize = 3;

/// Asks for the list of series again and again; answers how long the slowest answer took.
async fn keep_reading(url: String, token: String, is_over: Arc<AtomicBool>) -> Duration {
    let client = Client::new();
    let mut slowest = Duration::ZERO;
    while !is_over.load(Ordering::Relaxed) {
        let began = Instant::now();
        let list = client.get(format!("{url}/api/v1/projects/shop/series"));
        let answer = list.bearer_auth(&token).send().await.unwrap();
        slowest = slowest.max(began.elapsed());
        if answer.status() != StatusCode::OK {
            assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
            assert!(answer.headers().contains_key("retry-after"), "{answer:?}");
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    slowest
}

/// Readiness follows the database.
async fn is_ready(server: &Process) -> bool {
    let ready = Client::new().get(format!("{}/readyz", server.url));
    ready.send().await.unwrap().status() == StatusCode::OK
}

/// Ready again, and somebody was acknowledged.
async fn recovers(server: &Process, writing: &Writing) {
    let began = Instant::now();
    let before = writing.acknowledged();
    within(RECOVERED_WITHIN, "works again", async || {
        let again = writing.acknowledged() >= before + WRITERS;
        (again && is_ready(server).await).then_some(())
    })
    .await;
    println!("recovered in {:?}", began.elapsed());
}

async fn falls_silent(server: &Process) {
    within(Duration::from_secs(5), "not ready", async || {
        (!is_ready(server).await).then_some(())
    })
    .await;
}

/// Ends the load; everything that was acknowledged is there once, and everybody was answered, in time.
async fn ends(endurance: &Endurance, writing: Writing, server: &Process) {
    let (slowest, broken) = (writing.slowest(), writing.broken());
    assert!(writing.shed() > 0);
    assert!(slowest < ANSWERED_WITHIN, "{slowest:?}");
    assert_eq!(broken, 0, "unanswered");
    endurance.tell(writing.end(server).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_pauses_is_answered_for_and_everybody_is_served_again_after_it() {
    // Longer than a sender is kept waiting.
    const PAUSE: Duration = Duration::from_secs(23);
    // More than there are connections.
    const READERS: usize = 30;
    let endurance = Endurance::begin("pause", "PostgreSQL", Duration::ZERO);
    let database = of_engine("PostgreSQL").await;
    let home = database.directory.path();
    let admin = token(home, &database.url, "shop", "admin");
    let proxy = proxy::Proxy::before(&database.url).await;
    let server = Process::serve(home, &proxy.url, &[]);
    let writing = Writing::start([&server], &admin, WRITERS, REST);
    let is_over = Arc::new(AtomicBool::new(false));
    let readers: Vec<_> = (0..READERS)
        .map(|_| {
            let reading = keep_reading(server.url.clone(), admin.clone(), is_over.clone());
            tokio::spawn(reading)
        })
        .collect();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(is_ready(&server).await);
    let began = Instant::now();
    proxy.pause();
    falls_silent(&server).await;
    tokio::time::sleep(PAUSE.saturating_sub(began.elapsed())).await;
    proxy.resume();
    recovers(&server, &writing).await;
    is_over.store(true, Ordering::Relaxed);
    for reader in readers {
        let slowest = reader.await.unwrap();
        assert!(slowest < ANSWERED_WITHIN, "{slowest:?}");
    }
    ends(&endurance, writing, &server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_crashes_under_load_loses_nothing_and_the_service_recovers_by_itself() {
    let endurance = Endurance::begin("database", "PostgreSQL", Duration::ZERO);
    let mut draws = endurance.draws();
    let home = tempfile::tempdir().unwrap();
    let cluster = cluster::Cluster::start();
    let admin = token(home.path(), &cluster.url, "shop", "admin");
    let server = Process::serve(home.path(), &cluster.url, &[]);
    let writing = Writing::start([&server], &admin, WRITERS, REST);
    let mut crashes = 0;
    while crashes < CRASHES || endurance.goes_on() {
        tokio::time::sleep(Duration::from_millis(1_000 + draws.bits() % 2_000)).await;
        cluster.crash();
        falls_silent(&server).await;
        cluster.go();
        recovers(&server, &writing).await;
        crashes += 1;
    }
    println!("{crashes} crashes");
    ends(&endurance, writing, &server).await;
}
