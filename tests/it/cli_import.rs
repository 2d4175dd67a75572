//! `longwatch import` against servers on both engines: what a file says is what the service has, once.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Output;
use std::time::Duration;

use longwatch::stats::detections;
use longwatch::stats::seeded::Seeded;
use reqwest::Client;
use serde_json::Value;

use crate::ground::{PROJECT, databases};
use crate::process::{Process, command, token, within};

const RUNS: usize = 140;

/// A year and more of a benchmark, with a step up; three runs a week, two of each release.
fn history(runs: usize) -> String {
    let mut random = Seeded::new(77);
    let mut text = "time,release,value\n".to_owned();
    for run in 0..RUNS {
        let level = if run < 90 { 40.0 } else { 43.0 };
        let value = level * (0.01 * random.normal()).exp();
        let time_s = 1_700_000_000 + run * 200_000;
        if run < runs {
            text.push_str(&format!("{time_s},v1.{},{value}\n", run / 2));
        }
    }
    text
}

fn import(home: &Path, server: &Process, token: &str, arguments: &[&str]) -> Output {
    command(home, &[&["import", "csv"], arguments].concat())
        .env("LONGWATCH_URL", &server.url)
        .env("LONGWATCH_PROJECT", PROJECT)
        .env("LONGWATCH_TOKEN", token)
        .output()
        .unwrap()
}

