//! Fills the months.

mod bleeds;
mod levels;
mod said;

use std::collections::BTreeSet;

use axum::extract::{Query, State};
use jiff::Span;
use jiff::civil::Date;
use serde::Deserialize;

use crate::chart::calendar::{Calendar, Day, Month};
use crate::http::error::Result;
use crate::http::pages::flow::Tab;
use crate::http::pages::layout::Section;
use crate::http::pages::tracked::headroom;
use crate::http::pages::visit::Visit;
use crate::http::{App, paths};
use crate::record::{By, Point, Tracked};
use crate::standing::{Standing, standing};
use crate::stats::budget::{self, Evidence as Judged};
use crate::wording::moment::{DAY_US, civil, midnight_us, month_name, month_word, span};
use crate::wording::names::flow_title;
use crate::wording::state::State as Stands;

use super::{MonthRow, MonthsPage, month_state};

/// What the links offer: name and months.
const RANGES: [(&str, i32); 3] = [("quarter", 3), ("nine months", 9), ("year", 12)];
const USUAL: (&str, i32) = ("nine months", 9);
/// Below this many days of data months say little.
const ENOUGH_DAYS: i64 = 45;
/// A laboratory's state holds until its next run, but no longer than this.
const HOLDS_DAYS: i64 = 21;
/// Verdicts read: what a busy quarter brings.
const VERDICTS: i64 = 1_000;

/// What a reader may choose.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Choice {
    range: Option<String>,
}

/// A key flow with its days.
struct Watched<'a> {
    flow: String,
    tracked: Option<&'a Tracked>,
    standing: Option<Standing<'a>>,
    /// A state for each day from the first of the first month; nothing for days without data.
    days: Vec<Option<Stands>>,
}

/// The months.
pub async fn show(
    State(_app): State<App>,
    visit: Visit,
    Query(choice): Query<Choice>,
) -> Result<MonthsPage> {
    let chosen = RANGES
        .into_iter()
        .find(|(name, _)| Some(*name) == choice.range.as_deref())
        .unwrap_or(USUAL);
    let today = civil(visit.now_us).date();
    let first = today
        .first_of_month()
        .saturating_sub(Span::new().months(chosen.1 - 1));
    let mut flows = Vec::new();
    for flow in visit
        .record
        .flows()
        .into_iter()
        .filter(|flow| visit.record.config.is_key(flow))
    {
        flows.push(watched(&visit, flow, first).await?);
    }
    let verdicts = visit
        .store
        .verdicts(&visit.caller.project, VERDICTS)
        .await?;
    let months = months(first, chosen.1);
    let bleeds = bleeds::bleeds(&visit, midnight_us(first)).await?;
    Ok(MonthsPage {
        stretch: stretch(first, today),
        ranges: ranges(&visit, chosen.0),
        headline: said::headline(&visit, midnight_us(first), chosen.0),
        lead: said::lead(&visit, &flows, &bleeds),
        figures: said::figures(&visit, &flows, &bleeds, &verdicts),
        months: months
            .iter()
            .map(|month| month_name(month.month()).to_owned())
            .collect(),
        rows: flows
            .iter()
            .map(|flow| row(&visit, flow, &months, first))
            .collect(),
        calendar: worst(&flows).map(|flow| calendar(flow, &months, first, today)),
        levels: levels::levels(&visit, &flows, &verdicts).await?,
        too_little: too_little(&visit),
        bleeds,
        shell: visit.shell(Section::Months).await?,
    })
}

fn months(first: Date, count: i32) -> Vec<Date> {
    (0..count)
        .map(|k| first.saturating_add(Span::new().months(k)))
        .collect()
}

/// "March – November 2026".
fn stretch(first: Date, today: Date) -> String {
    let word = |date: Date| month_word(midnight_us(date));
    if first.year() == today.year() {
        format!("{} – {} {}", word(first), word(today), today.year())
    } else {
        format!(
            "{} {} – {} {}",
            word(first),
            first.year(),
            word(today),
            today.year()
        )
    }
}

fn ranges(visit: &Visit, chosen: &str) -> Vec<Tab> {
    let path = |name: &str| {
        format!(
            "{}?range={}",
            paths::page(visit.slug(), "months"),
            paths::segment(name)
        )
    };
    let tab = |(name, _): (&str, i32)| Tab {
        path: path(name),
        name: name.to_owned(),
        is_current: name == chosen,
    };
    RANGES.into_iter().map(tab).collect()
}

async fn watched<'a>(visit: &'a Visit, flow: String, first: Date) -> Result<Watched<'a>> {
    let Some(tracked) = visit.main_series(&flow) else {
        return Ok(Watched {
            flow,
            tracked: None,
            standing: None,
            days: vec![],
        });
    };
    let budget = visit.record.budgets(tracked).into_iter().next();
    let standing = match budget {
        Some(budget) => {
            let (store, record, findings) = (&visit.store, &visit.record, &visit.findings);
            Some(standing(store, record, tracked, budget, findings, visit.now_us).await?)
        }
        None => None,
    };
    let days = match &standing {
        Some(standing) => days(visit, standing, first).await?,
        None => vec![],
    };
    Ok(Watched {
        flow,
        tracked: Some(tracked),
        standing,
        days,
    })
}

