//! The demonstration shop: nine months of a small shop, ending now, the same for the same seed and clock.
//!
//! Pure: a seed and a moment go in, an ordered stream of releases and reports comes out. Whoever feeds it uses the
//! same writer and fold as for real data. What happens in these nine months is told in `story.rs`; the shop's
//! `longwatch.toml` is [`Shop::config`].

mod configuration;
mod field;
mod laboratory;
mod random;
mod releases;
mod story;

use collectors::Format;
use collectors::report::{Basis, Direction, Observation, Payload, Report, Source};

pub use releases::{HISTORY_DAYS, RELEASES, Release};

/// The shop's project.
pub const PROJECT: &str = "shop";

/// The seed of the shop that `longwatch demo` shows.
pub const SEED: u64 = 10;

/// A small shop as of a moment.
#[derive(Debug, Clone)]
pub struct Shop {
    seed: u64,
    now_us: i64,
    releases: Vec<Release>,
}

/// What reaches the service, in the order of time.
#[derive(Debug, Clone, PartialEq)]
pub enum Arrival {
    /// A release and its deploy are registered.
    Release(Release),
    /// A pipeline declares that a flow is measured anew.
    Epoch(Epoch),
    /// Results or page views arrive.
    Report(Box<Report>),
}

/// A declared change of how a flow is measured; browsers report no machine that would show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Epoch {
    /// The flow measured anew.
    pub flow: &'static str,
    /// Only what this source measures.
    pub source: Source,
    /// From when on, microseconds since the epoch in UTC.
    pub time_us: i64,
    /// What kind of change: `harness`.
    pub kind: &'static str,
    /// Why, for people.
    pub reason: &'static str,
}

impl Arrival {
    /// When it arrives, microseconds since the epoch in UTC.
    pub fn time_us(&self) -> i64 {
        match self {
            Self::Release(release) => release.time_us,
            Self::Epoch(epoch) => epoch.time_us,
            Self::Report(report) => report.context.time_us.unwrap_or_default(),
        }
    }
}

/// What will arrive, before its values are drawn.
#[derive(Debug, Clone, Copy)]
enum Expected {
    Release(usize),
    Epoch(&'static str),
    Run(laboratory::Run),
    Stretch(field::Stretch),
}

impl Shop {
    /// The shop whose nine months end at `now_us` (microseconds since the epoch in UTC).
    pub fn new(seed: u64, now_us: i64) -> Self {
        Self {
            seed,
            now_us,
            releases: releases::releases(seed, now_us),
        }
    }

    /// All releases, oldest first.
    pub fn releases(&self) -> &[Release] {
        &self.releases
    }

    /// The shop's `longwatch.toml`; its dates are relative to the shop's moment.
    pub fn config(&self) -> String {
        configuration::text(self.now_us)
    }

    /// How many arrivals there will be, for a progress bar; a stretch in which no beacon works yields none.
    pub fn expected(&self) -> usize {
        self.plan().len()
    }

    /// Everything that reaches the service, oldest first; values are drawn while iterating.
    pub fn arrivals(&self) -> impl Iterator<Item = Arrival> + '_ {
        self.plan()
            .into_iter()
            .filter_map(|(_, expected)| self.arrival(expected))
    }

    fn plan(&self) -> Vec<(i64, Expected)> {
        let releases = (0..self.releases.len()).zip(&self.releases);
        let mut plan: Vec<(i64, Expected)> = releases
            .map(|(number, release)| (release.time_us, Expected::Release(number)))
            .chain(
                laboratory::runs(&self.releases)
                    .into_iter()
                    .map(|r| (r.time_us, Expected::Run(r))),
            )
            .chain(
                field::stretches(&self.releases, self.now_us)
                    .into_iter()
                    .map(|s| (s.arrives_us(), Expected::Stretch(s))),
            )
            .collect();
        let measured_anew_us = field::epoch_us(&self.releases, self.now_us);
        plan.extend(field::FLOWS.map(|flow| (measured_anew_us, Expected::Epoch(flow))));
        plan.sort_by_key(|(time_us, _)| *time_us);
        plan
    }

    fn arrival(&self, expected: Expected) -> Option<Arrival> {
        let (context, observations) = match expected {
            Expected::Release(number) => {
                return self.releases.get(number).cloned().map(Arrival::Release);
            }
            Expected::Epoch(flow) => {
                return Some(Arrival::Epoch(Epoch {
                    flow,
                    source: Source::Rum,
                    time_us: field::epoch_us(&self.releases, self.now_us),
                    kind: "harness",
                    reason: "beacon with web-vitals 6, was 5",
                }));
            }
            Expected::Run(run) => laboratory::results(self.seed, &self.releases, run)?,
            Expected::Stretch(stretch) => {
                field::views(self.seed, self.now_us, &self.releases, stretch)?
            }
        };
        let format = match context.source {
            Some(Source::Rum) => Format::LongwatchBeacon,
            Some(Source::Load) => Format::HdrPayload,
            _ => Format::Hyperfine,
        };
        Some(Arrival::Report(Box::new(Report {
            format,
            context,
            observations,
            shown_only: Vec::new(),
            skipped: Vec::new(),
            skipped_more: 0,
            warnings: Vec::new(),
        })))
    }
}

/// An observation of single operations where lower is better, with nothing else to say of it.
fn observation(flow: &str, metric: &str, unit: &str, payload: Payload) -> Observation {
    Observation {
        flow: flow.to_owned(),
        shown_as: None,
        metric: metric.to_owned(),
        unit: unit.to_owned(),
        direction: Direction::Lower,
        basis: Basis::Op,
        labels: Default::default(),
        payload,
        failed: 0,
        dropped: 0,
        quality: Vec::new(),
        beacon: None,
        extra: Default::default(),
        time_us: None,
    }
}

#[cfg(test)]
mod tests;
