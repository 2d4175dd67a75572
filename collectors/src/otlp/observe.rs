//! Points made observations.

use super::exponential;
use super::message::{
    ExponentialPoint, HistogramPoint, KeyValue, Metric, Number, NumberPoint, Plain, Points,
    Request, Resource, SummaryPoint,
};
use crate::draft::{Draft, observation};
use crate::error::ParseError;
use crate::report::{Basis, Buckets, Observation, Payload, Summary};
use crate::telemetry;

/// The bit of a point's flags that says that nothing was recorded.
const NO_RECORDED_VALUE: u32 = 1;

/// Adds all points of all requests.
pub(super) fn all(draft: &mut Draft, requests: &[Request]) -> Result<(), ParseError> {
    let resources = || requests.iter().flat_map(|r| &r.resource_metrics);
    let mut releases = resources().map(|r| attribute(r.resource.as_ref(), "service.version"));
    let release = releases.next().flatten();
    let one_release = releases.all(|other| other == release);
    if one_release {
        draft.context().release = release;
    } else {
        draft.warn("the file holds several releases: no one of them is taken for its release");
    }
    for metrics in resources() {
        let resource = metrics.resource.as_ref();
        let commit = attribute(resource, "vcs.ref.head.revision");
        let known = draft.context();
        if one_release && known.commit.is_none() {
            known.commit = commit;
        }
        let of = Of {
            service: attribute(resource, "service.name")
                .filter(|name| !name.starts_with("unknown_service")),
            release: attribute(resource, "service.version").filter(|_| !one_release),
        };
        for metric in metrics.scope_metrics.iter().flat_map(|s| &s.metrics) {
            of.metric(draft, metric)?;
        }
    }
    Ok(())
}

fn attribute(resource: Option<&Resource>, key: &str) -> Option<String> {
    let found = resource?.attributes.iter().find(|a| a.key == key)?;
    text(found).filter(|text| !text.is_empty())
}

/// A plain value as a label's text.
fn text(attribute: &KeyValue) -> Option<String> {
    Some(match attribute.value.as_ref()?.value.as_ref()? {
        Plain::String(text) => text.clone(),
        Plain::Bool(true) => "True".into(),
        Plain::Bool(false) => "False".into(),
        Plain::Int(n) => n.to_string(),
        Plain::Double(f) => f.to_string(),
    })
}

/// Whose metrics they are.
struct Of {
    service: Option<String>,
    /// Where the file holds several releases.
    release: Option<String>,
}

/// What all sorts of points have.
struct Common<'a> {
    attributes: &'a [KeyValue],
    start: u64,
    time: u64,
    flags: u32,
    temporality: i32,
    otlp_type: &'static str,
}

macro_rules! common {
    ($point:expr, $temporality:expr, $otlp_type:literal) => {
        Common {
            attributes: &$point.attributes,
            start: $point.start_time_unix_nano,
            time: $point.time_unix_nano,
            flags: $point.flags,
            temporality: $temporality,
            otlp_type: $otlp_type,
        }
    };
}

impl Of {
    fn metric(&self, draft: &mut Draft, metric: &Metric) -> Result<(), ParseError> {
        match &metric.points {
            None => draft.skip(&metric.name, "no points of a kind that we know"),
            Some(Points::Gauge(gauge)) => {
                for point in &gauge.data_points {
                    let common = common!(point, 0, "gauge");
                    self.add(draft, metric, &common, number(metric, point, "gauge"))?;
                }
            }
            Some(Points::Sum(sum)) => {
                for point in &sum.data_points {
                    let common = common!(point, sum.aggregation_temporality, "sum");
                    let mut found = number(metric, point, "sum");
                    if let Ok(found) = &mut found {
                        found
                            .extra
                            .insert("monotonic".into(), sum.is_monotonic.into());
                    }
                    self.add(draft, metric, &common, found)?;
                }
            }
            Some(Points::Histogram(histograms)) => {
                for point in &histograms.data_points {
                    let temporality = histograms.aggregation_temporality;
                    let common = common!(point, temporality, "histogram");
                    self.add(draft, metric, &common, histogram(metric, point))?;
                }
            }
            Some(Points::ExponentialHistogram(histograms)) => {
                for point in &histograms.data_points {
                    let temporality = histograms.aggregation_temporality;
                    let common = common!(point, temporality, "exponentialHistogram");
                    self.add(draft, metric, &common, exponential(metric, point))?;
                }
            }
            Some(Points::Summary(summaries)) => {
                for point in &summaries.data_points {
                    let common = common!(point, 2, "summary");
                    self.add(draft, metric, &common, Ok(summary(metric, point)))?;
                }
            }
        }
        Ok(())
    }

