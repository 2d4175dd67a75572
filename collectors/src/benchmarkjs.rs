//! What benchmark.js prints: `name x 1,234 ops/sec ±1.23% (87 runs sampled)`.
//!
//! Operations per second with the relative margin of error of their mean; the samples are not printed.

use crate::draft::{Draft, observation};
use crate::error::ParseError;
use crate::input::{Input, Shape};
use crate::printed;
use crate::report::{Basis, Direction, Payload, Quality, Report, Summary};
use crate::{Format, ParseOptions};

pub(crate) fn sniff(input: &Input) -> bool {
    let text = matches!(input.shape, Shape::Text).then_some(&*input.text);
    text.is_some_and(|text| {
        let mut lines = text.lines().filter(|line| line.contains(" ops/sec "));
        lines.any(|line| bench(&printed::visible(line)).is_some())
    })
}

/// One line's result.
struct Bench<'a> {
    name: &'a str,
    hz: f64,
    margin_percent: f64,
    runs: u64,
}

fn bench(line: &str) -> Option<Bench<'_>> {
    let (head, tail) = line.trim().rsplit_once(" ops/sec ")?;
    let (name, hz) = head.rsplit_once(" x ")?;
    let (margin, runs) = tail.split_once("% (")?;
    let margin = margin.trim_start_matches(['\u{b1}', '+', '/', '-', '\u{fffd}']);
    let runs = runs.strip_suffix(" sampled)")?;
    let runs = runs.strip_suffix(" runs").or(runs.strip_suffix(" run"))?;
    Some(Bench {
        name: name.trim(),
        hz: printed::number(hz.trim())?,
        margin_percent: printed::number(margin)?,
        runs: runs.trim().parse().ok()?,
    })
}

pub(crate) fn parse(input: &Input, _: &ParseOptions) -> Result<Report, ParseError> {
    let mut draft = Draft::new(Format::BenchmarkJs);
    draft.context().fingerprint.tool = Some("benchmark.js".into());
    for line in input.lines() {
        let (_, line) = line?;
        let line = printed::visible(line);
        if let Some(found) = bench(&line) {
            let summary = Summary {
                reported: vec![
                    ("hz".into(), found.hz),
                    ("rme_percent".into(), found.margin_percent),
                    ("runs".into(), found.runs as f64),
                ],
                headline: Some("hz".into()),
                count: Some(found.runs),
                stddev: None,
            };
            let payload = Payload::Summary(summary);
            let mut rate = observation(found.name, "ops_per_second", "1/s", payload);
            rate.direction = Direction::Higher;
            rate.basis = Basis::ToolSummary;
            rate.quality.push(Quality::Rounded);
            draft.add(rate)?;
        } else if let Some((name, error)) = failed(&line) {
            draft.skip(name, format!("failed: {error}"));
        }
    }
    Ok(draft.finish())
}

/// A benchmark that threw is printed with its error instead of a rate.
fn failed(line: &str) -> Option<(&str, &str)> {
    let (name, error) = line.trim().split_once(": ")?;
    let class = error.split(':').next().unwrap_or_default();
    (class.ends_with("Error") && !class.contains(' ')).then_some((name, error))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    #[test]
    fn one_run_and_an_error_are_understood_and_other_rates_are_not_taken() {
        let text = "a x b x 12.5 ops/sec \u{b1}0.00% (1 run sampled)\r\nbroken: TypeError: no\r\nFastest is a x b\r\n";
        let report = crate::parse(text.as_bytes(), &ParseOptions::default()).unwrap();
        assert_eq!(
            (&*report.observations[0].flow, report.skipped.len()),
            ("a x b", 1)
        );
        for other in [
            "read x 12 ops/sec",
            "12 ops/sec (3 runs)",
            "a 1,000 ops/sec \u{b1}1% (2 runs sampled)",
        ] {
            assert!(crate::parse(other.as_bytes(), &ParseOptions::default()).is_err());
        }
    }
}
