//! Leases: who may do a project's background work, with a fence against those who were too slow.

use super::db::{Arg, Db, Tx, args};
use super::{Id, ProjectId, Store, StoreError};

/// The right to do one kind of work for one project until a time; every effect checks its fence.
#[derive(Debug, Clone)]
pub struct Lease {
    /// Whose work.
    pub project: ProjectId,
    kind: &'static str,
    owner: String,
    fence: i64,
}

/// A lease outlives any one transaction by far, and a dead owner's work waits no longer than this (microseconds).
const LEASE_US: i64 = 30_000_000;
/// Nothing rests longer (microseconds).
const REST_US_MAX: i64 = 3_600_000_000;
/// Rows that a poll for waiting work reads at a time: 16 bytes each.
const POLL_ROWS: i64 = 1_000;
/// Projects that one instance works on in a round: as many as there can be.
const PROJECTS_A_ROUND: usize = 10_000;

/// The kind of lease that judgements hold.
pub(super) const DETECT: &str = "detect";

const TAKE: &str = "INSERT INTO lease (project_id, kind, owner, until_us, fence) VALUES ($1, $2, $3, $4, 1) \
     ON CONFLICT (project_id, kind) DO UPDATE SET owner = excluded.owner, until_us = excluded.until_us, \
     fence = lease.fence + 1 WHERE lease.until_us < $5 OR lease.until_us > $6 OR lease.owner = excluded.owner \
     RETURNING fence";
const HOLD: &str = "UPDATE lease SET until_us = $5 WHERE project_id = $1 AND kind = $2 AND owner = $3 AND fence = $4";
const RELEASE: &str = "UPDATE lease SET until_us = 0 WHERE project_id = $1 AND kind = $2 AND owner = $3 AND fence = $4";
const BREAK_OFF: &str = "INSERT INTO lease (project_id, kind, owner, until_us, fence) VALUES ($1, $2, '', 0, 1) \
     ON CONFLICT (project_id, kind) DO UPDATE SET until_us = 0, fence = lease.fence + 1";
const END_LEASES: &str = "UPDATE lease SET until_us = 0 WHERE until_us > 0";
const END_CLAIMS: &str = "UPDATE delivery SET lease_until_us = 0 \
     WHERE sent_us IS NULL AND dead_us IS NULL AND lease_until_us > 0";

/// The kind of lease that upkeep holds; while it rests nothing is due.
const UPKEEP: &str = "upkeep";
const RESTING: &str = "SELECT project_id FROM lease WHERE project_id > $1 AND kind = 'upkeep' AND until_us >= $3 \
     ORDER BY project_id LIMIT $2";

impl Store {
    /// Projects whose upkeep is due.
    pub async fn projects_to_keep_up(&self, now_us: i64) -> Result<Vec<ProjectId>, StoreError> {
        let resting = waiting(&self.db, RESTING, Some(now_us)).await?;
        let projects = self.projects().await?.into_iter().map(|(id, _)| id);
        Ok(projects
            .filter(|id| resting.binary_search(id).is_err())
            .collect())
    }

    /// Takes the lease on a project's upkeep, unless another owner holds it or has just been through it.
    pub async fn lease_of_upkeep(
        &self,
        project: &ProjectId,
        owner: &str,
        now_us: i64,
    ) -> Result<Option<Lease>, StoreError> {
        self.take(project, UPKEEP, owner, now_us, REST_US_MAX).await
    }

    /// Lets the work of a lease rest until a time: nobody else takes it up before.
    pub async fn rest(&self, lease: &Lease, until_us: i64) -> Result<(), StoreError> {
        let Lease {
            project,
            kind,
            owner,
            fence,
        } = lease;
        self.db
            .execute(HOLD, args![project, *kind, owner, *fence, until_us])
            .await?;
        Ok(())
    }

    /// Takes the lease on a kind of work, unless another living owner holds it.
    pub async fn lease(
        &self,
        project: &ProjectId,
        kind: &'static str,
        owner: &str,
        now_us: i64,
    ) -> Result<Option<Lease>, StoreError> {
        self.take(project, kind, owner, now_us, LEASE_US).await
    }

