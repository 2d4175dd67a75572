//! Where a budget stands: its value, state, headroom and forecast, and the ledger of who spent it.

use jiff::ToSpan;

use crate::config::{Budget, utc_date};
use crate::detector::breach::judged_value;
use crate::detector::evidence::Evidence;
use crate::detector::missing::silent_since;
use crate::record::{By, CONFIDENCE, DAY_US, Point, Record, Tracked};
use crate::stats::budget::{self, State};
use crate::stats::headroom::{self, Forecast};
use crate::stats::ledger::{self, Span};
use crate::stats::percentile::samples_needed;
use crate::stats::{Estimate, Interval, Needs};
use crate::store::{Finding, Store, StoreError};

/// How old field data may be where no gate says it, microseconds: three days.
const FIELD_FRESH_US: i64 = 3 * DAY_US;

/// One budget on one series, as it stands. Values in base units.
#[derive(Debug, Clone)]
pub struct Standing<'a> {
    /// The series.
    pub tracked: &'a Tracked,
    /// The budget.
    pub budget: &'a Budget,
    /// The percentile, as a quantile; none for the runs' median.
    pub q: Option<f64>,
    /// The value that it judges.
    pub value: Option<Interval>,
    /// Samples behind the value.
    pub samples: u64,
    /// What the value would need, where it is refused.
    pub needs: Option<Needs>,
    /// The limit.
    pub limit: Option<f64>,
    /// The state.
    pub state: State,
    /// The newest measurement, microseconds.
    pub newest_us: Option<i64>,
    /// The pinned reference with its value, or the first release measured as now is where the pinned one was not.
    pub reference: Option<(String, Interval)>,
    /// What is left up to the limit; negative when it is passed.
    pub left: Option<Interval>,
    /// What was spent since the reference.
    pub spent: Option<Interval>,
    /// The share of the reference's headroom that was spent.
    pub spent_share: Option<Interval>,
    /// What was spent since the quarter began.
    pub spent_this_quarter: Option<Interval>,
    /// When it runs out, where an open bleed says so, counted from now.
    pub forecast: Option<Forecast>,
}

/// A named share of a ledger.
#[derive(Debug, Clone, PartialEq)]
pub struct LedgerShare {
    /// The first release it belongs to.
    pub first: String,
    /// The last one; equal for a single release.
    pub last: String,
    /// How many releases these are.
    pub releases: usize,
    /// What they added, base units.
    pub change: Interval,
    /// What the release is about, where it is one and told.
    pub note: Option<String>,
}

/// Who spent what since a reference. Values in base units.
#[derive(Debug, Clone, PartialEq)]
pub struct Account {
    /// The reference release.
    pub since: String,
    /// The newest release.
    pub until: String,
    /// The whole change.
    pub total: Interval,
    /// What can be named, the largest first.
    pub shares: Vec<LedgerShare>,
    /// What the releases between them added, each stretch together, in their order.
    pub together: Vec<LedgerShare>,
    /// What all of these added.
    pub others: Interval,
    /// How many they are.
    pub others_count: usize,
}

