//! The text that wrk and wrk2 print alike.

use std::collections::BTreeMap;

use crate::Format;
use crate::draft::{Draft, observation, scalar};
use crate::error::{ErrorKind, ParseError};
use crate::input::Input;
use crate::report::{Basis, Observation, Payload, Quality, Summary};
use crate::requests::flow;

/// Whether a text is what wrk or wrk2 prints: it says what it runs, then what the threads found.
pub(crate) fn begins(text: &str) -> bool {
    address(text).is_some()
        && text
            .lines()
            .any(|line| line.trim().starts_with("Thread Stats"))
}

/// Whether it is wrk2, which calibrates its threads and keeps an HdrHistogram.
pub(crate) fn is_wrk2(text: &str) -> bool {
    text.lines().map(str::trim).any(|line| {
        line.starts_with("Thread calibration:")
            || line.starts_with("Detailed Percentile spectrum:")
            || line.starts_with("Latency Distribution (HdrHistogram")
    })
}

/// What is tested, from `Running 30s test @ http://127.0.0.1:8080/`. A shell's words may stand before it.
fn address(text: &str) -> Option<&str> {
    let mut lines = text.lines().take(200).map(str::trim);
    let line = lines.find(|line| line.starts_with("Running ") && line.contains(" test @ "))?;
    line.split_once(" test @ ")
        .map(|(_, address)| address.trim())
}

/// What was read of it, times in milliseconds.
pub(crate) struct WrkText {
    address: String,
    labels: BTreeMap<String, String>,
    /// Under wrk's own names.
    reported: Vec<(String, f64)>,
    stdev_ms: Option<f64>,
    requests: u64,
    failed: u64,
    socket_errors: Option<String>,
    requests_per_second: f64,
}

impl WrkText {
    /// Reads the text; one that ends before its last lines, or in which nothing was answered, has no result.
    pub(crate) fn read(input: &Input) -> Result<Self, ParseError> {
        let mut text = WrkText {
            address: address(&input.text).unwrap_or_default().to_owned(),
            labels: BTreeMap::new(),
            reported: Vec::new(),
            stdev_ms: None,
            requests: 0,
            failed: 0,
            socket_errors: None,
            requests_per_second: f64::NAN,
        };
        let (mut whole, mut distributions) = (false, 0);
        for line in input.lines() {
            let line = line?.1.trim();
            distributions += usize::from(line.starts_with("Latency Distribution"));
            whole |= line.starts_with("Requests/sec:");
            // A second distribution is the one that wrk2 did not correct.
            if distributions < 2 || !is_percentile(line) {
                text.line(line);
            }
        }
        if !whole {
            let error = ParseError::new(ErrorKind::NoResult, "the text ends before its result");
            return Err(error.hint("was it cut short, or the test interrupted?"));
        }
        if text.requests == 0 || text.reported.is_empty() {
            let error = ParseError::new(ErrorKind::NoResult, "no result: nothing was answered");
            return Err(error.hint("is the server up where the test looks for it?"));
        }
        Ok(text)
    }

    fn line(&mut self, line: &str) {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            [threads, "threads", "and", connections, "connections", ..] => {
                self.labels.insert("threads".into(), (*threads).to_owned());
                self.labels
                    .insert("connections".into(), (*connections).to_owned());
            }
            ["Latency", average, stdev, max, ..] if self.reported.is_empty() => {
                let named = [("Avg", average), ("Stdev", stdev), ("Max", max)];
                let times = named
                    .into_iter()
                    .filter_map(|(name, t)| Some((name.to_owned(), milliseconds(t)?)));
                self.reported.extend(times);
                self.stdev_ms = milliseconds(stdev);
            }
            [percent, time] if is_percentile(line) => {
                self.reported
                    .extend(milliseconds(time).map(|t| ((*percent).to_owned(), t)));
            }
            [requests, "requests", "in", ..] => self.requests = requests.parse().unwrap_or(0),
            ["Non-2xx", "or", "3xx", "responses:", n] => self.failed = n.parse().unwrap_or(0),
            ["Socket", "errors:", ..] => self.socket_errors = Some(line.to_owned()),
            ["Requests/sec:", n] => self.requests_per_second = n.parse().unwrap_or(f64::NAN),
            _ => {}
        }
    }

    pub(crate) fn draft(&self, format: Format, tool: &str) -> Draft {
        let mut draft = Draft::new(format);
        draft.context().fingerprint.tool = Some(tool.to_owned());
        if let Some(errors) = &self.socket_errors {
            draft.warn(format!("requests without an answer have no time: {errors}"));
        }
        draft
    }

    /// Average, deviation, maximum and percentiles.
    pub(crate) fn summary(&self) -> Summary {
        let average = self.reported.iter().any(|(name, _)| name == "Avg");
        Summary {
            reported: self.reported.clone(),
            headline: average.then(|| "Avg".to_owned()),
            count: Some(self.requests),
            stddev: self.stdev_ms,
        }
    }

    /// The times of requests in milliseconds; `corrected` for the wait that a slow answer causes to the next.
    pub(crate) fn latency(&self, payload: Payload, corrected: bool) -> Observation {
        let basis = match payload {
            Payload::Summary(_) => Basis::ToolSummary,
            _ => Basis::Op,
        };
        let mut labels = self.labels.clone();
        labels.insert("co_corrected".into(), corrected.to_string());
        Observation {
            shown_as: Some(self.address.clone()),
            basis,
            labels,
            ..observation(&flow(&self.address), "latency", "ms", payload)
        }
    }

    /// Requests answered per second.
    pub(crate) fn per_second(&self) -> Observation {
        Observation {
            shown_as: Some(self.address.clone()),
            basis: Basis::Run,
            labels: self.labels.clone(),
            ..observation(
                &flow(&self.address),
                "requests_per_second",
                "1/s",
                scalar(self.requests_per_second),
            )
        }
    }

    /// Says of times that those of failed requests are among them, if any are.
    pub(crate) fn add_failures(&self, latency: &mut Observation) {
        latency.failed = self.failed;
        if self.failed > 0 {
            latency.quality.push(Quality::FailuresIncluded);
        }
    }
}

/// `99%   10.22ms`, `99.900%    9.36ms`.
fn is_percentile(line: &str) -> bool {
    let mut words = line.split_whitespace();
    let percent = words
        .next()
        .and_then(|w| w.strip_suffix('%'))
        .is_some_and(|p| p.parse::<f64>().is_ok());
    percent
        && words
            .next()
            .is_some_and(|time| milliseconds(time).is_some())
        && words.next().is_none()
}

/// A time as wrk prints it: `us`, `ms`, `s`, `m` for minutes, `h`.
fn milliseconds(text: &str) -> Option<f64> {
    let digits = text
        .find(|c: char| !(c.is_ascii_digit() || c == '.'))
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: f64 = number.parse().ok()?;
    Some(match unit {
        "us" => number / 1_000.0,
        "ms" => number,
        "s" => number * 1_000.0,
        "m" => number * 60_000.0,
        "h" => number * 3_600_000.0,
        _ => return None,
    })
}
