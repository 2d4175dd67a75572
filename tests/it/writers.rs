//! What several writers send, and what a server should count of it: each writer has a flow of its own.

use reqwest::{Client, RequestBuilder};
use serde_json::json;

use crate::process::Process;

/// One measurement of a writer, under a key of its own.
pub(crate) fn measurement(
    client: &Client,
    address: &str,
    token: &str,
    writer: usize,
    number: usize,
) -> RequestBuilder {
    let body = json!({"source": "load", "release": "v1", "measurements": [
        {"flow": format!("flow-{writer}"), "metric": "latency", "unit": "ms", "basis": "op", "values": [1 + number % 90]}]});
    client
        .post(format!("{address}/api/v1/projects/shop/samples"))
        .bearer_auth(token)
        .header("idempotency-key", format!("{writer}-{number}"))
        .json(&body)
}

/// Every flow counts what its writer had acknowledged.
pub(crate) async fn counts(server: &Process, token: &str, acknowledged: &[usize]) {
    let client = Client::new();
    let list = server.get(&client, token, "series").await;
    let items = list["items"].as_array().unwrap();
    assert_eq!(items.len(), acknowledged.len(), "{list}");
    for series in items {
        let flow = series["flow"].as_str().unwrap();
        let writer: usize = flow.strip_prefix("flow-").unwrap().parse().unwrap();
        let id = series["id"].as_str().unwrap();
        let path = format!("series/{id}/histogram?release=v1");
        let histogram = server.get(&client, token, &path).await;
        assert_eq!(histogram["count"], acknowledged[writer], "{flow}");
    }
}
