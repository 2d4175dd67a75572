//! A project on a database of its own, served by the real program, which a fault may hit: with a client that sends again
//! until it knows, and a ledger of what was measured.

mod sound;

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use reqwest::{Client, Method};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use tempfile::TempDir;

use super::Fault;
use super::control::{Control, library};
use super::proxy::Proxy;
use crate::alert::receiver::{Reaction, Receiver};
use crate::deletion::rows::Rows;
use crate::ground::{Database, postgres_server};
use crate::process::{Process, token};

/// When every shop opens, on its server's clock: a Thursday, shortly after noon.
const OPENS: &str = "2026-11-12T12:05:00Z";
/// How far the server's clock may go until all work is done again: the longest claim lasts a minute, and what failed may
/// be put off as long.
const SETTLED_WITHIN: Duration = Duration::from_secs(240);
/// And how far it then goes on, so that what would be done twice is.
const STAYS_FOR: Duration = Duration::from_secs(60);
/// So often a client sends the same again.
const ATTEMPTS: usize = 80;
/// Files that no process touches.
const NO_FILES: &str = "/nowhere/";

/// How many values of each kind were measured, by flow and release.
type Ledger = BTreeMap<(String, String), BTreeMap<u64, i64>>;

/// A shop that was prepared and closed again, to be opened as often as needed.
pub(super) struct Template {
    database: Database,
    admin: String,
    rum: String,
    ledger: Ledger,
}

pub(super) struct Shop {
    pub(super) database: Database,
    pub(super) admin: String,
    pub(super) rum: String,
    pub(super) receiver: Receiver,
    /// What commands beside the server said.
    pub(super) said: Mutex<Value>,
    control: Arc<Control>,
    proxy: Option<Proxy>,
    process: tokio::sync::Mutex<Option<Process>>,
    client: Client,
    ledger: Mutex<Ledger>,
    /// What was told to be of no use to send again, which is never true of a fault.
    refused: Mutex<Vec<String>>,
}

/// A time before the shop opened.
pub(super) fn hours_ago(hours: i64) -> Timestamp {
    OPENS.parse::<Timestamp>().unwrap() - SignedDuration::from_hours(hours)
}

fn is_sqlite(engine: &str) -> bool {
    engine == "SQLite"
}

/// Which values a histogram has, and how often: each bucket is narrower than what lies between two of them.
fn values_of(buckets: &Value) -> BTreeMap<u64, i64> {
    let mut values = BTreeMap::new();
    for bucket in buckets.as_array().into_iter().flatten() {
        let at = |at: usize| bucket[at].as_f64().unwrap();
        let value = f64::midpoint(at(0), at(1)).round() as u64;
        *values.entry(value).or_default() += at(2) as i64;
    }
    values
}

async fn administer(statement: String) {
    let mut connection = PgConnection::connect(&postgres_server()).await.unwrap();
    connection.execute(AssertSqlSafe(statement)).await.unwrap();
    connection.close().await.unwrap();
}

fn name_of(url: &str) -> &str {
    url.rsplit_once('/').unwrap().1
}

/// A new database: empty, or with what `like` holds.
pub(super) async fn made(engine: &'static str, like: Option<&Database>) -> Database {
    let directory = TempDir::new().unwrap();
    let url = if is_sqlite(engine) {
        let file = directory.path().join("test.db");
        if let Some(like) = like {
            std::fs::copy(like.directory.path().join("test.db"), &file).unwrap();
        }
        format!("sqlite:{}", file.display())
    } else {
        let name = format!("t{}", uuid::Uuid::now_v7().simple());
        let template = like.map_or("template1", |like| name_of(&like.url));
        administer(format!("CREATE DATABASE {name} TEMPLATE {template}")).await;
        let server = postgres_server();
        format!("{}/{name}", server.rsplit_once('/').unwrap().0)
    };
    Database {
        url,
        engine,
        directory,
    }
}

/// Removes it.
pub(super) async fn gone(database: &Database) {
    if !is_sqlite(database.engine) {
        let name = name_of(&database.url);
        administer(format!("DROP DATABASE {name} WITH (FORCE)")).await;
    }
}

impl Template {
    /// Nothing, not even a schema.
    pub(super) async fn empty(engine: &'static str) -> Template {
        Template {
            database: made(engine, None).await,
            admin: String::new(),
            rum: String::new(),
            ledger: Ledger::new(),
        }
    }

    /// A project with two tokens.
    pub(super) async fn project(engine: &'static str) -> Template {
        let empty = Template::empty(engine).await;
        let (home, url) = (empty.database.directory.path(), &empty.database.url);
        let make = |scope| tokio::task::block_in_place(|| token(home, url, "shop", scope));
        Template {
            admin: make("admin"),
            rum: make("rum"),
            ..empty
        }
    }

