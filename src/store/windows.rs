//! Windows: one histogram per series and run, release, UTC day or hour, with its statistics stored beside it.

mod body;
mod every;
mod old;
mod read;
mod rows;
mod shared;
mod told;

use super::journal::DAY_US;
use super::{Delta, Id, RunRef, SeriesId, StoreError};
use crate::stats::Interval;

pub use body::WindowBody;
use body::median;
pub(super) use every::{page, unfolded};
pub(super) use old::{drop_days, drop_hours, drop_of_run};
pub(super) use rows::{
    BODIES_AT, Encoded, INSERT_NEW, drop_run, drop_windows, load, mark, mark_all, rebuild_release,
    rebuild_releases_of, save, save_new,
};
pub(super) use shared::forget as forget_shared_days;
pub use shared::{MergedFrom, SharedDay};

/// The stretch that a window covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Span {
    /// One run of a release.
    Run(Id),
    /// A whole release.
    Release,
    /// The UTC day that begins here, microseconds.
    Day(i64),
    /// The UTC hour that begins here, microseconds.
    Hour(i64),
}

/// Which window.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WindowKey {
    /// The series.
    pub series: SeriesId,
    /// What it covers.
    pub span: Span,
    /// The release measured; empty when unknown.
    pub release: String,
}

/// A percentile as stored: with its interval, or not at all.
pub type Statistic = Option<Interval>;

/// One window with its statistics.
#[derive(Debug, Clone, PartialEq)]
pub struct Window {
    /// Which.
    pub key: WindowKey,
    /// Time of the first measurement, microseconds.
    pub first_us: i64,
    /// Time of the last.
    pub last_us: i64,
    /// Values recorded.
    pub count: u64,
    /// Failed operations among them.
    pub failed: u64,
    /// Values left out.
    pub dropped: u64,
    /// Median of the values, or the tool's headline value where it gave only a summary; base units.
    pub headline: Option<f64>,
    /// P50 with its interval, refused when the count is too small.
    pub p50: Statistic,
    /// P75 likewise.
    pub p75: Statistic,
    /// P99 likewise.
    pub p99: Statistic,
    /// Whether unfolded or still open measurements are in it.
    pub provisional: bool,
    /// The contents, where asked for.
    pub body: Option<WindowBody>,
}

impl Window {
    /// An empty window.
    pub fn new(key: WindowKey) -> Window {
        Window {
            key,
            first_us: i64::MAX,
            last_us: i64::MIN,
            count: 0,
            failed: 0,
            dropped: 0,
            headline: None,
            p50: None,
            p75: None,
            p99: None,
            provisional: false,
            body: Some(WindowBody::default()),
        }
    }

    /// Adds a delta; the statistics are stale until [`Window::settle`].
    pub(super) fn add(&mut self, delta: &Delta) -> Result<(), StoreError> {
        let body = self.body.get_or_insert_default();
        self.count += body.add(&delta.origin.stratum, &delta.values)?;
        self.failed += delta.failed;
        self.dropped += delta.dropped;
        self.first_us = self.first_us.min(delta.time_us);
        self.last_us = self.last_us.max(delta.time_us);
        Ok(())
    }

    /// Merges another window of the same series into this one; statistics are stale until [`Window::settle`].
    pub fn merge(&mut self, other: &Window) -> Result<(), StoreError> {
        if let Some(body) = &other.body {
            self.body.get_or_insert_default().merge(body)?;
        }
        self.count += other.count;
        self.failed += other.failed;
        self.dropped += other.dropped;
        self.first_us = self.first_us.min(other.first_us);
        self.last_us = self.last_us.max(other.last_us);
        self.provisional |= other.provisional;
        Ok(())
    }

    /// Recomputes the stored statistics from the body.
    pub fn settle(&mut self) {
        let Some(body) = &self.body else { return };
        let merged = body.merged();
        self.p50 = body.percentile_in(&merged, 0.50).ok();
        self.p75 = body.percentile_in(&merged, 0.75).ok();
        self.p99 = body.percentile_in(&merged, 0.99).ok();
        self.headline = if merged.is_empty() {
            median(&body.exact).or_else(|| {
                let told: Vec<f64> = body.summaries.iter().filter_map(|s| s.headline).collect();
                median(&told)
            })
        } else {
            merged.quantile(0.5)
        };
    }
}

