//! boomerang's beacons: a query or a form, as a captured HTTP request or alone, one a line. Timers are in milliseconds, as
//! boomerang's documentation of its plugins RT, PaintTiming, EventTiming and Continuity names them.
//!
//! Kept are the timers, the page's route, the release, the page view's id and the beacon's number; sessions, the whole
//! address, variables of one's own and what is said of the device are not. A beacon that is sent as the page goes
//! (`rt.quit`) repeats `t_done` without a load, so its timer is shown and never stored.

use std::borrow::Cow;
use std::collections::HashMap;

use serde_json::Value;

use crate::draft::{Draft, observation, scalar};
use crate::error::ParseError;
use crate::input::{Input, Shape};
use crate::limits::{self, cut};
use crate::report::{Beacon, Direction, Observation, Report};
use crate::route::template;
use crate::table::first_line;
use crate::web_vitals::{Request, form_fields, is_plausible, is_request};
use crate::{Format, ParseOptions};

/// Timers of one load, which may be the page's or that of a request or view within it.
const OF_LOAD: [&str; 3] = ["t_resp", "t_page", "t_done"];

/// Measurements of the page, of which later beacons bring later values.
const OF_PAGE: [&str; 9] = [
    "pt.fp", "pt.fcp", "pt.lcp", "et.fid", "et.inp", "c.fid", "c.inp", "c.tti", "c.cls",
];

/// What begins a load within a page; anything else is `other`, since it splits series.
const INITIATORS: [&str; 6] = ["xhr", "spa", "spa_hard", "interaction", "click", "manual"];

/// What else is shown of a beacon.
const SHOWN: [&str; 5] = ["n", "rt.start", "rt.quit", "v", "release"];

/// A beacon's fields.
type Fields<'a> = HashMap<Cow<'a, str>, Cow<'a, str>>;

pub(crate) fn sniff(input: &Input) -> bool {
    match &input.shape {
        Shape::Json(document) if is_request(document) => {
            Request::read(document).is_some_and(|request| is_beacon(&fields(form(&request))))
        }
        Shape::Text => {
            let line = first_line(&input.text);
            line.len() <= limits::LINE_BYTES
                && line.contains('=')
                && !line.contains(char::is_whitespace)
                && is_beacon(&fields(line))
        }
        _ => false,
    }
}

/// The plugin RT names its fields so; without it there are a page view, a number, a version and an address.
fn is_beacon(fields: &Fields) -> bool {
    let of_timer = ["rt.si", "rt.start", "rt.tstart", "rt.end"];
    let of_page = ["pid", "n", "v", "u"];
    of_timer.iter().any(|&key| fields.contains_key(key))
        || of_page.iter().all(|&key| fields.contains_key(key))
}

/// The form in a request: its body, else its query.
fn form<'a>(request: &'a Request) -> &'a str {
    match std::str::from_utf8(&request.body) {
        Ok(body) if body.contains('=') => body.trim(),
        _ => request.query,
    }
}

/// A form's fields; an address before them goes.
fn fields(form: &str) -> Fields<'_> {
    let form = match form.split_once('?') {
        Some((address, query)) if !address.contains('=') => query,
        _ => form,
    };
    form_fields(form).into_iter().collect()
}

pub(crate) fn parse(input: &Input, _: &ParseOptions) -> Result<Report, ParseError> {
    let mut draft = Draft::new(Format::Boomerang);
    if let Some(request) = input.document().and_then(Request::read) {
        read(&fields(form(&request)), request.referer, &mut draft)?;
        return Ok(draft.finish());
    }
    for line in input.lines() {
        let (number, line) = line?;
        let fields = fields(line.trim());
        if is_beacon(&fields) {
            read(&fields, None, &mut draft)?;
        } else {
            draft.skip(format!("line {number}"), "no beacon of boomerang");
        }
    }
    Ok(draft.finish())
}

fn read(fields: &Fields, referer: Option<&str>, draft: &mut Draft) -> Result<(), ParseError> {
    let field = |key: &str| {
        fields
            .get(key)
            .map(|text| text.trim())
            .filter(|text| !text.is_empty())
    };
    let number = field("n").and_then(|n| n.parse::<u64>().ok()).unwrap_or(0);
    let unload = fields.contains_key("rt.quit");
    let flow = field("u")
        .or(referer)
        .map_or_else(|| "other".to_owned(), template);
    if let Some(release) = field("release") {
        draft.context().release = Some(cut(release, limits::LABEL_VALUE_BYTES));
    }
    for metric in OF_LOAD.into_iter().chain(OF_PAGE) {
        let Some(text) = field(metric) else { continue };
        // Both plugins may measure one thing; it counts once.
        let of_plugin = metric.strip_prefix("c.");
        if of_plugin.is_some_and(|name| field(&format!("et.{name}")).is_some()) {
            continue;
        }
        let unit = if metric == "c.cls" { "1" } else { "ms" };
        let Some(value) = text.parse().ok().filter(|v| is_plausible(unit, *v)) else {
            draft.skip(metric, "no plausible number");
            continue;
        };
        let mut series = Observation {
            shown_as: Some(metric.to_owned()),
            direction: Direction::Lower,
            ..observation(&flow, metric, unit, scalar(value))
        };
        let of_load = OF_LOAD.contains(&metric);
        if unload && of_load {
            series.extra.insert("is_unload_beacon".into(), true.into());
            draft.show(series);
            continue;
        }
        let Some(page_view) = field("pid") else {
            draft.skip(
                metric,
                "no page view (pid): reports could not be told apart",
            );
            continue;
        };
        // A request or view within the page is a load of its own, which began at another time.
        let started = field("rt.tstart").filter(|_| of_load).unwrap_or_default();
        series.beacon = Some(Beacon {
            id: cut(&format!("{page_view}-{started}-{metric}"), 128),
            sequence: number,
            device: None,
            navigation: navigation(field("nt_nav_type")),
            sampling_ppm: 1_000_000,
        });
        if of_load {
            label(
                &mut series,
                field("http.initiator"),
                fields.contains_key("http.errno"),
            );
        }
        draft.add(series)?;
    }
    draft.show(about(fields, number, unload));
    Ok(())
}

