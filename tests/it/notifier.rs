//! Deliveries from the outbox to receivers on this machine: signed, at least once, each under an id that stays.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use longwatch::clock::now_us;
use longwatch::detector::evidence::Evidence;
use longwatch::notifier::{Notifier, message};
use longwatch::store::{
    Delivery, Finding, FindingChange, FindingEvent, FindingState, Id, NewDelivery, ProjectId, Store,
};
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinHandle;

use crate::ground::{databases, eventually};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// A request as a receiver got it.
struct Received {
    at: Instant,
    headers: HashMap<String, String>,
    body: String,
}

impl Received {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    /// Checks the signature as a receiver does, by the specification.
    fn is_signed(&self) -> bool {
        let key = STANDARD
            .decode(SECRET.strip_prefix("whsec_").unwrap())
            .unwrap();
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
        let (id, at) = (
            &self.headers["webhook-id"],
            &self.headers["webhook-timestamp"],
        );
        mac.update(format!("{id}.{at}.{}", self.body).as_bytes());
        let expected = STANDARD.encode(mac.finalize().into_bytes());
        let sent_s: i64 = at.parse().unwrap();
        let is_fresh = (sent_s - now_us() / 1_000_000).abs() < 60;
        is_fresh && self.headers["webhook-signature"] == format!("v1,{expected}")
    }
}

/// A receiver on this machine. Each request gets the next answer, the last one again and again; an empty answer
/// leaves the sender waiting.
async fn receiver(answers: &'static [&'static str]) -> (String, mpsc::UnboundedReceiver<Received>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address: SocketAddr = listener.local_addr().unwrap();
    let (seen, requests) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        let mut kept = Vec::new();
        for request in 0.. {
            let (mut stream, _) = listener.accept().await.unwrap();
            let received = read_request(&mut stream).await;
            let _ = seen.send(received);
            let answer = answers[request.min(answers.len() - 1)];
            let _ = stream.write_all(answer.as_bytes()).await;
            if answer.is_empty() {
                kept.push(stream);
            }
        }
    });
    (format!("http://{address}/alerts"), requests)
}

async fn read_request(stream: &mut TcpStream) -> Received {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let headers: HashMap<String, String> = head
                .lines()
                .filter_map(|line| line.split_once(": "))
                .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
                .collect();
            if body.len() >= headers["content-length"].parse().unwrap() {
                let body = body.to_owned();
                return Received {
                    at: Instant::now(),
                    headers,
                    body,
                };
            }
        }
        assert_ne!(stream.read_buf(&mut bytes).await.unwrap(), 0, "cut off");
    }
}

/// A store with a project, its routes and what their variables hold.
struct Outbox {
    store: Store,
    project: ProjectId,
    variables: HashMap<String, String>,
    wake: Arc<Notify>,
}

impl Outbox {
    async fn over(database: &str, routes: &str) -> Outbox {
        let store = Store::open(database).await.unwrap();
        let project = store
            .ensure_project("shop", "test", now_us())
            .await
            .unwrap();
        let outbox = Outbox {
            store,
            project,
            variables: HashMap::from([("LONGWATCH_ROUTE_SECRET".to_owned(), SECRET.to_owned())]),
            wake: Arc::new(Notify::new()),
        };
        outbox.apply(routes).await;
        outbox
    }

    async fn apply(&self, routes: &str) {
        self.store
            .apply_policy(&self.project, routes, "test", now_us())
            .await
            .unwrap();
    }

    fn set(&mut self, variable: &str, value: &str) {
        self.variables.insert(variable.to_owned(), value.to_owned());
    }

    fn notifier(&self, allow_private: bool) -> Notifier {
        let variables = self.variables.clone();
        Notifier::new(
            self.store.clone(),
            Id::new().to_string(),
            allow_private,
            move |variable| variables.get(variable).cloned(),
        )
    }

    fn start(&self, notifier: Notifier) -> Running {
        let (stop, stopped) = watch::channel(false);
        Running {
            stop,
            task: tokio::spawn(notifier.run(self.wake.clone(), stopped)),
        }
    }

