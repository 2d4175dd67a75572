//! Storage: one narrow seam over SQLite and PostgreSQL. All SQL stands below this module.
//!
//! Every method that reads or writes a project's rows takes a [`ProjectId`], and only this module can make one: from a
//! token or a session that was checked, or for the background work of a project that exists.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

mod access;
mod backup;
mod blind_spots;
mod db;
mod deletions;
mod delta;
mod epochs;
mod export;
mod findings;
mod fold;
mod heads;
mod journal;
mod leases;
mod outbox;
mod page_views;
mod policy;
mod pooler;
mod record_versions;
mod releases;
mod runs;
mod series;
mod shared_lookups;
mod upkeep;
mod verdicts;
mod windows;

pub use access::{Account, Caller, NewToken, RumKey, Scope, TokenRow};
pub use backup::{BackupError, Contents, back_up, restore};
pub use blind_spots::BlindSpotDue;
pub use deletions::{Deletion, DeletionKind, MergedWith};
pub use delta::{Delta, Origin, ReportId, RunRef, Stratum, Summary, Values};
pub use epochs::DeclaredEpoch;
pub use findings::{Finding, FindingChange, FindingEvent, FindingState};
pub use fold::Folded;
pub use journal::{Answer, Committed, Entry, Submission};
pub use leases::Lease;
pub use outbox::{Delivery, NewDelivery};
pub use policy::Policy;
pub use record_versions::RecordVersion;
pub use releases::Release;
pub use runs::Run;
pub use series::{Series, SeriesId};
pub use upkeep::{Past, Place};
pub use verdicts::StoredVerdict;
pub use windows::{MergedFrom, SharedDay, Span, Statistic, Window, WindowBody, WindowKey};

use db::Db;
use shared_lookups::SharedLookups;

/// A 128-bit identifier: UUIDv7 for things we make, a hash for things that have an identity of their own.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id([u8; 16]);

impl Id {
    /// The id of nothing, where a key needs one.
    pub const NIL: Id = Id([0; 16]);

    /// A new, time-ordered id.
    pub fn new() -> Id {
        Id(uuid::Uuid::now_v7().into_bytes())
    }

    /// The first half of a SHA-256 over length-prefixed parts: stable across releases and machines.
    pub fn of(parts: &[&str]) -> Id {
        use sha2::Digest;
        let mut hash = sha2::Sha256::new();
        for part in parts {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part.as_bytes());
        }
        let mut id = [0; 16];
        id.copy_from_slice(&hash.finalize()[..16]);
        Id(id)
    }

    /// Reads the 32 hexadecimal digits (dashes allowed) that [`fmt::Display`] writes.
    pub fn parse(text: &str) -> Option<Id> {
        uuid::Uuid::try_parse(text)
            .ok()
            .map(|id| Id(id.into_bytes()))
    }

    /// The bytes as stored.
    pub fn bytes(&self) -> &[u8; 16] {
        &self.0
    }

    fn from_row(bytes: &[u8]) -> Result<Id, StoreError> {
        bytes
            .try_into()
            .map(Id)
            .map_err(|_| StoreError::Corrupt(format!("an id of {} bytes", bytes.len())))
    }
}

