//! Clients that keep a ledger of what they sent and what they heard.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use reqwest::Client;
use serde_json::{Value, json};

use crate::process::within;

/// The flow of all page views.
pub(super) const PAGE: &str = "page";
/// Of so many acknowledged requests one is kept, if it is an upload.
const SOME: usize = 50;

/// What one request brings, and under which key; the same request can be sent again.
#[derive(Debug, Clone)]
pub(super) enum Sent {
    Upload {
        key: String,
        flow: String,
        release: String,
        values: usize,
        body: String,
    },
    Beacon {
        flow: String,
        release: String,
        body: String,
    },
}

impl Sent {
    pub(super) fn upload(client: usize, number: usize) -> Sent {
        let (flow, release) = (format!("flow-{}", number % 3), format!("v{}", number % 2));
        let values: Vec<f64> = (0..1 + number % 4)
            .map(|i| (1 + i + number % 900) as f64)
            .collect();
        let body = json!({"source": "load", "release": release, "run": format!("run-{client}"), "measurements": [
            {"flow": flow, "metric": "latency", "unit": "ms", "basis": "op", "values": values}]});
        Sent::Upload {
            key: format!("client-{client}-{number}"),
            flow,
            release,
            values: values.len(),
            body: body.to_string(),
        }
    }

    pub(super) fn beacon(client: usize, number: usize) -> Sent {
        let (flow, release) = (PAGE.to_owned(), format!("v{}", number % 2));
        let view = format!("{client:04x}{number:08x}");
        let value = 1_000 + number % 3_000;
        let body = json!({"v": 1, "r": release, "pv": view, "s": 1, "f": flow, "d": "mobile", "n": "navigate",
            "m": [["LCP", value, format!("v5-{client}-{number}"), 1]]});
        Sent::Beacon {
            flow,
            release,
            body: body.to_string(),
        }
    }

    pub(super) fn is_upload(&self) -> bool {
        matches!(self, Sent::Upload { .. })
    }

    /// The series and release that it counts in, and how much.
    pub(super) fn counts(&self) -> ((String, String), u64) {
        match self {
            Sent::Upload {
                flow,
                release,
                values,
                ..
            } => ((flow.clone(), release.clone()), *values as u64),
            Sent::Beacon { flow, release, .. } => ((flow.clone(), release.clone()), 1),
        }
    }
}

/// What became of a request, as its client knows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Outcome {
    /// Success was answered; whether as a repetition.
    Acknowledged { again: bool },
    /// The server said that it stored nothing.
    Refused,
    /// The connection broke before an answer came.
    Unknown,
    /// Nobody listened: it never left.
    Unsent,
}

/// How much was sent, by flow and release.
pub(super) type Counts = BTreeMap<(String, String), u64>;

/// The clients' record of what they sent.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    pub(super) acknowledged: usize,
    pub(super) counts: Counts,
    /// Some of the acknowledged uploads.
    pub(super) some: Vec<Sent>,
    pub(super) refused: Vec<Sent>,
    pub(super) unknown: Vec<Sent>,
}

impl Ledger {
    fn acknowledge(&mut self, sent: Sent) {
        let (place, count) = sent.counts();
        *self.counts.entry(place).or_default() += count;
        self.acknowledged += 1;
        if sent.is_upload() && self.acknowledged.is_multiple_of(SOME) {
            self.some.push(sent);
        }
    }
}

/// Where the servers listen now, and with what to reach them.
#[derive(Debug, Clone)]
pub(super) struct Way {
    pub(super) client: Client,
    pub(super) urls: Arc<Mutex<Vec<String>>>,
    pub(super) admin: String,
    pub(super) rum: String,
}

impl Way {
    /// Sends to one of the servers.
    async fn send(&self, sent: &Sent, to: usize) -> Outcome {
        let url = {
            let urls = self.urls.lock().unwrap();
            urls[to % urls.len()].clone()
        };
        let request = match sent {
            Sent::Upload { key, body, .. } => self
                .client
                .post(format!("{url}/api/v1/projects/shop/samples"))
                .bearer_auth(&self.admin)
                .header("idempotency-key", key)
                .body(body.clone()),
            Sent::Beacon { body, .. } => self
                .client
                .post(format!("{url}/rum/{}", self.rum))
                .header("content-type", "text/plain;charset=UTF-8")
                .body(body.clone()),
        };
        let answer = match request.send().await {
            Ok(answer) => answer,
            Err(error) if error.is_connect() => return Outcome::Unsent,
            Err(error) if error.is_timeout() => {
                // Of a server that died meanwhile nothing may come; one that lives owes an answer.
                let lives = self.urls.lock().unwrap().contains(&url);
                assert!(!lives, "{url} lives and did not answer {sent:?}: {error}");
                return Outcome::Unknown;
            }
            Err(_) => return Outcome::Unknown,
        };
        match answer.status().as_u16() {
            204 => Outcome::Acknowledged { again: false },
            // The status came, and with it the promise, even where the body is cut off.
            200 => Outcome::Acknowledged {
                again: answer
                    .json::<Value>()
                    .await
                    .is_ok_and(|answer| answer["duplicate"] == true),
            },
            503 => match answer.json::<Value>().await {
                Ok(problem) if problem["code"] == "busy" => Outcome::Refused,
                _ => Outcome::Unknown,
            },
            status => panic!("{status} to {sent:?}"),
        }
    }

    /// Sends again, to one server after the other, until it is acknowledged; whether as a repetition.
    pub(super) async fn insist(&self, sent: &Sent) -> bool {
        let to = AtomicUsize::new(0);
        within(
            Duration::from_secs(20),
            "an acknowledgement",
            async || match self.send(sent, to.fetch_add(1, Ordering::Relaxed)).await {
                Outcome::Acknowledged { again } => Some(again),
                _ => None,
            },
        )
        .await
    }
}

/// One client: sends one thing after the other until it is told to stop. Every other time that it hears nothing it
/// sends the same again, as a good client does; else it leaves the question open until the end. Where nobody listens it
/// goes to the next server.
pub(super) async fn keep_sending(
    way: Way,
    ledger: Arc<Mutex<Ledger>>,
    until: Arc<Mutex<bool>>,
    make: impl Fn(usize) -> Sent,
) {
    let (mut number, mut to) = (0, 0);
    while !*until.lock().unwrap() {
        let sent = make(number);
        match way.send(&sent, to).await {
            Outcome::Unsent => {
                to += 1;
                tokio::time::sleep(Duration::from_millis(20)).await;
                continue;
            }
            Outcome::Acknowledged { .. } => ledger.lock().unwrap().acknowledge(sent),
            Outcome::Refused => ledger.lock().unwrap().refused.push(sent),
            Outcome::Unknown if number % 2 == 0 => {
                way.insist(&sent).await;
                ledger.lock().unwrap().acknowledge(sent);
            }
            Outcome::Unknown => ledger.lock().unwrap().unknown.push(sent),
        }
        number += 1;
        to = number;
    }
}
