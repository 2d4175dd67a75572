//! Fills the months' page: states day by day as each budget's window stood then, bleeds, and levels of practice.

use std::collections::BTreeMap;

use axum::extract::Query;
use jiff::ToSpan;
use jiff::civil::Date;
use serde::Deserialize;

use crate::chart::calendar::{Calendar, Day, Month};
use crate::config::{Enforcement, utc_date};
use crate::detector::evidence::Evidence;
use crate::http::error::Result;
use crate::http::pages::evidence::amount;
use crate::http::pages::flow::Tab;
use crate::http::pages::gates::show::midnight_us;
use crate::http::pages::layout::Section;
use crate::http::pages::tracked::headroom;
use crate::http::pages::visit::Visit;
use crate::http::paths;
use crate::http::prose::Prose;
use crate::http::wording::moment::DAY_US;
use crate::http::wording::names::flow_title;
use crate::http::wording::number::counted;
use crate::http::wording::state::State;
use crate::record::{By, Tracked};
use crate::standing::{self, Standing, quarter_start};
use crate::stats::{Direction, Interval};
use crate::store::{Finding, FindingState};

use super::{BleedLine, Figure, LevelRow, MonthRow, MonthsPage, month_state};

/// Months shown where nothing else is asked for.
const NINE: i32 = 9;
/// Verdicts read for the quarter's figures.
const VERDICTS: i64 = 1_000;

/// Which months.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Asked {
    months: Option<i32>,
}

/// One key flow with the days of its budget.
struct Kept<'a> {
    flow: String,
    standing: Option<Standing<'a>>,
    days: BTreeMap<Date, State>,
}

/// The months' page.
pub async fn show(Query(asked): Query<Asked>, visit: Visit) -> Result<MonthsPage> {
    let shown = asked.months.unwrap_or(NINE).clamp(3, 24);
    let today = utc_date(visit.now_us);
    let first = today.first_of_month().saturating_sub((shown - 1).months());
    let mut kept = Vec::new();
    for flow in visit.record.flows() {
        if visit.record.config.is_key(&flow) {
            kept.push(keep(&visit, flow, first, today).await?);
        }
    }
    let months: Vec<Date> = (0..shown)
        .map(|month| first.saturating_add(month.months()))
        .collect();
    let (inside, known) = days_inside(&kept);
    let running = bleeds(&visit, true);
    let stopped = bleeds(&visit, false);
    let levels = levels(&visit, &kept, today).await?;
    let oldest = kept.iter().filter_map(|one| one.days.keys().next()).min();
    let young = oldest.is_none_or(|oldest| {
        today
            .since(*oldest)
            .is_ok_and(|span| span.get_days() < 28 && span.get_months() < 1)
    });
    Ok(MonthsPage {
        stretch: stretch(first, today),
        ranges: ranges(&visit, shown),
        headline: headline(&visit, shown, running.len()),
        lead: lead(&visit, inside, known, running.len(), stopped.len()),
        figures: figures(&visit, &kept, today, running.len(), stopped.len()).await?,
        months: months.iter().map(|month| short_month(*month)).collect(),
        rows: kept
            .iter()
            .map(|one| row(&visit, one, &months, today))
            .collect(),
        calendar: calendar(&kept, &months, today),
        bleeds: running.into_iter().chain(stopped).collect(),
        levels,
        too_little: if young {
            "Less than a month of data so far.".to_owned()
        } else {
            String::new()
        },
        shell: visit.shell(Section::Months).await?,
    })
}

async fn keep<'a>(visit: &'a Visit, flow: String, first: Date, today: Date) -> Result<Kept<'a>> {
    let tracked = visit
        .main_series(&flow)
        .map(|tracked| tracked.id)
        .and_then(|id| visit.record.series.get(&id));
    let budget = tracked.and_then(|tracked| visit.record.budgets(tracked).first().copied());
    let (Some(tracked), Some(budget)) = (tracked, budget) else {
        return Ok(Kept {
            flow,
            standing: None,
            days: BTreeMap::new(),
        });
    };
    let found = standing::standing(
        &visit.store,
        &visit.record,
        tracked,
        budget,
        &visit.findings,
        visit.now_us,
    )
    .await?;
    let days = match found.limit {
        Some(limit) => days_of(visit, tracked, &found, limit, first, today).await?,
        None => BTreeMap::new(),
    };
    Ok(Kept {
        flow,
        standing: Some(found),
        days,
    })
}

