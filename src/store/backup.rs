//! Backups: the whole database in one file, made beside a running server and read back before it counts.
//!
//! SQLite copies itself (`VACUUM INTO`); for PostgreSQL its own `pg_dump`, `pg_restore` and `psql` do the work. A backup
//! or a restored database takes its place in one step, or not at all.

mod postgres;
mod sqlite;

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::{StoreError, db};

/// What a backup or a restored database holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Contents {
    /// The schema's version, as the migrations count them.
    pub version: i64,
    /// Projects.
    pub projects: i64,
    /// Series of all projects.
    pub series: i64,
    /// Windows of all series.
    pub windows: i64,
    /// Size of the backup, bytes.
    pub bytes: u64,
}

/// Why a database was not backed up or restored; what was there before is as it was.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The database refused; see [`StoreError`].
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A file could not be read or written.
    #[error("{path}: {source}", path = path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A backup of this name is there; choose another name, or say `--replace`.
    #[error("{0} is there already; choose another name, or replace it with --replace")]
    Exists(PathBuf),
    /// The database to restore into holds something; restore into an empty one, or say `--replace`.
    #[error("{0} is not empty; restore into an empty database, or replace this one with --replace")]
    NotEmpty(String),
    /// The backup and the database are one file; name two.
    #[error("{0} is the database itself; name another file for the backup")]
    SameFile(PathBuf),
    /// There is nothing of Longwatch's; name a database or backup of Longwatch's.
    #[error("{what} holds no data of Longwatch: {why}")]
    NotOurs {
        /// The file or database.
        what: String,
        /// What is there instead.
        why: String,
    },
    /// A backup does not read back; use another one.
    #[error("{file} is damaged: {why}", file = file.display())]
    Damaged {
        /// The file.
        file: PathBuf,
        /// What the engine says.
        why: String,
    },
    /// A backup of the other engine; restore it into a database of its own engine.
    #[error("{file} is a backup of {made_by}, which {database} is not", file = file.display())]
    OtherEngine {
        /// The backup.
        file: PathBuf,
        /// Its engine.
        made_by: &'static str,
        /// The database to restore into.
        database: String,
    },
    /// A later Longwatch made the backup; restore it with that one.
    #[error(
        "{file} is of schema version {version}, this longwatch knows those up to {newest}; use the one that made it",
        file = file.display()
    )]
    Newer {
        /// The backup.
        file: PathBuf,
        /// Its schema's version.
        version: i64,
        /// The newest version that this program knows.
        newest: i64,
    },
    /// Somebody works with the database; end that first.
    #[error("{0} is in use by another longwatch process; stop it first")]
    InUse(String),
    /// One of PostgreSQL's programs is not installed.
    #[error(
        "{0} is not found on PATH nor under /usr/lib/postgresql; install PostgreSQL's client programs of the server's \
         version or a newer one (Debian: postgresql-client)"
    )]
    NoTool(&'static str),
    /// One of PostgreSQL's programs failed.
    #[error("{tool}: {said}")]
    Tool {
        /// Which.
        tool: &'static str,
        /// Its words.
        said: String,
    },
}

impl From<sqlx::Error> for BackupError {
    fn from(error: sqlx::Error) -> Self {
        BackupError::Store(error.into())
    }
}

/// The same numbers on both engines: schema version, projects, series, windows.
const CONTENTS: &str = "SELECT (SELECT MAX(version) FROM _sqlx_migrations), (SELECT COUNT(*) FROM project), \
     (SELECT COUNT(*) FROM series), (SELECT COUNT(*) FROM series_window)";

/// A row of [`CONTENTS`].
type ContentsRow = (Option<i64>, i64, i64, i64);

impl Contents {
    fn of((version, projects, series, windows): ContentsRow, bytes: u64) -> Contents {
        Contents {
            version: version.unwrap_or_default(),
            projects,
            series,
            windows,
            bytes,
        }
    }
}

