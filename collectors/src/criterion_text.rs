//! What criterion prints: `name  time: [low estimate high]`, rounded and with a unit at each number.
//!
//! The bounds are of the estimate's confidence interval and no percentiles. `target/criterion` holds the samples, so that
//! it is the better file to send; long names are cut here.

use crate::draft::{Draft, observation};
use crate::error::ParseError;
use crate::input::{Input, Shape};
use crate::printed::{self, Quantity};
use crate::report::{Basis, Payload, Quality, Report};
use crate::{Format, ParseOptions};

pub(crate) fn sniff(input: &Input) -> bool {
    let text = matches!(input.shape, Shape::Text).then_some(&*input.text);
    text.is_some_and(|text| {
        let mut lines = text.lines().filter(|line| line.contains("time:"));
        lines.any(|line| times(&printed::visible(line)).is_some())
    })
}

/// The name (empty where it stands on the line before) and what stands in the brackets.
fn times(line: &str) -> Option<(&str, &str)> {
    let (name, rest) = line.rsplit_once("time:")?;
    let inside = rest.trim().strip_prefix('[')?.strip_suffix(']')?;
    let three = printed::quantities(inside)?.len() == 3;
    three.then_some((name.trim(), inside))
}

pub(crate) fn parse(input: &Input, _: &ParseOptions) -> Result<Report, ParseError> {
    let mut draft = Draft::new(Format::CriterionText);
    draft.context().fingerprint.tool = Some("criterion".into());
    let mut above = String::new();
    for line in input.lines() {
        let (_, line) = line?;
        let line = printed::visible(line);
        let Some((name, inside)) = times(&line) else {
            above = line.trim().to_owned();
            continue;
        };
        let name = if name.is_empty() {
            above.as_str()
        } else {
            name
        };
        let values = printed::quantities(inside).unwrap_or_default();
        let named: Vec<(&str, Quantity)> = ["low", "estimate", "high"]
            .into_iter()
            .zip(values)
            .collect();
        if let Some((summary, unit)) = printed::summary(&named, "estimate") {
            let mut time = observation(name, "time", &unit, Payload::Summary(summary));
            time.basis = Basis::ToolSummary;
            time.quality.push(Quality::Rounded);
            draft.add(time)?;
        }
        if name.ends_with("...") {
            draft.warn(format!(
                "criterion cut the name {name}: send target/criterion, which has it whole"
            ));
        }
    }
    Ok(draft.finish())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    #[test]
    fn names_may_stand_above_and_changes_are_no_times() {
        let text = "Benchmarking a: Analyzing\ra                       time:   [1.0000 ns 2.0000 ns 1.1677 \u{b5}s]\r\n                 change:\r\n                        time:   [-1.2% +0.1% +2.0%] (p = 0.79 > 0.05)\r\n\r\nlong: name time: x\r\n                        time:   [1 ms 2 ms 3 ms]\r\n";
        let report = crate::parse(text.as_bytes(), &ParseOptions::default()).unwrap();
        let listed: Vec<_> = report
            .observations
            .iter()
            .map(|o| (&*o.flow, &*o.unit))
            .collect();
        assert_eq!(listed, [("a", "ns"), ("long: name time: x", "ms")]);
        assert!(format!("{:?}", report.observations[0].payload).contains("1167.7"));
    }

    #[test]
    fn no_other_text_with_the_word_is_taken() {
        for text in ["time: [1 2 3]", "total time: [1 ms 2 ms]", "time: 5 ms"] {
            assert!(crate::parse(text.as_bytes(), &ParseOptions::default()).is_err());
        }
    }
}
