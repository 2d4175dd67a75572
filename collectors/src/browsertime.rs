//! browsertime's `browsertime.json`: for every page a list of iterations, each one page load in a real browser.
//!
//! Kept is what the browser timed at each iteration; `statistics` are derived from these and dropped. Times are
//! milliseconds, layout shift has no unit. A page is the flow by its route; its query is not kept.

use std::collections::HashMap;

use serde_json::Value;

use crate::draft::{Draft, observation, samples};
use crate::error::ParseError;
use crate::input::Input;
use crate::json;
use crate::report::{Direction, Observation, Report};
use crate::route::template;
use crate::{Format, ParseOptions};

/// Where an iteration's times stand, and how their metrics are called after them.
const TIMED: [(&str, &str, &str); 4] = [
    ("browserScripts", "/timings", ""),
    ("browserScripts", "/timings/pageTimings", "pageTimings."),
    ("googleWebVitals", "", "googleWebVitals."),
    ("visualMetrics", "", "visualMetrics."),
];

pub(crate) fn sniff(input: &Input) -> bool {
    let pages = input.document().and_then(Value::as_array);
    let is_page = |page: &Value| {
        json::array(page, "browserScripts").is_some()
            && page.get("info").is_some_and(Value::is_object)
    };
    pages.is_some_and(|pages| !pages.is_empty() && pages.iter().all(is_page))
}

pub(crate) fn parse(input: &Input, _: &ParseOptions) -> Result<Report, ParseError> {
    let mut draft = Draft::new(Format::Browsertime);
    let pages = input.document().and_then(Value::as_array);
    for page in pages.into_iter().flatten() {
        describe_run(&mut draft, page);
        for observation in page_loads(page) {
            draft.add(observation)?;
        }
        let failed = failures(page);
        if failed > 0 {
            draft.warn(format!(
                "{failed} iteration(s) of {} had errors",
                route(page)
            ));
        }
    }
    Ok(draft.finish())
}

fn address(page: &Value) -> &str {
    let url = page.pointer("/info/url").and_then(Value::as_str);
    url.or_else(|| page.pointer("/info/alias").and_then(Value::as_str))
        .unwrap_or("page")
}

fn route(page: &Value) -> String {
    template(address(page))
}

fn describe_run(draft: &mut Draft, page: &Value) {
    let said = |pointer| page.pointer(pointer).and_then(Value::as_str);
    let major = |version: &str| version.split('.').next().unwrap_or_default().to_owned();
    let context = draft.context();
    context.time_us = context
        .time_us
        .or(said("/info/timestamp").and_then(crate::time::microseconds));
    let version = said("/info/browsertime/version")
        .map(major)
        .unwrap_or_default();
    context.fingerprint.tool = Some(format!("browsertime {version}").trim().to_owned());
    context.fingerprint.runtime = said("/info/browser/name").map(|name| {
        let version = said("/info/browser/version").map(major).unwrap_or_default();
        format!("{name} {version}").trim().to_owned()
    });
}

fn failures(page: &Value) -> usize {
    let errors = json::array(page, "errors").into_iter().flatten();
    errors
        .filter(|errors| errors.as_array().is_some_and(|list| !list.is_empty()))
        .count()
}

/// One series for every time that the iterations hold.
fn page_loads(page: &Value) -> Vec<Observation> {
    let mut found: Vec<(String, Vec<f64>)> = Vec::new();
    let mut at: HashMap<String, usize> = HashMap::new();
    for (list, pointer, prefix) in TIMED {
        for iteration in json::array(page, list).into_iter().flatten() {
            let times = iteration.pointer(pointer).unwrap_or(&Value::Null);
            for (name, value) in json::reported(times, &[]) {
                let metric = format!("{prefix}{name}");
                let place = *at.entry(metric.clone()).or_insert(found.len());
                match found.get_mut(place) {
                    Some((_, values)) => values.push(value),
                    None => found.push((metric, vec![value])),
                }
            }
        }
    }
    let series = found.into_iter();
    series
        .map(|(metric, values)| page_load(page, &metric, values))
        .collect()
}

fn page_load(page: &Value, metric: &str, values: Vec<f64>) -> Observation {
    let shift = metric.to_lowercase().contains("layoutshift");
    let unit = if shift { "1" } else { "ms" };
    let mut load = observation(&route(page), metric, unit, samples(values));
    load.direction = Direction::Lower;
    load.shown_as = Some(address(page).to_owned());
    let labels = [
        ("browser", page.pointer("/info/browser/name")),
        ("connectivity", page.pointer("/info/connectivity/profile")),
    ];
    load.labels = labels
        .into_iter()
        .filter_map(|(key, value)| Some((key.to_owned(), value?.as_str()?.to_owned())))
        .collect();
    load
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    #[test]
    fn iterations_without_a_time_and_iterations_with_errors_do_no_harm() {
        let text = r#"[{"info": {"url": "https://shop/item/17?user=ann", "browser": {"name": "Firefox"}},
            "browserScripts": [{"timings": {"ttfb": 5}}, {"timings": {}}, {}, {"timings": {"ttfb": 7, "pageTimings": {"pageLoadTime": null}}}],
            "googleWebVitals": [], "errors": [[], ["timed out"], [], []], "statistics": {"timings": {"ttfb": {"mean": 6}}}}]"#;
        let report = crate::parse(text.as_bytes(), &ParseOptions::default()).unwrap();
        let [time] = &report.observations[..] else {
            panic!()
        };
        assert_eq!(
            (&*time.flow, &*time.labels["browser"]),
            ("/item/:id", "Firefox")
        );
        assert_eq!(time.payload, samples(vec![5.0, 7.0]));
        assert_eq!(report.warnings.len(), 1);
    }
}
