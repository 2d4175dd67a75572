//! Histories in CSV, as `longwatch detect` reads them: a row a run.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::super::Failure;
use super::super::detect::series_in;
use super::{Args, History};
use crate::stats::detections::Series;

/// One history a file.
pub(super) fn histories(args: &Args) -> Result<Vec<History>, Failure> {
    let series = series_in(&args.paths)?;
    Ok(series
        .into_iter()
        .map(|(flow, series)| history(args, flow, &series))
        .collect())
}

fn history(args: &Args, flow: String, series: &Series) -> History {
    // A value of so many observations is a summary of them; where a file counts in one row, all of its rows are.
    let is_summary = series.counts.iter().any(Option::is_some);
    let mut seen: HashMap<(i64, &str), usize> = HashMap::new();
    let mut runs = Vec::new();
    for at in 0..series.values.len() {
        let release = series.releases[at].as_str();
        let time_us = series.times_us[at];
        let nth = seen.entry((time_us, release)).or_default();
        *nth += 1;
        let (value, Ok(time)) = (
            series.values[at],
            jiff::Timestamp::from_microsecond(time_us),
        ) else {
            continue;
        };
        if !value.is_finite() {
            continue;
        }
        let mut measurement = json!({ "flow": flow, "metric": args.metric, "unit": args.unit });
        if is_summary {
            let summary =
                json!({ "headline": "value", "value": value, "count": series.counts[at] });
            measurement["summary"] = summary;
        } else {
            measurement["value"] = json!(value);
        }
        if let Some(good) = args.direction {
            measurement["direction"] = json!(good.direction());
        }
        // The files of a history tell of the same runs: a run is named by what a row of each says of it.
        let mut run = format!("{release} {time}");
        if *nth > 1 {
            run.push_str(&format!(" #{nth}"));
        }
        let mut report = json!({
            "source": "bench", "release": release, "time": time.to_string(), "run": run, "measurements": [measurement],
        });
        let texts = [("testbed", &args.testbed), ("workload", &series.epochs[at])];
        for (field, text) in texts {
            if let Some(text) = text {
                report[field] = Value::from(text.as_str());
            }
        }
        if let Some(machine) = &series.envs[at] {
            report["fingerprint"] = json!({ "cpu": machine });
        }
        runs.push((format!("{flow}, row {} of {release}", at + 1), report));
    }
    History {
        left_out: series.values.len() - runs.len(),
        flow,
        runs,
    }
}
