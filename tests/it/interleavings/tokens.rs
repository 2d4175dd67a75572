//! A token that is revoked while it is used.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use longwatch::clock::now_us;
use longwatch::store::Scope;
use reqwest::StatusCode;

use super::{count, each_engine, report};
use crate::ground::PROJECT;
use crate::seeds::below;

/// Uploads that a token is used for.
const USES: usize = 12;
/// A beacon key that was looked up is believed for this long.
const BELIEVED: Duration = Duration::from_secs(1);

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_revoked_while_it_is_used_ends_at_once_and_what_it_was_good_for_is_stored()
{
    each_engine(&[7], async |two| {
        let project = two.one.store.project_for_administration(PROJECT).await;
        let project = project.unwrap();
        for round in 0..12 {
            let flow = format!("flow-{round}");
            let made =
                two.one
                    .store
                    .create_token(&project, Scope::Ingest, "", None, "test", now_us());
            let token = made.await.unwrap();
            let is_revoked = AtomicBool::new(false);
            let pause = Duration::from_millis(below(&mut two.random, 60) as u64);
            let revoke = async {
                tokio::time::sleep(pause).await;
                let revoked = two
                    .other
                    .store
                    .revoke_token(&project, &token.id, "test", now_us());
                revoked.await.unwrap();
                is_revoked.store(true, Ordering::SeqCst);
            };
            let use_it = async {
                let (mut good, mut over) = (0, false);
                for number in 0..USES {
                    let was_revoked = is_revoked.load(Ordering::SeqCst);
                    let request = two.one.client.post(two.one.address("samples"));
                    let request = request.bearer_auth(&token.text);
                    let body = report(&flow, "v1", &number.to_string(), 1);
                    let status = request.body(body).send().await.unwrap().status();
                    match status {
                        StatusCode::OK => {
                            assert!(!over && !was_revoked, "{}: used after its end", two.engine);
                            good += 1;
                        }
                        StatusCode::UNAUTHORIZED => over = true,
                        status => panic!("{}: {status}", two.engine),
                    }
                }
                good
            };
            let ((), good) = tokio::join!(revoke, use_it);
            assert_eq!(count(&two.other, &flow, "v1").await, good, "{}", two.engine);
            let listed = two.one.store.tokens(&project).await.unwrap();
            let row = listed.iter().find(|row| row.id == token.id).unwrap();
            assert!(
                row.revoked_us.is_some(),
                "{}: its use revived it",
                two.engine
            );
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_beacon_key_is_believed_for_a_second_at_most() {
    each_engine(&[8], async |two| {
        let project = two.one.store.project_for_administration(PROJECT).await;
        let project = project.unwrap();
        let made = two.one.store.create_token(&project, Scope::Rum, "", None, "test", now_us());
        let key = made.await.unwrap();
        let beacon = async |view: usize| {
            let body = serde_json::json!({"v": 1, "r": "v1", "pv": format!("{view}"), "s": 1, "f": "checkout", "d": "mobile",
                "n": "navigate", "m": [["LCP", 1800.0, format!("v5-{view}"), 1]]});
            let server = if view.is_multiple_of(2) { &two.one } else { &two.other };
            let request = server.client.post(format!("{}/rum/{}", server.url, key.text));
            let status = request.body(body.to_string()).send().await.unwrap().status();
            assert_eq!(status, StatusCode::NO_CONTENT, "{}", two.engine);
        };
        for view in 0..10 {
            beacon(view).await;
        }
        let revoke = async {
            let revoked = two.other.store.revoke_token(&project, &key.id, "test", now_us());
            revoked.await.unwrap();
        };
        let use_it = async {
            for view in 10..20 {
                beacon(view).await;
            }
        };
        tokio::join!(revoke, use_it);
        let counted = count(&two.one, "checkout", "v1").await;
        assert!((10..=20).contains(&counted), "{}: {counted}", two.engine);
        tokio::time::sleep(BELIEVED + Duration::from_millis(200)).await;
        // The first that comes too late looks the key up; until its answer is there others are believed.
        for view in 20..30 {
            beacon(view).await;
        }
        assert_eq!(count(&two.one, "checkout", "v1").await, counted, "{}", two.engine);
    })
    .await;
}
