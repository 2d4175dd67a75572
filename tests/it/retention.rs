//! A project's own word on how long single runs and days are kept, on both engines.

use collectors::report::Source;
use longwatch::clock::now_us;
use longwatch::config::Config;
use longwatch::record::{By, Record};
use longwatch::store::{
    FindingState, Id, ProjectId, Series, Span, Store, StoreError, Values, Window,
};
use longwatch::{detector, upkeep};

use crate::deletion::rows::Rows;
use crate::forgetting::{DAY_US, HOUR_US, commit, fold, series, upload};
use crate::ground::databases;

const NOW_US: i64 = 20_000 * DAY_US;

const KEPT: &str = r#"
[project.retention]
runs = "1y"
days = "1y"

[[reference]]
flow = "search"
release = "v4"
"#;

async fn windows(store: &Store, project: &ProjectId, series: &Series, like: Span) -> Vec<Window> {
    store
        .windows(project, series.id(), like, 0, i64::MAX, false)
        .await
        .unwrap()
}

/// Ten releases a hundred days apart, the newest today, each with two runs of search and a day of the field.
async fn history(store: &Store, project: ProjectId) -> [Series; 2] {
    let both = [
        series("search", Source::Load),
        series("api", Source::Telemetry),
    ];
    for release in 0..10 {
        let time_us = NOW_US - (9 - release) * 100 * DAY_US;
        let name = format!("v{release}");
        for (of, after_us) in [(0, 0), (0, HOUR_US), (1, 0)] {
            let values = Values::Raw((100..140).collect());
            let measured = upload(project, &both[of], &name, time_us + after_us, values);
            commit(store, measured).await;
        }
    }
    both
}

#[tokio::test]
async fn runs_and_days_go_when_their_project_says_and_releases_stay() {
    for database in databases().await {
        let engine = database.engine;
        let store = Store::open(&database.url).await.unwrap();
        let rows = Rows::of(&database);
        let shop = store.ensure_project("shop", "test", NOW_US).await.unwrap();
        let other = store.ensure_project("other", "test", NOW_US).await.unwrap();
        let [search, api] = history(&store, shop).await;
        history(&store, other).await;
        for project in [&shop, &other] {
            fold(&store, project, NOW_US + HOUR_US).await;
        }
        let whole = rows.counts(&other).await;
        store
            .apply_policy(&shop, KEPT, "test", NOW_US)
            .await
            .unwrap();
        let now_us = NOW_US + 3 * HOUR_US;
        upkeep::round(&store, "test", || now_us).await.unwrap();

        // v6 to v9 are of the last year, and v4 is what others are compared with.
        let kept = ["v4", "v6", "v7", "v8", "v9"];
        let runs = windows(&store, &shop, &search, Span::Run(Id::NIL)).await;
        let mut releases: Vec<&str> = runs.iter().map(|w| w.key.release.as_str()).collect();
        releases.sort_unstable();
        releases.dedup();
        assert_eq!((runs.len(), releases), (10, kept.to_vec()), "{engine}");
        let days = windows(&store, &shop, &api, Span::Day(0)).await;
        let releases: Vec<&str> = days.iter().map(|w| w.key.release.as_str()).collect();
        assert_eq!(releases, kept, "{engine}");
        for of in [&search, &api] {
            let all = windows(&store, &shop, of, Span::Release).await;
            assert_eq!(all.len(), 10, "{engine}");
        }
        assert_eq!(store.runs(&shop).await.unwrap().len(), 10);
        let counts = rows.counts(&shop).await;
        // The field's uploads belong to no run.
        assert_eq!((counts["run"], counts["batch"]), (10, 20), "{engine}");
        let untouched = rows.counts(&other).await;
        for table in ["run", "batch", "release"] {
            assert_eq!(untouched[table], whole[table], "{engine}: {table}");
        }

        // A release whose runs are forgotten is still shown.
        let config = Config::parse(KEPT).unwrap();
        let record = Record::load(&store, &shop, config.into()).await.unwrap();
        let tracked = &record.series[&search.id()];
        let points = record.points(&store, tracked, By::Release, 0, i64::MAX, &[0.75]);
        let points = points.await.unwrap();
        let counted: Vec<(u64, u32)> = points.iter().map(|p| (p.count, p.runs)).collect();
        assert_eq!(counted[..5], [(80, 0), (80, 0), (80, 0), (80, 0), (80, 2)]);
        assert_eq!(counted.len(), 10, "{engine}");
        store.close().await;
    }
}

#[tokio::test]
async fn a_run_that_is_not_folded_yet_is_not_forgotten() {
    for database in databases().await {
        let store = Store::open(&database.url).await.unwrap();
        let shop = store.ensure_project("shop", "test", NOW_US).await.unwrap();
        history(&store, shop).await;
        store
            .apply_policy(&shop, KEPT, "test", NOW_US)
            .await
            .unwrap();
        for (hours, folds, runs) in [(3, false, 20), (5, true, 10)] {
            let now_us = NOW_US + hours * HOUR_US;
            if folds {
                fold(&store, &shop, now_us).await;
            }
            upkeep::round(&store, "test", || now_us).await.unwrap();
            let kept = store.runs(&shop).await.unwrap().len();
            assert_eq!(kept, runs, "{}", database.engine);
        }
        store.close().await;
    }
}

