//! Page views whose last word may still come. The fold puts their reports aside in blocks, one for each of
//! [`PARTS`] shares of the series and each stretch of ten minutes; half an hour after a stretch its page views close.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};

use super::db::{Tx, args};
use super::delta::{Origin, Row};
use super::journal::{self, DAY_US};
use super::{Id, ProjectId, ReportId, SeriesId, Store, StoreError, Stratum};

mod first_schema;
mod last_word;

pub(super) use first_schema::{take_all_over, take_over};
pub(super) use last_word::Block;
use last_word::{BUCKET_US, Closing, Next, OPEN_US, Open, StoredBlock, bucket_of};

/// Shares of the series: a reader of one decodes this part of a project's open page views only, and the fold writes no
/// more rows than this a round, however many series there are.
const PARTS: i64 = 64;
/// What was acknowledged on another instance may need this long to be seen here, microseconds.
const SLACK_US: i64 = 60_000_000;
/// Blocks that one statement hands over.
const BLOCKS: i64 = 500;
/// Microseconds of an hour.
const HOUR_US: i64 = 3_600_000_000;

const OPEN_BUCKET: &str = "INSERT INTO open_bucket (project_id, bucket_us) VALUES ($1, $2) ON CONFLICT (project_id, bucket_us) DO NOTHING";
/// Blocks that one statement puts aside: each statement is a way to the connection's thread and back.
const ASIDE_AT_ONCE: usize = 16;
// Of a block that is named twice only the first is taken.
pub(super) static PUT_ASIDE: LazyLock<String> = LazyLock::new(|| {
    let blocks: Vec<String> = (0..ASIDE_AT_ONCE)
        .map(|at| {
            let place = |column: usize| at * 4 + column + 2;
            let [bucket, part, id, reports] = [0, 1, 2, 3].map(place);
            format!("($1, ${bucket}, ${part}, ${id}, ${reports})")
        })
        .collect();
    format!(
        "INSERT INTO open_report (project_id, bucket_us, part, id, reports) VALUES {} \
         ON CONFLICT (project_id, bucket_us, part, id) DO NOTHING",
        blocks.join(", ")
    )
});
const OPEN_BUCKETS: &str =
    "SELECT bucket_us FROM open_bucket WHERE project_id = $1 ORDER BY bucket_us LIMIT 10000";
const DUE_BUCKET: &str = "SELECT bucket_us FROM open_bucket WHERE project_id = $1 AND bucket_us < $2 ORDER BY bucket_us LIMIT 1";
const DUE_PART: &str =
    "SELECT part FROM open_report WHERE project_id = $1 AND bucket_us = $2 ORDER BY part LIMIT 1";
const BLOCKS_OF: &str = "SELECT id, reports FROM open_report WHERE project_id = $1 AND bucket_us = $2 AND part = $3 AND id > $4 \
     ORDER BY id LIMIT $5";
const LATER_BUCKETS: &str = "SELECT bucket_us FROM open_bucket WHERE project_id = $1 AND bucket_us > $2 AND bucket_us < $3 \
     ORDER BY bucket_us LIMIT 100";
const REMOVE_BLOCKS: &str =
    "DELETE FROM open_report WHERE project_id = $1 AND bucket_us = $2 AND part = $3";
const REMOVE_BLOCK: &str =
    "DELETE FROM open_report WHERE project_id = $1 AND bucket_us = $2 AND part = $3 AND id = $4";
const REWRITE_BLOCK: &str = "UPDATE open_report SET reports = $5 WHERE project_id = $1 AND bucket_us = $2 AND part = $3 AND id = $4";
const REMOVE_BUCKET: &str = "DELETE FROM open_bucket WHERE project_id = $1 AND bucket_us = $2";
const CLOSED_HOURS: &str = "SELECT hour_us, id, reports FROM closed_report WHERE project_id = $1 AND hour_us = $2 AND part = $3 \
     AND id > $4 ORDER BY id LIMIT $5";
const REMEMBER: &str = "INSERT INTO closed_report (project_id, hour_us, part, id, reports) VALUES ($1, $2, $3, $4, $5)";
const OLDEST_BUCKET: &str =
    "SELECT bucket_us FROM open_bucket WHERE project_id = $1 ORDER BY bucket_us LIMIT 1";