/// A delta on its way into its windows.
#[derive(Debug)]
pub(super) struct Unfolded {
    pub(super) delta: Delta,
    /// When it came, microseconds since the epoch.
    pub(super) received_us: i64,
}

impl Unfolded {
    /// One that came when it was measured.
    pub(super) fn when_measured(delta: Delta) -> Unfolded {
        let received_us = delta.time_us;
        Unfolded { delta, received_us }
    }

    /// The windows that it counts in, given the runs that a person excluded: the same for who folds it as for who reads it
    /// before that.
    pub(super) fn keys(&self, excluded: &[Id]) -> Vec<WindowKey> {
        let delta = &self.delta;
        let key = |span| WindowKey {
            series: delta.origin.series,
            span,
            release: delta.origin.release.clone(),
        };
        match delta.origin.run {
            // An excluded run keeps its own window, so that it can be restored.
            Some(RunRef(run)) if excluded.contains(&Id(run)) => vec![key(Span::Run(Id(run)))],
            Some(RunRef(run)) => vec![key(Span::Run(Id(run))), key(Span::Release)],
            None => {
                let day = delta.time_us.div_euclid(DAY_US) * DAY_US;
                let hour = delta.time_us.div_euclid(HOUR_US) * HOUR_US;
                let mut keys = vec![key(Span::Day(day)), key(Span::Release)];
                if hour > self.received_us - HOURS_KEPT_US {
                    keys.push(key(Span::Hour(hour)));
                }
                keys
            }
        }
    }
}

/// Microseconds of an hour.
pub(super) const HOUR_US: i64 = 3_600_000_000;
/// How long hours are kept, in microseconds: the last eight days.
const HOURS_KEPT_US: i64 = 8 * DAY_US;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;

    use super::super::{Origin, Stratum, Values};
    use super::*;

    fn delta(values: Values) -> Delta {
        Delta {
            origin: Arc::new(Origin {
                series: SeriesId(Id::NIL),
                release: "v1".into(),
                run: None,
                stratum: Stratum::whole(),
            }),
            time_us: 5 * DAY_US + 3 * HOUR_US + 1,
            values,
            failed: 0,
            dropped: 0,
        }
    }

    fn filled(values: std::ops::Range<u64>) -> Window {
        let mut window = Window::new(WindowKey {
            series: SeriesId(Id::NIL),
            span: Span::Release,
            release: "v1".into(),
        });
        window.add(&delta(Values::Raw(values.collect()))).unwrap();
        window.settle();
        window
    }

    #[test]
    fn a_body_reads_back_as_written_small_and_large() {
        for values in [0..3, 0..20_000] {
            let body = filled(values).body.unwrap();
            assert_eq!(WindowBody::decode(&body.encode().unwrap()).unwrap(), body);
        }
    }

    #[test]
    fn merging_windows_equals_recording_everything_in_one() {
        let mut left = filled(0..500);
        left.merge(&filled(500..900)).unwrap();
        left.settle();
        assert_eq!(left, filled(0..900));
    }

    #[test]
    fn a_p99_of_forty_samples_is_refused() {
        let window = filled(100..140);
        assert!(window.p75.is_some());
        assert_eq!(window.p99, None);
    }

    #[test]
    fn field_data_fall_into_day_release_and_recent_hour() {
        let spans = |received_us| -> Vec<Span> {
            let delta = delta(Values::Raw(vec![1]));
            let keys = Unfolded { delta, received_us }.keys(&[]);
            keys.into_iter().map(|key| key.span).collect()
        };
        let (day, hour) = (Span::Day(5 * DAY_US), Span::Hour(5 * DAY_US + 3 * HOUR_US));
        assert_eq!(spans(6 * DAY_US), vec![day, Span::Release, hour]);
        assert_eq!(spans(20 * DAY_US), vec![day, Span::Release]);
    }

    #[test]
    fn strata_beyond_the_limit_join_other() {
        let mut body = WindowBody::default();
        for country in 0..100 {
            let mut stratum = Stratum::whole();
            stratum.country = country.to_string();
            body.add(&stratum, &Values::Raw(vec![7])).unwrap();
        }
        assert_eq!(body.strata.len(), body::STRATA_KEPT + 1);
        assert_eq!(body.merged().count(), 100);
    }
}
