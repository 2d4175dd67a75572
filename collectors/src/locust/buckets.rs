//! `--json`: how many requests took so many milliseconds, after Locust rounded each time to two significant digits above
//! 100 ms (`StatsEntry._log_response_time`). Every rounded time is a bucket as wide as the rounding.

use serde_json::Value;

use super::{names, with_failures};
use crate::draft::{Draft, observation};
use crate::error::{ErrorKind, ParseError};
use crate::json;
use crate::report::{Buckets, Observation, Payload, Quality};

pub(super) fn is_entry(entry: &Value) -> bool {
    entry.get("response_times").is_some_and(Value::is_object)
        && entry.get("num_requests").is_some()
        && entry.get("num_failures").is_some()
}

pub(super) fn read(entry: &Value, at: usize, draft: &mut Draft) -> Result<(), ParseError> {
    let text = |key| json::string(entry, key).unwrap_or_default();
    let (shown_as, flow) = names(text("method"), text("name"));
    let Some(times) = entry.get("response_times").and_then(Value::as_object) else {
        draft.skip(shown_as, "no response times");
        return Ok(());
    };
    let mut rounded = Vec::with_capacity(times.len());
    for (time, count) in times {
        let read = time
            .parse()
            .ok()
            .filter(|t: &f64| t.is_finite() && *t >= 0.0)
            .zip(count.as_u64());
        rounded.push(read.ok_or_else(|| {
            let error = ParseError::new(
                ErrorKind::InvalidValue,
                "no rounded time in milliseconds with its count",
            );
            error.at_pointer(format!("/{at}/response_times/{time}"))
        })?);
    }
    rounded.retain(|(_, count)| *count > 0);
    if rounded.is_empty() {
        draft.skip(shown_as, "no requests");
        return Ok(());
    }
    rounded.sort_by(|a, b| a.0.total_cmp(&b.0));
    let count = rounded
        .iter()
        .try_fold(0_u64, |n, (_, more)| n.checked_add(*more));
    let count = count.ok_or_else(|| {
        let error = ParseError::new(ErrorKind::InvalidValue, "more requests than can be counted");
        error.at_pointer(format!("/{at}/response_times"))
    })?;
    let sum = json::number(entry, "total_response_time");
    let (bounds, counts) = cells(&rounded);
    let payload = Payload::Buckets(Buckets::Explicit {
        bounds,
        counts,
        sum,
    });
    let mut series = Observation {
        shown_as: Some(shown_as),
        quality: vec![Quality::Rounded],
        ..observation(&flow, "response_time", "ms", payload)
    };
    let mut extra =
        |name: &str, value: Option<f64>| series.extra.insert(name.to_owned(), value.into());
    extra("min", json::number(entry, "min_response_time"));
    extra("max", json::number(entry, "max_response_time"));
    extra("mean", sum.map(|sum| sum / count as f64));
    let failed = entry
        .get("num_failures")
        .and_then(Value::as_u64)
        .unwrap_or(0);
    with_failures(&mut series, failed, count);
    if let Some(start) = json::number(entry, "start_time") {
        let earliest = (start * 1e6) as i64;
        let context = draft.context();
        context.time_us = Some(context.time_us.map_or(earliest, |t| t.min(earliest)));
    }
    draft.add(series)
}

/// Half of the distance between two rounded times around `time`.
fn half_step(time: f64) -> f64 {
    match time {
        t if t < 100.0 => 0.5,
        t if t < 1_000.0 => 5.0,
        t if t < 10_000.0 => 50.0,
        _ => 500.0,
    }
}

/// The edges between which each rounded time was, with empty buckets where there is a gap.
fn cells(rounded: &[(f64, u64)]) -> (Vec<f64>, Vec<u64>) {
    let (mut bounds, mut counts): (Vec<f64>, Vec<u64>) = (Vec::new(), Vec::new());
    for &(time, count) in rounded {
        // 100 stands for what is rounded to whole milliseconds below it and to tens above.
        let (lower, upper) = (time - half_step(time - 0.5), time + half_step(time));
        match bounds.last() {
            Some(&last) if upper <= last => {
                if let Some(in_last) = counts.last_mut() {
                    *in_last += count;
                }
                continue;
            }
            Some(&last) if lower <= last => {}
            None if lower <= 0.0 => {}
            _ => {
                bounds.push(lower);
                counts.push(0);
            }
        }
        bounds.push(upper);
        counts.push(count);
    }
    counts.push(0);
    (bounds, counts)
}

#[cfg(test)]
mod tests {
    use super::cells;

    #[test]
    fn cells_are_as_wide_as_the_rounding() {
        let (bounds, counts) = cells(&[
            (0.0, 1),
            (1.0, 2),
            (4.0, 3),
            (100.0, 4),
            (110.0, 5),
            (1200.0, 6),
        ]);
        assert_eq!(
            bounds,
            [0.5, 1.5, 3.5, 4.5, 99.5, 105.0, 115.0, 1150.0, 1250.0]
        );
        assert_eq!(counts, [1, 2, 0, 3, 0, 4, 5, 0, 6, 0]);
    }
}
