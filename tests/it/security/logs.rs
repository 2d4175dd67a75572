//! No secret that was given out or sent stands in the log or the database, even where everything is logged.

use std::fs;

use reqwest::redirect::Policy;
use reqwest::{Client, Method};
use serde_json::json;

use super::{form, sqlite};
use crate::process::{Process, token};

const PASSWORD: &str = "horse-battery-staple-9";

/// The part of a token that proves it.
fn secret(token: &str) -> String {
    token.splitn(4, '_').nth(3).unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_logged_or_stored() {
    let database = sqlite().await;
    let home = database.directory.path();
    let mut tokens = Vec::new();
    for scope in ["admin", "ci", "ingest", "read"] {
        tokens.push(token(home, &database.url, "shop", scope));
    }
    tokens.push(token(home, &database.url, "other", "admin"));
    let rum = token(home, &database.url, "shop", "rum");
    let server = Process::serve_with(home, &database.url, &[], &[("LONGWATCH_LOG", "trace")]);
    let client = Client::builder().redirect(Policy::none()).build().unwrap();

    // Every token goes where it may, where it may not, and where it makes no sense.
    let samples = json!({"source": "load", "release": "v1", "measurements": [
        {"flow": "a", "metric": "latency", "unit": "ms", "basis": "op", "values": [1, 2]}]});
    for token in &tokens {
        for (method, path) in [
            (Method::POST, "samples"),
            (Method::GET, "series"),
            (Method::PUT, "config"),
            (Method::POST, "gates/release/verdicts"),
        ] {
            let request = server.api(&client, token, method, path).json(&samples);
            request.send().await.unwrap();
        }
        let odd = server
            .api(&client, "", Method::GET, "series")
            .header("authorization", token);
        odd.send().await.unwrap();
    }
    client
        .post(format!("{}/rum/{rum}", server.url))
        .body("{}")
        .send()
        .await
        .unwrap();

    // An account, made, wrong and signed in.
    let log = fs::read_to_string(home.join("serve.log")).unwrap();
    let (_, rest) = log.split_once("/enrol/").unwrap();
    let link = format!(
        "{}/enrol/{}",
        server.url,
        rest.split_whitespace().next().unwrap()
    );
    let mut cookies = Vec::new();
    for (url, name, password, wanted) in [
        (link.clone(), "ann", PASSWORD, 303),
        (link, "ann", PASSWORD, 404),
        (
            format!("{}/login", server.url),
            "ann",
            "horse-battery-staple-8",
            401,
        ),
        (format!("{}/login", server.url), "ann", PASSWORD, 303),
    ] {
        let filled = format!("name={name}&password={password}");
        let answer = form(client.post(url), &filled).send().await.unwrap();
        assert_eq!(answer.status(), wanted);
        if let Some(cookie) = answer.headers().get("set-cookie") {
            let (cookie, _) = cookie.to_str().unwrap().split_once(';').unwrap();
            cookies.push(cookie.to_owned());
            let read = client
                .get(format!("{}/api/v1/projects/shop/series", server.url))
                .header("cookie", cookie);
            assert_eq!(read.send().await.unwrap().status(), 200);
        }
    }
    assert_eq!(cookies.len(), 2);

    let mut secrets: Vec<String> = tokens.iter().map(|token| secret(token)).collect();
    secrets.extend(
        cookies
            .iter()
            .map(|cookie| cookie.split_once('=').unwrap().1.to_owned()),
    );
    secrets.extend([PASSWORD.to_owned(), "horse-battery-staple-8".to_owned()]);
    for file in ["serve.log", "test.db", "test.db-wal"] {
        let Ok(bytes) = fs::read(home.join(file)) else {
            assert_eq!(file, "test.db-wal", "only the WAL may be absent");
            continue;
        };
        for secret in &secrets {
            let found = bytes
                .windows(secret.len())
                .any(|window| window == secret.as_bytes());
            assert!(!found, "{file} holds {secret}");
        }
    }
    let log = fs::read_to_string(home.join("serve.log")).unwrap();
    assert!(
        log.contains("TRACE") && log.contains("/api/v1/projects/shop/samples"),
        "all was logged"
    );
}
