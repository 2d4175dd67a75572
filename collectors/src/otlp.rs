//! OTLP metrics: an `ExportMetricsServiceRequest` as protobuf or JSON, or lines of the latter as collectors write files.
//!
//! Histograms are kept as counts per bucket, exponential ones with their edges worked out; sums and gauges as single
//! values; summaries as summaries. Each point says whether it counts since a start (`temporality`, `start_time_us`).
//! A point's attributes are labels; of a resource only its service's name and version and its commit are kept.
//! Specified in <https://opentelemetry.io/docs/specs/otel/metrics/data-model/>.

mod exponential;
mod message;
mod observe;
#[cfg(test)]
mod tests;
mod wire;
mod written;

use prost::Message;
use serde_json::Value;

use crate::draft::Draft;
use crate::error::{ErrorKind, ParseError};
use crate::input::{Input, Shape};
use crate::report::Report;
use crate::{Format, ParseOptions};
use message::Request;

pub(crate) use wire::is_request;

pub(crate) fn sniff(input: &Input) -> bool {
    matches!(input.shape, Shape::Otlp(_))
        || input
            .first_record()
            .and_then(|d| d.get("resourceMetrics"))
            .is_some_and(Value::is_array)
}

pub(crate) fn parse(input: &Input, _: &ParseOptions) -> Result<Report, ParseError> {
    let requests = match &input.shape {
        Shape::Otlp(bytes) => vec![Request::decode(&bytes[..]).map_err(|e| {
            let what = format!("no whole OTLP message (truncated or damaged protobuf): {e}");
            ParseError::new(ErrorKind::InvalidProtobuf, what).hint("was it cut short?")
        })?],
        Shape::Lines(_) => {
            let lines = input.lines().map(|line| {
                let (number, text) = line?;
                crate::json::check_limits(text).map_err(|e| e.on_line(number))?;
                of_json(text).map_err(|e| e.on_line(number))
            });
            lines.collect::<Result<_, _>>()?
        }
        _ => vec![of_json(&input.text)?],
    };
    let mut draft = Draft::new(Format::Otlp);
    observe::all(&mut draft, &requests)?;
    Ok(draft.finish())
}

fn of_json(text: &str) -> Result<Request, ParseError> {
    serde_json::from_str(text).map_err(|e| {
        let (kind, what) = if e.is_data() {
            (ErrorKind::InvalidValue, "no OTLP/JSON")
        } else {
            (ErrorKind::InvalidJson, "not valid JSON")
        };
        ParseError::new(kind, format!("{what}: {e}")).at_line(e.line())
    })
}