/// What began a load, where it is not the page's own, and whether it failed.
fn label(series: &mut Observation, initiator: Option<&str>, failed: bool) {
    if let Some(initiator) = initiator {
        let known = INITIATORS.into_iter().find(|known| *known == initiator);
        let initiator = known.unwrap_or("other");
        series
            .labels
            .insert("initiator".into(), initiator.to_owned());
    }
    if failed {
        series.labels.insert("outcome".into(), "error".into());
        series.failed = 1;
    }
}

/// The types of the browser's `performance.navigation` by their number.
fn navigation(kind: Option<&str>) -> Option<String> {
    let name = match kind? {
        "0" => "navigate",
        "1" => "reload",
        "2" => "back-forward",
        _ => return None,
    };
    Some(name.to_owned())
}

/// The beacon itself, by its number within the page view.
fn about(fields: &Fields, number: u64, unload: bool) -> Observation {
    let mut about = observation("meta", "meta", "", scalar(number as f64));
    let shown = SHOWN
        .iter()
        .filter_map(|&key| Some((key.to_owned(), fields.get(key)?.to_string())));
    about.labels = shown.collect();
    about
        .extra
        .insert("is_unload_beacon".into(), Value::Bool(unload));
    about
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;
    use crate::report::Outcome;

    const PAGE: &str = "u=https%3A%2F%2Fshop%2Fitem%2F17%3Futm%3Dx&rt.si=secret-session&rt.tstart=100&pid=abc&ua.plt=Linux&ab=ann";

    fn read(text: &str) -> Report {
        crate::parse(text.as_bytes(), &ParseOptions::default()).unwrap()
    }

    #[test]
    fn later_beacons_of_a_page_replace_earlier_ones_and_time_on_page_is_no_load() {
        let text = format!(
            "{PAGE}&n=1&t_done=300&c.cls=0.1\n/beacon?{PAGE}&n=2&t_done=9000&rt.quit=&c.cls=0.2\n"
        );
        let report = read(&text);
        let stored: Vec<_> = report
            .observations
            .iter()
            .map(|o| (o.metric.as_str(), o.beacon.clone().unwrap()))
            .collect();
        let listed: Vec<_> = stored
            .iter()
            .map(|(metric, b)| (*metric, b.id.as_str(), b.sequence))
            .collect();
        assert_eq!(
            listed,
            [
                ("t_done", "abc-100-t_done", 1),
                ("c.cls", "abc--c.cls", 1),
                ("c.cls", "abc--c.cls", 2)
            ]
        );
        assert_eq!(report.observations[0].flow, "/item/:id");
        assert!(report.shown_only.iter().any(|o| o.metric == "t_done"));
        let all = format!("{report:?}");
        assert!(
            ["secret", "utm", "Linux", "ann"]
                .iter()
                .all(|word| !all.contains(word)),
            "{all}"
        );
    }

    #[test]
    fn requests_within_a_page_are_loads_of_their_own() {
        let text = format!("{PAGE}&n=3&t_done=30&http.initiator=xhr&http.errno=500");
        let report = read(&text.replace("rt.tstart=100", "rt.tstart=200"));
        let load = &report.observations[0];
        assert_eq!(
            (
                load.labels["initiator"].as_str(),
                load.labels["outcome"].as_str()
            ),
            ("xhr", "error")
        );
        assert_eq!(load.beacon.as_ref().unwrap().id, "abc-200-t_done");
    }

    #[test]
    fn numbers_that_cannot_be_are_left_out() {
        let report = read(&format!("{PAGE}&n=1&t_done=-5&t_page=x&t_resp=1e9&pt.fp=4"));
        assert_eq!(report.observations.len(), 1);
        assert_eq!(report.skipped.len(), 3);
        let twice = read(&format!("{PAGE}&n=1&et.fid=5&c.fid=5"));
        assert_eq!(twice.observations.len(), 1);
        assert_eq!(report.outcome(), Outcome::Partial);
        assert_eq!(read("u=%2F&rt.si=a&t_done=5").observations.len(), 0);
    }
}
