//! Days on which several releases were measured, told as one: written down once, so that not everybody who reads a year
//! decodes and merges their histograms again.
//!
//! What is written names what it was merged from. Measurements that come late, deletions and other names of a series change
//! that, so that it is merged anew: it is never trusted, only recognised.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};

use super::super::db::{Tx, args};
use super::super::{Id, Lease, ProjectId, SeriesId, Store, StoreError, leases};
use super::rows::WINDOW_LIMIT;
use super::{Span, Window, WindowBody, WindowKey, told};

/// The kind of these rows among windows: of all releases, with what is told alone.
const SHARED_DAY: i64 = 5;

const LIST: &str = "SELECT start_us, told FROM series_window \
     WHERE project_id = $1 AND series_id = $2 AND kind = $3 AND start_us >= $4 AND start_us < $5 ORDER BY start_us LIMIT $6";
const TELL: &str = "INSERT INTO series_window (project_id, series_id, kind, start_us, release, run_id, told, body) \
     VALUES ($1, $2, $3, $4, '', $5, $6, $7) \
     ON CONFLICT (project_id, series_id, kind, start_us, release, run_id) DO UPDATE SET told = excluded.told";
const FORGET: &str = "DELETE FROM series_window WHERE project_id = $1 AND series_id = $2 AND kind = $3 AND start_us = $4 \
     AND release = '' AND run_id = $5";
const FORGET_BEFORE: &str = "DELETE FROM series_window WHERE project_id = $1 AND series_id = $2 AND kind = $3 AND start_us < $4";

/// What several windows are, without their contents: other windows have another one (the first half of a SHA-256).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MergedFrom(u128);

impl MergedFrom {
    /// That of some windows, in their order.
    pub fn of<'a>(windows: impl IntoIterator<Item = &'a Window>) -> MergedFrom {
        let mut told = Vec::with_capacity(512);
        for window in windows {
            let mut number = |number: u64| told.extend_from_slice(&number.to_le_bytes());
            number(window.first_us as u64);
            number(window.last_us as u64);
            number(window.count);
            number(window.failed);
            number(window.dropped);
            let percentiles = [&window.p50, &window.p75, &window.p99];
            let ends = percentiles.into_iter().flat_map(|statistic| {
                let ends = statistic.map(|it| [it.value, it.lower, it.upper]);
                (0..3).map(move |at| ends.map(|ends| ends[at]))
            });
            for end in std::iter::once(window.headline).chain(ends) {
                number(end.map_or(u64::MAX, f64::to_bits));
            }
            number(window.key.release.len() as u64);
            told.extend_from_slice(window.key.series.id().bytes());
            told.extend_from_slice(window.key.release.as_bytes());
        }
        let digest: [u8; 32] = Sha256::digest(&told).into();
        let (half, _) = digest.split_at(16);
        MergedFrom(
            half.iter()
                .fold(0, |all, byte| (all << 8) | u128::from(*byte)),
        )
    }
}

/// A day of a series on which several releases were measured.
#[derive(Debug, Clone, PartialEq)]
pub struct SharedDay {
    /// What it was merged from.
    pub from: MergedFrom,
    /// All of it, without contents; of no release.
    pub window: Window,
}

impl Store {
    /// The days in `from_us..to_us` that several releases had, as they were told last, by their start.
    pub async fn shared_days(
        &self,
        project: &ProjectId,
        series: SeriesId,
        from_us: i64,
        to_us: i64,
    ) -> Result<BTreeMap<i64, SharedDay>, StoreError> {
        let wanted = args![
            project,
            series.id(),
            SHARED_DAY,
            from_us,
            to_us,
            WINDOW_LIMIT
        ];
        let rows: Vec<(i64, String)> = self.db.rows(LIST, wanted).await?;
        // What another version told otherwise is not told.
        Ok(rows
            .into_iter()
            .filter_map(|(start_us, row)| {
                let key = WindowKey {
                    series,
                    span: Span::Day(start_us),
                    release: String::new(),
                };
                let (from, rest) = row.split_once(',')?;
                let from = MergedFrom(u128::from_str_radix(from, 16).ok()?);
                let window = told::read(key, rest)?;
                Some((start_us, SharedDay { from, window }))
            })
            .collect())
    }

    /// Writes down what a series' days of several releases tell, and forgets some of those that were.
    pub async fn tell_shared_days(
        &self,
        lease: &Lease,
        series: SeriesId,
        days: &BTreeMap<i64, SharedDay>,
        forgotten: &BTreeSet<i64>,
        now_us: i64,
    ) -> Result<(), StoreError> {
        let (project, none) = (&lease.project, Id::NIL);
        let empty = WindowBody::default().encode()?;
        let mut tx = self.db.begin().await?;
        leases::hold(&mut tx, lease, now_us).await?;
        for start_us in forgotten {
            let day = args![project, series.id(), SHARED_DAY, *start_us, &none];
            tx.execute(FORGET, day).await?;
        }
        for (start_us, SharedDay { from, window }) in days {
            let told = format!("{:x},{}", from.0, told::write(window));
            let day = args![
                project,
                series.id(),
                SHARED_DAY,
                *start_us,
                &none,
                &told,
                &empty
            ];
            tx.execute(TELL, day).await?;
        }
        tx.commit().await
    }
}

/// Forgets what was written down of a series' shared days that begin before a time; whoever judges the series next writes
/// it anew.
pub(in crate::store) async fn forget(
    tx: &mut Tx,
    project: &ProjectId,
    series: SeriesId,
    before_us: i64,
) -> Result<(), StoreError> {
    let days = args![project, series.id(), SHARED_DAY, before_us];
    tx.execute(FORGET_BEFORE, days).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_told_of_a_window_makes_it_another_source() {
        let window = |release: &str, change: fn(&mut Window)| {
            let mut window = Window::new(WindowKey {
                series: SeriesId(Id::NIL),
                span: Span::Day(0),
                release: release.into(),
            });
            change(&mut window);
            window
        };
        let plain = MergedFrom::of([&window("v1", |_| ())]);
        assert_eq!(plain, MergedFrom::of([&window("v1", |_| ())]));
        let others = [
            window("v2", |_| ()),
            window("v1", |window| window.first_us = 1),
            window("v1", |window| window.last_us = 1),
            window("v1", |window| window.count = 1),
            window("v1", |window| window.failed = 1),
            window("v1", |window| window.dropped = 1),
            window("v1", |window| window.headline = Some(0.0)),
        ];
        for other in others {
            assert_ne!(plain, MergedFrom::of([&other]));
        }
    }
}
