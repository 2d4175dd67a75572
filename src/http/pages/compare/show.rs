//! Fills the comparison of two releases.

use std::sync::Arc;

use axum::extract::{Query, State};
use serde::Deserialize;

use crate::chart::compare::{Comparison, Rung, unit_word};
use crate::http::error::Result;
use crate::http::pages::flow::Tab;
use crate::http::pages::layout::Section;
use crate::http::pages::visit::Visit;
use crate::http::{App, paths};
use crate::record::{CONFIDENCE, Tracked};
use crate::stats::compare::{Row, compare};
use crate::stats::percentile::percentile;
use crate::store::{SeriesId, Window};
use crate::wording::finding::Manner;
use crate::wording::names::{flow_title, metric_name, observation_noun};
use crate::wording::number::counted;
use crate::wording::quantity::Quantity;

use super::{ComparePage, Picker};

/// Releases offered on each side.
const OFFERED: usize = 40;
/// Flows offered.
const FLOWS: usize = 60;
/// The margin where no gate covers the flow, in percent.
const USUAL_MARGIN: f64 = 2.0;

/// What a reader may choose.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Choice {
    series: Option<String>,
    base: Option<String>,
    head: Option<String>,
}

/// The comparison.
pub async fn show(
    State(_app): State<App>,
    visit: Visit,
    Query(choice): Query<Choice>,
) -> Result<ComparePage> {
    let asked = choice.series.as_deref().and_then(SeriesId::parse);
    let asked = asked.and_then(|id| visit.record.series.get(&id));
    let Some(tracked) = asked.or_else(|| first_series(&visit)) else {
        return empty(&visit).await;
    };
    let windows = windows(&visit, tracked).await?;
    let names: Vec<&str> = windows
        .iter()
        .map(|window| window.key.release.as_str())
        .collect();
    let pinned = visit
        .record
        .config
        .reference_of(&tracked.flow)
        .map(|reference| reference.release.as_str());
    let known = |name: Option<&str>| name.filter(|name| names.contains(name)).map(str::to_owned);
    let head = known(choice.head.as_deref()).or_else(|| newest(&windows));
    let before = names
        .len()
        .checked_sub(2)
        .map(|index| names[index].to_owned());
    let base = known(choice.base.as_deref())
        .or_else(|| known(pinned))
        .or(before);
    let (Some(base), Some(head)) = (base, head) else {
        return empty(&visit).await;
    };
    let sides = visit
        .release_window(tracked, &base)
        .await?
        .zip(visit.release_window(tracked, &head).await?);
    let comparison = sides.and_then(|(base, head)| comparison(&visit, tracked, &base, &head));
    let missing = if comparison.is_none() {
        "One of the two releases has too few observations of this series."
    } else {
        ""
    };
    let not_comparable = not_comparable(&visit, tracked, &base, &head).await?;
    Ok(ComparePage {
        subject: tracked.subject(),
        manner: tracked.manner(),
        pickers: pickers(&visit, tracked, &names, &base, &head),
        comparison: comparison.map(|mut comparison| {
            if !not_comparable.is_empty() {
                // Values may be looked at; a difference would compare two ways of measuring.
                comparison
                    .rungs
                    .iter_mut()
                    .for_each(|rung| (rung.change, rung.is_worse) = (None, None));
            }
            comparison
        }),
        not_comparable,
        missing: missing.to_owned(),
        shell: visit.shell(Section::Compare).await?,
    })
}

async fn empty(visit: &Visit) -> Result<ComparePage> {
    Ok(ComparePage {
        shell: visit.shell(Section::Compare).await?,
        subject: String::new(),
        manner: Manner::Unknown,
        pickers: vec![],
        comparison: None,
        not_comparable: String::new(),
        missing: "There are no two releases with results of operations yet.".to_owned(),
    })
}

/// The first key flow's main series that has distributions, else any that has.
fn first_series(visit: &Visit) -> Option<&Tracked> {
    let key = visit.record.config.flows.iter().filter(|flow| flow.key);
    let of_key = key
        .filter_map(|flow| visit.main_series(&flow.name))
        .find(|tracked| tracked.has_percentiles());
    of_key.or_else(|| {
        visit
            .record
            .series
            .values()
            .find(|tracked| tracked.has_percentiles())
    })
}

/// The release windows that hold observations, without these, oldest release first.
async fn windows(visit: &Visit, tracked: &Tracked) -> Result<Vec<Arc<Window>>> {
    let mut windows = visit.release_windows(tracked).await?;
    windows.retain(|window| window.count > 0);
    Ok(windows)
}

/// The newest release with enough observations to say something; the very newest may have just come.
fn newest(windows: &[Arc<Window>]) -> Option<String> {
    let mut counts: Vec<u64> = windows.iter().map(|window| window.count).collect();
    counts.sort_unstable();
    let enough = counts.get(counts.len() / 2).copied().unwrap_or(0) / 4;
    let newest = windows.iter().rev().find(|window| window.count >= enough);
    newest.map(|window| window.key.release.clone())
}

