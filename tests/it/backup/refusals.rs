//! What is not backed up and not restored: each says why, and leaves what was there as it was.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use sqlx::Connection;

use super::{Machine, back_up, restored};
use crate::ground::{Database, databases, of_engine};
use crate::process::run;

/// Runs statements on a database behind Longwatch's back.
async fn execute(database: &Database, sql: &'static str) {
    if database.engine == "SQLite" {
        let url = format!("{}?mode=rwc", database.url);
        let mut connection = sqlx::SqliteConnection::connect(&url).await.unwrap();
        sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    } else {
        let mut connection = sqlx::PgConnection::connect(&database.url).await.unwrap();
        sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    }
}

/// Runs a command that must end with 2 and say this.
fn refused(machine: &Machine, arguments: &[&str], why: &str) {
    let output = run(machine.home(), arguments);
    let said = String::from_utf8(output.stderr).unwrap();
    let engine = machine.database.engine;
    assert_eq!(
        output.status.code(),
        Some(2),
        "{engine}: {arguments:?}: {said}"
    );
    assert!(said.contains(why), "{engine}: {arguments:?}: {said}");
}

/// The tokens of its project, read without a server.
fn holds(machine: &Machine) -> String {
    let arguments = [
        "token",
        "list",
        "--project",
        "shop",
        "--database",
        &machine.database.url,
    ];
    String::from_utf8(run(machine.home(), &arguments).stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_whole_backup_of_this_engine_and_version_is_restored_and_only_where_nobody_works() {
    for database in databases().await {
        let machine = Machine::new(database);
        let (engine, url) = (machine.database.engine, machine.database.url.as_str());
        let before = holds(&machine);
        let path = |name: &str| machine.home().join(name).display().to_string();
        let good = path("good");
        assert!(back_up(machine.home(), good.as_ref(), url).status.success());
        refused(
            &machine,
            &["restore", &good, "--database", url],
            "is not empty",
        );
        let replace = |file: &str, why: &str| {
            refused(
                &machine,
                &["restore", file, "--database", url, "--replace"],
                why,
            );
        };

        let server = machine.serve();
        replace(&good, "in use by another longwatch");
        server.kill();

        let bytes = fs::read(&good).unwrap();
        fs::write(path("cut"), &bytes[..bytes.len() / 2]).unwrap();
        replace(&path("cut"), "damaged");
        let mut holed = bytes.clone();
        // Past the head of either format, in the midst of what it holds.
        let at = if engine == "SQLite" {
            16_384
        } else {
            bytes.len() / 2
        };
        holed[at..at + 200].fill(0);
        fs::write(path("holed"), holed).unwrap();
        replace(&path("holed"), "damaged");
        fs::write(path("letter"), "Dear team").unwrap();
        replace(
            &path("letter"),
            "neither an SQLite database nor an archive of pg_dump",
        );
        replace(&path("absent"), "No such file");

        let other = if engine == "SQLite" {
            "PostgreSQL"
        } else {
            "SQLite"
        };
        let other = Machine::new(of_engine(other).await);
        let foreign = path("other");
        assert!(
            back_up(other.home(), foreign.as_ref(), &other.database.url)
                .status
                .success()
        );
        replace(&foreign, "is a backup of");

        execute(
            &machine.database,
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
             VALUES (9999, 'of a later time', TRUE, '', 0)",
        )
        .await;
        let later = path("later");
        assert!(
            back_up(machine.home(), later.as_ref(), url)
                .status
                .success()
        );
        execute(
            &machine.database,
            "DELETE FROM _sqlx_migrations WHERE version = 9999",
        )
        .await;
        replace(&later, "schema version 9999");
        assert_eq!(holds(&machine), before, "{engine}");
        restored(engine, good.as_ref()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_longwatchs_is_neither_backed_up_nor_replaced() {
    for engine in ["SQLite", "PostgreSQL"] {
        let machine = Machine::new(of_engine(engine).await);
        let good = machine.home().join("good").display().to_string();
        assert!(
            back_up(machine.home(), good.as_ref(), &machine.database.url)
                .status
                .success()
        );
        let theirs = of_engine(engine).await;
        execute(
            &theirs,
            "CREATE TABLE letters (text TEXT); INSERT INTO letters VALUES ('Dear team')",
        )
        .await;
        let why = "holds no data of Longwatch";
        refused(
            &machine,
            &["restore", &good, "--database", &theirs.url, "--replace"],
            why,
        );
        refused(&machine, &["backup", "new", "--database", &theirs.url], why);
        execute(&theirs, "INSERT INTO letters VALUES ('still there')").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_overwrites_nothing_unasked_and_is_for_its_owners_eyes() {
    for database in databases().await {
        let machine = Machine::new(database);
        let (home, url) = (machine.home(), machine.database.url.as_str());
        let file = home.join("nightly");
        fs::write(&file, "something else").unwrap();
        let name = file.to_str().unwrap();
        refused(
            &machine,
            &["backup", name, "--database", url],
            "is there already",
        );
        assert_eq!(fs::read(&file).unwrap(), b"something else");
        let again = run(home, &["backup", name, "--database", url, "--replace"]);
        assert!(again.status.success(), "{again:?}");
        let mode = fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let left: Vec<_> = fs::read_dir(home)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.contains("partial"))
            .collect();
        assert!(left.is_empty(), "{left:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mistyped_database_is_not_made_by_a_backup_or_an_export() {
    let machine = Machine::new(of_engine("SQLite").await);
    let typo = machine.home().join("tpyo.db");
    let url = format!("sqlite:{}", typo.display());
    refused(
        &machine,
        &["backup", "new", "--database", &url],
        "No such file",
    );
    refused(
        &machine,
        &["export", "new", "--database", &url],
        "is not there",
    );
    refused(
        &machine,
        &["backup", "new", "--database", "longwatch.db"],
        "use sqlite:FILE",
    );
    let own = machine.home().join("test.db").display().to_string();
    let url = &machine.database.url;
    refused(
        &machine,
        &["backup", &own, "--database", url, "--replace"],
        "the database itself",
    );
    assert!(!typo.exists());
}
