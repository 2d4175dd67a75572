//! Catch2's benchmarks, from its XML reporter (`-r xml`) or its console, of versions 2 and 3.
//!
//! It gives a mean with its confidence interval and a standard deviation, never the samples: a summary. The console
//! prints these rounded and in mixed units. The flow is the test case, its sections and the benchmark's name.

mod console;
mod xml;

use crate::error::ParseError;
use crate::input::{Input, Shape};
use crate::report::Report;
use crate::{Format, ParseOptions};

pub(crate) fn sniff(input: &Input) -> bool {
    matches!(input.shape, Shape::Text) && (xml::is(&input.text) || console::is(&input.text))
}

pub(crate) fn parse(input: &Input, _: &ParseOptions) -> Result<Report, ParseError> {
    let mut draft = crate::draft::Draft::new(Format::Catch2);
    draft.context().fingerprint.tool = Some("catch2".into());
    if xml::is(&input.text) {
        xml::read(&input.text, &mut draft)?;
    } else {
        console::read(input, &mut draft)?;
    }
    Ok(draft.finish())
}
