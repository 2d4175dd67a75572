//! A series' history: its points as a trend with everything that happened, and as a table.

use crate::chart::sparkline::Sparkline;
use crate::chart::trend::{Ceiling, EpochMark, LimitFrom, Trend, TrendPanel, TrendPoint};
use crate::config::utc_date;
use crate::http::error::Result;
use crate::record::{By, EpochStart, Point, Tracked};
use crate::wording::moment::{DAY_US, midnight_us};
use crate::wording::quantity::Quantity;
use crate::wording::state::Kind;
use crate::wording::trend::trend_sentence;

use super::evidence::{bleed_mark, forecast_mark, kind, step_mark};
use super::flow::PointRow;
use super::tracked::{needs_words, statistic_word};
use super::visit::Visit;

/// The high percentile beneath the main one.
const HIGH: f64 = 0.99;
/// So many releases of a laboratory in a row without data are a gap in the line.
const SILENT_RELEASES: usize = 3;
/// A longer time without data is one.
const SILENT_US: i64 = 3 * DAY_US;
/// Real users still bring data for a release that is younger than this, so its window is open.
const OPEN_US: i64 = 3 * DAY_US;

/// Which stretch of a series is shown.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Stretch {
    /// From when on.
    pub from_us: i64,
    /// A point a release, or a day.
    pub by: By,
    /// The value that the budget judges, which names the line's end.
    pub now: Option<Quantity>,
}

/// A series over a stretch of time.
#[derive(Debug, Clone)]
pub(super) struct History {
    /// The chart; nothing before two points carry the statistic.
    pub trend: Option<Trend>,
    /// Its values, newest first.
    pub rows: Vec<PointRow>,
    /// Names of the two percentiles; the second is empty where there is none.
    pub percentiles: (String, String),
    /// What the points are.
    pub legend: String,
    /// What the newest refused percentile would need; may be empty.
    pub refused: String,
}

/// Reads a series' history. `q` is its watched percentile, or none for the median of runs.
pub(super) async fn history(
    visit: &Visit,
    tracked: &Tracked,
    q: Option<f64>,
    stretch: Stretch,
) -> Result<History> {
    let high = q.filter(|q| *q < HIGH).map(|_| HIGH);
    let qs: Vec<f64> = q.into_iter().chain(high).collect();
    let mut points = visit
        .record
        .points(
            &visit.store,
            tracked,
            stretch.by,
            stretch.from_us,
            i64::MAX,
            &qs,
        )
        .await?;
    mark_open(visit, tracked, &mut points);
    let main: Vec<&Point> = points.iter().filter(|point| point.q == q).collect();
    let above: Vec<&Point> = points
        .iter()
        .filter(|point| high.is_some() && point.q == high)
        .collect();
    let carried = main.iter().filter(|point| point.value().is_some()).count();
    let trend = if carried < 2 {
        None
    } else {
        Some(trend(visit, tracked, q, stretch, &main, &above).await?)
    };
    let is_provisional = main.iter().any(|point| point.provisional);
    Ok(History {
        trend,
        rows: rows(visit, tracked, stretch.by, &main, &above),
        percentiles: (
            statistic_word(q),
            high.map(|q| statistic_word(Some(q))).unwrap_or_default(),
        ),
        legend: legend(stretch.by, is_provisional),
        refused: refused(&main, &above),
    })
}

/// Windows of the field that real users still fill are open, whatever is folded.
fn mark_open(visit: &Visit, tracked: &Tracked, points: &mut [Point]) {
    if tracked.series.is_field() {
        for point in points
            .iter_mut()
            .filter(|point| point.time_us > visit.now_us - OPEN_US)
        {
            point.provisional = true;
        }
    }
}

fn legend(by: By, is_provisional: bool) -> String {
    let points = match by {
        By::Release => "releases",
        By::Day => "days",
        By::Hour => "hours",
    };
    let open = if is_provisional {
        " · hollow: window still open"
    } else {
        ""
    };
    format!("points are {points}, bands hold 95\u{a0}%{open}")
}

/// What the newest point would need for the percentiles that it refuses.
fn refused(main: &[&Point], above: &[&Point]) -> String {
    let newest = [main.last(), above.last()].into_iter().flatten();
    let words: Vec<String> = newest
        .filter(|point| point.interval.is_none())
        .filter_map(|point| {
            let needs = needs_words(&point.needs?);
            let has = crate::wording::number::count(point.count);
            Some(format!("{} {needs} (has {has})", statistic_word(point.q)))
        })
        .collect();
    words.join("; ")
}

