//! wrk2's text: the percentile spectrum of `--latency`, from which the counts between its edges follow, and requests per
//! second. Without a spectrum the summary is kept.
//!
//! wrk2 counts a request from when it was due, which corrects for coordinated omission; `--u_latency` prints a second
//! spectrum without that correction, which is a series of its own. Requests before the threads are calibrated are not in it.

use crate::error::ParseError;
use crate::input::{Input, Shape};
use crate::report::{Buckets, Payload, Quality, Report};
use crate::spectrum::spectrum;
use crate::wrk_text::{self, WrkText};
use crate::{Format, ParseOptions};

pub(crate) fn sniff(input: &Input) -> bool {
    matches!(input.shape, Shape::Text)
        && wrk_text::begins(&input.text)
        && wrk_text::is_wrk2(&input.text)
}

pub(crate) fn parse(input: &Input, _: &ParseOptions) -> Result<Report, ParseError> {
    let text = WrkText::read(input)?;
    let mut draft = text.draft(Format::Wrk2, "wrk2");
    let blocks = blocks(input)?;
    if blocks.is_empty() {
        let mut latency = text.latency(Payload::Summary(text.summary()), true);
        latency.quality = vec![Quality::Rounded];
        text.add_failures(&mut latency);
        draft.add(latency)?;
    }
    for block in blocks {
        let mut buckets = spectrum(block.lines.into_iter().map(Ok))?;
        if let Buckets::Spectrum { reported, .. } = &mut buckets
            && block.corrected
        {
            reported.extend(text.summary().reported);
        }
        let mut latency = text.latency(Payload::Buckets(buckets), block.corrected);
        if !block.corrected {
            latency.quality.push(Quality::CoordinatedOmission);
        }
        text.add_failures(&mut latency);
        draft.add(latency)?;
    }
    draft.add(text.per_second())?;
    Ok(draft.finish())
}

/// A spectrum's rows and footer with their line numbers.
struct Block<'a> {
    corrected: bool,
    lines: Vec<(usize, &'a str)>,
}

fn blocks<'a>(input: &'a Input) -> Result<Vec<Block<'a>>, ParseError> {
    let (mut blocks, mut corrected, mut open) = (Vec::new(), true, false);
    for line in input.lines() {
        let (number, line) = line?;
        let line = line.trim();
        if line.starts_with("Latency Distribution") {
            corrected = !line.contains("Uncorrected");
        } else if line.starts_with("Detailed Percentile spectrum:") {
            open = true;
            blocks.push(Block {
                corrected,
                lines: Vec::new(),
            });
        } else if line.starts_with("---") || line.contains("requests in") {
            open = false;
        } else if let Some(block) = blocks
            .last_mut()
            .filter(|_| open && !line.starts_with("Value"))
        {
            block.lines.push((number, line));
        }
        open &= !line.starts_with("#[Buckets");
    }
    Ok(blocks)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    const SPECTRUM: &str = "  Detailed Percentile spectrum:\n       Value   Percentile   TotalCount 1/(1-Percentile)\n\n       1.000     0.000000            1         1.00\n       2.000     1.000000            3          inf\n#[Mean    =        1.5, StdDeviation   =        0.5]\n#[Max     =       2.0, Total count    =          3]\n#[Buckets =           27, SubBuckets     =         2048]\n----------------------------------------------------------\n";

    fn text(between: &str) -> String {
        format!(
            "Running 30s test @ http://shop/\n  2 threads and 8 connections\n  Thread calibration: mean lat.: 5.504ms, rate sampling interval: 17ms\n  Thread Stats   Avg      Stdev     Max   +/- Stdev\n    Latency     1.50ms    0.50ms   2.00ms   57.77%\n    Req/Sec   154.15     42.38   266.00     81.59%\n{between}  9 requests in 30.00s, 1.71MB read\nRequests/sec:    300.03\n"
        )
    }

    fn read(text: &str) -> Report {
        crate::parse(text.as_bytes(), &ParseOptions::default()).unwrap()
    }

    #[test]
    fn the_uncorrected_spectrum_is_a_series_of_its_own() {
        let corrected = format!(
            "  Latency Distribution (HdrHistogram - Recorded Latency)\n 50.000%    1.00ms\n\n{SPECTRUM}"
        );
        let not = corrected
            .replace(
                "Recorded Latency",
                "Uncorrected Latency (measured without taking delayed starts into account)",
            )
            .replace("1.00ms", "0.10ms");
        let report = read(&text(&format!("{corrected}\n{not}")));
        let of: Vec<_> = report
            .observations
            .iter()
            .map(|o| {
                (
                    o.labels.get("co_corrected").map(String::as_str),
                    o.quality.as_slice(),
                )
            })
            .collect();
        assert_eq!(
            of,
            [
                (Some("true"), &[][..]),
                (Some("false"), &[Quality::CoordinatedOmission]),
                (None, &[])
            ]
        );
        let Payload::Buckets(Buckets::Spectrum { rows, reported }) =
            &report.observations[0].payload
        else {
            panic!()
        };
        assert_eq!(rows, &[(1.0, 1), (2.0, 2)]);
        assert_eq!(reported["50.000%"], 1.0);
    }

    #[test]
    fn without_a_spectrum_the_summary_stays_a_summary() {
        let report = read(&text(""));
        assert_eq!(report.format, Format::Wrk2);
        assert!(matches!(
            report.observations[0].payload,
            Payload::Summary(_)
        ));
    }
}
