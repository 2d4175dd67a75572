//! HTTP archives (HAR 1.2): the time of every request, what it was made up of, and the pages' own times.
//!
//! Requests are flows by method and route, their phases are taken over all requests. Queries, cookies, headers, bodies
//! and addresses are never kept. A phase of -1 did not apply; `ssl` is a part of `connect`. A page is one value, its `onLoad`.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::draft::{Draft, observation, scalar};
use crate::error::ParseError;
use crate::input::Input;
use crate::json;
use crate::report::{Direction, Observation, Report};
use crate::requests::{Kind, Requests, flow};
use crate::route::template;
use crate::{Format, ParseOptions};

const PHASES: [&str; 7] = [
    "blocked", "dns", "connect", "ssl", "send", "wait", "receive",
];

/// The name under which all requests are listed together.
const REQUESTS: &str = "requests";

pub(crate) fn sniff(input: &Input) -> bool {
    log(input)
        .is_some_and(|log| log.get("version").is_some() && json::array(log, "entries").is_some())
}

fn log<'a>(input: &'a Input) -> Option<&'a Value> {
    input.document()?.get("log")
}

pub(crate) fn parse(input: &Input, _: &ParseOptions) -> Result<Report, ParseError> {
    let mut draft = Draft::new(Format::Har);
    let Some(log) = log(input) else {
        return Ok(draft.finish());
    };
    describe_run(&mut draft, log);
    let mut requests = Timed::default();
    for (at, entry) in json::array(log, "entries")
        .into_iter()
        .flatten()
        .enumerate()
    {
        if json::number(entry, "time").is_none() {
            draft.skip(format!("/log/entries/{at}"), "a request without its time");
        }
        requests.take(entry);
    }
    requests.finish(&mut draft)?;
    for page in json::array(log, "pages").into_iter().flatten() {
        if let Some(load) = page_load(page) {
            draft.add(load)?;
        }
    }
    Ok(draft.finish())
}

fn describe_run(draft: &mut Draft, log: &Value) {
    let said = |pointer| log.pointer(pointer).and_then(Value::as_str);
    let context = draft.context();
    context.fingerprint.tool = said("/creator/name").map(str::to_owned);
    context.fingerprint.runtime = said("/browser/name").map(|name| {
        let version = said("/browser/version").unwrap_or_default();
        let major = version.split('.').next().unwrap_or_default();
        format!("{name} {major}").trim().to_owned()
    });
    let began = said("/pages/0/startedDateTime").or(said("/entries/0/startedDateTime"));
    context.time_us = began.and_then(crate::time::microseconds);
}

/// The whole time of requests by route, and each phase's over all requests.
#[derive(Default)]
struct Timed {
    whole: Requests,
    phases: [Requests; PHASES.len()],
}

impl Timed {
    fn take(&mut self, entry: &Value) {
        let said = |pointer| entry.pointer(pointer).and_then(Value::as_str);
        let status = entry.pointer("/response/status").and_then(Value::as_i64);
        let route = template(said("/request/url").unwrap_or_default());
        let kind = |flow: &str| Kind {
            shown_as: REQUESTS.to_owned(),
            flow: flow.to_owned(),
            labels: BTreeMap::new(),
            // Browsers write 0 where there was no answer.
            failed: !status.is_some_and(|status| (1..400).contains(&status)),
        };
        if let Some(time) = json::number(entry, "time") {
            let flow = match said("/request/method") {
                Some(method) => format!("{method} {route}"),
                None => route,
            };
            self.whole.add(kind(&flow), time);
        }
        let timings = entry.get("timings").unwrap_or(&Value::Null);
        for (phase, requests) in PHASES.into_iter().zip(&mut self.phases) {
            if let Some(time) = json::number(timings, phase).filter(|time| *time >= 0.0) {
                requests.add(kind(REQUESTS), time);
            }
        }
    }

    fn finish(self, draft: &mut Draft) -> Result<(), ParseError> {
        self.whole.finish(draft, "entry_time", "ms", &[])?;
        for (phase, requests) in PHASES.into_iter().zip(self.phases) {
            requests.finish(draft, &format!("timings.{phase}"), "ms", &[])?;
        }
        Ok(())
    }
}

/// A page's `onLoad`, with its other times beside it.
fn page_load(page: &Value) -> Option<Observation> {
    let times = page.get("pageTimings")?;
    let title = json::string(page, "title").filter(|title| !title.is_empty());
    let name = title.or(json::string(page, "id")).unwrap_or("page");
    let value = json::number(times, "onLoad").filter(|time| *time >= 0.0)?;
    // Browsers title a page by its address where the document has no title.
    let mut load = observation(&flow(name), "pageTimings", "ms", scalar(value));
    load.direction = Direction::Lower;
    load.shown_as = Some(name.to_owned());
    let reported = json::reported(times, &[]);
    let reported = reported.into_iter().filter(|(_, time)| *time >= 0.0);
    let reported = reported.map(|(key, time)| (key, json!(time)));
    load.extra.insert("reported".into(), reported.collect());
    Some(load)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;
    use crate::draft::samples;

    #[test]
    fn requests_are_told_apart_by_route_and_outcome_and_nothing_private_is_kept() {
        let entry = |url: &str, status: i64, time: f64| {
            json!({"time": time, "request": {"method": "GET", "url": url, "cookies": [{"name": "sid", "value": "secret"}]},
                "response": {"status": status}, "timings": {"blocked": -1, "dns": null, "wait": time}})
        };
        let document = json!({"log": {"version": "1.2", "entries": [
            entry("http://shop/item/17?token=secret", 200, 5.0), entry("http://shop/item/18", 304, 6.0),
            entry("http://shop/item/19", 500, 1.0), entry("http://shop/item/19", 0, 0.5)],
            "pages": [{"id": "p1", "title": "http://shop/?token=secret", "pageTimings": {"onLoad": null, "onContentLoad": 3}}]}});
        let report =
            crate::parse(document.to_string().as_bytes(), &ParseOptions::default()).unwrap();
        let listed: Vec<_> = report
            .observations
            .iter()
            .map(|o| {
                (
                    o.flow.as_str(),
                    o.metric.as_str(),
                    o.labels.len(),
                    o.payload.clone(),
                )
            })
            .collect();
        assert_eq!(
            listed[0],
            ("GET /item/:id", "entry_time", 0, samples(vec![5.0, 6.0]))
        );
        assert_eq!(
            listed[2],
            ("requests", "timings.wait", 0, samples(vec![5.0, 6.0]))
        );
        assert_eq!(
            listed[1],
            ("GET /item/:id", "entry_time", 1, samples(vec![1.0, 0.5]))
        );
        assert_eq!(listed.len(), 4, "a page without onLoad has no value");
        assert!(!format!("{report:?}").contains("secret"));
    }
}
