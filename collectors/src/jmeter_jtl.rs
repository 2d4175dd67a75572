//! JMeter's result log (JTL), as delimited text with or without a header, or as XML: `elapsed` of every sample by its
//! label. What JMeter's manual says under "CSV Log format" and "XML Log format" is read; all other columns are not kept.
//!
//! A transaction and the samples in it are logged each under a label of their own. The parent's time contains its
//! children's, so nothing is added up.

use std::collections::BTreeMap;

use csv::StringRecord;

use crate::draft::Draft;
use crate::error::ParseError;
use crate::input::{Input, Shape};
use crate::report::{Quality, Report};
use crate::requests::{Kind, Requests, flow};
use crate::table::{fields, first_line, rows};
use crate::{Format, ParseOptions};

mod xml;

/// What JMeter is told to separate columns by (`jmeter.save.saveservice.default_delimiter`).
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];

pub(crate) fn sniff(input: &Input) -> bool {
    matches!(input.shape, Shape::Text) && (xml::sniff(&input.text) || layout(&input.text).is_some())
}

pub(crate) fn parse(input: &Input, _: &ParseOptions) -> Result<Report, ParseError> {
    let mut log = Log {
        draft: Draft::new(Format::JmeterJtl),
        requests: Requests::default(),
        failures_unknown: false,
    };
    log.draft.context().fingerprint.tool = Some("jmeter".into());
    match layout(&input.text) {
        Some(layout) => log.read_rows(&input.text, &layout)?,
        None => xml::read(&input.text, &mut log)?,
    }
    log.finish()
}

/// What was read so far.
struct Log {
    draft: Draft,
    requests: Requests,
    /// Some sample does not say whether it failed.
    failures_unknown: bool,
}

impl Log {
    /// Takes a sample: when it was logged and how long it took in milliseconds, and whether it succeeded.
    fn sample(&mut self, label: &str, elapsed: f64, success: Option<bool>, time: Option<&str>) {
        self.failures_unknown |= success.is_none();
        let context = self.draft.context();
        if context.time_us.is_none() {
            context.time_us = time.and_then(microseconds);
        }
        let kind = Kind {
            shown_as: label.to_owned(),
            flow: flow(label),
            labels: BTreeMap::new(),
            failed: success == Some(false),
        };
        self.requests.add(kind, elapsed);
    }

    fn read_rows(&mut self, text: &str, layout: &Layout) -> Result<(), ParseError> {
        if !layout.header {
            self.draft
                .warn("the log has no header: JMeter's default order of columns is assumed");
        }
        for row in rows(text, layout.delimiter).skip(usize::from(layout.header)) {
            let (line, row) = row?;
            match layout.sample(&row) {
                Ok(Some((label, elapsed, success))) => {
                    let time = layout.time.and_then(|at| row.get(at));
                    self.sample(label, elapsed, success, time);
                }
                Ok(None) => {}
                Err(reason) => self.draft.skip(format!("line {line}"), reason),
            }
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Report, ParseError> {
        if self.requests.is_empty() {
            self.draft.skip("samples", "the log holds none");
        }
        let quality: &[Quality] = match self.failures_unknown {
            true => &[Quality::FailuresIncluded],
            false => &[],
        };
        self.requests
            .finish(&mut self.draft, "elapsed", "ms", quality)?;
        Ok(self.draft.finish())
    }
}

/// Milliseconds since the epoch as microseconds. A formatted date has no zone, so it is not certain.
fn microseconds(text: &str) -> Option<i64> {
    text.trim().parse::<i64>().ok()?.checked_mul(1_000)
}

/// Which column is what.
struct Layout {
    delimiter: u8,
    header: bool,
    columns: usize,
    time: Option<usize>,
    elapsed: usize,
    label: Option<usize>,
    success: Option<usize>,
}

/// The layout of the log, from its first line; `None` where it is no JTL.
fn layout(text: &str) -> Option<Layout> {
    let first = first_line(text);
    if first.starts_with(['<', '{', '[']) || first.len() > crate::limits::LINE_BYTES {
        return None;
    }
    DELIMITERS.into_iter().find_map(|delimiter| {
        let row = fields(first, delimiter);
        named(&row, delimiter).or_else(|| {
            let whole = rows(text, delimiter).next()?.ok()?.1;
            assumed(&whole, delimiter)
        })
    })
}

/// A header names its columns as JMeter does.
fn named(row: &StringRecord, delimiter: u8) -> Option<Layout> {
    let at = |name: &str| {
        row.iter()
            .position(|field| field.trim().eq_ignore_ascii_case(name))
    };
    let (time, label, success) = (at("timeStamp"), at("label"), at("success"));
    let elapsed = at("elapsed")?;
    let known = [time, label, success].iter().flatten().count();
    (known >= 2).then_some(Layout {
        delimiter,
        header: true,
        columns: row.len(),
        time,
        elapsed,
        label,
        success,
    })
}

/// Without a header: timeStamp, elapsed, label, responseCode, responseMessage, threadName, dataType (which some leave
/// out), success, and more.
fn assumed(row: &StringRecord, delimiter: u8) -> Option<Layout> {
    let success = [7, 6]
        .into_iter()
        .find(|&at| row.get(at).is_some_and(|field| truth(field).is_some()))?;
    let plausible = row.len() > success + 1
        && is_time(row.get(0)?)
        && !row.get(1)?.is_empty()
        && row.get(1)?.bytes().all(|b| b.is_ascii_digit());
    plausible.then_some(Layout {
        delimiter,
        header: false,
        columns: row.len(),
        time: Some(0),
        elapsed: 1,
        label: Some(2),
        success: Some(success),
    })
}

/// Milliseconds since the epoch, or a date in some format.
fn is_time(field: &str) -> bool {
    let digits = field.bytes().filter(u8::is_ascii_digit).count();
    match digits == field.len() {
        true => (12..=14).contains(&digits),
        false => digits >= 8 && field.len() <= 40 && field.contains(['/', '-', '.', ':']),
    }
}

fn truth(field: &str) -> Option<bool> {
    let field = field.trim();
    match (
        field.eq_ignore_ascii_case("true"),
        field.eq_ignore_ascii_case("false"),
    ) {
        (true, _) => Some(true),
        (_, true) => Some(false),
        _ => None,
    }
}

/// A sample's label, milliseconds, and whether it succeeded where the log says so.
type Sample<'a> = (&'a str, f64, Option<bool>);

impl Layout {
    /// The sample of a row; `None` where a header is repeated, as logs that were put together have it.
    fn sample<'a>(&self, row: &'a StringRecord) -> Result<Option<Sample<'a>>, &'static str> {
        let elapsed = row.get(self.elapsed).unwrap_or_default().trim();
        if elapsed == "elapsed" {
            return Ok(None);
        }
        if row.len() < self.columns {
            return Err("fewer columns than the first row: was it cut short?");
        }
        let elapsed = elapsed.parse().map_err(|_| "elapsed is no number")?;
        let success = match self.success.and_then(|at| row.get(at)) {
            Some(field) => Some(truth(field).ok_or("success is neither true nor false")?),
            None => None,
        };
        let label = self.label.and_then(|at| row.get(at)).unwrap_or_default();
        let label = if label.is_empty() { "(unnamed)" } else { label };
        Ok(Some((label, elapsed, success)))
    }
}

#[cfg(test)]
mod tests;