async fn trend(
    visit: &Visit,
    tracked: &Tracked,
    q: Option<f64>,
    stretch: Stretch,
    main: &[&Point],
    above: &[&Point],
) -> Result<Trend> {
    let starts = visit.record.epoch_starts(&visit.store, tracked).await?;
    let epochs = epoch_marks(&starts, main);
    let first_us = main.first().map_or(stretch.from_us, |point| point.time_us);
    let from_us = stretch.from_us.max(first_us);
    let found = |wanted: &[Kind]| {
        let wanted = wanted.to_vec();
        visit
            .findings_of(tracked.id)
            .filter(move |(finding, _)| wanted.contains(&kind(finding)))
    };
    let bleed = found(&[Kind::Bleed])
        .max_by_key(|(finding, _)| (finding.state.is_open(), finding.onset_us));
    let bleed = bleed.as_ref();
    Ok(Trend {
        id: "trend".into(),
        title: title(visit, tracked, q, main, stretch.now),
        unit: tracked.unit(),
        from_us,
        until_us: visit.now_us,
        main: TrendPanel {
            name: statistic_word(q),
            points: trend_points(tracked, main),
            limits: limits(visit, tracked, q, from_us),
            ceiling: ceiling(visit, tracked, from_us),
            now: stretch.now,
        },
        high: (!above.is_empty()).then(|| TrendPanel {
            name: statistic_word(above.first().and_then(|point| point.q)),
            points: trend_points(tracked, above),
            limits: limits(
                visit,
                tracked,
                above.first().and_then(|point| point.q),
                from_us,
            ),
            ceiling: None,
            now: None,
        }),
        releases: visit
            .record
            .releases
            .iter()
            .map(|release| (release.time_us, release.name.clone()))
            .collect(),
        epochs,
        gaps: gaps(visit, tracked, main, stretch.by),
        bleed: bleed.and_then(|(finding, evidence)| bleed_mark(visit, finding, evidence)),
        forecast: bleed.and_then(|(finding, evidence)| forecast_mark(visit, finding, evidence)),
        steps: found(&[Kind::Step, Kind::Improvement])
            .filter_map(|(finding, evidence)| step_mark(finding, &evidence))
            .collect(),
    })
}

/// Epochs stand between the points that they part: a release's point stands at the release, its first run came later.
fn epoch_marks(starts: &[EpochStart], points: &[&Point]) -> Vec<EpochMark> {
    let mark = |(epoch, start): (u32, &EpochStart)| {
        let first = points
            .iter()
            .position(|point| point.epoch >= epoch)
            .filter(|first| *first > 0);
        let parted = first.map(|first| (points[first - 1].time_us, points[first].time_us));
        let at_us = match parted {
            Some((before, after)) if !(before + 1..after).contains(&start.at_us) => {
                after - (after - before) / 4
            }
            _ => start.at_us,
        };
        EpochMark {
            at_us,
            reason: start.reason.clone(),
        }
    };
    (1..).zip(starts).map(mark).collect()
}

/// The sentence above the chart, since the pinned reference where it is in sight.
fn title(
    visit: &Visit,
    tracked: &Tracked,
    q: Option<f64>,
    main: &[&Point],
    now: Option<Quantity>,
) -> String {
    let pinned = visit
        .record
        .config
        .reference_of(&tracked.flow)
        .map(|reference| reference.release.as_str());
    let epoch = main.last().map_or(0, |point| point.epoch);
    let own: Vec<&&Point> = main
        .iter()
        .filter(|point| point.epoch == epoch && point.value().is_some())
        .collect();
    let start = pinned
        .and_then(|name| own.iter().position(|point| point.release == name))
        .unwrap_or(0);
    let mut values: Vec<Quantity> = own[start.min(own.len())..]
        .iter()
        .filter_map(|point| quantity(tracked, point))
        .collect();
    if let (Some(last), Some(now)) = (values.last_mut(), now) {
        *last = now;
    }
    let since = own
        .get(start)
        .map_or((String::new(), visit.now_us), |point| {
            (point.release.clone(), point.time_us)
        });
    let stepped = visit
        .findings_of(tracked.id)
        .any(|(finding, _)| kind(finding) == Kind::Step && finding.onset_us > since.1);
    let bled = visit
        .findings_of(tracked.id)
        .any(|(finding, _)| kind(finding) == Kind::Bleed && finding.state.is_open());
    trend_sentence(
        &statistic_word(q),
        &values,
        &since.0,
        since.1,
        bled && !stepped,
    )
}

