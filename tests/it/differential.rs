//! One random list of requests, told to a server over SQLite and to one over PostgreSQL: both answer the same, whatever
//! is asked, before the fold and after it; and the fold changes no number.

mod arm;
mod bad;
pub(crate) mod mask;
mod operations;
pub(crate) mod pair;
mod reading;

use longwatch::clock::now_us;
use reqwest::Method;

use crate::seeds::{below, each_seed};
use operations::{Kind, Operations, Seen, api};
use pair::{Pair, assert_same, describe};

/// Stretches between two readings, and the most requests of one.
const STRETCHES: usize = 5;
const REQUESTS: usize = 24;

#[tokio::test(flavor = "multi_thread")]
async fn both_databases_give_the_same_answers_to_the_same_requests_folded_or_not() {
    each_seed(&[1], async |seed| differ(seed).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn both_databases_refuse_or_take_the_same_odd_requests() {
    each_seed(&[2], async |seed| {
        let mut pair = Pair::start().await;
        let mut operations = Operations::new(seed, now_us());
        let mut seen = Seen::default();
        for request in bad::requests(&mut operations.random) {
            pair.ask(&request, request.method == Method::DELETE).await;
        }
        let mut same = operations.random.clone();
        let unfolded = reading::measurements(&mut pair, &mut seen, &mut operations.random).await;
        pair.fold().await;
        let folded = reading::measurements(&mut pair, &mut seen, &mut same).await;
        assert_unchanged(&unfolded, &folded);
        pair.judge().await;
        reading::conclusions(&mut pair, &mut seen).await;
        pair.export().await;
    })
    .await;
}

async fn differ(seed: u64) {
    let mut pair = Pair::start().await;
    let mut operations = Operations::new(seed, now_us());
    let mut seen = Seen::default();
    for request in operations.history() {
        pair.ask(&request, false).await;
    }
    for stretch in 0..STRETCHES {
        for _ in 0..1 + below(&mut operations.random, REQUESTS) {
            let (request, kind) = operations.next(&seen);
            let answer = pair.ask(&request, kind == Kind::Deletes).await;
            println!("{stretch}: {} -> {}", describe(&request), answer.status);
            if let Some(batch) = answer.json()["batch"].as_str() {
                seen.batches.push(batch.to_owned());
            }
            if kind == Kind::Configures {
                pair.restart().await;
            }
        }
        let waits = below(&mut operations.random, 3) == 0;
        let mut same = operations.random.clone();
        let unfolded = reading::measurements(&mut pair, &mut seen, &mut operations.random).await;
        if waits {
            // The next requests come while these wait.
            continue;
        }
        pair.fold().await;
        let folded = reading::measurements(&mut pair, &mut seen, &mut same).await;
        assert_unchanged(&unfolded, &folded);
        pair.judge().await;
        reading::conclusions(&mut pair, &mut seen).await;
    }
    pair.fold().await;
    pair.export().await;
    let mut same = operations.random.clone();
    let open = reading::measurements(&mut pair, &mut seen, &mut operations.random).await;
    pair.close_page_views().await;
    let closed = reading::measurements(&mut pair, &mut seen, &mut same).await;
    assert_unchanged(&open, &closed);
    pair.judge().await;
    reading::conclusions(&mut pair, &mut seen).await;
    pair.export().await;

    // The project goes with everything, and nothing of it is in the next one of its name.
    pair.ask(&api(Method::DELETE, "", Vec::new()), false).await;
    pair.ask(&api(Method::GET, "series", Vec::new()), false)
        .await;
    pair.fold().await;
    for arm in &mut pair.arms {
        arm.make_project().await;
    }
    reading::measurements(&mut pair, &mut seen, &mut operations.random).await;
    assert!(seen.series.is_empty() && seen.releases.is_empty());
    pair.export().await;
}

/// What is told after the fold is what was told before it, but that it is final.
fn assert_unchanged(before: &[(String, String)], after: &[(String, String)]) {
    let paths = |told: &[(String, String)]| -> Vec<String> {
        told.iter().map(|(path, _)| path.clone()).collect()
    };
    assert_same(
        "what there is to read",
        &paths(before).join("\n"),
        &paths(after).join("\n"),
    );
    for ((path, before), (_, after)) in before.iter().zip(after) {
        let before = before.replace("\"provisional\":true", "\"provisional\":false");
        let after = after.replace("\"provisional\":true", "\"provisional\":false");
        assert_same(
            &format!("{path} before and after the fold"),
            &before,
            &after,
        );
    }
}
