//! A steady load for a long time, and then a burst: memory and open descriptors stay level, and what was slow in the burst
//! is quick again after it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use reqwest::{Client, StatusCode};
use serde_json::json;

use crate::endurance::Endurance;
use crate::ground::of_engine;
use crate::process::{Process, token, within};
use crate::writers::{Writing, p99};

const WRITERS: usize = 4;
const REST: Duration = Duration::from_millis(20);
/// The burst has ten times as many writers, and they rest as little.
const BURST: usize = 10 * WRITERS;
/// How long the steady load lasts in the short form.
const SHORT: Duration = Duration::from_secs(10);
/// What the slope of memory would add over the second half of the time, at most; in an hour's soak 32 MiB an hour.
const MEMORY_KIB: f64 = 16.0 * 1_024.0;
/// The same of descriptors: some connections more or less to the database.
const DESCRIPTORS: f64 = 12.0;
/// Nobody waits longer for an answer under the steady load, 99 times of 100, even where the machine has other work.
const P99: Duration = Duration::from_secs(10);

/// Sends page views one after the other until told to stop; how many were taken, and how long each took.
async fn browse(url: String, rum: String, is_over: Arc<AtomicBool>) -> (u64, Vec<Duration>) {
    let client = Client::new();
    let (mut taken, mut latencies) = (0, Vec::new());
    while !is_over.load(Ordering::Relaxed) {
        let body = json!({"v": 1, "r": "v1", "pv": format!("{taken:012x}"), "s": 1, "f": "page", "d": "mobile",
            "n": "navigate", "m": [["LCP", 1_000 + taken % 3_000, format!("v5-{taken}"), 1]]});
        let began = Instant::now();
        let beacon = client
            .post(format!("{url}/rum/{rum}"))
            .body(body.to_string());
        if beacon.send().await.unwrap().status() == StatusCode::NO_CONTENT {
            latencies.push(began.elapsed());
            taken += 1;
        }
        tokio::time::sleep(REST).await;
    }
    (taken, latencies)
}

/// Reads lists and points until told to stop; how long each answer took.
async fn read(url: String, admin: String, is_over: Arc<AtomicBool>) -> Vec<Duration> {
    let client = Client::new();
    let mut latencies = Vec::new();
    let ask = async |path: &str| {
        let request = client.get(format!("{url}/api/v1/projects/shop/{path}"));
        request.bearer_auth(&admin).send().await.unwrap()
    };
    while !is_over.load(Ordering::Relaxed) {
        let began = Instant::now();
        let list: serde_json::Value = ask("series").await.json().await.unwrap();
        latencies.push(began.elapsed());
        for series in list["items"].as_array().into_iter().flatten().take(3) {
            let began = Instant::now();
            let path = format!("series/{}/points", series["id"].as_str().unwrap());
            let points = ask(&path).await;
            assert_eq!(points.status(), StatusCode::OK);
            points.bytes().await.unwrap();
            latencies.push(began.elapsed());
        }
        tokio::time::sleep(5 * REST).await;
    }
    latencies
}

/// What the Theil–Sen slope of the second half of some values adds over that half: the median of the slopes between all
/// pairs, so that single peaks weigh nothing.
fn growth(values: &[f64]) -> f64 {
    let half = &values[values.len() / 2..];
    let mut slopes = Vec::new();
    for (at, value) in half.iter().enumerate() {
        for (later, other) in half.iter().enumerate().skip(at + 1) {
            slopes.push((other - value) / (later - at) as f64);
        }
    }
    slopes.sort_unstable_by(f64::total_cmp);
    slopes[slopes.len() / 2] * half.len() as f64
}

#[test]
fn growth_is_what_a_line_adds_over_the_second_half_whatever_single_peaks_do() {
    let mut line: Vec<f64> = (0..100).map(|at| 5.0 + 2.0 * f64::from(at)).collect();
    line[70] = 1e9;
    assert!((growth(&line) - 100.0).abs() < 1e-9);
    assert!(growth(&[7.0; 20]).abs() < 1e-9);
}

