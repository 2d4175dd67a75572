//! Reads what benchmark, load-test and real-user tools emit into one canonical [`report::Report`].
//!
//! ```
//! let bytes = br#"{"results": [{"command": "sleep 0.1", "times": [0.103, 0.101]}]}"#;
//! let report = collectors::parse(bytes, &collectors::ParseOptions::default())?;
//! assert_eq!(report.observations[0].metric, "wall_time");
//! # Ok::<(), collectors::ParseError>(())
//! ```
//!
//! Adding a format is one file here, one row in `format.rs`, and one folder under `test_data`.

mod describe;
mod draft;
mod error;
mod format;
pub mod histogram;
mod input;
mod json;
pub mod limits;
mod metric;
mod printed;
pub mod report;
mod requests;
mod rest;
mod route;
mod spectrum;
mod table;
mod telemetry;
mod time;
mod tree;
pub mod units;

mod apachebench;
mod asv;
mod autocannon;
mod benchmark_action;
mod benchmarkdotnet;
mod benchmarkjs;
mod benchstat_csv;
mod boomerang;
mod browsertime;
mod cargo_criterion;
mod catch2;
mod criterion;
mod criterion_text;
mod deno_bench;
mod divan;
mod faro;
mod gatling;
mod go_bench;
mod google_benchmark;
mod gungraun;
mod har;
mod hdr_hlog;
mod hdr_payload;
mod hyperfine;
mod jmeter_jtl;
mod jmh;
mod k6;
mod libtest_bench;
mod lighthouse;
mod locust;
mod longwatch;
mod longwatch_beacon;
mod mitata;
mod oha;
mod otlp;
mod perf_stat;
mod prometheus;
mod pytest_benchmark;
mod server_timing;
mod statsd;
mod tinybench;
mod vegeta;
mod vitest_bench;
pub mod web_vitals;
mod wrk;
mod wrk2;
mod wrk_text;

pub use criterion::bundle_tree;
pub use describe::{describe, exit_code};
pub use error::{ErrorKind, ParseError, Place};
pub use format::{Format, UnknownFormat};
pub use rest::{AtRest, at_rest};
pub use route::template as route_template;
pub use tree::{discover, parse_path};

use input::{Input, Shape};
use report::Report;

/// What the sender says of a file besides its bytes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ParseOptions {
    /// The format, where it is not to be sniffed.
    pub format: Option<Format>,
    /// The unit of values whose file does not state one (HdrHistogram payloads).
    pub unit: Option<String>,
    /// The flow of measurements that the file does not name.
    pub flow: Option<String>,
    /// The file's name, a hint for messages.
    pub file_name: String,
}

/// Reads a file's bytes (text, gzip, or a binary HdrHistogram payload). Refuses the whole file or takes all that is
/// good in it and lists what it left out.
pub fn parse(bytes: &[u8], options: &ParseOptions) -> Result<Report, ParseError> {
    let mut input = Input::read(bytes)?;
    let format = match options.format {
        Some(format) if (format.collector().sniff)(&input) => format,
        Some(format) => return Err(not_that(format, &input)),
        None => recognise(&input, &options.file_name)?,
    };
    let mut report = (format.collector().parse)(&input, options)?;
    report.warnings.append(&mut input.warnings);
    name_flow(&mut report, options.flow.as_deref())?;
    Ok(report)
}

/// The format of a file, from its content.
pub fn sniff(file_name: &str, bytes: &[u8]) -> Result<Format, ParseError> {
    recognise(&Input::read(bytes)?, file_name)
}

fn recognise(input: &Input, file_name: &str) -> Result<Format, ParseError> {
    let known = Format::ALL
        .iter()
        .copied()
        .find(|format| (format.collector().sniff)(input));
    known.ok_or_else(|| match &input.shape {
        Shape::BrokenJson(error) => error.clone(),
        _ => {
            let file = if file_name.is_empty() {
                "the file"
            } else {
                file_name
            };
            let names: Vec<&str> = Format::ALL.iter().map(|f| f.name()).collect();
            let error = ParseError::new(
                ErrorKind::WrongFormat,
                format!("{file} is in no format that we recognise"),
            );
            error.hint(format!("formats are {}", names.join(", ")))
        }
    })
}

fn not_that(format: Format, input: &Input) -> ParseError {
    match &input.shape {
        Shape::BrokenJson(error) => error.clone(),
        _ => {
            let error = ParseError::new(
                ErrorKind::WrongFormat,
                format!("the file is not in the format {format}: {}", format.about()),
            );
            error.hint("leave --format out to have it recognised")
        }
    }
}

/// Gives the flow that the sender named to a file that is one flow as a whole.
fn name_flow(report: &mut Report, flow: Option<&str>) -> Result<(), ParseError> {
    let Some(flow) = flow else { return Ok(()) };
    let as_a_whole = matches!(report.format, Format::K6 | Format::HdrPayload);
    let mut flows = report.observations.iter().map(|o| o.flow.as_str());
    let first = flows.next();
    if !as_a_whole && flows.any(|other| Some(other) != first) {
        let error = ParseError::new(
            ErrorKind::AmbiguousFlow,
            format!("the file names several flows; {flow:?} can stand for one only"),
        );
        return Err(error.hint("leave --flow out, and rename flows with [[flow.match]]"));
    }
    for observation in &mut report.observations {
        observation
            .shown_as
            .get_or_insert_with(|| observation.flow.clone());
        observation.flow = limits::cut(flow, limits::NAME_BYTES);
    }
    Ok(())
}
