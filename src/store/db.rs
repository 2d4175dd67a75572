//! The seam to the two engines: one SQL text, a closed enum of connections, and values that both accept.
//!
//! Statements use `$1` placeholders, which both drivers take, and only types that mean the same on both: 64-bit
//! integers, doubles, text and byte strings. Rows come back as tuples.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

mod connections;
mod many;

use sqlx::error::DatabaseError;
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::postgres::{PgConnectOptions, PgRow};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteError, SqliteJournalMode, SqliteRow, SqliteSynchronous,
};
use sqlx::{FromRow, PgConnection, Postgres, Sqlite, SqliteConnection};

use super::StoreError;
pub(super) use connections::Connections;
use connections::Transaction;

pub(super) use many::InsertMany;

/// A window of some 2 KB spills from a page of 4 KB into one of its own: 4.5 KB in the file each, against 2.8 KB with
/// these. Small commits cost as much either way, as `cargo bench --bench figures` shows.
const SQLITE_PAGE_BYTES: u32 = 16_384;
/// How many readers a SQLite file serves beside its one writer; more than the machine's cores only queue for the disk.
const SQLITE_READERS: u32 = 4;
/// Rows that a reading connection's thread puts down before it waits for whoever takes them: a year of runs, so that the two
/// need not take turns.
const ROWS_UNDER_WAY: usize = 1_024;
/// Connections an instance holds to PostgreSQL; several instances share a server's default limit of 100.
const POSTGRES_CONNECTIONS: u32 = 10;
/// How long a statement waits for a free connection before the store answers "busy".
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a statement waits for SQLite's one writer.
const WRITE_PATIENCE: Duration = Duration::from_secs(30);

/// How long a statement may take on PostgreSQL. All of ours take a bounded amount of work; what has no answer by now has
/// lost its server.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(30);

/// Of a machine that is gone, or stands still, the server hears nothing, and keeps what its transaction has locked for hours
/// unless told otherwise: uploads of others wait for it meanwhile. Between two statements of ours lies little work. What takes
/// longer than [`STATEMENT_TIMEOUT`] nobody waits for any more. `LOCAL`, since the connection may be a pooler's.
const BEGIN: &str = "BEGIN; SET LOCAL idle_in_transaction_session_timeout = '10s'; SET LOCAL statement_timeout = '35s'";

/// What PostgreSQL answers, unless it falls silent.
async fn in_time<T>(
    answer: impl Future<Output = Result<T, impl Into<StoreError>>>,
) -> Result<T, StoreError> {
    match tokio::time::timeout(STATEMENT_TIMEOUT, answer).await {
        Ok(answer) => answer.map_err(Into::into),
        Err(_) => Err(StoreError::Silent),
    }
}

/// The connections to one engine.
#[derive(Debug, Clone)]
pub(super) enum Db {
    /// One writer, readers beside it (WAL).
    Sqlite {
        /// The single connection that writes.
        write: Connections<SqliteConnection>,
        /// Connections that only read.
        read: Connections<SqliteConnection>,
    },
    /// A PostgreSQL server, 15 or newer.
    Postgres(Connections<PgConnection>),
}

