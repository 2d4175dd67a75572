//! Reading windows, with what is not folded yet merged in.

use std::collections::{BTreeMap, BTreeSet};

use super::super::db::{Arg, Tx, args};
use super::super::journal::each_unfolded;
use super::super::{Delta, ProjectId, SeriesId, Store, StoreError, page_views, runs};
use super::rows::{
    BODIES, BODIES_AT, ONE, STARTS_A_QUERY, WINDOW_LIMIT, Whole, columns, heads, whole,
};
use super::{Span, Window, WindowKey, keys_of};

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
        // One snapshot for windows and tail: a fold that commits in between must neither hide nor double anything.
        let mut tx = self.db.snapshot().await?;
        let wanted = args![project, series.id(), kind, from_us, to_us, WINDOW_LIMIT];
        let folded = if with_bodies {
            let rows: Vec<Whole> = tx.rows(BODIES, wanted).await?;
            let windows = rows.into_iter().map(|row| whole(series, kind, row));
            windows.collect::<Result<_, _>>()?
        } else {
            heads(&mut tx, project, series, kind, (from_us, to_us)).await?
        };
        // A run is of the laboratory, where nobody views pages.
        let has_page_views = !matches!(like, Span::Run(_));
        let wanted = |key: &WindowKey| {
            let (its_kind, start_us, _) = columns(&key.span);
            its_kind == kind && (from_us..to_us).contains(&start_us)
        };
        let windows =
            with_unfolded(&mut tx, project, series, folded, has_page_views, wanted).await?;
        tx.commit().await?;
        Ok(windows)
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
        let mut tx = self.db.snapshot().await?;
        let mut folded = Vec::new();
        for chunk in starts.chunks(STARTS_A_QUERY) {
            let mut values = args![project, series.id(), kind].to_vec();
            // A shorter chunk asks for its last moment several times.
            let padded = chunk
                .iter()
                .chain(std::iter::repeat(&chunk[chunk.len() - 1]));
            values.extend(padded.take(STARTS_A_QUERY).map(|start| Arg::from(*start)));
            let rows: Vec<Whole> = tx.rows(BODIES_AT.as_str(), &values).await?;
            for row in rows {
                folded.push(whole(series, kind, row)?);
            }
        }
        let wanted: BTreeSet<i64> = starts.iter().copied().collect();
        let is_wanted = |key: &WindowKey| {
            let (its_kind, start_us, _) = columns(&key.span);
            its_kind == kind && wanted.contains(&start_us)
        };
        let windows = with_unfolded(&mut tx, project, series, folded, true, is_wanted).await?;
        tx.commit().await?;
        Ok(windows)
    }
}

/// Folded windows of one kind with what is not folded yet, in the order of their keys.
pub(super) async fn with_unfolded(
    tx: &mut Tx,
    project: &ProjectId,
    series: SeriesId,
    mut folded: Vec<Window>,
    has_page_views: bool,
    wanted: impl Fn(&WindowKey) -> bool,
) -> Result<Vec<Window>, StoreError> {
    let mut open = if has_page_views {
        page_views::open_of(tx, project, series).await?
    } else {
        page_views::Block::default()
    };
    let mut deltas = Vec::new();
    each_unfolded(tx, project, |mut row| {
        // Of one page view's reports only the last one counts.
        open.add_row(&row, series)?;
        deltas.extend(row.deltas(Some(series))?);
        Ok(())
    })
    .await?;
    deltas.extend(open.deltas());
    let excluded = if deltas.iter().any(|delta| delta.origin.run.is_some()) {
        runs::excluded(tx, project).await?
    } else {
        Vec::new()
    };
    let mut touched: BTreeMap<WindowKey, Vec<&Delta>> = BTreeMap::new();
    for delta in &deltas {
        // Old hours stay visible until they are dropped, so the reader takes every hour there is.
        let keys = keys_of(delta, &excluded, delta.time_us);
        for key in keys.into_iter().filter(&wanted) {
            touched.entry(key).or_default().push(delta);
        }
    }
    folded.sort_by(|a, b| a.key.cmp(&b.key));
    folded.dedup_by(|a, b| a.key == b.key);
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