    /// Writes a finding with an alert for a route, as the detector does: in one transaction.
    async fn alert(&self, route: &str) -> Id {
        let now_us = now_us();
        let evidence = serde_json::from_value::<Evidence>(json!({
            "sentence": "Checkout LCP got 11 % slower with v2", "reason": "twelve runs before, nine after",
            "metric": "lcp", "source": "rum", "labels": {}, "dimension": "time_ns", "direction": "lower",
            "percentile": 0.75, "onset_release": "v2", "onset_range": null, "end_release": "v2", "releases": 1,
            "slope_pct_per_release": null, "effect_pct": {"value": 11.0, "lower": 9.0, "upper": 13.0},
            "from": 2.0e9, "to": {"value": 2.22e9, "lower": 2.18e9, "upper": 2.26e9}, "confidence": 0.99,
            "measured": 21, "samples": 4_200, "budget": null, "limit": null, "forecast": null, "ended_by": null,
            "judged_us": now_us,
        }))
        .unwrap();
        let finding = Finding {
            id: Id::new(),
            series: None,
            identity: Id::new().to_string(),
            kind: "step".to_owned(),
            state: FindingState::Open,
            flow: "checkout".to_owned(),
            owner: Some("payments".to_owned()),
            assignee: None,
            onset_us: now_us,
            detected_us: now_us,
            updated_us: now_us,
            snoozed_until_us: None,
            closed_us: None,
            told_pct: Some(11.0),
            evidence: evidence.to_json(),
        };
        let id = Id::new();
        let delivery = NewDelivery {
            id,
            finding: finding.id,
            route: route.to_owned(),
            event: "opened".to_owned(),
            message: message::of(
                &finding,
                &evidence,
                "opened",
                "https://perf.example.com/p/shop",
            )
            .to_string(),
        };
        let lease = self
            .store
            .lease(&self.project, "detect", "test", now_us)
            .await
            .unwrap()
            .unwrap();
        let event = FindingEvent {
            finding: finding.id,
            at_us: now_us,
            actor: "longwatch".to_owned(),
            action: "opened".to_owned(),
            note: String::new(),
        };
        let change = FindingChange {
            finding,
            event,
            deliveries: vec![delivery],
        };
        self.store
            .record_judgement(&lease, &[change], &[], now_us)
            .await
            .unwrap();
        self.wake.notify_one();
        id
    }

    async fn delivery(&self, id: Id) -> Delivery {
        let recent = self
            .store
            .recent_deliveries(&self.project, 100)
            .await
            .unwrap();
        recent
            .into_iter()
            .find(|delivery| delivery.id == id)
            .unwrap()
    }

    /// The delivery once this holds of it.
    async fn once(&self, what: &str, id: Id, holds: fn(&Delivery) -> bool) -> Delivery {
        eventually(what, || async {
            Some(self.delivery(id).await).filter(holds)
        })
        .await
    }
}

/// What was logged on this thread, at every level.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn keep(&self) -> tracing::subscriber::DefaultGuard {
        let log = self.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_writer(move || log.clone())
            .finish();
        tracing::subscriber::set_default(subscriber)
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// A notifier at work.
struct Running {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Running {
    async fn stop(self) {
        self.stop.send(true).unwrap();
        self.task.await.unwrap();
    }

