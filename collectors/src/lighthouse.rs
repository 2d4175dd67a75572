//! Lighthouse's report (`--output=json`, and each run that the Lighthouse CI keeps): one value a metric and run.
//!
//! See Lighthouse's `types/lhr`. Form factor and throttling method belong to the identity: a simulated phone is no desktop.
//! Every run counts, never the representative one alone. Screenshots and details are not kept. The Lighthouse CI's own
//! `manifest.json` and `assertion-results.json` hold no measurements.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::draft::{Draft, observation, scalar};
use crate::error::{ErrorKind, ParseError};
use crate::input::Input;
use crate::json;
use crate::report::{Basis, Direction, Observation, Report};
use crate::route::template;
use crate::{Format, ParseOptions};

/// The audits that are timings or shifts of the page as a whole, as the performance category lists them.
const METRICS: [&str; 10] = [
    "first-contentful-paint",
    "largest-contentful-paint",
    "first-meaningful-paint",
    "speed-index",
    "total-blocking-time",
    "cumulative-layout-shift",
    "interactive",
    "max-potential-fid",
    "server-response-time",
    "interaction-to-next-paint",
];

pub(crate) fn sniff(input: &Input) -> bool {
    input.document().is_some_and(|document| {
        document.get("lighthouseVersion").is_some() && document.get("audits").is_some()
            || beside(document).is_some()
    })
}

/// What the Lighthouse CI writes beside its reports: its name and how many entries it has.
fn beside(document: &Value) -> Option<(&'static str, usize)> {
    let entries = document.as_array().filter(|entries| !entries.is_empty())?;
    let all_have = |keys: [&str; 2]| {
        entries
            .iter()
            .all(|entry| keys.iter().all(|key| entry.get(key).is_some()))
    };
    if all_have(["isRepresentativeRun", "jsonPath"]) {
        Some(("manifest.json", entries.len()))
    } else if all_have(["operator", "passed"]) && all_have(["expected", "actual"]) {
        Some(("assertion-results.json", entries.len()))
    } else {
        None
    }
}

pub(crate) fn parse(input: &Input, _: &ParseOptions) -> Result<Report, ParseError> {
    let mut draft = Draft::new(Format::Lighthouse);
    let Some(report) = input.document() else {
        return Ok(draft.finish());
    };
    if let Some((name, entries)) = beside(report) {
        draft.skip(
            name,
            format!("{entries} entries; no timings: send the lhr-*.json"),
        );
        return Ok(draft.finish());
    }
    if let Some(error) = report.get("runtimeError").filter(|e| failed(e)) {
        return Err(runtime_error(error));
    }
    describe_run(&mut draft, report);
    let url = ["requestedUrl", "finalDisplayedUrl", "finalUrl"]
        .into_iter()
        .find_map(|key| json::string(report, key))
        .unwrap_or("?");
    let page = Page {
        url,
        flow: template(url),
        labels: labels(report),
    };
    let audits = report.get("audits").unwrap_or(&Value::Null);
    for metric in METRICS {
        let Some(audit) = audits.get(metric) else {
            continue;
        };
        match json::number(audit, "numericValue") {
            Some(value) => {
                let unit = json::string(audit, "numericUnit").unwrap_or("millisecond");
                draft.add(page.observed(metric, unit, value, Direction::Lower))?;
            }
            // An audit that does not apply to this kind of run is nothing left out; one that failed is.
            None if json::string(audit, "scoreDisplayMode") == Some("notApplicable") => {}
            None => {
                let said = json::string(audit, "errorMessage");
                draft.skip(metric, said.unwrap_or("no value"));
            }
        }
    }
    let score = report.pointer("/categories/performance/score");
    match score.and_then(Value::as_f64) {
        Some(score) => {
            draft.add(page.observed("performance_score", "ratio", score, Direction::Higher))?;
        }
        None if score.is_some() => draft.skip("performance_score", "no score"),
        None => {}
    }
    Ok(draft.finish())
}

/// `NO_ERROR` is how some versions say that all went well.
fn failed(error: &Value) -> bool {
    json::string(error, "code").is_some_and(|code| code != "NO_ERROR")
}

fn runtime_error(error: &Value) -> ParseError {
    let said = |key| json::string(error, key).unwrap_or("no reason given");
    let message = format!(
        "Lighthouse failed while it ran (runtimeError {}): {}",
        said("code"),
        said("message")
    );
    ParseError::new(ErrorKind::ToolReportedError, message)
        .at_pointer("/runtimeError")
        .hint("there is no result in it; run it again")
}