/// A value bound to a placeholder, with its type even when it is null (PostgreSQL wants to know).
#[derive(Debug, Clone)]
pub(super) enum Arg<'a> {
    /// BIGINT.
    Int(Option<i64>),
    /// DOUBLE PRECISION.
    Real(Option<f64>),
    /// TEXT.
    Text(Option<&'a str>),
    /// BYTEA or BLOB.
    Bytes(Option<&'a [u8]>),
}

macro_rules! arg_from {
    ($($type:ty => $variant:ident, $value:ident, $map:expr;)*) => {$(
        impl<'a> From<$type> for Arg<'a> {
            fn from($value: $type) -> Self { Arg::$variant($map) }
        }
    )*};
}
arg_from! {
    i64 => Int, v, Some(v);
    Option<i64> => Int, v, v;
    f64 => Real, v, Some(v);
    Option<f64> => Real, v, v;
    &'a str => Text, v, Some(v);
    &'a String => Text, v, Some(v);
    Option<&'a str> => Text, v, v;
    &'a Option<String> => Text, v, v.as_deref();
    &'a [u8] => Bytes, v, Some(v);
    &'a Vec<u8> => Bytes, v, Some(v);
    &'a [u8; 16] => Bytes, v, Some(v);
    &'a [u8; 32] => Bytes, v, Some(v);
    Option<&'a [u8]> => Bytes, v, v;
    &'a super::Id => Bytes, v, Some(v.bytes());
    &'a super::ProjectId => Bytes, v, Some(v.id().bytes());
}

/// Binds values in order: `args![project, id, 3_i64]`.
macro_rules! args {
    ($($value:expr),* $(,)?) => { &[$($crate::store::db::Arg::from($value)),*] };
}
pub(super) use args;

/// A row that both engines can decode.
pub(super) trait Row:
    for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin
{
}
impl<T> Row for T where T: for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin
{}

/// A text that both engines take: PostgreSQL has no place for U+0000.
fn storable(text: Option<&str>) -> Result<Option<&str>, StoreError> {
    match text {
        Some(text) if text.contains('\0') => Err(StoreError::Nul),
        text => Ok(text),
    }
}

/// Binds all arguments to one driver's query.
macro_rules! bind {
    ($query:expr, $args:expr) => {{
        let mut query = $query;
        for arg in $args {
            query = match arg.clone() {
                Arg::Int(v) => query.bind(v),
                Arg::Real(v) => query.bind(v),
                Arg::Text(v) => query.bind(storable(v)?),
                Arg::Bytes(v) => query.bind(v),
            };
        }
        query
    }};
}

/// Asks a connection and hears what it answers.
macro_rules! asked {
    ($connection:expr, $query:expr, $how:ident) => {{
        let query = $query;
        let answer = query.$how($connection.ask()?).await;
        $connection.heard(answer)?
    }};
    ($connection:expr, $query:expr, $how:ident, in_time) => {{
        let query = $query;
        let answer = in_time(query.$how($connection.ask()?)).await;
        $connection.heard(answer)?
    }};
}

/// A transaction on either engine; dropped without `commit` it rolls back.
pub(super) enum Tx {
    /// `BEGIN IMMEDIATE` on the one writer, or a snapshot on a reader.
    Sqlite(Transaction<SqliteConnection>),
    /// An ordinary transaction.
    Postgres(Transaction<PgConnection>),
}

impl Tx {
    /// Runs a statement and says how many rows it touched.
    pub(super) async fn execute(
        &mut self,
        sql: &'static str,
        args: &[Arg<'_>],
    ) -> Result<u64, StoreError> {
        Ok(match self {
            Tx::Sqlite(tx) => {
                asked!(tx, bind!(sqlx::query::<Sqlite>(sql), args), execute).rows_affected()
            }
            Tx::Postgres(tx) => {
                let query = bind!(sqlx::query::<Postgres>(sql), args);
                asked!(tx, query, execute, in_time).rows_affected()
            }
        })
    }

    /// All rows of a query.
    pub(super) async fn rows<T: Row>(
        &mut self,
        sql: &'static str,
        args: &[Arg<'_>],
    ) -> Result<Vec<T>, StoreError> {
        Ok(match self {
            Tx::Sqlite(tx) => {
                asked!(tx, bind!(sqlx::query_as::<Sqlite, T>(sql), args), fetch_all)
            }
            Tx::Postgres(tx) => {
                let query = bind!(sqlx::query_as::<Postgres, T>(sql), args);
                asked!(tx, query, fetch_all, in_time)
            }
        })
    }

    /// The first row of a query, if any.
    pub(super) async fn row<T: Row>(
        &mut self,
        sql: &'static str,
        args: &[Arg<'_>],
    ) -> Result<Option<T>, StoreError> {
        Ok(match self {
            Tx::Sqlite(tx) => {
                let query = bind!(sqlx::query_as::<Sqlite, T>(sql), args);
                asked!(tx, query, fetch_optional)
            }
            Tx::Postgres(tx) => {
                let query = bind!(sqlx::query_as::<Postgres, T>(sql), args);
                asked!(tx, query, fetch_optional, in_time)
            }
        })
    }

    /// Makes everything durable.
    pub(super) async fn commit(self) -> Result<(), StoreError> {
        match self {
            Tx::Sqlite(tx) => tx.commit().await,
            Tx::Postgres(tx) => in_time(tx.commit()).await,
        }
    }
}

/// Where rows are read.
pub(super) enum Reading<'a> {
    /// Each statement in the newest state of the database.
    Each(&'a Db),
    /// All of them in one.
    Together(Box<Tx>),
}

impl Reading<'_> {
    /// All rows of a query; the caller bounds their number.
    pub(super) async fn rows<T: Row>(
        &mut self,
        sql: &'static str,
        args: &[Arg<'_>],
    ) -> Result<Vec<T>, StoreError> {
        match self {
            Reading::Each(db) => db.rows(sql, args).await,
            Reading::Together(tx) => tx.rows(sql, args).await,
        }
    }

    /// The first row of a query, if any.
    pub(super) async fn row<T: Row>(
        &mut self,
        sql: &'static str,
        args: &[Arg<'_>],
    ) -> Result<Option<T>, StoreError> {
        match self {
            Reading::Each(db) => db.row(sql, args).await,
            Reading::Together(tx) => tx.row(sql, args).await,
        }
    }
}

impl Db {
    /// Opens `sqlite:FILE` or `postgres://…`, without touching the schema.
    pub(super) async fn open(url: &str) -> Result<Db, StoreError> {
        if let Some(file) = url.strip_prefix("sqlite:") {
            return open_sqlite(Path::new(file.trim_start_matches("//"))).await;
        }
        if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
            return Err(StoreError::Url(
                url.split(':').next().unwrap_or_default().to_owned(),
            ));
        }
        let options = PgConnectOptions::from_str(url)?
            .application_name("longwatch")
            // The server's own default loses nothing, and poolers refuse what they do not know.
            .extra_float_digits(None);
        let connections = Connections::open(options, POSTGRES_CONNECTIONS, ACQUIRE_TIMEOUT).await?;
        Ok(Db::Postgres(connections))
    }

    /// Brings the schema up to date. PostgreSQL serialises concurrent starts by an advisory lock; on SQLite the
    /// caller holds the file's lock, since sqlx takes none there.
    pub(super) async fn migrate(&self) -> Result<(), StoreError> {
        match self {
            Db::Sqlite { write, .. } => {
                let mut taken = write.take().await?;
                let migrated = migrator(SQLITE_MIGRATIONS).run(taken.ask()?).await;
                taken.heard(migrated)?;
            }
            Db::Postgres(connections) => {
                let mut taken = connections.take().await?;
                let migrated = migrator(POSTGRES_MIGRATIONS).run(taken.ask()?).await;
                taken.heard(migrated)?;
            }
        }
        Ok(())
    }

    /// Begins a write transaction.
    pub(super) async fn begin(&self) -> Result<Tx, StoreError> {
        Ok(match self {
            Db::Sqlite { write, .. } => Tx::Sqlite(write.begin("BEGIN IMMEDIATE").await?),
            Db::Postgres(connections) => Tx::Postgres(in_time(connections.begin(BEGIN)).await?),
        })
    }

    /// Begins a transaction that only reads and sees one state of the database throughout, whatever commits meanwhile.
    pub(super) async fn snapshot(&self) -> Result<Tx, StoreError> {
        Ok(match self {
            // A deferred transaction on WAL keeps the state that its first read saw.
            Db::Sqlite { read, .. } => Tx::Sqlite(read.begin("BEGIN").await?),
            Db::Postgres(connections) => {
                let begun = connections.begin("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
                Tx::Postgres(in_time(begun).await?)
            }
        })
    }

    /// Runs one statement in its own transaction.
    pub(super) async fn execute(
        &self,
        sql: &'static str,
        args: &[Arg<'_>],
    ) -> Result<u64, StoreError> {
        Ok(match self {
            Db::Sqlite { write, .. } => {
                let mut taken = write.take().await?;
                let query = bind!(sqlx::query::<Sqlite>(sql), args);
                asked!(taken, query, execute).rows_affected()
            }
            Db::Postgres(connections) => {
                let mut taken = connections.take().await?;
                let query = bind!(sqlx::query::<Postgres>(sql), args);
                asked!(taken, query, execute, in_time).rows_affected()
            }
        })
    }

    /// All rows of a query; the caller bounds their number.
    pub(super) async fn rows<T: Row>(
        &self,
        sql: &'static str,
        args: &[Arg<'_>],
    ) -> Result<Vec<T>, StoreError> {
        Ok(match self {
            Db::Sqlite { read, .. } => {
                let mut taken = read.take().await?;
                let query = bind!(sqlx::query_as::<Sqlite, T>(sql), args);
                asked!(taken, query, fetch_all)
            }
            Db::Postgres(connections) => {
                let mut taken = connections.take().await?;
                let query = bind!(sqlx::query_as::<Postgres, T>(sql), args);
                asked!(taken, query, fetch_all, in_time)
            }
        })
    }

    /// The first row of a query, if any.
    pub(super) async fn row<T: Row>(
        &self,
        sql: &'static str,
        args: &[Arg<'_>],
    ) -> Result<Option<T>, StoreError> {
        Ok(match self {
            Db::Sqlite { read, .. } => {
                let mut taken = read.take().await?;
                let query = bind!(sqlx::query_as::<Sqlite, T>(sql), args);
                asked!(taken, query, fetch_optional)
            }
            Db::Postgres(connections) => {
                let mut taken = connections.take().await?;
                let query = bind!(sqlx::query_as::<Postgres, T>(sql), args);
                asked!(taken, query, fetch_optional, in_time)
            }
        })
    }

    /// Closes all connections, so that SQLite checkpoints its log.
    pub(super) async fn close(&self) {
        match self {
            Db::Sqlite { write, read } => {
                read.close().await;
                write.close().await;
            }
            Db::Postgres(connections) => connections.close().await,
        }
    }
}

/// Opens a SQLite file, made where it is not there, without touching the schema.
pub(super) async fn open_sqlite(file: &Path) -> Result<Db, StoreError> {
    let options = SqliteConnectOptions::new()
        .filename(file)
        .create_if_missing(true)
        .page_size(SQLITE_PAGE_BYTES)
        .journal_mode(SqliteJournalMode::Wal)
        // An acknowledgement means that the commit reached the disk.
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(Duration::from_secs(10))
        .pragma("wal_autocheckpoint", "1000")
        .pragma("cache_size", "-65536")
        // Rows come through a channel from the thread of their connection, which waits where it is full.
        .row_buffer_size(ROWS_UNDER_WAY);
    let write = Connections::open(options.clone(), 1, WRITE_PATIENCE).await?;
    let reading = options.pragma("query_only", "ON");
    let read = Connections::open(reading, SQLITE_READERS, ACQUIRE_TIMEOUT).await?;
    Ok(Db::Sqlite { write, read })
}

/// Whether what the database failed with may pass: it is busy, away, read-only for a while, or has no room.
pub(super) fn is_passing(error: &dyn DatabaseError) -> bool {
    let code = error.code().unwrap_or_default();
    if error.try_downcast_ref::<SqliteError>().is_some() {
        // Busy, locked, no memory, input and output, full, can't open; an extended code holds its primary one in the lowest byte.
        let primary = code.parse::<u32>().map(|code| code & 0xff);
        return matches!(primary, Ok(5 | 6 | 7 | 10 | 13 | 14));
    }
    // Connection, rollback, resources, operator, system; a standby; a transaction that idled for too long.
    let classes = ["08", "40", "53", "57", "58"];
    classes.iter().any(|class| code.starts_with(class)) || code == "25006" || code == "25P03"
}

/// The path of a `sqlite:` URL.
pub(super) fn sqlite_file(url: &str) -> Option<PathBuf> {
    url.strip_prefix("sqlite:")
        .map(|file| PathBuf::from(file.trim_start_matches("//")))
}

/// Version, description and text of a migration; both folders hold the same versions.
type Migrations = &'static [(i64, &'static str, &'static str)];

const SQLITE_MIGRATIONS: Migrations = &[
    (
        1,
        "first schema",
        include_str!("../../migrations/sqlite/0001_first_schema.sql"),
    ),
    (
        2,
        "the engine",
        include_str!("../../migrations/sqlite/0002_the_engine.sql"),
    ),
    (
        3,
        "rows that stay together",
        include_str!("../../migrations/sqlite/0003_rows_that_stay_together.sql"),
    ),
    (
        4,
        "blind spots",
        include_str!("../../migrations/sqlite/0004_blind_spots.sql"),
    ),
];
const POSTGRES_MIGRATIONS: Migrations = &[
    (
        1,
        "first schema",
        include_str!("../../migrations/postgres/0001_first_schema.sql"),
    ),
    (
        2,
        "the engine",
        include_str!("../../migrations/postgres/0002_the_engine.sql"),
    ),
    (
        3,
        "rows that stay together",
        include_str!("../../migrations/postgres/0003_rows_that_stay_together.sql"),
    ),
    (
        4,
        "blind spots",
        include_str!("../../migrations/postgres/0004_blind_spots.sql"),
    ),
];

/// The schema's version that this program writes and reads.
pub(super) fn newest_version() -> i64 {
    SQLITE_MIGRATIONS
        .iter()
        .map(|(version, ..)| *version)
        .max()
        .unwrap_or_default()
}

fn migrator(migrations: Migrations) -> Migrator {
    Migrator::with_migrations(
        migrations
            .iter()
            .map(|(version, description, text)| {
                Migration::new(
                    *version,
                    (*description).into(),
                    MigrationType::Simple,
                    sqlx::SqlSafeStr::into_sql_str(*text),
                    false,
                )
            })
            .collect(),
    )
}
