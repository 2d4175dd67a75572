//! The outbox: alerts to deliver at least once, each under a stable id. Never deleted unsent.

use super::db::{Tx, args};
use super::{Id, ProjectId, Store, StoreError};

/// An alert for one route, to be written in the transaction that caused it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewDelivery {
    /// Its stable id, the receiver's means to drop duplicates.
    pub id: Id,
    /// The finding it tells of.
    pub finding: Id,
    /// The route's name in the configuration.
    pub route: String,
    /// `opened`, `worse`, `closed` …
    pub event: String,
    /// The message as JSON, see `notifier::Message`.
    pub message: String,
}

/// One alert with how its delivery stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Whose.
    pub project: ProjectId,
    /// Its stable id.
    pub id: Id,
    /// The finding it tells of.
    pub finding: Id,
    /// The route's name.
    pub route: String,
    /// What happened to the finding.
    pub event: String,
    /// The message as JSON.
    pub message: String,
    /// When it was written, microseconds.
    pub created_us: i64,
    /// Attempts begun so far; the fence of a claimed delivery.
    pub attempts: i64,
    /// When it was delivered.
    pub sent_us: Option<i64>,
    /// When we gave up.
    pub dead_us: Option<i64>,
    /// Why the last attempt failed.
    pub last_error: Option<String>,
}

const INSERT: &str = "INSERT INTO delivery (project_id, id, finding_id, route, event, message, created_us, due_us, attempts, \
     lease_until_us) VALUES ($1, $2, $3, $4, $5, $6, $7, $7, 0, 0)";
const DUE: &str = "SELECT project_id, id FROM delivery WHERE sent_us IS NULL AND dead_us IS NULL AND due_us <= $1 \
     AND lease_until_us < $1 AND EXISTS (SELECT 1 FROM project WHERE project.id = delivery.project_id) \
     ORDER BY due_us LIMIT $2";
const CLAIM: &str = "UPDATE delivery SET lease_owner = $3, lease_until_us = $4, attempts = attempts + 1 \
     WHERE project_id = $1 AND id = $2 AND sent_us IS NULL AND dead_us IS NULL AND lease_until_us < $5 \
     AND EXISTS (SELECT 1 FROM project WHERE project.id = delivery.project_id) \
     RETURNING project_id, id, finding_id, route, event, message, created_us, attempts, sent_us, dead_us, last_error";
const SENT: &str = "UPDATE delivery SET sent_us = $4, lease_until_us = 0, last_error = NULL \
     WHERE project_id = $1 AND id = $2 AND attempts = $3 AND sent_us IS NULL";
const FAILED: &str = "UPDATE delivery SET due_us = $4, dead_us = $5, last_error = $6, lease_until_us = 0 \
     WHERE project_id = $1 AND id = $2 AND attempts = $3 AND sent_us IS NULL";
const OF_FINDING: &str = "SELECT project_id, id, finding_id, route, event, message, created_us, attempts, sent_us, dead_us, \
     last_error FROM delivery WHERE project_id = $1 AND finding_id = $2 ORDER BY id LIMIT 200";
const RECENT: &str = "SELECT project_id, id, finding_id, route, event, message, created_us, attempts, sent_us, dead_us, \
     last_error FROM delivery WHERE project_id = $1 ORDER BY id DESC LIMIT $2";
const AGAIN: &str = "UPDATE delivery SET dead_us = NULL, due_us = $3, lease_until_us = 0 \
     WHERE project_id = $1 AND id = $2 AND sent_us IS NULL AND dead_us IS NOT NULL";

type DeliveryRow = (
    Vec<u8>,
    Vec<u8>,
    Vec<u8>,
    String,
    String,
    String,
    i64,
    i64,
    Option<i64>,
    Option<i64>,
    Option<String>,
);

