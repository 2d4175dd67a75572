//! The same uploads and beacons, each once and in order to one server, and each one to five times, in any order and at once
//! through three: all databases hold the same in the end.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use longwatch::clock::now_us;
use longwatch::folder;
use longwatch::stats::seeded::Seeded;
use longwatch::store::{Store, StoreError};
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};

use crate::differential::mask::Mask;
use crate::differential::pair::assert_same;
use crate::ground::{Database, PROJECT, of_engine};
use crate::process::{Process, token};
use crate::seeds::{below, each_seed, pick};

const HOUR_US: i64 = 3_600_000_000;
/// Clients that send at once.
const CLIENTS: usize = 8;
const UPLOADS: usize = 40;
const VIEWS: usize = 40;

/// Something to send, with the key that makes a repetition known for one.
#[derive(Debug, Clone)]
enum Sent {
    Upload {
        key: String,
        path: String,
        body: String,
    },
    Beacon(String),
}

fn upload(random: &mut Seeded, number: usize, past_us: i64) -> Sent {
    let flow = *pick(random, &["checkout", "search", "import"]);
    let (release, run) = (below(random, 3), below(random, 3));
    // Parts of one run that lie minutes apart.
    let at_us =
        past_us + (release * 3 + run) as i64 * HOUR_US + below(random, 30) as i64 * 60_000_000;
    let time = jiff::Timestamp::from_microsecond(at_us)
        .unwrap()
        .to_string();
    let values: Vec<f64> = (0..1 + below(random, 80))
        .map(|_| 100.0 * (1.0 + 0.2 * random.uniform()))
        .collect();
    let key = format!("key-{number}");
    if below(random, 6) == 0 {
        let times: Vec<f64> = values.iter().map(|value| value / 1e3).collect();
        // Runs of its own: a run is of the machine and tool that its first upload tells of.
        let path = format!("results?release=v{release}&run=h{run}&time={time}");
        let body = json!({"results": [{"command": flow, "mean": 0.1, "times": times}]});
        return Sent::Upload {
            key,
            path,
            body: body.to_string(),
        };
    }
    let payload = match below(random, 5) {
        0 => json!({"buckets": {"bounds": [50, 100, 110], "counts": [0, 3, values.len(), 1]}}),
        1 => json!({"value": values[0]}),
        2 => json!({"summary": {"count": 7, "mean": values[0], "stddev": 1.0}}),
        _ => json!({"values": values}),
    };
    let mut measurement = json!({"flow": flow, "metric": "latency", "unit": "ms"});
    let fields = measurement.as_object_mut().unwrap();
    fields.extend(payload.as_object().unwrap().clone());
    let source = *pick(random, &["load", "load", "bench", "telemetry"]);
    let body = json!({"source": source, "release": format!("v{release}"), "run": run.to_string(), "time": time,
        "measurements": [measurement]});
    Sent::Upload {
        key,
        path: "samples".to_owned(),
        body: body.to_string(),
    }
}

/// All reports of a page view: the last one has the highest number, whenever it comes.
fn view(random: &mut Seeded, number: usize) -> Vec<Sent> {
    let (flow, device) = (
        ["checkout", "search"][number % 2],
        ["mobile", "desktop"][number / 2 % 2],
    );
    (1..=1 + below(random, 3))
        .map(|sequence| {
            let lcp = 1_000 + 10 * below(random, 200);
            let beacon = json!({"v": 1, "r": format!("v{}", number % 3), "pv": format!("pv{number}"), "s": 1, "f": flow,
                "d": device, "n": "navigate", "m": [["LCP", lcp, format!("v5-{number}"), sequence],
                ["INP", lcp / 10, format!("v5-{number}-i"), sequence]]});
            Sent::Beacon(beacon.to_string())
        })
        .collect()
}

fn shuffle<T>(random: &mut Seeded, all: &mut [T]) {
    for end in (1..all.len()).rev() {
        all.swap(end, below(random, end + 1));
    }
}

/// Servers over one database, with a token and a beacon key.
struct Cluster {
    database: Database,
    servers: Vec<Process>,
    admin: String,
    key: String,
    mask: Mask,
    /// Uploads that were taken as new ones, and requests that had to be repeated.
    fresh: AtomicUsize,
    put_off: AtomicUsize,
}

impl Cluster {
    async fn start(engine: &str, servers: usize) -> Cluster {
        let mask = Mask::new();
        let database = of_engine(engine).await;
        let home = database.directory.path();
        let [admin, key] = ["admin", "rum"].map(|scope| token(home, &database.url, PROJECT, scope));
        let serve = |_| Process::serve(home, &database.url, &[]);
        Cluster {
            servers: (0..servers).map(serve).collect(),
            database,
            admin,
            key,
            mask,
            fresh: AtomicUsize::new(0),
            put_off: AtomicUsize::new(0),
        }
    }

