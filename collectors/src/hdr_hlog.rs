//! HdrHistogram's interval log (`.hlog`): a histogram a line, `[Tag=x,]start,length,max,payload`.
//!
//! See `HistogramLogWriter` of HdrHistogram. The intervals of one tag are merged: their counts are of one run. The log does
//! not say in what unit its values are, so the sender must; the column of the largest value is for display, and not read.

use std::collections::HashMap;

use crate::draft::{Draft, observation};
use crate::error::{ErrorKind, ParseError};
use crate::hdr_payload::refused;
use crate::histogram::Histogram;
use crate::input::{Input, Shape};
use crate::report::{Buckets, Payload, Report};
use crate::{Format, ParseOptions};

/// How the tool's users call what has no tag.
const UNTAGGED: &str = "(untagged)";

/// A start that lies so far below the log's own, in seconds, counts from it (HistogramLogReader's rule: a year).
const YEAR_S: f64 = 365.0 * 24.0 * 3_600.0;

pub(crate) fn sniff(input: &Input) -> bool {
    if !matches!(input.shape, Shape::Text) {
        return false;
    }
    let mut lines = input.text.lines().map(str::trim).filter(|l| !l.is_empty());
    let is_header = |line: &str| {
        line.starts_with("#[Histogram log format")
            || line.starts_with("#[StartTime:")
            || line.starts_with("\"StartTimestamp\",\"Interval_Length\"")
    };
    // Comments may stand anywhere, and a log without any header is legal.
    lines
        .by_ref()
        .take(50)
        .find(|line| is_header(line) || !line.starts_with('#'))
        .is_some_and(|line| is_header(line) || interval(line).is_some())
}

pub(crate) fn parse(input: &Input, options: &ParseOptions) -> Result<Report, ParseError> {
    let mut log = Log::default();
    for line in input.lines() {
        let (number, line) = line?;
        log.line(number, line.trim())?;
    }
    let Some(unit) = options.unit.as_deref() else {
        let message = "an HdrHistogram log does not say in what unit its values are";
        let error = ParseError::new(ErrorKind::UnitMissing, message);
        return Err(error.hint("say it: --unit ns (jHiccup), --unit us (YCSB, wrk2), --unit ms"));
    };
    let mut draft = Draft::new(Format::HdrHlog);
    draft.context().time_us = log.began_s().map(|s| (s * 1e6).round() as i64);
    for tagged in log.tags {
        let name = tagged.tag.as_deref().unwrap_or(UNTAGGED);
        if tagged.histogram.is_empty() {
            draft.skip(name, "its intervals hold no values");
            continue;
        }
        let payload = Payload::Buckets(Buckets::Hdr {
            histogram: tagged.histogram,
            unit_ratio: tagged.unit_ratio,
            significant_digits: tagged.significant_digits,
        });
        let mut found = observation(name, "value", unit, payload);
        found
            .labels
            .extend(tagged.tag.clone().map(|tag| ("tag".to_owned(), tag)));
        found
            .extra
            .insert("intervals".into(), tagged.intervals.into());
        draft.add(found)?;
    }
    Ok(draft.finish())
}

/// All intervals of one tag.
struct Tagged {
    tag: Option<String>,
    histogram: Histogram,
    unit_ratio: f64,
    significant_digits: u8,
    intervals: u64,
}

#[derive(Default)]
struct Log {
    tags: Vec<Tagged>,
    at: HashMap<Option<String>, usize>,
    /// Seconds since the epoch, from the header.
    start_s: Option<f64>,
    base_s: Option<f64>,
    /// The first interval's start as written.
    first_s: Option<f64>,
}

impl Log {
    fn line(&mut self, number: usize, line: &str) -> Result<(), ParseError> {
        if let Some(comment) = line.strip_prefix('#') {
            self.start_s = header_seconds(comment, "[StartTime:").or(self.start_s);
            self.base_s = header_seconds(comment, "[BaseTime:").or(self.base_s);
            return Ok(());
        }
        if line.starts_with("\"StartTimestamp\"") || line.starts_with("StartTimestamp") {
            return Ok(());
        }
        let Some(interval) = interval(line) else {
            let message = "no interval of a histogram log: start, length, largest value and payload are expected";
            return Err(ParseError::new(ErrorKind::InvalidValue, message).at_line(number));
        };
        self.first_s.get_or_insert(interval.start_s);
        let decoded = Histogram::decode_base64(interval.payload)
            .map_err(|error| refused(error).on_line(number))?;
        let key = interval.tag.map(str::to_owned);
        let at = *self.at.entry(key.clone()).or_insert(self.tags.len());
        match self.tags.get_mut(at) {
            None => self.tags.push(Tagged {
                tag: key,
                histogram: decoded.histogram,
                unit_ratio: decoded.unit_ratio,
                significant_digits: decoded.significant_digits,
                intervals: 1,
            }),
            Some(known) if known.unit_ratio != decoded.unit_ratio => {
                let message = "its values are in other units than those of the interval before";
                return Err(ParseError::new(ErrorKind::InvalidValue, message).at_line(number));
            }
            Some(known) => {
                known.histogram.merge(&decoded.histogram).map_err(|error| {
                    ParseError::new(ErrorKind::CorruptHdrPayload, error.to_string()).at_line(number)
                })?;
                known.significant_digits = known.significant_digits.min(decoded.significant_digits);
                known.intervals += 1;
            }
        }
        Ok(())
    }

