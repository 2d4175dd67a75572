//! `longwatch parse` and `longwatch detect`, which ask no server.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;

use crate::cli_stub::{RESULTS, Ran, longwatch};

fn parsed(files: &[(&str, &str)], arguments: &[&str]) -> Ran {
    let home = tempfile::tempdir().unwrap();
    for (name, content) in files {
        let path = home.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    longwatch(home.path(), "http://127.0.0.1:1", arguments)
}

#[test]
fn one_file_is_one_document_and_its_outcome_the_exit_code() {
    let ran = parsed(&[("a.json", RESULTS)], &["parse", "a.json"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let document = ran.json();
    assert_eq!(
        (
            document["format"].as_str(),
            document["series_count"].as_u64(),
            document["sample_count"].as_u64()
        ),
        (Some("hyperfine"), Some(1), Some(2))
    );
}

#[test]
fn a_refused_file_names_kind_and_place_and_an_empty_one_is_nothing() {
    let ran = parsed(&[("a.json", "{\"results\": [}")], &["parse", "a.json"]);
    assert_eq!(
        (ran.code, ran.json()["error"]["kind"].as_str()),
        (4, Some("invalid_json")),
        "{ran:?}"
    );
    assert_eq!(parsed(&[("a.json", "")], &["parse", "a.json"]).code, 5);
    assert_eq!(
        parsed(
            &[("a.json", RESULTS)],
            &["parse", "a.json", "--format", "k6"]
        )
        .code,
        4
    );
}

#[test]
fn several_files_stand_under_files_and_the_worst_counts() {
    let ran = parsed(
        &[("out/a.json", RESULTS), ("out/b.json", "{")],
        &["parse", "out"],
    );
    assert_eq!(ran.code, 4);
    let files: Vec<_> = ran.json()["files"]
        .as_array()
        .unwrap()
        .iter()
        .map(|file| file["outcome"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(files, ["ok", "error"]);
}

#[test]
fn a_file_that_is_not_there_or_an_unknown_format_is_wrong_usage() {
    assert_eq!(parsed(&[], &["parse", "a.json"]).code, 2);
    let ran = parsed(
        &[("a.json", RESULTS)],
        &["parse", "a.json", "--format", "nothing"],
    );
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("formats are auto, hyperfine"), "{ran:?}");
}

/// A series with a step of 20 % at row 60, in noise of 1 % that repeats.
fn series() -> String {
    let level = |row: usize| if row < 60 { 100.0 } else { 120.0 };
    let rows = (0..120).map(|row| {
        format!(
            "{},v{row},{}\n",
            1_672_531_200 + row * 86_400,
            level(row) * (1.0 + 0.01 * ((row * 37 % 101) as f64 / 101.0 - 0.5))
        )
    });
    format!("time,release,value\n{}", rows.collect::<String>())
}

#[test]
fn a_step_is_found_under_the_name_of_its_file_and_in_replay_soon_after() {
    for (arguments, latest) in [
        (&["detect", "deep"][..], 119),
        (&["detect", "--replay", "deep"], 75),
    ] {
        let ran = parsed(
            &[
                ("deep/er/p1.csv", &series()),
                ("deep/notes.txt", "no series"),
            ],
            arguments,
        );
        assert_eq!(ran.code, 0, "{ran:?}");
        let found = &ran.json()["series"]["p1"];
        let number = |key: &str| found[0][key].as_f64().unwrap();
        assert_eq!(
            (found.as_array().unwrap().len(), found[0]["kind"].as_str()),
            (1, Some("step")),
            "{found}"
        );
        assert!(
            (59.0..=61.0).contains(&number("index"))
                && (15.0..=25.0).contains(&number("effect_pct")),
            "{found}"
        );
        assert!(
            number("detected_at") >= number("index") && number("detected_at") <= f64::from(latest),
            "{found}"
        );
        assert!(!found[0]["reason"].as_str().unwrap().is_empty());
    }
}

#[test]
fn what_is_no_series_is_named_by_file_line_and_field() {
    let ran = parsed(
        &[("p1.csv", "time,release,value\n1,v1,fast\n")],
        &["detect", "p1.csv"],
    );
    assert_eq!((ran.code, ran.out.as_str()), (2, ""));
    assert!(ran.err.contains("p1.csv: line 2, value"), "{ran:?}");
    assert_eq!(
        parsed(
            &[("a/p1.csv", &series()), ("b/p1.csv", &series())],
            &["detect", "a", "b"]
        )
        .code,
        2
    );
    assert_eq!(
        parsed(
            &[("groups.json", "[]"), ("p1.csv", &series())],
            &["detect", "p1.csv", "--groups", "groups.json"]
        )
        .code,
        2
    );
}