    async fn send(&self, client: &Client, server: usize, sent: &Sent) {
        let url = &self.servers[server % self.servers.len()].url;
        loop {
            let request = match sent {
                Sent::Upload { key, path, body } => client
                    .post(format!("{url}/api/v1/projects/{PROJECT}/{path}"))
                    .bearer_auth(&self.admin)
                    .header("idempotency-key", key)
                    .body(body.clone()),
                Sent::Beacon(body) => client
                    .post(format!("{url}/rum/{}", self.key))
                    .body(body.clone()),
            };
            let answer = request.send().await.unwrap();
            match answer.status() {
                StatusCode::OK => {
                    let answer: Value = answer.json().await.unwrap();
                    let is_fresh = answer["duplicate"] == false;
                    self.fresh
                        .fetch_add(usize::from(is_fresh), Ordering::Relaxed);
                    return;
                }
                StatusCode::NO_CONTENT => return,
                StatusCode::SERVICE_UNAVAILABLE => {
                    self.put_off.fetch_add(1, Ordering::Relaxed);
                    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                }
                status => panic!("{status} to {sent:?}: {:?}", answer.text().await),
            }
        }
    }

    /// What the database holds once the servers have stopped, all is folded and all page views are closed: a line for
    /// each series, run, release and window, in no particular order.
    async fn state(mut self) -> String {
        for server in self.servers.drain(..) {
            server.ask_to_stop();
            server.stopped();
        }
        let (fresh, put_off) = (self.fresh.into_inner(), self.put_off.into_inner());
        println!(
            "{}: {fresh} uploads, {put_off} requests put off",
            self.database.engine
        );
        assert_eq!(
            fresh, UPLOADS,
            "{}: of each upload one is new",
            self.database.engine
        );
        let store = Store::open(&self.database.url).await.unwrap();
        store.end_claims_of_the_dead().await.unwrap();
        folder::round(&store, "test").await.unwrap();
        let project = store.project_for_administration(PROJECT).await.unwrap();
        let later_us = now_us() + 2 * HOUR_US;
        let lease = store.lease(&project, "fold", "test", later_us).await;
        let lease = lease.unwrap().unwrap();
        while store.fold(&lease, later_us).await.unwrap().more {}
        let mut lines = BTreeSet::new();
        let exported = store.export(&project, |kind, rows| {
            if ["series", "runs", "releases", "windows", "dropped"].contains(&kind) {
                for row in rows {
                    let line = format!("{kind} {}", in_no_order(row));
                    assert!(lines.insert(self.mask.hide(&line)), "twice: {line}");
                }
            }
            Ok::<(), StoreError>(())
        });
        exported.await.unwrap();
        store.close().await;
        lines.into_iter().collect::<Vec<String>>().join("\n")
    }
}

/// A row without the order in which its contents came.
fn in_no_order(row: &Value) -> Value {
    let mut row = row.clone();
    for field in ["exact", "explicit", "summaries"] {
        if let Some(list) = row.get_mut(field).and_then(Value::as_array_mut) {
            list.sort_by_key(Value::to_string);
        }
    }
    row
}

async fn in_order(cluster: Cluster, all: &[Sent]) -> String {
    let client = Client::new();
    for sent in all {
        cluster.send(&client, 0, sent).await;
    }
    cluster.state().await
}

async fn in_any_order(cluster: Cluster, all: &[Sent], random: &mut Seeded) -> String {
    let mut many: Vec<(usize, Sent)> = all
        .iter()
        .flat_map(|sent| {
            let times = 1 + below(random, 5);
            (0..times)
                .map(|_| (below(random, 3), sent.clone()))
                .collect::<Vec<_>>()
        })
        .collect();
    shuffle(random, &mut many);
    let (cluster, many) = (Arc::new(cluster), Arc::new(many));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|number| {
            let (cluster, many) = (cluster.clone(), many.clone());
            tokio::spawn(async move {
                let client = Client::new();
                for (server, sent) in many.iter().skip(number).step_by(CLIENTS) {
                    cluster.send(&client, *server, sent).await;
                }
            })
        })
        .collect();
    for client in clients {
        client.await.unwrap();
    }
    let cluster = Arc::into_inner(cluster).unwrap();
    cluster.state().await
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_sent_again_in_any_order_through_three_instances_ends_in_the_same_state() {
    each_seed(&[1], async |seed| {
        // What real users send is told by the hour in which it is heard.
        loop {
            let hour = now_us() / HOUR_US;
            let mut random = Seeded::new(seed);
            let past_us = (hour - 20) * HOUR_US;
            let mut all: Vec<Sent> = (0..UPLOADS)
                .map(|number| upload(&mut random, number, past_us))
                .collect();
            all.extend((0..VIEWS).flat_map(|number| view(&mut random, number)));
            let wanted = in_order(Cluster::start("SQLite", 1).await, &all).await;
            let three = Cluster::start("PostgreSQL", 3).await;
            let three = in_any_order(three, &all, &mut random).await;
            let one = Cluster::start("SQLite", 1).await;
            let one = in_any_order(one, &all, &mut random).await;
            if now_us() / HOUR_US == hour {
                assert!(wanted.lines().count() > 50, "{wanted}");
                assert_same("in order, and through three", &wanted, &three);
                assert_same("in order, and in any order", &wanted, &one);
                return;
            }
        }
    })
    .await;
}
