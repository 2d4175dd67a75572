//! Random requests that change something, or try to.

use longwatch::http::paths::segment;
use longwatch::stats::seeded::Seeded;
use reqwest::Method;
use serde_json::{Value, json};

use super::arm::{Request, Who};
use super::bad;
use crate::ground::PROJECT;
use crate::seeds::{below, pick};

const HOUR_US: i64 = 3_600_000_000;
const FLOWS: [&str; 4] = ["checkout", "search", "Ärger & <b>", "import"];
const RELEASES: [&str; 8] = [
    "v1",
    "v2",
    "v2.10",
    "v2.9",
    "V2",
    "été",
    "a/b c",
    "v2-hotfix",
];
const RUNS: [&str; 3] = ["1", "2", "nightly 7"];
const VIEWS: usize = 12;
/// Files of tools as the collectors' own tests have them.
const FILES: [&str; 6] = [
    "hyperfine/three_commands_1.20.json",
    "google-benchmark/reps5.json",
    "go-bench/own_cpu1_2_count6.txt",
    "k6/summary_export.json",
    "pytest-benchmark/data_full.json",
    "hdr-payload/lognormal_us_3digits.v2.b64",
];

/// What is known of both servers by what they have answered, masked.
#[derive(Debug, Default, Clone)]
pub(crate) struct Seen {
    pub(crate) series: Vec<String>,
    pub(crate) runs: Vec<String>,
    pub(crate) releases: Vec<String>,
    pub(crate) findings: Vec<String>,
    pub(crate) deliveries: Vec<String>,
    pub(crate) batches: Vec<String>,
    pub(crate) verdicts: Vec<String>,
}

/// What a step does besides being sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Nothing.
    Plain,
    /// Waits for the fold.
    Deletes,
    /// Changes what servers remember for a second.
    Configures,
}

/// Makes requests from a seed.
pub(crate) struct Operations {
    pub(crate) random: Seeded,
    /// Where the recorded past begins, microseconds.
    past_us: i64,
    sent: Vec<Request>,
}

impl Operations {
    pub(crate) fn new(seed: u64, now_us: i64) -> Operations {
        let day_us = 24 * HOUR_US;
        Operations {
            random: Seeded::new(seed),
            past_us: (now_us.div_euclid(day_us) - 6) * day_us,
            sent: Vec::new(),
        }
    }

