//! Fills the comparison of two releases.

use axum::extract::Query;
use serde::Deserialize;

use crate::chart::compare::{Comparison, Rung};
use crate::http::error::Result;
use crate::http::pages::flow::Tab;
use crate::http::pages::layout::Section;
use crate::http::pages::visit::Visit;
use crate::http::paths;
use crate::http::wording::finding::Manner;
use crate::http::wording::names::{flow_title, observation_noun};
use crate::http::wording::number::counted;
use crate::http::wording::quantity::Quantity;
use crate::record::{By, Tracked};
use crate::stats::compare::{QUANTILES, compare};
use crate::store::{SeriesId, Window};

use super::{ComparePage, Picker};

/// The margin where no gate says one, per cent.
const MARGIN_PCT: f64 = 2.0;

/// What is compared.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Asked {
    series: String,
    base: String,
    head: String,
}

/// Two releases of one series side by side.
pub async fn show(Query(asked): Query<Asked>, visit: Visit) -> Result<ComparePage> {
    let tracked = SeriesId::parse(&asked.series)
        .and_then(|id| visit.record.series.get(&id))
        .or_else(|| {
            visit
                .record
                .config
                .flows
                .iter()
                .find_map(|flow| visit.main_series(&flow.name))
        })
        .or_else(|| visit.record.series.values().next());
    let mut page = ComparePage {
        subject: String::new(),
        manner: Manner::Unknown,
        pickers: Vec::new(),
        comparison: None,
        not_comparable: String::new(),
        missing: String::new(),
        shell: visit.shell(Section::Compare).await?,
    };
    let Some(tracked) = tracked else {
        page.missing = "No results yet, so there is nothing to compare.".to_owned();
        return Ok(page);
    };
    let points = visit
        .record
        .points(&visit.store, tracked, By::Release, i64::MIN, i64::MAX, &[])
        .await?;
    let windows = visit
        .record
        .release_windows_of(&visit.store, tracked)
        .await?;
    let known: Vec<String> = windows.iter().map(|w| w.key.release.clone()).collect();
    let pinned = visit
        .record
        .config
        .reference_of(&tracked.flow)
        .map(|reference| reference.release.clone());
    let pick = |asked: &str, otherwise: Option<String>| {
        known
            .iter()
            .find(|name| *name == asked)
            .cloned()
            .or(otherwise)
    };
    let base = pick(
        &asked.base,
        pinned
            .filter(|p| known.contains(p))
            .or_else(|| known.first().cloned()),
    );
    let head = pick(&asked.head, known.last().cloned());
    page.subject = tracked.subject();
    page.manner = tracked.manner();
    page.pickers = pickers(&visit, tracked, &known, base.as_deref(), head.as_deref());
    let side = |name: &Option<String>| {
        windows
            .iter()
            .find(|window| Some(&window.key.release) == name.as_ref())
    };
    let (Some(base), Some(head)) = (side(&base), side(&head)) else {
        page.missing = "This series has no release with data yet.".to_owned();
        return Ok(page);
    };
    if !tracked.has_percentiles() {
        page.missing =
            "Its values are no single operations, so there is no distribution of them to compare."
                .to_owned();
        return Ok(page);
    }
    let epoch = |window: &Window| {
        points
            .iter()
            .find(|point| point.release == window.key.release)
            .map(|point| point.epoch)
    };
    let starts = visit.record.epoch_starts(&visit.store, tracked).await?;
    let between = starts.iter().find(|start| {
        let at = visit.record.rank(&start.release);
        at > visit.record.rank(&base.key.release) && at <= visit.record.rank(&head.key.release)
    });
    if let Some(start) = between {
        page.not_comparable = format!(
            "Measured in a new way since {}: {}",
            start.release, start.reason
        );
    } else if epoch(base) != epoch(head) {
        page.not_comparable = "They belong to different epochs.".to_owned();
    }
    page.comparison = Some(comparison(
        &visit,
        tracked,
        base,
        head,
        page.not_comparable.is_empty(),
    ));
    Ok(page)
}

fn comparison(
    visit: &Visit,
    tracked: &Tracked,
    base: &Window,
    head: &Window,
    comparable: bool,
) -> Comparison {
    let margin = visit
        .record
        .config
        .gates
        .iter()
        .find(|gate| gate.flows.contains(&tracked.flow))
        .map_or(MARGIN_PCT, |gate| 100.0 * gate.margin.fraction());
    let at = |window: &Window, q: f64| {
        window
            .body
            .as_ref()
            .ok_or_else(crate::stats::Needs::default)
            .and_then(|body| body.percentile(q))
    };
    let rungs = compare(&QUANTILES, |q| at(base, q), |q| at(head, q))
        .into_iter()
        .filter_map(|row| {
            let (before, after) = (row.base.ok()?, row.head.ok()?);
            let change = row
                .change_pct
                .filter(|_| comparable)
                .map(|change| Quantity::percent(change.value, change.lower, change.upper));
            let beyond = change.filter(|change| change.lower > margin || change.upper < -margin);
            Some(Rung {
                quantile: row.q,
                base: tracked.quantity(&before),
                head: tracked.quantity(&after),
                is_worse: beyond
                    .filter(|_| tracked.manner() != Manner::Unknown)
                    .map(|change| tracked.manner().is_worse(change.value)),
                change,
            })
        })
        .collect();
    let noun = observation_noun(tracked.series.source);
    let side = |window: &Window| (window.key.release.clone(), counted(window.count, noun));
    Comparison {
        id: "compare".to_owned(),
        title: tracked.subject(),
        unit: tracked.unit(),
        base: side(base),
        head: side(head),
        rungs,
        margin,
    }
}

fn pickers(
    visit: &Visit,
    tracked: &Tracked,
    known: &[String],
    base: Option<&str>,
    head: Option<&str>,
) -> Vec<Picker> {
    let (base, head) = (base.unwrap_or_default(), head.unwrap_or_default());
    let id = tracked.id.to_string();
    let series = visit
        .record
        .series
        .values()
        .filter(|other| other.has_percentiles())
        .map(|other| Tab {
            path: paths::compare(visit.slug(), &other.id.to_string(), base, head),
            name: format!("{} · {}", flow_title(&other.flow), other.line()),
            is_current: other.id == tracked.id,
        })
        .collect();
    let releases = |chosen: &str, to: &dyn Fn(&str) -> String| {
        known
            .iter()
            .rev()
            .map(|name| Tab {
                path: to(name),
                name: name.clone(),
                is_current: name == chosen,
            })
            .collect()
    };
    vec![
        Picker {
            label: "Series",
            chosen: format!("{} · {}", flow_title(&tracked.flow), tracked.line()),
            options: series,
        },
        Picker {
            label: "Base",
            chosen: base.to_owned(),
            options: releases(base, &|name| paths::compare(visit.slug(), &id, name, head)),
        },
        Picker {
            label: "Head",
            chosen: head.to_owned(),
            options: releases(head, &|name| paths::compare(visit.slug(), &id, base, name)),
        },
    ]
}