/// Works out where a budget stands.
pub async fn standing<'a>(
    store: &Store,
    record: &'a Record,
    tracked: &'a Tracked,
    budget: &'a Budget,
    findings: &[Finding],
    now_us: i64,
) -> Result<Standing<'a>, StoreError> {
    let q = tracked
        .has_percentiles()
        .then(|| budget.quantile())
        .flatten();
    let judged = judged_value(store, record, tracked, budget, now_us).await?;
    let seen = record.last_seen(store, tracked).await?;
    let silent = silent_since(record, tracked, seen, now_us);
    let limit = budget.limit.to_base(tracked.dimension).ok();
    let releases = record
        .points(store, tracked, By::Release, i64::MIN, i64::MAX, &qs(q))
        .await?;
    let same_way = measured_as_now(&releases);
    let reference = record
        .config
        .reference_of(&tracked.flow)
        .and_then(|pinned| pinned_value(&pinned.release, &releases, &same_way));
    let quarter_us = quarter_start(now_us);
    // Of an epoch that began within the quarter, all that it has.
    let before_quarter = same_way
        .iter()
        .rev()
        .find(|(point, _)| point.time_us < quarter_us)
        .or(same_way.first().filter(|(first, _)| first.epoch > 0))
        .map(|(_, value)| *value);
    let value = judged.map(|(value, _)| value);
    let direction = tracked.direction;
    let forecast = forecast(tracked, findings, now_us);
    let left = value
        .zip(limit)
        .map(|(value, limit)| headroom::left(&value, limit, direction));
    let since = |from: Option<Interval>| {
        from.zip(value)
            .map(|(from, value)| headroom::spent(&from, &value, direction))
    };
    let needs = match (value, q) {
        (Some(_), _) => None,
        (None, Some(q)) => Some(Needs::samples(samples_needed(q, CONFIDENCE))),
        (None, None) => Some(Needs::runs(2)),
    };
    let newest_us = seen.map(|(_, newest_us)| newest_us);
    let state = match (limit, seen) {
        (Some(limit), Some(_)) => budget::state(&budget::Evidence {
            value: value.ok_or(needs.unwrap_or_default()),
            limit,
            direction,
            // A release's runs do not age: what counts for the lab is whether new releases are measured.
            age_us: newest_us.map(|newest| {
                if tracked.series.is_field() {
                    now_us - newest
                } else {
                    0
                }
            }),
            fresh_us: fresh_us(record, tracked),
            releases_without_run: if silent.is_some() {
                budget::SILENT_RELEASES
            } else {
                0
            },
            reference: reference.as_ref().map(|(_, interval)| *interval),
            bleed_early_days: match &forecast {
                Some(Forecast::Between { early_days, .. }) => Some(*early_days),
                _ => None,
            },
        }),
        _ => State::NotEnough,
    };
    Ok(Standing {
        tracked,
        budget,
        q,
        value,
        samples: judged.map_or(0, |(_, samples)| samples),
        needs,
        limit,
        state,
        newest_us,
        left,
        spent: since(reference.as_ref().map(|(_, interval)| *interval)),
        spent_share: reference.as_ref().zip(value).zip(limit).and_then(
            |(((_, from), value), limit)| headroom::spent_share(from, &value, limit, direction),
        ),
        spent_this_quarter: since(before_quarter),
        reference,
        forecast,
    })
}

/// The releases with a range that were measured as the newest is: what an earlier epoch told is no measure for it.
fn measured_as_now(releases: &[Point]) -> Vec<(&Point, Interval)> {
    let newest = releases.last().map_or(0, |point| point.epoch);
    releases
        .iter()
        .filter(|point| point.epoch == newest)
        .filter_map(|point| Some((point, point.interval?)))
        .collect()
}

/// A pinned release with its value; where it was measured in another way, the first release that was not stands for it.
fn pinned_value(
    pinned: &str,
    releases: &[Point],
    same_way: &[(&Point, Interval)],
) -> Option<(String, Interval)> {
    let known = releases.iter().find(|point| point.release == pinned)?;
    let (stands, value) = same_way
        .iter()
        .find(|(point, _)| point.release == pinned || point.epoch > known.epoch)?;
    Some((stands.release.clone(), *value))
}

/// The percentiles to ask points for.
pub fn qs(q: Option<f64>) -> Vec<f64> {
    q.into_iter().collect()
}

/// How old field data of a flow may be: as its gates say, else three days.
pub fn fresh_us(record: &Record, tracked: &Tracked) -> i64 {
    record
        .config
        .gates
        .iter()
        .filter(|gate| gate.flows.contains(&tracked.flow))
        .map(|gate| gate.fresh.micros().max(DAY_US))
        .max()
        .unwrap_or(FIELD_FRESH_US)
}

/// The first instant of the quarter that holds a moment.
pub fn quarter_start(now_us: i64) -> i64 {
    let today = utc_date(now_us);
    let first_month = (today.month() - 1) / 3 * 3 + 1;
    let first = today
        .first_of_month()
        .saturating_sub((today.month() - first_month).months());
    first
        .to_zoned(jiff::tz::TimeZone::UTC)
        .map_or(0, |zoned| zoned.timestamp().as_microsecond())
}

/// The forecast of the series' open bleed, counted from now.
fn forecast(tracked: &Tracked, findings: &[Finding], now_us: i64) -> Option<Forecast> {
    let evidence = findings
        .iter()
        .filter(|finding| {
            finding.series == Some(tracked.id) && finding.kind == "bleed" && finding.state.is_open()
        })
        .find_map(|finding| Evidence::read(&finding.evidence))?;
    let passed_days = (now_us - evidence.judged_us) as f64 / DAY_US as f64;
    Some(match evidence.forecast? {
        Forecast::Between {
            early_days,
            late_days,
        } => Forecast::Between {
            early_days: (early_days - passed_days).max(0.0),
            late_days: late_days.map(|late| (late - passed_days).max(0.0)),
        },
        other => other,
    })
}

