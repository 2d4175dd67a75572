//! A project of a thousand series after twelve months: what its pages, its judging and its gate cost, and what it takes on
//! disk. Every flow has two metrics of real users, a load test and a benchmark; a build is measured every day, every
//! seventh is deployed.

use std::time::{Duration, Instant};

use crate::Effort;
use crate::database::{Database, Engine};
use crate::load::{self, request};
use crate::process::{Server, apply, token};
use crate::reads::{DAY_US, get, normal};
use crate::table::{Bound, Table};
use crate::writes::upload;

/// Days of history.
const DAYS: i64 = 365;
/// Flows that are key: each has a budget on three of its series, and one gate asks them all.
const KEY_FLOWS: usize = 20;
/// Page views of a flow and day: enough for a P99.
const PAGE_VIEWS: usize = 400;
/// Requests of a load test, executions of a benchmark.
const EXECUTIONS: usize = 30;
/// One flow in so many gets slower by a step, and another one by a bleed.
const ONE_SLOWS_IN: usize = 25;
/// The fold and the detector have this long for the whole history.
const SETTLES_WITHIN: Duration = Duration::from_secs(3_600);

/// A year of a project, with a server over it.
struct Year {
    flows: usize,
    began_us: i64,
    database: Database,
    server: Server,
    admin: String,
}

/// What one request costs.
struct Cost {
    server_ms: f64,
    backends_ms: f64,
    wall_ms: f64,
}

/// Measures the project on an engine.
pub(crate) fn measure(table: &mut Table, effort: Effort, engine: &Engine) {
    let began = Instant::now();
    let year = Year::of(effort.flows, engine);
    let series = year.flows * 4;
    let windows = year.database.number("SELECT COUNT(*) FROM series_window");
    let findings = year.database.number("SELECT COUNT(*) FROM finding");
    table.note(&format!(
        "a project of {series} series and {DAYS} days: {windows} windows, {findings} findings, \
         made in {:.0} s; processor times are the server's and, apart, its database backends'",
        began.elapsed().as_secs_f64()
    ));
    year.reads(table, effort);
    year.release(table);
    year.gate(table);
    let bytes = year.database.used_bytes();
    table.note(&format!(
        "{:.0} MB: {:.0} KB a series and year",
        bytes / 1e6,
        bytes / 1e3 / series as f64
    ));
}

impl Year {
    fn of(flows: usize, engine: &Engine) -> Year {
        let database = engine.database();
        let admin = token(&database, "admin");
        let server = Server::longwatch(&database);
        apply(&database, &server, &admin, &configuration(flows));
        let now_us = jiff::Timestamp::now().as_microsecond();
        let year = Year {
            flows,
            began_us: now_us.div_euclid(DAY_US) * DAY_US - DAYS * DAY_US,
            database,
            server,
            admin,
        };
        for day in 0..DAYS {
            year.send(day);
        }
        year.settle(SETTLES_WITHIN);
        year
    }

