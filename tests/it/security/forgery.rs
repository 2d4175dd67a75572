//! Requests that another site makes in a signed-in visitor's name.

use longwatch::clock::now_us;
use longwatch::http::auth::PLAIN_COOKIE;
use reqwest::{Method, RequestBuilder, Url};
use serde_json::json;

use super::{form, server};
use crate::ground::Server;

/// The cookie of somebody who is signed in.
pub(super) async fn session(server: &Server) -> String {
    server
        .store
        .save_account("ann", "no password fits this", now_us())
        .await
        .unwrap();
    let account = server.store.account("ann").await.unwrap().unwrap();
    let secret = server
        .store
        .begin_session(&account, now_us())
        .await
        .unwrap();
    format!("{PLAIN_COOKIE}={secret}")
}

fn changes(server: &Server, cookie: &str) -> Vec<RequestBuilder> {
    let id = "0123456789abcdef0123456789abcdef";
    let api = |method: Method, path: &str| {
        server
            .client
            .request(method, server.address(path))
            .header("cookie", cookie)
    };
    let page = |path: &str| {
        server
            .client
            .post(format!("{}{path}", server.url))
            .header("cookie", cookie)
    };
    vec![
        api(Method::POST, "releases").json(&json!({"name": "v1"})),
        api(Method::POST, "epochs").json(&json!({"flow": "a", "kind": "harness", "reason": "r"})),
        api(Method::PATCH, &format!("findings/{id}")).json(&json!({"action": "acknowledge"})),
        api(Method::PATCH, &format!("runs/{id}")).json(&json!({"excluded": false})),
        api(Method::PUT, "config").body("[project]\nname = \"shop\"\n"),
        page(&format!("/shop/findings/{id}/acknowledge")),
        page(&format!("/shop/deliveries/{id}/again")),
        form(page("/login"), "name=ann&password=guess"),
        page("/logout"),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cookie_sent_from_another_site_changes_nothing() {
    let server = server().await;
    let cookie = session(&server).await;
    for (name, value) in [
        ("origin", "https://evil.example"),
        ("origin", "null"),
        ("origin", "http://127.0.0.1"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
    ] {
        for request in changes(&server, &cookie) {
            let answer = request.header(name, value).send().await.unwrap();
            let what = format!("{} with {name}: {value}", answer.url().path());
            assert_eq!(answer.status(), 403, "{what}");
        }
    }
    assert_eq!(
        server.get("releases").await["items"],
        json!([]),
        "nothing was changed"
    );

    // The same from our own pages goes through: the refusals above are not for want of rights.
    let own = Url::parse(&server.url)
        .unwrap()
        .origin()
        .ascii_serialization();
    for (name, value) in [("origin", own.as_str()), ("sec-fetch-site", "same-origin")] {
        for request in changes(&server, &cookie).into_iter().take(5) {
            let answer = request.header(name, value).send().await.unwrap();
            let what = format!("{} with {name}: {value}", answer.url().path());
            assert!(
                ![401, 403].contains(&answer.status().as_u16()),
                "{what}: {}",
                answer.status()
            );
        }
    }
    assert_eq!(server.get("releases").await["items"][0]["name"], "v1");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_ended_opens_nothing() {
    let server = server().await;
    let cookie = session(&server).await;
    let read = async || {
        let request = server
            .client
            .get(server.address("series"))
            .header("cookie", &cookie);
        request.send().await.unwrap().status().as_u16()
    };
    assert_eq!(read().await, 200);
    let left = server
        .client
        .post(format!("{}/logout", server.url))
        .header("cookie", &cookie);
    assert!(left.send().await.unwrap().status().as_u16() < 400);
    assert_eq!(
        read().await,
        401,
        "the server ended it, not only the browser"
    );
    server.stop().await;
}
