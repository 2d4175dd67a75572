//! Deletions while others send: an upload and its key go together or stay together, and nothing else is touched.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use longwatch::http::Settings;
use reqwest::{Method, StatusCode};
use serde_json::json;

use super::{count, delete, deleted, run_named, send, series_of, values};
use crate::ground::{Server, databases, eventually};

const WRITERS: usize = 4;
/// Uploads of a writer, or more until there were so many deletions.
const UPLOADS: usize = 40;
const DELETIONS: usize = 4;

/// Sends an upload under a key until it is acknowledged; whether as a repetition.
async fn keyed(server: &Server, key: &str, body: &str) -> bool {
    loop {
        let request = server.api(Method::POST, "samples");
        let request = request.header("idempotency-key", key).body(body.to_owned());
        let answer = request.send().await.unwrap();
        match answer.status() {
            StatusCode::OK => {
                let answer: serde_json::Value = answer.json().await.unwrap();
                return answer["duplicate"] == true;
            }
            StatusCode::SERVICE_UNAVAILABLE => {}
            status => panic!("{status}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_of_a_run_or_release_goes_with_its_key_or_stays_with_it() {
    for database in databases().await {
        let other = super::second(&database).await;
        let server = Server::start(database, Settings::default()).await;
        let engine = server.engine;
        let upload = |writer: usize, number: usize| {
            // Every other upload is one of the run that all writers share.
            let run = [format!("{writer}-{number}"), "shared".to_owned()];
            let samples = vec![5.0; 1 + number % 3];
            let body = values("search", "v1", &run[number % 2], &samples);
            let key = format!("key-{writer}-{number}");
            (key, body, samples.len() as u64)
        };
        let erased = AtomicUsize::new(0);
        let write = async |writer: usize| {
            let target = if writer.is_multiple_of(2) {
                &server
            } else {
                &other
            };
            let mut number = 0;
            while number < UPLOADS || erased.load(Ordering::Relaxed) < DELETIONS {
                let (key, body, _) = upload(writer, number);
                assert!(!keyed(target, &key, &body).await, "sent for the first time");
                number += 1;
            }
            number
        };
        let erase = async || {
            while erased.load(Ordering::Relaxed) < DELETIONS {
                let path = match run_named(&server, "v1", "shared").await {
                    Some(_) if erased.load(Ordering::Relaxed) % 3 == 2 => "releases/v1".to_owned(),
                    Some(run) => format!("runs/{run}"),
                    None => continue,
                };
                if delete(&server, &path).await.status().is_success() {
                    erased.fetch_add(1, Ordering::Relaxed);
                }
            }
        };
        let (a, b, c, d, ()) = tokio::join!(write(0), write(1), write(2), write(3), erase());
        let sent = (0..WRITERS)
            .zip([a, b, c, d])
            .flat_map(|(writer, sent)| (0..sent).map(move |number| (writer, number)));

        eventually("the last deletion is over", async || {
            let project = server.store.project_for_administration("shop").await;
            let undone = server
                .store
                .projects_with_deletions(longwatch::clock::now_us())
                .await
                .unwrap();
            (!undone.contains(&project.unwrap())).then_some(())
        })
        .await;
        let (mut stored, mut all) = (0, 0);
        let counted = count(&server, "search", "v1").await;
        for (writer, number) in sent {
            let (key, body, samples) = upload(writer, number);
            all += samples;
            if keyed(&other, &key, &body).await {
                stored += samples;
            }
        }
        assert!(stored < all, "{engine}: nothing was deleted");
        assert_eq!(
            counted, stored,
            "{engine}: what is known by its key is there"
        );
        assert_eq!(count(&server, "search", "v1").await, all, "{engine}");
        super::folded(&server, "search", "v1").await;
        assert_eq!(
            count(&server, "search", "v1").await,
            all,
            "{engine}: folded"
        );
        other.stop().await;
        server.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_after_a_series_was_deleted_is_all_there_and_what_was_before_is_not() {
    for database in databases().await {
        let other = super::second(&database).await;
        let server = Server::start(database, Settings::default()).await;
        let engine = server.engine;
        send(&server, values("doomed", "v1", "first", &[5.0; 50])).await;
        let id = series_of(&server, "doomed").await.unwrap();
        // 0 before the deletion is asked for, 1 until it is answered, 2 after.
        let phase = AtomicU64::new(0);
        let [before, during, after] = [(); 3].map(|()| AtomicU64::new(0));
        let spared = AtomicU64::new(0);
        let write = async |writer: usize| {
            let target = if writer.is_multiple_of(2) {
                &server
            } else {
                &other
            };
            for number in 0..UPLOADS {
                let measured = |flow: &str| json!({"flow": flow, "metric": "latency", "unit": "ms", "basis": "op", "values": [1.0, 2.0]});
                let body = json!({"source": "load", "release": "v1", "run": format!("{writer}-{number}"),
                    "measurements": [measured("doomed"), measured("spared")]});
                let began = phase.load(Ordering::SeqCst);
                send(target, body.to_string()).await;
                let ended = phase.load(Ordering::SeqCst);
                let place = match (began, ended) {
                    (_, 0) => &before,
                    (2, _) => &after,
                    _ => &during,
                };
                place.fetch_add(2, Ordering::SeqCst);
                spared.fetch_add(2, Ordering::SeqCst);
            }
        };
        let erase = async || {
            while before.load(Ordering::SeqCst) < (WRITERS * UPLOADS) as u64 / 2 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            phase.store(1, Ordering::SeqCst);
            deleted(&server, &format!("series/{id}")).await;
            phase.store(2, Ordering::SeqCst);
        };
        tokio::join!(write(0), write(1), write(2), write(3), erase());
        // One more, so that the series is there again however late the deletion came.
        send(&other, values("doomed", "v1", "last", &[5.0; 7])).await;
        let (during, after) = (during.into_inner(), after.into_inner() + 7);
        eventually("the series is there again", async || {
            series_of(&server, "doomed").await
        })
        .await;
        for _ in 0..2 {
            let left = count(&server, "doomed", "v1").await;
            assert!(
                (after..=after + during).contains(&left),
                "{engine}: {left} of {after} after and {during} during"
            );
            let untouched = count(&server, "spared", "v1").await;
            assert_eq!(untouched, spared.load(Ordering::SeqCst), "{engine}");
            super::folded(&server, "doomed", "v1").await;
        }
        other.stop().await;
        server.stop().await;
    }
}
