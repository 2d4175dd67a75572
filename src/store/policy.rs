//! The configuration in force: every version of `longwatch.toml` that was applied, the newest wins.

use super::db::args;
use super::{ProjectId, Store, StoreError};

/// One applied version of a project's `longwatch.toml`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Counts up from 1.
    pub version: i64,
    /// The file's text.
    pub toml: String,
    /// When it was applied, microseconds.
    pub applied_us: i64,
    /// Who applied it.
    pub actor: String,
}

const NEWEST: &str = "SELECT version, toml, applied_us, actor FROM policy WHERE project_id = $1 ORDER BY version DESC LIMIT 1";
const APPLY: &str = "INSERT INTO policy (project_id, version, toml, applied_us, actor) VALUES ($1, $2, $3, $4, $5) \
     ON CONFLICT (project_id, version) DO NOTHING";

impl Store {
    /// The configuration in force, if one was ever applied.
    pub async fn policy(&self, project: &ProjectId) -> Result<Option<Policy>, StoreError> {
        let row: Option<(i64, String, i64, String)> = self.db.row(NEWEST, args![project]).await?;
        Ok(row.map(|(version, toml, applied_us, actor)| Policy {
            version,
            toml,
            applied_us,
            actor,
        }))
    }

    /// Puts a checked configuration in force. The caller has parsed it; everything is judged again under it.
    pub async fn apply_policy(
        &self,
        project: &ProjectId,
        toml: &str,
        actor: &str,
        now_us: i64,
    ) -> Result<Policy, StoreError> {
        let mut tx = self.db.begin().await?;
        let version = loop {
            let newest: Option<(i64, String, i64, String)> = tx.row(NEWEST, args![project]).await?;
            let version = newest.map_or(1, |(version, ..)| version + 1);
            let applied = args![project, version, toml, now_us, actor];
            // Whoever applied another one meanwhile has taken the number.
            if tx.execute(APPLY, applied).await? == 1 {
                break version;
            }
        };
        super::windows::mark_all(&mut tx, project, now_us).await?;
        let subject = format!("version {version}");
        super::access::audit(
            &mut tx,
            project,
            actor,
            "config.apply",
            &subject,
            "",
            now_us,
        )
        .await?;
        tx.commit().await?;
        Ok(Policy {
            version,
            toml: toml.to_owned(),
            applied_us: now_us,
            actor: actor.to_owned(),
        })
    }
}
