//! How long an upload's key is remembered, and an instance that is no more.

use longwatch::store::{Committed, Entry, Id, ProjectId, Release, Store, Submission};
use sqlx::{AssertSqlSafe, Connection, PgConnection, SqliteConnection};

use crate::ground::{Database, databases};

const DAY_US: i64 = 86_400_000_000;
const NOW_US: i64 = 20_000 * DAY_US;

fn upload(project: ProjectId, key: &str) -> Submission {
    Submission {
        project,
        entry: Some(Entry {
            batch: Id::new(),
            key: key.to_owned(),
            content_sha256: [7; 32],
            format: "samples".to_owned(),
            series_count: 0,
            sample_count: 0,
            skipped: "[]".to_owned(),
            answer: "the first answer".to_owned(),
        }),
        new_series: Vec::new(),
        run: None,
        release: None,
        deltas: Vec::new(),
        dropped: Vec::new(),
        received_us: NOW_US,
    }
}

/// What a fold at some time leaves of two projects' uploads: the outcome of sending them again.
async fn sent_again_after(store: &Store, days: i64, key: &str) -> [Committed; 2] {
    let shop = store.ensure_project("shop", "test", NOW_US).await.unwrap();
    let other = store.ensure_project("other", "test", NOW_US).await.unwrap();
    let both = || [shop, other].map(|project| Box::new(upload(project, key)));
    let first = store.commit(&both()).await.unwrap();
    assert_eq!(first, [Committed::Stored, Committed::Stored]);
    let now_us = NOW_US + days * DAY_US;
    let lease = store.lease(&shop, "fold", "test", now_us).await.unwrap();
    let lease = lease.unwrap();
    store.fold(&lease, now_us).await.unwrap();
    store.give_back(&lease).await.unwrap();
    store.commit(&both()).await.unwrap().try_into().unwrap()
}

#[tokio::test]
async fn a_key_is_forgotten_after_thirty_five_days_in_the_project_that_is_folded() {
    for database in databases().await {
        let store = Store::open(&database.url).await.unwrap();
        let known = || Committed::Duplicate("the first answer".to_owned());
        let after = sent_again_after(&store, 34, "early").await;
        assert_eq!(after, [known(), known()], "{}", database.engine);
        let after = sent_again_after(&store, 36, "late").await;
        assert_eq!(after, [Committed::Stored, known()], "{}", database.engine);
        store.close().await;
    }
}

/// What a statement answers, beside the store.
async fn texts(database: &Database, sql: &str) -> Vec<String> {
    let sql = AssertSqlSafe(sql);
    let rows: Result<Vec<(String,)>, sqlx::Error> = if database.engine == "SQLite" {
        let mut connection = SqliteConnection::connect(&database.url).await.unwrap();
        sqlx::query_as(sql).fetch_all(&mut connection).await
    } else {
        let mut connection = PgConnection::connect(&database.url).await.unwrap();
        sqlx::query_as(sql).fetch_all(&mut connection).await
    };
    rows.unwrap().into_iter().map(|(text,)| text).collect()
}

#[tokio::test]
async fn an_instance_that_changed_nothing_for_thirty_days_is_forgotten_when_another_comes() {
    for database in databases().await {
        let store = Store::open(&database.url).await.unwrap();
        for (slug, days) in [("quiet", 31), ("late", 29)] {
            let project = store.ensure_project(slug, "test", NOW_US).await.unwrap();
            let last_us = NOW_US - days * DAY_US;
            // An instance as good as any: its id is the project's.
            let insert = format!(
                "INSERT INTO record_version (project_id, instance_id, version, changed_us) \
                 SELECT id, id, 1, {last_us} FROM project WHERE slug = '{slug}' RETURNING ''"
            );
            assert_eq!(texts(&database, &insert).await.len(), 1);
            let before = store.record_version(&project).await.unwrap();
            let released = Submission {
                release: Some(Release {
                    name: "1.4.0".to_owned(),
                    commit: None,
                    parent: None,
                    branch: None,
                    on_main: true,
                    time_us: NOW_US,
                    declared: false,
                    note: None,
                }),
                ..upload(project, "of a release")
            };
            store.commit(&[Box::new(released)]).await.unwrap();
            let after = store.record_version(&project).await.unwrap();
            assert_ne!(before, after, "{} on {}", slug, database.engine);
        }
        const LEFT: &str =
            "SELECT slug FROM project JOIN record_version ON project_id = id AND instance_id = id";
        let left = texts(&database, LEFT).await;
        assert_eq!(left, ["late"], "{}", database.engine);
        store.close().await;
    }
}
