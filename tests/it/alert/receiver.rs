//! Whoever is to be told: a receiver of webhooks on this machine.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use sha2::Sha256;
use tokio::net::TcpListener;

/// The key of the receiver's secret.
pub(crate) const KEY: &[u8] = b"a key that both sides know, 32 B";

/// An alert as the receiver got it.
#[derive(Debug, Clone)]
pub(crate) struct Alert {
    pub(crate) at: Instant,
    pub(crate) id: String,
    headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Alert {
    fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }

    /// Whether the signature is that of the Standard Webhooks specification.
    pub(crate) fn is_signed(&self) -> bool {
        let mut mac = Hmac::<Sha256>::new_from_slice(KEY).unwrap();
        mac.update(format!("{}.{}.", self.id, self.header("webhook-timestamp")).as_bytes());
        mac.update(&self.body);
        let expected = STANDARD.encode(mac.finalize().into_bytes());
        let sent_s: i64 = self.header("webhook-timestamp").parse().unwrap();
        let is_fresh = (Timestamp::now().as_second() - sent_s).abs() < 60;
        is_fresh
            && self
                .header("webhook-signature")
                .split(' ')
                .any(|one| one == format!("v1,{expected}"))
    }
}

/// What a receiver does with an alert.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Reaction {
    Fails,
    Hangs,
    Takes,
}

/// A receiver on this machine: it reacts as told, at last for ever the same way.
#[derive(Clone)]
pub(crate) struct Receiver {
    pub(crate) address: SocketAddr,
    reactions: Arc<Mutex<VecDeque<Reaction>>>,
    alerts: Arc<Mutex<Vec<Alert>>>,
}

impl Receiver {
    pub(crate) async fn at(address: &str, reactions: &[Reaction]) -> Receiver {
        let listener = TcpListener::bind(address).await.unwrap();
        let receiver = Receiver {
            address: listener.local_addr().unwrap(),
            reactions: Arc::new(Mutex::new(reactions.iter().copied().collect())),
            alerts: Arc::default(),
        };
        let router = Router::new().fallback(receive).with_state(receiver.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        receiver
    }

    pub(crate) fn alerts(&self) -> Vec<Alert> {
        self.alerts.lock().unwrap().clone()
    }
}

async fn receive(State(receiver): State<Receiver>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let id = headers["webhook-id"].to_str().unwrap().to_owned();
    let alert = Alert {
        at: Instant::now(),
        id,
        headers,
        body,
    };
    let reaction = {
        receiver.alerts.lock().unwrap().push(alert);
        let mut reactions = receiver.reactions.lock().unwrap();
        if reactions.len() > 1 {
            reactions.pop_front().unwrap()
        } else {
            reactions[0]
        }
    };
    match reaction {
        Reaction::Fails => StatusCode::INTERNAL_SERVER_ERROR,
        Reaction::Hangs => std::future::pending().await,
        Reaction::Takes => StatusCode::NO_CONTENT,
    }
}
