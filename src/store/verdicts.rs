//! Verdicts, stored with all their evidence: the same evidence gives the same stored verdict.

use super::db::args;
use super::{Id, ProjectId, Store, StoreError};

/// A gate's stored answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredVerdict {
    /// Its id.
    pub id: Id,
    /// The gate.
    pub gate: String,
    /// The release asked about.
    pub release: String,
    /// SHA-256 over all evidence and rules.
    pub evidence_sha256: [u8; 32],
    /// `pass`, `fail` or `inconclusive`.
    pub verdict: String,
    /// The whole answer as JSON (design §4).
    pub body: String,
    /// When it was first given, microseconds.
    pub created_us: i64,
}

type VerdictRow = (Vec<u8>, String, String, Vec<u8>, String, String, i64);

const INSERT: &str = "INSERT INTO verdict (project_id, id, gate, release, evidence_sha256, verdict, body, created_us) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (project_id, gate, release, evidence_sha256) DO NOTHING";
const SAME: &str = "SELECT id, gate, release, evidence_sha256, verdict, body, created_us FROM verdict \
     WHERE project_id = $1 AND gate = $2 AND release = $3 AND evidence_sha256 = $4";
const ONE: &str = "SELECT id, gate, release, evidence_sha256, verdict, body, created_us FROM verdict \
     WHERE project_id = $1 AND id = $2";
const LOOKS: &str = "SELECT CAST(COUNT(*) AS BIGINT) FROM verdict WHERE project_id = $1 AND gate = $2 AND release = $3";
const RECENT: &str = "SELECT id, gate, release, evidence_sha256, verdict, body, created_us FROM verdict \
     WHERE project_id = $1 ORDER BY created_us DESC LIMIT $2";

fn decode(row: VerdictRow) -> Result<StoredVerdict, StoreError> {
    let (id, gate, release, evidence, verdict, body, created_us) = row;
    Ok(StoredVerdict {
        id: Id::from_row(&id)?,
        gate,
        release,
        evidence_sha256: evidence
            .try_into()
            .map_err(|_| StoreError::Corrupt("evidence hash".into()))?,
        verdict,
        body,
        created_us,
    })
}

impl Store {
    /// The verdict that this evidence was given before, if any.
    pub async fn verdict_on(
        &self,
        project: &ProjectId,
        gate: &str,
        release: &str,
        evidence_sha256: &[u8; 32],
    ) -> Result<Option<StoredVerdict>, StoreError> {
        let row: Option<VerdictRow> = self
            .db
            .row(SAME, args![project, gate, release, evidence_sha256])
            .await?;
        row.map(decode).transpose()
    }

    /// Stores a verdict; when another instance was first with the same evidence, its verdict is returned.
    pub async fn store_verdict(
        &self,
        project: &ProjectId,
        verdict: StoredVerdict,
    ) -> Result<StoredVerdict, StoreError> {
        let fresh = self
            .db
            .execute(
                INSERT,
                args![
                    project,
                    &verdict.id,
                    &verdict.gate,
                    &verdict.release,
                    &verdict.evidence_sha256,
                    &verdict.verdict,
                    &verdict.body,
                    verdict.created_us,
                ],
            )
            .await?;
        if fresh == 1 {
            return Ok(verdict);
        }
        self.verdict_on(
            project,
            &verdict.gate,
            &verdict.release,
            &verdict.evidence_sha256,
        )
        .await?
        .ok_or(StoreError::NotFound)
    }

    /// How many different sets of evidence a gate has already been shown for a release.
    pub async fn looks(
        &self,
        project: &ProjectId,
        gate: &str,
        release: &str,
    ) -> Result<u32, StoreError> {
        let row: Option<(i64,)> = self.db.row(LOOKS, args![project, gate, release]).await?;
        Ok(row.map_or(0, |(looks,)| looks.clamp(0, 1_000_000) as u32))
    }

    /// One verdict.
    pub async fn verdict(
        &self,
        project: &ProjectId,
        id: &Id,
    ) -> Result<Option<StoredVerdict>, StoreError> {
        let row: Option<VerdictRow> = self.db.row(ONE, args![project, id]).await?;
        row.map(decode).transpose()
    }

    /// The newest verdicts of all gates, newest first.
    pub async fn verdicts(
        &self,
        project: &ProjectId,
        limit: i64,
    ) -> Result<Vec<StoredVerdict>, StoreError> {
        let rows: Vec<VerdictRow> = self.db.rows(RECENT, args![project, limit]).await?;
        rows.into_iter().map(decode).collect()
    }
}