/// Writes the database at `url` to `file`, as it is at one moment, whatever is written meanwhile, and reads it back.
///
/// # Errors
/// When there is no such database, when `file` is there already (unless it may be `replace`d), or when the copy can't
/// be made or read back.
pub async fn back_up(url: &str, file: &Path, replace: bool) -> Result<Contents, BackupError> {
    if file.exists() && !replace {
        return Err(BackupError::Exists(file.to_owned()));
    }
    match sqlite_file(url)? {
        Some(database) => sqlite::back_up(&database, file).await,
        None => postgres::back_up(url, file).await,
    }
}

/// Puts the backup in `file` in place of the empty database at `url` (or of what it holds, if that may be `replace`d),
/// and brings its schema up to date. The backup is read through before anything is touched.
///
/// # Errors
/// When the backup is damaged, of another engine or of a later version, when the database is in use or not empty, or
/// when it can't be written; it is then as it was.
pub async fn restore(file: &Path, url: &str, replace: bool) -> Result<Contents, BackupError> {
    let mut head = Vec::new();
    File::open(file)
        .and_then(|opened| opened.take(16).read_to_end(&mut head))
        .map_err(|source| file_error(file, source))?;
    let made_by = if head.starts_with(b"SQLite format 3\0") {
        "SQLite"
    } else if head.starts_with(b"PGDMP") {
        "PostgreSQL"
    } else {
        return Err(BackupError::NotOurs {
            what: file.display().to_string(),
            why: "it is neither an SQLite database nor an archive of pg_dump".into(),
        });
    };
    match (sqlite_file(url)?, made_by) {
        (Some(database), "SQLite") => sqlite::restore(file, &database, replace).await,
        (None, "PostgreSQL") => postgres::restore(file, url, replace).await,
        (into, _) => Err(BackupError::OtherEngine {
            file: file.to_owned(),
            made_by,
            database: into.map_or_else(|| postgres::name(url), |path| path.display().to_string()),
        }),
    }
}

/// The file of a SQLite URL, none of a PostgreSQL one.
fn sqlite_file(url: &str) -> Result<Option<PathBuf>, StoreError> {
    let scheme = url.split(':').next().unwrap_or_default();
    match scheme {
        "sqlite" | "postgres" | "postgresql" => Ok(db::sqlite_file(url)),
        other => Err(StoreError::Url(other.to_owned())),
    }
}

/// Errs where a backup was made by a later version than this program knows.
fn check_version(file: &Path, version: i64) -> Result<(), BackupError> {
    let newest = db::newest_version();
    if version <= newest {
        return Ok(());
    }
    Err(BackupError::Newer {
        file: file.to_owned(),
        version,
        newest,
    })
}

fn file_error(path: &Path, source: io::Error) -> BackupError {
    BackupError::File {
        path: path.to_owned(),
        source,
    }
}

/// Whether two paths lead to one file that is there.
fn is_same_file(one: &Path, other: &Path) -> bool {
    match (fs::metadata(one), fs::metadata(other)) {
        (Ok(one), Ok(other)) => (one.dev(), one.ino()) == (other.dev(), other.ino()),
        _ => false,
    }
}

/// The path with something behind its name.
fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// A file beside the one that it will become, for its owner's eyes only: a database holds hashes of passwords. Gone
/// when dropped unfinished.
struct Unfinished {
    path: PathBuf,
    target: PathBuf,
}

impl Unfinished {
    fn beside(target: &Path) -> Result<Unfinished, BackupError> {
        let path = with_suffix(target, &format!(".partial-{}", std::process::id()));
        File::options()
            .create(true)
            .write(true)
            .truncate(true)
            .mode(0o600)
            .open(&path)
            .map_err(|source| file_error(&path, source))?;
        Ok(Unfinished {
            path,
            target: target.to_owned(),
        })
    }

    /// Makes it durable and puts it in its place; its size in bytes.
    fn finish(self) -> Result<u64, BackupError> {
        let directory = match self.target.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let finished = (|| {
            let file = File::open(&self.path)?;
            file.sync_all()?;
            fs::rename(&self.path, &self.target)?;
            File::open(directory)?.sync_all()?;
            Ok(file.metadata()?.len())
        })();
        finished.map_err(|source| file_error(&self.target, source))
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        for suffix in ["", "-wal", "-shm", "-journal"] {
            // Not there, where it was finished.
            let _ = fs::remove_file(with_suffix(&self.path, suffix));
        }
    }
}
