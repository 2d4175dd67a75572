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