const FORGET: &str = "DELETE FROM closed_report WHERE project_id = $1 AND hour_us < $2";
const COUNT_LATE: &str = "INSERT INTO dropped_count (project_id, day_us, reason, count) VALUES ($1, $2, 'late_report', $3) \
     ON CONFLICT (project_id, day_us, reason) DO UPDATE SET count = dropped_count.count + excluded.count";
const DUE_PROJECTS: &str = "SELECT project_id FROM open_bucket WHERE project_id > $1 AND bucket_us < $3 \
     ORDER BY project_id, bucket_us LIMIT $2";

impl Store {
    /// Projects with page views that are due to close.
    pub async fn projects_to_close(&self, now_us: i64) -> Result<Vec<ProjectId>, StoreError> {
        super::leases::waiting(&self.db, DUE_PROJECTS, Some(due_before(now_us))).await
    }
}

/// Buckets that begin before this are over, and half an hour more.
fn due_before(now_us: i64) -> i64 {
    now_us - BUCKET_US - OPEN_US - SLACK_US
}

fn part_of(series: SeriesId) -> i64 {
    i64::from(series.id().bytes()[0]) % PARTS
}

/// What one round of the fold puts aside.
#[derive(Debug, Default)]
pub(super) struct Aside {
    blocks: BTreeMap<(i64, i64), Block>,
}

impl Aside {
    /// Takes in a journal row's reports.
    pub(super) fn add(&mut self, row: &Row) -> Result<(), StoreError> {
        // Of one commit's reports of an origin nearly all fall into one bucket.
        let mut known: Vec<Option<(i64, u32)>> = vec![None; row.origins.len()];
        for report in &row.reports {
            let origin = row.origin(report.origin)?;
            let bucket_us = bucket_of(report.time_us);
            let block = self
                .blocks
                .entry((bucket_us, part_of(origin.series)))
                .or_default();
            let number = match known[report.origin as usize] {
                Some((bucket, number)) if bucket == bucket_us => number,
                _ => block.number(origin),
            };
            known[report.origin as usize] = Some((bucket_us, number));
            block.add(Open::heard(number, report));
        }
        Ok(())
    }

    /// Takes in what is known of one page view of an origin.
    fn add_open(&mut self, origin: &Arc<Origin>, report: Open) {
        let key = (bucket_of(report.last_us), part_of(origin.series));
        let block = self.blocks.entry(key).or_default();
        let origin = block.number(origin);
        block.add(Open { origin, ..report });
    }

    /// What was taken in, as rows.
    pub(super) fn encode(self) -> Result<Encoded, StoreError> {
        encode(self.blocks)
    }
}

/// Blocks as rows: bucket, part, id and the page views.
#[derive(Debug, Default)]
pub(super) struct Encoded(Vec<(i64, i64, Id, Vec<u8>)>);

fn encode(blocks: impl IntoIterator<Item = ((i64, i64), Block)>) -> Result<Encoded, StoreError> {
    let rows = blocks.into_iter().map(|((bucket_us, part), block)| {
        Ok((bucket_us, part, Id::new(), block.encode(bucket_us)?))
    });
    rows.collect::<Result<_, _>>().map(Encoded)
}

impl Encoded {
    /// Stores the blocks and opens their buckets.
    pub(super) async fn save(&self, tx: &mut Tx, project: &ProjectId) -> Result<(), StoreError> {
        let buckets: BTreeSet<i64> = self.0.iter().map(|(bucket_us, ..)| *bucket_us).collect();
        for bucket_us in buckets {
            tx.execute(OPEN_BUCKET, args![project, bucket_us]).await?;
        }
        self.put_aside(tx, project).await
    }

    /// Stores the blocks, in buckets that are open.
    async fn put_aside(&self, tx: &mut Tx, project: &ProjectId) -> Result<(), StoreError> {
        for some in self.0.chunks(ASIDE_AT_ONCE) {
            // Where there are fewer, the last one is named several times.
            let named = some.iter().chain(std::iter::repeat(&some[some.len() - 1]));
            let mut values = args![project].to_vec();
            for (bucket_us, part, id, reports) in named.take(ASIDE_AT_ONCE) {
                values.extend_from_slice(args![*bucket_us, *part, id, reports]);
            }
            tx.execute(PUT_ASIDE.as_str(), &values).await?;
        }
        Ok(())
    }
}

