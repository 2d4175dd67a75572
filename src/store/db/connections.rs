//! Connections to one database: to a SQLite file one that writes and some that only read, to a PostgreSQL server a few.
//! Whoever wants one waits in line for it.
//!
//! sqlx's own pool does the same, but asks a connection before or after every statement whether it still lives, which costs
//! as much as a small statement's own way there and back.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use sqlx::error::DatabaseError;
use sqlx::postgres::{PgDatabaseError, PgSeverity};
use sqlx::{ConnectOptions, Connection, Executor, PgConnection, SqliteConnection};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::store::StoreError;

/// One that rested longer than this is asked whether it still lives before it is used, where there is somebody to ask.
const RESTED: Duration = Duration::from_secs(1);
/// One that rested longer than this is not used again: what stands between may have forgotten it without a word.
const STALE: Duration = Duration::from_secs(600);
/// One that is older than this is not used again: its server's process grows with all that it remembers, and after a failover
/// the servers' shares are to become even again.
const OLD: Duration = Duration::from_secs(1_800);
/// How long a server may take to end what nobody waits for any more.
const HEARD_OUT: Duration = Duration::from_secs(30);
/// The first and the longest pause before it is tried again to connect to a server that is not up yet.
const PAUSES: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(1));

/// What a connection of an engine can do besides its statements.
pub(in crate::store) trait Engine: Connection + 'static {
    /// Whether there is a server at the other end: it may be gone, or never answer. A thread of our own does.
    const IS_REMOTE: bool;

    /// Runs a statement without values.
    fn say(
        &mut self,
        statement: &'static str,
    ) -> impl Future<Output = Result<(), sqlx::Error>> + Send;

    /// Whether the connection is as good as before after this answer.
    fn outlives(error: &dyn DatabaseError) -> bool;
}

impl Engine for SqliteConnection {
    const IS_REMOTE: bool = false;

    async fn say(&mut self, statement: &'static str) -> Result<(), sqlx::Error> {
        // Prepared once, where a text alone would be prepared each time.
        sqlx::query(statement).execute(self).await.map(|_| ())
    }

    fn outlives(_: &dyn DatabaseError) -> bool {
        true
    }
}

impl Engine for PgConnection {
    const IS_REMOTE: bool = true;

    async fn say(&mut self, statement: &'static str) -> Result<(), sqlx::Error> {
        self.execute(statement).await.map(|_| ())
    }

    fn outlives(error: &dyn DatabaseError) -> bool {
        error
            .try_downcast_ref::<PgDatabaseError>()
            .is_some_and(|error| !matches!(error.severity(), PgSeverity::Fatal | PgSeverity::Panic))
    }
}

/// Some connections of one kind; cheap to clone.
#[derive(Debug)]
pub(in crate::store) struct Connections<C: Engine>(Arc<Line<C>>);

impl<C: Engine> Clone for Connections<C> {
    fn clone(&self) -> Self {
        Connections(self.0.clone())
    }
}

#[derive(Debug)]
struct Line<C: Engine> {
    options: C::Options,
    most: u32,
    patience: Duration,
    free: Arc<Semaphore>,
    /// Those that rest. There are fewer than are free while some were not needed yet, or failed.
    resting: Mutex<Vec<Resting<C>>>,
}

#[derive(Debug)]
struct Resting<C> {
    connection: C,
    opened: Instant,
    since: Instant,
}

impl<C: Engine> Line<C> {
    fn resting(&self) -> std::sync::MutexGuard<'_, Vec<Resting<C>>> {
        self.resting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One that rests and still lives, with when it was opened.
    async fn rested(&self) -> Option<(C, Instant)> {
        loop {
            let Resting {
                mut connection,
                opened,
                since,
            } = self.resting().pop()?;
            if !C::IS_REMOTE || (since.elapsed() < RESTED && opened.elapsed() < OLD) {
                return Some((connection, opened));
            }
            if since.elapsed() < STALE && opened.elapsed() < OLD {
                if connection.ping().await.is_ok() {
                    return Some((connection, opened));
                }
                // Its server was restarted, mostly, and the others' with it.
                self.resting().clear();
            } else {
                tokio::spawn(connection.close());
            }
        }
    }

