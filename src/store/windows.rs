//! Windows: one histogram per series and run, release, UTC day or hour, with its statistics stored beside it.

use std::collections::BTreeMap;

use collectors::histogram::Histogram;
use serde::{Deserialize, Serialize};

use super::db::{Tx, args};
use super::delta::Summary;
use super::{Delta, Id, ProjectId, Release, RunRef, SeriesId, Store, StoreError, Stratum, Values};
use crate::stats::Interval;
use crate::stats::percentile::{percentile_of, weighted_percentile};
use crate::stats::{Needs, mix};

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

/// What a window holds, in base units.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct WindowBody {
    /// Histograms by sampling rate and mix class; lab data have one stratum.
    pub strata: BTreeMap<Stratum, Packed>,
    /// Exact values (instruction counts, scores), in order of arrival, at most [`EXACT_KEPT`].
    pub exact: Vec<f64>,
    /// Explicit buckets by their bounds.
    pub explicit: Vec<(Vec<f64>, Vec<u64>)>,
    /// Tools' summaries, never merged, at most [`SUMMARIES_KEPT`].
    pub summaries: Vec<Summary>,
}

/// A histogram as it lies on disk: gaps between bucket indices and counts, apart, since each compresses better alone.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Packed(pub Histogram);

/// Exact values kept per window; a run has a handful.
const EXACT_KEPT: usize = 1_000;
/// Summaries kept per window; a run has one or a few attempts.
const SUMMARIES_KEPT: usize = 100;
/// Strata per window; what comes beyond joins `other`.
const STRATA_KEPT: usize = 64;
/// Bodies smaller than this gain nothing from compression.
const COMPRESS_FROM: usize = 128;
/// How sure a stored interval is.
const CONFIDENCE: f64 = 0.95;

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

impl Serialize for Packed {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut last = 0;
        let mut gaps = Vec::with_capacity(self.0.pairs().len());
        let mut counts = Vec::with_capacity(self.0.pairs().len());
        for (index, count) in self.0.pairs() {
            gaps.push(index - last);
            counts.push(*count);
            last = *index;
        }
        (gaps, counts).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Packed {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (gaps, counts): (Vec<u32>, Vec<u64>) = Deserialize::deserialize(deserializer)?;
        let mut index = 0_u32;
        let pairs = gaps
            .into_iter()
            .zip(counts)
            .map(|(gap, count)| {
                index = index.saturating_add(gap);
                (index, count)
            })
            .collect();
        Histogram::from_pairs(pairs)
            .map(Packed)
            .map_err(serde::de::Error::custom)
    }
}

impl WindowBody {
    /// All strata in one histogram, counts raw.
    pub fn merged(&self) -> Histogram {
        let mut all = Histogram::default();
        for packed in self.strata.values() {
            // Totals stay far below 2^64, so merging can't overflow; were it to, the fold has refused it before.
            let _ = all.merge(&packed.0);
        }
        all
    }

    /// Percentile `q` with its interval, in base units; strata sampled at different rates are weighted.
    ///
    /// # Errors
    /// What it would need, where there are too few samples.
    pub fn percentile(&self, q: f64) -> Result<Interval, Needs> {
        self.percentile_in(&self.merged(), q)
    }

    fn percentile_in(&self, merged: &Histogram, q: f64) -> Result<Interval, Needs> {
        let mut rates = self.strata.keys().map(|stratum| stratum.rate_ppm);
        let first = rates.next();
        if rates.all(|rate| Some(rate) == first) {
            return percentile_of(
                merged.count(),
                q,
                CONFIDENCE,
                |q| merged.quantile(q),
                |rank| merged.value_at_rank(rank),
            );
        }
        // Each kept page view stands for as many as its sampling rate left out.
        let weight = |stratum: &Stratum| 1e6 / f64::from(stratum.rate_ppm.max(1));
        let counted = self
            .strata
            .iter()
            .map(|(stratum, packed)| (weight(stratum), packed.0.count() as f64));
        let effective = mix::effective_samples(counted);
        let mut buckets: Vec<(f64, f64)> = Vec::new();
        for (stratum, packed) in &self.strata {
            buckets.extend(packed.0.buckets().map(|(lower, upper, count)| {
                (
                    (lower as f64 + upper as f64) / 2.0,
                    count as f64 * weight(stratum),
                )
            }));
        }
        buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
        let total: f64 = buckets.iter().map(|(_, weight)| weight).sum();
        weighted_percentile(effective, q, CONFIDENCE, |q| {
            let mut seen = 0.0;
            buckets
                .iter()
                .find(|(_, weight)| {
                    seen += weight;
                    seen >= q * total
                })
                .map(|(value, _)| *value)
        })
    }