    pub(super) async fn open(&self) -> Shop {
        let Database { engine, .. } = self.database;
        let database = made(engine, Some(&self.database).filter(|_| !self.is_empty())).await;
        let control = Arc::new(Control::new(database.directory.path(), hours_ago(0)));
        let proxy = if is_sqlite(engine) {
            None
        } else {
            Some(Proxy::before(&database.url, control.clone()).await)
        };
        Shop {
            admin: self.admin.clone(),
            rum: self.rum.clone(),
            receiver: Receiver::at("127.0.0.1:0", &[Reaction::Takes]).await,
            said: Mutex::new(Value::Null),
            process: tokio::sync::Mutex::new(None),
            client: Client::new(),
            ledger: Mutex::new(self.ledger.clone()),
            refused: Mutex::default(),
            database,
            control,
            proxy,
        }
    }

    fn is_empty(&self) -> bool {
        self.admin.is_empty()
    }

    pub(super) async fn remove(self) {
        gone(&self.database).await;
    }
}

impl Shop {
    pub(super) fn is_sqlite(&self) -> bool {
        self.proxy.is_none()
    }

    /// The database's address as the program is to use it.
    pub(super) fn url(&self) -> String {
        let straight = &self.database.url;
        let proxy = self.proxy.as_ref();
        proxy.map_or(straight, |proxy| &proxy.url).clone()
    }

    /// What a process of the program needs in its environment, to fail at these files.
    pub(super) fn environment(&self, files: &str) -> Vec<(&'static str, String)> {
        vec![
            ("LD_PRELOAD", library().display().to_string()),
            ("FAULTS_CONTROL", self.control.path.display().to_string()),
            ("FAULTS_FILES", files.to_owned()),
        ]
    }

    /// Makes sure that a server runs; its address.
    pub(super) async fn serve(&self) -> String {
        let file = self.database.url.strip_prefix("sqlite:");
        self.serve_watching(file.unwrap_or(NO_FILES)).await
    }

    /// The same for a server that no fault hits.
    pub(super) async fn serve_unhurt(&self) -> String {
        self.serve_watching(NO_FILES).await
    }

    async fn serve_watching(&self, files: &str) -> String {
        let mut process = self.process.lock().await;
        let mut why = String::new();
        for _ in 0..10 {
            if let Some(process) = process.as_mut()
                && !process.has_ended()
            {
                return process.url.clone();
            }
            let mut environment = self.environment(files);
            let route = format!("http://{}/alerts", self.receiver.address);
            environment.push(("LONGWATCH_ROUTE_TEST", route));
            let environment: Vec<_> = environment.iter().map(|(k, v)| (*k, v.as_str())).collect();
            let (home, url) = (self.database.directory.path(), self.url());
            let arguments = ["--allow-private-routes"];
            let start = || Process::try_serve(home, &url, &arguments, &environment);
            match tokio::task::block_in_place(start) {
                Ok(started) => *process = Some(started),
                Err(said) => why = said,
            }
        }
        panic!("no server stays: {why}");
    }

    /// From now on the call or round of this number is spoilt.
    pub(super) fn arm(&self, fault: Fault, number: u64) {
        match &self.proxy {
            Some(proxy) => proxy.arm(fault, number),
            None => self.control.arm(fault, number),
        }
    }

    pub(super) fn count_from_here(&self) {
        match &self.proxy {
            Some(proxy) => proxy.count_from_here(),
            None => self.control.count_from_here(),
        }
    }

    pub(super) fn count(&self) -> u64 {
        match &self.proxy {
            Some(proxy) => proxy.count(),
            None => self.control.count(),
        }
    }

    pub(super) fn has_fired(&self) -> bool {
        match &self.proxy {
            Some(proxy) => proxy.has_fired(),
            None => self.control.has_fired(),
        }
    }

    /// Puts the server's clocks forward.
    pub(super) fn advance(&self, by: Duration) {
        self.control.advance(by);
    }

    /// Waits for work that may be held up for longer than a test has patience, on the server's clock.
    async fn hurried<T>(&self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        for _ in 0..60 {
            match tokio::time::timeout(Duration::from_secs(1), &mut work).await {
                Ok(done) => return done,
                Err(_) => self.advance(Duration::from_secs(5)),
            }
        }
        panic!("no answer; {}", self.logged());
    }