/// The state of each day: what was measured then (a lab value stands until the next release's), held against the limit.
async fn days_of(
    visit: &Visit,
    tracked: &Tracked,
    found: &Standing<'_>,
    limit: f64,
    first: Date,
    today: Date,
) -> Result<BTreeMap<Date, State>> {
    let field = tracked.series.is_field();
    let by = if field { By::Day } else { By::Release };
    let points = visit
        .record
        .points(
            &visit.store,
            tracked,
            by,
            i64::MIN,
            i64::MAX,
            &standing::qs(found.q),
        )
        .await?;
    let mut days = BTreeMap::new();
    let mut newest: Option<State> = None;
    let mut waiting = points.iter().peekable();
    let mut day = first;
    while day <= today {
        let end_us = midnight_us(day) + DAY_US;
        let mut own = None;
        while let Some(point) = waiting.next_if(|point| point.time_us < end_us) {
            let state = point.interval.map_or(State::NotEnough, |value| {
                against(&value, limit, tracked.direction)
            });
            (own, newest) = (Some(state), Some(state));
        }
        let state = if field { own } else { newest };
        if let Some(state) = state {
            days.insert(day, state);
        }
        day = day.saturating_add(1.day());
    }
    // The newest silence is staleness, not a gap.
    if found.state == crate::stats::budget::State::Stale
        && let Some(last) = days.keys().next_back().copied()
        && field
    {
        let mut day = last.saturating_add(1.day());
        while day <= today {
            days.insert(day, State::Stale);
            day = day.saturating_add(1.day());
        }
    }
    Ok(days)
}

fn against(value: &Interval, limit: f64, direction: Direction) -> State {
    let worse = value.worse_upwards(direction);
    let limit = if direction == Direction::Higher {
        -limit
    } else {
        limit
    };
    if worse.lower > limit {
        State::Breached
    } else if worse.upper >= limit {
        State::AtRisk
    } else {
        State::Within
    }
}

fn row(visit: &Visit, one: &Kept<'_>, months: &[Date], today: Date) -> MonthRow {
    let left = one
        .standing
        .as_ref()
        .map(|found| headroom(found, visit.now_us));
    MonthRow {
        path: paths::flow(visit.slug(), &one.flow),
        title: flow_title(&one.flow),
        states: months
            .iter()
            .map(|month| month_state(&days_in(one, *month, today)))
            .collect(),
        no_left: match (&one.standing, &left) {
            (None, _) => "no budget yet".to_owned(),
            (Some(_), Some(left)) if left.left.is_none() => "cannot say".to_owned(),
            _ => String::new(),
        },
        spent: left.as_ref().and_then(|left| left.spent_this_quarter),
        left: left.and_then(|left| left.left),
    }
}

fn days_in(one: &Kept<'_>, month: Date, today: Date) -> Vec<Option<State>> {
    let mut states = Vec::new();
    let mut day = month;
    while day.month() == month.month() && day.year() == month.year() && day <= today {
        states.push(one.days.get(&day).copied());
        day = day.saturating_add(1.day());
    }
    states
}

