//! Everything that can be read of a project, and what there is to read.

use longwatch::http::paths::segment;
use longwatch::stats::seeded::Seeded;
use reqwest::Method;
use serde_json::Value;

use super::arm::Request;
use super::operations::{Seen, api};
use super::pair::Pair;
use crate::ground::PROJECT;
use crate::seeds::pick;

/// Series of all whose points are read in one reading, and those whose histograms are, of some releases.
const SERIES_READ: usize = 20;
const SERIES_READ_WHOLE: usize = 3;
const RELEASES_READ: usize = 3;

fn get(path: &str) -> Request {
    api(Method::GET, path, Vec::new())
}

fn texts(list: &Value, field: &str) -> Vec<String> {
    let items = list.as_array().into_iter().flatten();
    items
        .filter_map(|item| item[field].as_str().map(str::to_owned))
        .collect()
}

/// What was measured, as both servers tell it; they must agree.
pub(super) async fn measurements(
    pair: &mut Pair,
    seen: &mut Seen,
    random: &mut Seeded,
) -> Vec<(String, String)> {
    let mut told = Vec::new();
    let list = pair.read(&get("series?limit=1000"), &mut told).await;
    seen.series = texts(&list["items"], "id");
    let list = pair.read(&get("releases?limit=1000"), &mut told).await;
    seen.releases = texts(&list["items"], "name");
    seen.runs.clear();
    for release in seen.releases.clone() {
        let runs = get(&format!("releases/{}/runs", segment(&release)));
        let runs = pair.read(&runs, &mut told).await;
        seen.runs.extend(texts(&runs, "id"));
    }
    if seen.series.is_empty() {
        return told;
    }
    for _ in 0..SERIES_READ {
        let id = pick(random, &seen.series);
        pair.read(&get(&format!("series/{id}/points")), &mut told)
            .await;
    }
    for _ in 0..SERIES_READ_WHOLE {
        let id = pick(random, &seen.series);
        for path in [
            "points?by=day&q=0.5,0.75,0.99".to_owned(),
            "points?by=hour&q=0.9".to_owned(),
            "points.csv".to_owned(),
            "histogram?from=2000-01-01T00:00:00Z".to_owned(),
        ] {
            pair.read(&get(&format!("series/{id}/{path}")), &mut told)
                .await;
        }
        for _ in 0..RELEASES_READ {
            let release = segment(pick::<String>(random, &seen.releases));
            for format in ["json", "hdr"] {
                let path = format!("series/{id}/histogram?release={release}&format={format}");
                pair.read(&get(&path), &mut told).await;
            }
        }
    }
    told
}

/// What follows from it, and the pages.
pub(super) async fn conclusions(pair: &mut Pair, seen: &mut Seen) {
    let mut told = Vec::new();
    let list = pair.read(&get("findings?limit=1000"), &mut told).await;
    seen.findings = texts(&list["items"], "id");
    seen.deliveries.clear();
    for id in seen.findings.clone() {
        let one = pair.read(&get(&format!("findings/{id}")), &mut told).await;
        seen.deliveries.extend(texts(&one["deliveries"], "id"));
    }
    let list = pair.read(&get("gates/release/verdicts"), &mut told).await;
    seen.verdicts = texts(&list["items"], "id");
    for path in [
        "config",
        "flows/checkout/ledger",
        "flows/checkout/ledger.csv",
        "flows/checkout/ledger?since=h00",
        "flows/checkout/headroom",
        "flows/search/ledger",
    ] {
        pair.read(&get(path), &mut told).await;
    }
    for page in [
        "",
        "/flows",
        "/flows/checkout",
        "/flows/search",
        "/flows/%C3%84rger%20%26%20%3Cb%3E",
        "/releases/h11",
        "/releases/v1",
        "/findings",
        "/gates",
        "/gates/release",
        "/months",
        "/budgets",
        "/compare",
        "/settings",
    ] {
        let mut page = Request::get(format!("/{PROJECT}{page}"));
        page.headers.push(("accept", "text/html".to_owned()));
        pair.read(&page, &mut told).await;
    }
    for id in seen.findings.clone() {
        let mut page = Request::get(format!("/{PROJECT}/findings/{id}"));
        page.headers.push(("accept", "text/html".to_owned()));
        pair.read(&page, &mut told).await;
    }
}
