//! Every page of a project, and every form on one, with every kind of visitor. The table is held against the routes in
//! the source: a page that it does not know fails the test.

use std::collections::BTreeSet;
use std::fs;

use longwatch::clock::now_us;
use longwatch::store::Scope::{self, Admin, Ci, Ingest, Read, Rum};
use reqwest::redirect::Policy;
use reqwest::{Client, Method, RequestBuilder, StatusCode};

use super::forgery::session;
use super::server;
use crate::ground::Server;

const PAGES: [&str; 13] = [
    "/{project}",
    "/{project}/flows",
    "/{project}/flows/{flow}",
    "/{project}/releases/{release}",
    "/{project}/findings",
    "/{project}/findings/{id}",
    "/{project}/gates",
    "/{project}/gates/{gate}",
    "/{project}/gates/{gate}/verdicts/{id}",
    "/{project}/months",
    "/{project}/budgets",
    "/{project}/compare",
    "/{project}/settings",
];

const FORMS: [&str; 2] = [
    "/{project}/findings/{id}/{button}",
    "/{project}/deliveries/{id}/again",
];

/// The paths below a project that the router's source names.
fn routed() -> BTreeSet<String> {
    let mut routed = BTreeSet::new();
    for file in ["src/http/mod.rs", "src/http/pages.rs"] {
        let source = fs::read_to_string(format!("{}/{file}", env!("CARGO_MANIFEST_DIR"))).unwrap();
        let quoted = source.split('"').skip(1).step_by(2);
        routed.extend(
            quoted
                .filter(|text| text.starts_with("/{project}"))
                .map(str::to_owned),
        );
    }
    routed
}

fn filled(path: &str) -> String {
    path.replace("{project}", "shop")
        .replace("{flow}", "checkout")
        .replace("{release}", "v1")
        .replace("{gate}", "release")
        .replace("{id}", "0123456789abcdef0123456789abcdef")
        .replace("{button}", "acknowledge")
}

struct Visitor<'a> {
    server: &'a Server,
    client: Client,
}

impl Visitor<'_> {
    fn asks(&self, method: &Method, path: &str) -> RequestBuilder {
        let url = format!("{}{}", self.server.url, filled(path));
        self.client
            .request(method.clone(), url)
            .header("accept", "text/html")
    }
}

async fn status(request: RequestBuilder) -> u16 {
    request.send().await.unwrap().status().as_u16()
}

fn is_allowed(method: &Method, scope: Scope) -> bool {
    match scope {
        Admin => true,
        Read | Ci => method == Method::GET,
        Ingest | Rum => false,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_lets_in_whom_it_should_and_nobody_else() {
    let known: BTreeSet<String> = PAGES
        .iter()
        .chain(&FORMS)
        .map(|path| (*path).to_owned())
        .collect();
    assert_eq!(routed(), known, "the table and the router differ");
    let server = server().await;
    let client = Client::builder().redirect(Policy::none()).build().unwrap();
    let visitor = Visitor {
        server: &server,
        client,
    };
    let other = server
        .store
        .ensure_project("other", "test", now_us())
        .await
        .unwrap();
    let of_other = server
        .store
        .create_token(&other, Admin, "", None, "test", now_us())
        .await
        .unwrap()
        .text;
    let cookie = session(&server).await;
    let mut tokens = Vec::new();
    for scope in [Rum, Ingest, Ci, Read, Admin] {
        tokens.push((scope, server.token(scope).await));
    }
    let pages = PAGES.iter().map(|path| (Method::GET, *path));
    for (method, path) in pages.chain(FORMS.iter().map(|path| (Method::POST, *path))) {
        let anonymous = visitor.asks(&method, path).send().await.unwrap();
        if method == Method::GET {
            assert_eq!(
                anonymous.status(),
                StatusCode::SEE_OTHER,
                "{path} for anyone"
            );
            let to = anonymous.headers()["location"].to_str().unwrap();
            assert!(to.starts_with("/login?next=/shop"), "{path} leads to {to}");
        } else {
            assert_eq!(
                anonymous.status(),
                StatusCode::UNAUTHORIZED,
                "{path} for anyone"
            );
        }
        let from_other = visitor.asks(&method, path).bearer_auth(&of_other);
        assert_eq!(
            status(from_other).await,
            404,
            "{path} with another project's token"
        );
        for (scope, token) in &tokens {
            let status = status(visitor.asks(&method, path).bearer_auth(token)).await;
            if is_allowed(&method, *scope) {
                assert!(
                    ![401, 403, 500].contains(&status),
                    "{path} with {scope}: {status}"
                );
            } else {
                assert_eq!(status, 403, "{path} with {scope}");
            }
        }
        let signed_in = status(visitor.asks(&method, path).header("cookie", &cookie)).await;
        assert!(
            ![303, 401, 403, 500].contains(&signed_in),
            "{path} signed in: {signed_in}"
        );
        let forged = visitor
            .asks(&method, path)
            .header("cookie", "longwatch=nonsense");
        assert!(
            [303, 401].contains(&status(forged).await),
            "{path} with a made-up session"
        );
    }
    server.stop().await;
}
