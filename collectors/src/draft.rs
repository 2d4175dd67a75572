//! A report while it is written: every collector adds what it finds here, where limits and honesty rules are applied
//! once for all formats.

use std::collections::BTreeMap;

use crate::Format;
use crate::error::{ErrorKind, ParseError};
use crate::limits::{self, cut};
use crate::report::{Basis, Context, Observation, Payload, Report, Samples, Scalar, Skipped};
use crate::units;

/// A report under construction.
pub(crate) struct Draft {
    report: Report,
}

impl Draft {
    pub(crate) fn new(format: Format) -> Self {
        let report = Report {
            format,
            context: Context::default(),
            observations: Vec::new(),
            shown_only: Vec::new(),
            skipped: Vec::new(),
            skipped_more: 0,
            warnings: Vec::new(),
        };
        Draft { report }
    }

    /// What the file says of the run.
    pub(crate) fn context(&mut self) -> &mut Context {
        &mut self.report.context
    }

    /// Lists something that was not taken.
    pub(crate) fn skip(&mut self, name: impl Into<String>, reason: impl Into<String>) {
        if self.report.skipped.len() < limits::SKIPPED_LISTED {
            self.report.skipped.push(Skipped {
                name: cut(&name.into(), limits::NAME_BYTES),
                reason: cut(&reason.into(), limits::NAME_BYTES),
            });
        } else {
            self.report.skipped_more += 1;
        }
    }

    /// Says something of a file all of which was taken; only the first hundred are kept.
    pub(crate) fn warn(&mut self, warning: impl Into<String>) {
        if self.report.warnings.len() < limits::SKIPPED_LISTED {
            self.report
                .warnings
                .push(cut(&warning.into(), limits::NAME_BYTES));
        }
    }

    /// Adds a series' measurements. Values that are negative or no finite numbers are left out and counted; where
    /// nothing remains the series is listed as skipped.
    pub(crate) fn add(&mut self, observation: Observation) -> Result<(), ParseError> {
        self.add_one_of(limits::SERIES, "series", observation)
    }

    /// The same of a point of a history, of which a series has many.
    pub(crate) fn add_point(&mut self, observation: Observation) -> Result<(), ParseError> {
        self.add_one_of(limits::POINTS, "points", observation)
    }

    fn add_one_of(
        &mut self,
        limit: usize,
        what: &str,
        mut observation: Observation,
    ) -> Result<(), ParseError> {
        let dropped = match &mut observation.payload {
            Payload::Samples(samples) => drop_unusable(samples),
            Payload::Scalar(scalar) => u64::from(!usable(scalar.value)),
            Payload::Buckets(_) | Payload::Summary(_) => 0,
        };
        observation.dropped += dropped;
        if dropped > 0 {
            let name = format!("{} {}", observation.flow, observation.metric);
            self.skip(name, format!("{dropped} value(s) negative or not a number"));
        }
        let empty = match &observation.payload {
            Payload::Samples(samples) => samples.values.is_empty(),
            Payload::Scalar(_) => dropped > 0,
            Payload::Buckets(_) | Payload::Summary(_) => false,
        };
        if empty {
            if dropped == 0 {
                self.skip(observation.flow, "no values");
            }
            return Ok(());
        }
        if self.report.observations.len() == limit {
            let message = format!("the file holds more than {limit} {what}");
            return Err(ParseError::new(ErrorKind::TooLarge, message)
                .hint("is there an id in a name? send it in parts otherwise"));
        }
        within_limits(&mut observation)?;
        self.report.observations.push(observation);
        Ok(())
    }

    /// Adds what `longwatch parse` shows and nobody stores; what is beyond the limits is left out.
    pub(crate) fn show(&mut self, mut observation: Observation) {
        if self.report.shown_only.len() < limits::SERIES && within_limits(&mut observation).is_ok()
        {
            self.report.shown_only.push(observation);
        }
    }

    /// The finished report.
    pub(crate) fn finish(self) -> Report {
        self.report
    }
}

/// An observation with everything but its essentials at its usual value; the direction follows from unit and metric.
pub(crate) fn observation(flow: &str, metric: &str, unit: &str, payload: Payload) -> Observation {
    Observation {
        flow: flow.to_owned(),
        shown_as: None,
        metric: metric.to_owned(),
        unit: unit.to_owned(),
        direction: units::direction(unit, metric),
        basis: Basis::Op,
        labels: BTreeMap::new(),
        payload,
        failed: 0,
        dropped: 0,
        quality: Vec::new(),
        beacon: None,
        extra: serde_json::Map::new(),
        time_us: None,
    }
}