    /// The results of a day.
    fn send(&self, day: i64) {
        let (week, of_week) = (day.div_euclid(7), day.rem_euclid(7));
        let (deployed, build) = (format!("v{week}.0"), format!("v{week}.{of_week}"));
        let (night_us, noon_us) = (DAY_US / 8, DAY_US / 2);
        if of_week == 0 && week > 0 {
            // Half of the users of this day still see what was deployed before.
            let before = format!("v{}.0", week - 1);
            self.send_field(day, night_us, &before, PAGE_VIEWS / 2);
            self.send_field(day, noon_us, &deployed, PAGE_VIEWS / 2);
        } else {
            self.send_field(day, noon_us, &deployed, PAGE_VIEWS);
        }
        for (kind, (source, metric)) in [("load", "latency"), ("bench", "wall_time")]
            .into_iter()
            .enumerate()
        {
            let measurements =
                (0..self.flows).map(|flow| measurement(flow, 2 + kind, metric, day, EXECUTIONS));
            let context = format!(r#","testbed":"ci-x64","run":"{source}-{day}""#);
            self.send_one(
                source,
                &build,
                day * DAY_US + night_us,
                &context,
                measurements,
            );
        }
    }

    fn send_field(&self, day: i64, after_us: i64, release: &str, page_views: usize) {
        let measurements = (0..self.flows).flat_map(|flow| {
            ["lcp", "inp"]
                .into_iter()
                .enumerate()
                .map(move |(kind, metric)| measurement(flow, kind, metric, day, page_views))
        });
        self.send_one("rum", release, day * DAY_US + after_us, "", measurements);
    }

    fn send_one(
        &self,
        source: &str,
        release: &str,
        after_us: i64,
        context: &str,
        measurements: impl Iterator<Item = String>,
    ) {
        let time = jiff::Timestamp::from_microsecond(self.began_us + after_us).expect("a time");
        let measurements: Vec<String> = measurements.collect();
        let body = format!(
            r#"{{"source":"{source}","release":"{release}","time":"{time}"{context},"measurements":[{}]}}"#,
            measurements.join(",")
        );
        upload(self.server.address, &self.admin, &body);
    }

    /// Waits until everything is folded and judged; how long that took.
    fn settle(&self, within: Duration) -> Duration {
        let began = Instant::now();
        let waiting = || {
            self.database.number("SELECT COUNT(*) FROM journal")
                + self
                    .database
                    .number("SELECT COUNT(*) FROM series_state WHERE changed > judged")
        };
        while waiting() > 0 {
            assert!(began.elapsed() < within, "not folded and judged in time");
            std::thread::sleep(Duration::from_millis(20));
        }
        began.elapsed()
    }

    /// What a page or an answer costs: the mean over a turn of the bench, after one that warms it up.
    fn cost(&self, path: &str, effort: Effort) -> Cost {
        let read = || {
            let answer = get(&self.server, path);
            assert!(answer.starts_with("HTTP/1.1 200"), "{path}: {answer}");
        };
        read();
        let (server_s, backends_s) = (self.server.cpu_s(), self.database.backends_cpu_s());
        let began = Instant::now();
        let mut reads = 0.0;
        while began.elapsed() < effort.turn || reads < 3.0 {
            read();
            reads += 1.0;
        }
        let wall_ms = began.elapsed().as_secs_f64() * 1e3 / reads;
        Cost {
            server_ms: (self.server.cpu_s() - server_s) * 1e3 / reads,
            backends_ms: (self.database.backends_cpu_s() - backends_s) * 1e3 / reads,
            wall_ms,
        }
    }

    fn reads(&self, table: &mut Table, effort: Effort) {
        let points = |source: &str| {
            let list = get(
                &self.server,
                &format!("/api/v1/projects/bench/series?flow=flow-7&source={source}"),
            );
            let id = list.split(r#""id":""#).nth(1).expect("a series");
            let id: String = id.chars().take_while(|c| *c != '"').collect();
            format!("/api/v1/projects/bench/series/{id}/points?by=day&q=0.75,0.99")
        };
        let query = Bound::AtMost(2.0, 0.5);
        let chart = Bound::AtMost(5.0, 2.0);
        let page = Bound::AtMost(100.0, 25.0);
        for (what, path, bound) in [
            ("P75 and P99 of a field series by day", points("rum"), query),
            ("P75 and P99 of a benchmark by day", points("bench"), query),
            ("page of a flow, key", "/bench/flows/flow-7".into(), chart),
            (
                "page of a flow, others",
                "/bench/flows/flow-40".into(),
                chart,
            ),
            (
                "page of a flow, benchmark",
                page_of(&points("bench")),
                chart,
            ),
            ("projects", "/".into(), page),
            ("overview", "/bench".into(), page),
            ("flows", "/bench/flows".into(), page),
            ("findings", "/bench/findings".into(), page),
            ("gates", "/bench/gates".into(), page),
            ("budgets", "/bench/budgets".into(), page),
            ("months", "/bench/months".into(), page),
            (
                "comparison",
                "/bench/compare?base=v50.0&head=v51.0".into(),
                page,
            ),
            ("page of a release", "/bench/releases/v51.0".into(), page),
            ("settings", "/bench/settings".into(), page),
            (
                "list of series",
                "/api/v1/projects/bench/series?limit=1000".into(),
                page,
            ),
        ] {
            let cost = self.cost(&path, effort);
            let what = format!("{} series, a year: {what}, ms", self.flows * 4);
            table.row(&what, cost.server_ms, bound);
            let backends = match self.server_has_backends() {
                true => format!(", {:.2} ms of the backends", cost.backends_ms),
                false => String::new(),
            };
            table.note(&format!("{:.2} ms until answered{backends}", cost.wall_ms));
        }
    }

    fn server_has_backends(&self) -> bool {
        self.database.backends_cpu_s() > 0.0
    }

    /// The next build and deployment: from its upload until all series are judged again.
    fn release(&self, table: &mut Table) {
        let series = self.flows * 4;
        let (server_s, backends_s) = (self.server.cpu_s(), self.database.backends_cpu_s());
        self.send(DAYS);
        let took = self.settle(SETTLES_WITHIN);
        let own_s = self.server.cpu_s() - server_s;
        let backends_s = self.database.backends_cpu_s() - backends_s;
        table.row(
            &format!("{series} series: from a release's upload until all are judged, s"),
            took.as_secs_f64(),
            Bound::AtMost(10.0, 2.0),
        );
        table.row(
            "a series' share in that, stored, folded and judged, ms",
            own_s * 1e3 / series as f64,
            Bound::AtMost(5.0, 1.0),
        );
        table.note(&format!(
            "{own_s:.1} s of processor time, {backends_s:.1} s of the backends"
        ));
    }

    /// Asks the gate about the newest build and about the one before.
    fn gate(&self, table: &mut Table) {
        let build = |day: i64| format!("v{}.{}", day / 7, day % 7);
        for (what, release) in [
            ("the newest build", build(DAYS)),
            ("a build of last month", build(DAYS - 30)),
        ] {
            let (server_s, backends_s) = (self.server.cpu_s(), self.database.backends_cpu_s());
            let began = Instant::now();
            let answer = load::once(self.server.address, &self.question(&release));
            let wall_ms = began.elapsed().as_secs_f64() * 1e3;
            assert!(answer.contains(r#""verdict":"#), "{answer}");
            let own_ms = (self.server.cpu_s() - server_s) * 1e3;
            let backends_ms = (self.database.backends_cpu_s() - backends_s) * 1e3;
            table.row(
                &format!("a gate of {KEY_FLOWS} flows answers about {what}, ms"),
                wall_ms,
                Bound::AtMost(2_000.0, 500.0),
            );
            table.note(&format!(
                "{own_ms:.0} ms of processor time, {backends_ms:.0} ms of the backends"
            ));
        }
    }

    fn question(&self, release: &str) -> Vec<u8> {
        let authorization = format!("Bearer {}", self.admin);
        let headers = [
            ("content-type", "application/json"),
            ("authorization", authorization.as_str()),
            ("connection", "close"),
        ];
        let body = format!(r#"{{"release":"{release}"}}"#);
        request(
            "/api/v1/projects/bench/gates/release/verdicts",
            &headers,
            body.as_bytes(),
        )
    }
}

/// The page that shows the series of a query of points.
fn page_of(points: &str) -> String {
    let id = points.split("/series/").nth(1).unwrap_or_default();
    let id = id.split('/').next().unwrap_or_default();
    format!("/bench/flows/flow-7?series={id}")
}

/// A series' measurement of a day: its own level, a little apart each day, slower where the story says so.
fn measurement(flow: usize, kind: usize, metric: &str, day: i64, values: usize) -> String {
    let seed = (day as u64 * 1_000 + flow as u64) * 4 + kind as u64;
    let noise = normal(seed, values + 1);
    let slow = match flow % ONE_SLOWS_IN {
        0 if day >= 200 => 1.10,
        1 if day >= 150 => 1.0 + 0.0006 * (day - 150) as f64,
        _ => 1.0,
    };
    let level = (400.0 + 7.0 * (flow % 97) as f64) * slow * (0.01 * noise[values]).exp();
    let spread = if kind < 2 { 0.6 } else { 0.15 };
    let values: Vec<String> = noise[..values]
        .iter()
        .map(|noise| format!("{:.1}", level * (spread * noise).exp()))
        .collect();
    format!(
        r#"{{"flow":"flow-{flow}","metric":"{metric}","unit":"ms","basis":"op","values":[{}]}}"#,
        values.join(",")
    )
}

/// Key flows with a budget for the field, the load test and the benchmark, and a gate over them.
fn configuration(flows: usize) -> String {
    let mut text = "[project]\nname = \"bench\"\n\n[project.limits]\nseries = 20000\nundeclared_rum_flows = 20000\n".to_owned();
    let key = KEY_FLOWS.min(flows);
    for flow in 0..key {
        text.push_str(&format!("\n[[flow]]\nname = \"flow-{flow}\"\nkey = true\n\n[[reference]]\nflow = \"flow-{flow}\"\nrelease = \"v26.0\"\n"));
        for (source, metric, percentile, window) in [
            ("rum", "lcp", 75, "28d"),
            ("load", "latency", 75, "release"),
            ("bench", "wall_time", 75, "release"),
        ] {
            text.push_str(&format!(
                "\n[[budget]]\nid = \"flow-{flow}-{source}\"\nflow = \"flow-{flow}\"\nsource = \"{source}\"\n\
                 metric = \"{metric}\"\npercentile = {percentile}\nlimit = \"1.5 s\"\nwindow = \"{window}\"\n\
                 enforcement = \"verify\"\n"
            ));
        }
    }
    let names: Vec<String> = (0..key).map(|flow| format!("\"flow-{flow}\"")).collect();
    text.push_str(&format!(
        "\n[[gate]]\nname = \"release\"\nflows = [{}]\nmargin = \"5 %\"\nfresh = \"48h\"\n",
        names.join(", ")
    ));
    text
}
