//! Reading windows, with what is not folded yet merged in.

use std::collections::{BTreeMap, BTreeSet};

use super::super::db::{Arg, Reading, Tx, args};
use super::super::journal::each_unfolded;
use super::super::{Delta, ProjectId, SeriesId, Store, StoreError, page_views, runs};
use super::rows::{
    BODIES, BODIES_AT, ONE, STARTS_A_QUERY, WINDOW_LIMIT, Whole, columns, head, heads, whole,
};
use super::{Span, Unfolded, Window, WindowKey};

const WAITING: &str = "SELECT (SELECT COUNT(*) FROM (SELECT 1 FROM journal WHERE project_id = $1 LIMIT 1) AS unfolded) \
     + (SELECT COUNT(*) FROM (SELECT 1 FROM open_bucket WHERE project_id = $1 LIMIT 1) AS unclosed)";

// Several, since several releases may have the newest day.
const NEWEST_DAYS: &str = "SELECT start_us, told FROM series_window \
     WHERE project_id = $1 AND series_id = $2 AND kind = $3 ORDER BY start_us DESC, release DESC LIMIT 64";

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
        let mut reading = self.reading(project).await?;
        let wanted = args![project, series.id(), kind, from_us, to_us, WINDOW_LIMIT];
        let folded = if with_bodies {
            let rows: Vec<Whole> = reading.rows(BODIES, wanted).await?;
            let windows = rows.into_iter().map(|row| whole(series, kind, row));
            windows.collect::<Result<_, _>>()?
        } else {
            heads(&mut reading, project, series, kind, (from_us, to_us)).await?
        };
        let wanted = |key: &WindowKey| {
            let (its_kind, start_us, _) = columns(&key.span);
            its_kind == kind && (from_us..to_us).contains(&start_us)
        };
        // A run is of the laboratory, where nobody views pages.
        let has_page_views = !matches!(like, Span::Run(_));
        complete(reading, project, series, folded, has_page_views, wanted).await
    }

    /// A series' window of one release, with its histogram and what is not folded yet.
    pub async fn release_window(
        &self,
        project: &ProjectId,
        series: SeriesId,
        release: &str,
    ) -> Result<Option<Window>, StoreError> {
        let (kind, start_us, run) = columns(&Span::Release);
        let mut reading = self.reading(project).await?;
        let wanted = args![project, series.id(), kind, start_us, release, &run];
        let row: Option<Whole> = reading.row(ONE, wanted).await?;
        let folded = row.map(|row| whole(series, kind, row)).transpose()?;
        let is_wanted = |key: &WindowKey| key.span == Span::Release && key.release == release;
        let folded = folded.into_iter().collect();
        let windows = complete(reading, project, series, folded, true, is_wanted).await?;
        Ok(windows.into_iter().next())
    }

    /// A series' days or hours that begin at these moments, with their histograms and what is not folded yet.
    pub async fn windows_at(
        &self,
        project: &ProjectId,
        series: SeriesId,
        like: Span,
        starts: &[i64],
    ) -> Result<Vec<Window>, StoreError> {
        if starts.is_empty() {
            return Ok(Vec::new());
        }
        let (kind, ..) = columns(&like);
        let mut reading = self.reading(project).await?;
        let mut folded = Vec::new();
        for chunk in starts.chunks(STARTS_A_QUERY) {
            let mut values = args![project, series.id(), kind].to_vec();
            // A shorter chunk asks for its last moment several times.
            let padded = chunk
                .iter()
                .chain(std::iter::repeat(&chunk[chunk.len() - 1]));
            values.extend(padded.take(STARTS_A_QUERY).map(|start| Arg::from(*start)));
            let rows: Vec<Whole> = reading.rows(BODIES_AT.as_str(), &values).await?;
            for row in rows {
                folded.push(whole(series, kind, row)?);
            }
        }
        let wanted: BTreeSet<i64> = starts.iter().copied().collect();
        let is_wanted = |key: &WindowKey| {
            let (its_kind, start_us, _) = columns(&key.span);
            its_kind == kind && wanted.contains(&start_us)
        };
        complete(reading, project, series, folded, true, is_wanted).await
    }

    /// When a field series was measured last, microseconds, as its newest day tells; none while something waits for its
    /// fold, or where no day is kept.
    pub async fn newest_folded_us(
        &self,
        project: &ProjectId,
        series: SeriesId,
    ) -> Result<Option<i64>, StoreError> {
        if !self.is_folded(project).await? {
            return Ok(None);
        }
        let (kind, ..) = columns(&Span::Day(0));
        let wanted = args![project, series.id(), kind];
        let rows: Vec<(i64, String)> = self.db.rows(NEWEST_DAYS, wanted).await?;
        let mut newest = None;
        for (start_us, told) in rows {
            let window = head(series, kind, (start_us, "", &[]), &told)?;
            newest = newest.max(Some(window.last_us));
        }
        Ok(newest)
    }

    /// Where to read a project's windows. While something waits for its fold, windows and what waits are read in one state
    /// of the database: a fold that commits in between must neither hide nor double anything. Where nothing waits before the
    /// windows are read, they hold all that was acknowledged until then, and a transaction would tell no more.
    async fn reading(&self, project: &ProjectId) -> Result<Reading<'_>, StoreError> {
        if self.is_folded(project).await? {
            return Ok(Reading::Each(&self.db));
        }
        Ok(Reading::Together(Box::new(self.db.snapshot().await?)))
    }

    /// Whether nothing of a project waited for its fold; one request asks once.
    async fn is_folded(&self, project: &ProjectId) -> Result<bool, StoreError> {
        if let Some(known) = self
            .heads
            .as_ref()
            .and_then(|heads| heads.is_folded(project))
        {
            return Ok(known);
        }
        let waiting: Option<(i64,)> = self.db.row(WAITING, args![project]).await?;
        let is_folded = waiting.is_some_and(|(waiting,)| waiting == 0);
        if let Some(heads) = &self.heads {
            heads.keep_folded(*project, is_folded);
        }
        Ok(is_folded)
    }
}

