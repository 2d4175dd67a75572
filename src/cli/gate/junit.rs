//! A verdict as JUnit XML: a case a check. What is undecided is an error, since a skipped test would look like a pass.

use super::verdict::{Answer, Check, Verdict};

/// The whole document.
pub(super) fn suite(verdict: &Verdict) -> String {
    let checks = verdict.in_order();
    let count = |answer: Answer| {
        checks
            .iter()
            .filter(|check| check.verdict == answer)
            .count()
    };
    let cases: String = checks.iter().map(|check| case(check)).collect();
    // A verdict without checks decides nothing; an empty suite would count as passed.
    let (extra, alone) = match (checks.is_empty(), verdict.verdict) {
        (true, Answer::Fail | Answer::Inconclusive) => (
            1,
            "  <testcase name=\"gate\"><error message=\"no check could be made\"/></testcase>\n",
        ),
        _ => (0, ""),
    };
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"{}\">\n{cases}{alone}</testsuite>",
        escaped(&format!("gate {}, {}", verdict.gate, verdict.release)),
        checks.len() + extra,
        count(Answer::Fail),
        count(Answer::Inconclusive) + extra,
    )
}

fn case(check: &Check) -> String {
    let head = format!(
        "  <testcase classname=\"{}\" name=\"{}\">",
        escaped(&check.series()),
        escaped(&check.rule)
    );
    let reason = escaped(&check.reason);
    match check.verdict {
        Answer::Pass => format!("{head}<system-out>{reason}</system-out></testcase>\n"),
        Answer::Fail => format!("{head}<failure message=\"{reason}\"/></testcase>\n"),
        Answer::Inconclusive => {
            format!("{head}<error type=\"inconclusive\" message=\"{reason}\"/></testcase>\n")
        }
    }
}

/// Text for XML 1.0; characters that no XML may hold are left out.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '&' => safe.push_str("&amp;"),
            '"' => safe.push_str("&quot;"),
            '\n' | '\t' | '\r' => safe.push(' '),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => {}
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::super::verdict::tests::failing;
    use super::*;

    #[test]
    fn a_verdict_reads_as_a_suite() {
        assert_eq!(
            suite(&failing()),
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
             <testsuite name=\"gate release, v2.38\" tests=\"3\" failures=\"1\" errors=\"1\">\n  \
             <testcase classname=\"Parse &lt;import&gt;|x bench wall_time\" name=\"regression\"><failure message=\"even the lowest likely value is beyond the allowed 2 %\"/></testcase>\n  \
             <testcase classname=\"Search rum P75\" name=\"freshness\"><error type=\"inconclusive\" message=\"no data for 9 days; 100% stale\"/></testcase>\n  \
             <testcase classname=\"Login load P75\" name=\"regression\"><system-out>inside</system-out></testcase>\n\
             </testsuite>"
        );
    }

    #[test]
    fn an_undecided_gate_without_checks_is_no_empty_suite() {
        let verdict = Verdict {
            checks: Vec::new(),
            ..failing()
        };
        assert!(suite(&verdict).contains("tests=\"1\" failures=\"0\" errors=\"1\""));
    }
}
