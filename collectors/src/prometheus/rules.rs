//! What OpenMetrics demands of values beyond their grammar: labels and ranges by type, grouping, time and buckets.

use std::collections::HashSet;

use super::family::{Family, Kind, invalid};
use super::line::Sample;
use crate::error::ParseError;

type Labels = Vec<(String, String)>;

/// The groups of values (one per set of labels) that a family has had so far.
#[derive(Default)]
pub(super) struct Groups {
    seen: HashSet<Labels>,
    current: Option<Labels>,
    timestamp: Option<f64>,
    /// The values of the current group at its current time.
    values: HashSet<(String, Labels)>,
}

/// A sample's labels without those that tell values of one group apart, sorted.
fn group(family: &Family, sample: &Sample) -> Labels {
    let inner = match family.kind {
        Kind::Info => return Vec::new(),
        Kind::StateSet => Some(family.name.as_str()),
        kind => kind.inner_label(),
    };
    let own = matches!(family.suffix(sample), "" | "_bucket");
    let mut labels = sample.labels.clone();
    labels.retain(|(name, _)| !(own && Some(name.as_str()) == inner));
    labels.sort_unstable();
    labels
}

/// Whether a value is one of its own; a repetition within the same instant is none. Errs where a rule is broken.
pub(super) fn sample(
    family: &Family,
    groups: &mut Groups,
    sample: &Sample,
) -> Result<bool, String> {
    labels_of_type(family, sample)?;
    range(family, sample)?;
    let suffix = family.suffix(sample);
    let may_have_exemplar = match family.kind {
        Kind::Histogram | Kind::GaugeHistogram => suffix == "_bucket",
        Kind::Counter => suffix == "_total",
        _ => false,
    };
    if sample.exemplar && !may_have_exemplar {
        return Err("only buckets and totals of counters have exemplars".into());
    }
    let group = group(family, sample);
    let mut labels = sample.labels.clone();
    labels.sort_unstable();
    let value = (sample.name.clone(), labels);
    if groups.current.as_ref() != Some(&group) {
        if groups.seen.contains(&group) {
            return Err("values of one set of labels do not stand together".into());
        }
        groups.values.clear();
        groups.seen.insert(group.clone());
        groups.current = Some(group);
    } else {
        match (groups.timestamp, sample.timestamp) {
            (Some(before), Some(now)) if before > now && family.kind != Kind::Info => {
                return Err("the time goes backwards".into());
            }
            (Some(before), Some(now)) if before != now => groups.values.clear(),
            (None, Some(_)) | (Some(_), None) => {
                return Err("only some values of one set of labels have a timestamp".into());
            }
            (None, None) if groups.values.contains(&value) => {
                return Err("the same value stands there twice".into());
            }
            _ => {}
        }
    }
    groups.timestamp = sample.timestamp;
    Ok(groups.values.insert(value))
}

fn labels_of_type(family: &Family, sample: &Sample) -> Result<(), String> {
    let number = |label| {
        sample
            .label(label)
            .and_then(|text| text.parse::<f64>().ok())
    };
    match (family.kind, family.suffix(sample)) {
        (Kind::StateSet, _) if sample.label(&family.name).is_none() => {
            Err(format!("a state without the label {}", family.name))
        }
        (Kind::Histogram | Kind::GaugeHistogram, "_bucket") => match number("le") {
            Some(edge) if edge.is_nan() => Err("the label le is no number".into()),
            Some(f64::INFINITY) if sample.label("le") != Some("+Inf") => {
                Err("infinity is written +Inf".into())
            }
            Some(_) => Ok(()),
            None => Err("a bucket without a number as its label le".into()),
        },
        (Kind::Summary, "") => match number("quantile") {
            Some(quantile) if (0.0..=1.0).contains(&quantile) => Ok(()),
            _ => Err("the label quantile is no number from 0 to 1".into()),
        },
        _ => Ok(()),
    }
}

fn range(family: &Family, sample: &Sample) -> Result<(), String> {
    let (suffix, value) = (family.suffix(sample), sample.value);
    let whole = value.fract() == 0.0;
    let wrong = match (family.kind, suffix) {
        (Kind::StateSet, _) if value != 0.0 && value != 1.0 => "a state is neither 0 nor 1",
        (Kind::Info, _) if value != 1.0 => "an info is not 1",
        (Kind::Summary, "") if value < 0.0 => "a quantile is negative",
        (Kind::Gauge | Kind::Unknown | Kind::Info | Kind::StateSet, _) | (_, "" | "_created") => {
            return Ok(());
        }
        _ if value.is_nan() => "what only grows is no number",
        (_, "_gsum") => return Ok(()),
        _ if value < 0.0 => "what only grows is negative",
        (_, "_bucket" | "_count" | "_gcount") if !whole => "a count is no whole number",
        _ => return Ok(()),
    };
    Err(wrong.into())
}

/// What has been seen of one histogram.
#[derive(Default)]
struct Histogram {
    edge: Option<f64>,
    below: f64,
    count: Option<f64>,
    sum: Option<f64>,
    negative_edge: bool,
    line: usize,
}

/// Checks a family's buckets: ascending, cumulative, complete, and agreeing with sum and count.
pub(super) fn histogram(family: &Family) -> Result<(), ParseError> {
    let mut current: Option<(Labels, Option<f64>)> = None;
    let mut seen = Histogram::default();
    for (line, sample) in &family.samples {
        let key = (group(family, sample), sample.timestamp);
        if current.as_ref() != Some(&key) {
            if current.is_some() {
                complete(family.kind, &seen)?;
            }
            seen = Histogram::default();
            current = Some(key);
        }
        seen.line = *line;
        match family.suffix(sample) {
            "_bucket" => {
                let edge = sample.label("le").and_then(|le| le.parse().ok());
                let edge: f64 = edge.unwrap_or(f64::NAN);
                if seen.edge.is_some_and(|before| edge <= before) {
                    return Err(invalid(*line, "the edges of buckets do not ascend"));
                }
                if sample.value < seen.below {
                    return Err(invalid(*line, "the counts of buckets fall"));
                }
                seen.negative_edge |= edge < 0.0;
                seen.edge = Some(edge);
                seen.below = sample.value;
            }
            "_count" | "_gcount" => seen.count = Some(sample.value),
            "_sum" | "_gsum" => seen.sum = Some(sample.value),
            _ => {}
        }
    }
    if current.is_some() {
        complete(family.kind, &seen)?;
    }
    Ok(())
}

fn complete(kind: Kind, seen: &Histogram) -> Result<(), ParseError> {
    let plain = kind == Kind::Histogram;
    let wrong = match (seen.sum, seen.count) {
        _ if seen.edge != Some(f64::INFINITY) => "the histogram has no bucket +Inf",
        (_, Some(count)) if count != seen.below => "the bucket +Inf is not the count",
        (Some(_), None) => "a histogram has a sum without a count",
        (None, Some(_)) => "a histogram has a count without a sum",
        (Some(_), _) if plain && seen.negative_edge => {
            "a histogram with edges below zero has a sum"
        }
        (Some(sum), _) if !plain && sum < 0.0 && !seen.negative_edge => {
            "the sum is negative although no edge is"
        }
        _ => return Ok(()),
    };
    Err(invalid(seen.line, wrong))
}