fn comparison(
    visit: &Visit,
    tracked: &Tracked,
    base: &Window,
    head: &Window,
) -> Option<Comparison> {
    let (b, h) = (base.body.as_ref()?, head.body.as_ref()?);
    let rows = if tracked.series.is_field() {
        // Field windows hold strata of different sampling rates, which their percentiles weight.
        compare(
            &crate::stats::compare::QUANTILES,
            |q| b.percentile(q),
            |q| h.percentile(q),
        )
    } else {
        let (b, h) = (b.merged(), h.merged());
        compare(
            &crate::stats::compare::QUANTILES,
            |q| percentile(&b, q, CONFIDENCE),
            |q| percentile(&h, q, CONFIDENCE),
        )
    };
    let margin = margin(visit, tracked);
    let rungs: Vec<Rung> = rows
        .iter()
        .filter_map(|row| rung(tracked, row, margin))
        .collect();
    let word = unit_word(&rungs, tracked.unit());
    let unit = if word.is_empty() {
        String::new()
    } else {
        format!(", {word}")
    };
    let noun = observation_noun(tracked.series.source);
    let name = |window: &Window| (window.key.release.clone(), counted(window.count, noun));
    Some(Comparison {
        id: "spectrum".into(),
        title: format!(
            "{} {} by percentile{unit}",
            flow_title(&tracked.flow),
            metric_name(&tracked.series.metric)
        ),
        unit: tracked.unit(),
        base: name(base),
        head: name(head),
        rungs,
        margin,
    })
}

fn rung(tracked: &Tracked, row: &Row, margin: f64) -> Option<Rung> {
    let (base, head) = (row.base.ok()?, row.head.ok()?);
    let change = row
        .change_pct
        .map(|percent| Quantity::percent(percent.value, percent.lower, percent.upper));
    let is_beyond = change.is_some_and(|change| change.lower > margin || change.upper < -margin);
    let manner = tracked.manner();
    Some(Rung {
        quantile: row.q,
        base: tracked.quantity(&base),
        head: tracked.quantity(&head),
        change,
        is_worse: change
            .filter(|_| is_beyond && manner != Manner::Unknown)
            .map(|change| manner.is_worse(change.value)),
    })
}

fn margin(visit: &Visit, tracked: &Tracked) -> f64 {
    let gates = visit
        .record
        .config
        .gates
        .iter()
        .filter(|gate| gate.flows.contains(&tracked.flow));
    gates
        .map(|gate| gate.margin.fraction() * 100.0)
        .reduce(f64::min)
        .unwrap_or(USUAL_MARGIN)
}

/// Why the two are measured differently, if they are.
async fn not_comparable(
    visit: &Visit,
    tracked: &Tracked,
    base: &str,
    head: &str,
) -> Result<String> {
    let between = visit
        .record
        .epoch_between(&visit.store, tracked, base, head);
    let between = between.await?;
    Ok(between.map_or_else(String::new, |start| {
        format!(
            "Measured in a new way since {}: {}.",
            visit.moment(start.at_us).day(),
            start.reason
        )
    }))
}

fn pickers(
    visit: &Visit,
    tracked: &Tracked,
    names: &[&str],
    base: &str,
    head: &str,
) -> Vec<Picker> {
    let slug = visit.slug();
    let to_series = |tracked: &Tracked| paths::compare(slug, &tracked.id.to_string(), base, head);
    let comparable = |flow: &str| {
        visit
            .record
            .series
            .values()
            .find(|t| t.flow == flow && t.has_percentiles())
    };
    let flows = visit.record.flows().into_iter().filter_map(|flow| {
        let main = visit
            .main_series(&flow)
            .filter(|main| main.has_percentiles())
            .or_else(|| comparable(&flow))?;
        Some(Tab {
            path: to_series(main),
            name: flow_title(&flow),
            is_current: flow == tracked.flow,
        })
    });
    let series = visit
        .record
        .series_of(&tracked.flow)
        .filter(|other| other.has_percentiles());
    let series = series.map(|other| Tab {
        path: to_series(other),
        name: other.tab(false),
        is_current: other.id == tracked.id,
    });
    let id = tracked.id.to_string();
    let releases = |current: &str, path: &dyn Fn(&str) -> String| -> Vec<Tab> {
        let newest = names.iter().rev().take(OFFERED);
        newest
            .map(|name| Tab {
                path: path(name),
                name: (*name).to_owned(),
                is_current: *name == current,
            })
            .collect()
    };
    vec![
        Picker {
            label: "Flow",
            chosen: flow_title(&tracked.flow),
            options: flows.take(FLOWS).collect(),
        },
        Picker {
            label: "Series",
            chosen: tracked.tab(false),
            options: series.collect(),
        },
        Picker {
            label: "Base",
            chosen: base.to_owned(),
            options: releases(base, &|name| paths::compare(slug, &id, name, head)),
        },
        Picker {
            label: "Head",
            chosen: head.to_owned(),
            options: releases(head, &|name| paths::compare(slug, &id, base, name)),
        },
    ]
}
