//! What several writers send, and what a server should count of it: each writer has a flow of its own.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use reqwest::{Client, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::endurance::Tally;
use crate::process::{Process, within};

/// The lease of an owner that died ends after half a minute, where others may live.
const FOLDED_WITHIN: Duration = Duration::from_secs(45);

/// One measurement of a writer, under a key of its own.
pub(crate) fn measurement(
    client: &Client,
    address: &str,
    token: &str,
    writer: usize,
    number: usize,
) -> RequestBuilder {
    let body = json!({"source": "load", "release": "v1", "measurements": [
        {"flow": format!("flow-{writer}"), "metric": "latency", "unit": "ms", "basis": "op", "values": [1 + number % 90]}]});
    client
        .post(format!("{address}/api/v1/projects/shop/samples"))
        .bearer_auth(token)
        .header("idempotency-key", format!("{writer}-{number}"))
        .json(&body)
}

/// Every flow counts what its writer had acknowledged.
pub(crate) async fn counts(server: &Process, token: &str, acknowledged: &[usize]) {
    let counted: Vec<u64> = counted(server, token).await.into_values().collect();
    let acknowledged: Vec<u64> = acknowledged.iter().map(|count| *count as u64).collect();
    assert_eq!(counted, acknowledged, "by writer");
}

/// How much the server counts of each writer; what others sent is left out.
pub(crate) async fn counted(server: &Process, token: &str) -> BTreeMap<usize, u64> {
    let client = Client::new();
    let list = server.get(&client, token, "series").await;
    let mut counted = BTreeMap::new();
    for series in list["items"].as_array().unwrap() {
        let flow = series["flow"].as_str().unwrap();
        let Some(writer) = flow.strip_prefix("flow-") else {
            continue;
        };
        let writer = writer.parse().unwrap();
        let id = series["id"].as_str().unwrap();
        let path = format!("series/{id}/histogram?release=v1");
        let histogram = server.get(&client, token, &path).await;
        let before = counted.insert(writer, histogram["count"].as_u64().unwrap());
        assert_eq!(before, None, "{list}");
    }
    counted
}

/// Whether everything that writers sent is folded.
async fn is_folded(server: &Process, token: &str) -> bool {
    let client = Client::new();
    let list = server.get(&client, token, "series").await;
    for series in list["items"].as_array().unwrap() {
        if series["source"] != "load" {
            continue;
        }
        let id = series["id"].as_str().unwrap();
        let path = format!("series/{id}/histogram?release=v1");
        if server.get(&client, token, &path).await["provisional"] != false {
            return false;
        }
    }
    true
}

/// Writers under way. Each sends one measurement after the other, and each of them until it is acknowledged, to whichever
/// server it gets through to.
pub(crate) struct Writing {
    state: Arc<State>,
    first: usize,
    writers: Vec<JoinHandle<usize>>,
}

struct State {
    client: Client,
    token: String,
    addresses: Mutex<Vec<String>>,
    pause: Duration,
    is_over: AtomicBool,
    acknowledged: AtomicUsize,
    refused: AtomicUsize,
    unsettled: AtomicUsize,
    broken: AtomicUsize,
    latencies: Mutex<Vec<Duration>>,
    slowest: Mutex<Duration>,
}