    fn add(&mut self, stratum: &Stratum, values: &Values) -> Result<u64, StoreError> {
        let histogram = match values {
            Values::Raw(values) => Histogram::from_values(values.iter().copied()),
            Values::Pairs(pairs) => Histogram::from_pairs(pairs.clone()),
            Values::Report { value, .. } => Histogram::from_values([*value]),
            Values::Exact(value) => {
                if self.exact.len() < EXACT_KEPT {
                    self.exact.push(*value);
                }
                return Ok(1);
            }
            Values::Summary(summary) => {
                if self.summaries.len() < SUMMARIES_KEPT {
                    self.summaries.push(summary.clone());
                }
                return Ok(summary.count.unwrap_or(0));
            }
            Values::Explicit { bounds, counts } => {
                match self.explicit.iter_mut().find(|(known, _)| known == bounds) {
                    Some((_, sums)) => {
                        for (sum, count) in sums.iter_mut().zip(counts) {
                            *sum = sum.saturating_add(*count);
                        }
                    }
                    None => self.explicit.push((bounds.clone(), counts.clone())),
                }
                return Ok(counts.iter().sum());
            }
        };
        let histogram = histogram.map_err(|error| StoreError::Corrupt(error.to_string()))?;
        let count = histogram.count();
        let stratum = if self.strata.contains_key(stratum) || self.strata.len() < STRATA_KEPT {
            stratum.clone()
        } else {
            Stratum::other(stratum.rate_ppm)
        };
        self.strata
            .entry(stratum)
            .or_default()
            .0
            .merge(&histogram)
            .map_err(|error| StoreError::Corrupt(error.to_string()))?;
        Ok(count)
    }

    fn merge(&mut self, other: &WindowBody) -> Result<(), StoreError> {
        for (stratum, packed) in &other.strata {
            self.add(stratum, &Values::Pairs(packed.0.pairs().to_vec()))?;
        }
        for value in &other.exact {
            self.add(&Stratum::whole(), &Values::Exact(*value))?;
        }
        for (bounds, counts) in &other.explicit {
            self.add(
                &Stratum::whole(),
                &Values::Explicit {
                    bounds: bounds.clone(),
                    counts: counts.clone(),
                },
            )?;
        }
        for summary in &other.summaries {
            self.add(&Stratum::whole(), &Values::Summary(summary.clone()))?;
        }
        Ok(())
    }

    fn encode(&self) -> Result<Vec<u8>, StoreError> {
        let corrupt =
            |error: &dyn std::fmt::Display| StoreError::Corrupt(format!("window: {error}"));
        let plain = postcard::to_allocvec(self).map_err(|e| corrupt(&e))?;
        if plain.len() < COMPRESS_FROM {
            return Ok([&[0], plain.as_slice()].concat());
        }
        let mut packed = vec![1];
        zstd::stream::copy_encode(plain.as_slice(), &mut packed, 3).map_err(|e| corrupt(&e))?;
        Ok(packed)
    }

    fn decode(row: &[u8]) -> Result<WindowBody, StoreError> {
        let corrupt =
            |error: &dyn std::fmt::Display| StoreError::Corrupt(format!("window: {error}"));
        match row.split_first() {
            Some((0, plain)) => postcard::from_bytes(plain).map_err(|e| corrupt(&e)),
            Some((1, packed)) => {
                let plain = zstd::stream::decode_all(packed).map_err(|e| corrupt(&e))?;
                postcard::from_bytes(&plain).map_err(|e| corrupt(&e))
            }
            _ => Err(corrupt(&"unknown encoding")),
        }
    }
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
        self.count += body.add(&delta.stratum, &delta.values)?;
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

fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => None,
        n if n % 2 == 1 => Some(sorted[n / 2]),
        n => Some((sorted[n / 2 - 1] + sorted[n / 2]) / 2.0),
    }
}

