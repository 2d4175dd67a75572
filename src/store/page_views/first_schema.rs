//! Page views that a version with the first schema put aside, one row each in the table `pending`.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::db::{Db, Tx, args};
use super::super::leases::waiting;
use super::last_word::{Open, bucket_of};
use super::{
    Aside, Id, Origin, ProjectId, ReportId, SeriesId, StoreError, Stratum, part_of, remember,
};

/// Rows taken over in one transaction.
const ROWS: i64 = 5_000;

const LAST: &str =
    "SELECT report_id FROM pending WHERE project_id = $1 ORDER BY report_id LIMIT 1 OFFSET $2";
// Who removes a row takes it over, though several may try.
const TAKE: &str = "DELETE FROM pending WHERE project_id = $1 AND report_id <= $2 \
     RETURNING report_id, series_id, release, stratum, value, sequence, first_us, last_us, closed_us";
const LEFT: &str =
    "SELECT project_id FROM pending WHERE project_id > $1 ORDER BY project_id LIMIT $2";

type PendingRow = (
    Vec<u8>,
    Vec<u8>,
    String,
    String,
    i64,
    i64,
    i64,
    i64,
    Option<i64>,
);

/// Moves all that is left of the first schema's page views.
pub(in crate::store) async fn take_all_over(db: &Db) -> Result<(), StoreError> {
    for project in waiting(db, LEFT, None).await? {
        let mut left = true;
        while left {
            let mut tx = db.begin().await?;
            left = take_over(&mut tx, &project).await?;
            tx.commit().await?;
        }
    }
    Ok(())
}

/// Moves some of a project's; whether there was anything.
pub(in crate::store) async fn take_over(
    tx: &mut Tx,
    project: &ProjectId,
) -> Result<bool, StoreError> {
    let last: Option<(Vec<u8>,)> = tx.row(LAST, args![project, ROWS]).await?;
    let last = last.map_or_else(|| vec![0xff; 16], |(last,)| last);
    let rows: Vec<PendingRow> = tx.rows(TAKE, args![project, &last]).await?;
    if rows.is_empty() {
        return Ok(false);
    }
    let mut open = Aside::default();
    let mut closed: BTreeMap<(i64, i64), Vec<ReportId>> = BTreeMap::new();
    for (report, series, release, stratum, value, sequence, first_us, last_us, closed_us) in rows {
        let id = ReportId::first_half(&Id::from_row(&report)?);
        let series = SeriesId(Id::from_row(&series)?);
        if closed_us.is_some() {
            let bucket_us = bucket_of(last_us);
            closed
                .entry((bucket_us, part_of(series)))
                .or_default()
                .push(id);
            continue;
        }
        let origin = Arc::new(Origin {
            series,
            release,
            run: None,
            stratum: parse(&stratum)?,
        });
        let report = Open {
            origin: 0,
            id,
            sequence: sequence as u64,
            value: value as u64,
            first_us,
            last_us,
            times: 1,
        };
        open.add_open(&origin, report);
    }
    open.encode()?.save(tx, project).await?;
    for ((bucket_us, part), mut ids) in closed {
        ids.sort_unstable();
        remember(tx, project, bucket_us, part, &ids).await?;
    }
    Ok(true)
}

fn parse(stratum: &str) -> Result<Stratum, StoreError> {
    let mut parts = stratum.split('\t');
    let rate_ppm = parts
        .next()
        .and_then(|rate| rate.parse().ok())
        .ok_or_else(|| StoreError::Corrupt(format!("stratum {stratum:?}")))?;
    let mut next = || parts.next().unwrap_or_default().to_owned();
    Ok(Stratum {
        rate_ppm,
        device: next(),
        country: next(),
        navigation: next(),
    })
}
