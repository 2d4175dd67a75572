//! Processes that start at once on one database, and a second server that must not.

use std::collections::BTreeSet;
use std::process::Stdio;
use std::thread;

use sqlx::Connection;

use crate::ground::{Database, databases};
use crate::process::{Process, command, run, token};

const AT_ONCE: usize = 6;

async fn migrations(database: &Database) -> Vec<i64> {
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
fn all_migrations(engine: &str) -> Vec<i64> {
    let folder = format!(
        "{}/migrations/{}",
        env!("CARGO_MANIFEST_DIR"),
        if engine == "SQLite" {
            "sqlite"
        } else {
            "postgres"
        }
    );
    let mut versions: Vec<i64> = std::fs::read_dir(folder)
        .unwrap()
        .filter_map(|entry| {
            let name = entry.unwrap().file_name().into_string().unwrap();
            name.strip_suffix(".sql")?.split_once('_')?.0.parse().ok()
        })
        .collect();
    versions.sort_unstable();
    versions
}

#[tokio::test(flavor = "multi_thread")]
async fn six_processes_on_a_fresh_database_migrate_it_once() {
    for database in databases().await {
        let home = database.directory.path();
        let arguments = [
            "token",
            "create",
            "--database",
            &database.url,
            "--project",
            "shop",
            "--scope",
            "read",
        ];
        let begun: Vec<_> = (0..AT_ONCE)
            .map(|_| {
                let mut command = command(home, &arguments);
                command
                    .stdout(Stdio::piped())
                    .stderr(Stdio::piped())
                    .spawn()
                    .unwrap()
            })
            .collect();
        let mut tokens = BTreeSet::new();
        for process in begun {
            let output = process.wait_with_output().unwrap();
            assert!(output.status.success(), "{}: {output:?}", database.engine);
            tokens.insert(output.stdout);
        }
        assert_eq!(tokens.len(), AT_ONCE);
        let listed = run(
            home,
            &[
                "token",
                "list",
                "--database",
                &database.url,
                "--project",
                "shop",
            ],
        );
        assert_eq!(
            String::from_utf8(listed.stdout).unwrap().lines().count(),
            AT_ONCE,
            "{}",
            database.engine
        );
        assert_eq!(
            migrations(&database).await,
            all_migrations(database.engine),
            "{}",
            database.engine
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn several_servers_start_at_once_on_a_fresh_postgresql_database() {
    let database = databases().await.pop().unwrap();
    let home = database.directory.path();
    let servers: Vec<Process> = thread::scope(|scope| {
        let starts: Vec<_> = (0..3)
            .map(|_| scope.spawn(|| Process::serve(home, &database.url, &[])))
            .collect();
        starts
            .into_iter()
            .map(|start| start.join().unwrap())
            .collect()
    });
    let read = token(home, &database.url, "shop", "read");
    let client = reqwest::Client::new();
    for server in &servers {
        assert_eq!(
            server.get(&client, &read, "series").await["items"],
            serde_json::json!([])
        );
    }
    assert_eq!(migrations(&database).await, all_migrations(database.engine));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_server_on_a_sqlite_file_says_so_and_ends() {
    let database = databases().await.swap_remove(0);
    let home = database.directory.path();
    let first = Process::serve(home, &database.url, &[]);
    for arguments in [
        &[
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--database",
            &database.url,
        ][..],
        &["migrate", "--database", &database.url],
    ] {
        let second = run(home, arguments);
        let said = String::from_utf8(second.stderr).unwrap();
        assert_eq!(second.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(
            said.contains("in use by another longwatch server"),
            "{said}"
        );
    }
    let read = token(home, &database.url, "shop", "read");
    let client = reqwest::Client::new();
    first.get(&client, &read, "series").await;
    first.kill();
    let next = Process::serve(home, &database.url, &[]);
    next.get(&client, &read, "series").await;
}
