//! Days of the field: what several releases had is merged once and recognised, and what is still open counts, on both
//! engines.

use std::sync::Arc;

use collectors::report::Source;
use longwatch::clock::now_us;
use longwatch::config::Config;
use longwatch::detector;
use longwatch::http::Settings;
use longwatch::record::{By, Record};
use longwatch::store::{
    FindingEvent, FindingState, ProjectId, Scope, Series, Span, Store, Submission, Values,
};

use crate::deletion::beacon;
use crate::deletion::rows::Rows;
use crate::forgetting::{DAY_US, HOUR_US, commit, fold, series, upload};
use crate::ground::{Server, databases, eventually};

/// A day that is over, ten days ago.
fn day_us() -> i64 {
    now_us().div_euclid(DAY_US) * DAY_US - 10 * DAY_US
}

struct Shop {
    store: Store,
    project: ProjectId,
    series: Series,
    rows: Rows,
    engine: &'static str,
}

impl Shop {
    async fn measured(&self, release: &str, after_us: i64, values: std::ops::Range<u64>) {
        let values = Values::Raw(values.map(|ms| ms * 1_000_000).collect());
        let time_us = day_us() + after_us;
        let upload = upload(self.project, &self.series, release, time_us, values);
        commit(&self.store, upload).await;
        fold(&self.store, &self.project, now_us()).await;
    }

    async fn judged(&self) {
        let url = "http://localhost";
        detector::round(&self.store, "test", url, false)
            .await
            .unwrap();
    }

    /// The median of each day, and over how many values.
    async fn medians(&self) -> Vec<(f64, u64)> {
        let config = Arc::new(Config::default());
        let record = Record::load(&self.store, &self.project, config)
            .await
            .unwrap();
        let tracked = &record.series[&self.series.id()];
        let points = record.points(&self.store, tracked, By::Day, 0, i64::MAX, &[0.5]);
        let points = points.await.unwrap();
        let median = |ns: f64| (ns / 1e6).round();
        points
            .iter()
            .map(|point| (median(point.interval.unwrap().value), point.count))
            .collect()
    }

    async fn told(&self) -> Vec<String> {
        let sql = "SELECT told FROM series_window WHERE kind = 5 ORDER BY start_us";
        self.rows.texts(sql.to_owned()).await
    }
}

async fn each_shop<F: Future<Output = Shop>>(test: impl Fn(Shop) -> F) {
    for database in databases().await {
        let store = Store::open(&database.url).await.unwrap();
        let project = store.ensure_project("shop", "test", now_us()).await;
        let shop = Shop {
            project: project.unwrap(),
            series: series("checkout", Source::Telemetry),
            rows: Rows::of(&database),
            engine: database.engine,
            store,
        };
        // A day of one release, and a day of two.
        shop.measured("v1", -DAY_US, 100..200).await;
        shop.measured("v1", HOUR_US, 100..200).await;
        shop.measured("v2", 2 * HOUR_US, 300..500).await;
        let shop = test(shop).await;
        shop.store.close().await;
    }
}

#[tokio::test]
async fn a_day_of_two_releases_is_told_once_and_read_as_it_was_told() {
    each_shop(|shop| async {
        let merged = [(149.0, 100), (349.0, 300)];
        assert_eq!(shop.medians().await, merged, "{}", shop.engine);
        assert_eq!(shop.told().await.len(), 0);
        shop.judged().await;
        let told = shop.told().await;
        assert_eq!(told.len(), 1, "{}", shop.engine);
        assert_eq!(shop.medians().await, merged, "{}", shop.engine);
        // What is read is what was told.
        let (source, _) = told[0].split_once(',').unwrap();
        let other = "UPDATE series_window SET told = '#,1,2,3,0,0,7e6,7e6,7e6,7e6,8e6,8e6,8e6,9e6,9e6,9e6' WHERE kind = 5 \
            RETURNING told";
        shop.rows.texts(other.replace('#', source)).await;
        assert_eq!(shop.medians().await[1], (7.0, 3), "{}", shop.engine);
        shop
    })
    .await;
}

#[tokio::test]
async fn what_comes_late_is_merged_at_once_and_told_anew() {
    each_shop(|shop| async {
        shop.judged().await;
        let told = shop.told().await;
        shop.measured("v1", 5 * HOUR_US, 900..1_300).await;
        let late = (949.0, 700);
        assert_eq!(shop.medians().await[1], late, "{}", shop.engine);
        assert_eq!(shop.told().await, told);
        shop.judged().await;
        assert_ne!(shop.told().await, told, "{}", shop.engine);
        assert_eq!(shop.medians().await[1], late, "{}", shop.engine);
        shop
    })
    .await;
}

