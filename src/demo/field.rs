//! Page views of real users: a weekly cycle, two kinds of devices, two ways of coming to a page.
//!
//! Every stretch of a UTC day that one release served is one upload; the last eight days come by the hour, as the
//! service keeps them.

use collectors::report::{Beacon, Context, Observation, Payload, Samples, Source};

use super::observation;
use super::random::Noise;
use super::releases::{DAY_US, HISTORY_DAYS, HOUR_US, Release, SECOND_US};
use super::story::{self, Level};

/// The hurried ones of the last day serve an hour after they were built.
const HURRIED_US: i64 = HOUR_US;
/// The service keeps field windows by the hour for so long.
const HOURLY_DAYS: i64 = 8;
/// Spread of the logarithm of one page view's value.
const SPREAD: f64 = 0.32;
/// Share of page views with a poor connection, and how much longer they take.
const SLOW_SHARE: f64 = 0.04;
const SLOW_FACTOR: f64 = 2.2;
/// Spread between days, beyond what the number of page views explains.
const DAY_SPREAD: f64 = 0.004;
/// On weekends the networks are a little fuller.
const WEEKEND_FACTOR: f64 = 1.004;
/// Traffic by weekday, Sunday first, as a share of a Tuesday's.
const WEEK: [f64; 7] = [0.78, 0.97, 1.0, 1.0, 0.98, 1.05, 0.82];
/// Whoever comes back through the history finds a warm cache.
const WARM_FACTOR: f64 = 0.75;

/// One metric on one kind of device, with its usual traffic.
struct Stream {
    flow: &'static str,
    metric: &'static str,
    device: &'static str,
    level: Level,
    /// Page views on an ordinary Tuesday.
    views: f64,
}

const STREAMS: &[Stream] = &[
    Stream {
        flow: "/checkout",
        metric: "lcp",
        device: "mobile",
        level: story::CHECKOUT_LCP_MOBILE,
        views: 1_600.0,
    },
    Stream {
        flow: "/checkout",
        metric: "lcp",
        device: "desktop",
        level: story::CHECKOUT_LCP_DESKTOP,
        views: 260.0,
    },
    Stream {
        flow: "/checkout",
        metric: "inp",
        device: "mobile",
        level: story::CHECKOUT_INP,
        views: 260.0,
    },
    Stream {
        flow: "/search",
        metric: "inp",
        device: "mobile",
        level: story::SEARCH_INP,
        views: 420.0,
    },
    Stream {
        flow: "/product/:id",
        metric: "lcp",
        device: "mobile",
        level: story::PRODUCT_LCP_MOBILE,
        views: 960.0,
    },
    Stream {
        flow: "/product/:id",
        metric: "lcp",
        device: "desktop",
        level: story::PRODUCT_LCP_DESKTOP,
        views: 120.0,
    },
];

/// A stretch of one UTC day in which one release served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stretch {
    /// Which release served, by its number.
    release: usize,
    from_us: i64,
    /// Exclusive.
    pub(super) to_us: i64,
}

impl Stretch {
    /// Reports reach the service when the stretch is over.
    pub(super) fn arrives_us(&self) -> i64 {
        self.to_us - SECOND_US
    }
}

/// All stretches from the first release to `now_us`, in order.
pub(super) fn stretches(releases: &[Release], now_us: i64) -> Vec<Stretch> {
    let served: Vec<i64> = releases.iter().map(|r| live_us(r, now_us)).collect();
    let Some(&start) = served.first() else {
        return Vec::new();
    };
    let today = now_us.div_euclid(DAY_US);
    let mut edges: Vec<i64> = (today - HISTORY_DAYS..=today)
        .map(|day| day * DAY_US)
        .collect();
    let hourly_from = (today - HOURLY_DAYS) * DAY_US;
    edges.extend((0..(HOURLY_DAYS + 1) * 24).map(|hour| hourly_from + hour * HOUR_US));
    edges.extend(&served);
    edges.push(silence_us(now_us));
    edges.push(now_us);
    edges.retain(|edge| (start..=now_us).contains(edge));
    edges.sort_unstable();
    edges.dedup();
    edges
        .windows(2)
        .map(|pair| Stretch {
            release: served
                .iter()
                .filter(|at| **at <= pair[0])
                .count()
                .saturating_sub(1),
            from_us: pair[0],
            to_us: pair[1],
        })
        .collect()
}

/// Flows with page views, as `longwatch.toml` names them.
pub(super) const FLOWS: [&str; 3] = ["Checkout", "Search", "Product page"];

/// From when on page views are measured with the newer library.
pub(super) fn epoch_us(releases: &[Release], now_us: i64) -> i64 {
    let first = releases.get(story::FIELD_EPOCH);
    first.map_or(now_us, |release| live_us(release, now_us))
}

/// From when on a release serves page views: a weekly one goes live at the next midnight, so that a day has one release.
fn live_us(release: &Release, now_us: i64) -> i64 {
    if now_us - release.time_us <= DAY_US {
        return release.time_us + HURRIED_US;
    }
    (release.time_us.div_euclid(DAY_US) + 1) * DAY_US
}

