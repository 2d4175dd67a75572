//! Names that a spreadsheet would run come out of our CSV as text.

use reqwest::Method;
use serde_json::json;

use super::server;
use crate::ground::eventually;

const HOSTILE: [&str; 6] = [
    "=HYPERLINK(\"http://evil.example\")",
    "+1+1",
    "-2+3+cmd|' /C calc'!A0",
    "@SUM(1;2)",
    "a\",\"=1+1",
    "b\r\n=1+1",
];

/// Reads our own dialect: every cell quoted, quotes doubled.
fn cells(text: &str) -> Vec<String> {
    let mut cells = Vec::new();
    let mut rest = text;
    while let Some(begun) = rest.strip_prefix('"') {
        let mut cell = String::new();
        let mut letters = begun.char_indices().peekable();
        let end = loop {
            let (at, letter) = letters.next().expect("an unquoted end");
            match (letter, letters.peek().map(|(_, next)| *next)) {
                ('"', Some('"')) => {
                    letters.next();
                    cell.push('"');
                }
                ('"', _) => break at + 1,
                _ => cell.push(letter),
            }
        };
        cells.push(cell);
        rest = &begun[end..];
        rest = rest
            .strip_prefix(',')
            .or_else(|| rest.strip_prefix("\r\n"))
            .unwrap_or(rest);
    }
    assert_eq!(rest, "", "a cell without quotes");
    cells
}

#[tokio::test(flavor = "multi_thread")]
async fn no_cell_begins_as_a_formula() {
    let server = server().await;
    for (number, name) in HOSTILE.iter().enumerate() {
        let release = json!({"name": name, "note": name, "time": format!("2026-01-0{}T00:00:00Z", number + 1)});
        let declared = server
            .api(Method::POST, "releases")
            .json(&release)
            .send()
            .await
            .unwrap();
        assert_eq!(declared.status(), 201, "{name}");
        for run in ["1", "2", "3"] {
            let values: Vec<usize> = (0..40).map(|i| 100 + i + 40 * number).collect();
            let body = json!({"source": "load", "release": name, "run": run, "measurements": [
                {"flow": "=flow", "metric": "latency", "unit": "ms", "basis": "op", "values": values}]});
            let stored = server
                .api(Method::POST, "samples")
                .json(&body)
                .send()
                .await
                .unwrap();
            assert_eq!(stored.status(), 200, "{name}");
        }
    }
    let list = server.get("series").await;
    let id = list["items"][0]["id"].as_str().unwrap();
    let first = HOSTILE[0]
        .replace('=', "%3D")
        .replace('"', "%22")
        .replace('/', "%2F")
        .replace(':', "%3A");
    for (path, wanted) in [
        (format!("series/{id}/points.csv"), "'=HYPERLINK"),
        (format!("flows/%3Dflow/ledger.csv?since={first}"), "total"),
    ] {
        let text = eventually(&path, async || {
            let answer = server.api(Method::GET, &path).send().await.unwrap();
            assert_eq!(answer.status(), 200, "{path}");
            assert!(
                answer.headers()["content-type"]
                    .to_str()
                    .unwrap()
                    .starts_with("text/csv")
            );
            let text = answer.text().await.unwrap();
            text.contains(wanted).then_some(text)
        })
        .await;
        let cells = cells(&text);
        assert!(cells.len() > 20, "{path}: {text}");
        for cell in cells {
            let risky =
                cell.starts_with(['=', '+', '-', '@', '\t', '\r']) && cell.parse::<f64>().is_err();
            assert!(!risky, "{path}: {cell:?}");
        }
    }
    server.stop().await;
}
