//! Talks to a Longwatch server: address, token, and answers in the words of its problem documents.

mod problem;

use std::time::Duration;

use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Method, StatusCode, Url};
use serde_json::Value;

use super::Failure;
use super::connection::Connection;
pub(crate) use problem::Problem;

/// How long a server may take to accept a connection.
const CONNECT: Duration = Duration::from_secs(10);
/// How long an upload and its answer may take: 8 MiB over a slow line, then a commit.
const ANSWER: Duration = Duration::from_secs(120);
/// The largest answer that we read, in bytes.
const ANSWER_BYTES: usize = 16 << 20;

/// A connection's address and credentials.
pub(crate) struct Client {
    http: reqwest::Client,
    base: Url,
    project: String,
    token: Option<HeaderValue>,
}

/// Why the server gave no usable answer.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum ClientError {
    /// No connection, or none that held. Worth another try.
    #[error("cannot reach {url}: {cause}")]
    Unreachable {
        /// The server's address.
        url: String,
        /// Why.
        cause: String,
    },
    /// The server asks for patience (408, 429, 502, 503, 504). Worth another try.
    #[error("the server is busy: {problem}")]
    Busy {
        /// What it said.
        problem: Problem,
        /// How long it asks us to wait.
        after: Option<Duration>,
    },
    /// The server refused the content (400, 409, 413, 415, 422 and the like). The same again will be refused again.
    #[error("{0}")]
    Refused(Problem),
    /// Wrong token, or a project or name that is not there (401, 403, 404).
    #[error("{0}")]
    Denied(Problem),
    /// The server failed, or what answered is no Longwatch server.
    #[error("{0}")]
    Broken(Problem),
}

impl ClientError {
    /// What the caller can do.
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::Unreachable { .. } => {
                Some("is the server running, and is LONGWATCH_URL or --url right?".to_owned())
            }
            Self::Busy { problem, .. } | Self::Refused(problem) | Self::Broken(problem) => {
                problem.hint.clone()
            }
            Self::Denied(problem) => problem
                .hint
                .clone()
                .or_else(|| Some(denied_hint(problem.status).to_owned())),
        }
    }

    /// Whether the same request may succeed later.
    pub(crate) fn is_passing(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Busy { .. })
    }
}

fn denied_hint(status: u16) -> &'static str {
    match status {
        401 => "set LONGWATCH_TOKEN to a token of this project (`longwatch token create`)",
        403 => "the token's scope does not allow this",
        _ => {
            "check --project and the name; what a token may not see is answered like what is not there"
        }
    }
}

/// A request's parts beside the address.
#[derive(Debug, Clone, Default)]
pub(crate) struct Content {
    /// The body.
    pub(crate) body: Vec<u8>,
    /// Further headers.
    pub(crate) headers: HeaderMap,
}

impl Content {
    /// A JSON body.
    pub(crate) fn json(document: &Value) -> Self {
        Self::text("application/json", document.to_string())
    }

    /// A body of that media type.
    pub(crate) fn text(media_type: &'static str, text: String) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(
            reqwest::header::CONTENT_TYPE,
            HeaderValue::from_static(media_type),
        );
        Self {
            body: text.into_bytes(),
            headers,
        }
    }
}

impl Client {
    /// Errs where the address is no address or a token is not readable.
    pub(crate) fn new(connection: &Connection) -> Result<Self, Failure> {
        Self::for_project(connection, connection.project()?)
    }

