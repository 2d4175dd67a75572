//! What would go unseen in a series, as it was last worked out.

use super::db::args;
use super::{Id, ProjectId, SeriesId, Store, StoreError};

const DUE: &str = "SELECT series_id, changed_us, blind_spot_us, CAST(CASE WHEN blind_spot IS NULL THEN 1 ELSE 0 END AS BIGINT) \
     FROM series_state WHERE project_id = $1 AND blind_spot_us < $2 ORDER BY blind_spot_us LIMIT $3";
const KEEP: &str = "UPDATE series_state SET blind_spot = $3, blind_spot_us = $4 WHERE project_id = $1 AND series_id = $2";
const REST: &str =
    "UPDATE series_state SET blind_spot_us = $3 WHERE project_id = $1 AND series_id = $2";
const ONE: &str =
    "SELECT blind_spot, blind_spot_us FROM series_state WHERE project_id = $1 AND series_id = $2";

/// A series whose blind spot is to be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlindSpotDue {
    /// Which.
    pub series: SeriesId,
    /// Whether anything came since it was last looked at, or nothing was found out then.
    pub is_open: bool,
}

impl Store {
    /// Up to `most` series whose blind spots were last looked at before a moment, the longest ago first.
    pub async fn blind_spots_due(
        &self,
        project: &ProjectId,
        before_us: i64,
        most: i64,
    ) -> Result<Vec<BlindSpotDue>, StoreError> {
        let rows: Vec<(Vec<u8>, i64, i64, i64)> =
            self.db.rows(DUE, args![project, before_us, most]).await?;
        rows.into_iter()
            .map(|(id, changed_us, looked_us, is_unknown)| {
                Ok(BlindSpotDue {
                    series: SeriesId(Id::from_row(&id)?),
                    is_open: changed_us >= looked_us || is_unknown == 1,
                })
            })
            .collect()
    }

    /// Keeps what was found out about a series, or that nothing can be; a series that is gone meanwhile stays gone.
    pub async fn keep_blind_spot(
        &self,
        project: &ProjectId,
        series: SeriesId,
        found: Option<&str>,
        now_us: i64,
    ) -> Result<(), StoreError> {
        self.db
            .execute(KEEP, args![project, series.id(), found, now_us])
            .await?;
        Ok(())
    }

    /// Lets what is known of a series stand for another while.
    pub async fn rest_blind_spot(
        &self,
        project: &ProjectId,
        series: SeriesId,
        now_us: i64,
    ) -> Result<(), StoreError> {
        self.db
            .execute(REST, args![project, series.id(), now_us])
            .await?;
        Ok(())
    }

    /// What is known of a series and since when, microseconds; nothing where it was not looked at yet, or there was too
    /// little history.
    pub async fn blind_spot(
        &self,
        project: &ProjectId,
        series: SeriesId,
    ) -> Result<Option<(String, i64)>, StoreError> {
        let row: Option<(Option<String>, i64)> =
            self.db.row(ONE, args![project, series.id()]).await?;
        Ok(row.and_then(|(found, at_us)| Some((found?, at_us))))
    }
}
