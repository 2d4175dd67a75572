//! Every fixture of our formats, from the file through the real client into the service and out again: what `parse`
//! shows of a file is what `histogram` and `points` tell of its series.

mod cases;
mod compare;

use std::collections::BTreeMap;
use std::path::Path;

use collectors::Format;
use serde_json::Value;

use crate::cli_stub::Ran;
use crate::ground::{Server, databases};
use crate::process::command;
use cases::{Case, Expected};
use compare::{Stored, differences};

/// All web-vitals fixtures are of a few page views: they belong together.
const BROWSERS: &str = "browsers";

/// Pushes a case with the real client; each is a release and a testbed of its own, so that none mixes with another.
fn push(home: &Path, server: &Server, case: &Case, place: &str) -> Ran {
    let path = case.path.to_str().unwrap();
    let mut arguments = vec![
        "push",
        path,
        "--release",
        place,
        "--testbed",
        place,
        // Some name a branch of their own, and only the main branch has points.
        "--branch",
        "main",
        "--retry-for",
        "5s",
    ];
    if matches!(case.format, Some(Format::HdrPayload | Format::HdrHlog)) {
        arguments.extend(["--unit", "us"]);
    }
    let output = command(home, &arguments)
        .env("LONGWATCH_URL", &server.url)
        .env("LONGWATCH_TOKEN", &server.admin)
        .env("LONGWATCH_PROJECT", "shop")
        .output()
        .unwrap();
    Ran {
        code: output.status.code().unwrap(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Everything stored under one place, by what identifies it in a file.
async fn stored(server: &Server, place: &str) -> Vec<Stored> {
    let mut found = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = server.get(&format!("series?limit=1000{cursor}")).await;
        for series in page["items"].as_array().unwrap() {
            if series["testbed"] == place {
                let id = series["id"].as_str().unwrap();
                found.push(Stored {
                    histogram: server
                        .get(&format!("series/{id}/histogram?release={place}"))
                        .await,
                    points: server
                        .get(&format!("series/{id}/points?q=0.5,0.75,0.99"))
                        .await["points"]
                        .clone(),
                    series: series.clone(),
                });
            }
        }
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return found,
        }
    }
}

async fn server() -> Server {
    Server::start(databases().await.swap_remove(0), Default::default()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_parse_shows_of_a_file_is_what_the_service_tells_of_its_series() {
    let server = server().await;
    let home = tempfile::tempdir().unwrap();
    let (mut wrong, mut checked) = (Vec::new(), 0);
    for (number, case) in cases::all().iter().enumerate() {
        if matches!(
            case.format,
            Some(Format::WebVitals | Format::LongwatchBeacon | Format::Boomerang | Format::Faro)
        ) {
            continue;
        }
        // A history is imported, not pushed; the pages of an archive that have one route are listed one by one.
        let is_history = case.path.extension().is_some_and(|kind| kind == "js");
        if is_history || case.format == Some(Format::Har) {
            continue;
        }
        let place = format!("case-{number}");
        let name = case.path.display();
        let (ran, shown) = (push(home.path(), &server, case, &place), case.shown());
        if ran.code != shown.exit {
            wrong.push(format!(
                "{name}: push ended with {}, parse with {}: {ran:?}",
                ran.code, shown.exit
            ));
            continue;
        }
        let stored = stored(&server, &place).await;
        let found = differences(&shown.series, &stored);
        wrong.extend(
            found
                .into_iter()
                .map(|difference| format!("{name}: {difference}")),
        );
        checked += stored.len();
    }
    assert!(
        wrong.is_empty(),
        "{} differences\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert!(checked > 100, "only {checked} series were compared");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_each_metric_of_a_page_view_the_last_report_is_kept() {
    let server = server().await;
    let home = tempfile::tempdir().unwrap();
    let mut last: BTreeMap<(String, String), BTreeMap<String, f64>> = BTreeMap::new();
    for case in cases::all()
        .iter()
        .filter(|case| case.format == Some(Format::WebVitals))
    {
        let (ran, shown) = (push(home.path(), &server, case, BROWSERS), case.shown());
        assert_eq!(ran.code, shown.exit, "{}: {ran:?}", case.path.display());
        for Expected {
            flow,
            metric,
            shown,
        } in shown.series
        {
            let (id, value) = (
                shown["id"].as_str().unwrap(),
                shown["value"].as_f64().unwrap(),
            );
            last.entry((flow, metric))
                .or_default()
                .insert(id.to_owned(), value);
        }
    }
    assert!(last.len() >= 5, "{last:?}");
    let mut found: BTreeMap<(String, String), Vec<[f64; 2]>> = BTreeMap::new();
    for Stored {
        series, histogram, ..
    } in stored(&server, BROWSERS).await
    {
        let text = |name: &str| series[name].as_str().unwrap().to_owned();
        let values = found.entry((text("name"), text("metric"))).or_default();
        for bucket in histogram["buckets"].as_array().unwrap() {
            let [lower, upper, count] = [0, 1, 2].map(|at| bucket[at].as_f64().unwrap());
            values.extend(vec![[lower, upper]; count as usize]);
        }
    }
    assert_eq!(
        last.keys().collect::<Vec<_>>(),
        found.keys().collect::<Vec<_>>()
    );
    for (place, reports) in &last {
        let mut expected: Vec<f64> = reports.values().copied().collect();
        expected.sort_by(f64::total_cmp);
        let mut buckets = found[place].clone();
        buckets.sort_by(|a, b| a[0].total_cmp(&b[0]));
        assert_eq!(expected.len(), buckets.len(), "{place:?}");
        for (value, [lower, upper]) in expected.iter().zip(&buckets) {
            let slack = 0.001 * value + 1e-6;
            assert!(
                (lower - slack..=upper + slack).contains(value),
                "{place:?}: {value} in {buckets:?}"
            );
        }
    }
    server.stop().await;
}

/// A field of a document as a number.
fn number(document: &Value, name: &str) -> f64 {
    document[name]
        .as_f64()
        .unwrap_or_else(|| panic!("{name} of {document}"))
}