fn decode(row: DeliveryRow) -> Result<Delivery, StoreError> {
    Ok(Delivery {
        project: ProjectId(Id::from_row(&row.0)?),
        id: Id::from_row(&row.1)?,
        finding: Id::from_row(&row.2)?,
        route: row.3,
        event: row.4,
        message: row.5,
        created_us: row.6,
        attempts: row.7,
        sent_us: row.8,
        dead_us: row.9,
        last_error: row.10,
    })
}

pub(super) async fn insert(
    tx: &mut Tx,
    project: &ProjectId,
    delivery: &NewDelivery,
    now_us: i64,
) -> Result<(), StoreError> {
    tx.execute(
        INSERT,
        args![
            project,
            &delivery.id,
            &delivery.finding,
            &delivery.route,
            &delivery.event,
            &delivery.message,
            now_us,
        ],
    )
    .await?;
    Ok(())
}

impl Store {
    /// Claims up to `limit` due deliveries for this worker; each claim begins an attempt. One that is not settled
    /// within `lease_us` microseconds is due again.
    pub async fn claim_deliveries(
        &self,
        owner: &str,
        now_us: i64,
        lease_us: i64,
        limit: i64,
    ) -> Result<Vec<Delivery>, StoreError> {
        let due: Vec<(Vec<u8>, Vec<u8>)> = self.db.rows(DUE, args![now_us, limit]).await?;
        let mut claimed = Vec::new();
        for (project, id) in due {
            let mut tx = self.db.begin().await?;
            let row: Option<DeliveryRow> = tx
                .row(
                    CLAIM,
                    args![&project, &id, owner, now_us + lease_us, now_us],
                )
                .await?;
            tx.commit().await?;
            claimed.extend(row.map(decode).transpose()?);
        }
        Ok(claimed)
    }

    /// Notes that an attempt was taken by its receiver; a stale worker's word changes nothing.
    pub async fn delivery_sent(&self, delivery: &Delivery, now_us: i64) -> Result<(), StoreError> {
        self.db
            .execute(
                SENT,
                args![&delivery.project, &delivery.id, delivery.attempts, now_us],
            )
            .await?;
        Ok(())
    }

    /// Notes that an attempt failed: due again at `due_us`, or dead for good.
    pub async fn delivery_failed(
        &self,
        delivery: &Delivery,
        error: &str,
        due_us: i64,
        dead_us: Option<i64>,
    ) -> Result<(), StoreError> {
        self.db
            .execute(
                FAILED,
                args![
                    &delivery.project,
                    &delivery.id,
                    delivery.attempts,
                    due_us,
                    dead_us,
                    error,
                ],
            )
            .await?;
        Ok(())
    }

    /// The deliveries of a finding, oldest first.
    pub async fn deliveries_of(
        &self,
        project: &ProjectId,
        finding: &Id,
    ) -> Result<Vec<Delivery>, StoreError> {
        let rows: Vec<DeliveryRow> = self.db.rows(OF_FINDING, args![project, finding]).await?;
        rows.into_iter().map(decode).collect()
    }

    /// The newest deliveries of a project, dead letters among them.
    pub async fn recent_deliveries(
        &self,
        project: &ProjectId,
        limit: i64,
    ) -> Result<Vec<Delivery>, StoreError> {
        let rows: Vec<DeliveryRow> = self.db.rows(RECENT, args![project, limit]).await?;
        rows.into_iter().map(decode).collect()
    }

    /// Brings a dead letter back into the queue.
    pub async fn send_again(
        &self,
        project: &ProjectId,
        delivery: &Id,
        actor: &str,
        now_us: i64,
    ) -> Result<(), StoreError> {
        let mut tx = self.db.begin().await?;
        if tx.execute(AGAIN, args![project, delivery, now_us]).await? == 0 {
            return Err(StoreError::NotFound);
        }
        let subject = delivery.to_string();
        super::access::audit(
            &mut tx,
            project,
            actor,
            "delivery.again",
            &subject,
            "",
            now_us,
        )
        .await?;
        tx.commit().await
    }
}
