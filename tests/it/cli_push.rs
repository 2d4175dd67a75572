//! `longwatch push` against a server that is busy, away, or refuses.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::cli_stub::{RESULTS, Stub, longwatch, nobody, stored};

fn problem(status: u16, code: &str) -> (u16, Value) {
    let document = json!({"type": "about:blank", "title": "t", "status": status, "code": code, "detail": "expected a comma",
        "where": {"line": 3, "column": 9}, "hint": "was the file cut short?"});
    (status, document)
}

fn home_with(files: &[&str]) -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    for name in files {
        let path = home.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, RESULTS).unwrap();
    }
    home
}

fn waiting(home: &Path, extension: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(home.join(".local/state/longwatch/spool")) else {
        return Vec::new();
    };
    entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == extension))
        .collect()
}

#[test]
fn a_busy_server_is_asked_again_with_the_same_key_and_gets_the_whole_context() {
    let home = home_with(&["a.json"]);
    let stub = Stub::answering(&[
        (503, json!({"code": "busy", "detail": "the queue is full"})),
        (200, stored("ok")),
    ]);
    let ran = longwatch(
        home.path(),
        &stub.url,
        &[
            "push",
            "a.json",
            "--release",
            "v1 β",
            "--commit",
            "9f3c2b7",
            "--testbed",
            "ci",
            "--label",
            "variant=b",
        ],
    );
    assert_eq!(
        (ran.code, ran.out.as_str()),
        (0, "a.json: stored 1 series, 2 samples (hyperfine)\n"),
        "{ran:?}"
    );
    let asked = stub.asked();
    assert_eq!(asked.len(), 2);
    assert_eq!(
        asked[0].header("idempotency-key"),
        asked[1].header("idempotency-key")
    );
    assert_eq!(asked[1].header("idempotency-key").len(), 64);
    assert_eq!(asked[1].header("authorization"), "Bearer secret");
    assert_eq!(
        (asked[1].method.as_str(), asked[1].path.as_str()),
        ("POST", "/api/v1/projects/shop/results")
    );
    assert_eq!(asked[1].body, RESULTS.as_bytes());
    let given = ["release", "commit", "testbed", "label.variant", "format"]
        .map(|name| asked[1].field(name).unwrap());
    assert_eq!(given, ["v1 β", "9f3c2b7", "ci", "b", "auto"]);
}

#[test]
fn what_an_absent_server_missed_arrives_with_the_next_push_and_the_time_of_the_first() {
    let home = home_with(&["a.json", "b.json"]);
    let address = nobody();
    let url = format!("http://{address}");
    let away = longwatch(home.path(), &url, &["push", "a.json", "--retry-for", "1s"]);
    assert_eq!(away.code, 6, "{away:?}");
    assert!(away.out.starts_with("a.json: waits in "), "{away:?}");
    assert_eq!(waiting(home.path(), "upload").len(), 1);
    assert_eq!(
        longwatch(
            home.path(),
            &url,
            &["push", "a.json", "--retry-for", "1s", "--allow-spool"]
        )
        .code,
        0
    );
    assert_eq!(
        waiting(home.path(), "upload").len(),
        1,
        "the same upload waits once"
    );

    let stub = Stub::at(&address, &[(200, stored("ok"))]);
    let back = longwatch(home.path(), &stub.url, &["push", "b.json"]);
    assert_eq!((back.code, back.out.lines().count()), (0, 1), "{back:?}");
    assert!(
        back.err.contains("from an earlier push: a.json: stored"),
        "{back:?}"
    );
    assert_eq!(waiting(home.path(), "upload"), Vec::<PathBuf>::new());
    let asked = stub.asked();
    assert_eq!(asked.len(), 2);
    assert_eq!(
        (asked[0].body.as_slice(), asked[1].body.as_slice()),
        (RESULTS.as_bytes(), RESULTS.as_bytes())
    );
    assert!(asked[0].field("time").is_some() && asked[1].field("time").is_none());

    assert_eq!(
        longwatch(home.path(), &stub.url, &["push", "a.json"]).code,
        0
    );
    assert_eq!(
        stub.asked()[2].header("idempotency-key"),
        asked[0].header("idempotency-key"),
        "a repeat counts once"
    );
}

#[test]
fn what_waited_and_is_refused_later_is_kept_for_its_owner() {
    let home = home_with(&["a.json"]);
    let address = nobody();
    assert_eq!(
        longwatch(
            home.path(),
            &format!("http://{address}"),
            &["push", "a.json", "--retry-for", "1s"]
        )
        .code,
        6
    );
    let stub = Stub::at(
        &address,
        &[problem(422, "invalid_json"), (200, stored("ok"))],
    );
    let ran = longwatch(home.path(), &stub.url, &["push", "a.json"]);
    assert_eq!(ran.code, 0);
    assert!(ran.err.contains("is refused and kept as"), "{ran:?}");
    assert_eq!(
        (
            waiting(home.path(), "upload").len(),
            waiting(home.path(), "refused").len()
        ),
        (0, 1)
    );
}

