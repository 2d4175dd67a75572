//! InfluxDB, with a write-ahead log that is flushed before each answer, as Longwatch's is.

use std::fmt::Write;
use std::io;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use tempfile::TempDir;

use crate::Effort;
use crate::database::Engine;
use crate::load::{self, request};
use crate::process::{Server, free_address};
use crate::reads::{DAY_US, folded, get, normal};
use crate::table::{Bound, Table, median};
use crate::writes::{BATCH, BATCHES, FEW, Fresh, MANY, turn, upload, uploads};

/// Days of the trend, and the measurements behind it.
const DAYS: i64 = 180;
const MEASUREMENTS: i64 = 1_000_000;
/// Where points are written; times in nanoseconds.
const WRITE: &str = "/write?db=bench&precision=ns";

/// Single points, batches and a trend.
pub(super) fn measure(table: &mut Table, effort: Effort) {
    let home = TempDir::new().expect("a directory");
    let influx = match start(&home) {
        Ok(influx) => influx,
        Err(error) => {
            table.note(&format!(
                "InfluxDB is left out: {error}; Debian has it as the package influxdb"
            ));
            return;
        }
    };
    let fresh = Fresh::start(&Engine::Sqlite);
    singles(table, effort, &influx, &fresh);
    batches(table, effort, &influx, &fresh);
    trend(table, effort, &influx);
}

fn start(home: &TempDir) -> io::Result<Server> {
    let version = Command::new("influxd").arg("version").output()?;
    let version = String::from_utf8_lossy(&version.stdout).into_owned();
    if !version.contains("InfluxDB v1.") {
        return Err(io::Error::other(format!("influxd is {version:?}, not 1.x")));
    }
    let (http, rpc) = (free_address()?, free_address()?);
    let folder = home.path().display();
    let settings = format!(
        "reporting-disabled = true\nbind-address = \"{rpc}\"\n\
         [meta]\ndir = \"{folder}/meta\"\n\
         [data]\ndir = \"{folder}/data\"\nwal-dir = \"{folder}/wal\"\nwal-fsync-delay = \"0s\"\n\
         [http]\nbind-address = \"{http}\"\nlog-enabled = false\n\
         [monitor]\nstore-enabled = false\n"
    );
    let file = home.path().join("influxdb.conf");
    std::fs::write(&file, settings)?;
    let mut command = Command::new("influxd");
    command
        .args(["run", "-config"])
        .arg(&file)
        .env("HOME", home.path());
    let server = Server::listening(&mut command, http);
    let made = request(
        "/query?q=CREATE+DATABASE+bench",
        &[("connection", "close")],
        b"",
    );
    let answer = load::once(server.address, &made);
    if answer.starts_with("HTTP/1.1 200") {
        Ok(server)
    } else {
        Err(io::Error::other(answer))
    }
}

/// One measurement a request.
fn singles(table: &mut Table, effort: Effort, influx: &Server, fresh: &Fresh) {
    for connections in [MANY, FEW] {
        let point = |connection: usize, turn: u64| {
            let page = (connection as u64 + turn) % 10;
            let time_ns = next_second() * 1_000_000_000;
            let line = format!("lcp,flow=page-{page} value=1180 {time_ns}");
            request(WRITE, &[], line.as_bytes())
        };
        let (mut ratios, mut rates) = (Vec::new(), Vec::new());
        for round in 0..=effort.rounds {
            let (theirs, _) = turn(influx, connections, effort, point);
            let (ours, _) = turn(&fresh.server, connections, effort, fresh.beacons(10));
            assert_eq!(theirs.refused, 0, "InfluxDB refused points");
            if round > 0 {
                ratios.push(ours.per_second / theirs.per_second);
                rates.push((ours.per_second, theirs.per_second));
            }
        }
        table.row(
            &format!("durable single measurements ÷ InfluxDB's, {connections} connections"),
            median(ratios),
            Bound::AtLeast(2.0, 4.0),
        );
        said(table, &rates, "a second");
    }
}

/// Ten thousand measurements a request.
fn batches(table: &mut Table, effort: Effort, influx: &Server, fresh: &Fresh) {
    let lines = Lines::new();
    let ours = uploads("/api/v1/projects/bench/samples", &fresh.ci, "telemetry");
    let (mut ratios, mut rates) = (Vec::new(), Vec::new());
    for round in 0..=effort.rounds {
        let lines = lines.clone();
        let (theirs, _) = turn(influx, BATCHES, effort, move |_, _| {
            request(WRITE, &[], &lines.at(next_second()))
        });
        let (ours, _) = turn(&fresh.server, BATCHES, effort, ours.clone());
        assert_eq!(theirs.refused + ours.refused, 0, "batches were refused");
        if round > 0 {
            ratios.push(ours.per_second / theirs.per_second);
            let million = BATCH as f64 / 1e6;
            rates.push((ours.per_second * million, theirs.per_second * million));
        }
    }
    table.row(
        &format!("durable batches of 10,000 ÷ InfluxDB's, {BATCHES} connections"),
        median(ratios),
        Bound::AtLeast(10.0, 40.0),
    );
    said(table, &rates, "million measurements a second");
}

