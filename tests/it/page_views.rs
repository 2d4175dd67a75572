//! Page views from their first report to their last word, at times of the test's own choosing, on both engines.

use std::collections::BTreeMap;
use std::sync::Arc;

use collectors::report::{Basis, Direction, Source};
use longwatch::store::{
    Delta, Id, Origin, ProjectId, ReportId, Series, SeriesId, Span, Store, Stratum, Submission,
    Values, Window,
};
use sqlx::Executor;

use crate::ground::{Database, databases};

/// A Thursday noon.
const NOON_US: i64 = 1_795_089_600_000_000;
const MINUTE_US: i64 = 60_000_000;
const DAY_US: i64 = 86_400_000_000;

struct Shop {
    store: Store,
    project: ProjectId,
    series: Series,
    database: Database,
}

impl Shop {
    async fn open(database: Database) -> Shop {
        let store = Store::open(&database.url).await.unwrap();
        let project = store.ensure_project("shop", "test", NOON_US).await.unwrap();
        let series = Series {
            flow_name: "checkout".into(),
            metric: "lcp".into(),
            unit: "ms".into(),
            dimension: "time".into(),
            source: Source::Rum,
            testbed: "default".into(),
            basis: Basis::Op,
            labels: BTreeMap::new(),
            direction: Direction::Lower,
        };
        Shop {
            store,
            project,
            series,
            database,
        }
    }

    fn id(&self) -> SeriesId {
        self.series.id()
    }

    /// Journals one report, `minute` minutes after noon.
    async fn heard(&self, view: &str, sequence: u64, value: u64, minute: i64) {
        let time_us = NOON_US + minute * MINUTE_US;
        let delta = Delta {
            origin: Arc::new(Origin {
                series: self.id(),
                release: "v1".into(),
                run: None,
                stratum: Stratum::whole(),
            }),
            time_us,
            values: Values::Report {
                id: ReportId::of(self.id(), view, "LCP"),
                sequence,
                value,
            },
            failed: 0,
            dropped: 0,
        };
        let submission = Submission {
            project: self.project,
            entry: None,
            new_series: vec![self.series.clone()],
            run: None,
            release: None,
            deltas: vec![delta],
            dropped: Vec::new(),
            received_us: time_us,
        };
        self.store.commit(&[Box::new(submission)]).await.unwrap();
    }

    /// Folds everything that is due so many minutes after noon.
    async fn fold(&self, minute: i64) {
        let now_us = NOON_US + minute * MINUTE_US;
        let lease = self.store.lease(&self.project, "fold", "test", now_us);
        let lease = lease.await.unwrap().unwrap();
        while self.store.fold(&lease, now_us).await.unwrap().more {}
        self.store.give_back(&lease).await.unwrap();
    }

    async fn day(&self) -> Window {
        let day_us = NOON_US - NOON_US.rem_euclid(DAY_US);
        let like = Span::Day(day_us);
        let windows = self
            .store
            .windows(
                &self.project,
                self.id(),
                like,
                day_us,
                day_us + DAY_US,
                true,
            )
            .await
            .unwrap();
        assert_eq!(windows.len(), 1);
        windows.into_iter().next().unwrap()
    }

    async fn late(&self) -> i64 {
        let dropped = self.store.dropped_since(&self.project, 0).await.unwrap();
        dropped
            .iter()
            .filter(|(reason, _)| reason == "late_report")
            .map(|(_, count)| count)
            .sum()
    }
}

fn values(window: &Window) -> Vec<u64> {
    let merged = window.body.as_ref().unwrap().merged();
    merged.buckets().map(|(lower, ..)| lower).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_word_counts_once_the_page_view_has_closed() {
    for database in databases().await {
        let shop = Shop::open(database).await;
        shop.heard("a", 1, 900, 0).await;
        shop.heard("b", 1, 500, 3).await;
        shop.fold(4).await;
        shop.heard("a", 2, 1_200, 25).await;
        shop.fold(26).await;
        let open = shop.day().await;
        assert!(open.provisional);
        assert_eq!(values(&open), [500, 1_200], "{}", shop.database.engine);

        // The first stretch closes: b has had its last word, a goes on.
        shop.fold(45).await;
        shop.heard("b", 2, 700, 46).await;
        shop.heard("a", 3, 1_500, 50).await;
        shop.fold(95).await;
        let closed = shop.day().await;
        assert_eq!(values(&closed), [500, 1_500], "{}", shop.database.engine);
        assert!(!closed.provisional);
        assert_eq!(
            closed.first_us, NOON_US,
            "a window begins with the first report"
        );
        assert_eq!(closed.count, 2);
        assert_eq!(shop.late().await, 1, "b's second report came too late");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waited_in_the_journal_past_its_hour_is_judged_by_when_it_was_heard() {
    for database in databases().await {
        let shop = Shop::open(database).await;
        shop.heard("a", 1, 900, 0).await;
        shop.heard("a", 2, 1_200, 20).await;
        shop.heard("a", 3, 1_500, 60).await;
        // No fold ran for three hours.
        shop.fold(180).await;
        assert_eq!(
            values(&shop.day().await),
            [1_200],
            "{}",
            shop.database.engine
        );
        assert_eq!(shop.late().await, 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn page_views_that_the_first_schema_put_aside_are_taken_over() {
    for database in databases().await {
        let shop = Shop::open(database).await;
        // What a version with the first schema left: one page view open, one closed.
        for (view, value, closed_us) in [("open", 900, "NULL"), ("closed", 400, "1")] {
            let digest = Id::of(&[&shop.id().to_string(), &format!("{view} LCP")]);
            let hex = |id: &Id| id.to_string();
            let bytes = |id: &Id| match shop.database.engine {
                "SQLite" => format!("X'{}'", hex(id)),
                _ => format!("'\\x{}'::bytea", hex(id)),
            };
            let statement = format!(
                "INSERT INTO pending (project_id, report_id, series_id, release, stratum, value, sequence, first_us, last_us, closed_us) \
                 VALUES ({}, {}, {}, 'v1', '1000000\t\t\t', {value}, 1, {NOON_US}, {NOON_US}, {closed_us})",
                bytes(shop.project.id()),
                bytes(&digest),
                bytes(shop.id().id()),
            );
            run(&shop.database, statement).await;
        }
        shop.heard("open", 2, 1_000, 10).await;
        shop.heard("closed", 2, 500, 10).await;
        shop.fold(60).await;
        assert_eq!(
            values(&shop.day().await),
            [1_000],
            "{}",
            shop.database.engine
        );
        assert_eq!(shop.late().await, 1);
    }
}

async fn run(database: &Database, statement: String) {
    use sqlx::Connection;
    let statement = sqlx::AssertSqlSafe(statement);
    if database.engine == "SQLite" {
        let mut connection = sqlx::SqliteConnection::connect(&database.url)
            .await
            .unwrap();
        connection.execute(statement).await.unwrap();
    } else {
        let mut connection = sqlx::PgConnection::connect(&database.url).await.unwrap();
        connection.execute(statement).await.unwrap();
    }
}
