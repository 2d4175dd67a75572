//! Errors for people: what a program gets as problem+json, a browser gets as a page, or as the way to the sign-in.

use axum::extract::Request;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};

use super::error::Error;
use super::pages::error::ErrorPage;
use super::pages::layout::{Account, Shell};
use super::paths;
use crate::clock::now_us;

/// Turns an error into a page where the reader is a browser.
pub(super) async fn errors(request: Request, next: Next) -> Response {
    let wants_page = wants_page(request.headers());
    let path = request.uri().path().to_owned();
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    let request_id = request
        .headers()
        .get("x-request-id")
        .and_then(|id| id.to_str().ok())
        .unwrap_or_default()
        .to_owned();
    let response = next.run(request).await;
    let Some(error) = response.extensions().get::<Error>().cloned() else {
        return response;
    };
    if !wants_page || path.starts_with("/api/") {
        return response;
    }
    if error.status == StatusCode::UNAUTHORIZED && reads {
        let next = format!("{}?next={path}", paths::LOGIN);
        return Redirect::to(&next).into_response();
    }
    let retry = error.retry_after_s;
    let mut answer = (error.status, page(&error, request_id)).into_response();
    if let Some(seconds) = retry {
        answer
            .headers_mut()
            .insert(header::RETRY_AFTER, seconds.into());
    }
    answer
}

fn page(error: &Error, request_id: String) -> ErrorPage {
    let shell = Shell::bare(Account::Nobody, now_us());
    match error.status {
        StatusCode::NOT_FOUND => ErrorPage::not_found(shell, request_id),
        StatusCode::SERVICE_UNAVAILABLE => {
            let seconds = error.retry_after_s.unwrap_or(1);
            ErrorPage::busy(shell, u64::from(seconds), request_id)
        }
        StatusCode::TOO_MANY_REQUESTS => ErrorPage::too_many(shell, error.code, request_id),
        status if status.is_server_error() => ErrorPage::fault(shell, request_id),
        _ => ErrorPage {
            shell,
            title: sentence(&error.detail),
            remedy: error.hint.as_deref().map(sentence).unwrap_or_default(),
            request_id,
        },
    }
}

/// With a capital and a full stop.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|c| c.to_uppercase().to_string());
    let mut sentence = format!("{}{}", first.unwrap_or_default(), letters.as_str());
    if !sentence.ends_with(['.', '!', '?']) {
        sentence.push('.');
    }
    sentence
}

fn wants_page(headers: &HeaderMap) -> bool {
    headers
        .get(header::ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .is_some_and(|accept| accept.contains("text/html"))
}
