//! What a service exposes of itself: Prometheus text 0.0.4, and OpenMetrics 1.0 where the text ends with `# EOF`.
//!
//! Histograms are kept as counts per bucket, summaries as summaries, all else as single values. All of them count since
//! the process began. OpenMetrics is refused as a whole where it breaks a rule of its specification
//! (<https://prometheus.io/docs/specs/om/open_metrics_spec/>); of the text format only the series that make no sense
//! are left out.

mod family;
mod line;
mod observe;
mod rules;
#[cfg(test)]
mod tests;

use crate::draft::Draft;
use crate::error::ParseError;
use crate::input::{Input, Shape};
use crate::report::Report;
use crate::{Format, ParseOptions};
use line::{Dialect, Line};

pub(crate) fn sniff(input: &Input) -> bool {
    match &input.shape {
        Shape::Text => is_openmetrics(&input.text) || is_text(input),
        Shape::BrokenJson(_) => is_openmetrics(&input.text),
        _ => false,
    }
}

/// Whether a line begins with the mark of the end, which no other format has.
fn is_openmetrics(text: &str) -> bool {
    text.starts_with("# EOF") || text.contains("\n# EOF")
}

/// Whether the first line that is no plain comment is of this format: a type, a help text, or a value with labels.
fn is_text(input: &Input) -> bool {
    for text in input.lines().take(100) {
        let Ok((_, text)) = text else { return false };
        return match line::read(text, Dialect::Text) {
            Ok(Line::Nothing) => continue,
            Ok(Line::Sample(sample)) => !sample.labels.is_empty(),
            Ok(Line::Type(..) | Line::Help(_)) => true,
            _ => false,
        };
    }
    false
}

pub(crate) fn parse(input: &Input, _: &ParseOptions) -> Result<Report, ParseError> {
    let mut draft = Draft::new(Format::Prometheus);
    let (families, time_unit_us) = if is_openmetrics(&input.text) {
        (family::of_openmetrics(&input.text)?, 1e6)
    } else {
        (family::of_text(input)?, 1e3)
    };
    observe::all(&mut draft, &families, time_unit_us)?;
    Ok(draft.finish())
}