    /// When the first interval began, seconds since the epoch: starts may count from the log's own start.
    fn began_s(&self) -> Option<f64> {
        let first = self.first_s?;
        let began = match (self.base_s, self.start_s) {
            (Some(base), _) => base + first,
            (None, Some(start)) if first < start - YEAR_S => start + first,
            _ => first,
        };
        (began > YEAR_S && began < 1e11).then_some(began)
    }
}

/// `[StartTime: 1441812279.474 (seconds since epoch), …]`.
fn header_seconds(comment: &str, name: &str) -> Option<f64> {
    let rest = comment.strip_prefix(name)?.trim_start();
    let end = rest.find(|c: char| c != '.' && !c.is_ascii_digit())?;
    rest[..end].parse().ok().filter(|s: &f64| s.is_finite())
}

struct Interval<'a> {
    tag: Option<&'a str>,
    start_s: f64,
    payload: &'a str,
}

fn interval(line: &str) -> Option<Interval<'_>> {
    let (tag, rest) = match line.strip_prefix("Tag=") {
        Some(tagged) => {
            let (tag, rest) = tagged.split_once(',')?;
            (Some(tag), rest)
        }
        None => (None, line),
    };
    let mut fields = rest.splitn(4, ',').map(str::trim);
    let mut number = || fields.next()?.parse::<f64>().ok().filter(|n| n.is_finite());
    let start_s = number()?;
    number()?;
    number()?;
    let payload = fields.next()?.trim_matches('"');
    payload.starts_with("HIST").then_some(Interval {
        tag,
        start_s,
        payload,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    fn read(text: &str) -> Result<Report, ParseError> {
        let options = ParseOptions {
            unit: Some("us".into()),
            ..ParseOptions::default()
        };
        crate::parse(text.as_bytes(), &options)
    }

    fn payload(values: std::ops::Range<u64>) -> String {
        Histogram::from_values(values).unwrap().encode_base64()
    }

    #[test]
    fn intervals_of_a_tag_are_one_and_tags_are_apart() {
        let (a, b) = (payload(1..11), payload(100..105));
        let report = read(&format!(
            "#[StartTime: 1441812279.474 (seconds since epoch), Wed]\n0.1,1.0,0.01,{a}\nTag=read,0.1,1.0,0.01,\"{a}\"\n1.1,1.0,0.1,{b}\n"
        ))
        .unwrap();
        let counted: Vec<(&str, u64)> = report
            .observations
            .iter()
            .map(|o| match &o.payload {
                Payload::Buckets(Buckets::Hdr { histogram, .. }) => {
                    (o.flow.as_str(), histogram.count())
                }
                _ => panic!(),
            })
            .collect();
        assert_eq!(counted, [(UNTAGGED, 15), ("read", 10)]);
        assert_eq!(report.context.time_us, Some(1_441_812_279_574_000));
    }

    #[test]
    fn a_log_without_header_is_read_and_starts_may_be_absolute() {
        let report = read(&format!("1441812279.5,1.0,0.01,{}\r\n", payload(1..3))).unwrap();
        assert_eq!(report.context.time_us, Some(1_441_812_279_500_000));
    }

    #[test]
    fn a_broken_interval_is_named_by_its_line_and_the_unit_is_asked_for() {
        let whole = payload(1..1_000);
        let error = read(&format!("0,1,0,{whole}\n1,1,0,{}\n", &whole[..40])).unwrap_err();
        assert_eq!(error.kind, ErrorKind::CorruptHdrPayload);
        assert_eq!(error.place.unwrap().line, Some(2));
        let text = format!("0,1,0,{whole}\n");
        let unasked = crate::parse(text.as_bytes(), &ParseOptions::default()).unwrap_err();
        assert_eq!(unasked.kind, ErrorKind::UnitMissing);
    }
}