    /// Ends it as a killed process ends: in the middle of whatever it does.
    async fn kill(self) {
        self.task.abort();
        assert!(self.task.await.unwrap_err().is_cancelled());
    }
}

const WEBHOOK: &str = r#"
[[route]]
name = "payments"
kind = "webhook"
url_env = "LONGWATCH_ROUTE_PAYMENTS"
secret_env = "LONGWATCH_ROUTE_SECRET"
"#;
const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
const BROKEN: &str = "HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n";
const HANGS: &str = "";

#[tokio::test]
async fn a_receiver_that_fails_once_gets_the_signed_alert_within_seconds() {
    let log = Log::default();
    let _kept = log.keep();
    for database in databases().await {
        let mut outbox = Outbox::over(&database.url, WEBHOOK).await;
        let (address, mut requests) = receiver(&[BROKEN, OK]).await;
        outbox.set("LONGWATCH_ROUTE_PAYMENTS", &address);
        let running = outbox.start(outbox.notifier(true));
        let began = Instant::now();
        let id = outbox.alert("payments").await;

        let (first, second) = (
            requests.recv().await.unwrap(),
            requests.recv().await.unwrap(),
        );
        assert!(
            first.at - began < Duration::from_secs(2),
            "{}",
            database.engine
        );
        assert!(
            second.at - began < Duration::from_secs(10),
            "{}",
            database.engine
        );
        for request in [&first, &second] {
            assert_eq!(request.headers["webhook-id"], id.to_string());
            assert_eq!(request.headers["content-type"], "application/json");
            assert!(request.is_signed());
        }
        assert_eq!(first.body, second.body, "both attempts say the same");
        let alert = first.json();
        assert_eq!(alert["type"], "finding.opened");
        assert_eq!(
            alert["data"]["sentence"],
            "Checkout LCP got 11 % slower with v2"
        );
        assert_eq!(
            alert["data"]["flow_url"],
            "https://perf.example.com/p/shop/flows/checkout"
        );

        let sent = outbox
            .once("settled", id, |delivery| delivery.sent_us.is_some())
            .await;
        assert_eq!((sent.attempts, sent.last_error), (2, None));
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        assert!(
            requests.try_recv().is_err(),
            "what was taken is not sent again"
        );
        running.stop().await;
    }
    let log = log.text();
    assert!(
        log.contains("not delivered yet") && log.contains("delivered"),
        "{log}"
    );
    for secret in [SECRET, &SECRET["whsec_".len()..], "/alerts"] {
        assert!(!log.contains(secret), "a secret in the log: {log}");
    }
}

#[tokio::test]
async fn a_worker_that_dies_before_settling_leaves_the_alert_to_another_under_the_same_id() {
    for database in databases().await {
        let mut outbox = Outbox::over(&database.url, WEBHOOK).await;
        let (address, mut requests) = receiver(&[HANGS, OK]).await;
        outbox.set("LONGWATCH_ROUTE_PAYMENTS", &address);
        let lease = Duration::from_secs(1);
        let id = outbox.alert("payments").await;

        let dying = outbox.start(outbox.notifier(true).claiming_for(lease));
        let first = requests.recv().await.unwrap();
        dying.kill().await;
        assert_eq!(outbox.delivery(id).await.sent_us, None);

        let living = outbox.start(outbox.notifier(true));
        let second = requests.recv().await.unwrap();
        assert!(second.at - first.at > lease - Duration::from_millis(200));
        assert_eq!(first.headers["webhook-id"], id.to_string());
        assert_eq!(second.headers["webhook-id"], id.to_string());
        assert_eq!(first.body, second.body);
        let sent = outbox
            .once("settled", id, |delivery| delivery.sent_us.is_some())
            .await;
        assert_eq!(sent.attempts, 2, "{}", database.engine);
        living.stop().await;
    }
}

#[tokio::test]
async fn the_word_of_a_worker_that_lost_its_claim_changes_nothing() {
    for database in databases().await {
        let outbox = Outbox::over(&database.url, WEBHOOK).await;
        let id = outbox.alert("payments").await;
        let (store, now_us) = (&outbox.store, now_us());
        let slow = store
            .claim_deliveries("slow", now_us, 1_000, 9)
            .await
            .unwrap();
        let none = store
            .claim_deliveries("other", now_us, 1_000, 9)
            .await
            .unwrap();
        assert!(none.is_empty(), "claimed once");
        let later_us = now_us + 2_000;
        let next = store
            .claim_deliveries("next", later_us, 1_000, 9)
            .await
            .unwrap();
        assert_eq!((slow[0].id, next[0].id), (id, id));

        store
            .delivery_failed(&slow[0], "too late", later_us, Some(later_us))
            .await
            .unwrap();
        store.delivery_sent(&slow[0], later_us).await.unwrap();
        let unmoved = outbox.delivery(id).await;
        assert_eq!(
            (unmoved.sent_us, unmoved.dead_us, unmoved.last_error),
            (None, None, None)
        );
        store.delivery_sent(&next[0], later_us).await.unwrap();
        assert_eq!(
            outbox.delivery(id).await.sent_us,
            Some(later_us),
            "{}",
            database.engine
        );
    }
}

#[tokio::test]
async fn what_cannot_be_sent_stays_visible_and_can_be_sent_again() {
    for database in databases().await {
        let mail = WEBHOOK.replace("webhook", "email");
        let mut outbox = Outbox::over(&database.url, &mail).await;
        let (address, mut requests) = receiver(&[OK]).await;
        outbox.set("LONGWATCH_ROUTE_PAYMENTS", &address);
        let running = outbox.start(outbox.notifier(true));

        let gone = outbox.alert("removed").await;
        let unbuilt = outbox.alert("payments").await;
        for (id, expected) in [
            (unbuilt, "email is not built yet; use webhook or slack"),
            (gone, "the configuration has no route removed"),
        ] {
            let dead = outbox
                .once("dead", id, |delivery| delivery.dead_us.is_some())
                .await;
            assert_eq!(
                dead.last_error.as_deref(),
                Some(expected),
                "{}",
                database.engine
            );
        }

        outbox.apply(WEBHOOK).await;
        let (store, project) = (&outbox.store, &outbox.project);
        store
            .send_again(project, &unbuilt, "ann", now_us())
            .await
            .unwrap();
        let received = requests.recv().await.unwrap();
        assert_eq!(received.headers["webhook-id"], unbuilt.to_string());
        outbox
            .once("sent", unbuilt, |delivery| delivery.sent_us.is_some())
            .await;
        running.stop().await;
    }
}

#[tokio::test]
async fn an_unset_variable_and_a_private_address_are_told_without_their_values() {
    for database in databases().await {
        let routes = format!(
            "{WEBHOOK}{}",
            WEBHOOK
                .replace("payments", "ops")
                .replace("PAYMENTS", "OPS")
        );
        let mut outbox = Outbox::over(&database.url, &routes).await;
        let (address, mut requests) = receiver(&[OK]).await;
        outbox.set(
            "LONGWATCH_ROUTE_PAYMENTS",
            &address.replace("http:", "https:"),
        );
        let running = outbox.start(outbox.notifier(false));
        let (private, unset) = (outbox.alert("payments").await, outbox.alert("ops").await);
        for (id, expected) in [
            (
                private,
                "LONGWATCH_ROUTE_PAYMENTS: only the ports 443 and 8443 are allowed",
            ),
            (unset, "the server's environment has no LONGWATCH_ROUTE_OPS"),
        ] {
            let failed = outbox
                .once("failed", id, |delivery| delivery.last_error.is_some())
                .await;
            assert_eq!(
                failed.last_error.as_deref(),
                Some(expected),
                "{}",
                database.engine
            );
            assert_eq!(
                (failed.sent_us, failed.dead_us),
                (None, None),
                "it is tried again"
            );
        }
        outbox
            .once("tried again", unset, |delivery| delivery.attempts > 1)
            .await;
        assert!(requests.try_recv().is_err());
        running.stop().await;
    }
}

#[tokio::test]
async fn a_receiver_that_hangs_keeps_nobody_else_waiting() {
    for database in databases().await {
        let slack = WEBHOOK
            .replace("webhook", "slack")
            .replace("payments", "chat")
            .replace("PAYMENTS", "CHAT");
        let mut outbox = Outbox::over(&database.url, &format!("{WEBHOOK}{slack}")).await;
        let (hanging, mut hung) = receiver(&[HANGS]).await;
        let (prompt, mut posts) = receiver(&[OK]).await;
        outbox.set("LONGWATCH_ROUTE_PAYMENTS", &hanging);
        outbox.set("LONGWATCH_ROUTE_CHAT", &prompt);
        let running = outbox.start(outbox.notifier(true));
        outbox.alert("payments").await;
        hung.recv().await.unwrap();

        let began = Instant::now();
        let id = outbox.alert("chat").await;
        let post = posts.recv().await.unwrap();
        assert!(
            post.at - began < Duration::from_secs(1),
            "{}",
            database.engine
        );
        assert_eq!(
            post.json()["text"],
            "Step: Checkout LCP got 11 % slower with v2"
        );
        outbox
            .once("sent", id, |delivery| delivery.sent_us.is_some())
            .await;
        running.kill().await;
    }
}