/// The windows that a delta belongs to.
pub(super) fn keys_of(delta: &Delta, now_us: i64) -> Vec<WindowKey> {
    let key = |span| WindowKey {
        series: delta.series,
        span,
        release: delta.release.clone(),
    };
    match delta.run {
        Some(RunRef(run)) => vec![key(Span::Run(Id(run))), key(Span::Release)],
        None => {
            let day = delta.time_us.div_euclid(DAY_US) * DAY_US;
            let hour = delta.time_us.div_euclid(HOUR_US) * HOUR_US;
            let mut keys = vec![key(Span::Day(day)), key(Span::Release)];
            if hour > now_us - HOURS_KEPT_US {
                keys.push(key(Span::Hour(hour)));
            }
            keys
        }
    }
}

use super::journal::DAY_US;
/// Microseconds of an hour.
const HOUR_US: i64 = 3_600_000_000;
/// How long hours are kept, in microseconds: the last eight days.
pub(super) const HOURS_KEPT_US: i64 = 8 * DAY_US;

struct WindowRow {
    kind: i64,
    start_us: i64,
    release: String,
    run: Vec<u8>,
    first_us: i64,
    last_us: i64,
    count: i64,
    failed: i64,
    dropped: i64,
    headline: Option<f64>,
    statistics: [Option<f64>; 9],
    body: Option<Vec<u8>>,
}

impl<'r, R: sqlx::Row> sqlx::FromRow<'r, R> for WindowRow
where
    usize: sqlx::ColumnIndex<R>,
    i64: sqlx::Decode<'r, R::Database> + sqlx::Type<R::Database>,
    String: sqlx::Decode<'r, R::Database> + sqlx::Type<R::Database>,
    Vec<u8>: sqlx::Decode<'r, R::Database> + sqlx::Type<R::Database>,
    Option<f64>: sqlx::Decode<'r, R::Database> + sqlx::Type<R::Database>,
    Option<Vec<u8>>: sqlx::Decode<'r, R::Database> + sqlx::Type<R::Database>,
{
    fn from_row(row: &'r R) -> Result<Self, sqlx::Error> {
        let mut statistics = [None; 9];
        for (column, statistic) in (10..).zip(&mut statistics) {
            *statistic = row.try_get(column)?;
        }
        Ok(WindowRow {
            kind: row.try_get(0)?,
            start_us: row.try_get(1)?,
            release: row.try_get(2)?,
            run: row.try_get(3)?,
            first_us: row.try_get(4)?,
            last_us: row.try_get(5)?,
            count: row.try_get(6)?,
            failed: row.try_get(7)?,
            dropped: row.try_get(8)?,
            headline: row.try_get(9)?,
            statistics,
            body: row.try_get(19)?,
        })
    }
}

const BODIES: &str = "SELECT kind, start_us, release, run_id, first_us, last_us, count, failed, dropped, headline, \
     p50, p50_lower, p50_upper, p75, p75_lower, p75_upper, p99, p99_lower, p99_upper, body FROM series_window \
     WHERE project_id = $1 AND series_id = $2 AND kind = $3 AND start_us >= $4 AND start_us < $5 \
     ORDER BY start_us, release, run_id LIMIT $6";
const HEADS: &str = "SELECT kind, start_us, release, run_id, first_us, last_us, count, failed, dropped, headline, \
     p50, p50_lower, p50_upper, p75, p75_lower, p75_upper, p99, p99_lower, p99_upper, CAST(NULL AS BYTEA) \
     FROM series_window WHERE project_id = $1 AND series_id = $2 AND kind = $3 AND start_us >= $4 AND start_us < $5 \
     ORDER BY start_us, release, run_id LIMIT $6";
const ONE: &str = "SELECT kind, start_us, release, run_id, first_us, last_us, count, failed, dropped, headline, \
     p50, p50_lower, p50_upper, p75, p75_lower, p75_upper, p99, p99_lower, p99_upper, body FROM series_window \
     WHERE project_id = $1 AND series_id = $2 AND kind = $3 AND start_us = $4 AND release = $5 AND run_id = $6";