async fn lasts_on(engine: &str) {
    let database = of_engine(engine).await;
    let endurance = Endurance::begin("soak", database.engine, SHORT);
    let home = database.directory.path();
    let admin = token(home, &database.url, "shop", "admin");
    let rum = token(home, &database.url, "shop", "rum");
    let server = Process::serve(home, &database.url, &[]);
    let is_over = Arc::new(AtomicBool::new(false));
    let browsing = tokio::spawn(browse(server.url.clone(), rum, is_over.clone()));
    let reading = tokio::spawn(read(server.url.clone(), admin.clone(), is_over.clone()));
    let writing = Writing::start([&server], &admin, WRITERS, REST);
    let (mut memory, mut descriptors) = (Vec::new(), Vec::new());
    // So that the longest soak has a few hundred values and the shortest enough.
    let every = (endurance.lasts() / 400).max(Duration::from_millis(200));
    while endurance.goes_on() {
        tokio::time::sleep(every).await;
        memory.push(server.memory_kib() as f64);
        descriptors.push(server.descriptors() as f64);
    }
    let steady = writing.p99();
    let before_burst = writing.acknowledged();
    let burst = Writing::start_beside(WRITERS, [&server], &admin, BURST, REST);
    tokio::time::sleep(endurance.lasts() / 10).await;
    let (in_burst, beside) = (burst.p99(), writing.p99());
    let peak = (server.memory_kib(), server.descriptors());
    burst.stop();
    tokio::time::sleep(endurance.lasts() / 10).await;
    let after = writing.p99();
    is_over.store(true, Ordering::Relaxed);
    let (views, of_views) = browsing.await.unwrap();
    let of_reads = reading.await.unwrap();
    let (memory_kib, files) = (growth(&memory), growth(&descriptors));
    println!(
        "{engine}: p99 of uploads {steady:?}, in a burst {in_burst:?} and {beside:?}, after it {after:?}; of beacons {:?}, \
         of reads {:?}; {before_burst} uploads before the burst",
        p99(of_views),
        p99(of_reads)
    );
    println!(
        "{engine}: {} KiB and {} descriptors at the end, {peak:?} in the burst; growth over the second half {memory_kib:.0} KiB, \
         {files:.1} descriptors",
        memory.last().unwrap(),
        descriptors.last().unwrap()
    );
    let client = Client::new();
    let list = server.get(&client, &admin, "series").await;
    let mut all = list["items"].as_array().unwrap().iter();
    let page = all.find(|series| series["flow"] == "page").unwrap();
    let path = format!(
        "series/{}/histogram?release=v1",
        page["id"].as_str().unwrap()
    );
    let histogram = server.get(&client, &admin, &path).await;
    let mut tally = writing.end(&server).await;
    let of_burst = burst.end(&server).await;
    tally.acknowledged += of_burst.acknowledged + views as usize;
    tally.refused += of_burst.refused;
    tally.unknown += of_burst.unknown;
    tally.lost += of_burst.lost;
    tally.doubled += of_burst.doubled;
    tally.compare(views, histogram["count"].as_u64().unwrap());
    let level = descriptors.last().unwrap() + DESCRIPTORS;
    within(
        Duration::from_secs(20),
        "the burst leaves no connection",
        async || ((server.descriptors() as f64) < level).then_some(()),
    )
    .await;
    endurance.tell(tally);
    assert!(memory_kib < MEMORY_KIB, "{engine}: memory grows");
    assert!(files < DESCRIPTORS, "{engine}: descriptors grow");
    assert!(
        steady < P99 && after < P99,
        "{engine}: {steady:?}, {after:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_and_descriptors_stay_level_under_a_long_load_on_sqlite() {
    lasts_on("SQLite").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_and_descriptors_stay_level_under_a_long_load_on_postgresql() {
    lasts_on("PostgreSQL").await;
}
