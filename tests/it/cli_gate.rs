//! `longwatch gate`, `release` and `apply` against a server of the test's own.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;

use serde_json::{Value, json};

use crate::cli_stub::{Stub, longwatch, nobody};

fn verdict(word: &str) -> (u16, Value) {
    let check = json!({"flow": "checkout", "source": "load", "rule": "regression", "percentile": 75, "verdict": word, "reason": "for a reason"});
    (
        200,
        json!({"id": "1", "gate": "release", "release": "v2", "verdict": word, "checks": [check], "waivers": [], "evidence": {}, "url": "http://x/1"}),
    )
}

fn asked(
    answers: &[(u16, Value)],
    more: &[&str],
) -> (crate::cli_stub::Ran, Vec<crate::cli_stub::Asked>) {
    let home = tempfile::tempdir().unwrap();
    let stub = Stub::answering(answers);
    let ran = longwatch(
        home.path(),
        &stub.url,
        &[&["gate", "release", "--release", "v2"], more].concat(),
    );
    (ran, stub.asked())
}

#[test]
fn a_gate_answers_by_exit_code() {
    for (word, code) in [("pass", 0), ("fail", 1), ("inconclusive", 3)] {
        let (ran, requests) = asked(&[verdict(word)], &[]);
        assert_eq!(ran.code, code, "{ran:?}");
        assert!(
            ran.out.contains("checkout load P75: for a reason"),
            "{ran:?}"
        );
        assert_eq!(
            requests[0].path,
            "/api/v1/projects/shop/gates/release/verdicts"
        );
        assert_eq!(
            serde_json::from_slice::<Value>(&requests[0].body).unwrap(),
            json!({"release": "v2"})
        );
    }
}

#[test]
fn waiting_ends_when_the_evidence_is_in_or_the_time_is_over() {
    let (ran, requests) = asked(
        &[verdict("inconclusive"), verdict("pass")],
        &["--wait", "1m"],
    );
    assert_eq!((ran.code, requests.len()), (0, 2), "{ran:?}");
    let (ran, requests) = asked(&[verdict("inconclusive")], &["--wait", "1s"]);
    assert_eq!(ran.code, 3);
    assert!(requests.len() >= 2, "{}", requests.len());
}

#[test]
fn an_unknown_gate_or_an_absent_server_is_never_a_pass() {
    let (ran, _) = asked(
        &[(
            404,
            json!({"code": "not_found", "detail": "there is no gate `release`"}),
        )],
        &[],
    );
    assert_eq!((ran.code, ran.out.as_str()), (2, ""));
    let (ran, _) = asked(&[(200, json!({"verdict": "sure"}))], &[]);
    assert_eq!(ran.code, 2);
    let home = tempfile::tempdir().unwrap();
    let refused = longwatch(
        home.path(),
        "ftp://x",
        &["gate", "release", "--release", "v2"],
    );
    assert_eq!(refused.code, 2);
}

#[test]
fn each_form_prints_the_verdict() {
    for (form, says) in [
        ("json", "\"verdict\": \"fail\""),
        ("markdown", "### ✗ gate"),
        ("junit", "failures=\"1\""),
        ("github", "::error title=gate release::"),
    ] {
        let (ran, _) = asked(&[verdict("fail")], &["--output", form]);
        assert_eq!(ran.code, 1);
        assert!(ran.out.contains(says), "{form}: {ran:?}");
    }
}

#[test]
fn without_a_release_the_gate_is_not_asked() {
    let home = tempfile::tempdir().unwrap();
    let ran = longwatch(
        home.path(),
        &format!("http://{}", nobody()),
        &["gate", "release"],
    );
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("give --release"), "{ran:?}");
}

#[test]
fn a_release_is_registered_with_what_is_known_of_it() {
    let home = tempfile::tempdir().unwrap();
    let stub = Stub::answering(&[(503, Value::Null), (201, json!({}))]);
    let ran = longwatch(
        home.path(),
        &stub.url,
        &[
            "release",
            "v2",
            "--commit",
            "9f3c2b7",
            "--time",
            "2026-11-20T12:00:00+02:00",
        ],
    );
    assert_eq!(ran.code, 0, "{ran:?}");
    let asked = stub.asked();
    assert_eq!(
        (asked.len(), asked[1].path.as_str()),
        (2, "/api/v1/projects/shop/releases")
    );
    let document: Value = serde_json::from_slice(&asked[1].body).unwrap();
    assert_eq!(
        document,
        json!({"name": "v2", "commit": "9f3c2b7", "time": "2026-11-20T10:00:00Z"})
    );
}

const FILE: &str = "[[flow]]\nname = \"checkout\"\n";

#[test]
fn apply_tells_the_difference_and_check_ends_with_1_where_there_is_one() {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("longwatch.toml"), FILE).unwrap();
    let differs = json!({"changes": [{"action": "add", "kind": "flow", "name": "checkout", "text": "adds flow `checkout`"}],
        "gates": [{"gate": "release", "text": "at 2.1 % noise 14 runs; you send 1"}]});
    for (answer, arguments, code) in [
        (&differs, &["apply", "longwatch.toml", "--check"][..], 1),
        (&differs, &["apply"], 0),
        (
            &json!({"changes": [], "gates": []}),
            &["apply", "--check"],
            0,
        ),
    ] {
        let stub = Stub::answering(&[(200, answer.clone())]);
        let ran = longwatch(home.path(), &stub.url, arguments);
        assert_eq!(ran.code, code, "{ran:?}");
        let asked = &stub.asked()[0];
        assert_eq!(
            (
                asked.method.as_str(),
                asked.path.as_str(),
                asked.body.as_slice()
            ),
            ("PUT", "/api/v1/projects/shop/config", FILE.as_bytes())
        );
        assert_eq!(
            asked.field("check").is_some(),
            arguments.contains(&"--check")
        );
        if answer == &differs {
            assert!(
                ran.out.contains(
                    "  adds flow `checkout`\n  gate `release`: at 2.1 % noise 14 runs; you send 1\n"
                ),
                "{ran:?}"
            );
        }
    }
}

#[test]
fn a_fault_in_the_file_is_told_by_line_and_no_server_is_asked() {
    let home = tempfile::tempdir().unwrap();
    fs::write(
        home.path().join("longwatch.toml"),
        "[[flow]]\nnmae = \"checkout\"\n",
    )
    .unwrap();
    let stub = Stub::answering(&[(200, json!({}))]);
    let ran = longwatch(home.path(), &stub.url, &["apply"]);
    assert_eq!((ran.code, stub.asked().len()), (2, 0));
    assert_eq!(
        ran.err,
        "longwatch: longwatch.toml: line 2, column 1, flow[0].nmae: unknown key `nmae` (did you mean `name`?)\n"
    );
}
