//! One error for all of HTTP: problem+json (RFC 9457) for programs, a page for people.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::intake::IntakeError;
use crate::store::{MergedWith, StoreError};
use crate::writer::WriteError;

/// What was wrong, where, and what to do about it.
#[derive(Debug, Clone, PartialEq)]
pub struct Error {
    /// HTTP status.
    pub status: StatusCode,
    /// Stable word for programs (ingest.md §5 and ours).
    pub code: &'static str,
    /// What was wrong, for a person.
    pub detail: String,
    /// Where: byte, line, record or JSON pointer.
    pub place: Option<Box<Value>>,
    /// What to do.
    pub hint: Option<String>,
    /// Seconds after which a retry makes sense.
    pub retry_after_s: Option<u32>,
}

/// How an answer ends.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// An error with a status, a code and a sentence.
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Error {
        Error {
            status,
            code,
            detail: detail.into(),
            place: None,
            hint: None,
            retry_after_s: None,
        }
    }

    /// The same with what to do.
    pub fn hint(mut self, hint: impl Into<String>) -> Error {
        self.hint = Some(hint.into());
        self
    }

    /// Nothing there, or nothing that the caller may see: the two look alike.
    pub fn not_found() -> Error {
        Error::new(
            StatusCode::NOT_FOUND,
            "not_found",
            "nothing here that you may see",
        )
    }

    /// A parameter or field that does not fit.
    pub fn invalid(what: impl Into<String>) -> Error {
        Error::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_value", what)
    }

    /// No or wrong credentials.
    pub fn unauthorised() -> Error {
        Error::new(
            StatusCode::UNAUTHORIZED,
            "unauthorised",
            "no valid token or session came with the request",
        )
        .hint("send Authorization: Bearer with a token of this project, or sign in")
    }

    /// Good credentials that do not reach so far.
    pub fn forbidden(needed: &str) -> Error {
        Error::new(
            StatusCode::FORBIDDEN,
            "forbidden",
            format!("this token's scope does not allow it; {needed} does"),
        )
    }

    /// The database is busy or away; nothing was stored.
    pub fn busy() -> Error {
        let mut error = Error::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "busy",
            "busy, nothing was stored; send it again",
        );
        error.retry_after_s = Some(1);
        error
    }

    /// The database went away in the middle: what was asked may have been done.
    pub fn unsettled() -> Error {
        Error {
            code: "unsettled",
            detail: "the database does not answer; what was to be changed may have been; ask for it again".to_owned(),
            ..Error::busy()
        }
    }

    /// The problem+json document.
    pub fn document(&self) -> Value {
        let mut document = json!({
            "type": "about:blank",
            "title": self.status.canonical_reason().unwrap_or("error"),
            "status": self.status.as_u16(),
            "code": self.code,
            "detail": self.detail,
        });
        if let Some(place) = &self.place {
            document["where"] = (**place).clone();
        }
        if let Some(hint) = &self.hint {
            document["hint"] = json!(hint);
        }
        document
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NotFound => Error::not_found(),
            StoreError::KeyReused(_) => {
                Error::new(StatusCode::CONFLICT, "key_reused", error.to_string())
            }
            StoreError::Merged(with) => merged(with),
            StoreError::Nul => Error::invalid(error.to_string()),
            StoreError::Forgotten(release) => Error::new(
                StatusCode::CONFLICT,
                "forgotten",
                format!(
                    "runs of {release} are forgotten by now, and no other can be taken out of what is kept of it"
                ),
            )
            .hint("[project.retention] says how long runs are kept; the release as a whole can be deleted"),
            error if error.is_unsettled() => Error::unsettled(),
            error if error.is_transient() => Error::busy(),
            error => {
                tracing::error!(%error, "store failed");
                Error::new(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "internal",
                    "the server could not do this; its log says why",
                )
            }
        }
    }
}

fn merged(with: MergedWith) -> Error {
    let (with, hint) = match with {
        MergedWith::Run { run, others } => (
            format!("{others} other batches of its run"),
            format!("delete run {run}, and send again what was right in it"),
        ),
        MergedWith::Days => (
            "the days of its series".to_owned(),
            "delete the release, or the series".to_owned(),
        ),
    };
    Error::new(
        StatusCode::CONFLICT,
        "merged",
        format!("the batch's measurements are merged with {with} and can't be taken out alone"),
    )
    .hint(hint)
}

impl From<WriteError> for Error {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::Busy => Error::busy(),
            WriteError::Unsettled => Error {
                code: "unsettled",
                detail: error.to_string(),
                ..Error::busy()
            },
            WriteError::Refused(detail) => {
                Error::new(StatusCode::UNPROCESSABLE_ENTITY, "refused", detail)
            }
        }
    }
}

impl From<IntakeError> for Error {
    fn from(error: IntakeError) -> Self {
        let code = match error {
            IntakeError::NoRelease => "release_missing",
            IntakeError::Future => "clock",
            IntakeError::TooMany => "invalid_value",
        };
        Error::new(StatusCode::UNPROCESSABLE_ENTITY, code, error.to_string())
    }
}

impl From<collectors::ParseError> for Error {
    fn from(error: collectors::ParseError) -> Self {
        let status = match error.kind {
            collectors::ErrorKind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            _ => StatusCode::UNPROCESSABLE_ENTITY,
        };
        Error {
            place: error
                .place
                .as_ref()
                .and_then(|place| serde_json::to_value(place).ok())
                .map(Box::new),
            hint: error.hint.clone(),
            ..Error::new(status, error.kind.name(), error.message)
        }
    }
}

impl From<crate::config::ConfigError> for Error {
    fn from(error: crate::config::ConfigError) -> Self {
        Error {
            place: Some(Box::new(
                json!({"line": error.line, "column": error.column, "field": error.field}),
            )),
            hint: Some(error.hint.clone()),
            ..Error::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "invalid_config",
                error.message,
            )
        }
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(self.document())).into_response();
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        if let Some(seconds) = self.retry_after_s {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        // Pages answer people with a page; see `pages::as_page`.
        response.extensions_mut().insert(self);
        response
    }
}
