//! A server that answers what a test says, and remembers what it was asked; and the client run against it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::VecDeque;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

/// What a request held.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) headers: HeaderMap,
    /// Unpacked where it came as gzip.
    pub(crate) body: Vec<u8>,
}

impl Asked {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.query
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }
}

#[derive(Default)]
struct Script {
    answers: VecDeque<(StatusCode, Value)>,
    asked: Vec<Asked>,
}

/// A server on a free port of this machine; it ends with the test.
pub(crate) struct Stub {
    pub(crate) url: String,
    script: Arc<Mutex<Script>>,
    _runtime: tokio::runtime::Runtime,
}

impl Stub {
    /// Gives the answers in turn, the last one for ever.
    pub(crate) fn answering(answers: &[(u16, Value)]) -> Self {
        Self::at("127.0.0.1:0", answers)
    }

    pub(crate) fn at(address: &str, answers: &[(u16, Value)]) -> Self {
        let answers = answers
            .iter()
            .map(|(status, body)| (StatusCode::from_u16(*status).unwrap(), body.clone()))
            .collect();
        let script = Arc::new(Mutex::new(Script {
            answers,
            asked: Vec::new(),
        }));
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let listener = runtime
            .block_on(tokio::net::TcpListener::bind(address))
            .unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(answer).with_state(script.clone());
        runtime.spawn(async move { axum::serve(listener, router).await });
        Self {
            url,
            script,
            _runtime: runtime,
        }
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.script.lock().unwrap().asked.clone()
    }
}

async fn answer(
    State(script): State<Arc<Mutex<Script>>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let url = reqwest::Url::parse(&format!("http://stub{uri}")).unwrap();
    let mut unpacked = body.to_vec();
    if headers
        .get("content-encoding")
        .is_some_and(|value| value == "gzip")
    {
        unpacked.clear();
        flate2::read::GzDecoder::new(&body[..])
            .read_to_end(&mut unpacked)
            .unwrap();
    }
    let mut script = script.lock().unwrap();
    script.asked.push(Asked {
        method,
        path: url.path().to_owned(),
        query: url.query_pairs().into_owned().collect(),
        headers,
        body: unpacked,
    });
    let (status, body) = if script.answers.len() > 1 {
        script.answers.pop_front().unwrap()
    } else {
        script.answers[0].clone()
    };
    (status, axum::Json(body)).into_response()
}

/// An address at which nobody listens: taken once, then left.
pub(crate) fn nobody() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

/// What a command did.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// Runs the client with an environment of its own: neither the variables of the CI that runs this test, nor its home.
pub(crate) fn longwatch(home: &Path, url: &str, arguments: &[&str]) -> Ran {
    let output = Command::new(env!("CARGO_BIN_EXE_longwatch"))
        .args(arguments)
        .env_clear()
        .envs([
            ("LONGWATCH_URL", url),
            ("LONGWATCH_PROJECT", "shop"),
            ("LONGWATCH_TOKEN", "secret"),
        ])
        .env("HOME", home)
        .current_dir(home)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Ran {
        code: output.status.code().unwrap(),
        out: text(output.stdout),
        err: text(output.stderr),
    }
}

/// The server's answer to an upload that it stored.
pub(crate) fn stored(outcome: &str) -> Value {
    json!({"batch": "b", "format": "hyperfine", "outcome": outcome, "series": 1, "samples": 2, "skipped": [], "duplicate": false})
}

/// A results file that is read as hyperfine's.
pub(crate) const RESULTS: &str =
    r#"{"results": [{"command": "sleep 0.1", "times": [0.103, 0.101]}]}"#;
