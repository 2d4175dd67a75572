//! Backups of a SQLite file.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Connection};

use super::{
    BackupError, CONTENTS, Contents, ContentsRow, Unfinished, check_version, file_error,
    is_same_file, with_suffix,
};
use crate::store::db::open_sqlite;
use crate::store::lock_file;

const OURS: &str =
    "SELECT COUNT(*) FROM sqlite_schema WHERE name IN ('_sqlx_migrations', 'series_window')";
/// Says "ok", or the first thing that is wrong.
const CHECK: &str = "PRAGMA integrity_check(1)";
const COPY: &str = "VACUUM INTO $1";
/// Moves everything from the log into the database; the first number is 1 where somebody else is in the way.
const EMPTY_LOG: &str = "PRAGMA wal_checkpoint(TRUNCATE)";

/// Copies a database that may be in use. The copy sees one moment; writers go on beside it.
pub(super) async fn back_up(database: &Path, file: &Path) -> Result<Contents, BackupError> {
    if is_same_file(database, file) {
        return Err(BackupError::SameFile(file.to_owned()));
    }
    let mut connection = open_ours(database).await?;
    let copy = Unfinished::beside(file)?;
    let path = copy.path.display().to_string();
    sqlx::query(COPY)
        .bind(path)
        .execute(&mut connection)
        .await?;
    connection.close().await?;
    let contents = verify(&copy.path, file).await?;
    Ok(Contents {
        bytes: copy.finish()?,
        ..contents
    })
}

/// Puts a backup in a database's place.
pub(super) async fn restore(
    file: &Path,
    database: &Path,
    replace: bool,
) -> Result<Contents, BackupError> {
    let _no_server = lock_file(database, "serve.lock", false)?;
    let _nobody_opens = lock_file(database, "migrate.lock", true)?;
    if is_same_file(file, database) {
        return Err(BackupError::SameFile(file.to_owned()));
    }
    let is_there = fs::metadata(database).is_ok_and(|old| old.len() > 0);
    if is_there && !replace {
        return Err(BackupError::NotEmpty(database.display().to_string()));
    }
    // Commits that stand in the log alone would be lost without a word.
    if fs::metadata(with_suffix(file, "-wal")).is_ok_and(|log| log.len() > 0) {
        return Err(BackupError::InUse(file.display().to_string()));
    }
    let copy = Unfinished::beside(database)?;
    copy_bytes(file, &copy.path).map_err(|source| file_error(file, source))?;
    let bytes = fs::metadata(file).map_or(0, |file| file.len());
    let contents = verify(&copy.path, file).await?;
    check_version(file, contents.version)?;
    let db = open_sqlite(&copy.path).await?;
    let migrated = db.migrate().await;
    db.close().await;
    migrated?;
    if is_there {
        settle(database).await?;
    }
    // The old database's log must never meet the new one; what it held is in the old one by now.
    for suffix in ["-wal", "-shm"] {
        let beside = with_suffix(database, suffix);
        match fs::remove_file(&beside) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(file_error(&beside, error));
            }
            _ => {}
        }
    }
    copy.finish()?;
    Ok(Contents { bytes, ..contents })
}

/// Brings the database that is to be replaced to rest: all of it in its file, nothing in its log.
async fn settle(database: &Path) -> Result<(), BackupError> {
    let mut old = open_ours(database).await?;
    let (busy, ..): (i64, i64, i64) = sqlx::query_as(EMPTY_LOG).fetch_one(&mut old).await?;
    old.close().await?;
    if busy == 0 {
        Ok(())
    } else {
        Err(BackupError::InUse(database.display().to_string()))
    }
}

/// Opens a database that is there and Longwatch's.
async fn open_ours(database: &Path) -> Result<SqliteConnection, BackupError> {
    // An error of the file system's says more than one of SQLite's.
    fs::metadata(database).map_err(|source| file_error(database, source))?;
    let mut connection = SqliteConnectOptions::new()
        .filename(database)
        .busy_timeout(Duration::from_secs(10))
        .connect()
        .await
        .map_err(|error| not_ours(database, &error.to_string()))?;
    let tables: Result<(i64,), sqlx::Error> = sqlx::query_as(OURS).fetch_one(&mut connection).await;
    match tables {
        Ok((2,)) => Ok(connection),
        Ok(_) => Err(not_ours(database, "it has other tables, or none")),
        Err(error) => Err(not_ours(database, &error.to_string())),
    }
}

/// Reads a copy through: whole, and Longwatch's. `named` is how the person calls it.
async fn verify(copy: &Path, named: &Path) -> Result<Contents, BackupError> {
    let damaged = |why: String| BackupError::Damaged {
        file: named.to_owned(),
        why,
    };
    let mut connection = SqliteConnectOptions::new()
        .filename(copy)
        .connect()
        .await
        .map_err(|error| damaged(error.to_string()))?;
    let checked: Result<(String,), sqlx::Error> =
        sqlx::query_as(CHECK).fetch_one(&mut connection).await;
    match checked {
        Ok((word,)) if word == "ok" => {}
        Ok((fault,)) => return Err(damaged(fault)),
        Err(error) => return Err(damaged(error.to_string())),
    }
    let (tables,): (i64,) = sqlx::query_as(OURS).fetch_one(&mut connection).await?;
    if tables != 2 {
        return Err(not_ours(named, "it has other tables, or none"));
    }
    let row: ContentsRow = sqlx::query_as(CONTENTS).fetch_one(&mut connection).await?;
    connection.close().await?;
    Ok(Contents::of(row, 0))
}

fn not_ours(file: &Path, why: &str) -> BackupError {
    BackupError::NotOurs {
        what: file.display().to_string(),
        why: why.to_owned(),
    }
}

/// Into a file that is there, which keeps its permissions.
fn copy_bytes(from: &Path, to: &Path) -> io::Result<()> {
    let mut into = File::options().write(true).truncate(true).open(to)?;
    io::copy(&mut File::open(from)?, &mut into)?;
    Ok(())
}