    /// Sends a request as the program's own client does: again, under the same key, until an answer settles it.
    pub(super) async fn insist(
        &self,
        method: Method,
        path: &str,
        key: Option<&str>,
        body: String,
    ) -> Value {
        let mut is_unknown = false;
        for _ in 0..ATTEMPTS {
            let url = format!("{}{path}", self.serve().await);
            let mut request = self.client.request(method.clone(), url).body(body.clone());
            if !path.starts_with("/rum/") {
                request = request
                    .bearer_auth(&self.admin)
                    .header("content-type", "application/json");
            }
            if let Some(key) = key {
                request = request.header("idempotency-key", key);
            }
            let asked = async {
                let answer = request.send().await?;
                Ok::<_, reqwest::Error>((answer.status().as_u16(), answer.text().await?))
            };
            match self.hurried(asked).await {
                Err(_) => is_unknown = true,
                Ok((200..300, text)) => return serde_json::from_str(&text).unwrap_or_default(),
                Ok((408 | 429 | 502..=504 | 507, _)) => is_unknown = true,
                // What was deleted by an attempt whose answer was lost.
                Ok((404, _)) if is_unknown && method == Method::DELETE => return Value::Null,
                Ok((status, text)) => {
                    let told = format!("{method} {path}: {status} {text}");
                    self.refused.lock().unwrap().push(told);
                }
            }
            self.advance(Duration::from_secs(1));
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{method} {path} was never settled; {}", self.logged());
    }

    /// Something of the project's API.
    pub(super) async fn get(&self, path: &str) -> Value {
        let path = format!("/api/v1/projects/shop/{path}");
        self.insist(Method::GET, &path, None, String::new()).await
    }

    /// Uploads what a tool measured on flow `checkout`, and enters it in the ledger.
    pub(super) async fn upload(
        &self,
        source: &str,
        release: &str,
        run: &str,
        time: Timestamp,
        values: &[u64],
    ) -> Value {
        let mut body = json!({"source": source, "release": release, "time": time.to_string(), "measurements": [
            {"flow": "checkout", "metric": "latency", "unit": "ms", "basis": "op", "values": values}]});
        if source == "load" {
            body["run"] = json!(run);
        }
        let (path, key) = (
            "/api/v1/projects/shop/samples",
            format!("{source}-{release}-{run}"),
        );
        let answer = self
            .insist(Method::POST, path, Some(&key), body.to_string())
            .await;
        self.enter("checkout", release, values, 1);
        answer
    }

    /// Enters values into the ledger, or strikes them out.
    pub(super) fn enter(&self, flow: &str, release: &str, values: &[u64], times: i64) {
        let mut ledger = self.ledger.lock().unwrap();
        let entry = ledger.entry((flow.to_owned(), release.to_owned()));
        let counts = entry.or_default();
        for value in values {
            *counts.entry(*value).or_default() += times;
        }
        counts.retain(|_, count| *count != 0);
        ledger.retain(|_, counts| !counts.is_empty());
    }

    /// Whether no work waits, by the tables; and how many rows some have.
    pub(super) async fn rows(&self) -> (bool, BTreeMap<&'static str, u64>) {
        const WAITING: &[(&str, &str)] = &[
            ("journal", "journal"),
            ("deletion_journal", "deletion_journal"),
            ("deletions", "deletion WHERE done_us IS NULL"),
            ("deliveries", "delivery WHERE sent_us IS NULL"),
        ];
        const KEPT: &[(&str, &str)] = &[
            ("batch", "batch"),
            ("idempotency", "idempotency"),
            ("run", "run"),
            ("release", "release"),
            ("series", "series"),
            ("window", "series_window"),
            ("open report", "open_report"),
            ("finding", "finding"),
            ("delivery", "delivery"),
            ("verdict", "verdict"),
        ];
        let all: Vec<_> = WAITING.iter().chain(KEPT).collect();
        let counts: Vec<String> = all
            .iter()
            .map(|(_, rows)| format!("CAST((SELECT COUNT(*) FROM {rows}) AS TEXT)"))
            .collect();
        let rows = Rows::of(&self.database);
        let text = rows
            .texts(format!("SELECT {}", counts.join(" || ' ' || ")))
            .await;
        let counts = text[0].split(' ').map(|count| count.parse().unwrap());
        let mut counts: BTreeMap<&str, u64> =
            all.iter().map(|(name, _)| *name).zip(counts).collect();
        let is_quiet = WAITING.iter().all(|(name, _)| counts[name] == 0);
        counts.retain(|name, _| KEPT.iter().any(|(kept, _)| kept == name));
        (is_quiet, counts)
    }

    /// What the service knows, without what differs from one time to the next.
    pub(super) async fn document(&self) -> Value {
        let look = |is_looked_at| {
            if let Some(proxy) = &self.proxy {
                proxy.looked_at(is_looked_at);
            }
        };
        look(true);
        let document = self.read().await;
        look(false);
        document
    }

    async fn read(&self) -> Value {
        let mut all = serde_json::Map::new();
        let releases: Vec<String> = self
            .ledger
            .lock()
            .unwrap()
            .keys()
            .map(|(_, r)| r.clone())
            .collect();
        let list = self.get("series").await;
        for series in list["items"].as_array().into_iter().flatten() {
            let (id, flow) = (series["id"].as_str().unwrap(), &series["flow"]);
            let mut of_series = json!({"flow": flow, "source": series["source"]});
            for by in ["release", "day", "hour"] {
                let path = format!("series/{id}/points?by={by}&q=0.75");
                let mut points = self.get(&path).await["points"].take();
                for point in points.as_array_mut().into_iter().flatten() {
                    if by == "release" {
                        point["time"] = json!(null);
                    }
                }
                of_series[by] = points;
            }
            for release in &releases {
                if of_series["release"].as_array().is_some_and(|points| {
                    points
                        .iter()
                        .any(|point| point["release"] == release.as_str())
                }) {
                    let path = format!("series/{id}/histogram?release={release}");
                    let mut histogram = self.get(&path).await;
                    let values = values_of(&histogram["buckets"]);
                    histogram["buckets"] = json!(values);
                    of_series[release] = histogram;
                }
            }
            all.insert(format!("series {id}"), of_series);
        }
        for release in &releases {
            let runs = self.get(&format!("releases/{release}/runs")).await;
            all.insert(format!("runs of {release}"), runs);
        }
        let findings = self.get("findings").await;
        for finding in findings["items"].as_array().into_iter().flatten() {
            let path = format!("findings/{}", finding["id"].as_str().unwrap());
            let whole = self.get(&path).await;
            let sent: Vec<Value> = whole["deliveries"]
                .as_array()
                .into_iter()
                .flatten()
                .map(|delivery| {
                    json!([
                        delivery["event"],
                        delivery["route"],
                        delivery["sent"].is_string()
                    ])
                })
                .collect();
            let found =
                json!({"state": finding["state"], "series": finding["series"], "deliveries": sent});
            all.insert(format!("finding {}", finding["kind"]), found);
        }
        all.insert("rows".to_owned(), json!(self.rows().await.1));
        all.insert("said".to_owned(), self.said.lock().unwrap().clone());
        Value::Object(all)
    }

    /// Waits until no work waits and the service knows what it should; what it knows.
    pub(super) async fn settles(&self, what: &str, is: impl Fn(&Value) -> bool) -> Value {
        let mut document = Value::Null;
        let step = Duration::from_secs(5);
        for _ in 0..SETTLED_WITHIN.as_secs() / step.as_secs() {
            // Whatever is due wakes at the latest by a request.
            self.get("series").await;
            self.rests().await;
            let before = self.rows().await;
            if before.0 {
                document = self.document().await;
                let is_provisional = document.to_string().contains("\"provisional\":true");
                // What came while it was read is not in all of it.
                let is_of_one_moment = self.rows().await == before;
                if is_of_one_moment && !is_provisional && is(&document) {
                    return document;
                }
            }
            self.advance(step);
        }
        panic!(
            "{what} did not come: {:?}, {document}; {}",
            self.rows().await,
            self.logged()
        );
    }

    /// Waits until the service asks nothing of its database for a moment: then only time brings on what comes.
    async fn rests(&self) {
        for _ in 0..100 {
            let before = self.count();
            tokio::time::sleep(Duration::from_millis(40)).await;
            if self.count() == before {
                return;
            }
        }
    }

    /// The last lines of the server's log.
    fn logged(&self) -> String {
        let log = self.database.directory.path().join("serve.log");
        let log = std::fs::read_to_string(log).unwrap_or_default();
        let from = log.lines().count().saturating_sub(12);
        let last: Vec<&str> = log.lines().skip(from).collect();
        format!("it logged at last\n{}", last.join("\n"))
    }

    /// Goes on for a while, as long as anything could be done twice.
    pub(super) async fn go_on(&self) {
        for _ in 0..4 {
            self.advance(STAYS_FOR / 4);
            self.get("series").await;
            self.rests().await;
        }
    }

    /// Stops the server in order; the shop can be opened again as it is.
    pub(super) async fn close(self) -> Template {
        let Shop {
            database,
            admin,
            rum,
            process,
            ledger,
            ..
        } = self;
        if let Some(process) = process.into_inner() {
            tokio::task::block_in_place(|| {
                process.ask_to_stop();
                process.stopped();
            });
        }
        Template {
            database,
            admin,
            rum,
            ledger: ledger.into_inner().unwrap(),
        }
    }

    /// Ends everything.
    pub(super) async fn leave(self) {
        drop(self.process);
        gone(&self.database).await;
    }
}