#[test]
fn another_server_does_not_get_what_waits_for_the_first() {
    let home = home_with(&["a.json", "b.json"]);
    assert_eq!(
        longwatch(
            home.path(),
            &format!("http://{}", nobody()),
            &["push", "a.json", "--retry-for", "1s"]
        )
        .code,
        6
    );
    let stub = Stub::answering(&[(200, stored("ok"))]);
    assert_eq!(
        longwatch(home.path(), &stub.url, &["push", "b.json"]).code,
        0
    );
    assert_eq!(
        (stub.asked().len(), waiting(home.path(), "upload").len()),
        (1, 1)
    );
}

#[test]
fn a_refusal_says_what_where_and_what_to_do() {
    let home = home_with(&["a.json"]);
    let stub = Stub::answering(&[problem(422, "invalid_json")]);
    let ran = longwatch(home.path(), &stub.url, &["push", "a.json"]);
    assert_eq!((ran.code, ran.out.as_str()), (4, ""));
    let said = "longwatch: a.json: refused: expected a comma (line 3, column 9) [invalid_json]\n  hint: was the file cut short?\n";
    assert_eq!(ran.err, said);
    assert_eq!(
        (stub.asked().len(), waiting(home.path(), "upload").len()),
        (1, 0),
        "refused once, neither repeated nor kept"
    );
}

#[test]
fn of_several_files_the_worst_counts_and_all_are_sent() {
    let home = home_with(&["a.json", "b.json", "c.json", "d.json"]);
    let files = ["push", "a.json", "b.json", "c.json", "d.json"];
    let answers = [
        (200, stored("ok")),
        (200, stored("partial")),
        problem(422, "empty_file"),
        problem(422, "invalid_json"),
    ];
    let stub = Stub::answering(&answers);
    assert_eq!(longwatch(home.path(), &stub.url, &files).code, 4);
    assert_eq!(stub.asked().len(), 4);
    let code = |answers: &[(u16, Value)], more: &[&str]| {
        longwatch(
            home.path(),
            &Stub::answering(answers).url,
            &[&files[..], more].concat(),
        )
        .code
    };
    assert_eq!(code(&answers[..3], &[]), 5);
    assert_eq!(code(&answers[..2], &[]), 3);
    assert_eq!(code(&answers[..2], &["--allow-partial"]), 0);
    assert_eq!(code(&[(200, stored("no_data"))], &[]), 5);
    assert_eq!(code(&[(500, json!({"detail": "broken"}))], &[]), 2);
}

#[test]
fn a_wrong_token_ends_the_push_at_once_and_nothing_waits() {
    let home = home_with(&["a.json", "b.json"]);
    let stub = Stub::answering(&[(
        401,
        json!({"code": "unauthorized", "detail": "the token is not known"}),
    )]);
    let ran = longwatch(home.path(), &stub.url, &["push", "a.json", "b.json"]);
    assert_eq!(
        (
            ran.code,
            stub.asked().len(),
            waiting(home.path(), "upload").len()
        ),
        (2, 1, 0)
    );
    assert!(
        ran.err.contains("the token is not known") && ran.err.contains("LONGWATCH_TOKEN"),
        "{ran:?}"
    );
    assert!(!ran.err.contains("secret"), "{ran:?}");
}

#[test]
fn a_directory_is_walked_and_strangers_in_it_are_only_left_out() {
    let home = home_with(&["out/a.json", "out/deep/b.json", "out/.hidden.json"]);
    let stub = Stub::answering(&[(200, stored("ok")), problem(422, "wrong_format")]);
    let ran = longwatch(home.path(), &stub.url, &["push", "out", "--json"]);
    assert_eq!((ran.code, stub.asked().len()), (3, 2), "{ran:?}");
    let document = ran.json();
    assert_eq!(
        (document[0]["file"].as_str(), document[0]["exit"].as_u64()),
        (Some("out/a.json"), Some(0))
    );
    assert_eq!(
        (
            document[1]["error"]["code"].as_str(),
            document[1]["exit"].as_u64()
        ),
        (Some("wrong_format"), Some(3))
    );
}

#[test]
fn wrong_usage_asks_no_server() {
    let home = home_with(&["a.json"]);
    let stub = Stub::answering(&[(200, stored("ok"))]);
    for arguments in [
        &["push"][..],
        &["push", "missing.json"],
        &["push", "a.json", "--format", "nothing"],
        &["push", "a.json", "--label", "x"],
    ] {
        let ran = longwatch(home.path(), &stub.url, arguments);
        assert_eq!(
            (ran.code, ran.out.as_str()),
            (2, ""),
            "{arguments:?} {ran:?}"
        );
    }
    assert_eq!(stub.asked().len(), 0);
}

#[test]
fn a_criterion_tree_is_one_upload_that_reads_back_as_the_tree() {
    let tree = Path::new(env!("CARGO_MANIFEST_DIR")).join("collectors/test_data/criterion/v07_run");
    let home = tempfile::tempdir().unwrap();
    let stub = Stub::answering(&[(200, stored("ok"))]);
    let ran = longwatch(home.path(), &stub.url, &["push", tree.to_str().unwrap()]);
    assert_eq!((ran.code, stub.asked().len()), (0, 1), "{ran:?}");
    let sent =
        collectors::parse(&stub.asked()[0].body, &collectors::ParseOptions::default()).unwrap();
    let read = collectors::parse_path(&tree, &collectors::ParseOptions::default()).unwrap();
    assert_eq!(sent.format, collectors::Format::Criterion);
    assert!(!read.observations.is_empty());
    assert_eq!(sent.observations, read.observations);
}