    /// Opens one. A server that is just starting, or has no room, is asked again for a while.
    async fn open(&self) -> Result<C, sqlx::Error> {
        if !C::IS_REMOTE {
            return self.options.connect().await;
        }
        let began = Instant::now();
        let (mut pause, longest) = PAUSES;
        loop {
            let left = self.patience.saturating_sub(began.elapsed());
            let error = match tokio::time::timeout(left, self.options.connect()).await {
                Ok(Ok(connection)) => return Ok(connection),
                Ok(Err(error)) => error,
                Err(_) => return Err(sqlx::Error::PoolTimedOut),
            };
            let may_pass = match &error {
                sqlx::Error::Io(error) => error.kind() == std::io::ErrorKind::ConnectionRefused,
                sqlx::Error::Database(error) => error.is_transient_in_connect_phase(),
                _ => false,
            };
            if !may_pass || began.elapsed() + pause > self.patience {
                return Err(error);
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(longest);
        }
    }
}

impl<C: Engine> Connections<C> {
    /// Opens the first of at most so many. `patience` is how long one waits in line before the store answers "busy", and then
    /// as long again for a server that does not answer or let one in.
    pub(in crate::store) async fn open(
        options: C::Options,
        most: u32,
        patience: Duration,
    ) -> Result<Connections<C>, sqlx::Error> {
        let line = Line {
            options,
            most,
            patience,
            free: Arc::new(Semaphore::new(most as usize)),
            resting: Mutex::new(Vec::new()),
        };
        let first = Resting {
            connection: line.open().await?,
            opened: Instant::now(),
            since: Instant::now(),
        };
        line.resting().push(first);
        Ok(Connections(Arc::new(line)))
    }

    /// Waits for a connection, first come, first served.
    pub(in crate::store) async fn take(&self) -> Result<Taken<C>, sqlx::Error> {
        let free = self.0.free.clone();
        let place = match free.clone().try_acquire_owned() {
            Ok(place) => Ok(place),
            Err(_) => tokio::time::timeout(self.0.patience, free.acquire_owned())
                .await
                .map_err(|_| sqlx::Error::PoolTimedOut)?,
        };
        let place = place.map_err(|_| sqlx::Error::PoolClosed)?;
        let ready = async {
            match self.0.rested().await {
                Some(rested) => Ok(rested),
                None => Ok((self.0.open().await?, Instant::now())),
            }
        };
        let ready = if C::IS_REMOTE {
            let in_time = tokio::time::timeout(self.0.patience, ready).await;
            in_time.unwrap_or(Err(sqlx::Error::PoolTimedOut))
        } else {
            ready.await
        };
        let (connection, opened) = ready.map_err(|error| match error {
            // Nothing was asked yet, which an error of the connection would leave open.
            sqlx::Error::Io(_) => sqlx::Error::PoolTimedOut,
            error => error,
        })?;
        Ok(Taken {
            connection: Some(connection),
            opened,
            is_asked: false,
            line: self.0.clone(),
            place: Some(place),
        })
    }

    /// Begins a transaction.
    pub(in crate::store) async fn begin(
        &self,
        statement: &'static str,
    ) -> Result<Transaction<C>, StoreError> {
        // Whoever gives up while it begins leaves it to be rolled back, too.
        let mut transaction = Transaction(Some(self.take().await?));
        let begun = transaction.ask()?.say(statement).await;
        if begun.is_err()
            && let Some(taken) = &mut transaction.0
        {
            taken.lose();
        }
        transaction.heard(begun)?;
        Ok(transaction)
    }

    /// Waits for all connections and closes them for good.
    pub(in crate::store) async fn close(&self) {
        let all = self.0.free.acquire_many(self.0.most).await;
        self.0.free.close();
        drop(all);
        let resting = std::mem::take(&mut *self.0.resting());
        for Resting { connection, .. } in resting {
            if let Err(error) = connection.close().await {
                tracing::warn!(%error, "a connection to the database was not closed in order");
            }
        }
    }
}

/// A connection, until it is dropped.
#[derive(Debug)]
pub(in crate::store) struct Taken<C: Engine> {
    connection: Option<C>,
    opened: Instant,
    /// Whether it was asked something and has not answered yet.
    is_asked: bool,
    line: Arc<Line<C>>,
    place: Option<OwnedSemaphorePermit>,
}

impl<C: Engine> Taken<C> {
    /// To ask it one thing. If the caller is dropped before it has called [`Taken::heard`], a connection to a server is
    /// closed, not given back: nobody else waits for its answer, or takes it for one to something else. A connection to a
    /// file is given back; its thread finishes first.
    pub(in crate::store) fn ask(&mut self) -> Result<&mut C, sqlx::Error> {
        self.is_asked = true;
        self.connection.as_mut().ok_or(sqlx::Error::WorkerCrashed)
    }