#[tokio::test]
async fn no_run_is_taken_out_of_a_release_that_has_forgotten_others() {
    for database in databases().await {
        let store = Store::open(&database.url).await.unwrap();
        let shop = store.ensure_project("shop", "test", NOW_US).await.unwrap();
        let [search, _] = history(&store, shop).await;
        // A last run of an old release.
        let values = Values::Raw((100..110).collect());
        let last = upload(shop, &search, "v2", NOW_US, values);
        let run = last.run.as_ref().unwrap().id();
        commit(&store, last).await;
        fold(&store, &shop, NOW_US + HOUR_US).await;
        store
            .apply_policy(&shop, KEPT, "test", NOW_US)
            .await
            .unwrap();
        let now_us = NOW_US + 3 * HOUR_US;
        upkeep::round(&store, "test", || now_us).await.unwrap();

        let deleted = store.delete_run(&shop, &run, "test", now_us).await;
        assert!(matches!(deleted, Err(StoreError::Forgotten(release)) if release == "v2"));
        let lease = store.lease(&shop, "fold", "test", now_us).await.unwrap();
        let lease = lease.unwrap();
        let excluded = store.exclude_run(&lease, &run, Some("noise"), "test", now_us);
        assert!(matches!(excluded.await, Err(StoreError::Forgotten(_))));
        store.give_back(&lease).await.unwrap();
        let all = windows(&store, &shop, &search, Span::Release).await;
        let counts: Vec<u64> = all.iter().map(|window| window.count).collect();
        assert_eq!(counts, [80, 80, 90, 80, 80, 80, 80, 80, 80, 80]);
        store
            .delete_release(&shop, "v2", "test", now_us)
            .await
            .unwrap();
        fold(&store, &shop, now_us).await;
        let all = windows(&store, &shop, &search, Span::Release).await;
        assert_eq!(all.len(), 9, "{}", database.engine);
        store.close().await;
    }
}

/// A day of a noisy level, so many days ago.
async fn day(store: &Store, project: ProjectId, of: &Series, ago: i64, level: u64) {
    let noise = |at: u64| (at * 7_919 + ago.unsigned_abs() * 104_729) % 1_000;
    let values = Values::Raw((0..60).map(|at| level + noise(at)).collect());
    let time_us = now_us() - ago * DAY_US;
    commit(store, upload(project, of, "v1", time_us, values)).await;
}

async fn judged(store: &Store, project: &ProjectId) -> Vec<(i64, FindingState, usize)> {
    fold(store, project, now_us()).await;
    detector::round(store, "test", "http://localhost", true)
        .await
        .unwrap();
    let mut found = Vec::new();
    for finding in store.findings(project).await.unwrap() {
        let trail = store.trail(project, &finding.id).await.unwrap();
        let ago = (now_us() - finding.onset_us) / DAY_US;
        found.push((ago, finding.state, trail.len()));
    }
    found.sort_by_key(|(ago, ..)| -ago);
    found
}

#[tokio::test]
async fn a_forgotten_past_is_no_change_of_the_present() {
    for database in databases().await {
        let engine = database.engine;
        let store = Store::open(&database.url).await.unwrap();
        let shop = store
            .ensure_project("shop", "test", now_us())
            .await
            .unwrap();
        let api = series("api", Source::Telemetry);
        // Steps before what will be kept, shortly after its beginning, and well within.
        let level = |ago: i64| match ago {
            150.. => 100_000,
            80..150 => 110_000,
            30..80 => 121_000,
            _ => 133_000,
        };
        for ago in (5..240).rev() {
            day(&store, shop, &api, ago, level(ago)).await;
        }
        let before = judged(&store, &shop).await;
        let onsets: Vec<i64> = before.iter().map(|(ago, ..)| *ago).collect();
        assert_eq!(onsets, [149, 79, 29], "{engine}: {before:?}");
        assert!(before.iter().all(|(_, state, _)| state.is_open()));

        let kept = "[project.retention]\ndays = \"90d\"\n";
        store
            .apply_policy(&shop, kept, "test", now_us())
            .await
            .unwrap();
        upkeep::round(&store, "test", now_us).await.unwrap();
        let days = windows(&store, &shop, &api, Span::Day(0)).await;
        assert!((84..=87).contains(&days.len()), "{}", days.len());
        // More judgements, each on new data, than a finding is given to be seen again.
        for ago in (0..5).rev() {
            assert_eq!(
                judged(&store, &shop).await,
                before,
                "{engine}, {ago} days ago"
            );
            day(&store, shop, &api, ago, level(ago)).await;
        }
        assert_eq!(judged(&store, &shop).await, before, "{engine}");

        // What is within reach is still taken back when what showed it goes.
        store
            .delete_release(&shop, "v1", "test", now_us())
            .await
            .unwrap();
        let after = judged(&store, &shop).await;
        assert_eq!(after[..2], before[..2], "{engine}");
        store.close().await;
    }
}
