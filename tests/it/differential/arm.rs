//! A server without its background tasks: the test folds and judges when it wants to, so that what is read is the same on
//! both sides however fast either is.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use longwatch::clock::now_us;
use longwatch::http::{App, Door, Settings};
use longwatch::service::connections::{self, PATIENCE};
use longwatch::store::{ProjectId, Scope, Store};
use longwatch::writer::Writer;
use longwatch::{detector, folder};
use reqwest::{Client, Method};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::mask::Mask;
use crate::ground::{Database, PROJECT};

/// How often the fold is tried.
const ROUNDS: usize = 10;

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Who {
    Admin,
    Ci,
    Ingest,
    Read,
    Rum,
    Revoked,
    Stranger,
    Nobody,
}

const TOKENS: [(Who, Scope); 6] = [
    (Who::Admin, Scope::Admin),
    (Who::Ci, Scope::Ci),
    (Who::Ingest, Scope::Ingest),
    (Who::Read, Scope::Read),
    (Who::Rum, Scope::Rum),
    (Who::Revoked, Scope::Admin),
];

/// A request; its path may hold masked ids.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) who: Who,
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    pub(crate) fn get(path: impl Into<String>) -> Request {
        Request {
            who: Who::Admin,
            method: Method::GET,
            path: path.into(),
            headers: Vec::new(),
            body: Vec::new(),
        }
    }
}

/// An answer, masked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) kind: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or(Value::Null)
    }
}

/// One server with what only it knows.
pub(crate) struct Arm {
    pub(crate) store: Store,
    pub(crate) mask: Mask,
    client: Client,
    url: String,
    tokens: Vec<(Who, String)>,
    serving: JoinHandle<()>,
    _database: Database,
}

impl Arm {
    pub(crate) async fn start(database: Database) -> Arm {
        let store = Store::open(&database.url).await.unwrap();
        let (url, serving) = serve(store.clone()).await;
        let mut arm = Arm {
            store,
            mask: Mask::new(),
            client: Client::new(),
            url,
            tokens: Vec::new(),
            serving,
            _database: database,
        };
        arm.make_project().await;
        arm
    }

    /// Makes the project with its tokens.
    pub(crate) async fn make_project(&mut self) {
        let project = self.store.ensure_project(PROJECT, "test", now_us());
        let project = project.await.unwrap();
        self.tokens.clear();
        for (who, scope) in TOKENS {
            let made = self
                .store
                .create_token(&project, scope, "test", None, "test", now_us());
            let made = made.await.unwrap();
            let name = format!("token {who:?}");
            self.mask
                .name(&format!("token {}", &made.id.to_string()[24..]), &name);
            self.mask.name(&made.text, &name);
            if who == Who::Revoked {
                let revoked = self
                    .store
                    .revoke_token(&project, &made.id, "test", now_us());
                revoked.await.unwrap();
            }
            self.tokens.push((who, made.text));
        }
        let other = self.store.ensure_project("other", "test", now_us());
        let other = other.await.unwrap();
        let stranger =
            self.store
                .create_token(&other, Scope::Admin, "test", None, "test", now_us());
        self.tokens
            .push((Who::Stranger, stranger.await.unwrap().text));
    }

    async fn project(&self) -> Option<ProjectId> {
        self.store.project_for_administration(PROJECT).await.ok()
    }

    /// Starts anew with an empty memory.
    pub(crate) async fn restart(&mut self) {
        self.serving.abort();
        (self.url, self.serving) = serve(self.store.clone()).await;
    }

    /// Sends a request, folding meanwhile where the answer waits for that.
    pub(crate) async fn ask(&mut self, request: &Request, folds: bool) -> Answer {
        let path = self.mask.show(&request.path);
        let path = match self.token(Who::Rum) {
            Some(key) => path.replace("(key)", key),
            None => path,
        };
        let mut sent = self
            .client
            .request(request.method.clone(), format!("{}{path}", self.url))
            // Told on pages that say what went wrong.
            .header("x-request-id", "test")
            .body(request.body.clone());
        if let Some(token) = self.token(request.who) {
            sent = sent.bearer_auth(token);
        }
        for (name, value) in &request.headers {
            sent = sent.header(*name, value);
        }
        let is_answered = AtomicBool::new(!folds);
        let answer = async {
            let answer = sent.send().await.unwrap();
            is_answered.store(true, Ordering::Relaxed);
            answer
        };
        let fold = async {
            while !is_answered.load(Ordering::Relaxed) {
                folder::round(&self.store, "test").await.unwrap();
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let (answer, ()) = tokio::join!(answer, fold);
        if folds {
            // However soon it was answered: on both sides all is folded now.
            self.fold().await;
        }
        let status = answer.status().as_u16();
        let kind = answer.headers().get("content-type");
        let kind = kind.map_or("", |kind| kind.to_str().unwrap()).to_owned();
        let body = answer.bytes().await.unwrap();
        let body = self.mask.hide(&String::from_utf8_lossy(&body));
        Answer { status, kind, body }
    }

    fn token(&self, who: Who) -> Option<&str> {
        let found = self.tokens.iter().find(|(whose, _)| *whose == who);
        found.map(|(_, token)| token.as_str())
    }

    /// Folds all that waits. What a round puts off, since the database is busy, is the next one's.
    pub(crate) async fn fold(&self) {
        for _ in 0..ROUNDS {
            folder::round(&self.store, "test").await.unwrap();
            if self.store.projects_to_fold().await.unwrap().is_empty() {
                return;
            }
        }
        panic!("{ROUNDS} rounds of the fold have left something");
    }

    /// Folds all that waits and closes page views as if hours had passed.
    pub(crate) async fn close_page_views(&self) {
        let project = self.project().await.unwrap();
        let later_us = now_us() + 2 * 3_600_000_000;
        let lease = self.store.lease(&project, "fold", "test", later_us);
        let lease = lease.await.unwrap().unwrap();
        while self.store.fold(&lease, later_us).await.unwrap().more {}
        self.store.give_back(&lease).await.unwrap();
    }

    /// Judges all that changed.
    pub(crate) async fn judge(&self) {
        detector::round(&self.store, "test", "http://longwatch.test", true)
            .await
            .unwrap();
    }

    /// Everything that an export holds, a line a row.
    pub(crate) async fn export(&mut self) -> String {
        let project = self.project().await.unwrap();
        let mut lines = String::new();
        self.store
            .export(&project, |kind, rows| {
                for row in rows {
                    lines.push_str(&format!("{kind} {row}\n"));
                }
                Ok::<(), longwatch::store::StoreError>(())
            })
            .await
            .unwrap();
        self.mask.hide(&lines)
    }
}

impl Drop for Arm {
    fn drop(&mut self) {
        // Else the server keeps its connections to the database, for each seed some more.
        self.serving.abort();
    }
}

async fn serve(store: Store) -> (String, JoinHandle<()>) {
    let (writer, _writing) = Writer::start(store.clone(), || {});
    let settings = Settings {
        public_url: "http://longwatch.test".to_owned(),
        ..Settings::default()
    };
    let door = Door::to(App::new(store, writer, Arc::new(Notify::new()), settings));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let ended = std::future::pending();
    let serving = tokio::spawn(connections::serve(listener, door, PATIENCE, ended));
    (url, serving)
}
