//! The history of github-action-benchmark (`data.js`): a run a commit and suite, with all that it measured.

use std::path::Path;

use collectors::report::{Observation, Payload};
use collectors::{Format, ParseOptions, parse_path};
use serde_json::{Value, json};

use super::super::Failure;
use super::{Args, History};

/// One history a file.
pub(super) fn histories(args: &Args) -> Result<Vec<History>, Failure> {
    args.paths.iter().map(|path| history(args, path)).collect()
}

fn history(args: &Args, path: &Path) -> Result<History, Failure> {
    let options = ParseOptions {
        format: Some(Format::BenchmarkAction),
        file_name: path.display().to_string(),
        ..ParseOptions::default()
    };
    let report = parse_path(path, &options).map_err(|mut error| {
        let hint = error.hint.take().unwrap_or_default();
        Failure::usage(format!("{}: {error}", path.display()), hint)
    })?;
    let mut runs: Vec<(String, Value)> = Vec::new();
    let mut open: Option<Run> = None;
    let mut left_out = report.skipped.len() + report.skipped_more as usize;
    for observation in &report.observations {
        let (Some(key), Some(measurement)) = (Run::of(observation), measured(args, observation))
        else {
            left_out += 1;
            continue;
        };
        match open.as_mut().filter(|run| run.is(&key)) {
            Some(run) => run.measurements.push(measurement),
            None => {
                runs.extend(open.take().map(|run| run.report(args)));
                let measurements = vec![measurement];
                open = Some(Run {
                    measurements,
                    ..key
                });
            }
        }
    }
    runs.extend(open.map(|run| run.report(args)));
    Ok(History {
        flow: path.display().to_string(),
        runs,
        left_out,
    })
}

/// What one suite measured of one commit.
struct Run {
    suite: String,
    commit: String,
    time: jiff::Timestamp,
    measurements: Vec<Value>,
}

impl Run {
    /// The run that an observation is of; none where the file says neither commit nor time.
    fn of(observation: &Observation) -> Option<Run> {
        Some(Run {
            suite: observation.labels.get("suite").cloned().unwrap_or_default(),
            commit: observation.extra.get("commit")?.as_str()?.to_owned(),
            time: jiff::Timestamp::from_microsecond(observation.time_us?).ok()?,
            measurements: Vec::new(),
        })
    }

    fn is(&self, other: &Run) -> bool {
        (&self.suite, &self.commit, self.time) == (&other.suite, &other.commit, other.time)
    }

    fn report(self, args: &Args) -> (String, Value) {
        let place = format!("{}, commit {}", self.suite, self.commit);
        let mut report = json!({
            "source": "bench", "commit": self.commit, "release": self.commit, "time": self.time.to_string(),
            "run": format!("{} {} {}", self.suite, self.commit, self.time), "measurements": self.measurements,
        });
        if let Some(testbed) = &args.testbed {
            report["testbed"] = json!(testbed);
        }
        (place, report)
    }
}

fn measured(args: &Args, observation: &Observation) -> Option<Value> {
    let Payload::Scalar(scalar) = &observation.payload else {
        return None;
    };
    let direction = args
        .direction
        .map_or(observation.direction, |good| good.direction());
    Some(json!({
        "flow": observation.flow, "metric": observation.metric, "unit": observation.unit, "basis": "run",
        "value": scalar.value, "direction": direction, "labels": observation.labels,
    }))
}
