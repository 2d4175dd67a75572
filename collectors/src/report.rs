//! The canonical report: what every collector makes of its tool's output (one shape for all formats).
//!
//! Values stay in the file's native unit here; [`crate::units`] converts them, once, to the base unit at rest.
//! The four natures of a payload (samples, buckets, summary, scalar) are never turned into one another.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::histogram::Histogram;

/// Where measurements come from; part of a series' identity and of its time base (ps for `Bench`, else ns).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// A benchmark harness.
    Bench,
    /// A load generator.
    Load,
    /// A browser or device in a laboratory.
    Lab,
    /// Real users.
    Rum,
    /// Metrics that a service exports of itself.
    Telemetry,
}

/// Which way of a metric is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Lower is better.
    Lower,
    /// Higher is better.
    Higher,
    /// Not known: changes are two-sided, and nobody says "regression".
    Unknown,
}

/// What one value of a series stands for; part of the identity, since a P99 of batch means is no P99 of operations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// Each operation was measured.
    Op,
    /// Each value is the mean of a batch of operations.
    BatchMean,
    /// A tool's own summary of operations that we do not see.
    ToolSummary,
    /// One value a run.
    Run,
    /// A count (allocations, instructions, bytes sent).
    Count,
}

/// What the distribution of one series looked like in one file, in the nature in which the tool gave it.
#[derive(Debug, Clone, PartialEq)]
pub enum Payload {
    /// The values themselves, in file order.
    Samples(Samples),
    /// Counts in buckets.
    Buckets(Buckets),
    /// Statistics that the tool printed, and nothing else.
    Summary(Summary),
    /// One value.
    Scalar(Scalar),
}

/// Raw values in the native unit.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Samples {
    /// The values, never empty, all finite.
    pub values: Vec<f64>,
    /// For batch means, how many operations each value averages over (same length as `values`).
    pub iterations: Option<Vec<u64>>,
}

/// Counts in buckets, in the native unit.
#[derive(Debug, Clone, PartialEq)]
pub enum Buckets {
    /// An HDR histogram of integer values; a native value is an integer value times `unit_ratio`.
    Hdr {
        /// The histogram, coarsened to three significant digits where it came finer.
        histogram: Histogram,
        /// Native units per integer step (1.0 unless the payload says otherwise).
        unit_ratio: f64,
        /// Significant digits as stated by the payload's header, 1 to 5.
        significant_digits: u8,
    },
    /// Bucket `i` holds values in `(bounds[i-1], bounds[i]]`; `counts` has one more entry than `bounds`.
    Explicit {
        /// Ascending, finite edges.
        bounds: Vec<f64>,
        /// How many values fell into each bucket.
        counts: Vec<u64>,
        /// The exact sum of the values where the tool gave it.
        sum: Option<f64>,
    },
    /// A percentile spectrum: upper edges with how many values fell between the previous edge and this one.
    Spectrum {
        /// `(upper edge, count)`, ascending.
        rows: Vec<(f64, u64)>,
        /// What the tool printed below its table (mean, standard deviation, maximum).
        reported: BTreeMap<String, f64>,
    },
}

/// Statistics as the tool printed them, under its own names; never turned into samples or percentiles.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Summary {
    /// The tool's own names and values, in file order.
    pub reported: Vec<(String, f64)>,
    /// Which of `reported` is the tool's headline value (`mean`, `median`, `slope` …).
    pub headline: Option<String>,
    /// How many operations it rests on, where said.
    pub count: Option<u64>,
    /// Standard deviation in the native unit, where said.
    pub stddev: Option<f64>,
}

impl Summary {
    /// The value under the headline's name, in the native unit.
    pub fn headline_value(&self) -> Option<f64> {
        let name = self.headline.as_deref()?;
        self.reported
            .iter()
            .find(|(k, _)| k == name)
            .map(|(_, v)| *v)
    }
}

/// One value in the native unit.
#[derive(Debug, Clone, PartialEq)]
pub struct Scalar {
    /// The value, finite.
    pub value: f64,
}

/// What a person should know about how the values came about; travels to the pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Quality {
    /// The load generator waited for slow answers (coordinated omission).
    CoordinatedOmission,
    /// The tool rounded the values before printing.
    Rounded,
    /// Failed requests are among the values.
    FailuresIncluded,
    /// The time order of the samples is lost.
    SortedSamples,
    /// The tool cut the sample list short.
    Truncated,
    /// The values came over a transport that loses some.
    LossyTransport,
    /// Only a share of the values was sent.
    Sampled,
}

