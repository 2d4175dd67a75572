//! A verdict as GitHub workflow commands, and the table in the job's summary.

use std::fs::OpenOptions;
use std::io::Write;

use super::super::Failure;
use super::verdict::{Answer, Verdict};

/// A line a check that did not pass, and one for the whole.
pub(super) fn annotations(verdict: &Verdict) -> Vec<String> {
    let open = verdict
        .in_order()
        .into_iter()
        .filter(|check| check.verdict != Answer::Pass);
    let checks = open.map(|check| command(check.verdict, &check.series(), &check.reason));
    [command(
        verdict.verdict,
        &format!("gate {}", verdict.gate),
        &verdict.headline(),
    )]
    .into_iter()
    .chain(checks)
    .collect()
}

fn command(answer: Answer, title: &str, message: &str) -> String {
    let level = match answer {
        Answer::Pass => "notice",
        Answer::Fail => "error",
        Answer::Inconclusive => "warning",
    };
    format!(
        "::{level} title={}::{}",
        property(title),
        message_text(message)
    )
}

/// What a workflow command's message must not hold literally; see GitHub's `actions/toolkit`, `command.ts`.
fn message_text(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

fn property(text: &str) -> String {
    message_text(text).replace(':', "%3A").replace(',', "%2C")
}

/// Appends the page to the job's summary where the runner offers one.
pub(super) fn summarise(page: &str) -> Result<(), Failure> {
    let Some(path) = std::env::var_os("GITHUB_STEP_SUMMARY").filter(|path| !path.is_empty()) else {
        return Ok(());
    };
    let written = OpenOptions::new()
        .append(true)
        .create(true)
        .open(&path)
        .and_then(|mut file| writeln!(file, "{page}"));
    written.map_err(|error| Failure::file(path, error))
}

#[cfg(test)]
mod tests {
    use super::super::verdict::tests::failing;
    use super::*;

    #[test]
    fn what_did_not_pass_is_annotated_on_one_line_each() {
        assert_eq!(
            annotations(&failing()),
            [
                "::error title=gate release::gate release, v2.38: fail (1 fail, 1 inconclusive, 1 pass)",
                "::error title=Parse <import>|x bench wall_time::even the lowest likely value%0Ais beyond the allowed 2 %25",
                "::warning title=Search rum P75::no data for 9 days; 100%25 stale",
            ]
        );
    }
}
