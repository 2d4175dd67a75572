//! What outsiders try, tried: each control of the security list that the service as a whole has to hold.

mod forgery;
mod headers;
mod limits;
mod logs;
mod pages;
mod routes;
mod spreadsheets;
mod starts;

use reqwest::{RequestBuilder, Response};
use serde_json::Value;

use crate::ground::{Database, Server, databases};

/// What these tests ask of HTTP is the same on both engines; one is enough.
async fn sqlite() -> Database {
    databases().await.swap_remove(0)
}

async fn server() -> Server {
    Server::start(sqlite().await, Default::default()).await
}

/// The stable word of a refusal.
async fn code(answer: Response) -> String {
    let problem: Value = answer.json().await.unwrap();
    problem["code"].as_str().unwrap().to_owned()
}

/// A form as browsers send it; the fields need no escaping.
fn form(request: RequestBuilder, fields: &str) -> RequestBuilder {
    request
        .header("content-type", "application/x-www-form-urlencoded")
        .body(fields.to_owned())
}
