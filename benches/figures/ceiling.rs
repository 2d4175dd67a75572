//! The ceilings: what the same HTTP stack does without Longwatch's work, in a process of its own.

use axum::body::Bytes;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use serde::Deserialize;

/// The argument with which this binary serves the ceilings instead of measuring.
pub(crate) const ARGUMENT: &str = "--serve-ceilings";

#[derive(Deserialize)]
struct Upload {
    measurements: Vec<Measurement>,
}

#[derive(Deserialize)]
struct Measurement {
    values: Vec<f64>,
}

/// Takes the body and answers.
async fn empty(_: Bytes) -> StatusCode {
    StatusCode::NO_CONTENT
}

/// Parses the values into a vector, drops it and answers.
async fn parse(Json(upload): Json<Upload>) -> Result<StatusCode, StatusCode> {
    let values: usize = upload.measurements.iter().map(|m| m.values.len()).sum();
    if values == 0 {
        return Err(StatusCode::BAD_REQUEST);
    }
    Ok(StatusCode::NO_CONTENT)
}

/// Serves until killed; says where, as the service itself does.
#[tokio::main]
pub(crate) async fn serve() -> std::io::Result<()> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    println!("listening on http://{}", listener.local_addr()?);
    let router = Router::new()
        .route("/empty", post(empty))
        .route("/parse", post(parse))
        .layer(DefaultBodyLimit::max(64 << 20));
    axum::serve(listener, router).await
}