const UPSERT: &str = "INSERT INTO series_window (project_id, series_id, kind, start_us, release, run_id, first_us, last_us, \
     count, failed, dropped, headline, p50, p50_lower, p50_upper, p75, p75_lower, p75_upper, p99, p99_lower, p99_upper, body) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22) \
     ON CONFLICT (project_id, series_id, kind, start_us, release, run_id) DO UPDATE SET first_us = excluded.first_us, \
     last_us = excluded.last_us, count = excluded.count, failed = excluded.failed, dropped = excluded.dropped, \
     headline = excluded.headline, p50 = excluded.p50, p50_lower = excluded.p50_lower, p50_upper = excluded.p50_upper, \
     p75 = excluded.p75, p75_lower = excluded.p75_lower, p75_upper = excluded.p75_upper, p99 = excluded.p99, \
     p99_lower = excluded.p99_lower, p99_upper = excluded.p99_upper, body = excluded.body";
const DROP_OLD_HOURS: &str = "DELETE FROM series_window WHERE project_id = $1 AND series_id = $2 AND kind = 4 AND start_us < $3";
const DROP_ONE: &str = "DELETE FROM series_window WHERE project_id = $1 AND series_id = $2 AND kind = $3 AND start_us = $4 \
     AND release = $5 AND run_id = $6";
const RUN_WINDOWS_OF_RELEASE: &str = "SELECT kind, start_us, release, run_id, first_us, last_us, count, failed, dropped, \
     headline, p50, p50_lower, p50_upper, p75, p75_lower, p75_upper, p99, p99_lower, p99_upper, body FROM series_window \
     WHERE project_id = $1 AND series_id = $2 AND kind = 1 AND start_us = 0 AND release = $3 LIMIT $4";
const SERIES_OF_RUN: &str = "SELECT series_id FROM series_window WHERE project_id = $1 AND run_id = $2 AND kind = 1 LIMIT $3";
const MARK: &str = "INSERT INTO series_state (project_id, series_id, changed, judged, changed_us) VALUES ($1, $2, 1, 0, $3) \
     ON CONFLICT (project_id, series_id) DO UPDATE SET changed = series_state.changed + 1, changed_us = excluded.changed_us";
const MARK_ALL: &str =
    "UPDATE series_state SET changed = changed + 1, changed_us = $2 WHERE project_id = $1";

/// Windows that one answer may hold: ten years of days of two releases each, or of runs.
const WINDOW_LIMIT: i64 = 20_000;

/// The stored columns of a span: kind, start and run.
fn columns(span: &Span) -> (i64, i64, Id) {
    match span {
        Span::Run(run) => (1, 0, *run),
        Span::Release => (2, 0, Id::NIL),
        Span::Day(start) => (3, *start, Id::NIL),
        Span::Hour(start) => (4, *start, Id::NIL),
    }
}

fn decode(series: SeriesId, row: WindowRow) -> Result<Window, StoreError> {
    let span = match row.kind {
        1 => Span::Run(Id::from_row(&row.run)?),
        2 => Span::Release,
        3 => Span::Day(row.start_us),
        4 => Span::Hour(row.start_us),
        kind => return Err(StoreError::Corrupt(format!("window of kind {kind}"))),
    };
    let statistic = |at: usize| match row.statistics[at..at + 3] {
        [Some(value), Some(lower), Some(upper)] => Some(Interval {
            value,
            lower,
            upper,
        }),
        _ => None,
    };
    Ok(Window {
        key: WindowKey {
            series,
            span,
            release: row.release,
        },
        first_us: row.first_us,
        last_us: row.last_us,
        count: row.count as u64,
        failed: row.failed as u64,
        dropped: row.dropped as u64,
        headline: row.headline,
        p50: statistic(0),
        p75: statistic(3),
        p99: statistic(6),
        provisional: false,
        body: row.body.as_deref().map(WindowBody::decode).transpose()?,
    })
}

