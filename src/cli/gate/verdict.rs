//! A gate's verdict as the server tells it, and in sentences.

use serde::Deserialize;
use serde_json::Value;

use super::super::client::ClientError;
use super::super::client::Problem;
use super::super::{Exit, Failure};

/// The answer of a gate, or of one of its checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Answer {
    /// Proven within.
    Pass,
    /// Proven beyond.
    Fail,
    /// Neither is proven.
    Inconclusive,
}

impl Answer {
    /// The word on the wire and in print.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Inconclusive => "inconclusive",
        }
    }
}

/// A verdict.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(crate) struct Verdict {
    pub(crate) gate: String,
    pub(crate) release: String,
    pub(crate) verdict: Answer,
    #[serde(default)]
    pub(crate) checks: Vec<Check>,
    #[serde(default)]
    pub(crate) waivers: Vec<Value>,
    #[serde(default)]
    pub(crate) url: Option<String>,
}

/// One check of a verdict.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(crate) struct Check {
    pub(crate) flow: String,
    #[serde(default)]
    metric: Option<String>,
    #[serde(default)]
    source: String,
    #[serde(default)]
    pub(crate) rule: String,
    #[serde(default)]
    percentile: Option<f64>,
    pub(crate) verdict: Answer,
    #[serde(default)]
    change_pct: Option<Change>,
    #[serde(default)]
    pub(crate) reason: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
struct Change {
    value: f64,
    #[serde(default)]
    lower: Option<f64>,
    #[serde(default)]
    upper: Option<f64>,
}

impl Verdict {
    /// Errs where the document is no verdict.
    pub(crate) fn read(document: &Value) -> Result<Self, Failure> {
        Self::deserialize(document).map_err(|error| {
            let words = format!(
                "the answer is no verdict ({error}); are server and client of the same version?"
            );
            ClientError::Broken(Problem::from_text(200, &words)).into()
        })
    }

    /// 0 for pass, 1 for fail, 3 for inconclusive.
    pub(crate) fn exit(&self) -> Exit {
        match self.verdict {
            Answer::Pass => Exit::Ok,
            Answer::Fail => Exit::No,
            Answer::Inconclusive => Exit::Inconclusive,
        }
    }

    /// The checks that a reader must see first: failed, undecided, passed.
    pub(crate) fn in_order(&self) -> Vec<&Check> {
        let mut checks: Vec<_> = self.checks.iter().collect();
        checks.sort_by_key(|check| match check.verdict {
            Answer::Fail => 0,
            Answer::Inconclusive => 1,
            Answer::Pass => 2,
        });
        checks
    }

    /// One sentence: `gate release, v2.38: fail (1 fail, 2 pass)`.
    pub(crate) fn headline(&self) -> String {
        let count = |answer: Answer| {
            self.checks
                .iter()
                .filter(|check| check.verdict == answer)
                .count()
        };
        let counts: Vec<String> = [Answer::Fail, Answer::Inconclusive, Answer::Pass]
            .into_iter()
            .filter(|answer| count(*answer) > 0)
            .map(|answer| format!("{} {}", count(answer), answer.word()))
            .collect();
        let of = if counts.is_empty() {
            "no checks".to_owned()
        } else {
            counts.join(", ")
        };
        format!(
            "gate {}, {}: {} ({of})",
            self.gate,
            self.release,
            self.verdict.word()
        )
    }

    /// The verdict for a terminal.
    pub(crate) fn lines(&self) -> Vec<String> {
        let checks = self.in_order().into_iter().map(|check| {
            format!(
                "  {:<12}  {}: {}",
                check.verdict.word(),
                check.series(),
                check.reason
            )
        });
        let waivers = self
            .waivers
            .iter()
            .map(|waiver| format!("  waiver        {}", self::waiver(waiver)));
        [self.headline()]
            .into_iter()
            .chain(checks)
            .chain(waivers)
            .chain(self.url.iter().map(|url| format!("  {url}")))
            .collect()
    }
}

impl Check {
    /// Flow, source, metric, percentile: what was tested.
    pub(crate) fn series(&self) -> String {
        let percentile = self.percentile.map(|p| format!("P{p}")).unwrap_or_default();
        let parts = [
            self.flow.as_str(),
            &self.source,
            self.metric.as_deref().unwrap_or(""),
            &percentile,
        ];
        parts
            .into_iter()
            .filter(|part| !part.is_empty())
            .collect::<Vec<_>>()
            .join(" ")
    }

    /// `+4.6 % [3.1, 6.2]`, or nothing where no change was measured.
    pub(crate) fn change(&self) -> String {
        let Some(change) = self.change_pct else {
            return String::new();
        };
        let range = change
            .lower
            .zip(change.upper)
            .map(|(lower, upper)| format!(" [{lower:.1}, {upper:.1}]"))
            .unwrap_or_default();
        format!("{:+.1} %{range}", change.value)
    }
}

/// A waiver in words, whatever the server says of it.
fn waiver(waiver: &Value) -> String {
    let text = |key: &str| waiver.get(key).and_then(Value::as_str);
    match (text("budget"), text("until"), text("owner")) {
        (Some(budget), Some(until), Some(owner)) => format!("{budget} until {until} ({owner})"),
        _ => waiver
            .as_str()
            .map_or_else(|| waiver.to_string(), str::to_owned),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    pub(crate) fn failing() -> Verdict {
        Verdict::read(&json!({
            "id": "1", "gate": "release", "release": "v2.38", "verdict": "fail", "url": "https://lw/v/1", "evidence": {},
            "checks": [
                {"flow": "Login", "source": "load", "rule": "regression", "percentile": 75, "verdict": "pass", "reason": "inside", "needs": null},
                {"flow": "Parse <import>|x", "source": "bench", "metric": "wall_time", "rule": "regression", "verdict": "fail",
                 "change_pct": {"value": 4.62, "lower": 3.1, "upper": 6.2}, "reason": "even the lowest likely value\nis beyond the allowed 2 %"},
                {"flow": "Search", "source": "rum", "rule": "freshness", "percentile": 75, "verdict": "inconclusive", "reason": "no data for 9 days; 100% stale"},
            ],
            "waivers": [{"budget": "checkout-lcp", "until": "2027-01-31", "owner": "payments"}],
        })).unwrap()
    }

    #[test]
    fn what_failed_stands_first() {
        let lines = failing().lines();
        assert_eq!(
            lines[0],
            "gate release, v2.38: fail (1 fail, 1 inconclusive, 1 pass)"
        );
        assert!(
            lines[1].starts_with("  fail          Parse <import>|x bench wall_time: even"),
            "{}",
            lines[1]
        );
        assert_eq!(lines[3], "  pass          Login load P75: inside");
        assert_eq!(
            lines[4],
            "  waiver        checkout-lcp until 2027-01-31 (payments)"
        );
    }

    #[test]
    fn each_answer_has_its_exit_code() {
        let code = |word: &str| {
            Verdict::read(&json!({"gate": "g", "release": "r", "verdict": word}))
                .unwrap()
                .exit()
                .code()
        };
        assert_eq!(
            [code("pass"), code("fail"), code("inconclusive")],
            [0, 1, 3]
        );
    }

    #[test]
    fn a_document_that_is_no_verdict_is_a_failure_and_never_a_pass() {
        let failure =
            Verdict::read(&json!({"gate": "g", "release": "r", "verdict": "maybe"})).unwrap_err();
        assert_eq!(failure.exit().code(), 2);
    }
}
