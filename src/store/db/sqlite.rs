//! Connections to a SQLite file: one that writes, some that only read. Whoever wants one waits in line for it.
//!
//! sqlx's own pool does the same, but asks a connection twice for every statement whether it still lives, and each question
//! costs as much as a small statement's own way to the connection's thread and back.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Connection};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Some connections of one kind; cheap to clone.
#[derive(Debug, Clone)]
pub(in crate::store) struct Connections(Arc<Line>);

#[derive(Debug)]
struct Line {
    options: SqliteConnectOptions,
    most: u32,
    patience: Duration,
    free: Arc<Semaphore>,
    /// Those that rest. There are fewer than are free while some were not needed yet, or failed.
    resting: Mutex<Vec<SqliteConnection>>,
}

impl Line {
    fn resting(&self) -> std::sync::MutexGuard<'_, Vec<SqliteConnection>> {
        self.resting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Connections {
    /// Opens the first of at most so many. `patience` is how long one waits in line before the store answers "busy".
    pub(in crate::store) async fn open(
        options: SqliteConnectOptions,
        most: u32,
        patience: Duration,
    ) -> Result<Connections, sqlx::Error> {
        let first = options.connect().await?;
        Ok(Connections(Arc::new(Line {
            options,
            most,
            patience,
            free: Arc::new(Semaphore::new(most as usize)),
            resting: Mutex::new(vec![first]),
        })))
    }

    /// Waits for a connection, first come, first served.
    pub(in crate::store) async fn take(&self) -> Result<Taken, sqlx::Error> {
        let free = self.0.free.clone();
        let place = match free.clone().try_acquire_owned() {
            Ok(place) => Ok(place),
            Err(_) => tokio::time::timeout(self.0.patience, free.acquire_owned())
                .await
                .map_err(|_| sqlx::Error::PoolTimedOut)?,
        };
        let place = place.map_err(|_| sqlx::Error::PoolClosed)?;
        let resting = self.0.resting().pop();
        let connection = match resting {
            Some(connection) => connection,
            None => self.0.options.connect().await?,
        };
        Ok(Taken {
            connection: Some(connection),
            line: self.0.clone(),
            _place: place,
        })
    }

    /// Begins a transaction.
    pub(in crate::store) async fn begin(
        &self,
        statement: &'static str,
    ) -> Result<Transaction, sqlx::Error> {
        // Whoever gives up while it begins leaves it to be rolled back, too.
        let mut transaction = Transaction(Some(self.take().await?));
        let begun = sqlx::query(statement)
            .execute(transaction.connection()?)
            .await;
        if let Err(error) = begun {
            if let Some(taken) = &mut transaction.0 {
                taken.lose();
            }
            return Err(error);
        }
        Ok(transaction)
    }

    /// Waits for all connections and closes them for good.
    pub(in crate::store) async fn close(&self) {
        let all = self.0.free.acquire_many(self.0.most).await;
        self.0.free.close();
        drop(all);
        let resting = std::mem::take(&mut *self.0.resting());
        for connection in resting {
            if let Err(error) = connection.close().await {
                tracing::warn!(%error, "the database file was not closed in order");
            }
        }
    }
}

/// A connection, until it is dropped.
#[derive(Debug)]
pub(in crate::store) struct Taken {
    connection: Option<SqliteConnection>,
    line: Arc<Line>,
    _place: OwnedSemaphorePermit,
}

impl Taken {
    pub(in crate::store) fn get(&mut self) -> Result<&mut SqliteConnection, sqlx::Error> {
        self.connection.as_mut().ok_or(sqlx::Error::WorkerCrashed)
    }

    /// Parts with a connection of which nobody knows how it stands.
    fn lose(&mut self) {
        self.connection = None;
    }

    /// What came of a statement; parts with the connection if its thread has ended.
    pub(in crate::store) fn outcome<T>(
        &mut self,
        outcome: Result<T, sqlx::Error>,
    ) -> Result<T, sqlx::Error> {
        if matches!(outcome, Err(sqlx::Error::WorkerCrashed)) {
            self.lose();
        }
        outcome
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            self.line.resting().push(connection);
        }
    }
}

/// A transaction; dropped without `commit` it rolls back.
#[derive(Debug)]
pub(in crate::store) struct Transaction(Option<Taken>);

impl Transaction {
    pub(in crate::store) fn connection(&mut self) -> Result<&mut SqliteConnection, sqlx::Error> {
        self.0.as_mut().ok_or(sqlx::Error::WorkerCrashed)?.get()
    }

    pub(in crate::store) async fn commit(mut self) -> Result<(), sqlx::Error> {
        sqlx::query("COMMIT").execute(self.connection()?).await?;
        self.0 = None;
        Ok(())
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        let Some(mut taken) = self.0.take() else {
            return;
        };
        let Some(connection) = taken.connection.take() else {
            return;
        };
        // Without a runtime it is closed, which rolls back too.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(roll_back(taken, connection));
        }
    }
}

/// Rolls back, and only then lets the next one have the connection.
async fn roll_back(mut taken: Taken, mut connection: SqliteConnection) {
    // Where the disk failed SQLite has rolled back by itself, and this fails. Such a connection is not used again.
    if sqlx::query("ROLLBACK")
        .execute(&mut connection)
        .await
        .is_ok()
    {
        taken.connection = Some(connection);
    }
}