    /// The same for a project that is known otherwise.
    pub(crate) fn for_project(connection: &Connection, project: String) -> Result<Self, Failure> {
        let base = connection.url()?;
        let token = connection
            .token()?
            .map(|token| bearer(&token))
            .transpose()?;
        let agent = concat!("longwatch/", env!("CARGO_PKG_VERSION"));
        let http = reqwest::Client::builder()
            .user_agent(agent)
            .connect_timeout(CONNECT)
            .timeout(ANSWER)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| {
                Failure::usage(
                    format!("no HTTP client: {}", causes(&error)),
                    "check the proxy settings",
                )
            })?;
        Ok(Self {
            http,
            base,
            project,
            token,
        })
    }

    /// The project that is addressed.
    pub(crate) fn project(&self) -> &str {
        &self.project
    }

    /// The server's address.
    pub(crate) fn base(&self) -> &str {
        self.base.as_str()
    }

    /// The address of something of the project, by the path's parts and the query's pairs.
    pub(crate) fn address(&self, path: &[&str], query: &[(String, String)]) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments
                .pop_if_empty()
                .extend(["api", "v1", "projects", &self.project])
                .extend(path);
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        url
    }

    /// Sends a request and reads its JSON answer; an empty answer reads as null.
    pub(crate) async fn send(
        &self,
        method: Method,
        url: Url,
        content: Content,
    ) -> Result<Value, ClientError> {
        let mut request = self
            .http
            .request(method, url)
            .headers(content.headers)
            .body(content.body);
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, token.clone());
        }
        let unreachable = |error: &reqwest::Error| ClientError::Unreachable {
            url: self.base.to_string(),
            cause: causes(error),
        };
        let mut response = request.send().await.map_err(|error| unreachable(&error))?;
        let status = response.status();
        let after = retry_after(response.headers());
        let mut body = Vec::new();
        while let Some(chunk) = response
            .chunk()
            .await
            .map_err(|error| unreachable(&error))?
        {
            body.extend_from_slice(&chunk);
            if body.len() > ANSWER_BYTES {
                return Err(ClientError::Broken(Problem::from_text(
                    status.as_u16(),
                    "the answer is too long to be ours",
                )));
            }
        }
        answer(status, after, &body)
    }
}

/// Sorts an answer by its status.
fn answer(status: StatusCode, after: Option<Duration>, body: &[u8]) -> Result<Value, ClientError> {
    if status.is_success() {
        if body.is_empty() {
            return Ok(Value::Null);
        }
        return serde_json::from_slice(body).map_err(|error| {
            ClientError::Broken(Problem::from_text(
                status.as_u16(),
                &format!("the answer is no JSON ({error}); is this a Longwatch server?"),
            ))
        });
    }
    let problem = Problem::read(status, body);
    Err(match status.as_u16() {
        408 | 429 | 502 | 503 | 504 | 507 => ClientError::Busy { problem, after },
        401 | 403 | 404 => ClientError::Denied(problem),
        400..500 => ClientError::Refused(problem),
        _ => ClientError::Broken(problem),
    })
}

/// The header's seconds. The form with a date is left unread: our server sends seconds, and backoff covers the rest.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    headers
        .get(RETRY_AFTER)?
        .to_str()
        .ok()?
        .trim()
        .parse()
        .ok()
        .map(Duration::from_secs)
}

fn bearer(token: &str) -> Result<HeaderValue, Failure> {
    let mut value = HeaderValue::from_str(&format!("Bearer {token}")).map_err(|_| {
        Failure::usage(
            "the token has characters that no token has",
            "copy it again, without line breaks",
        )
    })?;
    value.set_sensitive(true);
    Ok(value)
}

/// An error with its causes; the address is left out, since the message names it already.
fn causes(error: &reqwest::Error) -> String {
    let mut deepest: &dyn std::error::Error = error;
    while let Some(cause) = deepest.source() {
        deepest = cause;
    }
    if error.is_timeout() {
        format!("no answer in time ({deepest})")
    } else {
        deepest.to_string()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;

    #[test]
    fn answers_are_sorted_by_whether_trying_again_helps() {
        for (status, passing) in [
            (503, true),
            (429, true),
            (422, false),
            (404, false),
            (500, false),
        ] {
            let error = answer(StatusCode::from_u16(status).unwrap(), None, b"{}").unwrap_err();
            assert_eq!(error.is_passing(), passing, "{status}");
        }
        assert_eq!(answer(StatusCode::OK, None, b"").unwrap(), Value::Null);
    }

    #[test]
    fn a_page_that_is_no_json_is_told_from_an_answer() {
        let Err(ClientError::Broken(problem)) = answer(StatusCode::OK, None, b"<html>") else {
            panic!("taken for an answer")
        };
        assert!(problem.to_string().contains("is this a Longwatch server"));
    }

    #[test]
    fn a_token_never_shows_in_debug_output_and_line_breaks_are_refused() {
        assert!(!format!("{:?}", bearer("secret").unwrap()).contains("secret"));
        assert!(bearer("a\nb").is_err());
    }

    #[test]
    fn only_seconds_to_wait_are_understood() {
        let headers = |text: &'static str| {
            HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_static(text))])
        };
        assert_eq!(retry_after(&headers("7")), Some(Duration::from_secs(7)));
        assert_eq!(retry_after(&headers("Wed, 21 Oct 2026 07:28:00 GMT")), None);
    }
}