/// One window with its body, inside a transaction.
pub(super) async fn load(
    tx: &mut Tx,
    project: &ProjectId,
    key: &WindowKey,
) -> Result<Option<Window>, StoreError> {
    let (kind, start_us, run) = columns(&key.span);
    let row: Option<WindowRow> = tx
        .row(
            ONE,
            args![project, key.series.id(), kind, start_us, &key.release, &run],
        )
        .await?;
    row.map(|row| decode(key.series, row)).transpose()
}

/// Writes a settled window.
pub(super) async fn save(
    tx: &mut Tx,
    project: &ProjectId,
    window: &Window,
) -> Result<(), StoreError> {
    let (kind, start_us, run) = columns(&window.key.span);
    let body = window.body.clone().unwrap_or_default().encode()?;
    let part = |statistic: &Statistic, of: fn(&Interval) -> f64| statistic.as_ref().map(of);
    tx.execute(
        UPSERT,
        args![
            project,
            window.key.series.id(),
            kind,
            start_us,
            &window.key.release,
            &run,
            window.first_us,
            window.last_us,
            window.count as i64,
            window.failed as i64,
            window.dropped as i64,
            window.headline,
            part(&window.p50, |i| i.value),
            part(&window.p50, |i| i.lower),
            part(&window.p50, |i| i.upper),
            part(&window.p75, |i| i.value),
            part(&window.p75, |i| i.lower),
            part(&window.p75, |i| i.upper),
            part(&window.p99, |i| i.value),
            part(&window.p99, |i| i.lower),
            part(&window.p99, |i| i.upper),
            &body,
        ],
    )
    .await?;
    Ok(())
}

/// Notes that a series has new data to judge, and drops its hours that are too old to keep.
pub(super) async fn mark(
    tx: &mut Tx,
    project: &ProjectId,
    series: SeriesId,
    now_us: i64,
) -> Result<(), StoreError> {
    tx.execute(MARK, args![project, series.id(), now_us])
        .await?;
    tx.execute(
        DROP_OLD_HOURS,
        args![project, series.id(), now_us - HOURS_KEPT_US],
    )
    .await?;
    Ok(())
}

/// Notes that everything is to be judged again.
pub(super) async fn mark_all(
    tx: &mut Tx,
    project: &ProjectId,
    now_us: i64,
) -> Result<(), StoreError> {
    tx.execute(MARK_ALL, args![project, now_us]).await?;
    Ok(())
}

/// Rebuilds the release windows that a run takes part in, leaving out excluded runs.
pub(super) async fn rebuild_releases_of(
    tx: &mut Tx,
    project: &ProjectId,
    run: &Id,
    release: &str,
    excluded: &[Id],
    now_us: i64,
) -> Result<(), StoreError> {
    let series: Vec<(Vec<u8>,)> = tx
        .rows(SERIES_OF_RUN, args![project, run, WINDOW_LIMIT])
        .await?;
    for (id,) in series {
        let series = SeriesId(Id::from_row(&id)?);
        let rows: Vec<WindowRow> = tx
            .rows(
                RUN_WINDOWS_OF_RELEASE,
                args![project, series.id(), release, WINDOW_LIMIT],
            )
            .await?;
        let key = WindowKey {
            series,
            span: Span::Release,
            release: release.to_owned(),
        };
        let mut whole = Window::new(key.clone());
        let mut runs = 0;
        for row in rows {
            let window = decode(series, row)?;
            let kept = match window.key.span {
                Span::Run(run) => !excluded.contains(&run),
                _ => false,
            };
            if kept {
                runs += 1;
                whole.merge(&window)?;
            }
        }
        if runs == 0 {
            let (kind, start_us, run) = columns(&key.span);
            tx.execute(
                DROP_ONE,
                args![project, series.id(), kind, start_us, release, &run],
            )
            .await?;
        } else {
            whole.settle();
            save(tx, project, &whole).await?;
        }
        mark(tx, project, series, now_us).await?;
    }
    Ok(())
}

