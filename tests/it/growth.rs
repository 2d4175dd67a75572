//! How much a series adds to a database in a year: what the README says of it, on both engines.

use collectors::report::Source;
use longwatch::store::{ProjectId, Series, Store, Submission, Values};
use longwatch::upkeep;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, SqliteConnection};

use crate::forgetting::{DAY_US, HOUR_US, commit, fold, series, upload};
use crate::ground::{Database, databases};

const FROM_US: i64 = 20_000 * DAY_US;
/// Days that are measured and stand for a year.
const DAYS: i64 = 28;
/// Series side by side, so that half-filled pages weigh little.
const SERIES: usize = 3;

/// Our tables, their indexes, and what lies beside the tables' rows, without the maps of free and visible pages that
/// the server makes when it likes.
const CONTENTS: &str = "WITH ours AS (SELECT oid, reltoastrelid FROM pg_class \
     WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace), \
     whole AS (SELECT oid FROM ours UNION ALL SELECT reltoastrelid FROM ours WHERE reltoastrelid <> 0) \
     SELECT CAST(SUM(pg_relation_size(oid, 'main') + pg_indexes_size(oid)) AS BIGINT) FROM whole";

/// No vacuum of the server's own.
const UNDISTURBED: &str = "DO $$ DECLARE t TEXT; BEGIN \
     FOR t IN SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace LOOP \
         EXECUTE format('ALTER TABLE %I SET (autovacuum_enabled = false)', t); \
     END LOOP; END $$";

/// What tables and indexes hold, bytes.
async fn bytes(database: &Database) -> i64 {
    let sizes = async |connection: &mut SqliteConnection, what: &str| -> i64 {
        let sql = AssertSqlSafe(format!("PRAGMA {what}"));
        sqlx::query_scalar(sql).fetch_one(connection).await.unwrap()
    };
    if database.engine == "SQLite" {
        let mut one = SqliteConnection::connect(&database.url).await.unwrap();
        let used = sizes(&mut one, "page_count").await - sizes(&mut one, "freelist_count").await;
        return used * sizes(&mut one, "page_size").await;
    }
    let mut one = PgConnection::connect(&database.url).await.unwrap();
    // A full one alone keeps what is younger than the oldest transaction of any other database.
    for vacuum in ["VACUUM", "VACUUM FULL"] {
        one.execute(vacuum).await.unwrap();
    }
    sqlx::query_scalar(CONTENTS)
        .fetch_one(&mut one)
        .await
        .unwrap()
}

/// Response times in nanoseconds, most of them about 120 ms, with a long tail; others for each seed.
fn times(seed: i64, count: usize) -> Values {
    let mut state = seed.unsigned_abs().wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut uniform = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 40) as f64 / (1u64 << 24) as f64
    };
    let mut normal = || (0..12).map(|_| uniform()).sum::<f64>() - 6.0;
    Values::Raw(
        (0..count)
            .map(|_| (120e6 * (0.6 * normal()).exp()) as u64)
            .collect(),
    )
}

/// A day's uploads of a series: three runs with so many samples each, or so many from the field, an upload an hour.
fn uploads(project: ProjectId, of: &Series, day: i64, samples: usize) -> Vec<Submission> {
    let (times_a_day, each) = if of.is_field() {
        (24, samples / 24)
    } else {
        (3, samples)
    };
    let release = format!("v{}", if of.is_field() { day / 7 } else { day });
    let at = |turn: i64| FROM_US + day * DAY_US + turn * DAY_US / times_a_day;
    (0..times_a_day)
        .map(|turn| {
            let values = times(at(turn) / HOUR_US, each);
            let one = upload(project, of, &release, at(turn), values);
            // Beacons leave no record of each upload.
            let entry = one.entry.filter(|_| !of.is_field());
            Submission { entry, ..one }
        })
        .collect()
}

/// What a series adds in a year, and what its hours and its uploads' keys take besides, bytes.
async fn added(database: &Database, source: Source, samples: usize) -> (i64, i64) {
    let store = Store::open(&database.url).await.unwrap();
    let shop = store.ensure_project("shop", "test", FROM_US).await.unwrap();
    if database.engine != "SQLite" {
        // A vacuum of the server's own, however slow, keeps what others delete.
        let mut one = PgConnection::connect(&database.url).await.unwrap();
        one.execute(UNDISTURBED).await.unwrap();
    }
    let all: Vec<Series> = (0..SERIES)
        .map(|at| series(&format!("flow-{at}"), source))
        .collect();
    let a_day = async |day: i64| {
        for of in &all {
            for upload in uploads(shop, of, day, samples) {
                commit(&store, upload).await;
            }
        }
        let now_us = FROM_US + (day + 1) * DAY_US;
        fold(&store, &shop, now_us).await;
        upkeep::round(&store, "test", || now_us).await.unwrap();
    };
    // First pages are no growth: one day is there before, and its hours and keys are gone.
    a_day(-40).await;
    upkeep::round(&store, "test", || FROM_US).await.unwrap();
    let before = bytes(database).await;
    for day in 0..DAYS {
        a_day(day).await;
    }
    let whole = bytes(database).await;
    let later_us = FROM_US + (DAYS + 36) * DAY_US;
    upkeep::round(&store, "test", || later_us).await.unwrap();
    let kept = bytes(database).await;
    store.close().await;
    let a_series = |bytes: i64| bytes / SERIES as i64;
    (
        a_series((kept - before) * 365 / DAYS),
        a_series(whole - kept),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_year_of_a_series_takes_what_the_readme_says() {
    for (source, samples, sqlite_kb, postgres_kb) in [
        (Source::Rum, 10_000, 1_700, 1_350),
        (Source::Load, 30, 850, 1_000),
        (Source::Load, 10_000, 4_300, 4_800),
    ] {
        for database in databases().await {
            let (year, besides) = added(&database, source, samples).await;
            let told = if database.engine == "SQLite" {
                sqlite_kb
            } else {
                postgres_kb
            };
            let engine = database.engine;
            println!("{engine}, {source:?}, {samples} samples: {year} bytes a year, and {besides}");
            let is_near = (told * 800..=told * 1_200).contains(&year);
            assert!(is_near, "{engine}, {source:?}: {year} bytes, not {told} KB");
        }
    }
}
