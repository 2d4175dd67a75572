#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;
use crate::report::Outcome;

fn read(results: &str) -> Report {
    let text = format!(
        r#"{{"commit_hash": "abc", "date": 1000, "params": {{"machine": "box"}}, "python": "3.12", "requirements": {{"numpy": "2"}},
        "result_columns": ["result", "params", "version", "started_at", "duration", "stats_ci_99_a", "stats_ci_99_b", "stats_q_25", "stats_q_75", "stats_number", "stats_repeat", "samples"],
        "results": {results}, "version": 2}}"#
    );
    crate::parse(text.as_bytes(), &ParseOptions::default()).unwrap()
}

#[test]
fn the_last_parameter_runs_fastest_and_the_environment_labels_series() {
    let report = read(r#"{"s.time_x": [[1, 2, 3, 4], [["a", "b"], ["1", "2"]], "v1"]}"#);
    let labels: Vec<String> = report
        .observations
        .iter()
        .map(|o| format!("{}{}", o.labels["0"], o.labels["1"]))
        .collect();
    assert_eq!(labels, ["a1", "a2", "b1", "b2"]);
    let first = &report.observations[0];
    assert_eq!(
        (&*first.labels["numpy"], &*first.labels["python"]),
        ("2", "3.12")
    );
    assert_eq!((first.basis, &*first.unit), (Basis::ToolSummary, "seconds"));
    assert_eq!(first.extra["version"], "v1");
    assert_eq!(report.context.commit.as_deref(), Some("abc"));
    assert_eq!(report.context.time_us, Some(1_000_000));
}

#[test]
fn samples_are_means_of_batches_and_what_is_tracked_has_no_known_direction() {
    let report = read(
        r#"{"time_x": [[0.5], [], "v", 1, 2, [-Infinity], [Infinity], [0.4], [0.6], [10], [3], [[0.4, 0.5, 0.6]]], "track_y": [[NaN], [], "v"], "track_z": [[7], []]}"#,
    );
    let Payload::Samples(samples) = &report.observations[0].payload else {
        panic!()
    };
    assert_eq!(samples.iterations, Some(vec![10, 10, 10]));
    assert_eq!(report.observations[1].direction, Direction::Unknown);
    assert_eq!(
        (report.outcome(), report.skipped.len()),
        (Outcome::Partial, 1)
    );
}

#[test]
fn results_that_do_not_match_their_parameters_are_left_out() {
    let report = read(r#"{"time_x": [[1, 2, 3], [["a", "b"]]], "time_y": null, "time_z": []}"#);
    assert_eq!((report.observations.len(), report.skipped.len()), (0, 3));
}
