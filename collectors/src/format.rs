//! The formats that we read: one row each.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::ParseOptions;
use crate::error::ParseError;
use crate::input::Input;
use crate::report::{Report, Source};

/// What reads one format.
pub(crate) struct Collector {
    /// Whether a file is of this format; exactly one collector may say so of a file.
    pub(crate) sniff: fn(&Input) -> bool,
    /// Reads a file of which [`Self::sniff`] said yes.
    pub(crate) parse: fn(&Input, &ParseOptions) -> Result<Report, ParseError>,
}

/// Makes [`Format`] of one row per format: variant, module, name, usual source, what it is.
macro_rules! formats {
    ($($variant:ident, $module:ident, $name:literal, $source:ident, $about:literal;)*) => {
        /// A format that we read.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum Format {
            $(#[doc = $about] #[serde(rename = $name)] $variant,)*
        }

        impl Format {
            /// All of them, in the order in which they are tried.
            pub const ALL: &[Format] = &[$(Format::$variant),*];

            /// The name that `--format` takes and reports carry.
            pub fn name(self) -> &'static str {
                match self { $(Format::$variant => $name),* }
            }

            /// Where its measurements come from unless the file or the sender says otherwise.
            pub fn source(self) -> Source {
                match self { $(Format::$variant => Source::$source),* }
            }

            /// What reads it.
            pub(crate) fn collector(self) -> Collector {
                match self { $(Format::$variant => Collector { sniff: crate::$module::sniff, parse: crate::$module::parse }),* }
            }

            /// What it is, in a line.
            pub fn about(self) -> &'static str {
                match self { $(Format::$variant => $about),* }
            }
        }
    };
}

formats! {
    Hyperfine, hyperfine, "hyperfine", Bench, "`hyperfine --export-json`";
    Criterion, criterion, "criterion", Bench, "a `target/criterion` tree, or its bundle";
    CargoCriterion, cargo_criterion, "cargo-criterion", Bench, "`cargo criterion --message-format=json`";
    GoogleBenchmark, google_benchmark, "google-benchmark", Bench, "Google Benchmark's `--benchmark_format=json`";
    GoBench, go_bench, "go-bench", Bench, "`go test -bench`, as text or with `-json`";
    PytestBenchmark, pytest_benchmark, "pytest-benchmark", Bench, "`pytest --benchmark-json`";
    Jmh, jmh, "jmh", Bench, "JMH's `-rf json`";
    BenchmarkDotNet, benchmarkdotnet, "benchmarkdotnet", Bench, "BenchmarkDotNet's `*-report-full.json`";
    BenchmarkAction, benchmark_action, "benchmark-action", Bench, "github-action-benchmark's `data.js` and custom JSON";
    K6, k6, "k6", Load, "k6's `--out json`, `--summary-export` and `handleSummary`";
    HdrPayload, hdr_payload, "hdr-payload", Load, "one HdrHistogram as V2 payload or `.hgrm` text";
    HdrHlog, hdr_hlog, "hdr-hlog", Load, "an HdrHistogram log, by interval";
    Lighthouse, lighthouse, "lighthouse", Lab, "Lighthouse's report, and each run of the Lighthouse CI";
    VitestBench, vitest_bench, "vitest-bench", Bench, "`vitest bench --outputJson`";
    Tinybench, tinybench, "tinybench", Bench, "tinybench's tasks or table as JSON";
    JmeterJtl, jmeter_jtl, "jmeter-jtl", Load, "JMeter's result log (JTL), as delimited text or XML";
    Vegeta, vegeta, "vegeta", Load, "vegeta's results from `vegeta encode`, and its JSON and hdrplot reports";
    Locust, locust, "locust", Load, "Locust's `--json` and the CSV files of `--csv`";
    Wrk2, wrk2, "wrk2", Load, "wrk2's text, with the spectrum of `--latency`";
    Wrk, wrk, "wrk", Load, "wrk's text";
    Asv, asv, "asv", Bench, "asv's result files, versions 1 and 2";
    Gungraun, gungraun, "gungraun", Bench, "Gungraun's `--output-format=json`";
    Catch2, catch2, "catch2", Bench, "Catch2's benchmarks, as XML or console text";
    Gatling, gatling, "gatling", Load, "Gatling's text `simulation.log`";
    Browsertime, browsertime, "browsertime", Lab, "browsertime's `browsertime.json`";
    Har, har, "har", Lab, "HTTP archives (HAR 1.2)";
    PerfStat, perf_stat, "perf-stat", Bench, "`perf stat -j` and `-x,`";
    DenoBench, deno_bench, "deno-bench", Bench, "`deno bench --json`";
    Mitata, mitata, "mitata", Bench, "mitata's `format: 'json'`";
    Autocannon, autocannon, "autocannon", Load, "`autocannon -j`";
    Oha, oha, "oha", Load, "oha's `--output-format json` and `csv`";
    ApacheBench, apachebench, "apachebench", Load, "ab's `-g` table and its report";
    CriterionText, criterion_text, "criterion-text", Bench, "what criterion prints";
    LibtestBench, libtest_bench, "libtest-bench", Bench, "what libtest's `#[bench]` prints";
    BenchmarkJs, benchmarkjs, "benchmarkjs", Bench, "what benchmark.js prints";
    Divan, divan, "divan", Bench, "the tree that divan prints";
    BenchstatCsv, benchstat_csv, "benchstat-csv", Bench, "`benchstat -format csv`, which is named and not taken";
    Otlp, otlp, "otlp", Telemetry, "OTLP metrics as protobuf or JSON";
    Prometheus, prometheus, "prometheus", Telemetry, "Prometheus text, or OpenMetrics";
    Statsd, statsd, "statsd", Telemetry, "statsd datagrams, a value a line";
    ServerTiming, server_timing, "server-timing", Telemetry, "`Server-Timing` headers, as lines or as JSON";
    WebVitals, web_vitals, "web-vitals", Rum, "web-vitals objects, as beacons carry them";
    Boomerang, boomerang, "boomerang", Rum, "boomerang's beacons, as captured requests or forms";
    Faro, faro, "faro", Rum, "what Grafana's Faro sends, as captured requests or JSON";
    Longwatch, longwatch, "longwatch", Bench, "our own JSON and NDJSON";
    LongwatchBeacon, longwatch_beacon, "longwatch-beacon", Rum, "our own beacon";
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The text names no format that we read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no format that we read")]
pub struct UnknownFormat(String);

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Format::ALL
            .iter()
            .copied()
            .find(|f| f.name() == text)
            .ok_or_else(|| UnknownFormat(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn every_name_reads_back() {
        for &format in Format::ALL {
            assert_eq!(format.name().parse::<Format>().unwrap(), format);
            assert_eq!(serde_json::to_value(format).unwrap(), format.name());
        }
        assert!("auto".parse::<Format>().is_err());
    }
}
