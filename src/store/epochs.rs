//! Epochs that a person or a pipeline declared, with a reason. Those that data show need no row.

use super::db::args;
use super::{Id, ProjectId, Store, StoreError};

/// A declared change of how or what is measured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeclaredEpoch {
    /// Its id.
    pub id: Id,
    /// The flow measured anew.
    pub flow: String,
    /// Only this source, or all (`None`).
    pub source: Option<String>,
    /// From when on, microseconds.
    pub at_us: i64,
    /// `workload`, `harness` or `machine`.
    pub kind: String,
    /// Why, in the declarer's words.
    pub reason: String,
    /// Who declared it.
    pub actor: String,
}

const DECLARE: &str = "INSERT INTO epoch (project_id, id, flow, source, at_us, kind, reason, actor, created_us) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
const LIST: &str = "SELECT id, flow, source, at_us, kind, reason, actor FROM epoch \
     WHERE project_id = $1 ORDER BY at_us LIMIT 10000";

type EpochRow = (Vec<u8>, String, Option<String>, i64, String, String, String);

impl Store {
    /// Declares an epoch; everything is judged again.
    pub async fn declare_epoch(
        &self,
        project: &ProjectId,
        epoch: &DeclaredEpoch,
        now_us: i64,
    ) -> Result<(), StoreError> {
        let mut tx = self.db.begin().await?;
        tx.execute(
            DECLARE,
            args![
                project,
                &epoch.id,
                &epoch.flow,
                &epoch.source,
                epoch.at_us,
                &epoch.kind,
                &epoch.reason,
                &epoch.actor,
                now_us,
            ],
        )
        .await?;
        super::windows::mark_all(&mut tx, project, now_us).await?;
        super::access::audit(
            &mut tx,
            project,
            &epoch.actor,
            "epoch.declare",
            &epoch.flow,
            &epoch.reason,
            now_us,
        )
        .await?;
        tx.commit().await
    }

    /// All declared epochs, oldest first.
    pub async fn declared_epochs(
        &self,
        project: &ProjectId,
    ) -> Result<Vec<DeclaredEpoch>, StoreError> {
        let rows: Vec<EpochRow> = self.db.rows(LIST, args![project]).await?;
        rows.into_iter()
            .map(|(id, flow, source, at_us, kind, reason, actor)| {
                Ok(DeclaredEpoch {
                    id: Id::from_row(&id)?,
                    flow,
                    source,
                    at_us,
                    kind,
                    reason,
                    actor,
                })
            })
            .collect()
    }
}