    fn below(&mut self, end: usize) -> usize {
        below(&mut self.random, end)
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        pick(&mut self.random, from)
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    /// One that is known, or one that is not there.
    fn known(&mut self, ids: &[String]) -> String {
        if ids.is_empty() || self.one_in(12) {
            return "00000000000000000000000000000001".to_owned();
        }
        self.pick(ids).clone()
    }

    fn time(&mut self) -> String {
        let hours = self.below(6 * 24) as i64;
        let seconds = self.below(3_600) as i64;
        let us = self.past_us + hours * HOUR_US + seconds * 1_000_000;
        jiff::Timestamp::from_microsecond(us).unwrap().to_string()
    }

    /// The next request.
    pub(crate) fn next(&mut self, seen: &Seen) -> (Request, Kind) {
        let (mut request, kind) = match self.below(100) {
            0..30 => (self.samples(), Kind::Plain),
            30..36 => (self.file(), Kind::Plain),
            36..52 => (self.beacon(), Kind::Plain),
            52..58 => (self.again(), Kind::Plain),
            58..62 => (self.release(), Kind::Plain),
            62..65 => (self.config(), Kind::Configures),
            65..71 => (self.exclude(seen), Kind::Plain),
            71..78 => (self.finding(seen), Kind::Plain),
            78..82 => (self.ask(seen), Kind::Plain),
            82..84 => (self.epoch(), Kind::Plain),
            84..91 => (self.delete(seen), Kind::Deletes),
            _ => (bad::request(&mut self.random), Kind::Plain),
        };
        if self.one_in(25) {
            let anyone = [
                Who::Ci,
                Who::Ingest,
                Who::Read,
                Who::Rum,
                Who::Revoked,
                Who::Stranger,
                Who::Nobody,
            ];
            request.who = *self.pick(&anyone);
        }
        (request, kind)
    }

    fn post(&mut self, path: &str, body: Vec<u8>) -> Request {
        api(Method::POST, path, body)
    }

    /// A run of a load test, or days of telemetry, with an even level and some noise.
    fn samples(&mut self) -> Request {
        let source = *self.pick(&["load", "load", "bench", "lab", "telemetry"]);
        let count = 1 + self.below(3);
        let measurements: Vec<Value> = (0..count).map(|_| self.measurement()).collect();
        let mut body = json!({"source": source, "release": *self.pick(&RELEASES), "measurements": measurements});
        let fields = body.as_object_mut().unwrap();
        if !self.one_in(6) {
            fields.insert("run".into(), json!(*self.pick(&RUNS)));
        }
        if !self.one_in(4) {
            fields.insert("time".into(), json!(self.time()));
        }
        if self.one_in(5) {
            fields.insert("testbed".into(), json!("ci-arm"));
        }
        if self.one_in(8) {
            fields.insert("workload".into(), json!(*self.pick(&["a", "b"])));
        }
        if self.one_in(10) {
            fields.insert("branch".into(), json!(*self.pick(&["main", "feature"])));
        }
        if self.one_in(15) {
            fields.insert("pr".into(), json!("17"));
        }
        let mut request = self.post("samples", body.to_string().into_bytes());
        if self.one_in(3) {
            let key = format!("key-{}", self.below(1_000));
            request.headers.push(("idempotency-key", key));
        }
        self.sent.push(request.clone());
        request
    }

    fn measurement(&mut self) -> Value {
        let flow = *self.pick(&FLOWS);
        let level = 100.0 * (1.0 + self.below(4) as f64);
        let n = 1 + self.below(60);
        let values: Vec<f64> = (0..n)
            .map(|_| level * (1.0 + 0.05 * self.random.normal().clamp(-3.0, 3.0)))
            .collect();
        let mut measurement = json!({"flow": flow, "metric": "latency", "unit": "ms"});
        let fields = measurement.as_object_mut().unwrap();
        let payload = match self.below(10) {
            0..6 => ("values", json!(values)),
            6 => ("value", json!(values[0])),
            7 => (
                "buckets",
                json!({"bounds": [10, 100, 500], "counts": [n, 2, 0, self.below(5)]}),
            ),
            8 => (
                "summary",
                json!({"count": n, "mean": level, "stddev": 1.5, "median": values[0]}),
            ),
            _ => (
                "values",
                json!([0.0, -1.0, 1e30, 1e-9, level, f64::from(u32::MAX)]),
            ),
        };
        fields.insert(payload.0.into(), payload.1);
        if self.one_in(6) {
            fields.insert("failed".into(), json!(self.below(3)));
        }
        if self.one_in(6) {
            fields.insert("labels".into(), json!({"outcome": "error"}));
        }
        measurement
    }

    /// A file as a tool wrote it.
    fn file(&mut self) -> Request {
        let name = *self.pick(&FILES);
        let top = env!("CARGO_MANIFEST_DIR");
        let body = std::fs::read(format!("{top}/collectors/test_data/{name}")).unwrap();
        let mut query = format!("release={}", segment(self.pick::<&str>(&RELEASES)));
        if name.starts_with("hdr") {
            query += "&flow=checkout&unit=us";
        }
        if !self.one_in(3) {
            query += &format!("&run={}", segment(self.pick::<&str>(&RUNS)));
        }
        if !self.one_in(3) {
            query += &format!("&time={}", segment(&self.time()));
        }
        if self.one_in(4) {
            query += "&label.variant=b&commit=0123abc";
        }
        let request = self.post(&format!("results?{query}"), body);
        self.sent.push(request.clone());
        request
    }

    /// Something of a page view, of which the same or more may have been told before.
    fn beacon(&mut self) -> Request {
        let view = self.below(VIEWS);
        let sequence = 1 + self.below(4);
        let value = 500 + 100 * self.below(20);
        let body = match self.below(5) {
            0..3 => {
                json!({"v": 1, "r": *self.pick(&RELEASES[..2]), "pv": format!("pv{view}"),
                "s": if view.is_multiple_of(2) { 1.0 } else { 0.25 },
                "f": FLOWS[view % 2], "d": "mobile", "n": "navigate",
                "m": [["LCP", value, format!("v5-{view}"), sequence], ["CLS", 0.1, format!("v5-{view}-c"), sequence]]})
            }
            3 => {
                json!({"name": "INP", "value": value, "rating": "good", "delta": 1, "id": format!("v4-{view}"), "navigationType": "navigate"})
            }
            _ => json!([{"name": "TTFB", "value": "slow", "id": 7}, {"unknown": view}]),
        };
        Request {
            who: Who::Nobody,
            method: Method::POST,
            path: "/rum/(key)".to_owned(),
            headers: vec![("referer", format!("https://shop.example/item/{view}"))],
            body: body.to_string().into_bytes(),
        }
    }

    /// What was sent before, once more; or something else under the same key.
    fn again(&mut self) -> Request {
        if self.sent.is_empty() {
            return self.samples();
        }
        let at = self.below(self.sent.len());
        let mut request = self.sent[at].clone();
        if self.one_in(3) {
            request.body.push(b'\n');
        }
        request
    }

    fn release(&mut self) -> Request {
        let mut body = json!({"name": *self.pick(&RELEASES)});
        let fields = body.as_object_mut().unwrap();
        for (name, value) in [
            ("commit", json!("0123abc")),
            ("parent", json!(*self.pick(&RELEASES))),
            ("time", json!(self.time())),
            ("note", json!("what it is about")),
            ("branch", json!("main")),
        ] {
            if self.one_in(2) {
                fields.insert(name.into(), value);
            }
        }
        self.post("releases", body.to_string().into_bytes())
    }

    pub(crate) fn config(&mut self) -> Request {
        let (limit, margin) = (100 * (1 + self.below(4)), 1 + self.below(4));
        let mut toml = format!(
            "[project]\nname = \"shop\"\n\n[[flow]]\nname = \"checkout\"\nkey = true\nowner = \"payments\"\n\n\
             [[owner]]\nname = \"payments\"\nroutes = [\"hook\"]\n\n\
             [[route]]\nname = \"hook\"\nkind = \"webhook\"\nurl_env = \"LONGWATCH_ROUTE_X\"\n\n\
             [[budget]]\nid = \"latency\"\nflow = \"checkout\"\nsource = \"load\"\nmetric = \"latency\"\npercentile = 75\n\
             limit = \"{limit} ms\"\nwindow = \"release\"\nenforcement = \"verify\"\n\n\
             [[gate]]\nname = \"release\"\nflows = [\"checkout\"]\nmargin = \"{margin} %\"\nfresh = \"24h\"\n"
        );
        match self.below(5) {
            0 => toml += "\n[[reference]]\nflow = \"checkout\"\nrelease = \"v1\"\n",
            1 => toml += "\n[[flow]]\nname = \"find\"\n[[flow.match]]\nname = \"search*\"\n",
            2 => toml += "\nnonsense = [[",
            _ => {}
        }
        let check = if self.one_in(4) { "?check=true" } else { "" };
        api(Method::PUT, &format!("config{check}"), toml.into_bytes())
    }

    fn exclude(&mut self, seen: &Seen) -> Request {
        let path = format!("runs/{}", self.known(&seen.runs));
        let body = match self.below(5) {
            0 | 1 => json!({"excluded": true, "reason": "noisy neighbour"}),
            2 | 3 => json!({"excluded": false}),
            _ => json!({"excluded": true, "reason": " "}),
        };
        api(Method::PATCH, &path, body.to_string().into_bytes())
    }

    fn finding(&mut self, seen: &Seen) -> Request {
        if self.one_in(6) {
            let id = self.known(&seen.deliveries);
            return self.post(&format!("deliveries/{id}/again"), Vec::new());
        }
        let path = format!("findings/{}", self.known(&seen.findings));
        let actions = [
            json!({"action": "acknowledge"}),
            json!({"action": "assign", "assignee": "Ada"}),
            json!({"action": "assign", "assignee": ""}),
            json!({"action": "snooze", "until": "2200-01-01T00:00:00Z"}),
            json!({"action": "snooze", "until": "2000-01-01T00:00:00Z"}),
            json!({"action": "resolve", "note": "dealt with"}),
            json!({"action": "false_alarm", "note": "<script>"}),
            json!({"action": "reopen"}),
            json!({"action": "forget"}),
        ];
        let body = self.pick(&actions).to_string().into_bytes();
        api(Method::PATCH, &path, body)
    }

    fn ask(&mut self, seen: &Seen) -> Request {
        let gate = *self.pick(&["release", "release", "release", "unknown"]);
        let release = if seen.releases.is_empty() || self.one_in(6) {
            "v0".to_owned()
        } else {
            self.pick(&seen.releases).clone()
        };
        let body = json!({"release": release}).to_string().into_bytes();
        self.post(&format!("gates/{gate}/verdicts"), body)
    }

    fn epoch(&mut self) -> Request {
        let kind = *self.pick(&["workload", "harness", "machine", "mood"]);
        let mut body = json!({"flow": *self.pick(&FLOWS), "kind": kind, "reason": "measured anew"});
        if !self.one_in(3) {
            body["at"] = json!(self.time());
        }
        self.post("epochs", body.to_string().into_bytes())
    }

    fn delete(&mut self, seen: &Seen) -> Request {
        let path = match self.below(10) {
            0..3 => format!("batches/{}", self.known(&seen.batches)),
            3..7 => format!("runs/{}", self.known(&seen.runs)),
            7 | 8 => format!("series/{}", self.known(&seen.series)),
            _ => format!("releases/{}", segment(self.pick::<&str>(&RELEASES))),
        };
        api(Method::DELETE, &path, Vec::new())
    }

    /// Months in which the checkout had an even level and then took half as long again.
    pub(crate) fn history(&mut self) -> Vec<Request> {
        let mut requests = Vec::new();
        for release in 0..12 {
            for run in 0..3 {
                let factor = if release < 9 { 1.0 } else { 1.5 };
                let values: Vec<f64> = (0..40)
                    .map(|_| 200.0 * factor * (1.0 + 0.03 * self.random.normal().clamp(-3.0, 3.0)))
                    .collect();
                let us = self.past_us - (12 - release) * 12 * HOUR_US + run * HOUR_US;
                let time = jiff::Timestamp::from_microsecond(us).unwrap().to_string();
                let body = json!({"source": "load", "release": format!("h{release:02}"), "run": format!("{run}"), "time": time,
                    "measurements": [{"flow": "checkout", "metric": "latency", "unit": "ms", "values": values}]});
                requests.push(self.post("samples", body.to_string().into_bytes()));
            }
        }
        requests
    }
}

/// A request to the project's API.
pub(crate) fn api(method: Method, path: &str, body: Vec<u8>) -> Request {
    Request {
        who: Who::Admin,
        method,
        path: match path {
            "" => format!("/api/v1/projects/{PROJECT}"),
            path => format!("/api/v1/projects/{PROJECT}/{path}"),
        },
        headers: vec![("content-type", "application/json".to_owned())],
        body,
    }
}