/// The open page views of a series.
pub(super) async fn open_of(
    tx: &mut Tx,
    project: &ProjectId,
    series: SeriesId,
) -> Result<Block, StoreError> {
    let mut open = Block::default();
    let buckets: Vec<(i64,)> = tx.rows(OPEN_BUCKETS, args![project]).await?;
    for (bucket_us,) in buckets {
        each_block(tx, project, bucket_us, part_of(series), |stored| {
            open.add_all(&stored, |origin| origin.series == series)
        })
        .await?;
    }
    Ok(open)
}

/// Takes a series' open page views out, or those of one of its releases, from at most `limit` blocks. Answers from how
/// many. What is known of closed ones stays for its day: by it a late report is known for one.
pub(super) async fn drop_open(
    tx: &mut Tx,
    project: &ProjectId,
    series: SeriesId,
    release: Option<&str>,
    limit: i64,
) -> Result<u64, StoreError> {
    let part = part_of(series);
    let keep = |origin: &Origin| {
        origin.series != series || release.is_some_and(|release| origin.release != release)
    };
    let mut changed = 0;
    let buckets: Vec<(i64,)> = tx.rows(OPEN_BUCKETS, args![project]).await?;
    for (bucket_us,) in buckets {
        let mut last = Id::NIL.bytes().to_vec();
        loop {
            let rows: Vec<(Vec<u8>, Vec<u8>)> = tx
                .rows(BLOCKS_OF, args![project, bucket_us, part, &last, BLOCKS])
                .await?;
            let is_last = (rows.len() as i64) < BLOCKS;
            for (id, reports) in rows {
                let stored = StoredBlock::decode(&reports, bucket_us)?;
                let mut kept = Block::default();
                kept.add_all(&stored, keep)?;
                if kept.ids().is_empty() {
                    tx.execute(REMOVE_BLOCK, args![project, bucket_us, part, &id])
                        .await?;
                    changed += 1;
                } else if kept.ids().len() < stored.len() {
                    let reports = kept.encode(bucket_us)?;
                    tx.execute(
                        REWRITE_BLOCK,
                        args![project, bucket_us, part, &id, &reports],
                    )
                    .await?;
                    changed += 1;
                }
                last = id;
                if changed >= limit as u64 {
                    return Ok(changed);
                }
            }
            if is_last {
                break;
            }
        }
    }
    Ok(changed)
}

/// What closed in one step.
#[derive(Debug, Default)]
pub(super) struct Closed {
    /// The last words, as samples.
    pub samples: Vec<super::Delta>,
    /// How many page views' metrics closed.
    pub count: usize,
    /// Whether more are due.
    pub more: bool,
}

/// Closes one part of the oldest bucket that is due: the last report of each page view becomes a sample.
pub(super) async fn close_next(
    tx: &mut Tx,
    project: &ProjectId,
    now_us: i64,
) -> Result<Closed, StoreError> {
    let due: Option<(i64,)> = tx
        .row(DUE_BUCKET, args![project, due_before(now_us)])
        .await?;
    let Some((bucket_us,)) = due else {
        return Ok(Closed::default());
    };
    let part: Option<(i64,)> = tx.row(DUE_PART, args![project, bucket_us]).await?;
    let Some((part,)) = part else {
        tx.execute(REMOVE_BUCKET, args![project, bucket_us]).await?;
        return Ok(Closed {
            more: true,
            ..Closed::default()
        });
    };
    let mut bucket = Block::default();
    each_block(tx, project, bucket_us, part, |stored| {
        bucket.add_all(&stored, |_| true)
    })
    .await?;
    let mut next = Next::default();
    let until_us = bucket_us + BUCKET_US + OPEN_US + 1;
    let later: Vec<(i64,)> = tx
        .rows(LATER_BUCKETS, args![project, bucket_us, until_us])
        .await?;
    for (later_us,) in later {
        each_block(tx, project, later_us, part, |stored| {
            next.add(&stored, later_us);
            Ok(())
        })
        .await?;
    }
    let was_closed = closed_before(tx, project, bucket_us, part, &bucket.ids()).await?;
    let Closing {
        samples,
        closed,
        carried,
        late,
    } = last_word::close(bucket, &next, &was_closed);
    tx.execute(REMOVE_BLOCKS, args![project, bucket_us, part])
        .await?;
    let carried = carried.into_iter();
    encode(carried.map(|(later_us, block)| ((later_us, part), block)))?
        .put_aside(tx, project)
        .await?;
    remember(tx, project, bucket_us, part, &closed).await?;
    if late > 0 {
        let day_us = now_us.div_euclid(DAY_US) * DAY_US;
        tx.execute(COUNT_LATE, args![project, day_us, late as i64])
            .await?;
    }
    Ok(Closed {
        samples,
        count: closed.len(),
        more: true,
    })
}

