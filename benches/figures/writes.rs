//! The way in: single beacons and large batches, durable before they are answered.

use std::net::SocketAddr;
use std::process::Command;

use crate::database::{Database, Engine};
use crate::load::{self, Seen, request};
use crate::process::{Server, apply, token};
use crate::reads::DAY_US;
use crate::table::{Bound, Table, median};
use crate::{Effort, ceiling};

/// What the web-vitals library 5 sends of a page view, but for its id.
const BEACON: &str = r#"{"name":"LCP","value":1180,"rating":"good","delta":1180,"entries":[{"name":"","entryType":"largest-contentful-paint","startTime":1180,"duration":0,"size":8064,"renderTime":1180,"loadTime":0,"id":"","url":""}],"id":"v5-1795293401969-ID","navigationType":"navigate"}"#;
/// Connections for the two rows of single beacons.
pub(crate) const MANY: usize = 512;
pub(crate) const FEW: usize = 64;
/// Values of a large upload.
pub(crate) const BATCH: usize = 10_000;
/// Uploads in flight.
pub(crate) const BATCHES: usize = 64;
/// Series of the row about many.
const SERIES: usize = 10_000;

/// A server with a fresh database and a key for beacons.
pub(crate) struct Fresh {
    pub(crate) server: Server,
    pub(crate) key: String,
    pub(crate) ci: String,
    database: Database,
}

impl Fresh {
    /// With room for as many flows as the bench makes.
    pub(crate) fn start(engine: &Engine) -> Fresh {
        let database = engine.database();
        let key = token(&database, "rum");
        let ci = token(&database, "ci");
        let admin = token(&database, "admin");
        let server = Server::longwatch(&database);
        let limits = "[project]\nname = \"bench\"\n\n[project.limits]\nseries = 20000\nundeclared_rum_flows = 20000\n";
        apply(&database, &server, &admin, limits);
        Fresh {
            server,
            key,
            ci,
            database,
        }
    }

    /// One beacon of a page, with an id that no other has.
    pub(crate) fn beacons(
        &self,
        pages: usize,
    ) -> impl Fn(usize, u64) -> Vec<u8> + Clone + Send + 'static {
        let path = format!("/rum/{}", self.key);
        move |connection, turn| beacon(&path, connection, turn, pages)
    }
}

fn beacon(path: &str, connection: usize, turn: u64, pages: usize) -> Vec<u8> {
    let body = BEACON.replace("ID", &format!("{connection:04}{turn:010}"));
    let page = (connection as u64)
        .wrapping_mul(7_919)
        .wrapping_add(turn.wrapping_mul(104_729))
        % pages as u64;
    let referer = format!("https://shop.example/page-{page}");
    let headers = [
        ("content-type", "text/plain;charset=UTF-8"),
        ("origin", "https://shop.example"),
        ("referer", referer.as_str()),
        (
            "user-agent",
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36",
        ),
    ];
    request(path, &headers, body.as_bytes())
}

pub(crate) fn ceilings() -> Server {
    let own = std::env::current_exe().expect("this binary");
    Server::start(Command::new(own).arg(ceiling::ARGUMENT))
}

/// One server's turn: what the load saw, and the server's processor time per answer, microseconds.
pub(crate) fn turn(
    server: &Server,
    connections: usize,
    effort: Effort,
    make: impl Fn(usize, u64) -> Vec<u8> + Clone + Send + 'static,
) -> (Seen, f64) {
    let before = server.cpu_s();
    let seen = load::run(server.address, connections, effort.turn, make);
    let cpu_us = (server.cpu_s() - before) * 1e6 / seen.answers.max(1) as f64;
    (seen, cpu_us)
}

/// Single beacons against the handler that only takes the body.
pub(crate) fn beacons(table: &mut Table, effort: Effort, engine: &Engine) {
    let (fresh, ceiling) = (Fresh::start(engine), ceilings());
    for connections in [MANY, FEW] {
        let (mut rates, mut cpus, mut notes) = (Vec::new(), Vec::new(), Vec::new());
        for round in 0..=effort.rounds {
            let (bare, bare_cpu_us) = turn(&ceiling, connections, effort, |connection, turn| {
                beacon("/empty", connection, turn, 10)
            });
            let before_s = fresh.database.backends_cpu_s();
            let (ours, cpu_us) = turn(&fresh.server, connections, effort, fresh.beacons(10));
            let backends_s = fresh.database.backends_cpu_s() - before_s;
            let backends_us = backends_s * 1e6 / ours.answers.max(1) as f64;
            // The first round warms both up.
            if round > 0 {
                rates.push(ours.per_second / bare.per_second);
                cpus.push(cpu_us / bare_cpu_us);
                notes.push((ours, bare, cpu_us, bare_cpu_us, backends_us));
            }
        }
        let told = |pick: fn(&(Seen, Seen, f64, f64, f64)) -> f64| {
            median(notes.iter().map(pick).collect::<Vec<f64>>())
        };
        let refused: u64 = notes.iter().map(|(ours, ..)| ours.refused).sum();
        if connections == MANY {
            table.row(
                "processor time per durable beacon ÷ empty handler, 512 connections",
                median(cpus),
                Bound::AtMost(1.8, 1.4),
            );
        }
        let bound = if connections == MANY {
            Bound::AtLeast(0.60, 0.80)
        } else {
            Bound::AtLeast(0.55, 0.80)
        };
        let what = format!("durable beacons a second ÷ empty handler, {connections} connections");
        table.row(&what, median(rates), bound);
        table.note(&format!(
            "{:.0}/s and {:.1} µs of processor time each{}, against {:.0}/s and {:.1} µs; {refused} refused",
            told(|note| note.0.per_second),
            told(|note| note.2),
            match told(|note| note.4) {
                0.0 => String::new(),
                backends_us => format!(" and {backends_us:.1} µs of the database server's"),
            },
            told(|note| note.1.per_second),
            told(|note| note.3),
        ));
    }
}

