//! Requests' times gathered by flow, those of failed requests apart, in the order in which flows first appear.

use std::collections::{BTreeMap, HashMap};

use crate::draft::{Draft, observation, samples};
use crate::error::ParseError;
use crate::report::Quality;
use crate::route::template;

/// What requests are told apart by.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Kind {
    /// The name under which the tool lists them.
    pub(crate) shown_as: String,
    /// The unit of work.
    pub(crate) flow: String,
    /// Dimensions that split series.
    pub(crate) labels: BTreeMap<String, String>,
    /// Whether they failed: fast failures must not improve a percentile.
    pub(crate) failed: bool,
}

/// Times by kind of request.
#[derive(Default)]
pub(crate) struct Requests {
    series: Vec<(Kind, Vec<f64>)>,
    at: HashMap<Kind, usize>,
}

impl Requests {
    pub(crate) fn add(&mut self, kind: Kind, time: f64) {
        if let Some((_, times)) = self.at.get(&kind).and_then(|&at| self.series.get_mut(at)) {
            times.push(time);
            return;
        }
        self.at.insert(kind.clone(), self.series.len());
        self.series.push((kind, vec![time]));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.series.is_empty()
    }

    /// Adds a series per kind of request; `quality` holds for all of them.
    pub(crate) fn finish(
        self,
        draft: &mut Draft,
        metric: &str,
        unit: &str,
        quality: &[Quality],
    ) -> Result<(), ParseError> {
        for (kind, times) in self.series {
            let count = times.len() as u64;
            let mut series = observation(&kind.flow, metric, unit, samples(times));
            series.shown_as = Some(kind.shown_as);
            series.labels = kind.labels;
            series.quality = quality.to_vec();
            if kind.failed {
                series.labels.insert("outcome".into(), "error".into());
                series.failed = count;
            }
            draft.add(series)?;
        }
        Ok(())
    }
}

/// A request's name as a flow: an address is cut to its route, any other name stays as it is.
pub(crate) fn flow(name: &str) -> String {
    if name.contains("://") || name.starts_with('/') {
        template(name)
    } else {
        name.to_owned()
    }
}
