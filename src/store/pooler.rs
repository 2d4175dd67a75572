//! What may stand between us and PostgreSQL. A pooler that gives every transaction another of the server's connections
//! is found out at start: unless it keeps its clients' prepared statements apart, a statement gets another's rows, and
//! nobody hears of an error.

use sqlx::{PgConnection, Row};

use super::db::{self, Connections, Db};
use super::{Store, StoreError, page_views};

const SERVER_PROCESS: &str = "SELECT pg_backend_pid()";
const ONE: &str = "SELECT CAST(1 AS BIGINT)";
const TWO: &str = "SELECT CAST(2 AS BIGINT)";
const SCHEMA_VERSION: &str = "SELECT MAX(version) FROM _sqlx_migrations WHERE success";

impl Store {
    /// Opens a database behind a pooler that gives each transaction another connection. The schema is not touched: a
    /// migration holds one connection throughout, so it goes past the pooler. A SQLite file is opened as ever.
    ///
    /// # Errors
    /// [`StoreError::MixedStatements`] where the pooler is not fit for it, [`StoreError::SchemaVersion`] where
    /// `longwatch migrate` is to be run first.
    pub async fn open_behind_transaction_pooler(url: &str) -> Result<Store, StoreError> {
        if db::sqlite_file(url).is_some() {
            return Store::open(url).await;
        }
        let db = Db::open(url).await?;
        if let Db::Postgres(connections) = &db
            && mixes_up_statements(connections).await?
        {
            return Err(StoreError::MixedStatements);
        }
        let needed = db::newest_version();
        let found = match db.row::<(Option<i64>,)>(SCHEMA_VERSION, &[]).await {
            Ok(row) => row.and_then(|(version,)| version).unwrap_or_default(),
            Err(StoreError::Database(sqlx::Error::Database(error)))
                if error.code().as_deref() == Some("42P01") =>
            {
                0
            }
            Err(error) => return Err(error),
        };
        if found != needed {
            return Err(StoreError::SchemaVersion { found, needed });
        }
        page_views::take_all_over(&db).await?;
        Ok(Store::over(db))
    }
}

/// Errs where each transaction may get another of the server's connections.
pub(super) async fn refuse_transaction_pooling(db: &Db) -> Result<(), StoreError> {
    match db {
        Db::Postgres(connections) if is_transaction_pooled(connections).await? => {
            Err(StoreError::TransactionPooler)
        }
        _ => Ok(()),
    }
}

/// A connection that idles keeps its process of the server, and shares it with nobody. Neither of the two
/// is used again, since nobody says that it was heard.
async fn is_transaction_pooled(
    connections: &Connections<PgConnection>,
) -> Result<bool, StoreError> {
    let mut idle = connections.take().await?;
    let own = server_process(idle.ask()?).await?;
    let mut beside = connections.begin("BEGIN").await?;
    let is_shared = server_process(beside.ask()?).await? == own;
    Ok(is_shared || server_process(idle.ask()?).await? != own)
}

/// Asked without a prepared statement, which is what a pooler may mix up.
async fn server_process(connection: &mut PgConnection) -> Result<i32, sqlx::Error> {
    let row = sqlx::raw_sql(SERVER_PROCESS).fetch_one(connection).await?;
    row.try_get(0)
}

/// Two new connections call their first prepared statements by the same name. Neither of the two
/// is used again, since nobody says that it was heard.
async fn mixes_up_statements(connections: &Connections<PgConnection>) -> Result<bool, StoreError> {
    let mut idle = connections.take().await?;
    if !answers(idle.ask()?, ONE, 1).await? {
        return Ok(true);
    }
    let mut beside = connections.begin("BEGIN").await?;
    Ok(!answers(beside.ask()?, TWO, 2).await? || !answers(idle.ask()?, ONE, 1).await?)
}

/// Whether a prepared statement is known where it is asked, under this name, and as this statement.
async fn answers(
    connection: &mut PgConnection,
    statement: &'static str,
    expected: i64,
) -> Result<bool, sqlx::Error> {
    match sqlx::query_scalar::<_, i64>(statement)
        .fetch_one(connection)
        .await
    {
        Ok(answer) => Ok(answer == expected),
        // There is one of that name already; there is none.
        Err(sqlx::Error::Database(error))
            if matches!(error.code().as_deref(), Some("42P05" | "26000")) =>
        {
            Ok(false)
        }
        Err(error) => Err(error),
    }
}
