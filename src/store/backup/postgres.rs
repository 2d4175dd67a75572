//! Backups of a PostgreSQL database, by PostgreSQL's own programs. How to reach the server stands in their environment,
//! where other users of the machine can't read a password.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::str::FromStr;

use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection};

use super::{BackupError, CONTENTS, Contents, ContentsRow, Unfinished, check_version};
use crate::store::db::Db;
use crate::store::{Store, StoreError};

/// Where Debian keeps the programs of each major version.
const INSTALLED: &str = "/usr/lib/postgresql";
/// Everything but who owns what: the restoring user owns it.
const ANYBODYS: [&str; 2] = ["--no-owner", "--no-privileges"];

/// Tables of the schema that statements without a schema's name reach, ready to stand in a statement.
const TABLES: &str = "SELECT format('%I.%I', schemaname, tablename), tablename::text FROM pg_catalog.pg_tables \
     WHERE schemaname = current_schema() ORDER BY tablename LIMIT 10000";
/// A table's name as a statement takes it, and as it is.
type TableRow = (String, String);
/// Our other processes, as far as this user may see.
const CONNECTED: &str = "SELECT COUNT(*) FROM pg_catalog.pg_stat_activity WHERE datname = current_database() \
     AND application_name = 'longwatch' AND pid <> pg_backend_pid()";
const EXPORT_SNAPSHOT: &str = "SELECT pg_export_snapshot()";

/// Dumps a database that may be in use: what `pg_dump` writes is what the counts were taken of.
pub(super) async fn back_up(url: &str, file: &Path) -> Result<Contents, BackupError> {
    let environment = environment(url)?;
    let db = Db::open(url).await?;
    if !is_ours(&db.rows::<TableRow>(TABLES, &[]).await?) {
        return Err(not_ours(name(url), "it has other tables, or none"));
    }
    let copy = Unfinished::beside(file)?;
    let mut tx = db.snapshot().await?;
    let none = || StoreError::Corrupt("no row of numbers".into());
    let row: ContentsRow = tx.row(CONTENTS, &[]).await?.ok_or_else(none)?;
    let (snapshot,): (String,) = tx.row(EXPORT_SNAPSHOT, &[]).await?.ok_or_else(none)?;
    let mut dump = program("pg_dump")?;
    dump.args(["--format=custom", "--no-password"])
        .args(ANYBODYS)
        .arg(format!("--snapshot={snapshot}"))
        .arg("--file")
        .arg(&copy.path)
        .envs(environment);
    said("pg_dump", dump.output().map_err(|e| failed("pg_dump", &e))?)?;
    tx.commit().await?;
    db.close().await;
    let contents = Contents::of(row, 0);
    let version = verify(&copy.path, file)?;
    if version != contents.version {
        return Err(damaged(file, "it holds another version than the database"));
    }
    Ok(Contents {
        bytes: copy.finish()?,
        ..contents
    })
}

/// Puts a dump in place of what the database holds, in one transaction.
pub(super) async fn restore(
    file: &Path,
    url: &str,
    replace: bool,
) -> Result<Contents, BackupError> {
    let environment = environment(url)?;
    check_version(file, verify(file, file)?)?;
    // One connection, not a pool: what else is connected is somebody else.
    let options = PgConnectOptions::from_str(url)?.application_name("longwatch");
    let mut connection = options.connect().await?;
    let old: Vec<TableRow> = sqlx::query_as(TABLES).fetch_all(&mut connection).await?;
    let (connected,): (i64,) = sqlx::query_as(CONNECTED).fetch_one(&mut connection).await?;
    connection.close().await?;
    if !old.is_empty() && !replace {
        return Err(BackupError::NotEmpty(name(url)));
    }
    if !old.is_empty() && !is_ours(&old) {
        return Err(not_ours(name(url), "it has other tables"));
    }
    if connected > 0 {
        return Err(BackupError::InUse(name(url)));
    }
    let names: Vec<&str> = old.iter().map(|(quoted, _)| quoted.as_str()).collect();
    run_script(file, &opening(&names), environment)?;
    let store = Store::open(url).await?;
    let row: Option<ContentsRow> = store.db.row(CONTENTS, &[]).await?;
    store.close().await;
    let row = row.ok_or_else(|| StoreError::Corrupt("no row of numbers".into()))?;
    let bytes = fs::metadata(file).map_or(0, |file| file.len());
    Ok(Contents::of(row, bytes))
}

