//! `deno bench --json`: statistics in nanoseconds of every benchmark, without its samples.

use serde_json::Value;

use crate::draft::{Draft, observation};
use crate::error::ParseError;
use crate::input::Input;
use crate::json;
use crate::report::{Basis, Payload, Report, Summary};
use crate::{Format, ParseOptions};

pub(crate) fn sniff(input: &Input) -> bool {
    input.document().is_some_and(|document| {
        json::string(document, "runtime").is_some_and(|runtime| runtime.starts_with("Deno/"))
            && json::array(document, "benches").is_some()
    })
}

pub(crate) fn parse(input: &Input, _: &ParseOptions) -> Result<Report, ParseError> {
    let mut draft = Draft::new(Format::DenoBench);
    let Some(document) = input.document() else {
        return Ok(draft.finish());
    };
    describe_run(&mut draft, document);
    for bench in json::array(document, "benches").into_iter().flatten() {
        let name = json::string(bench, "name").unwrap_or("bench");
        let flow = match json::string(bench, "group").filter(|group| !group.is_empty()) {
            Some(group) => format!("{group}/{name}"),
            None => name.to_owned(),
        };
        let results = json::array(bench, "results").map_or(&[][..], Vec::as_slice);
        if results.is_empty() {
            draft.skip(&flow, "no result");
        }
        for result in results {
            add(&mut draft, &flow, result)?;
        }
    }
    Ok(draft.finish())
}

/// `Deno/2.9.6 x86_64-unknown-linux-gnu` names the version and the machine.
fn describe_run(draft: &mut Draft, document: &Value) {
    let runtime = json::string(document, "runtime").unwrap_or_default();
    let (version, target) = runtime.split_once(' ').unwrap_or((runtime, ""));
    let major = version.trim_start_matches("Deno/").split('.').next();
    let deno = format!("deno {}", major.unwrap_or_default());
    let mut parts = target.split('-');
    let fingerprint = &mut draft.context().fingerprint;
    fingerprint.arch = parts.next().filter(|a| !a.is_empty()).map(str::to_owned);
    fingerprint.os = parts.nth(1).map(str::to_owned);
    fingerprint.cpu = json::string(document, "cpu").map(str::to_owned);
    fingerprint.tool = Some(deno.trim().to_owned());
}

fn add(draft: &mut Draft, flow: &str, result: &Value) -> Result<(), ParseError> {
    let Some(statistics) = result.get("ok") else {
        let failed = result.get("failed").map(json::label).unwrap_or_default();
        draft.skip(flow, format!("failed: {failed}"));
        return Ok(());
    };
    let reported = json::reported(statistics, &["n"]);
    if !reported.iter().any(|(name, _)| name == "avg") {
        draft.skip(flow, "no average");
        return Ok(());
    }
    let summary = Summary {
        reported,
        headline: Some("avg".into()),
        count: statistics.get("n").and_then(Value::as_u64),
        stddev: None,
    };
    let mut time = observation(flow, "time", "ns", Payload::Summary(summary));
    time.basis = Basis::ToolSummary;
    draft.add(time)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;
    use crate::report::Outcome;

    #[test]
    fn what_failed_or_has_no_average_is_listed() {
        let text = r#"{"version": 1, "runtime": "Deno/2.0.0 aarch64-apple-darwin", "cpu": "M1", "benches": [
            {"name": "a", "group": "g", "results": [{"failed": "Error: boom"}]}, {"name": "b", "results": []},
            {"name": "c", "results": [{"ok": {"n": 3, "avg": 1.5, "p75": null}}]}]}"#;
        let report = crate::parse(text.as_bytes(), &ParseOptions::default()).unwrap();
        assert_eq!(
            (report.outcome(), report.skipped.len()),
            (Outcome::Partial, 2)
        );
        assert_eq!(report.skipped[0].name, "g/a");
        let fingerprint = &report.context.fingerprint;
        assert_eq!(fingerprint.os.as_deref(), Some("darwin"));
        assert_eq!(fingerprint.tool.as_deref(), Some("deno 2"));
    }
}