fn quantity(tracked: &Tracked, point: &Point) -> Option<Quantity> {
    let ranged = point.interval.map(|interval| tracked.quantity(&interval));
    ranged.or_else(|| point.bare.map(|value| tracked.exact(value)))
}

fn trend_points(tracked: &Tracked, points: &[&Point]) -> Vec<TrendPoint> {
    let point = |point: &&Point| TrendPoint {
        at_us: point.time_us,
        value: quantity(tracked, point),
        is_provisional: point.provisional,
    };
    points.iter().map(point).collect()
}

fn limits(visit: &Visit, tracked: &Tracked, q: Option<f64>, from_us: i64) -> Vec<LimitFrom> {
    let own = visit
        .record
        .budgets(tracked)
        .into_iter()
        .filter(|budget| !tracked.has_percentiles() || budget.quantile() == q);
    let limit = own
        .filter_map(|budget| budget.limit.to_base(tracked.dimension).ok())
        .next();
    limit
        .into_iter()
        .map(|limit| LimitFrom { from_us, limit })
        .collect()
}

fn ceiling(visit: &Visit, tracked: &Tracked, from_us: i64) -> Option<Ceiling> {
    let today = utc_date(visit.now_us);
    let budgets = visit.record.budgets(tracked);
    let waiver = budgets
        .iter()
        .find_map(|budget| visit.record.config.waiver_for(&budget.id, today))?;
    let limit = waiver.ceiling.to_base(tracked.dimension).ok()?;
    // The last day is inclusive.
    Some(Ceiling {
        from_us,
        until_us: midnight_us(waiver.until) + DAY_US,
        limit,
    })
}

/// Stretches without data. Of a laboratory several releases in a row, in a chart by releases; else days.
fn gaps(visit: &Visit, tracked: &Tracked, points: &[&Point], by: By) -> Vec<(i64, i64)> {
    if by != By::Release || tracked.series.is_field() {
        return silent_days(points, visit.now_us);
    }
    let rank = |release: &str| visit.record.rank(release);
    let newest = visit.record.releases.len().checked_sub(1);
    silent_releases(points, rank, newest, visit.now_us)
}

/// Stretches of more than three days in which no release was measured. One that real users never had is no gap, nor is one
/// that was taken back: others had the one before.
fn silent_days(points: &[&Point], now_us: i64) -> Vec<(i64, i64)> {
    let mut measured: Vec<(i64, i64)> = points.iter().map(|point| point.measured_us).collect();
    measured.sort_unstable();
    let is_long = |(end, begin): &(i64, i64)| begin - end > SILENT_US;
    let mut gaps = Vec::new();
    let Some((_, mut heard_us)) = measured.first().copied() else {
        return gaps;
    };
    for (begin, end) in measured {
        gaps.extend(Some((heard_us, begin)).filter(is_long).map(within));
        heard_us = heard_us.max(end);
    }
    gaps.extend(Some((heard_us, now_us)).filter(is_long).map(open));
    gaps
}

/// Stretches of several releases in a row without a point.
fn silent_releases(
    points: &[&Point],
    rank: impl Fn(&str) -> Option<usize>,
    newest: Option<usize>,
    now_us: i64,
) -> Vec<(i64, i64)> {
    let is_gap = |before: &Point, after: Option<usize>| {
        rank(&before.release)
            .zip(after)
            .is_some_and(|(before, after)| after > before + SILENT_RELEASES - 1)
    };
    let pairs = points.windows(2);
    let between = pairs
        .filter(|pair| is_gap(pair[0], rank(&pair[1].release)))
        .map(|pair| within((pair[0].time_us, pair[1].time_us)));
    let after = points.last().filter(|last| is_gap(last, newest));
    let after = after.map(|last| open((last.time_us, now_us)));
    between.chain(after).collect()
}

/// A hatching that touches neither neighbour.
fn within((from_us, until_us): (i64, i64)) -> (i64, i64) {
    let air = (until_us - from_us) / 8;
    (from_us + air, until_us - air)
}

/// A hatching that does not touch what is before it, and behind which is nothing.
fn open(gap: (i64, i64)) -> (i64, i64) {
    (within(gap).0, gap.1)
}

fn rows(
    visit: &Visit,
    tracked: &Tracked,
    by: By,
    main: &[&Point],
    above: &[&Point],
) -> Vec<PointRow> {
    let high = |point: &Point| {
        let same = above
            .iter()
            .find(|high| high.time_us == point.time_us && high.release == point.release);
        same.and_then(|high| quantity(tracked, high))
    };
    let row = |point: &&Point| PointRow {
        name: match by {
            By::Release => point.release.clone(),
            By::Day | By::Hour => visit.moment(point.time_us).day(),
        },
        at: visit.moment(point.time_us),
        main: quantity(tracked, point),
        high: high(point),
        count: point.count,
        runs: (!tracked.series.is_field()).then_some(u64::from(point.runs)),
        needs: point
            .needs
            .filter(|_| point.interval.is_none())
            .map(|needs| needs_words(&needs))
            .unwrap_or_default(),
        is_provisional: point.provisional,
    };
    main.iter().rev().map(row).collect()
}