/// How much wider than usual the newest releases' ranges may be before the ledger waits for them.
const TOO_NEW: f64 = 3.0;

/// Leaves out the newest releases that have too little data yet to say what they added.
fn resolvable<P>(mut kept: Vec<(P, Interval)>) -> Vec<(P, Interval)> {
    let mut widths: Vec<f64> = kept.iter().map(|(_, i)| i.half_width()).collect();
    widths.sort_by(f64::total_cmp);
    let usual = widths.get(widths.len() / 2).copied().unwrap_or(0.0);
    while kept.len() > 2
        && kept
            .last()
            .is_some_and(|(_, interval)| interval.half_width() > TOO_NEW * usual)
    {
        kept.pop();
    }
    kept
}

/// The ledger of a series since a release (its pinned reference, else its oldest release); none with fewer than two
/// releases that carry the statistic.
pub async fn account(
    store: &Store,
    record: &Record,
    tracked: &Tracked,
    q: Option<f64>,
    since: Option<&str>,
    findings: &[Finding],
) -> Result<Option<Account>, StoreError> {
    let points = record
        .points(store, tracked, By::Release, i64::MIN, i64::MAX, &qs(q))
        .await?;
    Ok(account_of(record, tracked, &points, since, findings))
}

/// The same of the series' points by release.
pub fn account_of(
    record: &Record,
    tracked: &Tracked,
    points: &[Point],
    since: Option<&str>,
    findings: &[Finding],
) -> Option<Account> {
    let pinned = record
        .config
        .reference_of(&tracked.flow)
        .map(|reference| reference.release.as_str());
    let start = since
        .or(pinned)
        .and_then(|name| points.iter().position(|point| point.release == name))
        .unwrap_or(0);
    let epoch = points.last().map_or(0, |point| point.epoch);
    let kept: Vec<_> = points[start.min(points.len())..]
        .iter()
        .filter(|point| point.epoch == epoch)
        .filter_map(|point| Some(((point, point.se?), point.interval?)))
        .collect();
    let kept = resolvable(kept);
    let values: Vec<Estimate> = kept
        .iter()
        .map(|((_, se), interval)| Estimate {
            value: interval.value,
            se: *se,
        })
        .collect();
    let place = |name: &str| {
        let rank = record.rank(name)?;
        kept.iter()
            .position(|((point, _), _)| record.rank(&point.release) >= Some(rank))
    };
    let found = findings
        .iter()
        .filter(|finding| finding.series == Some(tracked.id))
        .filter_map(|finding| Some((finding, Evidence::read(&finding.evidence)?)));
    let (mut steps, mut bleeds) = (Vec::new(), Vec::new());
    for (finding, evidence) in found {
        let Some(onset) = evidence.onset_release else {
            continue;
        };
        let end = evidence.end_release.unwrap_or_else(|| onset.clone());
        let (kind, releases) = match (finding.kind.as_str(), evidence.onset_range) {
            ("bleed", _) => (&mut bleeds, (onset, end)),
            // Where it is not sure which release made a step, those that may have stand together.
            ("step" | "improvement", Some(range)) => (&mut steps, range),
            ("step" | "improvement", None) => (&mut steps, (onset, end)),
            _ => continue,
        };
        if let (Some(first), Some(last)) = (place(&releases.0), place(&releases.1)) {
            let last = last.max(first);
            kind.push(Span { first, last });
        }
    }
    let found = ledger::ledger(&values, &steps, &bleeds, CONFIDENCE)?;
    let name = |index: usize| kept[index].0.0.release.clone();
    let note = |release: &str| {
        record
            .rank(release)
            .and_then(|rank| record.releases[rank].note.clone())
    };
    let named = |share: &ledger::Share| LedgerShare {
        first: name(share.span.first),
        last: name(share.span.last),
        releases: share.span.last - share.span.first + 1,
        change: share.change,
        note: (share.span.first == share.span.last)
            .then(|| note(&name(share.span.first)))
            .flatten(),
    };
    Some(Account {
        since: name(0),
        until: name(kept.len() - 1),
        total: found.total,
        shares: found.shares.iter().map(named).collect(),
        together: found.together.iter().map(named).collect(),
        others: found.others,
        others_count: found.others_count,
    })
}
