//! Which state a project's record (series, runs, releases, epochs, configuration) is in, so that a reader knows without
//! reading it again that what it remembers still holds.
//!
//! Every instance counts its own changes in a row of its own: nobody waits for anybody, and a reader compares all rows.
//! A row counts from the time when it was made, so that one that was forgotten and made anew is not taken for the old one.

use std::sync::OnceLock;

use super::db::{Tx, args};
use super::journal::DAY_US;
use super::{Id, ProjectId, Store, StoreError};

const BUMP: &str = "INSERT INTO record_version (project_id, instance_id, version, changed_us) VALUES ($1, $2, $3, $3) \
     ON CONFLICT (project_id, instance_id) DO UPDATE SET version = record_version.version + 1, changed_us = excluded.changed_us";
const FORGET: &str = "DELETE FROM record_version WHERE project_id = $1 AND changed_us < $2";
const READ: &str = "SELECT instance_id, version FROM record_version WHERE project_id = $1 ORDER BY instance_id LIMIT 10000";

/// The state of a project's record: equal states mean that nothing of it has changed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RecordVersion(Vec<(Vec<u8>, i64)>);

/// An instance that has changed nothing for so long (a day, in microseconds) is no more, mostly.
const MEMORY_US: i64 = DAY_US;

/// Notes inside a transaction that the project's record changes with it.
pub(super) async fn bump(tx: &mut Tx, project: &ProjectId, now_us: i64) -> Result<(), StoreError> {
    static INSTANCE: OnceLock<Id> = OnceLock::new();
    let instance = INSTANCE.get_or_init(Id::new);
    tx.execute(BUMP, args![project, instance, now_us]).await?;
    Ok(())
}

/// Forgets the rows of instances that have changed nothing for long.
pub(super) async fn forget_gone(
    tx: &mut Tx,
    project: &ProjectId,
    now_us: i64,
) -> Result<(), StoreError> {
    tx.execute(FORGET, args![project, now_us - MEMORY_US])
        .await?;
    Ok(())
}

impl Store {
    /// The present state of a project's record. Read it before the record: what changes in between shows next time.
    pub async fn record_version(&self, project: &ProjectId) -> Result<RecordVersion, StoreError> {
        Ok(RecordVersion(self.db.rows(READ, args![project]).await?))
    }
}