#[tokio::test]
async fn a_deleted_release_is_in_no_day_that_it_shared() {
    each_shop(|shop| async {
        shop.judged().await;
        assert_eq!(shop.told().await.len(), 1);
        let deletion = shop
            .store
            .delete_release(&shop.project, "v2", "test", now_us());
        deletion.await.unwrap();
        fold(&shop.store, &shop.project, now_us()).await;
        assert_eq!(shop.told().await.len(), 0, "{}", shop.engine);
        assert_eq!(shop.medians().await, [(149.0, 100), (149.0, 100)]);
        shop.judged().await;
        assert_eq!(shop.told().await.len(), 0, "{}", shop.engine);
        shop
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn page_views_that_are_still_open_are_data_of_the_project() {
    for database in databases().await {
        let settings = Settings {
            public_read: true,
            ..Settings::default()
        };
        let server = Server::start(database, settings).await;
        let overview = async || {
            let address = format!("{}/shop", server.url);
            let page = server.client.get(address).send().await.unwrap();
            page.text().await.unwrap()
        };
        assert!(overview().await.contains("Nothing has arrived yet"));
        let key = server.token(Scope::Rum).await;
        beacon(&server, &key, "v1", "1").await;
        eventually("the page view is put aside", async || {
            let waiting = server.store.projects_to_fold().await.unwrap();
            waiting.is_empty().then_some(())
        })
        .await;
        let page = overview().await;
        assert!(!page.contains("Nothing has arrived yet"), "{page}");
        assert!(page.contains("data to"), "{}", server.engine);
        server.stop().await;
    }
}

#[tokio::test]
async fn an_hour_that_is_too_old_to_be_kept_is_none_before_the_fold_either() {
    each_shop(|shop| async {
        let hours = async || -> Vec<(i64, u64)> {
            let windows = shop.store.windows(
                &shop.project,
                shop.series.id(),
                Span::Hour(0),
                0,
                i64::MAX,
                false,
            );
            let windows = windows.await.unwrap();
            windows
                .iter()
                .map(|one| (one.first_us, one.count))
                .collect()
        };
        let arrived = async |after_us: i64| {
            let time_us = now_us() - after_us;
            let values = Values::Raw(vec![1_000_000; 5]);
            let upload = upload(shop.project, &shop.series, "v3", time_us, values);
            let late = Submission {
                received_us: now_us(),
                ..upload
            };
            commit(&shop.store, late).await;
            time_us
        };
        let known = hours().await;
        arrived(20 * DAY_US).await;
        let recent_us = arrived(3 * DAY_US).await;
        let before = hours().await;
        assert!(
            before.contains(&(recent_us, 5)),
            "{}: {before:?}",
            shop.engine
        );
        assert_eq!(before.len(), known.len() + 1, "{}", shop.engine);
        fold(&shop.store, &shop.project, now_us()).await;
        assert_eq!(hours().await, before, "{}", shop.engine);
        shop
    })
    .await;
}

const WATCHED: &str = r#"
[project]
name = "shop"

[[budget]]
id = "checkout-latency"
flow = "checkout"
source = "telemetry"
metric = "latency"
percentile = 75
limit = "400 ms"
enforcement = "track"
"#;

#[tokio::test]
async fn a_silence_that_somebody_has_closed_stays_closed_and_stops_no_judgement() {
    each_shop(|shop| async {
        let applied = shop
            .store
            .apply_policy(&shop.project, WATCHED, "test", now_us());
        applied.await.unwrap();
        shop.judged().await;
        let missing = async || {
            let findings = shop.store.findings(&shop.project).await.unwrap();
            let missing = findings.into_iter().filter(|one| one.kind == "missing");
            missing.collect::<Vec<_>>()
        };
        let [open] = <[_; 1]>::try_from(missing().await).unwrap();
        let now_us = now_us();
        let closed = shop.store.change_finding(
            &shop.project,
            &open.id,
            |finding| {
                finding.state = FindingState::Resolved;
                FindingEvent {
                    finding: finding.id,
                    at_us: now_us,
                    actor: "test".to_owned(),
                    action: "resolve".to_owned(),
                    note: String::new(),
                }
            },
            now_us,
        );
        closed.await.unwrap();
        for _ in 0..2 {
            // Older than the newest: it is as silent as before, and looked at again.
            shop.measured("v1", HOUR_US, 100..110).await;
            shop.judged().await;
            let [closed] = <[_; 1]>::try_from(missing().await).unwrap();
            assert!(closed.state == FindingState::Resolved, "{}", shop.engine);
        }
        shop
    })
    .await;
}