impl Writing {
    /// Starts writers that rest a while between two measurements.
    pub(crate) fn start<'a>(
        servers: impl IntoIterator<Item = &'a Process>,
        token: &str,
        writers: usize,
        pause: Duration,
    ) -> Writing {
        Self::start_beside(0, servers, token, writers, pause)
    }

    /// The same beside others that write already: so many.
    pub(crate) fn start_beside<'a>(
        first: usize,
        servers: impl IntoIterator<Item = &'a Process>,
        token: &str,
        writers: usize,
        pause: Duration,
    ) -> Writing {
        let addresses = servers.into_iter().map(|server| server.url.clone());
        let state = Arc::new(State {
            client: Client::new(),
            token: token.to_owned(),
            addresses: Mutex::new(addresses.collect()),
            pause,
            is_over: AtomicBool::new(false),
            acknowledged: AtomicUsize::new(0),
            refused: AtomicUsize::new(0),
            unsettled: AtomicUsize::new(0),
            broken: AtomicUsize::new(0),
            latencies: Mutex::default(),
            slowest: Mutex::default(),
        });
        let start = |writer| tokio::spawn(keep_writing(state.clone(), writer));
        Writing {
            writers: (first..first + writers).map(start).collect(),
            first,
            state,
        }
    }

    /// Where one of the servers is from now on.
    pub(crate) fn moves(&self, at: usize, server: &Process) {
        self.state.addresses.lock().unwrap()[at].clone_from(&server.url);
    }

    /// One more server is there.
    pub(crate) fn joined_by(&self, server: &Process) {
        self.state
            .addresses
            .lock()
            .unwrap()
            .push(server.url.clone());
    }

    /// How many measurements were acknowledged up to now.
    pub(crate) fn acknowledged(&self) -> usize {
        self.state.acknowledged.load(Ordering::Relaxed)
    }

    /// How many answers said that they should come again.
    pub(crate) fn shed(&self) -> usize {
        self.state.refused.load(Ordering::Relaxed) + self.state.unsettled.load(Ordering::Relaxed)
    }

    /// How many connections broke before an answer came.
    pub(crate) fn broken(&self) -> usize {
        self.state.broken.load(Ordering::Relaxed)
    }

    /// The longest that anybody waited for an answer.
    pub(crate) fn slowest(&self) -> Duration {
        *self.state.slowest.lock().unwrap()
    }

    /// How long acknowledgements took since this was asked last: the 99th percentile.
    pub(crate) fn p99(&self) -> Duration {
        p99(std::mem::take(&mut *self.state.latencies.lock().unwrap()))
    }

    /// Tells them to end.
    pub(crate) fn stop(&self) {
        self.state.is_over.store(true, Ordering::Relaxed);
    }

    /// Ends them and compares what a server counts with what was acknowledged: at once, and when all of it is folded.
    pub(crate) async fn end(self, server: &Process) -> Tally {
        self.stop();
        let Writing {
            state,
            first,
            writers,
        } = self;
        let mut sent = BTreeMap::new();
        for (writer, task) in (first..).zip(writers) {
            sent.insert(writer, task.await.unwrap() as u64);
        }
        let of = |count: &AtomicUsize| count.load(Ordering::Relaxed);
        let mut tally = Tally {
            acknowledged: of(&state.acknowledged),
            refused: of(&state.refused),
            unknown: of(&state.unsettled) + of(&state.broken),
            ..Tally::default()
        };
        compare(&mut tally, &sent, &counted(server, &state.token).await);
        within(FOLDED_WITHIN, "all is folded", async || {
            is_folded(server, &state.token).await.then_some(())
        })
        .await;
        compare(&mut tally, &sent, &counted(server, &state.token).await);
        tally
    }
}

fn compare(tally: &mut Tally, sent: &BTreeMap<usize, u64>, counted: &BTreeMap<usize, u64>) {
    for (writer, sent) in sent {
        tally.compare(*sent, counted.get(writer).copied().unwrap_or_default());
    }
}

async fn keep_writing(state: Arc<State>, writer: usize) -> usize {
    let mut number = 0;
    let mut address = writer;
    while !state.is_over.load(Ordering::Relaxed) {
        loop {
            let url = {
                let addresses = state.addresses.lock().unwrap();
                addresses[address % addresses.len()].clone()
            };
            let began = Instant::now();
            let request = measurement(&state.client, &url, &state.token, writer, number);
            if is_acknowledged(&state, request).await {
                state.latencies.lock().unwrap().push(began.elapsed());
                break;
            }
            address += 1;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        number += 1;
        state.acknowledged.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(state.pause).await;
    }
    number
}

async fn is_acknowledged(state: &State, request: RequestBuilder) -> bool {
    let began = Instant::now();
    let answer = request.send().await;
    {
        let mut slowest = state.slowest.lock().unwrap();
        *slowest = slowest.max(began.elapsed());
    }
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) => {
            // Where nobody listened nothing was sent.
            let count = usize::from(!error.is_connect());
            state.broken.fetch_add(count, Ordering::Relaxed);
            return false;
        }
    };
    let status = answer.status();
    if status == StatusCode::OK {
        return true;
    }
    let has_hint = answer.headers().contains_key("retry-after");
    let problem: Value = answer.json().await.unwrap();
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{problem}");
    assert!(has_hint, "{problem}");
    let kind = match problem["code"].as_str() {
        Some("busy") => &state.refused,
        _ => &state.unsettled,
    };
    kind.fetch_add(1, Ordering::Relaxed);
    false
}

/// The 99th percentile.
pub(crate) fn p99(mut latencies: Vec<Duration>) -> Duration {
    latencies.sort_unstable();
    latencies
        .get(latencies.len() * 99 / 100)
        .copied()
        .unwrap_or_default()
}
