//! Clocks that are wrong by an hour, or set back while the server runs: nothing acknowledged is lost or counted twice,
//! and nobody's work waits for another's clock.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use reqwest::{Client, Method, StatusCode};
use serde_json::json;

use crate::endurance::Endurance;
use crate::ground::{Database, of_engine};
use crate::process::{Process, run, token, within};
use crate::writers::Writing;

const HOUR_S: i64 = 3_600;
const WRITERS: usize = 6;
const REST: Duration = Duration::from_millis(10);
/// How long each stretch under one time lasts, and how many there are at least.
const STRETCH: Duration = Duration::from_millis(1_500);
const STRETCHES: usize = 4;

/// A clock that is wrong by as much as stands in a file.
struct Clock {
    file: PathBuf,
    library: String,
}

impl Clock {
    fn new(home: &Path, name: &str, seconds: i64) -> Clock {
        let clock = Clock {
            file: home.join(name),
            library: library(),
        };
        clock.set(seconds);
        clock
    }

    fn set(&self, seconds: i64) {
        let draft = self.file.with_extension("draft");
        std::fs::write(&draft, format!("{seconds:+}\n")).unwrap();
        std::fs::rename(draft, &self.file).unwrap();
    }

    /// A server that goes by this clock.
    fn serve(&self, database: &Database) -> Process {
        let environment = [
            ("LD_PRELOAD", self.library.as_str()),
            ("FAKETIME_TIMESTAMP_FILE", self.file.to_str().unwrap()),
            ("FAKETIME_NO_CACHE", "1"),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
        ];
        Process::serve_with(database.directory.path(), &database.url, &[], &environment)
    }
}

/// libfaketime, where the environment says or Debian puts it.
fn library() -> String {
    if let Ok(library) = std::env::var("LONGWATCH_TEST_FAKETIME") {
        return library;
    }
    let folders = std::fs::read_dir("/usr/lib").into_iter().flatten();
    let mut candidates =
        folders.map(|folder| folder.unwrap().path().join("faketime/libfaketimeMT.so.1"));
    let found = candidates.find(|library| library.exists());
    let found = found.expect("libfaketime is missing: run the tests with tests/run");
    found.to_str().unwrap().to_owned()
}

/// Sends one report of a page view to a server.
async fn report(client: &Client, server: &Process, rum: &str, view: usize, sequence: u32) {
    let body = json!({"v": 1, "r": "v1", "pv": format!("{view:012x}"), "s": sequence, "f": "page", "d": "mobile",
        "n": "navigate", "m": [["LCP", 1_000 + sequence, format!("v5-{view}"), sequence]]});
    within(Duration::from_secs(10), "a beacon is taken", async || {
        let beacon = client.post(format!("{}/rum/{rum}", server.url));
        let answer = beacon.body(body.to_string()).send().await.ok()?;
        (answer.status() == StatusCode::NO_CONTENT).then_some(())
    })
    .await;
}

/// Sends a measurement of the field with a time of its own.
async fn measured_at(client: &Client, server: &Process, admin: &str, time: Timestamp, n: usize) {
    let body = json!({"source": "telemetry", "release": "v1", "time": time.to_string(), "measurements": [
        {"flow": "job", "metric": "latency", "unit": "ms", "basis": "op", "values": [5]}]});
    let answer = server
        .api(client, admin, Method::POST, "samples")
        .header("idempotency-key", format!("job-{n}"))
        .json(&body)
        .send()
        .await
        .unwrap();
    assert_eq!(
        answer.status(),
        StatusCode::OK,
        "{}",
        answer.text().await.unwrap()
    );
}

/// A flow's counts by hour.
async fn by_hour(client: &Client, server: &Process, admin: &str, flow: &str) -> BTreeMap<i64, u64> {
    let list = server.get(client, admin, "series").await;
    let items = list["items"].as_array().unwrap();
    let series = items.iter().find(|series| series["flow"] == flow).unwrap();
    let path = format!(
        "series/{}/points?by=hour&q=0.75",
        series["id"].as_str().unwrap()
    );
    let points = server.get(client, admin, &path).await;
    let mut hours = BTreeMap::new();
    for point in points["points"].as_array().unwrap() {
        let time: Timestamp = point["time"].as_str().unwrap().parse().unwrap();
        *hours.entry(time.as_second()).or_default() += point["count"].as_u64().unwrap();
    }
    hours
}

fn hour_of(time: Timestamp) -> i64 {
    time.as_second().div_euclid(HOUR_S) * HOUR_S
}