/// The days on which all key flows with data were inside their budgets, and the days of which anything is known.
fn days_inside(kept: &[Kept<'_>]) -> (usize, usize) {
    let mut by_day: BTreeMap<Date, bool> = BTreeMap::new();
    for one in kept {
        for (day, state) in &one.days {
            if matches!(state, State::Within | State::AtRisk | State::Breached) {
                let inside = by_day.entry(*day).or_insert(true);
                *inside &= *state != State::Breached;
            }
        }
    }
    (
        by_day.values().filter(|inside| **inside).count(),
        by_day.len(),
    )
}

fn calendar(kept: &[Kept<'_>], months: &[Date], today: Date) -> Option<Calendar> {
    let badness = |one: &Kept<'_>| {
        one.days
            .values()
            .map(|state| match state {
                State::Breached => 2,
                State::AtRisk => 1,
                _ => 0,
            })
            .sum::<u32>()
    };
    let worst = kept
        .iter()
        .filter(|one| !one.days.is_empty())
        .max_by_key(|one| badness(one))?;
    Some(Calendar {
        id: "calendar".to_owned(),
        title: format!("{} day by day", flow_title(&worst.flow)),
        months: months
            .iter()
            .map(|month| Month {
                name: short_month(*month),
                days: (0..month.days_in_month())
                    .map(|offset| {
                        let day = month.saturating_add(i32::from(offset).days());
                        match worst.days.get(&day) {
                            _ if day > today => Day::Future,
                            Some(State::Within) => Day::Within,
                            Some(State::AtRisk) => Day::AtRisk,
                            Some(State::Breached) => Day::Breached,
                            Some(State::NotEnough) => Day::NotEnough,
                            Some(State::Stale) | None => Day::Missing,
                        }
                    })
                    .collect(),
            })
            .collect(),
    })
}

fn bleeds(visit: &Visit, running: bool) -> Vec<BleedLine> {
    visit
        .findings
        .iter()
        .filter(|finding| finding.kind == "bleed" && finding.state.is_open() == running)
        .filter(|finding| finding.state != FindingState::FalseAlarm)
        .filter_map(|finding| Some((finding, Evidence::read(&finding.evidence)?)))
        .filter(|(_, evidence)| running || evidence.ended_by.is_some())
        .map(|(finding, evidence)| bleed_line(visit, finding, &evidence))
        .collect()
}

fn bleed_line(visit: &Visit, finding: &Finding, evidence: &Evidence) -> BleedLine {
    let total = amount(evidence).map_or_else(String::new, |total| {
        format!("{} {}", total.signed(), total.range())
    });
    let owner = finding.owner.as_deref().unwrap_or("nobody");
    let since = visit.moment(finding.onset_us).day();
    let found = visit.moment(finding.detected_us).day();
    let note = evidence
        .ended_by
        .as_deref()
        .and_then(|release| visit.record.rank(release))
        .and_then(|rank| visit.record.releases[rank].note.clone());
    BleedLine {
        path: paths::finding(visit.slug(), &finding.id.to_string()),
        when: match &evidence.ended_by {
            Some(release) => format!("Stopped by {release}, had run since {since}"),
            None => format!("Running since {since}"),
        },
        what: format!("{}, {total}", flow_title(&finding.flow)),
        who: match (&evidence.ended_by, note) {
            (Some(_), Some(note)) => format!("credit: {owner}, “{note}”"),
            (Some(release), None) => format!("credit: {release}, owner {owner}"),
            (None, _) => format!("owner {owner} · found {found}"),
        },
        is_stopped: evidence.ended_by.is_some(),
    }
}

async fn figures(
    visit: &Visit,
    kept: &[Kept<'_>],
    today: Date,
    running: usize,
    stopped: usize,
) -> Result<Vec<Figure>> {
    let now = |wanted: &[State]| {
        kept.iter()
            .filter(|one| {
                one.standing
                    .as_ref()
                    .is_some_and(|found| wanted.contains(&State::from(found.state)))
            })
            .count()
    };
    let inside = now(&[State::Within, State::AtRisk]);
    let silent = kept.len() - now(&[State::Within, State::AtRisk, State::Breached]);
    let most = kept
        .iter()
        .filter_map(|one| {
            let found = one.standing.as_ref()?;
            let spent = found.spent_this_quarter?;
            let share = spent.value / found.limit?.abs().max(f64::MIN_POSITIVE);
            Some((one, found.tracked.quantity(&spent), share))
        })
        .max_by(|a, b| a.2.total_cmp(&b.2));
    let verdicts = visit
        .store
        .verdicts(&visit.caller.project, VERDICTS)
        .await?;
    let asked: Vec<_> = verdicts
        .iter()
        .filter(|verdict| verdict.created_us >= quarter_start(visit.now_us))
        .collect();
    let said = |word: &str| {
        asked
            .iter()
            .filter(|verdict| verdict.verdict == word)
            .count()
    };
    let undecided = said("inconclusive");
    Ok(vec![
        Figure {
            label: format!("Inside budget in {}", long_month(today)),
            value: format!("{inside} of {} flows", kept.len()),
            range: String::new(),
            note: format!(
                "{} of them at risk, {silent} without data",
                now(&[State::AtRisk])
            ),
        },
        Figure {
            label: "Headroom spent this quarter".to_owned(),
            value: most
                .as_ref()
                .map_or_else(|| "cannot say".to_owned(), |(_, spent, _)| spent.signed()),
            range: most
                .as_ref()
                .map(|(_, spent, _)| spent.range())
                .unwrap_or_default(),
            note: most
                .as_ref()
                .map(|(one, ..)| format!("in {}, which spent most", flow_title(&one.flow)))
                .unwrap_or_default(),
        },
        Figure {
            label: "Slow bleeds".to_owned(),
            value: format!("{running} running, {stopped} stopped"),
            range: String::new(),
            note: "in all the data there are".to_owned(),
        },
        Figure {
            label: "Gate answers".to_owned(),
            value: format!("{} of {} decided", asked.len() - undecided, asked.len()),
            range: String::new(),
            note: format!(
                "{} pass, {} fail, {undecided} inconclusive this quarter",
                said("pass"),
                said("fail")
            ),
        },
    ])
}

/// How well each flow is looked after, as far as the evidence reaches.
async fn levels(visit: &Visit, kept: &[Kept<'_>], today: Date) -> Result<Vec<LevelRow>> {
    let config = &visit.record.config;
    let verdicts = visit
        .store
        .verdicts(&visit.caller.project, VERDICTS)
        .await?;
    let quarter_us = visit.now_us - 91 * DAY_US;
    let releases: Vec<&str> = visit
        .record
        .releases
        .iter()
        .filter(|release| release.time_us >= quarter_us)
        .map(|release| release.name.as_str())
        .collect();
    let mut rows = Vec::new();
    for one in kept {
        let measured = visit.main_series(&one.flow).is_some();
        let state = one.standing.as_ref().map(|found| State::from(found.state));
        let fresh = state.is_some_and(|state| !matches!(state, State::Stale | State::NotEnough));
        let pinned = config.reference_of(&one.flow).is_some();
        let enforcement = one
            .standing
            .as_ref()
            .map(|found| found.budget.enforcement_on(today));
        let delivered = one
            .standing
            .as_ref()
            .and_then(|found| config.budget_owner(found.budget))
            .is_some_and(|owner| !config.routes_of(owner).is_empty());
        let gates: Vec<&str> = config
            .gates
            .iter()
            .filter(|gate| gate.flows.contains(&one.flow))
            .map(|gate| gate.name.as_str())
            .collect();
        let asked = releases
            .iter()
            .filter(|release| {
                verdicts
                    .iter()
                    .any(|v| v.release == **release && gates.contains(&v.gate.as_str()))
            })
            .count();
        let (level, evidence, next_step) = match (measured, fresh, pinned, enforcement) {
            (false, ..) => (0, "no data".to_owned(), "send results".to_owned()),
            (true, false, _, None) => (
                1,
                "measured, no budget yet".to_owned(),
                "add a budget".to_owned(),
            ),
            (true, false, ..) => (
                1,
                "a budget, but no fresh data that carry it".to_owned(),
                "bring its data back".to_owned(),
            ),
            (true, true, false, _) => (
                1,
                "a budget, no pinned reference".to_owned(),
                "pin a reference".to_owned(),
            ),
            (true, true, true, Some(Enforcement::Observe) | None) => (
                2,
                "budget and pinned reference".to_owned(),
                "set enforcement to track".to_owned(),
            ),
            (true, true, true, _) if !delivered => (
                2,
                "tracked, but no route to its owner".to_owned(),
                "give its owner a route".to_owned(),
            ),
            (true, true, true, Some(Enforcement::Track)) => (
                3,
                "tracked, with an owner and a route".to_owned(),
                "set enforcement to verify".to_owned(),
            ),
            (true, true, true, Some(Enforcement::Verify)) => {
                let told = format!(
                    "gate asked on {asked} of {}",
                    counted(releases.len() as u64, "release")
                );
                if !releases.is_empty() && asked * 10 >= releases.len() * 9 {
                    (4, told, "none".to_owned())
                } else {
                    (3, told, "ask for every release".to_owned())
                }
            }
        };
        rows.push(LevelRow {
            path: paths::flow(visit.slug(), &one.flow),
            title: flow_title(&one.flow),
            level,
            evidence,
            next_step,
        });
    }
    rows.sort_by_key(|row| row.level);
    Ok(rows)
}

fn headline(visit: &Visit, shown: i32, running: usize) -> String {
    let faster: std::collections::BTreeSet<&str> = visit
        .findings
        .iter()
        .filter(|finding| {
            finding.kind == "improvement" && visit.record.config.is_key(&finding.flow)
        })
        .map(|finding| finding.flow.as_str())
        .collect();
    let words = |count: usize, what: &str| match count {
        0 => format!("no flow {what}"),
        1 => format!("one flow {what}"),
        count => format!("{count} flows {what}"),
    };
    let bleeding = match running {
        0 => "none is bleeding".to_owned(),
        1 => "one is bleeding".to_owned(),
        running => format!("{running} are bleeding"),
    };
    let stretch = match shown {
        3 => "A quarter".to_owned(),
        9 => "Nine months".to_owned(),
        12 => "A year".to_owned(),
        months => format!("{months} months"),
    };
    format!(
        "{stretch}: {}, {bleeding}",
        words(faster.len(), "got faster")
    )
}

fn lead(visit: &Visit, inside: usize, known: usize, running: usize, stopped: usize) -> Prose {
    if known == 0 {
        return Prose::of("No budget has carried a value yet.");
    }
    let percent = (100.0 * inside as f64 / known as f64).floor();
    let mut lead = Prose::of("All key flows were inside their budgets on ")
        .bold(&format!("{percent}\u{a0}% of days"))
        .plain(".");
    let ends = visit
        .findings
        .iter()
        .filter(|finding| finding.kind == "bleed" && finding.state.is_open())
        .find_map(|finding| {
            let evidence = Evidence::read(&finding.evidence)?;
            let out = crate::http::pages::tracked::runs_out(
                evidence.forecast.as_ref(),
                false,
                evidence.judged_us,
            );
            Some((flow_title(&finding.flow), out.text(visit.now_us)))
        });
    if let Some((flow, text)) = ends.filter(|_| running > 0) {
        lead = lead
            .plain(&format!(
                " A slow bleed is running in {flow}; its budget runs out: "
            ))
            .bold(&text)
            .plain(".");
    }
    if stopped > 0 {
        let were = if stopped == 1 {
            "One bleed was"
        } else {
            "Some bleeds were"
        };
        lead = lead.plain(&format!(" {were} stopped."));
    }
    lead
}

fn ranges(visit: &Visit, shown: i32) -> Vec<Tab> {
    let page = paths::page(visit.slug(), "months");
    [("quarter", 3), ("nine months", 9), ("year", 12)]
        .into_iter()
        .map(|(name, months)| Tab {
            path: format!("{page}?months={months}"),
            name: name.to_owned(),
            is_current: months == shown,
        })
        .collect()
}

fn stretch(first: Date, today: Date) -> String {
    if first.year() == today.year() {
        format!(
            "{} – {} {}",
            long_month(first),
            long_month(today),
            today.year()
        )
    } else {
        format!(
            "{} {} – {} {}",
            long_month(first),
            first.year(),
            long_month(today),
            today.year()
        )
    }
}

fn long_month(date: Date) -> String {
    date.strftime("%B").to_string()
}

fn short_month(date: Date) -> String {
    date.strftime("%b").to_string()
}