/// A series over nine months in a table row.
pub(super) async fn sparkline(
    visit: &Visit,
    tracked: &Tracked,
    q: Option<f64>,
    from_us: i64,
) -> Result<Sparkline> {
    let qs: Vec<f64> = q.into_iter().collect();
    let mut points = visit
        .record
        .points(&visit.store, tracked, By::Release, from_us, i64::MAX, &qs)
        .await?;
    mark_open(visit, tracked, &mut points);
    let main: Vec<&Point> = points.iter().collect();
    let epochs = points
        .windows(2)
        .filter(|pair| pair[0].epoch != pair[1].epoch)
        .map(|pair| pair[1].time_us);
    Ok(Sparkline {
        from_us: points
            .first()
            .map_or(from_us, |point| point.time_us.max(from_us)),
        until_us: visit.now_us,
        points: points
            .iter()
            .filter_map(|point| Some((point.time_us, point.value()?)))
            .collect(),
        limit: limits(visit, tracked, q, from_us)
            .first()
            .map(|step| step.limit),
        gaps: gaps(visit, tracked, &main, By::Release),
        epochs: epochs.collect(),
        is_provisional: points.last().is_some_and(|point| point.provisional),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::epoch::Cause;

    fn point(time_us: i64, epoch: u32) -> Point {
        Point {
            release: String::new(),
            time_us,
            measured_us: (time_us, time_us),
            q: None,
            interval: None,
            se: None,
            bare: Some(1.0),
            needs: None,
            count: 1,
            failed: 0,
            runs: 1,
            epoch,
            provisional: false,
        }
    }

    #[test]
    fn an_epoch_stands_between_the_points_that_it_parts() {
        let points = [point(0, 0), point(100, 0), point(200, 1), point(300, 1)];
        let points: Vec<&Point> = points.iter().collect();
        let start = |at_us| EpochStart {
            cause: Cause::Machine,
            at_us,
            release: String::new(),
            reason: String::new(),
        };
        let at = |at_us| epoch_marks(&[start(at_us)], &points)[0].at_us;
        assert_eq!(at(150), 150);
        assert_eq!(at(230), 175, "the first run came after its release's point");
        assert_eq!(at(50), 175);
    }

    fn released(release: &str, from_day: i64, until_day: i64) -> Point {
        Point {
            release: release.into(),
            measured_us: (from_day * DAY_US, until_day * DAY_US),
            ..point(from_day * DAY_US, 0)
        }
    }

    #[test]
    fn a_release_that_real_users_never_had_is_no_gap() {
        // Deployed weekly, of twenty builds each; the last data are of day 40.
        let points = [
            released("v1", 0, 7),
            released("v2", 7, 16),
            released("v3", 24, 40),
        ];
        let points: Vec<&Point> = points.iter().collect();
        assert_eq!(
            silent_days(&points, 42 * DAY_US),
            [(17 * DAY_US, 23 * DAY_US)]
        );
        let silent = silent_days(&points, 48 * DAY_US);
        assert_eq!(silent[1..], [(41 * DAY_US, 48 * DAY_US)]);
    }

    #[test]
    fn a_release_that_was_taken_back_leaves_no_gap_behind_it() {
        let points = [released("v4", 0, 30), released("v5", 7, 8)];
        let points: Vec<&Point> = points.iter().collect();
        assert_eq!(silent_days(&points, 31 * DAY_US), []);
        assert_eq!(silent_days(&[], 31 * DAY_US), []);
    }

    #[test]
    fn releases_that_a_laboratory_left_out_are_a_gap() {
        let rank = |name: &str| name.strip_prefix('v')?.parse().ok();
        let points = [
            released("v1", 8, 8),
            released("v3", 16, 16),
            released("v6", 24, 24),
        ];
        let points: Vec<&Point> = points.iter().collect();
        let gaps = |newest| silent_releases(&points, rank, Some(newest), 32 * DAY_US);
        assert_eq!(gaps(8), [(17 * DAY_US, 23 * DAY_US)]);
        assert_eq!(gaps(9)[1..], [(25 * DAY_US, 32 * DAY_US)]);
    }
}
