//! Delivers findings to their owners: lease, render, send, settle. At least once, each under an id that stays.
//!
//! What is to be delivered stands in the outbox; a wake-up is only a hint. A delivery is settled after its receiver
//! took it, so a worker that dies in between makes a second attempt under the same id, never a lost alert.

mod address;
mod backoff;
mod destination;
mod facts;
pub mod message;
mod post;
mod resolver;
mod slack;
mod webhook;

pub use facts::Facts;
pub use message::Message;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::HeaderMap;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

use crate::clock::now_us;
use crate::config::Config;
use crate::store::{Delivery, Store, StoreError};
use destination::{Destination, Kind};
use post::{Refused, Sender};

/// The notifier looks for due deliveries at least this often; a judgement wakes it sooner.
const PERIOD: Duration = Duration::from_millis(500);
/// Attempts under way at once: some receivers may hang until they time out while the others still get theirs.
const AT_ONCE: usize = 32;
/// A claimed delivery is another worker's again after this long; no attempt with its settlement takes longer.
const LEASE: Duration = Duration::from_secs(60);
/// How often the outcome of an attempt is written before the lease's end decides.
const SETTLE_ATTEMPTS: u32 = 4;

/// Delivers until `stop` turns true, reading addresses and secrets from this process's environment.
pub async fn run(
    store: Store,
    owner: String,
    allow_private: bool,
    wake: Arc<Notify>,
    stop: watch::Receiver<bool>,
) {
    let environment = |variable: &str| std::env::var(variable).ok();
    let notifier = Notifier::new(store, owner, allow_private, environment);
    notifier.run(wake, stop).await;
}

/// What an environment variable holds.
type Environment = dyn Fn(&str) -> Option<String> + Send + Sync;

/// One worker on the outbox; cheap to clone.
#[derive(Clone)]
pub struct Notifier {
    store: Store,
    owner: String,
    allow_private: bool,
    environment: Arc<Environment>,
    sender: Arc<Sender>,
    lease: Duration,
}

impl fmt::Debug for Notifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Notifier")
            .field("owner", &self.owner)
            .field("allow_private", &self.allow_private)
            .finish_non_exhaustive()
    }
}

impl Notifier {
    /// A worker that claims as `owner`. `environment` answers what a variable holds; with `allow_private` routes may
    /// lead to private addresses.
    pub fn new(
        store: Store,
        owner: String,
        allow_private: bool,
        environment: impl Fn(&str) -> Option<String> + Send + Sync + 'static,
    ) -> Notifier {
        Notifier {
            store,
            owner,
            allow_private,
            environment: Arc::new(environment),
            sender: Arc::new(Sender::new(allow_private)),
            lease: LEASE,
        }
    }

    /// The same with claims that end after another time than a minute. Where that is less than an attempt takes,
    /// others begin a second one meanwhile.
    #[must_use]
    pub fn claiming_for(self, lease: Duration) -> Notifier {
        Notifier { lease, ..self }
    }

    /// Delivers until `stop` turns true; attempts that were begun are then finished, each within its time limit.
    pub async fn run(self, wake: Arc<Notify>, mut stop: watch::Receiver<bool>) {
        let mut under_way = JoinSet::new();
        while !*stop.borrow() {
            if let Err(error) = self.begin(&mut under_way).await {
                tracing::warn!(%error, "delivery put off");
            }
            tokio::select! {
                () = wake.notified() => {}
                () = tokio::time::sleep(PERIOD) => {}
                Some(_) = under_way.join_next() => {}
                _ = stop.changed() => break,
            }
        }
        while under_way.join_next().await.is_some() {}
    }

    /// Claims as many due deliveries as have room, and begins an attempt at each.
    async fn begin(&self, under_way: &mut JoinSet<()>) -> Result<(), StoreError> {
        while under_way.try_join_next().is_some() {}
        let room = AT_ONCE.saturating_sub(under_way.len());
        if room == 0 {
            return Ok(());
        }
        let lease_us = i64::try_from(self.lease.as_micros()).unwrap_or(i64::MAX);
        let claimed = self
            .store
            .claim_deliveries(&self.owner, now_us(), lease_us, room as i64)
            .await?;
        for delivery in claimed {
            let worker = self.clone();
            under_way.spawn(async move {
                let outcome = worker.attempt(&delivery).await;
                worker.settle(&delivery, outcome).await;
            });
        }
        Ok(())
    }