impl Default for Id {
    fn default() -> Self {
        Id::new()
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", uuid::Uuid::from_bytes(self.0).simple())
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Id {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Id::parse(&text).ok_or_else(|| serde::de::Error::custom("not an id"))
    }
}

/// The right to touch one project's rows. It can't be made from text: only a checked token, a checked session or the
/// service's own work yields one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProjectId(Id);

impl ProjectId {
    /// The plain id, for keys and logs.
    pub fn id(&self) -> &Id {
        &self.0
    }
}

/// What can go wrong between us and the database.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database URL names an engine we don't speak; use `sqlite:FILE` or `postgres://…`.
    #[error("database URL begins with {0:?}; use sqlite:FILE or postgres://user@host/name")]
    Url(String),
    /// The database refused or failed a statement.
    #[error("database: {0}")]
    Database(#[from] sqlx::Error),
    /// The database did not answer a statement in time; whether it was done is not known.
    #[error("the database does not answer")]
    Silent,
    /// The schema could not be brought up to date.
    #[error("migration: {0}")]
    Migration(#[from] sqlx::migrate::MigrateError),
    /// A pooler that gives each transaction another connection; go past it, or say that it is fit for it.
    #[error(
        "a pooler stands before the database and gives each transaction another connection, so that answers can be \
         mixed up; connect directly, or set it to pool by session, or, if it is PgBouncer 1.21 or newer with \
         max_prepared_statements above 0, start `longwatch serve` with --transaction-pooler"
    )]
    TransactionPooler,
    /// The pooler does not keep its clients' prepared statements apart; replace it, or go past it.
    #[error(
        "the pooler before the database mixes up prepared statements; --transaction-pooler needs PgBouncer 1.21 or newer \
         with max_prepared_statements above 0; else connect directly, or set it to pool by session"
    )]
    MixedStatements,
    /// The schema is another version's and can't be changed through a pooler; go past it with `longwatch migrate`.
    #[error(
        "the schema's version is {found} and this program needs {needed}; run its `longwatch migrate --database` with \
         an address that reaches PostgreSQL directly, not the pooler"
    )]
    SchemaVersion {
        /// What the database has; 0 where it is empty.
        found: i64,
        /// What this program reads and writes.
        needed: i64,
    },
    /// Another server holds the SQLite file; stop it first, or use PostgreSQL for several instances.
    #[error(
        "{file} is in use by another longwatch server; stop it first, or use PostgreSQL for several instances"
    )]
    Locked {
        /// The database file.
        file: String,
    },
    /// There is no such SQLite file; check the name.
    #[error("{} is not there; name a database with --database", .0.display())]
    Absent(std::path::PathBuf),
    /// The lock file could not be made.
    #[error("lock file {file}: {source}")]
    LockFile {
        /// The lock file.
        file: String,
        /// Why.
        source: std::io::Error,
    },
    /// Stored bytes do not decode: a bug of ours or a damaged disk, never bad input.
    #[error("stored row does not decode: {0}")]
    Corrupt(String),
    /// The lease was lost to another instance; nothing was written, and the work will be done there.
    #[error("lease lost to another instance")]
    LeaseLost,
    /// An idempotency key was used before with other content; use a new key for new content.
    #[error("idempotency key {0:?} was used before with other content")]
    KeyReused(String),
    /// A batch's measurements can't be told from others' any more; delete what they were merged into.
    #[error("the batch's measurements are merged with others")]
    Merged(MergedWith),
    /// Runs of the release are forgotten, so that its window can't be built anew without one of the others.
    #[error("runs of release {0} are forgotten")]
    Forgotten(String),
    /// A text that no database column takes; leave the character out.
    #[error("a text holds the character U+0000; leave it out")]
    Nul,
    /// Nothing of that name in this project.
    #[error("not found")]
    NotFound,
    /// What a question that several asked together failed with.
    #[error(transparent)]
    Shared(Arc<StoreError>),
}

impl StoreError {
    /// Whether the same call may succeed a little later (the database is busy or away).
    pub fn is_transient(&self) -> bool {
        match self {
            StoreError::Database(error) => match error {
                sqlx::Error::PoolTimedOut
                | sqlx::Error::PoolClosed
                | sqlx::Error::Io(_)
                | sqlx::Error::WorkerCrashed => true,
                sqlx::Error::Database(error) => db::is_passing(&**error),
                _ => false,
            },
            StoreError::LeaseLost | StoreError::Silent => true,
            StoreError::Shared(error) => error.is_transient(),
            _ => false,
        }
    }

    /// Whether the call may have been done all the same (its answer was not heard).
    pub fn is_unsettled(&self) -> bool {
        use sqlx::Error::{Io, WorkerCrashed};
        match self {
            StoreError::Silent | StoreError::Database(Io(_) | WorkerCrashed) => true,
            StoreError::Shared(error) => error.is_unsettled(),
            _ => false,
        }
    }
}