/// P75 and P99 of each of 180 days over a million measurements of one series.
fn trend(table: &mut Table, effort: Effort, influx: &Server) {
    let engine = Engine::Sqlite;
    let database = engine.database();
    let admin = crate::process::token(&database, "admin");
    let server = Server::longwatch(&database);
    let from_us = jiff::Timestamp::now().as_microsecond() / DAY_US * DAY_US - DAYS * DAY_US;
    let each = MEASUREMENTS / DAYS;
    for day in 0..DAYS {
        let start_us = from_us + day * DAY_US;
        let (mut lines, mut values) = (String::new(), Vec::new());
        for (at, noise) in (0..each).zip(normal(day as u64, each as usize)) {
            let value = 1_200.0 * (0.6 * noise).exp();
            let time_ns = (start_us + at * (DAY_US / each)) * 1_000;
            let _ = writeln!(lines, "trend value={value:.1} {time_ns}");
            values.push(format!("{value:.1}"));
        }
        let written = request(WRITE, &[("connection", "close")], lines.as_bytes());
        let answer = load::once(influx.address, &written);
        assert!(answer.starts_with("HTTP/1.1 204"), "{answer}");
        let time = jiff::Timestamp::from_microsecond(start_us).expect("a time");
        let body = format!(
            r#"{{"source":"rum","release":"v1","time":"{time}","measurements":[{{"flow":"home","metric":"lcp","unit":"ms","basis":"op","values":[{}]}}]}}"#,
            values.join(",")
        );
        upload(server.address, &admin, &body);
    }
    let list = folded(&server, 1);
    let id: String = list
        .split(r#""id":""#)
        .nth(1)
        .unwrap_or_default()
        .chars()
        .take_while(|c| *c != '"')
        .collect();
    let ours = format!("/api/v1/projects/bench/series/{id}/points?by=day&q=0.75,0.99");
    let theirs = format!(
        "/query?db=bench&q=SELECT+percentile(value,75),percentile(value,99)+FROM+trend\
         +WHERE+time+>=+{from_us}u+GROUP+BY+time(1d)"
    )
    .replace('>', "%3E")
    .replace("%3E=", "%3E%3D");
    let timed = |server: &Server, path: &str| {
        let began = Instant::now();
        let answer = get(server, path);
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        began.elapsed().as_secs_f64() * 1e3
    };
    let (mut ratios, mut times) = (Vec::new(), Vec::new());
    for round in 0..=effort.rounds {
        let (theirs, ours) = (timed(influx, &theirs), timed(&server, &ours));
        if round > 0 {
            ratios.push(theirs / ours);
            times.push((ours, theirs));
        }
    }
    table.row(
        "InfluxDB's time for P75, P99 of 180 days of 1 M points ÷ ours",
        median(ratios),
        Bound::AtLeast(200.0, 1_000.0),
    );
    said(table, &times, "ms until answered");
}

fn said(table: &Table, both: &[(f64, f64)], unit: &str) {
    let (ours, theirs) = both.iter().copied().unzip();
    let (ours, theirs) = (median(ours), median(theirs));
    table.note(&format!("{ours:.2} against {theirs:.2} {unit}"));
}

/// A second that no other request has: what has a time that was there before is overwritten.
fn next_second() -> u64 {
    static TAKEN: AtomicU64 = AtomicU64::new(0);
    1_600_000_000 + TAKEN.fetch_add(1, Ordering::Relaxed)
}

/// Ten thousand lines of one length, so that only their times differ between requests.
#[derive(Clone)]
struct Lines {
    text: Vec<u8>,
    length: usize,
}

impl Lines {
    fn new() -> Lines {
        let mut text = String::new();
        for (at, noise) in normal(7, BATCH).iter().enumerate() {
            let value = 1_000.0 + 120.0 * (0.6 * noise).exp();
            let _ = writeln!(
                text,
                "latency,flow=checkout value={value:.3} 1600000000{at:09}"
            );
        }
        let length = text.len() / BATCH;
        Lines {
            text: text.into_bytes(),
            length,
        }
    }

    /// With times in this second.
    fn at(&self, second: u64) -> Vec<u8> {
        let mut text = self.text.clone();
        let digits = second.to_string();
        // The second's ten digits, the nanosecond's nine and the line's end.
        for line in text.chunks_exact_mut(self.length) {
            let start = self.length - 20;
            line[start..start + 10].copy_from_slice(digits.as_bytes());
        }
        text
    }
}