    /// Sends a claimed delivery to its route, without settling it.
    async fn attempt(&self, delivery: &Delivery) -> Result<(), Refused> {
        let destination = self.destination(delivery).await?;
        let sent_us = now_us();
        let (headers, body) = rendered(&destination.kind, delivery, sent_us)
            .map_err(|error| Refused::for_good(format!("the alert cannot be written: {error}")))?;
        self.sender
            .post(destination.address.0, headers, body, sent_us)
            .await
    }

    /// Where the delivery's route leads by the configuration in force.
    async fn destination(&self, delivery: &Delivery) -> Result<Destination, Refused> {
        let policy = self
            .store
            .policy(&delivery.project)
            .await
            .map_err(|error| Refused::for_now(format!("the routes could not be read: {error}")))?;
        let toml = policy.map(|policy| policy.toml).unwrap_or_default();
        let config = Config::parse(&toml)
            .map_err(|_| Refused::for_now("the configuration in force cannot be read"))?;
        let route = config.route(&delivery.route).ok_or_else(|| {
            Refused::for_good(format!("the configuration has no route {}", delivery.route))
        })?;
        Destination::of(route, &*self.environment, self.allow_private).map_err(|error| {
            if error.is_final() {
                Refused::for_good(error.to_string())
            } else {
                Refused::for_now(error.to_string())
            }
        })
    }

    /// Writes how an attempt ended. Where the store stays away, the claim's end makes it due again.
    async fn settle(&self, delivery: &Delivery, outcome: Result<(), Refused>) {
        for attempt in 1..=SETTLE_ATTEMPTS {
            match self.settled(delivery, &outcome).await {
                Ok(()) => return,
                Err(error) => tracing::warn!(%error, attempt, "outcome of a delivery not written"),
            }
            tokio::time::sleep(PERIOD * attempt).await;
        }
    }

    async fn settled(
        &self,
        delivery: &Delivery,
        outcome: &Result<(), Refused>,
    ) -> Result<(), StoreError> {
        let (id, route, now_us) = (delivery.id, &delivery.route, now_us());
        let refused = match outcome {
            Ok(()) => {
                tracing::info!(%id, route, "delivered");
                return self.store.delivery_sent(delivery, now_us).await;
            }
            Err(refused) => refused,
        };
        let pause = backoff::pause(delivery.attempts, refused.wait, rand::random())
            .filter(|_| !refused.is_final);
        let error = &refused.error;
        let (due_us, dead_us) = match pause {
            Some(pause) => {
                tracing::warn!(%id, route, error, ?pause, "not delivered yet");
                let pause_us = i64::try_from(pause.as_micros()).unwrap_or(i64::MAX);
                (now_us.saturating_add(pause_us), None)
            }
            None => {
                tracing::error!(%id, route, error, "given up");
                (now_us, Some(now_us))
            }
        };
        self.store
            .delivery_failed(delivery, error, due_us, dead_us)
            .await
    }
}

/// The request for one attempt at `sent_us`.
fn rendered(
    kind: &Kind,
    delivery: &Delivery,
    sent_us: i64,
) -> Result<(HeaderMap, Vec<u8>), Box<dyn std::error::Error>> {
    match kind {
        Kind::Slack => {
            let message: Message = serde_json::from_str(&delivery.message)?;
            Ok((HeaderMap::new(), slack::body(&message)?))
        }
        Kind::Webhook(secrets) => {
            let body = webhook::body(&delivery.event, &delivery.message, delivery.created_us)?;
            let id = delivery.id.to_string();
            let headers = webhook::headers(&id, sent_us / 1_000_000, &body, secrets.as_ref())?;
            Ok((headers, body))
        }
    }
}