/// Uploads of ten thousand values against the handler that only parses them into a vector: of a service's telemetry, and
/// of load tests, each a run of its own.
pub(crate) fn batches(table: &mut Table, effort: Effort, engine: &Engine) {
    for (source, what, bound) in [
        (
            "telemetry",
            "durable batches of 10,000 samples ÷ parsing them into a Vec",
            Bound::AtLeast(0.6, 1.0),
        ),
        (
            "load",
            "the same, each a run with records of its own",
            Bound::AtLeast(0.3, 0.6),
        ),
    ] {
        let (fresh, ceiling) = (Fresh::start(engine), ceilings());
        let mut ratios = Vec::new();
        let mut rates = Vec::new();
        for round in 0..=effort.rounds {
            let parse = uploads("/parse", &fresh.ci, source);
            let (bare, _) = turn(&ceiling, BATCHES, effort, parse);
            let store = uploads("/api/v1/projects/bench/samples", &fresh.ci, source);
            let (ours, _) = turn(&fresh.server, BATCHES, effort, store);
            if round > 0 {
                assert_eq!(ours.refused, 0, "uploads were refused");
                ratios.push(ours.per_second / bare.per_second);
                rates.push(ours.per_second * BATCH as f64 / 1e6);
            }
        }
        table.row(what, median(ratios), bound);
        table.note(&format!("{:.2} million samples a second", median(rates)));
    }
}

/// Uploads of ten thousand values, none of them twice the same: each a run of its own, or of a time of its own.
pub(crate) fn uploads(
    path: &'static str,
    token: &str,
    source: &'static str,
) -> impl Fn(usize, u64) -> Vec<u8> + Clone + Send + use<> + 'static {
    let authorization = format!("Bearer {token}");
    let values = values();
    let midnight_us = jiff::Timestamp::now().as_microsecond().div_euclid(DAY_US) * DAY_US;
    move |connection: usize, turn: u64| {
        let number = turn * BATCHES as u64 + connection as u64;
        let of = if source == "load" {
            format!(r#""run":"run-{number}""#)
        } else {
            let time_us = midnight_us + (number % DAY_US as u64) as i64;
            let time = jiff::Timestamp::from_microsecond(time_us).expect("a time");
            format!(r#""time":"{time}""#)
        };
        let body = format!(
            r#"{{"source":"{source}","release":"v1",{of},"measurements":[{{"flow":"checkout","metric":"latency","unit":"ms","basis":"op","values":[{values}]}}]}}"#
        );
        let headers = [
            ("content-type", "application/json"),
            ("authorization", authorization.as_str()),
        ];
        request(path, &headers, body.as_bytes())
    }
}

/// Lognormal-looking latencies with three decimals, the same in every run.
fn values() -> String {
    let mut state = 0x9e37_79b9_u64;
    let values: Vec<String> = (0..BATCH)
        .map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let share = (state >> 40) as f64 / (1u64 << 24) as f64;
            format!("{:.3}", 60.0 * (1.4 * share).exp() + 20.0 * share)
        })
        .collect();
    values.join(",")
}

/// The same load spread over ten series and over ten thousand, and the memory that this takes.
pub(crate) fn many_series(table: &mut Table, effort: Effort, engine: &Engine) {
    let (few, many) = (Fresh::start(engine), Fresh::start(engine));
    // Every series exists before it is measured.
    for _ in 0..4 {
        turn(&many.server, MANY, effort, many.beacons(SERIES));
        turn(&few.server, MANY, effort, few.beacons(10));
    }
    let mut ratios = Vec::new();
    for _ in 0..effort.rounds {
        let (spread, _) = turn(&many.server, MANY, effort, many.beacons(SERIES));
        let (dense, _) = turn(&few.server, MANY, effort, few.beacons(10));
        ratios.push(spread.per_second / dense.per_second);
    }
    table.row(
        "beacons a second with 10,000 series ÷ with 10",
        median(ratios),
        Bound::AtLeast(0.8, 0.95),
    );
    table.row(
        "memory with 10,000 live series under full load, MiB",
        many.server.peak_mib(),
        Bound::AtMost(300.0, 120.0),
    );
}

/// One upload by whoever holds a token.
pub(crate) fn upload(address: SocketAddr, token: &str, body: &str) {
    let authorization = format!("Bearer {token}");
    let headers = [
        ("content-type", "application/json"),
        ("authorization", authorization.as_str()),
        ("connection", "close"),
    ];
    let bytes = request("/api/v1/projects/bench/samples", &headers, body.as_bytes());
    let answer = load::once(address, &bytes);
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}