/// How long a request waits to learn whose token it brings.
const CALLER_PATIENCE: Duration = Duration::from_secs(10);

const PING: &str = "SELECT CAST(1 AS BIGINT)";

/// The statements that are built when first used, each with its name in the sources. The others are constants, which a
/// test of all plans reads from the sources itself.
#[doc(hidden)]
pub fn built_statements() -> Vec<(&'static str, &'static str)> {
    vec![
        ("windows::rows::BODIES_AT", windows::BODIES_AT.as_str()),
        ("windows::rows::INSERT_NEW", windows::INSERT_NEW.longest()),
        ("journal::REMOVE", journal::REMOVE.as_str()),
        ("journal::REMEMBER_KEYS", journal::REMEMBER_KEYS.longest()),
        ("journal::INSERT_BATCHES", journal::INSERT_BATCHES.longest()),
        ("runs::INSERT", runs::INSERT.longest()),
        ("page_views::PUT_ASIDE", page_views::PUT_ASIDE.as_str()),
        (
            "deletions::arrivals::SHOW_AGAIN",
            deletions::SHOW_AGAIN.as_str(),
        ),
    ]
}

/// The database, opened and migrated; cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    db: Db,
    /// What one request has read already.
    heads: Option<Arc<heads::Heads>>,
    /// Tokens that are looked up just now.
    callers: SharedLookups<Option<Caller>>,
}

impl Store {
    /// Opens `sqlite:FILE` or `postgres://…` and brings the schema up to date.
    ///
    /// On SQLite the migration runs under a lock on the file, so that several processes may open it at once. A pooler
    /// that gives each transaction another connection is refused: see [`Store::open_behind_transaction_pooler`].
    pub async fn open(url: &str) -> Result<Store, StoreError> {
        let guard = match db::sqlite_file(url) {
            Some(file) => Some(lock_file(&file, "migrate.lock", true)?),
            None => None,
        };
        let db = Db::open(url).await?;
        pooler::refuse_transaction_pooling(&db).await?;
        db.migrate().await?;
        drop(guard);
        page_views::take_all_over(&db).await?;
        Ok(Store::over(db))
    }

    /// How many transactions that write are worth having under way at a time.
    pub fn commits_at_once(&self) -> usize {
        match self.db {
            Db::Sqlite { .. } => 1,
            Db::Postgres(_) => 2,
        }
    }

    fn over(db: Db) -> Store {
        Store {
            db,
            heads: None,
            callers: SharedLookups::new(CALLER_PATIENCE),
        }
    }

    /// Opens a database that is there; [`Store::open`] would make a SQLite file of a mistyped name.
    pub async fn open_existing(url: &str) -> Result<Store, StoreError> {
        match db::sqlite_file(url) {
            Some(file) if !file.exists() => Err(StoreError::Absent(file)),
            _ => Store::open(url).await,
        }
    }

    /// Holds off a second server on the same SQLite file for as long as the returned guard lives; nothing to hold on
    /// PostgreSQL.
    pub fn lock_for_serving(url: &str) -> Result<Option<std::fs::File>, StoreError> {
        db::sqlite_file(url)
            .map(|file| lock_file(&file, "serve.lock", false))
            .transpose()
    }

    /// Whether the database answers.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.db.row::<(i64,)>(PING, &[]).await?;
        Ok(())
    }

    /// Closes all connections.
    pub async fn close(&self) {
        self.db.close().await;
    }
}

fn lock_file(
    database: &std::path::Path,
    extension: &str,
    wait: bool,
) -> Result<std::fs::File, StoreError> {
    let mut name = database.as_os_str().to_owned();
    name.push(".");
    name.push(extension);
    let path = std::path::PathBuf::from(name);
    let failed = |source| StoreError::LockFile {
        file: path.display().to_string(),
        source,
    };
    let file = std::fs::OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(failed)?;
    if wait {
        file.lock().map_err(failed)?;
        return Ok(file);
    }
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(StoreError::Locked {
            file: database.display().to_string(),
        }),
        Err(std::fs::TryLockError::Error(source)) => Err(failed(source)),
    }
}