impl Store {
    /// A series' windows of one kind of span (the span's own value does not matter for runs and releases; days and
    /// hours are those that begin in `from_us..to_us`), with what is not folded yet merged in and marked provisional.
    pub async fn windows(
        &self,
        project: &ProjectId,
        series: SeriesId,
        like: Span,
        from_us: i64,
        to_us: i64,
        with_bodies: bool,
    ) -> Result<Vec<Window>, StoreError> {
        let (kind, ..) = columns(&like);
        let (from_us, to_us) = match like {
            Span::Run(_) | Span::Release => (0, 1),
            Span::Day(_) | Span::Hour(_) => (from_us, to_us),
        };
        let rows: Vec<WindowRow> = self
            .db
            .rows(
                if with_bodies { BODIES } else { HEADS },
                args![project, series.id(), kind, from_us, to_us, WINDOW_LIMIT],
            )
            .await?;
        let mut windows = rows
            .into_iter()
            .map(|row| decode(series, row).map(|window| (window.key.clone(), window)))
            .collect::<Result<BTreeMap<_, _>, _>>()?;
        self.add_unfolded(project, series, &mut windows, |key| {
            let (its_kind, start_us, _) = columns(&key.span);
            its_kind == kind && (from_us..to_us).contains(&start_us)
        })
        .await?;
        Ok(windows.into_values().collect())
    }

    async fn add_unfolded(
        &self,
        project: &ProjectId,
        series: SeriesId,
        windows: &mut BTreeMap<WindowKey, Window>,
        wanted: impl Fn(&WindowKey) -> bool,
    ) -> Result<(), StoreError> {
        let mut open = self.open_reports(project, series).await?;
        let mut deltas = Vec::new();
        for delta in self.tail(project, &[series]).await? {
            // Of one page view's reports only the last one counts.
            match &delta.values {
                Values::Report { id, .. } => drop(open.insert(id.clone(), delta)),
                _ => deltas.push(delta),
            }
        }
        deltas.extend(open.into_values());
        let mut touched: BTreeMap<WindowKey, Vec<&Delta>> = BTreeMap::new();
        for delta in &deltas {
            // Old hours stay visible until they are dropped, so the reader takes every hour there is.
            for key in keys_of(delta, delta.time_us).into_iter().filter(&wanted) {
                touched.entry(key).or_default().push(delta);
            }
        }
        for (key, deltas) in touched {
            let mut window = match windows.remove(&key) {
                Some(window) if window.body.is_some() => window,
                Some(head) => {
                    let (kind, start_us, run) = columns(&key.span);
                    let row: Option<WindowRow> = self
                        .db
                        .row(
                            ONE,
                            args![project, series.id(), kind, start_us, &key.release, &run],
                        )
                        .await?;
                    row.map(|row| decode(series, row))
                        .transpose()?
                        .unwrap_or(head)
                }
                None => Window::new(key.clone()),
            };
            for delta in deltas {
                window.add(delta)?;
            }
            window.provisional = true;
            window.settle();
            windows.insert(key, window);
        }
        Ok(())
    }

    /// All releases' windows of a series, in the releases' own order, oldest first; see `stats::release_order`.
    pub async fn release_windows(
        &self,
        project: &ProjectId,
        series: SeriesId,
        order: &[Release],
        with_bodies: bool,
    ) -> Result<Vec<Window>, StoreError> {
        let rank: BTreeMap<&str, usize> = order
            .iter()
            .enumerate()
            .map(|(rank, release)| (release.name.as_str(), rank))
            .collect();
        let mut windows = self
            .windows(project, series, Span::Release, 0, 1, with_bodies)
            .await?;
        windows.retain(|window| rank.contains_key(window.key.release.as_str()));
        windows.sort_by_key(|window| rank.get(window.key.release.as_str()).copied());
        Ok(windows)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn delta(values: Values) -> Delta {
        Delta {
            series: SeriesId(Id::NIL),
            release: "v1".into(),
            run: None,
            time_us: 5 * DAY_US + 3 * HOUR_US + 1,
            stratum: Stratum::whole(),
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
        let field = delta(Values::Raw(vec![1]));
        let spans = |now_us| -> Vec<Span> {
            keys_of(&field, now_us)
                .into_iter()
                .map(|k| k.span)
                .collect()
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
        assert_eq!(body.strata.len(), STRATA_KEPT + 1);
        assert_eq!(body.merged().count(), 100);
    }
}
