//! Something is deleted while something comes for it.

use std::time::Duration;

use longwatch::clock::now_us;
use longwatch::store::Scope;
use reqwest::{Method, StatusCode};

use super::{Two, ask, count, each_engine, report};
use crate::ground::{PROJECT, eventually};

async fn settled(two: &Two) {
    eventually("all is folded", async || {
        let store = &two.one.store;
        let waits = store.projects_to_fold().await.unwrap();
        let deletes = store.projects_with_deletions(now_us()).await.unwrap();
        (waits.is_empty() && deletes.is_empty()).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_at_the_moment_of_its_series_deletion_goes_whole_or_stays_whole() {
    each_engine(&[9], async |two| {
        for round in 0..8 {
            let flow = format!("flow-{round}");
            let first = report(&flow, "v1", "1", 7);
            ask(&two.one, Duration::ZERO, Method::POST, "samples", first).await;
            let list = two.one.get(&format!("series?flow={flow}")).await;
            let path = format!("series/{}", list["items"][0]["id"].as_str().unwrap());
            let pauses = [two.jitter(), two.jitter()];
            let (deleted, sent) = tokio::join!(
                ask(&two.one, pauses[0], Method::DELETE, &path, String::new()),
                ask(
                    &two.other,
                    pauses[1],
                    Method::POST,
                    "samples",
                    report(&flow, "v1", "2", 3)
                ),
            );
            assert_eq!(sent.0, StatusCode::OK, "{sent:?}");
            assert!(deleted.0.is_success(), "{deleted:?}");
            settled(two).await;
            let left = count(&two.other, &flow, "v1").await;
            assert!([0, 3].contains(&left), "{}: {left} of 7 + 3", two.engine);
            // Known by its key it is either way, and what comes later counts.
            let again = ask(
                &two.one,
                Duration::ZERO,
                Method::POST,
                "samples",
                report(&flow, "v1", "2", 3),
            )
            .await;
            assert_eq!(again.1["duplicate"], true, "{}", two.engine);
            let later = report(&flow, "v1", "3", 5);
            ask(&two.other, Duration::ZERO, Method::POST, "samples", later).await;
            settled(two).await;
            assert_eq!(
                count(&two.one, &flow, "v1").await,
                left + 5,
                "{}",
                two.engine
            );
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_excluded_and_deleted_at_once_is_gone() {
    each_engine(&[10], async |two| {
        for round in 0..8 {
            let (flow, release) = (format!("flow-{round}"), format!("v{round}"));
            for (run, values) in [("bad", 7), ("good", 2)] {
                let sent = report(&flow, &release, run, values);
                ask(&two.one, Duration::ZERO, Method::POST, "samples", sent).await;
            }
            let runs = two.one.get(&format!("releases/{release}/runs")).await;
            let bad = runs
                .as_array()
                .unwrap()
                .iter()
                .find(|run| run["name"] == "bad");
            let path = format!("runs/{}", bad.unwrap()["id"].as_str().unwrap());
            let pauses = [two.jitter(), two.jitter()];
            let exclude = "{\"excluded\": true, \"reason\": \"noise\"}".to_owned();
            let (deleted, excluded) = tokio::join!(
                ask(&two.one, pauses[0], Method::DELETE, &path, String::new()),
                ask(&two.other, pauses[1], Method::PATCH, &path, exclude),
            );
            assert!(deleted.0.is_success(), "{}: {deleted:?}", two.engine);
            let allowed = [StatusCode::OK, StatusCode::NOT_FOUND];
            assert!(
                allowed.contains(&excluded.0),
                "{}: {excluded:?}",
                two.engine
            );
            settled(two).await;
            assert_eq!(
                count(&two.other, &flow, &release).await,
                2,
                "{}",
                two.engine
            );
            let runs = two.other.get(&format!("releases/{release}/runs")).await;
            assert_eq!(runs.as_array().unwrap().len(), 1, "{}: {runs}", two.engine);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_at_the_moment_of_its_projects_deletion_is_refused_or_goes_with_it() {
    each_engine(&[11], async |two| {
        for round in 0..6 {
            let slug = format!("p{round}");
            let project = two.one.store.ensure_project(&slug, "test", now_us()).await;
            let project = project.unwrap();
            let made =
                two.one
                    .store
                    .create_token(&project, Scope::Admin, "", None, "test", now_us());
            let token = made.await.unwrap().text;
            let send =
                async |server: &crate::ground::Server, pause, method, path: &str, body: String| {
                    tokio::time::sleep(pause).await;
                    let whole = server.address("").replace(PROJECT, &slug);
                    let request = server.client.request(method, format!("{whole}{path}"));
                    request
                        .bearer_auth(&token)
                        .body(body)
                        .send()
                        .await
                        .unwrap()
                        .status()
                };
            let pauses = [two.jitter(), two.jitter()];
            let (deleted, sent) = tokio::join!(
                send(&two.one, pauses[0], Method::DELETE, "", String::new()),
                send(
                    &two.other,
                    pauses[1],
                    Method::POST,
                    "/samples",
                    report("flow", "v1", "1", 3)
                ),
            );
            assert_eq!(deleted, StatusCode::ACCEPTED, "{}", two.engine);
            let allowed = [StatusCode::OK, StatusCode::UNAUTHORIZED];
            assert!(allowed.contains(&sent), "{}: {sent}", two.engine);
            let later = send(
                &two.other,
                Duration::ZERO,
                Method::GET,
                "/series",
                String::new(),
            )
            .await;
            assert_eq!(later, StatusCode::UNAUTHORIZED, "{}", two.engine);
            let anew = two
                .other
                .store
                .ensure_project(&slug, "test", now_us())
                .await;
            let anew = anew.unwrap();
            assert_ne!(anew, project);
            eventually("nothing of it waits", async || {
                let store = &two.one.store;
                let waits = store.projects_to_fold().await.unwrap();
                let series = store.series(&project).await.unwrap();
                (!waits.contains(&project) && series.is_empty()).then_some(())
            })
            .await;
            assert!(two.one.store.series(&anew).await.unwrap().is_empty());
            assert!(two.one.store.releases(&anew).await.unwrap().is_empty());
        }
    })
    .await;
}