    fn add(
        &self,
        draft: &mut Draft,
        metric: &Metric,
        common: &Common,
        found: Result<Observation, &'static str>,
    ) -> Result<(), ParseError> {
        if common.flags & NO_RECORDED_VALUE != 0 {
            draft.skip(&metric.name, "no value was recorded");
            return Ok(());
        }
        let mut found = match found {
            Ok(found) => found,
            Err(reason) => {
                draft.skip(&metric.name, reason);
                return Ok(());
            }
        };
        let labels = common.attributes.iter();
        found.labels = labels
            .filter_map(|a| Some((a.key.clone(), text(a)?)))
            .collect();
        telemetry::name_work(&mut found);
        telemetry::mark_failure(&mut found);
        if let Some(service) = &self.service {
            found.labels.insert("service.name".into(), service.clone());
        }
        let temporality = match common.temporality {
            1 => Some("delta"),
            2 => Some("cumulative"),
            _ => None,
        };
        let extra = &mut found.extra;
        extra.insert("otlp_type".into(), common.otlp_type.into());
        extra.insert("temporality".into(), temporality.into());
        if common.start > 0 {
            extra.insert("start_time_us".into(), (common.start / 1_000).into());
        }
        if let Some(release) = &self.release {
            extra.insert("release".into(), release.clone().into());
        }
        found.time_us = i64::try_from(common.time / 1_000).ok().filter(|t| *t > 0);
        draft.add(found)
    }
}

fn number(metric: &Metric, point: &NumberPoint, kind: &str) -> Result<Observation, &'static str> {
    let value = match point.value {
        Some(Number::AsDouble(value)) => value,
        Some(Number::AsInt(value)) => value as f64,
        None => return Err("a point without a value"),
    };
    let reported = vec![("value".to_owned(), value)];
    Ok(telemetry::one_value(
        &metric.name,
        &metric.unit,
        kind,
        value,
        reported,
    ))
}

fn histogram(metric: &Metric, point: &HistogramPoint) -> Result<Observation, &'static str> {
    let bounds = point.explicit_bounds.clone();
    let counts = match &point.bucket_counts[..] {
        // Count and sum alone: one bucket that holds all.
        [] if bounds.is_empty() => vec![point.count],
        counts => counts.to_vec(),
    };
    if counts.len() != bounds.len() + 1 {
        return Err("the counts are not one more than the bounds");
    }
    if !bounds.iter().all(|b| b.is_finite()) || !bounds.is_sorted_by(|a, b| a < b) {
        return Err("the bounds do not ascend");
    }
    bucketed(
        metric,
        (bounds, counts),
        point.count,
        point.sum,
        [point.min, point.max],
    )
}

fn exponential(metric: &Metric, point: &ExponentialPoint) -> Result<Observation, &'static str> {
    let buckets = exponential::explicit(point)?;
    let range = [point.min, point.max];
    let mut found = bucketed(metric, buckets, point.count, point.sum, range)?;
    found.extra.insert("scale".into(), point.scale.into());
    Ok(found)
}

fn bucketed(
    metric: &Metric,
    (bounds, counts): (Vec<f64>, Vec<u64>),
    count: u64,
    sum: Option<f64>,
    range: [Option<f64>; 2],
) -> Result<Observation, &'static str> {
    let all = counts.iter().try_fold(0_u64, |all, n| all.checked_add(*n));
    if all != Some(count) {
        return Err("the buckets do not add up to the count");
    }
    let sum = sum.filter(|sum| sum.is_finite());
    let payload = Payload::Buckets(Buckets::Explicit {
        bounds,
        counts,
        sum,
    });
    let mut found = observation(&metric.name, &metric.name, &metric.unit, payload);
    for (name, value) in ["min", "max"].into_iter().zip(range) {
        if let Some(value) = value {
            found.extra.insert(name.into(), telemetry::printed(value));
        }
    }
    Ok(found)
}

fn summary(metric: &Metric, point: &SummaryPoint) -> Observation {
    let quantiles = point.quantile_values.iter();
    let mut reported: Vec<(String, f64)> = quantiles
        .map(|q| (format!("quantile={}", q.quantile), q.value))
        .collect();
    let median = reported
        .iter()
        .find(|(name, v)| name == "quantile=0.5" && v.is_finite());
    let headline = median.map(|(name, _)| name.clone());
    reported.push(("count".into(), point.count as f64));
    reported.push(("sum".into(), point.sum));
    let payload = Payload::Summary(Summary {
        reported,
        headline,
        count: Some(point.count),
        stddev: None,
    });
    Observation {
        basis: Basis::ToolSummary,
        ..observation(&metric.name, &metric.name, &metric.unit, payload)
    }
}
