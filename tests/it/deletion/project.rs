//! A whole project: all of it and nothing else.

use longwatch::clock::now_us;
use longwatch::http::Settings;
use longwatch::store::{ProjectId, Scope};
use reqwest::{Method, StatusCode};
use serde_json::json;

use super::rows::Rows;
use super::{beacon, delete, folded, send, series_of, values};
use crate::ground::{PROJECT, Server, databases, eventually};

/// What stays of a deleted project: who did what, that it was deleted, and for a moment who works at it.
const STAYS: [&str; 3] = ["audit", "deletion", "lease"];
/// What a project must have had rows in, for the test to be worth something.
const FILLED: [&str; 14] = [
    "access_token",
    "batch",
    "delivery",
    "dropped_count",
    "epoch",
    "finding",
    "finding_event",
    "idempotency",
    "policy",
    "release",
    "run",
    "series",
    "series_window",
    "verdict",
];
const CONFIG: &str = "[project]\nname = \"shop\"\n[[flow]]\nname = \"search\"\nkey = true\n\
    [[gate]]\nname = \"release\"\nflows = [\"search\"]\nmargin = \"2 %\"\nfresh = \"24h\"\n";

async fn fill(server: &Server) {
    let (status, answer) = server.apply(CONFIG).await;
    assert_eq!(status, 200, "{answer}");
    let key = server.token(Scope::Rum).await;
    for run in 0..3 {
        let run = run.to_string();
        send(server, values("search", "v1", &run, &[5.0; 30])).await;
        beacon(server, &key, "v1", &run).await;
    }
    let nonsense = server.client.post(format!("{}/rum/{key}", server.url));
    nonsense.body("not a beacon").send().await.unwrap();
    for (path, body) in [
        ("gates/release/verdicts", json!({"release": "v1"})),
        (
            "epochs",
            json!({"flow": "search", "kind": "harness", "reason": "new machine"}),
        ),
    ] {
        let answer = server.api(Method::POST, path).json(&body).send().await;
        let answer = answer.unwrap();
        assert!(
            answer.status().is_success(),
            "{}",
            answer.text().await.unwrap()
        );
    }
    folded(server, "search", "v1").await;
}

/// Waits until nothing is left of a project.
async fn emptied(rows: &Rows, project: &ProjectId) {
    eventually("the project is emptied", async || {
        let mut left = rows.counts(project).await;
        left.retain(|table, _| !STAYS.contains(&table.as_str()));
        left.is_empty().then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_project_is_gone_from_every_table_and_no_other_project_notices() {
    for database in databases().await {
        let rows = Rows::of(&database);
        let server = Server::start(database, Settings::default()).await;
        fill(&server).await;
        let store = &server.store;
        let project = store.project_for_administration(PROJECT).await.unwrap();
        let series = series_of(&server, "search").await.unwrap();
        super::alerts::alert(store, &project, Some(&series), "none").await;

        // A neighbour with the same names.
        let neighbour = store.ensure_project("other", "test", now_us()).await;
        let neighbour = neighbour.unwrap();
        let token = store
            .create_token(&neighbour, Scope::Admin, "", None, "test", now_us())
            .await
            .unwrap();
        let theirs = server.address("samples").replace("/shop/", "/other/");
        let sent = server.client.post(theirs).bearer_auth(&token.text);
        let sent = sent.body(values("search", "v1", "1", &[5.0; 30]));
        assert_eq!(sent.send().await.unwrap().status(), StatusCode::OK);
        eventually("the neighbour is folded and judged", async || {
            let waiting = rows.counts(&neighbour).await.contains_key("journal");
            let unjudged = store.unjudged(&neighbour).await.unwrap();
            (!waiting && unjudged.is_empty()).then_some(())
        })
        .await;
        let before = rows.dump(&neighbour).await;
        let had = rows.counts(&project).await;
        for table in FILLED {
            assert!(had.contains_key(table), "{table} was empty: {had:?}");
        }

        let ingest = server.token(Scope::Ingest).await;
        let key = server.token(Scope::Rum).await;
        let answer = delete(&server, "").await;
        assert_eq!(answer.status(), StatusCode::ACCEPTED);
        for token in [&server.admin, &ingest] {
            let request = server.client.post(server.address("samples"));
            let request = request.bearer_auth(token);
            let request = request.body(values("search", "v1", "9", &[5.0]));
            let status = request.send().await.unwrap().status();
            assert_eq!(status, StatusCode::UNAUTHORIZED);
        }
        beacon(&server, &key, "v1", "late").await;
        emptied(&rows, &project).await;
        assert_eq!(rows.dump(&neighbour).await, before);
        let trail = store.audit_trail(&project, 100).await.unwrap();
        assert_eq!(trail[0].2, "project.delete");

        // The name is free, and who takes it starts from nothing.
        let anew = store.ensure_project(PROJECT, "test", now_us()).await;
        assert_ne!(anew.unwrap(), project);
        let old = server.api(Method::GET, "series").send().await.unwrap();
        assert_eq!(old.status(), StatusCode::UNAUTHORIZED);
        let fresh = server.token(Scope::Admin).await;
        let list = server.client.get(server.address("series"));
        let list = list.bearer_auth(fresh).send().await.unwrap();
        let list: serde_json::Value = list.json().await.unwrap();
        assert_eq!(list["items"], json!([]));
        server.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_while_the_project_goes_is_refused_or_goes_with_it() {
    for database in databases().await {
        let rows = Rows::of(&database);
        let other = super::second(&database).await;
        let server = Server::start(database, Settings::default()).await;
        let project = server.store.project_for_administration(PROJECT).await;
        let project = project.unwrap();
        let key = server.token(Scope::Rum).await;
        let upload = async |writer: usize, target: &Server| {
            let mut acknowledged = 0;
            for number in 0.. {
                let body = values("search", "v1", &format!("{writer}-{number}"), &[5.0; 3]);
                let request = target.client.post(target.address("samples"));
                let request = request.bearer_auth(&target.admin).body(body);
                match request.send().await.unwrap().status().as_u16() {
                    200 => acknowledged += 1,
                    401 => break,
                    503 => {}
                    status => panic!("{status}"),
                }
            }
            acknowledged
        };
        let browse = async || {
            for view in 0..150 {
                beacon(&other, &key, "v1", &view.to_string()).await;
            }
        };
        let go = async || {
            tokio::time::sleep(std::time::Duration::from_millis(400)).await;
            delete(&server, "").await.status()
        };
        let (one, two, three, (), status) = tokio::join!(
            upload(1, &server),
            upload(2, &other),
            upload(3, &other),
            browse(),
            go()
        );
        assert_eq!(status, StatusCode::ACCEPTED);
        assert!(one > 0 && two > 0 && three > 0);
        emptied(&rows, &project).await;
        // Nothing that was under way brings anything back.
        tokio::time::sleep(std::time::Duration::from_secs(3)).await;
        emptied(&rows, &project).await;
        other.stop().await;
        server.stop().await;
    }
}