/// Folded windows of one kind, with what is not folded yet where there is any, in the order of their keys.
async fn complete(
    reading: Reading<'_>,
    project: &ProjectId,
    series: SeriesId,
    folded: Vec<Window>,
    has_page_views: bool,
    wanted: impl Fn(&WindowKey) -> bool,
) -> Result<Vec<Window>, StoreError> {
    match reading {
        Reading::Each(_) => Ok(in_order(folded)),
        Reading::Together(mut tx) => {
            let windows =
                with_unfolded(&mut tx, project, series, folded, has_page_views, wanted).await?;
            tx.commit().await?;
            Ok(windows)
        }
    }
}

/// Windows in the order of their keys, each once.
fn in_order(mut windows: Vec<Window>) -> Vec<Window> {
    windows.sort_by(|a, b| a.key.cmp(&b.key));
    windows.dedup_by(|a, b| a.key == b.key);
    windows
}

/// Folded windows of one kind with what is not folded yet, in the order of their keys.
pub(super) async fn with_unfolded(
    tx: &mut Tx,
    project: &ProjectId,
    series: SeriesId,
    folded: Vec<Window>,
    has_page_views: bool,
    wanted: impl Fn(&WindowKey) -> bool,
) -> Result<Vec<Window>, StoreError> {
    let mut open = if has_page_views {
        page_views::open_of(tx, project, series).await?
    } else {
        page_views::Block::default()
    };
    let mut deltas = Vec::new();
    each_unfolded(tx, project, |mut row, received_us| {
        // Of one page view's reports only the last one counts.
        open.add_row(&row, series)?;
        let of_row = row.deltas(Some(series))?.into_iter();
        deltas.extend(of_row.map(|delta| Unfolded { delta, received_us }));
        Ok(())
    })
    .await?;
    deltas.extend(open.deltas().into_iter().map(Unfolded::when_measured));
    let excluded = if deltas.iter().any(|one| one.delta.origin.run.is_some()) {
        runs::excluded(tx, project).await?
    } else {
        Vec::new()
    };
    let mut touched: BTreeMap<WindowKey, Vec<&Delta>> = BTreeMap::new();
    for one in &deltas {
        for key in one.keys(&excluded).into_iter().filter(&wanted) {
            touched.entry(key).or_default().push(&one.delta);
        }
    }
    let folded = in_order(folded);
    if touched.is_empty() {
        return Ok(folded);
    }
    let mut windows: BTreeMap<WindowKey, Window> = folded
        .into_iter()
        .map(|window| (window.key.clone(), window))
        .collect();
    for (key, deltas) in touched {
        let mut window = match windows.remove(&key) {
            Some(window) if window.body.is_some() => window,
            Some(known) => {
                let (kind, start_us, run) = columns(&key.span);
                let row: Option<Whole> = tx
                    .row(
                        ONE,
                        args![project, series.id(), kind, start_us, &key.release, &run],
                    )
                    .await?;
                row.map(|row| whole(series, kind, row))
                    .transpose()?
                    .unwrap_or(known)
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
    Ok(windows.into_values().collect())
}