/// When the search's beacon fell silent.
fn silence_us(now_us: i64) -> i64 {
    now_us - (story::SEARCH_SILENT_DAYS * DAY_US as f64) as i64
}

/// What the browsers reported in one stretch: an observation per metric, device and way of coming.
pub(super) fn views(
    seed: u64,
    now_us: i64,
    releases: &[Release],
    stretch: Stretch,
) -> Option<(Context, Vec<Observation>)> {
    let release = releases.get(stretch.release)?;
    let observations: Vec<Observation> = STREAMS
        .iter()
        .filter(|stream| sends(stream, stretch, now_us))
        .flat_map(|stream| stream.observe(seed, now_us, stretch))
        .collect();
    let harness = if stretch.release < story::FIELD_EPOCH {
        "web-vitals 5"
    } else {
        "web-vitals 6"
    };
    let context = Context {
        source: Some(Source::Rum),
        release: Some(release.name.clone()),
        commit: Some(release.commit.clone()),
        parent: release.parent.clone(),
        branch: Some(release.branch.clone()),
        harness: Some(harness.to_owned()),
        time_us: Some(stretch.arrives_us()),
        ..Context::default()
    };
    (!observations.is_empty()).then_some((context, observations))
}

/// Whether this stream's beacon works in this stretch.
fn sends(stream: &Stream, stretch: Stretch, now_us: i64) -> bool {
    match stream.flow {
        "/checkout" => !story::BEACON_LOST.contains(&stretch.release),
        "/search" => stretch.to_us <= silence_us(now_us),
        _ => true,
    }
}

impl Stream {
    fn observe(&self, seed: u64, now_us: i64, stretch: Stretch) -> Vec<Observation> {
        let day = stretch.from_us.div_euclid(DAY_US);
        let days_ago = now_us.div_euclid(DAY_US) - day;
        let weekday = (day + 4).rem_euclid(7) as usize;
        let name = format!(
            "{} {} {} day {days_ago}",
            self.flow, self.metric, self.device
        );

        // Noise of the day is drawn once for all its stretches.
        let mut of_day = Noise::named(seed, &name);
        let mut p75_ms = self.level.at(stretch.release) * of_day.factor(DAY_SPREAD);
        if matches!(weekday, 0 | 6) {
            p75_ms *= WEEKEND_FACTOR;
        }
        if self.flow == "/product/:id" && days_ago == story::WILD_DAY {
            p75_ms *= story::WILD_DAY_FACTOR;
        }
        let traffic = self.views * WEEK.get(weekday).copied().unwrap_or(1.0) * of_day.factor(0.05);
        let views = traffic * share_of_day(stretch, day);

        let within_day_us = stretch.from_us.rem_euclid(DAY_US);
        let mut noise = Noise::named(seed, &format!("{name} at {}", within_day_us / SECOND_US));
        let warm = views * warm_share(days_ago);
        [
            ("navigate", views - warm, 1.0),
            ("back-forward", warm, WARM_FACTOR),
        ]
        .into_iter()
        .filter_map(|(navigation, expected, factor)| {
            let count = (expected + noise.uniform()) as usize;
            let values: Vec<f64> = (0..count)
                .map(|_| one_view(&mut noise, p75_ms * factor))
                .collect();
            (count > 0).then(|| self.observation(navigation, values, stretch))
        })
        .collect()
    }

    fn observation(&self, navigation: &str, values: Vec<f64>, stretch: Stretch) -> Observation {
        let payload = Payload::Samples(Samples {
            values,
            iterations: None,
        });
        let beacon = Beacon {
            device: Some(self.device.to_owned()),
            navigation: Some(navigation.to_owned()),
            sampling_ppm: 1_000_000,
            ..Beacon::default()
        };
        Observation {
            beacon: Some(beacon),
            time_us: Some(stretch.arrives_us()),
            ..observation(self.flow, self.metric, "ms", payload)
        }
    }
}

/// One page view's value in milliseconds, to the tenth that browsers give.
fn one_view(noise: &mut Noise, p75_ms: f64) -> f64 {
    // 0.674 is the P75 of a standard normal.
    let body = p75_ms * (SPREAD * (noise.normal() - 0.674)).exp();
    let value = if noise.uniform() < SLOW_SHARE {
        body * SLOW_FACTOR
    } else {
        body
    };
    (value * 10.0).round() / 10.0
}

/// Returning visitors grew from 18 to 22 per cent over the last hundred days: the mix hides a little of the bleed.
fn warm_share(days_ago: i64) -> f64 {
    0.22 - 0.04 * (days_ago as f64 / 100.0).clamp(0.0, 1.0)
}

/// The share of a day's page views that fall into the stretch: a day has a quiet night and a busy evening.
fn share_of_day(stretch: Stretch, day: i64) -> f64 {
    // The integral of 1 − 0.6 cos(2π(t − 0.15)) over a day of length one.
    let until = |at_us: i64| {
        let t = (at_us - day * DAY_US) as f64 / DAY_US as f64;
        t - 0.6 * (std::f64::consts::TAU * (t - 0.15)).sin() / std::f64::consts::TAU
    };
    until(stretch.to_us) - until(stretch.from_us)
}