    /// Takes a lease that nobody takes or lets rest for longer than `longest_us`. One that lasts for more than twice as
    /// long comes from a wrong clock, and is over.
    async fn take(
        &self,
        project: &ProjectId,
        kind: &'static str,
        owner: &str,
        now_us: i64,
        longest_us: i64,
    ) -> Result<Option<Lease>, StoreError> {
        let (until_us, farthest_us) = (now_us + LEASE_US, now_us + 2 * longest_us);
        let mut tx = self.db.begin().await?;
        let fence: Option<(i64,)> = tx
            .row(
                TAKE,
                args![project, kind, owner, until_us, now_us, farthest_us],
            )
            .await?;
        tx.commit().await?;
        Ok(fence.map(|(fence,)| Lease {
            project: *project,
            kind,
            owner: owner.to_owned(),
            fence,
        }))
    }

    /// Prolongs a lease, for work that takes long before it writes anything.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`] where another owner has taken it since.
    pub async fn prolong(&self, lease: &Lease, now_us: i64) -> Result<(), StoreError> {
        let mut tx = self.db.begin().await?;
        hold(&mut tx, lease, now_us).await?;
        tx.commit().await
    }

    /// Gives a lease back, so that the next owner need not wait for its end.
    pub async fn give_back(&self, lease: &Lease) -> Result<(), StoreError> {
        self.db
            .execute(
                RELEASE,
                args![&lease.project, lease.kind, &lease.owner, lease.fence],
            )
            .await?;
        Ok(())
    }

    /// Ends all leases and all claims on deliveries. For a server that holds its database alone: whoever owned them
    /// before is dead, so that nothing need wait for their end.
    pub async fn end_claims_of_the_dead(&self) -> Result<(), StoreError> {
        self.db.execute(END_LEASES, &[]).await?;
        self.db.execute(END_CLAIMS, &[]).await?;
        Ok(())
    }
}

/// Inside a transaction: prolongs the lease, or fails when another owner has taken it since.
pub(super) async fn hold(tx: &mut Tx, lease: &Lease, now_us: i64) -> Result<(), StoreError> {
    let held = tx
        .execute(
            HOLD,
            args![
                &lease.project,
                lease.kind,
                &lease.owner,
                lease.fence,
                now_us + LEASE_US,
            ],
        )
        .await?;
    if held == 1 {
        Ok(())
    } else {
        Err(StoreError::LeaseLost)
    }
}

/// The projects that have work waiting. `poll` reads the rows of work behind a project (`$1`), in the projects' order and
/// so many at a time (`$2`), before a time where one is given (`$3`). What comes next is asked for behind the last project found: of a project with a long
/// backlog no more than the first rows are read, and a poll stays short however much waits.
pub(super) async fn waiting(
    db: &Db,
    poll: &'static str,
    before_us: Option<i64>,
) -> Result<Vec<ProjectId>, StoreError> {
    let mut projects: Vec<ProjectId> = Vec::new();
    while projects.len() < PROJECTS_A_ROUND {
        let behind = projects.last().map_or(Id::NIL, |project| *project.id());
        let mut values = args![&behind, POLL_ROWS].to_vec();
        values.extend(before_us.map(Arg::from));
        let rows: Vec<(Vec<u8>,)> = db.rows(poll, &values).await?;
        for (id,) in &rows {
            let project = ProjectId(Id::from_row(id)?);
            if projects.last() != Some(&project) {
                projects.push(project);
            }
        }
        if (rows.len() as i64) < POLL_ROWS {
            break;
        }
    }
    Ok(projects)
}

/// Inside a transaction: whoever does this work now can't write what comes of it; it is begun anew.
pub(super) async fn break_off(
    tx: &mut Tx,
    project: &ProjectId,
    kind: &str,
) -> Result<(), StoreError> {
    tx.execute(BREAK_OFF, args![project, kind]).await?;
    Ok(())
}
