//! `perf stat -j` (a line of JSON for every counter) and `perf stat -x,` (a line of CSV).
//!
//! A counter is one value: with `-r` the mean over the runs, with `-I` the count of one interval. What was measured is
//! not in the file, so that the sender may name it as the flow. Specified by `perf-stat(1)` and `Documentation/perf-stat.txt`.

use serde_json::{Map, Value};

use crate::draft::{Draft, observation, scalar};
use crate::error::ParseError;
use crate::input::{Input, Shape};
use crate::json;
use crate::printed;
use crate::report::{Basis, Direction, Report};
use crate::{Format, ParseOptions};

/// The flow of a run that nobody named.
const UNNAMED: &str = "perf stat";

/// Where the counter was counted, with `-A`, `--per-core` and the like.
const PLACES: [&str; 8] = [
    "cpu", "core", "die", "socket", "node", "thread", "cgroup", "cache",
];

pub(crate) fn sniff(input: &Input) -> bool {
    let mut lines = input.text.lines();
    let first = lines.find(|line| !line.trim().is_empty() && !line.starts_with('#'));
    let Some(first) = first.map(str::trim) else {
        return false;
    };
    match &input.shape {
        Shape::Own(_) | Shape::Hdr(_) => false,
        _ if first.starts_with('{') => {
            let counter = first.contains("\"counter-value\"") && first.contains("\"event\"");
            counter && input.document().is_none_or(|d| d.get("event").is_some())
        }
        Shape::Text => input.text.starts_with("# started on ") && comma_separated(first).is_some(),
        _ => false,
    }
}

pub(crate) fn parse(input: &Input, _: &ParseOptions) -> Result<Report, ParseError> {
    let mut draft = Draft::new(Format::PerfStat);
    draft.context().fingerprint.tool = Some("perf".into());
    for line in input.lines() {
        let (number, line) = line?;
        let line = line.trim();
        if line.starts_with('#') {
            continue;
        }
        let counter = if line.starts_with('{') {
            json::parse(line).ok()
        } else {
            comma_separated(line)
        };
        match counter {
            Some(counter) => add(&mut draft, &counter)?,
            // Some versions of perf write lines that are no JSON.
            None => draft.skip(format!("line {number}"), "no counter that can be read"),
        }
    }
    Ok(draft.finish())
}

/// `value,unit,event[,deviation%],run time,share of the time` as the fields that the JSON has.
fn comma_separated(line: &str) -> Option<Value> {
    let mut fields = line.split(',').collect::<Vec<_>>();
    let mut counter = Map::new();
    // With -I the time comes first.
    let is_value = |text: &str| text.starts_with('<') || printed::number(text).is_some();
    let interval = fields.len() > 5 && fields.get(1).is_some_and(|second| is_value(second));
    if interval {
        counter.insert(
            "interval".into(),
            printed::number(fields.remove(0).trim())?.into(),
        );
    }
    let [value, unit, event, rest @ ..] = &fields[..] else {
        return None;
    };
    if event.is_empty() || event.contains(' ') || !is_value(value) {
        return None;
    }
    counter.insert("counter-value".into(), (*value).into());
    counter.insert("unit".into(), (*unit).into());
    counter.insert("event".into(), (*event).into());
    let deviation = rest.first().and_then(|text| text.strip_suffix('%'));
    if let Some(deviation) = deviation {
        counter.insert("variance".into(), printed::number(deviation)?.into());
    }
    let share = rest.get(if deviation.is_some() { 2 } else { 1 });
    let share = share.and_then(|text| printed::number(text));
    counter.extend(share.map(|share| ("pcnt-running".to_owned(), share.into())));
    Some(counter.into())
}

fn add(draft: &mut Draft, counter: &Value) -> Result<(), ParseError> {
    // A line of derived metrics alone has no counter.
    let Some(event) = json::string(counter, "event").filter(|event| !event.is_empty()) else {
        return Ok(());
    };
    let written = counter
        .get("counter-value")
        .map(json::label)
        .unwrap_or_default();
    let Some(value) = printed::number(written.trim()) else {
        draft.skip(event, written);
        return Ok(());
    };
    let unit = json::string(counter, "unit").filter(|unit| !unit.is_empty());
    let mut counted = observation(UNNAMED, event, unit.unwrap_or("count"), scalar(value));
    counted.shown_as = Some(event.to_owned());
    counted.basis = if unit.is_some() {
        Basis::Run
    } else {
        Basis::Count
    };
    counted.direction = Direction::Lower;
    let places = PLACES.iter().filter_map(|place| {
        let value = counter.get(*place).filter(|value| !value.is_null())?;
        Some(((*place).to_owned(), json::label(value)))
    });
    counted.labels = places.collect();
    for (key, name) in [("variance", "variance_percent"), ("interval", "interval")] {
        let value = counter.get(key).cloned();
        counted
            .extra
            .extend(value.map(|value| (name.to_owned(), value)));
    }
    let share = json::number(counter, "pcnt-running").filter(|share| *share < 100.0);
    if let Some(share) = share {
        draft.warn(format!(
            "{event} was counted {share} % of the time and scaled up"
        ));
        counted.extra.insert("pcnt-running".into(), share.into());
    }
    draft.add(counted)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    fn read(text: &str, flow: Option<&str>) -> Report {
        let options = ParseOptions {
            flow: flow.map(str::to_owned),
            ..ParseOptions::default()
        };
        crate::parse(text.as_bytes(), &options).unwrap()
    }

    #[test]
    fn the_sender_names_the_flow_and_broken_lines_are_listed() {
        let text = "{\"counter-value\" : \"12\", \"unit\" : \"\", \"event\" : \"cycles\", \"pcnt-running\" : 50.0, \"cpu\" : \"0\"}\n{\"counter-value\" : , \"event\" : \"x\"}\n{\"counter-value\" : \"<not counted>\", \"event\" : \"faults\"}\n{\"metric-value\" : 1.0}\n";
        let report = read(text, Some("import"));
        assert_eq!((report.observations.len(), report.skipped.len()), (1, 2));
        let cycles = &report.observations[0];
        assert_eq!(
            (&*cycles.flow, &*cycles.metric, &*cycles.labels["cpu"]),
            ("import", "cycles", "0")
        );
        assert_eq!(report.warnings.len(), 1, "it was scaled");
    }

    #[test]
    fn comma_separated_lines_are_read_as_well() {
        let text = "# started on Sat Nov 21 20:49:20 2026\n\n0.55,msec,task-clock,4.09%,553096,100.00,0.011,CPUs utilized\n<not supported>,,cycles,0,100.00,,\n";
        let report = read(text, None);
        assert_eq!(report.observations[0].payload, scalar(0.55));
        assert_eq!(report.observations[0].extra["variance_percent"], 4.09);
        assert_eq!(report.skipped[0].name, "cycles");
    }
}
