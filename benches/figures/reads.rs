//! The way out: a year of percentiles, a page, what a window takes on disk, and what judging a series costs.

use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;

use crate::Effort;
use crate::database::{Database, Engine};
use crate::load;
use crate::process::{Server, longwatch, token};
use crate::table::{Bound, Table, median};
use crate::writes::upload;

/// Series of the small database and of the large one.
const SMALL: usize = 3;
const LARGE: usize = 300;
/// Days of history.
const DAYS: i64 = 365;
/// Values a day and series.
const DAILY: usize = 20;
/// Reads in one turn.
const READS: usize = 50;
/// Microseconds of a day.
pub(crate) const DAY_US: i64 = 86_400_000_000;

struct History {
    server: Server,
    series: String,
    _database: Database,
}

impl History {
    /// A year of daily windows of so many series.
    fn of(series: usize, engine: &Engine) -> History {
        let database = engine.database();
        let admin = token(&database, "admin");
        let server = Server::longwatch(&database);
        let now_us = jiff::Timestamp::now().as_microsecond();
        for day in 0..DAYS {
            let time = jiff::Timestamp::from_microsecond(now_us - (DAYS - day) * DAY_US);
            let time = time.expect("a time").to_string();
            let measurements: Vec<String> = (0..series).map(|at| measurement(at, day)).collect();
            let body = format!(
                r#"{{"source":"rum","release":"v{}","time":"{time}","measurements":[{}]}}"#,
                day / 10,
                measurements.join(",")
            );
            upload(server.address, &admin, &body);
        }
        let list = folded(&server, series);
        let id = list.split(r#""id":""#).nth(1).unwrap_or_default();
        History {
            series: id.chars().take_while(|c| *c != '"').collect(),
            server,
            _database: database,
        }
    }

    /// Processor time of the server for one read, milliseconds, after some that warm it up.
    fn cost_ms(&self, path: &str) -> f64 {
        let read = || {
            let answer = get(&self.server, path);
            assert!(answer.starts_with("HTTP/1.1 200"), "{path}: {answer}");
        };
        (0..5).for_each(|_| read());
        let before = self.server.cpu_s();
        (0..READS).for_each(|_| read());
        (self.server.cpu_s() - before) * 1e3 / READS as f64
    }

    fn points(&self) -> String {
        format!(
            "/api/v1/projects/bench/series/{}/points?by=day&q=0.75,0.99",
            self.series
        )
    }
}

fn measurement(series: usize, day: i64) -> String {
    let values: Vec<String> = (0..DAILY)
        .map(|at| (900 + (at * 37 + day as usize * 11 + series) % 400).to_string())
        .collect();
    format!(
        r#"{{"flow":"page-{series}","metric":"lcp","unit":"ms","basis":"op","values":[{}]}}"#,
        values.join(",")
    )
}

/// Waits until the fold has seen every series and rests; the list of them.
pub(crate) fn folded(server: &Server, series: usize) -> String {
    loop {
        let list = get(server, "/api/v1/projects/bench/series?limit=1000");
        let before = server.cpu_s();
        std::thread::sleep(Duration::from_millis(1_500));
        if list.matches(r#""flow":"#).count() >= series && server.cpu_s() - before < 0.05 {
            return list;
        }
    }
}

pub(crate) fn get(server: &Server, path: &str) -> String {
    let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    load::once(server.address, request.as_bytes())
}

/// A year of P75 and P99, the flow's page, and the same in a database a hundred times as large.
pub(crate) fn two_sizes(table: &mut Table, effort: Effort, engine: &Engine) {
    let (small, large) = (History::of(SMALL, engine), History::of(LARGE, engine));
    let (mut own, mut ratios, mut pages) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..effort.rounds {
        let (near, far) = (
            small.cost_ms(&small.points()),
            large.cost_ms(&large.points()),
        );
        own.push(near);
        ratios.push(far / near);
        pages.push(small.cost_ms("/bench/flows/page-0"));
    }
    table.row(
        "12 months of P75 and P99 of a series, ms of processor time",
        median(own),
        Bound::AtMost(2.0, 0.5),
    );
    table.row(
        "the page with its chart, ms of processor time",
        median(pages),
        Bound::AtMost(5.0, 2.0),
    );
    table.row(
        "that query over a 100 times larger database ÷ over a small one",
        median(ratios),
        Bound::AtMost(1.5, 1.1),
    );
}

/// What windows of ten thousand samples take in the database, with their indexes.
pub(crate) fn windows(table: &mut Table, engine: &Engine) {
    const WINDOWS: usize = 200;
    let database = engine.database();
    let ci = token(&database, "ci");
    let before = database.used_bytes();
    let server = Server::longwatch(&database);
    for window in 0..WINDOWS {
        let values: Vec<String> = normal(window as u64, 10_000)
            .iter()
            .map(|value| format!("{:.3}", 120.0 * (0.6 * value).exp()))
            .collect();
        let body = format!(
            r#"{{"source":"load","release":"v1","run":"one","measurements":[{{"flow":"f{window}","metric":"latency","unit":"ms","basis":"op","values":[{}]}}]}}"#,
            values.join(",")
        );
        upload(server.address, &ci, &body);
    }
    folded(&server, WINDOWS);
    drop(server);
    // One upload has a window of its run and a share in its release's.
    let all = (database.used_bytes() - before) / (2 * WINDOWS) as f64;
    table.row(
        "bytes in the database per window of 10,000 samples",
        database.windows_bytes() / (2 * WINDOWS) as f64,
        Bound::AtMost(3_000.0, 2_000.0),
    );
    table.note(&format!(
        "{all:.0} with the records of series, runs, uploads and keys, two windows each"
    ));
}

/// Judging series of a thousand rows, by the command that does so without a server.
pub(crate) fn detection(table: &mut Table) {
    const SERIES: u64 = 40;
    let home = TempDir::new().expect("a directory");
    for series in 0..SERIES {
        write_series(home.path(), series);
    }
    let found = longwatch(home.path())
        .args(["detect", "."])
        .output()
        .expect("detect");
    let text = String::from_utf8_lossy(&found.stdout);
    let runtime = text.split(r#""runtime_s":"#).nth(1).unwrap_or_default();
    let runtime_s: f64 = runtime
        .trim_start()
        .split([',', '\n', '}'])
        .next()
        .and_then(|number| number.trim().parse().ok())
        .expect("a time");
    table.row(
        "judging 1,000 points of a series, ms",
        runtime_s * 1e3 / SERIES as f64,
        Bound::AtMost(5.0, 1.0),
    );
}

/// A noisy level, and in every other series a step.
fn write_series(folder: &Path, series: u64) {
    let mut text = String::from("time,release,value\n");
    for (row, noise) in normal(series, 1_000).iter().enumerate() {
        let step = if series % 2 == 1 && row >= 600 {
            1.05
        } else {
            1.0
        };
        let value = 100.0 * step * (0.02 * noise).exp();
        let day = row as i64 * DAY_US;
        let time = jiff::Timestamp::from_microsecond(1_700_000_000_000_000 + day);
        text.push_str(&format!("{},v{row},{value:.4}\n", time.expect("a time")));
    }
    std::fs::write(folder.join(format!("s{series}.csv")), text).expect("a file");
}

/// Standard normal values by summing uniform ones; the same for a seed in every run.
pub(crate) fn normal(seed: u64, count: usize) -> Vec<f64> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(1);
    let mut uniform = move || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f64 / (1u64 << 24) as f64
    };
    (0..count)
        .map(|_| (0..12).map(|_| uniform()).sum::<f64>() - 6.0)
        .collect()
}