#[tokio::test(flavor = "multi_thread")]
async fn with_one_clock_fast_and_one_slow_everything_counts_once_and_in_its_hour() {
    let database = of_engine("PostgreSQL").await;
    let endurance = Endurance::begin("clock", database.engine, Duration::ZERO);
    let home = database.directory.path();
    let client = Client::new();
    let admin = token(home, &database.url, "shop", "admin");
    let rum = token(home, &database.url, "shop", "rum");
    let for_a_day = for_a_day(&database);
    let fast = Clock::new(home, "fast", HOUR_S);
    let slow = Clock::new(home, "slow", -HOUR_S);
    let servers = [
        fast.serve(&database),
        Process::serve(home, &database.url, &[]),
        slow.serve(&database),
    ];
    let began = Timestamp::now();
    let writing = Writing::start(&servers, &admin, WRITERS, REST);
    let (mut stretches, mut views, mut jobs) = (0, 0, 0);
    while stretches < STRETCHES || endurance.goes_on() {
        for server in &servers {
            let list = server.api(&client, &for_a_day, Method::GET, "series");
            assert_eq!(list.send().await.unwrap().status(), StatusCode::OK);
        }
        // Each page view is heard of by two instances, in any order of their clocks.
        for (first, second) in [(0, 1), (1, 0), (1, 2), (2, 0), (0, 2)] {
            report(&client, &servers[first], &rum, views, 1).await;
            report(&client, &servers[second], &rum, views, 2).await;
            views += 1;
        }
        let time = began - jiff::SignedDuration::from_hours(5);
        for server in &servers {
            measured_at(&client, server, &admin, time, jobs).await;
            jobs += 1;
        }
        tokio::time::sleep(STRETCH).await;
        // The fast clock is put right, and wrong again.
        stretches += 1;
        fast.set(if stretches % 2 == 0 { HOUR_S } else { 0 });
    }
    let tally = writing.end(&servers[1]).await;
    // What says its time counts in it.
    let hours = by_hour(&client, &servers[1], &admin, "job").await;
    let said = hour_of(began - jiff::SignedDuration::from_hours(5));
    assert_eq!(hours, BTreeMap::from([(said, jobs as u64)]));
    // What does not counts when it came, by the clock of who took it.
    let hours = by_hour(&client, &servers[1], &admin, "page").await;
    assert_eq!(hours.values().sum::<u64>(), views as u64, "{hours:?}");
    let first = hour_of(began) - HOUR_S;
    let last = hour_of(Timestamp::now()) + HOUR_S;
    assert!(
        hours.keys().all(|hour| (first..=last).contains(hour)),
        "{hours:?}"
    );
    endurance.tell(tally);
}

/// A token that ends in a day.
fn for_a_day(database: &Database) -> String {
    let home = database.directory.path();
    let url = database.url.as_str();
    let create = ["token", "create", "--database", url, "--project", "shop"];
    let output = run(
        home,
        &[&create[..], &["--scope", "read", "--expires", "1d"]].concat(),
    );
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fast_instance_that_died_with_its_lease_holds_nobody_up_for_an_hour() {
    let database = of_engine("PostgreSQL").await;
    let home = database.directory.path();
    let admin = token(home, &database.url, "shop", "admin");
    let fast = Clock::new(home, "fast", HOUR_S);
    let mut server = fast.serve(&database);
    let writing = Writing::start([&server], &admin, WRITERS, Duration::ZERO);
    let leases = sqlx::PgPool::connect(&database.url).await.unwrap();
    let is_held = async || {
        let (until_us,): (i64,) =
            sqlx::query_as("SELECT COALESCE(MAX(until_us), 0) FROM lease WHERE kind = 'fold'")
                .fetch_one(&leases)
                .await
                .unwrap();
        until_us > Timestamp::now().as_microsecond() + HOUR_S * 1_000_000 / 2
    };
    loop {
        within(Duration::from_secs(20), "the fast one folds", async || {
            is_held().await.then_some(())
        })
        .await;
        server.kill();
        if is_held().await {
            break;
        }
        server = fast.serve(&database);
        writing.moves(0, &server);
    }
    let right = Process::serve(home, &database.url, &[]);
    writing.moves(0, &right);
    let tally = writing.end(&right).await;
    assert_eq!((tally.lost, tally.doubled), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_set_back_while_a_single_server_runs_loses_nothing() {
    let database = of_engine("SQLite").await;
    let endurance = Endurance::begin("clock", database.engine, Duration::ZERO);
    let home = database.directory.path();
    let admin = token(home, &database.url, "shop", "admin");
    let clock = Clock::new(home, "clock", HOUR_S);
    let mut server = clock.serve(&database);
    let writing = Writing::start([&server], &admin, WRITERS, REST);
    let mut stretches = 0;
    while stretches < STRETCHES || endurance.goes_on() {
        tokio::time::sleep(STRETCH).await;
        stretches += 1;
        // Fast, right, slow, restarted while it is slow, and fast again.
        match stretches % 4 {
            0 => clock.set(HOUR_S),
            1 => clock.set(0),
            2 => clock.set(-HOUR_S),
            _ => {
                server.kill();
                server = clock.serve(&database);
                writing.moves(0, &server);
            }
        }
    }
    endurance.tell(writing.end(&server).await);
}
