//! The one connection that writes to a SQLite file. Whoever wants to write waits in line for it.
//!
//! A pool of one would do the same, but asks the connection twice for every statement whether it still lives, and each
//! question costs as much as a small commit's own way to the connection's thread and back.

use std::sync::Arc;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Connection};
use tokio::sync::{Mutex, OwnedMutexGuard};

/// How long one waits in line before the store answers "busy".
const PATIENCE: Duration = Duration::from_secs(30);

/// A handle to the connection; cheap to clone.
#[derive(Debug, Clone)]
pub(in crate::store) struct SqliteWriter {
    options: Arc<SqliteConnectOptions>,
    slot: Arc<Mutex<Slot>>,
}

#[derive(Debug)]
enum Slot {
    Open(SqliteConnection),
    /// It failed in a way that leaves its state unknown; the next one opens another.
    Lost,
    Closed,
}

/// The connection, while nobody else has it.
#[derive(Debug)]
pub(in crate::store) struct Held(OwnedMutexGuard<Slot>);

impl Held {
    pub(in crate::store) fn get(&mut self) -> Result<&mut SqliteConnection, sqlx::Error> {
        match &mut *self.0 {
            Slot::Open(connection) => Ok(connection),
            Slot::Lost => Err(sqlx::Error::WorkerCrashed),
            Slot::Closed => Err(sqlx::Error::PoolClosed),
        }
    }

    /// Whoever is next opens another connection.
    pub(in crate::store) fn lose(&mut self) {
        *self.0 = Slot::Lost;
    }

    async fn roll_back(&mut self) {
        let Slot::Open(connection) = &mut *self.0 else {
            return;
        };
        // SQLite itself rolls back after some errors, and then has nothing left to roll back.
        if sqlx::query("ROLLBACK").execute(connection).await.is_err() {
            self.lose();
        }
    }
}

impl SqliteWriter {
    pub(in crate::store) async fn open(
        options: SqliteConnectOptions,
    ) -> Result<SqliteWriter, sqlx::Error> {
        let connection = options.connect().await?;
        Ok(SqliteWriter {
            options: Arc::new(options),
            slot: Arc::new(Mutex::new(Slot::Open(connection))),
        })
    }

    /// Waits for the connection, first come, first served.
    pub(in crate::store) async fn lock(&self) -> Result<Held, sqlx::Error> {
        let mut slot = match self.slot.clone().try_lock_owned() {
            Ok(slot) => slot,
            Err(_) => tokio::time::timeout(PATIENCE, self.slot.clone().lock_owned())
                .await
                .map_err(|_| sqlx::Error::PoolTimedOut)?,
        };
        if matches!(*slot, Slot::Lost) {
            *slot = Slot::Open(self.options.connect().await?);
        }
        Ok(Held(slot))
    }

    /// Begins a transaction that writes.
    pub(in crate::store) async fn begin(&self) -> Result<Writing, sqlx::Error> {
        // Whoever gives up while it begins leaves it to be rolled back, too.
        let mut writing = Writing(Some(self.lock().await?));
        let begun = sqlx::query("BEGIN IMMEDIATE")
            .execute(writing.connection()?)
            .await;
        if begun.is_err() {
            writing.0 = None;
        }
        begun.map(|_| writing)
    }

    /// Closes the connection for good.
    pub(in crate::store) async fn close(&self) {
        let slot = std::mem::replace(&mut *self.slot.lock().await, Slot::Closed);
        if let Slot::Open(connection) = slot
            && let Err(error) = connection.close().await
        {
            tracing::warn!(%error, "the database file was not closed in order");
        }
    }
}

/// A transaction that writes; dropped without `commit` it rolls back.
#[derive(Debug)]
pub(in crate::store) struct Writing(Option<Held>);

impl Writing {
    pub(in crate::store) fn connection(&mut self) -> Result<&mut SqliteConnection, sqlx::Error> {
        self.0.as_mut().ok_or(sqlx::Error::WorkerCrashed)?.get()
    }

    pub(in crate::store) async fn commit(mut self) -> Result<(), sqlx::Error> {
        sqlx::query("COMMIT").execute(self.connection()?).await?;
        self.0 = None;
        Ok(())
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        let Some(mut held) = self.0.take() else {
            return;
        };
        // The next one waits until it is done.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move { held.roll_back().await });
        } else {
            held.lose();
        }
    }
}