/// Each day takes the state of the release that was out that day; days on which the field sent nothing have none.
async fn days(visit: &Visit, standing: &Standing<'_>, first: Date) -> Result<Vec<Option<Stands>>> {
    let tracked = standing.tracked;
    let qs: Vec<f64> = standing.q.into_iter().collect();
    let points = visit
        .record
        .points(&visit.store, tracked, By::Release, i64::MIN, i64::MAX, &qs)
        .await?;
    let from_us = midnight_us(first);
    let sent = if tracked.series.is_field() {
        let (store, record) = (&visit.store, &visit.record);
        record
            .days_with_data(store, tracked, from_us, i64::MAX)
            .await?
    } else {
        BTreeSet::new()
    };
    let pinned = standing.reference.as_ref();
    let pinned = pinned.and_then(|(name, _)| points.iter().find(|point| point.release == *name));
    let count = (visit.now_us - from_us) / DAY_US + 1;
    let state = |k: i64| {
        let end_us = from_us + (k + 1) * DAY_US;
        let current = points.iter().rev().find(|point| point.time_us < end_us)?;
        let has_data = match tracked.series.is_field() {
            true => sent.contains(&(from_us + k * DAY_US)),
            false => end_us - current.time_us <= HOLDS_DAYS * DAY_US,
        };
        has_data.then(|| state_of(standing, current, pinned))
    };
    Ok((0..count).map(state).collect())
}

fn state_of(standing: &Standing<'_>, point: &Point, pinned: Option<&Point>) -> Stands {
    let (Some(limit), Some(value)) = (standing.limit, point.interval) else {
        return Stands::NotEnough;
    };
    budget::state(&Judged {
        value: Ok(value),
        limit,
        direction: standing.tracked.direction,
        age_us: Some(0),
        fresh_us: i64::MAX,
        releases_without_run: 0,
        // What came before the reference, or was measured in another way, spent nothing of its headroom.
        reference: pinned
            .filter(|pinned| pinned.epoch == point.epoch && pinned.time_us <= point.time_us)
            .and_then(|pinned| pinned.interval),
        bleed_early_days: None,
    })
    .into()
}

fn day_index(first: Date, date: Date) -> usize {
    usize::try_from((midnight_us(date) - midnight_us(first)) / DAY_US).unwrap_or(0)
}

/// The days of a month that have passed.
fn days_of<'d>(flow: &'d Watched<'_>, month: Date, first: Date) -> &'d [Option<Stands>] {
    let from = day_index(first, month).min(flow.days.len());
    let until = day_index(first, month.saturating_add(Span::new().months(1))).min(flow.days.len());
    &flow.days[from..until]
}

fn row(visit: &Visit, flow: &Watched<'_>, months: &[Date], first: Date) -> MonthRow {
    let mut states: Vec<Stands> = months
        .iter()
        .map(|month| month_state(days_of(flow, *month, first)))
        .collect();
    // The running month also knows how things stand now.
    if let (Some(last), Some(standing)) = (states.last_mut(), &flow.standing)
        && matches!(standing.state, budget::State::Stale)
    {
        *last = Stands::Stale;
    }
    let room = flow
        .standing
        .as_ref()
        .map(|standing| headroom(standing, visit.now_us));
    MonthRow {
        path: paths::flow(visit.slug(), &flow.flow),
        title: flow_title(&flow.flow),
        states,
        left: room.as_ref().and_then(|room| room.left),
        no_left: if flow.standing.is_some() {
            "cannot say".into()
        } else {
            "no budget yet".into()
        },
        spent: room.and_then(|room| room.spent_this_quarter),
    }
}

/// The flow with the most bad days; none when every day was good.
fn worst<'a, 'b>(flows: &'a [Watched<'b>]) -> Option<&'a Watched<'b>> {
    let weight = |flow: &Watched<'_>| {
        let days = flow.days.iter().flatten();
        days.map(|state| match state {
            Stands::Breached => 10,
            Stands::AtRisk => 1,
            _ => 0,
        })
        .sum::<u32>()
    };
    flows
        .iter()
        .filter(|flow| !flow.days.is_empty())
        .max_by_key(|flow| weight(flow))
}

fn calendar(flow: &Watched<'_>, months: &[Date], first: Date, today: Date) -> Calendar {
    let day = |date: Date| match flow.days.get(day_index(first, date)) {
        _ if date > today => Day::Future,
        Some(Some(Stands::Within)) => Day::Within,
        Some(Some(Stands::AtRisk)) => Day::AtRisk,
        Some(Some(Stands::Breached)) => Day::Breached,
        Some(Some(_)) => Day::NotEnough,
        _ => Day::Missing,
    };
    let month = |first_day: &Date| Month {
        name: month_name(first_day.month()).to_owned(),
        days: (0..first_day.days_in_month())
            .map(|k| day(first_day.saturating_add(Span::new().days(i64::from(k)))))
            .collect(),
    };
    Calendar {
        id: "days".into(),
        title: format!("{} day by day", flow_title(&flow.flow)),
        months: months.iter().map(month).collect(),
    }
}
fn too_little(visit: &Visit) -> String {
    let first = visit.record.releases.first().map(|release| release.time_us);
    let Some(first_us) = first else {
        return "No data yet. `longwatch import` brings a history at once.".to_owned();
    };
    let days = (visit.now_us - first_us) / DAY_US;
    if days >= ENOUGH_DAYS {
        String::new()
    } else {
        format!("{} of data so far.", span(visit.now_us - first_us))
    }
}