/// Hands over a bucket's blocks of one part.
async fn each_block(
    tx: &mut Tx,
    project: &ProjectId,
    bucket_us: i64,
    part: i64,
    mut take: impl FnMut(StoredBlock) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut last = Id::NIL.bytes().to_vec();
    loop {
        let rows: Vec<(Vec<u8>, Vec<u8>)> = tx
            .rows(BLOCKS_OF, args![project, bucket_us, part, &last, BLOCKS])
            .await?;
        let is_last = (rows.len() as i64) < BLOCKS;
        for (id, reports) in rows {
            take(StoredBlock::decode(&reports, bucket_us)?)?;
            last = id;
        }
        if is_last {
            return Ok(());
        }
    }
}

/// Which of some ascending ids closed within the day before a bucket.
async fn closed_before(
    tx: &mut Tx,
    project: &ProjectId,
    bucket_us: i64,
    part: i64,
    ids: &[ReportId],
) -> Result<Vec<ReportId>, StoreError> {
    let mut found = Vec::new();
    let this_hour = bucket_us.div_euclid(HOUR_US);
    for hour in this_hour - 24..=this_hour {
        let mut last = Id::NIL.bytes().to_vec();
        loop {
            let rows: Vec<(i64, Vec<u8>, Vec<u8>)> = tx
                .rows(
                    CLOSED_HOURS,
                    args![project, hour * HOUR_US, part, &last, BLOCKS],
                )
                .await?;
            let is_last = (rows.len() as i64) < BLOCKS;
            for (_, id, digests) in rows {
                common(ids, &digests, &mut found);
                last = id;
            }
            if is_last {
                break;
            }
        }
    }
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

/// The ids that also stand among ascending digests: a walk through both.
fn common(ids: &[ReportId], digests: &[u8], found: &mut Vec<ReportId>) {
    let mut ids = ids.iter().peekable();
    for digest in digests.chunks_exact(8) {
        while ids.next_if(|id| id.bytes().as_slice() < digest).is_some() {}
        match ids.peek() {
            Some(id) if id.bytes().as_slice() == digest => found.push(**id),
            Some(_) => {}
            None => return,
        }
    }
}

async fn remember(
    tx: &mut Tx,
    project: &ProjectId,
    bucket_us: i64,
    part: i64,
    closed: &[ReportId],
) -> Result<(), StoreError> {
    if closed.is_empty() {
        return Ok(());
    }
    let hour_us = bucket_us.div_euclid(HOUR_US) * HOUR_US;
    let digests: Vec<u8> = closed.iter().flat_map(|id| *id.bytes()).collect();
    tx.execute(
        REMEMBER,
        args![project, hour_us, part, &Id::new(), &digests],
    )
    .await?;
    Ok(())
}

/// Forgets what closed so long ago that no honest report of it comes any more: a day before the oldest stretch that may
/// still have to close.
pub(super) async fn forget_closed(
    tx: &mut Tx,
    project: &ProjectId,
    now_us: i64,
) -> Result<(), StoreError> {
    let open: Option<(i64,)> = tx.row(OLDEST_BUCKET, args![project]).await?;
    let unfolded_us = journal::oldest_received(tx, project).await?;
    let oldest_us = [open.map(|(bucket_us,)| bucket_us), unfolded_us]
        .into_iter()
        .flatten()
        .fold(now_us, i64::min);
    let before_us = oldest_us - BUCKET_US - SLACK_US - DAY_US - HOUR_US;
    tx.execute(FORGET, args![project, before_us]).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_that_closed_before_are_found_wherever_they_stand() {
        let id = |byte: u8| ReportId::from([byte; 8]);
        let digests: Vec<u8> = [1, 3, 5, 9].iter().flat_map(|byte| [*byte; 8]).collect();
        let mut found = Vec::new();
        common(
            &[id(0), id(1), id(4), id(5), id(8), id(9), id(10)],
            &digests,
            &mut found,
        );
        assert_eq!(found, [id(1), id(5), id(9)]);
        common(&[], &digests, &mut found);
        assert_eq!(found.len(), 3);
    }
}
