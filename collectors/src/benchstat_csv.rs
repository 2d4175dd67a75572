//! `benchstat -format csv`: a comparison of runs that is derived from them. It is named, and not taken: what it was
//! made of is `go test -bench` output, which we read.

use crate::draft::Draft;
use crate::error::ParseError;
use crate::input::{Input, Shape};
use crate::report::Report;
use crate::{Format, ParseOptions};

pub(crate) fn sniff(input: &Input) -> bool {
    matches!(input.shape, Shape::Text) && input.text.lines().any(is_head)
}

/// `,sec/op,CI` or `,sec/op,CI,sec/op,CI,vs base,P`.
fn is_head(line: &str) -> bool {
    let fields: Vec<&str> = line.trim_end().split(',').collect();
    match fields[..] {
        ["", unit, "CI", ..] => unit.contains('/') || ["B", "sec"].contains(&unit),
        _ => false,
    }
}

pub(crate) fn parse(input: &Input, _: &ParseOptions) -> Result<Report, ParseError> {
    let mut draft = Draft::new(Format::BenchstatCsv);
    let rows = input.text.lines().filter(|line| line.contains(',')).count();
    let reason = format!(
        "{rows} rows of a comparison, derived from runs: send the output of `go test -bench` that it was made of"
    );
    draft.skip("comparison", reason);
    Ok(draft.finish())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    #[test]
    fn a_comparison_is_named_and_not_taken() {
        let text = "goos: linux\n,old.txt,\n,sec/op,CI\nEncode-48,1.7e-06,1%\nPASS,,\n";
        let report = crate::parse(text.as_bytes(), &ParseOptions::default()).unwrap();
        assert_eq!(
            (report.format, report.observations.len()),
            (Format::BenchstatCsv, 0)
        );
        assert!(report.skipped[0].reason.contains("go test -bench"));
        let other = "a,sec/op,CI\n1,2,3\n";
        assert!(crate::parse(other.as_bytes(), &ParseOptions::default()).is_err());
    }
}
