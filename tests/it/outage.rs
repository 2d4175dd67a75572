//! The database pauses, or crashes, under load: everybody is answered within a bounded time, the service recovers by
//! itself, and what was acknowledged is there once.

mod cluster;
mod proxy;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use reqwest::{Client, Response, StatusCode};

use crate::ground::of_engine;
use crate::process::{Process, token, within};
use crate::writers::{counts, measurement};

const WRITERS: usize = 4;
/// The longest that anybody waits: for a statement that never ends, behind one for a connection.
const ANSWERED_WITHIN: Duration = Duration::from_secs(36);
/// How soon the service works again after its database does.
const RECOVERED_WITHIN: Duration = Duration::from_secs(10);

/// Clients of one server, and what they were told.
struct Load {
    url: String,
    token: String,
    client: Client,
    is_over: AtomicBool,
    acknowledged: AtomicUsize,
    shed: AtomicUsize,
    slowest: Mutex<Duration>,
}

impl Load {
    fn on(server: &Process, token: &str) -> Arc<Load> {
        Arc::new(Load {
            url: server.url.clone(),
            token: token.to_owned(),
            client: Client::new(),
            is_over: AtomicBool::new(false),
            acknowledged: AtomicUsize::new(0),
            shed: AtomicUsize::new(0),
            slowest: Mutex::new(Duration::ZERO),
        })
    }

    /// Whether an answer is a success; else it says when to come back.
    fn is_success(&self, answer: &Response, began: Instant) -> bool {
        let mut slowest = self.slowest.lock().unwrap();
        *slowest = slowest.max(began.elapsed());
        if answer.status() == StatusCode::OK {
            return true;
        }
        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(answer.headers().contains_key("retry-after"), "{answer:?}");
        self.shed.fetch_add(1, Ordering::Relaxed);
        false
    }

    /// Sends one measurement after the other, each until it is acknowledged. Answers how many there were.
    async fn keep_writing(self: Arc<Self>, writer: usize) -> usize {
        let mut number = 0;
        while !self.is_over.load(Ordering::Relaxed) {
            loop {
                let began = Instant::now();
                let request = measurement(&self.client, &self.url, &self.token, writer, number);
                let answer = request.send().await.unwrap();
                if self.is_success(&answer, began) {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            number += 1;
            self.acknowledged.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        number
    }

    /// Asks for the list of series again and again.
    async fn keep_reading(self: Arc<Self>) {
        while !self.is_over.load(Ordering::Relaxed) {
            let began = Instant::now();
            let url = format!("{}/api/v1/projects/shop/series", self.url);
            let request = self.client.get(url).bearer_auth(&self.token);
            let answer = request.send().await.unwrap();
            self.is_success(&answer, began);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Readiness follows the database.
    async fn is_ready(&self) -> bool {
        let answer = self.client.get(format!("{}/readyz", self.url)).send().await;
        answer.unwrap().status() == StatusCode::OK
    }

    /// Ready again, and somebody was acknowledged.
    async fn recovers(&self) {
        let began = Instant::now();
        let before = self.acknowledged.load(Ordering::Relaxed);
        within(RECOVERED_WITHIN, "works again", async || {
            let again = self.acknowledged.load(Ordering::Relaxed) >= before + WRITERS;
            (again && self.is_ready().await).then_some(())
        })
        .await;
        println!("recovered in {:?}", began.elapsed());
    }

    async fn falls_silent(&self) {
        within(Duration::from_secs(5), "not ready", async || {
            (!self.is_ready().await).then_some(())
        })
        .await;
    }

    /// Ends the load; everything that was acknowledged is there once, and nobody waited for long.
    async fn ends(&self, server: &Process, writers: Vec<tokio::task::JoinHandle<usize>>) {
        self.is_over.store(true, Ordering::Relaxed);
        let mut acknowledged = Vec::new();
        for writer in writers {
            acknowledged.push(writer.await.unwrap());
        }
        let slowest = *self.slowest.lock().unwrap();
        let shed = self.shed.load(Ordering::Relaxed);
        println!("acknowledged {acknowledged:?}, shed {shed}, slowest answer {slowest:?}");
        assert!(shed > 0);
        assert!(slowest < ANSWERED_WITHIN, "{slowest:?}");
        counts(server, &self.token, &acknowledged).await;
    }
}

fn writers(load: &Arc<Load>) -> Vec<tokio::task::JoinHandle<usize>> {
    let start = |writer| tokio::spawn(load.clone().keep_writing(writer));
    (0..WRITERS).map(start).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_pauses_is_answered_for_and_everybody_is_served_again_after_it() {
    // Longer than a sender is kept waiting.
    const PAUSE: Duration = Duration::from_secs(23);
    // More than there are connections.
    const READERS: usize = 30;
    let database = of_engine("PostgreSQL").await;
    let home = database.directory.path();
    let admin = token(home, &database.url, "shop", "admin");
    let proxy = proxy::Proxy::before(&database.url).await;
    let server = Process::serve(home, &proxy.url, &[]);
    let load = Load::on(&server, &admin);
    let writers = writers(&load);
    let readers: Vec<_> = (0..READERS)
        .map(|_| tokio::spawn(load.clone().keep_reading()))
        .collect();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(load.is_ready().await);
    let began = Instant::now();
    proxy.pause();
    load.falls_silent().await;
    tokio::time::sleep(PAUSE.saturating_sub(began.elapsed())).await;
    proxy.resume();
    load.recovers().await;
    load.ends(&server, writers).await;
    for reader in readers {
        reader.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_crashes_under_load_loses_nothing_and_the_service_recovers_by_itself() {
    let home = tempfile::tempdir().unwrap();
    let cluster = cluster::Cluster::start();
    let admin = token(home.path(), &cluster.url, "shop", "admin");
    let server = Process::serve(home.path(), &cluster.url, &[]);
    let load = Load::on(&server, &admin);
    let writers = writers(&load);
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_secs(2)).await;
        cluster.crash();
        load.falls_silent().await;
        cluster.go();
        load.recovers().await;
    }
    load.ends(&server, writers).await;
}