/// One series' worth of measurements out of one file.
#[derive(Debug, Clone, PartialEq)]
pub struct Observation {
    /// The unit of work that people name: the tool's full name of it, verbatim.
    pub flow: String,
    /// The name under which the tool itself lists it, where that is not the flow (k6 lists by metric, over all flows).
    pub shown_as: Option<String>,
    /// The tool's own name of the metric (`ns/op`, `LCP`, `wall_time`).
    pub metric: String,
    /// The native unit as the tool writes it (`s`, `ms`, `ns/op`, `1`).
    pub unit: String,
    /// Which way is good.
    pub direction: Direction,
    /// What one value stands for.
    pub basis: Basis,
    /// Parameters and dimensions that split series, sorted.
    pub labels: BTreeMap<String, String>,
    /// The values.
    pub payload: Payload,
    /// Requests or runs that failed and are included in the payload.
    pub failed: u64,
    /// Values that were left out (negative times, NaN, infinities).
    pub dropped: u64,
    /// Flags for the reader.
    pub quality: Vec<Quality>,
    /// Real-user context, for beacons only.
    pub beacon: Option<Beacon>,
    /// Extra fields for `longwatch parse`, as the tool printed them (`reported`, `sampling_mode` …).
    pub extra: serde_json::Map<String, serde_json::Value>,
    /// When this observation was made, microseconds since the epoch in UTC, where the file says so (NDJSON of histories).
    pub time_us: Option<i64>,
}

/// What one report of a browser metric says besides its value. Nothing in here names a person.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Beacon {
    /// The metric instance's id: reports that share it describe one page view's metric, and the last one wins.
    pub id: String,
    /// Orders reports of one id where the sender counts them; 0 otherwise.
    pub sequence: u64,
    /// `mobile`, `desktop` or `tablet`, where sent.
    pub device: Option<String>,
    /// Navigation type as web-vitals names it (`navigate`, `reload`, `back-forward-cache` …).
    pub navigation: Option<String>,
    /// Sampling rate in millionths: 1,000,000 means every page view was kept.
    pub sampling_ppm: u32,
}

/// Something in the file that was not taken, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skipped {
    /// The benchmark, line or record.
    pub name: String,
    /// Why, in words for a person.
    pub reason: String,
}

/// What is known of the machine; a change that stays starts an epoch.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Fingerprint {
    /// Operating system and major version.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub os: Option<String>,
    /// Processor architecture.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub arch: Option<String>,
    /// Processor model.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cpu: Option<String>,
    /// The measuring tool with its major version (`k6 2`).
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub tool: Option<String>,
    /// The language runtime with its major version (`python 3.11`).
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub runtime: Option<String>,
}

/// The run's context as far as the file itself states it; the sender's own words win over these.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Context {
    /// Overrides the format's usual source.
    pub source: Option<Source>,
    /// Release name.
    pub release: Option<String>,
    /// Commit hash.
    pub commit: Option<String>,
    /// Parent commit hash.
    pub parent: Option<String>,
    /// Branch name.
    pub branch: Option<String>,
    /// Pull request number or name.
    pub pr: Option<String>,
    /// Named kind of machine or device.
    pub testbed: Option<String>,
    /// The run's name; attempts of one run differ in it.
    pub run: Option<String>,
    /// What was measured, as a version tag: a change starts an epoch.
    pub workload: Option<String>,
    /// How it was measured, as a version tag: a change starts an epoch.
    pub harness: Option<String>,
    /// When the run began, microseconds since the epoch in UTC.
    pub time_us: Option<i64>,
    /// The machine.
    pub fingerprint: Fingerprint,
}

/// What came of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Everything was taken.
    Ok,
    /// Something was left out and is listed.
    Partial,
    /// A valid file with nothing to take.
    NoData,
}

/// A whole file, read.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// The format it was read as.
    pub format: crate::Format,
    /// What the file says of the run.
    pub context: Context,
    /// What was measured.
    pub observations: Vec<Observation>,
    /// What the file says besides measurements (a beacon's number, a time on page, a table over time): shown by
    /// `longwatch parse`, never stored.
    pub shown_only: Vec<Observation>,
    /// What was left out; at most [`crate::limits::SKIPPED_LISTED`] entries, the rest counted in `skipped_more`.
    pub skipped: Vec<Skipped>,
    /// How many more were left out than are listed.
    pub skipped_more: u64,
    /// What a person should know of the file although all of it was taken.
    pub warnings: Vec<String>,
}

impl Report {
    /// Where the measurements come from: as the file says, else as is usual for its format.
    pub fn source(&self) -> Source {
        self.context.source.unwrap_or(self.format.source())
    }

    /// Ok, partial or no data, from what was taken and what was left out.
    pub fn outcome(&self) -> Outcome {
        let empty = self.observations.is_empty() && self.shown_only.is_empty();
        match (empty, self.skipped.is_empty()) {
            (true, _) => Outcome::NoData,
            (false, true) => Outcome::Ok,
            (false, false) => Outcome::Partial,
        }
    }
}