fn said(output: &Output) -> (i32, &str, &str) {
    (
        output.status.code().unwrap(),
        std::str::from_utf8(&output.stdout).unwrap(),
        std::str::from_utf8(&output.stderr).unwrap(),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_growing_history_is_stored_once_with_its_dates_and_judged_as_detect_judges_it() {
    for database in databases().await {
        let home = database.directory.path();
        let admin = token(home, &database.url, PROJECT, "admin");
        let server = Process::serve(home, &database.url, &[]);
        let file = home.join("render.csv");
        let flags = [
            "render.csv",
            "--unit",
            "ms",
            "--direction",
            "lower",
            "--testbed",
            "ci",
        ];
        fs::write(&file, history(60)).unwrap();
        let first = import(home, &server, &admin, &flags);
        assert_eq!(said(&first), (0, "render: stored 60 runs\n", ""));
        fs::write(&file, history(RUNS)).unwrap();
        let rest = import(home, &server, &admin, &flags);
        let words = "render: stored 80 runs, 60 stored before\n";
        assert_eq!(said(&rest), (0, words, ""), "{}", database.engine);

        let client = Client::new();
        let read = detections::read(&history(RUNS)).unwrap();
        let get = async |path: &str| server.get(&client, &admin, path).await;
        let series = get("series?flow=render").await;
        let [of_render] = &series["items"].as_array().unwrap()[..] else {
            panic!("{series}")
        };
        assert_eq!(
            (&of_render["direction"], &of_render["testbed"]),
            (&"lower".into(), &"ci".into())
        );
        let path = format!(
            "series/{}/points?by=evidence",
            of_render["id"].as_str().unwrap()
        );
        let points = get(&path).await;
        let points = points["points"].as_array().unwrap();
        assert_eq!(points.len(), RUNS);
        for (at, point) in points.iter().enumerate() {
            let time: jiff::Timestamp = point["time"].as_str().unwrap().parse().unwrap();
            assert_eq!(time.as_microsecond(), read.times_us[at]);
            assert_eq!(point["release"], read.releases[at].as_str());
            // At rest a benchmark's times are whole picoseconds.
            let value_ms = point["value"].as_f64().unwrap();
            assert!((value_ms - read.values[at]).abs() < 1e-8, "{point}");
        }

        let files = BTreeMap::from([("render".to_owned(), read)]);
        let found = detections::detect(&files, &BTreeMap::new(), false);
        let [step] = &found["render"][..] else {
            panic!("{found:?}")
        };
        let told = within(Duration::from_secs(30), "the step", async || {
            let all = get("findings").await;
            let items = all["items"].as_array().unwrap().clone();
            (!items.is_empty()).then_some(items)
        });
        let [told] = &told.await[..] else {
            panic!("more than the step")
        };
        assert_eq!(
            (&told["kind"], &told["state"]),
            (&"step".into(), &"open".into())
        );
        let evidence = &told["evidence"];
        assert_eq!(
            evidence["onset_release"],
            format!("v1.{}", step.index / 2).as_str()
        );
        let effect = evidence["effect_pct"]["value"].as_f64().unwrap();
        assert!((effect - step.effect_pct).abs() < 0.1, "{told} {step:?}");
        server.kill();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn columns_beyond_the_first_three_and_files_with_faults_are_understood() {
    for database in databases().await {
        let home = database.directory.path();
        let admin = token(home, &database.url, PROJECT, "admin");
        let server = Process::serve(home, &database.url, &[]);
        let client = Client::new();
        let get = async |path: &str| server.get(&client, &admin, path).await;
        let suite = home.join("suite");
        fs::create_dir_all(&suite).unwrap();
        let whole = "time,release,value,count,env,epoch\n\
                     2025-01-01T00:00:00Z,v1,10.5,30,small,one\n\
                     2025-01-02T00:00:00Z,v2,,30,small,one\n\
                     2025-01-03T00:00:00Z,v3,11.5,20,large,two\n\
                     2025-01-03T00:00:00Z,v3,12.5,20,large,two\n";
        fs::write(suite.join("whole.csv"), whole).unwrap();
        fs::write(
            suite.join("broken.csv"),
            "time,release,value\n1,v1,1\n2,v2,two\n",
        )
        .unwrap();

        let refused = import(home, &server, &admin, &["suite"]);
        let (code, out, error) = said(&refused);
        assert_eq!((code, out), (2, ""));
        assert!(
            error.contains("broken.csv: line 3, value: \"two\" is not a number"),
            "{error}"
        );
        assert_eq!(get("series").await["items"], Value::Array(Vec::new()));

        fs::remove_file(suite.join("broken.csv")).unwrap();
        let partly = import(home, &server, &admin, &["suite", "--json"]);
        let (code, out, _) = said(&partly);
        let expected =
            serde_json::json!([{"flow": "whole", "stored": 3, "stored_before": 0, "left_out": 1}]);
        let out: Value = serde_json::from_str(out).unwrap();
        assert_eq!((code, &out), (3, &expected), "{}", database.engine);
        let mut runs = Vec::new();
        for release in ["v1", "v2", "v3"] {
            let of_release = get(&format!("releases/{release}/runs")).await;
            runs.extend(
                of_release
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|run| run["name"].clone()),
            );
        }
        let at = [
            "v1 2025-01-01T00:00:00Z",
            "v3 2025-01-03T00:00:00Z",
            "v3 2025-01-03T00:00:00Z #2",
        ];
        assert_eq!(runs, at, "{}", database.engine);
        // What is measured otherwise from v3 on begins an epoch, and its values are summaries of so many observations.
        let series = get("series?flow=whole").await;
        let id = series["items"][0]["id"].as_str().unwrap();
        let points = get(&format!("series/{id}/points?by=evidence")).await;
        let points = points["points"].as_array().unwrap();
        let epochs: Vec<&Value> = points.iter().map(|point| &point["epoch"]).collect();
        assert_eq!(epochs, [0, 1, 1], "{points:?}");
        assert_eq!(series["items"][0]["basis"], "tool_summary");

        let nothing = import(home, &server, "wrong", &["suite"]);
        assert_eq!(said(&nothing).0, 2, "{nothing:?}");
        server.kill();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_history_of_github_action_benchmark_comes_in_commit_by_commit() {
    const HISTORY: &str = r#"window.BENCHMARK_DATA = {"repoUrl": "https://example.org/x", "entries": {"Suite": [
        {"commit": {"id": "c1", "author": {"email": "ann@example.org"}}, "date": 1777634925490, "tool": "customBiggerIsBetter",
         "benches": [{"name": "render", "value": 70.5, "unit": "req/s"}, {"name": "sort", "value": 12, "unit": "req/s"}]},
        {"commit": {"id": "c2"}, "date": 1777721325490, "tool": "customBiggerIsBetter",
         "benches": [{"name": "render", "value": 72.25, "unit": "req/s"}, {"name": "broken", "value": null, "unit": "req/s"}]}]}}"#;
    for database in databases().await {
        let home = database.directory.path();
        let admin = token(home, &database.url, PROJECT, "admin");
        let server = Process::serve(home, &database.url, &[]);
        fs::write(home.join("data.js"), HISTORY).unwrap();
        let run = |arguments: &[&str]| {
            command(home, arguments)
                .env("LONGWATCH_URL", &server.url)
                .env("LONGWATCH_PROJECT", PROJECT)
                .env("LONGWATCH_TOKEN", &admin)
                .output()
                .unwrap()
        };
        let imported = run(&["import", "benchmark-action", "data.js"]);
        let words = "data.js: stored 2 runs, 1 without a value left out\n";
        assert_eq!(said(&imported), (3, words, ""), "{}", database.engine);

        let client = Client::new();
        let get = async |path: &str| server.get(&client, &admin, path).await;
        let series = get("series?flow=render").await;
        let [render] = &series["items"].as_array().unwrap()[..] else {
            panic!("{series}")
        };
        assert_eq!(render["direction"], "higher");
        let path = format!(
            "series/{}/points?by=evidence",
            render["id"].as_str().unwrap()
        );
        let points = within(Duration::from_secs(30), "both points", async || {
            let points = get(&path).await["points"].as_array().unwrap().clone();
            (points.len() == 2).then_some(points)
        })
        .await;
        let told: Vec<_> = points
            .iter()
            .map(|point| {
                (
                    point["release"].as_str().unwrap(),
                    point["value"].as_f64().unwrap(),
                )
            })
            .collect();
        assert_eq!(told, [("c1", 70.5), ("c2", 72.25)]);

        // Pushed as one run it would be a release's: that is refused, with what to do.
        let pushed = run(&["push", "data.js", "--release", "v1", "--retry-for", "5s"]);
        assert_eq!(pushed.status.code(), Some(4));
        let told = String::from_utf8(pushed.stderr).unwrap();
        assert!(told.contains("longwatch import benchmark-action"), "{told}");
        server.kill();
    }
}
