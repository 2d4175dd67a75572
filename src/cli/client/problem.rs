//! RFC 9457 problem documents, as the server answers errors.

use std::fmt;

use reqwest::StatusCode;
use serde_json::Value;

/// What went wrong, as the server told it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Problem {
    /// The HTTP status.
    pub(crate) status: u16,
    /// The stable kind; empty where the answer was no problem document.
    pub(crate) code: String,
    /// What is wrong.
    pub(crate) detail: String,
    /// Where, in words; empty where it is nowhere in particular.
    pub(crate) place: String,
    /// What to do.
    pub(crate) hint: Option<String>,
}

/// How much of an answer that is no problem document is shown, in characters.
const EXCERPT: usize = 200;

impl Problem {
    /// Of an answer's body, which may be anything when a proxy answered.
    pub(crate) fn read(status: StatusCode, body: &[u8]) -> Self {
        let reason = status.canonical_reason().unwrap_or("unknown status");
        let Ok(Value::Object(document)) = serde_json::from_slice::<Value>(body) else {
            let text: String = String::from_utf8_lossy(body)
                .chars()
                .filter(|c| !c.is_control())
                .take(EXCERPT)
                .collect();
            let detail = if text.trim().is_empty() {
                reason.to_owned()
            } else {
                format!("{reason}: {}", text.trim())
            };
            return Self::from_text(status.as_u16(), &detail);
        };
        let text = |key: &str| {
            document
                .get(key)
                .and_then(Value::as_str)
                .filter(|text| !text.is_empty())
                .map(str::to_owned)
        };
        Self {
            status: status.as_u16(),
            code: text("code").unwrap_or_default(),
            detail: text("detail")
                .or_else(|| text("title"))
                .unwrap_or_else(|| reason.to_owned()),
            place: document.get("where").map(place).unwrap_or_default(),
            hint: text("hint"),
        }
    }

    /// A problem of our own making.
    pub(crate) fn from_text(status: u16, detail: &str) -> Self {
        Self {
            status,
            detail: detail.to_owned(),
            ..Self::default()
        }
    }
}

/// A place's parts in reading order: line 3, column 9, at /a/b.
fn place(place: &Value) -> String {
    match place {
        Value::String(text) => text.clone(),
        Value::Object(parts) => {
            let part = |(key, value): (&String, &Value)| match (key.as_str(), value) {
                (_, Value::Null) => None,
                ("pointer", Value::String(pointer)) => Some(format!("at {pointer}")),
                (_, Value::String(text)) => Some(format!("{key} {text}")),
                (_, value) => Some(format!("{key} {value}")),
            };
            parts.iter().filter_map(part).collect::<Vec<_>>().join(", ")
        }
        _ => String::new(),
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)?;
        if !self.place.is_empty() {
            write!(f, " ({})", self.place)?;
        }
        if self.code.is_empty() {
            write!(f, " [HTTP {}]", self.status)
        } else {
            write!(f, " [{}]", self.code)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_reads_as_what_where_and_kind() {
        let body = br#"{"type":"about:blank","title":"Unprocessable","code":"invalid_json","detail":"expected a comma","where":{"line":3,"column":9},"hint":"was the file cut short?"}"#;
        let problem = Problem::read(StatusCode::UNPROCESSABLE_ENTITY, body);
        assert_eq!(
            problem.to_string(),
            "expected a comma (line 3, column 9) [invalid_json]"
        );
        assert_eq!(problem.hint.as_deref(), Some("was the file cut short?"));
    }

    #[test]
    fn a_proxy_page_is_shown_short_and_without_control_characters() {
        let page = format!("<html>\n\u{1b}[31m{}", "x".repeat(9_000));
        let problem = Problem::read(StatusCode::BAD_GATEWAY, page.as_bytes());
        assert!(problem.detail.starts_with("Bad Gateway: <html>"));
        assert!(problem.detail.len() < 300 && !problem.detail.contains('\u{1b}'));
    }
}