fn describe_run(draft: &mut Draft, report: &Value) {
    let major = json::string(report, "lighthouseVersion")
        .and_then(|version| version.split('.').next())
        .unwrap_or("?");
    let context = draft.context();
    context.fingerprint.tool = Some(format!("lighthouse {major}"));
    context.time_us = json::string(report, "fetchTime").and_then(crate::time::microseconds);
    let browser = ["/environment/hostUserAgent", "/userAgent"]
        .into_iter()
        .find_map(|path| report.pointer(path)?.as_str());
    context.fingerprint.runtime = browser.and_then(chrome);
    if let Some(warnings) = json::array(report, "runWarnings") {
        for warning in warnings.iter().filter_map(Value::as_str) {
            draft.warn(warning);
        }
    }
}

/// `… HeadlessChrome/156.0.0.0 …` as `chrome 156`.
fn chrome(user_agent: &str) -> Option<String> {
    let (_, version) = user_agent.split_once("Chrome/")?;
    let major: String = version.chars().take_while(char::is_ascii_digit).collect();
    (!major.is_empty()).then(|| format!("chrome {major}"))
}

/// The form factor and the throttling method; before version 7 the first was `emulatedFormFactor`.
fn labels(report: &Value) -> BTreeMap<String, String> {
    let setting = |keys: [&str; 2]| {
        let settings = report.get("configSettings")?;
        keys.into_iter().find_map(|key| json::string(settings, key))
    };
    let form_factor = setting(["formFactor", "emulatedFormFactor"]);
    let throttling = setting(["throttlingMethod", "throttlingMethod"]);
    [("formFactor", form_factor), ("throttling", throttling)]
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())))
        .collect()
}

/// The page that was loaded.
struct Page<'a> {
    url: &'a str,
    flow: String,
    labels: BTreeMap<String, String>,
}

impl Page<'_> {
    fn observed(&self, metric: &str, unit: &str, value: f64, direction: Direction) -> Observation {
        Observation {
            shown_as: Some(self.url.to_owned()),
            direction,
            basis: Basis::Run,
            labels: self.labels.clone(),
            ..observation(&self.flow, metric, unit, scalar(value))
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;
    use crate::report::Outcome;

    fn read(more: &str) -> Result<Report, ParseError> {
        let text = format!(
            r#"{{"lighthouseVersion":"13.0.1","requestedUrl":"https://shop.example/item/17?utm=x","fetchTime":"2026-11-21T20:45:30.000Z",
            "configSettings":{{"formFactor":"mobile","throttlingMethod":"simulate"}},
            "audits":{{"largest-contentful-paint":{{"numericValue":1834.5,"numericUnit":"millisecond"}},"speed-index":{{"scoreDisplayMode":"error","errorMessage":"NO_SPEEDLINE_FRAMES"}},
            "full-page-screenshot":{{"details":{{"data":"{}"}}}}}}{more}}}"#,
            "x".repeat(crate::limits::JSON_STRING_BYTES + 1)
        );
        crate::parse(text.as_bytes(), &ParseOptions::default())
    }

    #[test]
    fn a_page_is_its_route_on_a_form_factor_and_a_large_screenshot_is_no_obstacle() {
        let report = read("").unwrap();
        let [lcp] = &report.observations[..] else {
            panic!("{report:?}")
        };
        assert_eq!(lcp.flow, "/item/:id");
        assert_eq!(lcp.labels["formFactor"], "mobile");
        assert_eq!(lcp.payload, scalar(1834.5));
        assert_eq!(
            report.outcome(),
            Outcome::Partial,
            "an audit without a value is listed"
        );
        assert_eq!(report.skipped[0].reason, "NO_SPEEDLINE_FRAMES");
        assert_eq!(report.context.time_us, Some(1_795_293_930_000_000));
    }

    #[test]
    fn a_run_that_failed_is_refused_with_what_the_tool_said() {
        let failed =
            r#","runtimeError":{"code":"CHROME_INTERSTITIAL_ERROR","message":"a security page"}"#;
        let error = read(failed).unwrap_err();
        assert_eq!(error.kind, ErrorKind::ToolReportedError);
        assert!(error.message.contains("CHROME_INTERSTITIAL_ERROR"));
        assert!(read(r#","runtimeError":{"code":"NO_ERROR","message":""}"#).is_ok());
    }
}
