//! The security headers, on every kind of answer.

use reqwest::header::HeaderMap;
use reqwest::{Method, RequestBuilder};

use super::{server, sqlite};
use crate::ground::Server;
use crate::process::Process;

fn hold(headers: &HeaderMap, transport: &str, what: &str) {
    let value = |name: &str| {
        let value = headers
            .get(name)
            .unwrap_or_else(|| panic!("{what} has no {name}"));
        value.to_str().unwrap().to_owned()
    };
    let policy = value("content-security-policy");
    for directive in [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "form-action 'self'",
    ] {
        assert!(
            policy.split(';').any(|own| own.trim() == directive),
            "{what}: {policy}"
        );
    }
    assert!(!policy.contains("unsafe"), "{what}: {policy}");
    assert_eq!(value("x-content-type-options"), "nosniff", "{what}");
    assert_eq!(value("referrer-policy"), "same-origin", "{what}");
    assert_eq!(value("strict-transport-security"), transport, "{what}");
    // Beacons are not traced: nobody could look their id up.
    assert_eq!(
        headers.contains_key("x-request-id"),
        !what.contains("/rum/"),
        "{what}"
    );
}

/// The address of the style sheet, as the sign-in page names it.
async fn style_sheet(server: &Server) -> String {
    let page = server
        .client
        .get(format!("{}/login", server.url))
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    let (_, rest) = page.split_once("href=\"/assets/").unwrap();
    format!("/assets/{}", rest.split_once('"').unwrap().0)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_carries_them_errors_included() {
    let server = server().await;
    let at = |method: Method, path: &str| {
        server
            .client
            .request(method, format!("{}{path}", server.url))
    };
    let style = style_sheet(&server).await;
    let too_large = "x".repeat(3 << 20);
    let answers: Vec<(u16, RequestBuilder)> = vec![
        (200, at(Method::GET, "/healthz")),
        (200, at(Method::GET, "/metrics")),
        (200, at(Method::GET, "/login")),
        (200, at(Method::GET, &style)),
        (200, at(Method::GET, "/api/openapi.json")),
        (200, server.api(Method::GET, "series")),
        (204, at(Method::POST, "/rum/nobody")),
        (401, at(Method::GET, "/api/v1/projects/shop/series")),
        (
            403,
            at(Method::POST, "/login").header("sec-fetch-site", "cross-site"),
        ),
        (404, at(Method::GET, "/nothing/of/this/kind")),
        (
            404,
            at(Method::GET, "/nothing/of/this/kind").header("accept", "text/html"),
        ),
        (404, at(Method::GET, "/assets/0000.style.css")),
        (
            404,
            server.api(
                Method::GET,
                "series/0123456789abcdef0123456789abcdef/points",
            ),
        ),
        (405, at(Method::DELETE, "/healthz")),
        (
            422,
            server
                .api(Method::POST, "results?release=v1")
                .body("{\"results\": ["),
        ),
        // The last one: behind a body that it did not read the server closes, and the next request would need another
        // connection.
        (413, server.api(Method::PUT, "config").body(too_large)),
    ];
    for (wanted, request) in answers {
        let answer = request.send().await.unwrap();
        let what = format!("{wanted} of {}", answer.url().path());
        assert_eq!(answer.status().as_u16(), wanted, "{what}");
        hold(answer.headers(), "max-age=0", &what);
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_https_browsers_are_told_to_stay_there() {
    let database = sqlite().await;
    let home = database.directory.path();
    let server = Process::serve(
        home,
        &database.url,
        &["--public-url", "https://longwatch.example"],
    );
    let answer = reqwest::get(format!("{}/healthz", server.url))
        .await
        .unwrap();
    hold(
        answer.headers(),
        "max-age=31536000; includeSubDomains",
        "an answer behind HTTPS",
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn other_sites_may_send_beacons_and_read_nothing() {
    let server = server().await;
    for origin in [
        "https://evil.example",
        "null",
        "http://127.0.0.1.evil.example",
    ] {
        for (path, opened) in [
            ("/api/v1/projects/shop/series", false),
            ("/login", false),
            ("/rum/nobody", true),
        ] {
            let preflight = server
                .client
                .request(Method::OPTIONS, format!("{}{path}", server.url))
                .header("origin", origin)
                .header("access-control-request-method", "POST")
                .send()
                .await
                .unwrap();
            let headers = preflight.headers();
            let allowed = headers
                .get("access-control-allow-origin")
                .map(|value| value.to_str().unwrap());
            assert_eq!(allowed, opened.then_some("*"), "{path} from {origin}");
            assert!(
                !headers.contains_key("access-control-allow-credentials"),
                "{path}"
            );
        }
        let answer = server
            .api(Method::GET, "series")
            .header("origin", origin)
            .send()
            .await
            .unwrap();
        assert!(
            !answer.headers().contains_key("access-control-allow-origin"),
            "{origin}"
        );
    }
    server.stop().await;
}
