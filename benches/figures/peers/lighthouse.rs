//! The Lighthouse CI server from npm, on SQLite: reports of six metrics. Longwatch takes the same six metrics as results of
//! its own format.

use std::io;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::Effort;
use crate::database::Engine;
use crate::load::{self, request};
use crate::process::{Server, free_address};
use crate::table::{Bound, Table, median};
use crate::writes::{FEW, Fresh, turn};

/// What is installed: the server, and the driver that it asks for on SQLite.
const PACKAGES: [&str; 2] = ["@lhci/server@0.15.1", "sqlite3@5"];
/// The server as its own command starts it, without the command's browser.
const SCRIPT: &str = "const [, , host, port, file] = process.argv;\n\
    require('@lhci/server').createServer({host, port: Number(port), logLevel: 'silent',\n\
    storage: {storageMethod: 'sql', sqlDialect: 'sqlite', sqlDatabasePath: file}});\n";

const METRICS: [(&str, &str, f64); 6] = [
    ("first-contentful-paint", "ms", 1_204.3),
    ("largest-contentful-paint", "ms", 2_310.7),
    ("speed-index", "ms", 1_930.1),
    ("interactive", "ms", 3_140.9),
    ("total-blocking-time", "ms", 140.5),
    ("max-potential-fid", "ms", 96.2),
];

/// Uploads of one report at a time by each of many clients, which have a page of their own.
pub(super) fn measure(table: &mut Table, effort: Effort) {
    let home = TempDir::new().expect("a directory");
    let (lhci, path, token) = match start(&home) {
        Ok(started) => started,
        Err(error) => {
            table.note(&format!("@lhci/server is left out: {error}"));
            return;
        }
    };
    let fresh = Fresh::start(&Engine::Sqlite);
    let reports: Vec<String> = (0..FEW).map(report).collect();
    let theirs = move |connection: usize, _: u64| {
        let headers = [
            ("content-type", "application/json"),
            ("x-lhci-build-token", token.as_str()),
        ];
        request(&path, &headers, reports[connection].as_bytes())
    };
    let authorization = format!("Bearer {}", fresh.ci);
    let ours = move |connection: usize, turn: u64| {
        let measurements: Vec<String> = METRICS
            .iter()
            .map(|(metric, unit, value)| {
                let metric = metric.replace('-', "_");
                format!(
                    r#"{{"flow":"page-{connection}","metric":"{metric}","unit":"{unit}","basis":"run","values":[{value}]}}"#
                )
            })
            .collect();
        let body = format!(
            r#"{{"source":"lab","release":"v1","run":"{connection}-{turn}","measurements":[{}]}}"#,
            measurements.join(",")
        );
        let headers = [
            ("content-type", "application/json"),
            ("authorization", authorization.as_str()),
        ];
        request("/api/v1/projects/bench/samples", &headers, body.as_bytes())
    };
    let (mut ratios, mut rates) = (Vec::new(), Vec::new());
    for round in 0..=effort.rounds {
        let (theirs, _) = turn(&lhci, FEW, effort, theirs.clone());
        let (ours, _) = turn(&fresh.server, FEW, effort, ours.clone());
        assert_eq!(theirs.refused + ours.refused, 0, "reports were refused");
        if round > 0 {
            ratios.push(ours.per_second / theirs.per_second);
            rates.push((ours.per_second, theirs.per_second));
        }
    }
    table.row(
        &format!("uploads of a report's six metrics ÷ @lhci/server's, {FEW} connections"),
        median(ratios),
        Bound::AtLeast(100.0, 400.0),
    );
    let (ours, theirs) = rates.into_iter().unzip();
    table.note(&format!(
        "{:.0} against {:.0} a second",
        median(ours),
        median(theirs)
    ));
}

/// Installs and starts the server; with a build that takes reports: its path and its token.
fn start(home: &TempDir) -> io::Result<(Server, String, String)> {
    let installed = Command::new("npm")
        .args(["install", "--no-fund", "--no-audit", "--prefix"])
        .arg(home.path())
        .args(PACKAGES)
        .stdin(Stdio::null())
        .output()?;
    if !installed.status.success() {
        let said = String::from_utf8_lossy(&installed.stderr);
        let last = said.lines().rev().find(|line| !line.trim().is_empty());
        return Err(io::Error::other(format!(
            "npm could not install {}: {}",
            PACKAGES.join(" and "),
            last.unwrap_or_default()
        )));
    }
    let script = home.path().join("serve.js");
    std::fs::write(&script, SCRIPT)?;
    let address = free_address()?;
    let mut command = Command::new("node");
    command
        .arg(&script)
        .args([address.ip().to_string(), address.port().to_string()])
        .arg(home.path().join("lhci.db"))
        .current_dir(home.path());
    let server = Server::listening(&mut command, address);
    let project = post(
        &server,
        "/v1/projects",
        "",
        r#"{"name":"bench","externalUrl":"https://shop.example","baseBranch":"main"}"#,
    );
    let (id, token) = (field(&project, "id")?, field(&project, "token")?);
    let builds = format!("/v1/projects/{id}/builds");
    let build = r#"{"lifecycle":"unsealed","branch":"main","hash":"9f3c","commitMessage":"one","author":"a <a@shop.example>","avatarUrl":"https://shop.example/a.png","ancestorHash":"","externalBuildUrl":"https://shop.example","runAt":"2026-11-20T10:00:00Z","committedAt":"2026-11-20T10:00:00Z"}"#;
    let build = field(&post(&server, &builds, &token, build), "id")?;
    Ok((server, format!("{builds}/{build}/runs"), token))
}

fn post(server: &Server, path: &str, token: &str, body: &str) -> String {
    let headers = [
        ("content-type", "application/json"),
        ("x-lhci-build-token", token),
        ("connection", "close"),
    ];
    load::once(server.address, &request(path, &headers, body.as_bytes()))
}

/// A text of an answer's JSON.
fn field(answer: &str, name: &str) -> io::Result<String> {
    let after = answer.split(&format!(r#""{name}":""#)).nth(1);
    let text = after.and_then(|after| after.split('"').next());
    text.map(str::to_owned)
        .ok_or_else(|| io::Error::other(format!("no {name} in {answer:?}")))
}

/// A run with a report as small as one can be: a page's metrics.
fn report(page: usize) -> String {
    let url = format!("https://shop.example/page-{page}");
    let audits: Vec<String> = METRICS
        .iter()
        .map(|(metric, _, value)| {
            format!(r#""{metric}":{{"id":"{metric}","numericValue":{value}}}"#)
        })
        .collect();
    let report = format!(
        r#"{{"lighthouseVersion":"12.0.0","requestedUrl":"{url}","finalUrl":"{url}","audits":{{{}}}}}"#,
        audits.join(",")
    );
    format!(
        r#"{{"representative":false,"url":"{url}","lhr":"{}"}}"#,
        report.replace('"', "\\\"")
    )
}