    /// What it answered; parts with it unless it is as good as before.
    pub(in crate::store) fn heard<T>(
        &mut self,
        answer: Result<T, impl Into<StoreError>>,
    ) -> Result<T, StoreError> {
        let answer = answer.map_err(Into::into);
        match &answer {
            Ok(_) => self.is_asked = false,
            Err(StoreError::Database(sqlx::Error::Database(error))) if C::outlives(&**error) => {
                self.is_asked = false;
            }
            // It may answer yet.
            Err(StoreError::Silent) => {}
            Err(_) => self.lose(),
        }
        answer
    }

    /// Parts with a connection of which nobody knows how it stands.
    fn lose(&mut self) {
        self.connection = None;
    }
}

impl<C: Engine> Drop for Taken<C> {
    fn drop(&mut self) {
        let Some(connection) = self.connection.take() else {
            return;
        };
        if C::IS_REMOTE && self.is_asked {
            // Without a runtime it is closed at once.
            if let Ok(runtime) = tokio::runtime::Handle::try_current() {
                runtime.spawn(hear_out(connection, self.place.take()));
            }
            return;
        }
        let mut resting = self.line.resting();
        if C::IS_REMOTE {
            resting.retain(|one| one.since.elapsed() < STALE && one.opened.elapsed() < OLD);
        }
        resting.push(Resting {
            connection,
            opened: self.opened,
            since: Instant::now(),
        });
    }
}

/// Lets a server come to an end with what nobody waits for, then closes the connection. Its place in the line stays taken
/// meanwhile: a server that hangs does not hear more and more of us.
async fn hear_out<C: Engine>(mut connection: C, place: Option<OwnedSemaphorePermit>) {
    let _ = tokio::time::timeout(HEARD_OUT, connection.ping()).await;
    drop((connection, place));
}

/// A transaction; dropped without `commit` it rolls back.
#[derive(Debug)]
pub(in crate::store) struct Transaction<C: Engine>(Option<Taken<C>>);

impl<C: Engine> Transaction<C> {
    /// As [`Taken::ask`].
    pub(in crate::store) fn ask(&mut self) -> Result<&mut C, sqlx::Error> {
        self.0.as_mut().ok_or(sqlx::Error::WorkerCrashed)?.ask()
    }

    /// As [`Taken::heard`].
    pub(in crate::store) fn heard<T>(
        &mut self,
        answer: Result<T, impl Into<StoreError>>,
    ) -> Result<T, StoreError> {
        match &mut self.0 {
            Some(taken) => taken.heard(answer),
            None => answer.map_err(Into::into),
        }
    }

    pub(in crate::store) async fn commit(mut self) -> Result<(), StoreError> {
        let committed = self.ask()?.say("COMMIT").await;
        self.heard(committed)?;
        self.0 = None;
        Ok(())
    }
}

impl<C: Engine> Drop for Transaction<C> {
    fn drop(&mut self) {
        let Some(mut taken) = self.0.take() else {
            return;
        };
        if C::IS_REMOTE && taken.is_asked {
            // It is closed, and the server rolls back then.
            return;
        }
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
async fn roll_back<C: Engine>(mut taken: Taken<C>, mut connection: C) {
    let rolled_back = connection.say("ROLLBACK");
    let is_over = if C::IS_REMOTE {
        let in_time = tokio::time::timeout(taken.line.patience, rolled_back).await;
        matches!(in_time, Ok(Ok(())))
    } else {
        // Where the disk failed SQLite has rolled back by itself, and this fails. Such a connection is not used again.
        rolled_back.await.is_ok()
    };
    if is_over {
        taken.connection = Some(connection);
        taken.is_asked = false;
    }
}
