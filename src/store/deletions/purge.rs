//! The removal of a project that is no more: table after table, a bounded number of rows a step. What arrives after all
//! (an upload or judgement that was under way when the project went) is found by looking again for a while, and by the
//! fold whenever it is a journal row.

use super::super::db::{Tx, args};
use super::super::{ProjectId, StoreError};
use super::steps::ROWS_A_STEP;

/// No request, commit or judgement that was under way when the project went takes as long, microseconds.
const LAST_LOOK_US: i64 = 10 * 60 * 1_000_000;
/// An emptied project is looked at again after this long, microseconds.
const LOOK_AGAIN_US: i64 = 60 * 1_000_000;

// The rows of a project, by table; $2 is how many at most.
const ACCESS_TOKEN: &str = "DELETE FROM access_token WHERE project_id = $1 AND id IN \
     (SELECT id FROM access_token WHERE project_id = $1 LIMIT $2)";
const DELIVERY: &str = "DELETE FROM delivery WHERE project_id = $1 AND id IN \
     (SELECT id FROM delivery WHERE project_id = $1 LIMIT $2)";
const JOURNAL: &str = "DELETE FROM journal WHERE project_id = $1 AND id IN \
     (SELECT id FROM journal WHERE project_id = $1 ORDER BY id LIMIT $2)";
const DELETION_JOURNAL: &str = "DELETE FROM deletion_journal WHERE project_id = $1 AND (deletion_id, journal_id) IN \
     (SELECT deletion_id, journal_id FROM deletion_journal WHERE project_id = $1 LIMIT $2)";
const DELETION: &str = "DELETE FROM deletion WHERE project_id = $1 AND id IN \
     (SELECT id FROM deletion WHERE project_id = $1 AND kind <> 'project' LIMIT $2)";
const PENDING: &str = "DELETE FROM pending WHERE project_id = $1 AND report_id IN \
     (SELECT report_id FROM pending WHERE project_id = $1 LIMIT $2)";
const OPEN_BUCKET: &str = "DELETE FROM open_bucket WHERE project_id = $1 AND bucket_us IN \
     (SELECT bucket_us FROM open_bucket WHERE project_id = $1 LIMIT $2)";
const OPEN_REPORT: &str = "DELETE FROM open_report WHERE project_id = $1 AND (bucket_us, part, id) IN \
     (SELECT bucket_us, part, id FROM open_report WHERE project_id = $1 LIMIT $2)";
const CLOSED_REPORT: &str = "DELETE FROM closed_report WHERE project_id = $1 AND (hour_us, part, id) IN \
     (SELECT hour_us, part, id FROM closed_report WHERE project_id = $1 LIMIT $2)";
const RECORD_VERSION: &str = "DELETE FROM record_version WHERE project_id = $1 AND instance_id IN \
     (SELECT instance_id FROM record_version WHERE project_id = $1 LIMIT $2)";
const SERIES_WINDOW: &str = "DELETE FROM series_window WHERE project_id = $1 AND (series_id, kind, start_us, release, run_id) IN \
     (SELECT series_id, kind, start_us, release, run_id FROM series_window WHERE project_id = $1 LIMIT $2)";
const SERIES_STATE: &str = "DELETE FROM series_state WHERE project_id = $1 AND series_id IN \
     (SELECT series_id FROM series_state WHERE project_id = $1 LIMIT $2)";
const SERIES: &str = "DELETE FROM series WHERE project_id = $1 AND id IN \
     (SELECT id FROM series WHERE project_id = $1 LIMIT $2)";
const FINDING_EVENT: &str = "DELETE FROM finding_event WHERE project_id = $1 AND (finding_id, id) IN \
     (SELECT finding_id, id FROM finding_event WHERE project_id = $1 LIMIT $2)";
const FINDING: &str = "DELETE FROM finding WHERE project_id = $1 AND id IN \
     (SELECT id FROM finding WHERE project_id = $1 LIMIT $2)";
const VERDICT: &str = "DELETE FROM verdict WHERE project_id = $1 AND id IN \
     (SELECT id FROM verdict WHERE project_id = $1 LIMIT $2)";
const BATCH: &str = "DELETE FROM batch WHERE project_id = $1 AND id IN \
     (SELECT id FROM batch WHERE project_id = $1 LIMIT $2)";
const IDEMPOTENCY: &str = "DELETE FROM idempotency WHERE project_id = $1 AND key IN \
     (SELECT key FROM idempotency WHERE project_id = $1 LIMIT $2)";
const RUN: &str = "DELETE FROM run WHERE project_id = $1 AND id IN (SELECT id FROM run WHERE project_id = $1 LIMIT $2)";
const RELEASE: &str = "DELETE FROM release WHERE project_id = $1 AND name IN \
     (SELECT name FROM release WHERE project_id = $1 LIMIT $2)";
const EPOCH: &str = "DELETE FROM epoch WHERE project_id = $1 AND id IN \
     (SELECT id FROM epoch WHERE project_id = $1 LIMIT $2)";
const POLICY: &str = "DELETE FROM policy WHERE project_id = $1 AND version IN \
     (SELECT version FROM policy WHERE project_id = $1 LIMIT $2)";
const DROPPED_COUNT: &str = "DELETE FROM dropped_count WHERE project_id = $1 AND (day_us, reason) IN \
     (SELECT day_us, reason FROM dropped_count WHERE project_id = $1 LIMIT $2)";

/// In this order; the audit trail stays, and the row of the deletion.
const ROWS: &[&str] = &[
    ACCESS_TOKEN,
    DELIVERY,
    JOURNAL,
    DELETION_JOURNAL,
    DELETION,
    PENDING,
    OPEN_BUCKET,
    OPEN_REPORT,
    CLOSED_REPORT,
    RECORD_VERSION,
    SERIES_WINDOW,
    SERIES_STATE,
    SERIES,
    FINDING_EVENT,
    FINDING,
    VERDICT,
    BATCH,
    IDEMPOTENCY,
    RUN,
    RELEASE,
    EPOCH,
    POLICY,
    DROPPED_COUNT,
];
const DROP_LEASES: &str = "DELETE FROM lease WHERE project_id = $1";
const EMPTIED: &str = "UPDATE deletion SET due_us = $2, done_us = CASE WHEN asked_us < $3 THEN CAST($4 AS BIGINT) END \
     WHERE project_id = $1 AND kind = 'project' AND done_us IS NULL";

/// Removes the next rows; whether there may be more.
pub(super) async fn step(
    tx: &mut Tx,
    project: &ProjectId,
    now_us: i64,
) -> Result<bool, StoreError> {
    let mut gone = 0;
    for sql in ROWS {
        gone += tx
            .execute(sql, args![project, (ROWS_A_STEP - gone) as i64])
            .await?;
        if gone >= ROWS_A_STEP {
            return Ok(true);
        }
    }
    if gone > 0 {
        return Ok(true);
    }
    // The fold's own lease among them: it has nothing to do here any more.
    tx.execute(DROP_LEASES, args![project]).await?;
    let (again_us, last_us) = (now_us + LOOK_AGAIN_US, now_us - LAST_LOOK_US);
    tx.execute(EMPTIED, args![project, again_us, last_us, now_us])
        .await?;
    Ok(false)
}
