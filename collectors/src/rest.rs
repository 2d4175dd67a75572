//! Payloads in base integers: what is stored of an observation, in its own nature still.

use crate::histogram::{Histogram, HistogramError};
use crate::report::{Buckets, Observation, Payload, Source, Summary};
use crate::units::{self, Dimension, Unit};

/// A payload in base units.
#[derive(Debug, Clone, PartialEq)]
pub enum AtRest {
    /// Values or HDR buckets; `out_of_range` values had no place in it (negative or too large) and are counted apart.
    Histogram {
        /// In base integers.
        histogram: Histogram,
        /// How many values were left out.
        out_of_range: u64,
    },
    /// Bucket `i` holds values in `(bounds[i-1], bounds[i]]`; `counts` has one more entry than `bounds`.
    Explicit {
        /// Ascending, in base units.
        bounds: Vec<f64>,
        /// Per bucket.
        counts: Vec<u64>,
        /// Of the values, in base units, where the tool gave it.
        sum: Option<f64>,
    },
    /// Statistics that the tool printed.
    Summary {
        /// The headline value in base units.
        headline: Option<f64>,
        /// Standard deviation in base units.
        stddev: Option<f64>,
        /// How many operations it rests on.
        count: Option<u64>,
    },
    /// One value.
    Scalar(u64),
}

/// Converts an observation's payload to base units, once, as `source` demands; the dimension belongs to the series' identity.
///
/// A percentile spectrum becomes explicit buckets, since it states each bucket's upper edge. A scalar out of range gives
/// an empty histogram that counts it. Fails only where the counts of an HDR payload overflow when they are rescaled.
pub fn at_rest(
    observation: &Observation,
    source: Source,
) -> Result<(Dimension, AtRest), HistogramError> {
    let unit = units::unit(&observation.unit, &observation.metric, source);
    let rest = match &observation.payload {
        Payload::Samples(samples) => of_values(&samples.values, unit)?,
        Payload::Scalar(scalar) => match unit.to_base(scalar.value) {
            Ok(value) => AtRest::Scalar(value),
            Err(_) => AtRest::Histogram {
                histogram: Histogram::new(),
                out_of_range: 1,
            },
        },
        Payload::Summary(summary) => of_summary(summary, unit),
        Payload::Buckets(Buckets::Hdr {
            histogram,
            unit_ratio,
            ..
        }) => rescaled(histogram, *unit_ratio, unit)?,
        Payload::Buckets(Buckets::Explicit {
            bounds,
            counts,
            sum,
        }) => AtRest::Explicit {
            bounds: bounds.iter().map(|&b| unit.to_base_exactly(b)).collect(),
            counts: counts.clone(),
            sum: sum.map(|s| unit.to_base_exactly(s)),
        },
        Payload::Buckets(Buckets::Spectrum { rows, .. }) => AtRest::Explicit {
            bounds: rows
                .iter()
                .map(|&(edge, _)| unit.to_base_exactly(edge))
                .collect(),
            counts: rows.iter().map(|&(_, n)| n).chain([0]).collect(),
            sum: None,
        },
    };
    Ok((unit.dimension, rest))
}

fn of_values(values: &[f64], unit: Unit) -> Result<AtRest, HistogramError> {
    let histogram = Histogram::from_values(values.iter().filter_map(|&v| unit.to_base(v).ok()))?;
    let out_of_range = values.len() as u64 - histogram.count();
    Ok(AtRest::Histogram {
        histogram,
        out_of_range,
    })
}

fn of_summary(summary: &Summary, unit: Unit) -> AtRest {
    AtRest::Summary {
        headline: summary.headline_value().map(|v| unit.to_base_exactly(v)),
        stddev: summary.stddev.map(|v| unit.to_base_exactly(v)),
        count: summary.count,
    }
}

/// Each bucket's values move to the scaled middle of the bucket, which costs at most half a bucket's width: 0.05 %.
fn rescaled(histogram: &Histogram, ratio: f64, unit: Unit) -> Result<AtRest, HistogramError> {
    if ratio == 1.0 && unit.to_base_exactly(1.0) == 1.0 {
        return Ok(AtRest::Histogram {
            histogram: histogram.clone(),
            out_of_range: 0,
        });
    }
    let mut scaled = Histogram::new();
    let mut out_of_range: u64 = 0;
    for (lower, upper, n) in histogram.buckets() {
        match unit.to_base((lower as f64 + upper as f64) / 2.0 * ratio) {
            Ok(value) => scaled.record_n(value, n)?,
            Err(_) => out_of_range = out_of_range.saturating_add(n),
        }
    }
    Ok(AtRest::Histogram {
        histogram: scaled,
        out_of_range,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;
    use crate::draft::{observation, samples, scalar};

    fn rest(unit: &str, payload: Payload) -> AtRest {
        at_rest(&observation("f", "latency", unit, payload), Source::Load)
            .unwrap()
            .1
    }

    #[test]
    fn values_become_base_integers_and_those_without_a_place_are_counted() {
        let AtRest::Histogram {
            histogram,
            out_of_range,
        } = rest("us", samples(vec![1.0, 1.5, -2.0, 1e18]))
        else {
            panic!()
        };
        assert_eq!(histogram, Histogram::from_values([1_000, 1_500]).unwrap());
        assert_eq!(out_of_range, 2);
        assert_eq!(rest("s", scalar(0.25)), AtRest::Scalar(250_000_000));
    }

    #[test]
    fn a_payload_in_other_units_keeps_its_counts_and_its_quantiles() {
        let micros = Histogram::from_values((1..=10_000).map(|v| v * 3)).unwrap();
        let payload = Payload::Buckets(Buckets::Hdr {
            histogram: micros.clone(),
            unit_ratio: 1.0,
            significant_digits: 3,
        });
        let AtRest::Histogram { histogram, .. } = rest("us", payload.clone()) else {
            panic!()
        };
        assert_eq!(histogram.count(), 10_000);
        for q in [0.01, 0.5, 0.99] {
            let exact = (q * 10_000.0) * 3.0 * 1_000.0;
            assert!(
                (histogram.quantile(q).unwrap() / exact - 1.0).abs() < 0.001,
                "{q}"
            );
        }
        assert_eq!(
            rest("ns", payload),
            AtRest::Histogram {
                histogram: micros,
                out_of_range: 0
            }
        );
    }

    #[test]
    fn a_spectrum_becomes_buckets_with_the_edges_that_it_states() {
        let rows = vec![(10.0, 4), (20.0, 1)];
        let payload = Payload::Buckets(Buckets::Spectrum {
            rows,
            reported: Default::default(),
        });
        assert_eq!(
            rest("ms", payload),
            AtRest::Explicit {
                bounds: vec![1e7, 2e7],
                counts: vec![4, 1, 0],
                sum: None
            }
        );
    }
}
