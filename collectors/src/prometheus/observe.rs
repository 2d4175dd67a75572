//! Families made observations: one for each set of labels and time.

use std::collections::{BTreeMap, HashMap};

use super::family::{Family, Kind};
use crate::draft::{Draft, observation};
use crate::error::ParseError;
use crate::report::{Basis, Buckets, Observation, Payload, Summary};
use crate::telemetry;

type Labels = BTreeMap<String, String>;

/// The values of one series at one time.
#[derive(Default)]
struct Point {
    labels: Labels,
    timestamp: Option<f64>,
    /// `(upper edge, how many values lie at or below it)`.
    buckets: Vec<(f64, f64)>,
    sum: Option<f64>,
    count: Option<f64>,
    created: Option<f64>,
    /// All values that are no buckets, under the names that a person knows.
    reported: Vec<(String, f64)>,
    /// The value of what has only one.
    value: Option<f64>,
}

/// Adds all families. `time_unit_us` is the timestamps' unit in microseconds.
pub(super) fn all(
    draft: &mut Draft,
    families: &[Family],
    time_unit_us: f64,
) -> Result<(), ParseError> {
    let created = created_gauges(families);
    for family in families {
        // When a series began is no measurement, and no two processes began at one time.
        let began = family.name.strip_suffix("_created");
        let is_a_beginning = family.kind == Kind::Gauge
            && began.is_some_and(|name| families.iter().any(|other| other.name == name));
        for point in points(family) {
            let began = point.created.or_else(|| {
                let key = (family.name.as_str(), point.labels.clone());
                created.get(&key).copied()
            });
            let time_us = point.timestamp.map(|t| (t * time_unit_us) as i64);
            let mut found = match observe(family, point) {
                Ok(found) => found,
                Err(reason) => {
                    draft.skip(&family.name, reason);
                    continue;
                }
            };
            if matches!(family.kind, Kind::Counter | Kind::Histogram | Kind::Summary) {
                found
                    .extra
                    .insert("temporality".into(), "cumulative".into());
                if let Some(seconds) = began.filter(|s| s.is_finite()) {
                    let us = (seconds * 1e6) as i64;
                    found.extra.insert("start_time_us".into(), us.into());
                }
            }
            found.time_us = time_us;
            telemetry::name_work(&mut found);
            telemetry::mark_failure(&mut found);
            if is_a_beginning {
                draft.show(found);
            } else {
                draft.add(found)?;
            }
        }
    }
    Ok(())
}

/// Beside its series, the text format writes when they began as gauges with names of their own.
fn created_gauges(families: &[Family]) -> HashMap<(&str, Labels), f64> {
    let gauges = families.iter().filter(|f| f.kind == Kind::Gauge);
    gauges
        .filter_map(|family| Some((family.name.strip_suffix("_created")?, family)))
        .flat_map(|(name, family)| {
            let began = family.samples.iter();
            began.map(move |(_, s)| ((name, s.labels.iter().cloned().collect()), s.value))
        })
        .collect()
}

fn points(family: &Family) -> Vec<Point> {
    let mut points: Vec<Point> = Vec::new();
    let mut at: HashMap<(Labels, Option<u64>), usize> = HashMap::new();
    for (_, sample) in &family.samples {
        let suffix = family.suffix(sample);
        let inner = family
            .kind
            .inner_label()
            .filter(|_| matches!(suffix, "" | "_bucket"));
        let mut labels: Labels = sample.labels.iter().cloned().collect();
        let inner = inner.and_then(|label| labels.remove(label));
        let key = (labels, sample.timestamp.map(f64::to_bits));
        let place = *at.entry(key.clone()).or_insert(points.len());
        if place == points.len() {
            points.push(Point {
                labels: key.0,
                timestamp: sample.timestamp,
                ..Point::default()
            });
        }
        let Some(point) = points.get_mut(place) else {
            continue;
        };
        match (suffix, inner) {
            ("_bucket", Some(edge)) => {
                point
                    .buckets
                    .push((edge.parse().unwrap_or(f64::NAN), sample.value));
                continue;
            }
            ("_sum" | "_gsum", _) => point.sum = Some(sample.value),
            ("_count" | "_gcount", _) => point.count = Some(sample.value),
            ("_created", _) => point.created = Some(sample.value),
            ("", Some(quantile)) => {
                let name = format!("quantile={quantile}");
                point.reported.push((name, sample.value));
                continue;
            }
            _ => point.value = Some(sample.value),
        }
        point.reported.push((sample.name.clone(), sample.value));
    }
    points
}

fn observe(family: &Family, mut point: Point) -> Result<Observation, String> {
    let name = family.name.as_str();
    let labels = std::mem::take(&mut point.labels);
    let found = match family.kind {
        Kind::Histogram | Kind::GaugeHistogram => {
            let mut found = observation(name, name, "", Payload::Buckets(per_bucket(&point)?));
            if family.kind == Kind::GaugeHistogram {
                let reported = point.reported.into_iter();
                let reported: serde_json::Map<_, _> =
                    reported.map(|(k, v)| (k, telemetry::printed(v))).collect();
                found.extra.insert("kind".into(), "gaugehistogram".into());
                found.extra.insert("reported".into(), reported.into());
            }
            found
        }
        Kind::Summary => {
            let median = point
                .reported
                .iter()
                .find(|(name, v)| name == "quantile=0.5" && v.is_finite());
            let payload = Payload::Summary(Summary {
                headline: median.map(|(name, _)| name.clone()),
                count: point.count.and_then(whole),
                stddev: None,
                reported: point.reported,
            });
            Observation {
                basis: Basis::ToolSummary,
                ..observation(name, name, "", payload)
            }
        }
        kind => {
            let value = point.value.ok_or("it has no value")?;
            let word = match kind {
                Kind::Counter => "counter",
                Kind::Gauge => "gauge",
                Kind::Unknown => "unknown",
                _ => "scalar",
            };
            telemetry::one_value(name, "", word, value, point.reported)
        }
    };
    Ok(Observation { labels, ..found })
}

/// Counts per bucket out of those at or below each edge. Errs with the reason where they are none.
fn per_bucket(point: &Point) -> Result<Buckets, &'static str> {
    let Some(&(f64::INFINITY, all)) = point.buckets.last() else {
        return Err("the histogram does not end with a bucket +Inf");
    };
    if point.count.is_some_and(|count| count != all) {
        return Err("the bucket +Inf is not the count");
    }
    let (mut bounds, mut counts) = (Vec::new(), Vec::new());
    let mut below = 0;
    for &(edge, upto) in &point.buckets {
        let upto = whole(upto).ok_or("a bucket's count is no whole number")?;
        if edge.is_nan() || bounds.last().is_some_and(|&last| edge <= last) {
            return Err("the edges of the buckets do not ascend");
        }
        if edge == f64::NEG_INFINITY {
            continue;
        }
        counts.push(upto.checked_sub(below).ok_or("the buckets' counts fall")?);
        below = upto;
        if edge.is_finite() {
            bounds.push(edge);
        }
    }
    if counts.len() != bounds.len() + 1 {
        return Err("two buckets have no upper edge");
    }
    Ok(Buckets::Explicit {
        bounds,
        counts,
        sum: point.sum.filter(|sum| sum.is_finite()),
    })
}

/// A count that a float holds exactly.
fn whole(value: f64) -> Option<u64> {
    let exact = value.fract() == 0.0 && (0.0..=9_007_199_254_740_992.0).contains(&value);
    exact.then_some(value as u64)
}