/// How the script begins: whoever still works with the old tables is not waited for without end.
fn opening(old: &[&str]) -> String {
    let mut script = String::from("BEGIN;\nSET lock_timeout = '30s';\n");
    if !old.is_empty() {
        script += &format!("DROP TABLE {};\n", old.join(", "));
    }
    script
}

/// Runs what `pg_restore` makes of a dump through `psql`, committed only after all of it was read and taken.
fn run_script(
    file: &Path,
    opening: &str,
    environment: Vec<(&'static str, String)>,
) -> Result<(), BackupError> {
    let mut reader = program("pg_restore")?
        .args(ANYBODYS)
        .arg("--file=-")
        .arg(file)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| failed("pg_restore", &error))?;
    let mut writer = program("psql")?
        .args(["--no-psqlrc", "--no-password", "--quiet"])
        .arg("--set=ON_ERROR_STOP=1")
        .envs(environment)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| failed("psql", &error))?;
    // Each that stops early closes its pipe, and says itself why.
    let mut read = None;
    if let (Some(mut from), Some(mut into)) = (reader.stdout.take(), writer.stdin.take()) {
        let copied = into
            .write_all(opening.as_bytes())
            .and_then(|()| io::copy(&mut from, &mut into));
        drop(from);
        let whole = reader.wait_with_output();
        if copied.is_ok() && whole.as_ref().is_ok_and(|whole| whole.status.success()) {
            // Without these words everything is rolled back.
            let _ = into.write_all(b"COMMIT;\nANALYZE;\n");
        }
        read = Some(whole);
    }
    let written = writer
        .wait_with_output()
        .map_err(|error| failed("psql", &error))?;
    said("psql", written)?;
    match read {
        Some(Ok(whole)) => said("pg_restore", whole).map(drop),
        Some(Err(error)) => Err(failed("pg_restore", &error)),
        None => Err(failed("pg_restore", &io::ErrorKind::BrokenPipe.into())),
    }
}

/// Reads a dump through, so that a damaged one is known before it is needed; its schema's version.
fn verify(dump: &Path, named: &Path) -> Result<i64, BackupError> {
    let run = |arguments: &[&str]| {
        let output = program("pg_restore")?
            .args(arguments)
            .arg(dump)
            .output()
            .map_err(|error| failed("pg_restore", &error))?;
        said("pg_restore", output).map_err(|error| match error {
            BackupError::Tool { said, .. } => damaged(named, &said),
            other => other,
        })
    };
    let list = run(&["--list"])?;
    let holds = |table: &str| {
        list.lines()
            .any(|line| line.contains(" TABLE DATA ") && line.contains(&format!(" {table} ")))
    };
    if !holds("_sqlx_migrations") || !holds("series_window") {
        return Err(not_ours(
            named.display().to_string(),
            "it has other tables, or none",
        ));
    }
    run(&["--file=/dev/null"])?;
    let versions = run(&["--data-only", "--table=_sqlx_migrations", "--file=-"])?;
    // Its first column, in the lines between `COPY … FROM stdin;` and `\.`.
    versions
        .lines()
        .skip_while(|line| !line.starts_with("COPY "))
        .skip(1)
        .take_while(|line| *line != "\\.")
        .filter_map(|line| line.split('\t').next()?.parse().ok())
        .max()
        .ok_or_else(|| damaged(named, "no migration was ever applied to it"))
}

fn is_ours(tables: &[TableRow]) -> bool {
    let has = |wanted: &str| tables.iter().any(|(_, name)| name == wanted);
    has("_sqlx_migrations") && has("series_window")
}

