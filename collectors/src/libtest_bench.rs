//! What libtest's `#[bench]` prints: `test name ... bench: 1,234 ns/iter (+/- 56)`.
//!
//! The number is the median of the samples, `+/-` the distance between their extremes; the samples are not printed.

use crate::draft::{Draft, observation};
use crate::error::ParseError;
use crate::input::{Input, Shape};
use crate::printed;
use crate::report::{Basis, Direction, Payload, Quality, Report, Summary};
use crate::{Format, ParseOptions};

pub(crate) fn sniff(input: &Input) -> bool {
    let text = matches!(input.shape, Shape::Text).then_some(&*input.text);
    text.is_some_and(|text| {
        let mut lines = text.lines().filter(|line| line.contains("/iter (+/-"));
        // Where one run printed both, criterion's are taken.
        lines.any(|line| bench(&printed::visible(line)).is_some())
            && !crate::criterion_text::sniff(input)
    })
}

/// One line's result.
struct Bench<'a> {
    name: &'a str,
    median: f64,
    unit: &'a str,
    spread: f64,
}

fn bench(line: &str) -> Option<Bench<'_>> {
    let (name, rest) = line
        .trim()
        .strip_prefix("test ")?
        .split_once(" ... bench:")?;
    let (result, spread) = rest.split_once("(+/- ")?;
    let (spread, _) = spread.split_once(')')?;
    let words: Vec<&str> = result.split_whitespace().collect();
    let [median, unit] = words[..] else {
        return None;
    };
    Some(Bench {
        name: name.trim(),
        median: printed::number(median)?,
        unit: unit.strip_suffix("/iter").filter(|unit| !unit.is_empty())?,
        spread: printed::number(spread.trim())?,
    })
}

pub(crate) fn parse(input: &Input, _: &ParseOptions) -> Result<Report, ParseError> {
    let mut draft = Draft::new(Format::LibtestBench);
    draft.context().fingerprint.tool = Some("libtest".into());
    for line in input.lines() {
        let (_, line) = line?;
        let line = printed::visible(line);
        if let Some(found) = bench(&line) {
            let summary = Summary {
                reported: vec![
                    ("median".into(), found.median),
                    ("plus_minus".into(), found.spread),
                ],
                headline: Some("median".into()),
                ..Summary::default()
            };
            let mut time = observation(found.name, "time", found.unit, Payload::Summary(summary));
            time.direction = Direction::Lower;
            time.basis = Basis::ToolSummary;
            time.quality.push(Quality::Rounded);
            draft.add(time)?;
        } else if let Some(failed) = failed(&line) {
            draft.skip(failed, "failed");
        } else if line.contains(" ... bench:") {
            draft.warn(format!(
                "no time of an iteration, left out: {}",
                line.trim()
            ));
        }
    }
    Ok(draft.finish())
}

fn failed(line: &str) -> Option<&str> {
    let test = line.trim().strip_prefix("test ")?;
    test.strip_suffix(" ... FAILED").map(str::trim)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    #[test]
    fn decimals_throughput_and_failures_are_understood() {
        let text = "running 3 tests\r\ntest a ... bench:       1,234.56 ns/iter (+/- 7.80) = 12 MB/s\r\ntest b ... FAILED\r\ntest c ... bench: 9 MS/s (+/- 1)\r\n";
        let report = crate::parse(text.as_bytes(), &ParseOptions::default()).unwrap();
        let Payload::Summary(summary) = &report.observations[0].payload else {
            panic!()
        };
        assert_eq!(summary.headline_value(), Some(1_234.56));
        assert_eq!(
            (
                report.observations.len(),
                report.skipped.len(),
                report.warnings.len()
            ),
            (1, 1, 1)
        );
        let tests_alone = "test a ... ok\ntest b ... FAILED\n";
        assert!(crate::parse(tests_alone.as_bytes(), &ParseOptions::default()).is_err());
    }
}
