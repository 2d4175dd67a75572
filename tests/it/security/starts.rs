//! Processes that start at once on one database, and a second server that must not.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::ground::databases;
use crate::migrations::{all_migrations, migrations};
use crate::process::{Process, command, run, token};

const AT_ONCE: usize = 6;

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
async fn six_servers_start_at_once_on_a_fresh_postgresql_database() {
    let database = databases().await.pop().unwrap();
    let home = database.directory.path();
    let servers: Vec<Process> = thread::scope(|scope| {
        let starts: Vec<_> = (0..AT_ONCE)
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
async fn of_six_servers_on_a_fresh_sqlite_file_one_serves_and_five_say_why_not() {
    let database = databases().await.swap_remove(0);
    let home = database.directory.path();
    let serve = [
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--database",
        &database.url,
    ];
    let mut begun: Vec<_> = (0..AT_ONCE)
        .map(|_| {
            let mut command = command(home, &serve);
            command
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap()
        })
        .collect();
    let ended = |process: &mut Child| process.try_wait().unwrap().is_some();
    let (mut refused, began) = (Vec::new(), Instant::now());
    while refused.len() < AT_ONCE - 1 {
        assert!(began.elapsed() < Duration::from_secs(20), "not all refused");
        refused.extend(begun.extract_if(.., ended));
        thread::sleep(Duration::from_millis(50));
    }
    let mut serving = begun.pop().unwrap();
    let mut line = String::new();
    BufReader::new(serving.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    serving.kill().unwrap();
    serving.wait().unwrap();
    assert!(line.starts_with("listening on http://"), "{line}");
    for process in refused {
        let output = process.wait_with_output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains("in use by another longwatch"), "{said}");
    }
    assert_eq!(migrations(&database).await, all_migrations("SQLite"));
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
