//! Releases: versions or commits, with what is needed to order them.

use super::db::{Tx, args};
use super::{ProjectId, Store, StoreError};

/// A version or commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// Its name, else its commit.
    pub name: String,
    /// Commit hash.
    pub commit: Option<String>,
    /// First parent: a release name or commit hash.
    pub parent: Option<String>,
    /// Branch.
    pub branch: Option<String>,
    /// Whether it lies on the main branch.
    pub on_main: bool,
    /// Commit or deploy time where told, else when its first data were measured; microseconds since the epoch, UTC.
    pub time_us: i64,
    /// Whether somebody told us the time; a told time replaces a seen one, never the other way round.
    pub declared: bool,
    /// What the release is about, where told.
    pub note: Option<String>,
}

impl Release {
    /// Whether `other` says no more of this release than this does already.
    pub(super) fn says_all_of(&self, other: &Release) -> bool {
        let is_no_news = if self.declared {
            other.time_us == self.time_us
        } else {
            other.time_us >= self.time_us
        };
        let same_time = Release {
            time_us: self.time_us,
            ..other.clone()
        };
        is_no_news && same_time == *self
    }
}

type ReleaseRow = (
    String,
    Option<String>,
    Option<String>,
    Option<String>,
    i64,
    i64,
    i64,
    Option<String>,
);

// What was told wins over what was only seen; a seen time only moves to the earlier.
const UPSERT: &str = "INSERT INTO release (project_id, name, commit_id, parent, branch, on_main, time_us, declared, \
     note, created_us) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) \
     ON CONFLICT (project_id, name) DO UPDATE SET \
     commit_id = COALESCE(excluded.commit_id, release.commit_id), \
     parent = COALESCE(excluded.parent, release.parent), \
     branch = COALESCE(excluded.branch, release.branch), \
     on_main = CASE WHEN excluded.on_main > release.on_main THEN excluded.on_main ELSE release.on_main END, \
     time_us = CASE WHEN excluded.declared > release.declared THEN excluded.time_us \
         WHEN excluded.declared < release.declared THEN release.time_us \
         WHEN excluded.declared = 1 THEN excluded.time_us \
         WHEN excluded.time_us < release.time_us THEN excluded.time_us ELSE release.time_us END, \
     declared = CASE WHEN excluded.declared > release.declared THEN excluded.declared ELSE release.declared END, \
     note = COALESCE(excluded.note, release.note)";
const SEEN: &str = "INSERT INTO release (project_id, name, on_main, time_us, declared, created_us) \
     VALUES ($1, $2, 1, $3, 0, $4) ON CONFLICT (project_id, name) DO NOTHING";
const LIST: &str = "SELECT name, commit_id, parent, branch, on_main, time_us, declared, note FROM release \
     WHERE project_id = $1 ORDER BY name LIMIT $2";

/// Ten years of ten releases a day.
const RELEASE_LIMIT: i64 = 40_000;

pub(super) async fn upsert(
    tx: &mut Tx,
    project: &ProjectId,
    release: &Release,
    now_us: i64,
) -> Result<(), StoreError> {
    tx.execute(
        UPSERT,
        args![
            project,
            &release.name,
            &release.commit,
            &release.parent,
            &release.branch,
            i64::from(release.on_main),
            release.time_us,
            i64::from(release.declared),
            &release.note,
            now_us,
        ],
    )
    .await?;
    Ok(())
}

/// Registers a release that field data name, unless it is known; how many were new.
pub(super) async fn seen(
    tx: &mut Tx,
    project: &ProjectId,
    release: &str,
    time_us: i64,
    now_us: i64,
) -> Result<u64, StoreError> {
    tx.execute(SEEN, args![project, release, time_us, now_us])
        .await
}

impl Store {
    /// Registers a release, or tells more about a known one.
    pub async fn declare_release(
        &self,
        project: &ProjectId,
        release: &Release,
        now_us: i64,
    ) -> Result<(), StoreError> {
        let mut tx = self.db.begin().await?;
        upsert(&mut tx, project, release, now_us).await?;
        // A new order changes what came before what: everything is judged again.
        super::windows::mark_all(&mut tx, project, now_us).await?;
        tx.commit().await
    }

    /// All releases of a project, in no particular order: `stats::release_order` gives the order.
    pub async fn releases(&self, project: &ProjectId) -> Result<Vec<Release>, StoreError> {
        let rows: Vec<ReleaseRow> = self.db.rows(LIST, args![project, RELEASE_LIMIT]).await?;
        Ok(rows
            .into_iter()
            .map(
                |(name, commit, parent, branch, on_main, time_us, declared, note)| Release {
                    name,
                    commit,
                    parent,
                    branch,
                    on_main: on_main != 0,
                    time_us,
                    declared: declared != 0,
                    note,
                },
            )
            .collect())
    }
}
