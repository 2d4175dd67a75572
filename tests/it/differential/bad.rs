//! Random requests that nobody should send.

use longwatch::stats::seeded::Seeded;
use reqwest::Method;
use serde_json::json;

use super::arm::Request;
use super::operations::api;
use crate::seeds::{below, pick};

/// Texts as neither a person nor a tool would choose them.
fn odd(random: &mut Seeded) -> Vec<String> {
    // Of no pattern that a database could make short.
    let long: String = (0..6_000)
        .map(|_| char::from(b'!' + (random.bits() % 90) as u8))
        .filter(|c| !"\"\\%&#+?".contains(*c))
        .collect();
    let mut odd: Vec<String> = [
        "a\0b",
        "\u{feff}",
        "\u{1F600}\u{0301}",
        " ",
        "'; --",
        "\u{ffff}",
        "../..",
        "%_",
        "\r\nx: y",
    ]
    .map(str::to_owned)
    .into();
    odd.push(long);
    odd
}

fn samples(context: serde_json::Value, measurement: serde_json::Value) -> Request {
    let mut body = json!({"source": "load", "release": "v1", "run": "bad", "time": "2026-01-02T03:04:05Z",
        "measurements": [measurement, {"flow": "checkout", "metric": "latency", "unit": "ms", "values": [100, 101]}]});
    for (name, value) in context.as_object().unwrap() {
        body[name] = value.clone();
    }
    api(Method::POST, "samples", body.to_string().into_bytes())
}

/// One of them.
pub(super) fn request(random: &mut Seeded) -> Request {
    let odd = odd(random);
    let odd = pick(random, &odd).clone();
    let shape = below(random, SHAPES);
    shaped(random, shape, odd)
}

/// Each kind with each odd text.
pub(super) fn requests(random: &mut Seeded) -> Vec<Request> {
    let odd = odd(random);
    let all = odd
        .iter()
        .flat_map(|odd| (0..SHAPES).map(|shape| (shape, odd.clone())));
    all.map(|(shape, odd)| shaped(random, shape, odd)).collect()
}

/// How many kinds there are.
const SHAPES: usize = 24;

fn shaped(random: &mut Seeded, shape: usize, odd: String) -> Request {
    let encoded = longwatch::http::paths::segment(&odd);
    let usual = json!({"flow": "bad", "metric": "latency", "unit": "ms", "values": [1.0]});
    let get = |path: &str| api(Method::GET, path, Vec::new());
    match shape {
        0 => samples(json!({"release": odd}), usual),
        1 => samples(json!({"run": odd}), usual),
        2 => samples(json!({"testbed": odd, "branch": odd, "commit": odd}), usual),
        3 => samples(
            json!({}),
            json!({"flow": odd, "metric": "latency", "unit": "ms", "values": [1.0]}),
        ),
        4 => samples(
            json!({}),
            json!({"flow": "bad", "metric": odd, "unit": odd, "values": [1.0]}),
        ),
        5 => samples(
            json!({}),
            json!({"flow": "bad", "metric": "latency", "unit": "ms", "values": [1.0], "labels": {"a": odd}}),
        ),
        6 => samples(
            json!({"fingerprint": {"os": odd, "cpu": odd}, "workload": odd}),
            usual,
        ),
        7 => samples(
            json!({"time": *pick(random, &["9999-12-30T00:00:00Z", "-009999-01-02T00:00:00Z", "1969-12-31T23:59:59.5Z", "now"])}),
            usual,
        ),
        8 => samples(
            json!({"source": "telemetry"}),
            json!({"flow": "bad", "metric": "latency", "unit": "ms", "values": [1.0],
                "time": *pick(random, &["9999-12-30T00:00:00Z", "-009999-01-02T00:00:00Z", "1960-01-01T00:00:00Z"])}),
        ),
        9 => samples(
            json!({}),
            json!({"flow": "many", "metric": "latency", "unit": "ms",
            "buckets": {"bounds": [1.0, 2.0], "counts": [u64::MAX / 2, 1, u64::MAX / 2]}}),
        ),
        10 => samples(
            json!({}),
            json!({"flow": "many", "metric": "latency", "unit": "ms",
            "summary": {"count": u64::MAX, "mean": 1e300, "stddev": 1e300}}),
        ),
        11 => samples(
            json!({}),
            json!({"flow": "many", "metric": "latency", "unit": "ms", "values": [1.0],
            "failed": *pick(random, &[u64::MAX, 1 << 63, 7])}),
        ),
        12 => {
            let mut request = samples(json!({}), usual);
            let key: String = odd.chars().filter(|c| (' '..'~').contains(c)).collect();
            request.headers.push(("idempotency-key", key));
            request
        }
        13 => api(
            Method::POST,
            &format!("results?release={encoded}&run=1"),
            b"{\"results\": [{\"command\": \"./x\", \"times\": [1.0, 2.0], \"mean\": 1.5}]}"
                .to_vec(),
        ),
        14 => api(
            Method::POST,
            &format!("results?release=v1&run={encoded}&testbed={encoded}&label.x={encoded}"),
            b"{\"results\": [{\"command\": \"./x\", \"times\": [1.0, 2.0], \"mean\": 1.5}]}"
                .to_vec(),
        ),
        15 => api(
            Method::POST,
            "releases",
            json!({"name": odd, "commit": odd, "note": odd})
                .to_string()
                .into_bytes(),
        ),
        16 => api(
            Method::POST,
            "epochs",
            json!({"flow": odd, "kind": "workload", "reason": odd, "source": odd})
                .to_string()
                .into_bytes(),
        ),
        17 => get(&format!("releases/{encoded}/runs")),
        18 => get(&format!(
            "flows/{encoded}/ledger?since={encoded}&metric={encoded}"
        )),
        19 => get(&format!(
            "series?flow={encoded}&label.a={encoded}&limit={}",
            below(random, 1_200)
        )),
        20 => get(&format!(
            "findings?owner={encoded}&state={encoded}&cursor={encoded}"
        )),
        21 => api(
            Method::POST,
            &format!("gates/{encoded}/verdicts"),
            json!({"release": odd}).to_string().into_bytes(),
        ),
        22 => api(Method::DELETE, &format!("releases/{encoded}"), Vec::new()),
        _ => api(Method::POST, "samples", odd.into_bytes()),
    }
}
