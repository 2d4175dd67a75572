//! One measurement of our own format: what it is of, and exactly one of `values`, `value`, `histogram`, `buckets`, `summary`.

use serde_json::Value;

use super::document::{Document, Values};
use crate::ParseOptions;
use crate::draft::{observation, scalar};
use crate::histogram::Histogram;
use crate::json;
use crate::report::{Basis, Buckets, Observation, Payload, Samples, Summary};
use crate::{time, units};

/// Reads a measurement, or says in words why it is none.
pub(super) fn read(record: &Document, options: &ParseOptions) -> Result<Observation, String> {
    let value = &record.fields;
    let named = |key: &str| json::string(value, key).filter(|text| !text.trim().is_empty());
    let flow = named("flow").ok_or("it names no flow")?;
    let metric = named("metric").ok_or("it names no metric")?;
    let unit = match named("unit").or(options.unit.as_deref()) {
        Some(unit) => unit,
        None if is_vital(metric) => "",
        None => return Err("it has no unit (ns, us, ms, s, B, 1, 1/s …)".into()),
    };
    let (payload, usual) = payload(record)?;
    let mut observation = observation(flow, metric, unit, payload);
    observation.basis = read_or(
        value,
        "basis",
        usual,
        "none of op, batch_mean, tool_summary, run, count",
    )?;
    observation.direction = read_or(
        value,
        "direction",
        observation.direction,
        "none of lower, higher, unknown",
    )?;
    observation.failed = read_or(value, "failed", 0, "no count")?;
    observation.labels = read_or(value, "labels", Value::Null, "unreadable")
        .and_then(|labels| read_labels(&labels))?;
    if let Some(at) = value.get("time").filter(|t| !t.is_null()) {
        let us = at.as_str().and_then(time::microseconds);
        observation.time_us = Some(us.ok_or("its time is no RFC 3339 time with a zone")?);
    }
    Ok(observation)
}

fn is_vital(metric: &str) -> bool {
    ["lcp", "fcp", "ttfb", "inp", "fid", "cls"].contains(&metric.to_lowercase().as_str())
}

fn read_or<T: serde::de::DeserializeOwned>(
    value: &Value,
    key: &str,
    usual: T,
    what_it_is_not: &str,
) -> Result<T, String> {
    match value.get(key).filter(|v| !v.is_null()) {
        None => Ok(usual),
        Some(given) => serde_json::from_value(given.clone())
            .map_err(|_| format!("its {key} is {what_it_is_not}")),
    }
}

fn read_labels(labels: &Value) -> Result<std::collections::BTreeMap<String, String>, String> {
    match labels {
        Value::Null => Ok(Default::default()),
        Value::Object(labels) => {
            let plain = |v: &Value| v.is_string() || v.is_number() || v.is_boolean();
            let pairs = labels.iter().map(|(key, v)| {
                plain(v)
                    .then(|| (key.clone(), json::label(v)))
                    .ok_or_else(|| format!("its label {key} is no text"))
            });
            pairs.collect()
        }
        _ => Err("its labels are no object".into()),
    }
}

/// The payload with the basis that it usually has.
fn payload(record: &Document) -> Result<(Payload, Basis), String> {
    let kinds = ["value", "histogram", "buckets", "summary"];
    let mut given = kinds
        .iter()
        .filter_map(|kind| Some((*kind, record.fields.get(kind).filter(|v| !v.is_null())?)));
    match (&record.values, given.next(), given.next()) {
        (Some(values), None, None) => Ok((Payload::Samples(samples(record, values)?), Basis::Op)),
        (None, Some(("value", body)), None) => Ok((
            scalar(body.as_f64().ok_or("its value is no number")?),
            Basis::Run,
        )),
        (None, Some(("histogram", body)), None) => Ok((histogram(body)?, Basis::Op)),
        (None, Some(("buckets", body)), None) => Ok((buckets(body)?, Basis::Op)),
        (None, Some((_, body)), None) => Ok((summary(body)?, Basis::ToolSummary)),
        _ => Err(format!(
            "it needs exactly one of values, {}",
            kinds.join(", ")
        )),
    }
}

fn samples(record: &Document, values: &Values) -> Result<Samples, String> {
    let Values::Numbers(values) = values else {
        return Err("its values are no list of numbers".into());
    };
    let iterations =
        read_or::<Option<Vec<u64>>>(&record.fields, "iterations", None, "no list of counts")?;
    if iterations.as_ref().is_some_and(|n| n.len() != values.len()) {
        return Err("it has another number of iterations than of values".into());
    }
    Ok(Samples {
        values: values.clone(),
        iterations,
    })
}

fn histogram(body: &Value) -> Result<Payload, String> {
    let text = body.as_str().ok_or("its histogram is no base64 text")?;
    let decoded = Histogram::decode_base64(text).map_err(|error| error.to_string())?;
    if decoded.histogram.is_empty() {
        return Err("its histogram holds no values".into());
    }
    Ok(Payload::Buckets(Buckets::Hdr {
        histogram: decoded.histogram,
        unit_ratio: decoded.unit_ratio,
        significant_digits: decoded.significant_digits,
    }))
}

fn buckets(body: &Value) -> Result<Payload, String> {
    let bounds = json::array(body, "bounds")
        .and_then(|list| json::numbers(list))
        .ok_or("its buckets have no list of bounds")?;
    let counts = json::array(body, "counts")
        .and_then(|list| list.iter().map(Value::as_u64).collect::<Option<Vec<u64>>>());
    let counts = counts.ok_or("its buckets have no list of counts")?;
    if counts.len() != bounds.len() + 1 {
        return Err(format!(
            "its buckets have {} bounds and {} counts: one more count than bounds is needed",
            bounds.len(),
            counts.len()
        ));
    }
    if bounds.windows(2).any(|pair| pair[0] >= pair[1]) || bounds.first().is_some_and(|&b| b < 0.0)
    {
        return Err("its bounds do not rise from 0".into());
    }
    let total = counts.iter().try_fold(0u64, |sum, &n| sum.checked_add(n));
    match total {
        None => Err("its counts pass 2^64".into()),
        Some(0) => Err("its buckets hold no values".into()),
        Some(_) => Ok(Payload::Buckets(Buckets::Explicit {
            bounds,
            counts,
            sum: json::number(body, "sum"),
        })),
    }
}

fn summary(body: &Value) -> Result<Payload, String> {
    let mut reported = json::reported(body, &[]);
    let count = body.get("count").and_then(Value::as_u64);
    let named = json::string(body, "headline").map(str::to_owned);
    let usual = ["median", "p50", "mean"].into_iter().map(str::to_owned);
    let headline = named
        .into_iter()
        .chain(usual)
        .find(|name| reported.iter().any(|(known, _)| known == name));
    let headline =
        headline.ok_or("its summary has no mean, median or p50, and names no headline")?;
    reported.retain(|(name, _)| name != "headline");
    Ok(Payload::Summary(Summary {
        headline: Some(headline),
        count,
        stddev: json::number(body, "stddev"),
        reported,
    }))
}

/// Whether a unit is one that needs no guessing; others are kept as unitless, which the sender should know.
pub(super) fn is_guessed(unit: &str) -> bool {
    !unit.is_empty() && !units::is_known(unit)
}
