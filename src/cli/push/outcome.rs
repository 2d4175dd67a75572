//! What came of one file: in words, as JSON, and as an exit code.

use std::path::PathBuf;

use serde::Deserialize;
use serde_json::{Value, json};

use super::super::Exit;
use super::super::client::{ClientError, Problem};

/// One file and what came of it.
#[derive(Debug, Clone)]
pub(super) struct Sent {
    pub(super) name: String,
    pub(super) outcome: Outcome,
}

/// What came of a file.
#[derive(Debug, Clone)]
pub(super) enum Outcome {
    /// The server has it.
    Stored(Stored),
    /// The server will never take it.
    Refused { problem: Problem },
    /// A file found by walking is in no format that the server reads.
    LeftOut { problem: Problem },
    /// It waits on disk.
    Spooled { at: PathBuf, why: String },
    /// It could neither be delivered nor kept.
    Lost { why: String },
}

/// The server's answer to an upload.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Stored {
    format: String,
    outcome: String,
    series: u64,
    samples: u64,
    skipped: Vec<Value>,
    duplicate: bool,
}

impl Stored {
    /// Errs where the document is no answer to an upload.
    pub(super) fn read(document: Value) -> Result<Self, ClientError> {
        serde_json::from_value(document).map_err(|error| {
            let words = format!("the answer is none to an upload ({error}); are server and client of the same version?");
            ClientError::Broken(Problem::from_text(200, &words))
        })
    }

    fn exit(&self) -> Exit {
        match self.outcome.as_str() {
            "no_data" => Exit::Nothing,
            "partial" => Exit::Partial,
            _ => Exit::Ok,
        }
    }

    fn words(&self) -> String {
        let amount = format!(
            "{} series, {} samples ({})",
            self.series, self.samples, self.format
        );
        match (self.outcome.as_str(), self.duplicate) {
            ("no_data", _) => format!("nothing to ingest ({})", self.format),
            (_, true) => format!("was stored before: {amount}"),
            _ => format!("stored {amount}"),
        }
    }

    fn left_out(&self) -> impl Iterator<Item = String> {
        self.skipped.iter().map(|skipped| {
            let text = |key: &str| skipped.get(key).and_then(Value::as_str);
            match (text("name"), text("reason")) {
                (Some(name), Some(reason)) => format!("  left out {name}: {reason}"),
                _ => format!(
                    "  left out {}",
                    skipped
                        .as_str()
                        .map_or_else(|| skipped.to_string(), str::to_owned)
                ),
            }
        })
    }
}

/// Kinds of refusal that say "there is nothing", rather than "something is wrong".
const NOTHING: [&str; 2] = ["empty_file", "no_result"];

impl Sent {
    pub(super) fn exit(&self) -> Exit {
        match &self.outcome {
            Outcome::Stored(stored) => stored.exit(),
            Outcome::Refused { problem } if NOTHING.contains(&problem.code.as_str()) => {
                Exit::Nothing
            }
            Outcome::Refused { .. } => Exit::Refused,
            Outcome::LeftOut { .. } => Exit::Partial,
            Outcome::Spooled { .. } => Exit::Spooled,
            Outcome::Lost { .. } => Exit::Failed,
        }
    }

    /// The file and what came of it, then what was left out of it or what to do.
    pub(super) fn lines(&self) -> Vec<String> {
        let name = &self.name;
        match &self.outcome {
            Outcome::Stored(stored) => [format!("{name}: {}", stored.words())]
                .into_iter()
                .chain(stored.left_out())
                .collect(),
            Outcome::Refused { problem } => {
                let hint = problem.hint.iter().map(|hint| format!("  hint: {hint}"));
                [format!("{name}: refused: {problem}")]
                    .into_iter()
                    .chain(hint)
                    .collect()
            }
            Outcome::LeftOut { problem } => vec![format!("{name}: left out: {problem}")],
            Outcome::Spooled { at, why } => vec![format!(
                "{name}: waits in {} for the next push: {why}",
                at.display()
            )],
            Outcome::Lost { why } => vec![format!("{name}: {why}")],
        }
    }

    /// The same for programs.
    pub(super) fn document(&self) -> Value {
        let mut document = json!({ "file": self.name, "exit": self.exit().code() });
        let (key, value) = match &self.outcome {
            Outcome::Stored(stored) => (
                "stored",
                json!({ "format": stored.format, "outcome": stored.outcome, "series": stored.series, "samples": stored.samples, "skipped": stored.skipped, "duplicate": stored.duplicate }),
            ),
            Outcome::Refused { problem } | Outcome::LeftOut { problem } => (
                "error",
                json!({ "code": problem.code, "detail": problem.detail, "where": problem.place, "hint": problem.hint }),
            ),
            Outcome::Spooled { at, why } => ("spooled", json!({ "path": at, "why": why })),
            Outcome::Lost { why } => ("error", json!({ "detail": why })),
        };
        document[key] = value;
        document
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn stored(document: Value) -> Sent {
        Sent {
            name: "a.json".to_owned(),
            outcome: Outcome::Stored(Stored::read(document).unwrap()),
        }
    }

    #[test]
    fn what_was_left_out_is_named_with_its_reason() {
        let sent = stored(
            json!({"batch": "1", "format": "criterion", "outcome": "partial", "series": 3, "samples": 300,
            "skipped": [{"name": "bench/a", "reason": "negative time"}], "duplicate": false}),
        );
        assert_eq!(
            sent.lines(),
            [
                "a.json: stored 3 series, 300 samples (criterion)",
                "  left out bench/a: negative time"
            ]
        );
        assert_eq!(sent.exit(), Exit::Partial);
    }

    #[test]
    fn a_repeated_upload_is_said_to_be_one() {
        let sent = stored(
            json!({"format": "k6", "outcome": "ok", "series": 1, "samples": 9, "duplicate": true}),
        );
        assert_eq!(
            (sent.lines(), sent.exit()),
            (
                vec!["a.json: was stored before: 1 series, 9 samples (k6)".to_owned()],
                Exit::Ok
            )
        );
    }

    #[test]
    fn an_empty_file_is_nothing_and_a_broken_one_is_refused() {
        let refused = |code: &str| {
            let problem = Problem {
                status: 422,
                code: code.to_owned(),
                ..Problem::default()
            };
            Sent {
                name: "a".to_owned(),
                outcome: Outcome::Refused { problem },
            }
            .exit()
        };
        assert_eq!(
            [refused("empty_file"), refused("invalid_json")],
            [Exit::Nothing, Exit::Refused]
        );
    }
}