/// Values as a payload.
pub(crate) fn samples(values: Vec<f64>) -> Payload {
    Payload::Samples(Samples {
        values,
        iterations: None,
    })
}

/// One value as a payload.
pub(crate) fn scalar(value: f64) -> Payload {
    Payload::Scalar(Scalar { value })
}

fn usable(value: f64) -> bool {
    value.is_finite() && value >= 0.0
}

fn drop_unusable(samples: &mut Samples) -> u64 {
    let before = samples.values.len();
    if let Some(iterations) = &mut samples.iterations {
        let mut values = samples.values.iter();
        iterations.retain(|_| values.next().copied().is_some_and(usable));
    }
    samples.values.retain(|&value| usable(value));
    (before - samples.values.len()) as u64
}

fn within_limits(observation: &mut Observation) -> Result<(), ParseError> {
    if let Payload::Samples(samples) = &observation.payload
        && samples.values.len() > limits::SAMPLES
    {
        let message = format!(
            "{} has more than {} samples",
            cut(&observation.flow, 100),
            limits::SAMPLES
        );
        return Err(ParseError::new(ErrorKind::TooLarge, message)
            .hint("send a histogram, or several files"));
    }
    if observation.labels.len() > limits::LABELS {
        let message = format!(
            "{} has more than {} labels",
            cut(&observation.flow, 100),
            limits::LABELS
        );
        return Err(ParseError::new(ErrorKind::TooLarge, message));
    }
    for name in [
        &mut observation.flow,
        &mut observation.metric,
        &mut observation.unit,
    ] {
        *name = cut(name, limits::NAME_BYTES);
    }
    let too_long = observation
        .labels
        .iter()
        .any(|(k, v)| k.len() > limits::LABEL_KEY_BYTES || v.len() > limits::LABEL_VALUE_BYTES);
    if too_long {
        let labels = std::mem::take(&mut observation.labels);
        observation.labels = labels
            .iter()
            .map(|(k, v)| {
                (
                    cut(k, limits::LABEL_KEY_BYTES),
                    cut(v, limits::LABEL_VALUE_BYTES),
                )
            })
            .collect();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    fn of(values: Vec<f64>) -> Observation {
        observation("a", "time", "s", samples(values))
    }

    #[test]
    fn values_that_are_no_measurements_are_left_out_and_counted() {
        let mut draft = Draft::new(Format::Hyperfine);
        let mut with_iterations = of(vec![-0.1, 0.0, f64::NAN, 2.0, f64::INFINITY]);
        if let Payload::Samples(s) = &mut with_iterations.payload {
            s.iterations = Some(vec![1, 2, 3, 4, 5]);
        }
        draft.add(with_iterations).unwrap();
        draft.add(of(vec![-1.0])).unwrap();
        draft.add(of(vec![])).unwrap();
        let report = draft.finish();
        assert_eq!(report.observations.len(), 1);
        assert_eq!(report.observations[0].dropped, 3);
        let kept = Samples {
            values: vec![0.0, 2.0],
            iterations: Some(vec![2, 4]),
        };
        assert_eq!(report.observations[0].payload, Payload::Samples(kept));
        assert_eq!(report.skipped.len(), 3);
    }

    #[test]
    fn long_names_are_cut_and_too_many_series_refused() {
        let mut draft = Draft::new(Format::Hyperfine);
        let mut long = of(vec![1.0]);
        long.flow = "x".repeat(5_000);
        long.labels.insert("k".repeat(100), "v".repeat(1_000));
        draft.add(long).unwrap();
        for _ in 1..limits::SERIES {
            draft.add(of(vec![1.0])).unwrap();
        }
        assert_eq!(
            draft.add(of(vec![1.0])).unwrap_err().kind,
            ErrorKind::TooLarge
        );
        let first = &draft.finish().observations[0];
        assert_eq!(first.flow.len(), limits::NAME_BYTES);
        let (key, value) = first.labels.iter().next().unwrap();
        assert_eq!(
            (key.len(), value.len()),
            (limits::LABEL_KEY_BYTES, limits::LABEL_VALUE_BYTES)
        );
    }

    #[test]
    fn the_list_of_what_was_skipped_is_bounded() {
        let mut draft = Draft::new(Format::Hyperfine);
        (0..limits::SKIPPED_LISTED + 7).for_each(|i| draft.skip(i.to_string(), "why"));
        let report = draft.finish();
        assert_eq!(
            (report.skipped.len(), report.skipped_more),
            (limits::SKIPPED_LISTED, 7)
        );
    }
}
