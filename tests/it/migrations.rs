//! The schema: the same on both engines, and reached from every earlier version with its data.

mod golden;
mod schema;

use std::path::PathBuf;

use sqlx::Connection;

use crate::ground::Database;

/// The folder of an engine's migrations.
fn folder(engine: &str) -> PathBuf {
    let name = if engine == "SQLite" {
        "sqlite"
    } else {
        "postgres"
    };
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("migrations")
        .join(name)
}

/// The migrations that were applied to a database.
pub(crate) async fn migrations(database: &Database) -> Vec<i64> {
    let sql = "SELECT version FROM _sqlx_migrations WHERE success ORDER BY version";
    let rows: Vec<(i64,)> = if database.engine == "SQLite" {
        let mut connection = sqlx::SqliteConnection::connect(&database.url)
            .await
            .unwrap();
        sqlx::query_as(sql)
            .fetch_all(&mut connection)
            .await
            .unwrap()
    } else {
        let mut connection = sqlx::PgConnection::connect(&database.url).await.unwrap();
        sqlx::query_as(sql)
            .fetch_all(&mut connection)
            .await
            .unwrap()
    };
    rows.into_iter().map(|(version,)| version).collect()
}

/// Every migration that the repository holds, once.
pub(crate) fn all_migrations(engine: &str) -> Vec<i64> {
    let mut versions: Vec<i64> = std::fs::read_dir(folder(engine))
        .unwrap()
        .filter_map(|entry| {
            let name = entry.unwrap().file_name().into_string().unwrap();
            name.strip_suffix(".sql")?.split_once('_')?.0.parse().ok()
        })
        .collect();
    versions.sort_unstable();
    versions
}