/// What PostgreSQL's programs read their connection from.
fn environment(url: &str) -> Result<Vec<(&'static str, String)>, BackupError> {
    let options = PgConnectOptions::from_str(url)?;
    let host = options.get_socket().map_or_else(
        || options.get_host().to_owned(),
        |socket| socket.display().to_string(),
    );
    let mut environment = vec![
        ("PGHOST", host),
        ("PGPORT", options.get_port().to_string()),
        ("PGUSER", options.get_username().to_owned()),
        // Where none is named, the server takes the user's; its programs do as well.
        (
            "PGDATABASE",
            options
                .get_database()
                .unwrap_or(options.get_username())
                .to_owned(),
        ),
        ("PGAPPNAME", "longwatch".to_owned()),
    ];
    if let Some(settings) = options.get_options() {
        environment.push(("PGOPTIONS", settings.to_owned()));
    }
    let mut whole = options.to_url_lossy();
    for (key, value) in whole.query_pairs() {
        let variable = match &*key {
            "sslmode" => "PGSSLMODE",
            "sslrootcert" => "PGSSLROOTCERT",
            "sslcert" => "PGSSLCERT",
            "sslkey" => "PGSSLKEY",
            _ => continue,
        };
        environment.push((variable, value.into_owned()));
    }
    // A URL decodes values of its query only; the driver has encoded all but letters and digits.
    let password = whole
        .password()
        .map(|password| format!("password={password}"));
    whole.set_query(password.as_deref());
    let password = whole.query_pairs().next();
    environment.extend(password.map(|(_, password)| ("PGPASSWORD", password.into_owned())));
    Ok(environment)
}

/// How messages call a database: without its password.
pub(super) fn name(url: &str) -> String {
    match PgConnectOptions::from_str(url) {
        Ok(options) => format!(
            "database {} on {}",
            options.get_database().unwrap_or(options.get_username()),
            options.get_host()
        ),
        Err(_) => "the database".to_owned(),
    }
}

/// One of PostgreSQL's programs: from PATH, else of the newest version installed.
fn program(name: &'static str) -> Result<Command, BackupError> {
    let on_path = std::env::var_os("PATH")
        .iter()
        .flat_map(std::env::split_paths)
        .map(|directory| directory.join(name))
        .find(|path| path.is_file());
    let installed = || -> Option<PathBuf> {
        let versions = fs::read_dir(INSTALLED).ok()?;
        versions
            .filter_map(|version| Some(version.ok()?.path()))
            .filter_map(|path| Some((path.file_name()?.to_str()?.parse::<u32>().ok()?, path)))
            .map(|(version, path)| (version, path.join("bin").join(name)))
            .filter(|(_, path)| path.is_file())
            .max()
            .map(|(_, path)| path)
    };
    on_path
        .or_else(installed)
        .map(Command::new)
        .ok_or(BackupError::NoTool(name))
}

/// What a program wrote, or why it failed.
fn said(tool: &'static str, output: Output) -> Result<String, BackupError> {
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let words = String::from_utf8_lossy(&output.stderr);
    // The first words name the cause; a long script repeats itself.
    let said: Vec<&str> = words.trim().lines().take(5).collect();
    Err(BackupError::Tool {
        tool,
        said: format!("{} ({})", said.join("; "), output.status),
    })
}

fn failed(tool: &'static str, error: &io::Error) -> BackupError {
    BackupError::Tool {
        tool,
        said: error.to_string(),
    }
}

fn damaged(file: &Path, why: &str) -> BackupError {
    BackupError::Damaged {
        file: file.to_owned(),
        why: why.to_owned(),
    }
}

fn not_ours(what: String, why: &str) -> BackupError {
    BackupError::NotOurs {
        what,
        why: why.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_connection_goes_into_the_environment_whole() {
        let url = "postgres://team%40x:s3cr%2Bt%2F%40@db.example:5433/long%20watch?sslmode=require";
        let found = environment(url).unwrap();
        let wanted = [
            ("PGHOST", "db.example"),
            ("PGPORT", "5433"),
            ("PGUSER", "team@x"),
            ("PGDATABASE", "long watch"),
            ("PGSSLMODE", "require"),
            ("PGPASSWORD", "s3cr+t/@"),
        ];
        for (key, value) in wanted {
            let pair = found.iter().find(|(its, _)| *its == key).unwrap();
            assert_eq!(pair.1, value, "{key}");
        }
        assert!(!name(url).contains("s3cr"));
        let socket = environment("postgres:///shop?host=/run/pg").unwrap();
        assert!(socket.contains(&("PGHOST", "/run/pg".to_owned())));
    }

    #[test]
    fn only_an_empty_database_is_filled_without_dropping_anything() {
        assert!(!opening(&[]).contains("DROP"));
        assert!(
            opening(&["public.run", "public.series"])
                .contains("DROP TABLE public.run, public.series;")
        );
    }
}
