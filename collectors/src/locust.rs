//! Locust: the buckets of `--json`, and the summaries of `_stats.csv`, as `locust/stats.py` writes them. `_stats_history.csv`
//! is shown only, since it repeats the summaries second by second; `_failures.csv` and `_exceptions.csv` hold no times.

use csv::StringRecord;
use serde_json::Value;

use crate::draft::{Draft, observation};
use crate::error::ParseError;
use crate::input::{Input, Shape};
use crate::report::{Basis, Observation, Payload, Quality, Report, Summary};
use crate::requests::flow;
use crate::table::{fields, first_line, rows};
use crate::{Format, ParseOptions};

mod buckets;

/// Which of Locust's CSV files it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum File {
    Stats,
    History,
    Failures,
    Exceptions,
}

pub(crate) fn sniff(input: &Input) -> bool {
    match &input.shape {
        Shape::Json(Value::Array(entries)) => entries.first().is_some_and(buckets::is_entry),
        Shape::Text => file(&input.text).is_some(),
        _ => false,
    }
}

/// Columns changed their names' case and some their words over the versions; these tell the files apart in all of them.
fn file(text: &str) -> Option<File> {
    let first = first_line(text);
    if first.len() > 4096 {
        return None;
    }
    let header = fields(first, b',');
    let has = |name: &str| header.iter().any(|h| h.trim().eq_ignore_ascii_case(name));
    if has("Timestamp") && has("User Count") && has("Name") {
        Some(File::History)
    } else if has("Name")
        && (has("Request Count") || has("# requests"))
        && has("Median response time")
    {
        Some(File::Stats)
    } else if has("Method") && has("Name") && has("Error") && has("Occurrences") {
        Some(File::Failures)
    } else if ["Count", "Message", "Traceback", "Nodes"]
        .into_iter()
        .eq(header.iter())
    {
        Some(File::Exceptions)
    } else {
        None
    }
}

pub(crate) fn parse(input: &Input, _: &ParseOptions) -> Result<Report, ParseError> {
    let mut draft = Draft::new(Format::Locust);
    draft.context().fingerprint.tool = Some("locust".into());
    match (input.document(), file(&input.text)) {
        (Some(Value::Array(entries)), _) => {
            for (at, entry) in entries.iter().enumerate() {
                buckets::read(entry, at, &mut draft)?;
            }
        }
        (_, Some(File::Stats)) => stats(&input.text, &mut draft)?,
        (_, Some(File::History)) => history(&input.text, &mut draft)?,
        _ => draft.skip("file", "a side file: it holds no times"),
    }
    Ok(draft.finish())
}

/// A request's name as Locust lists it, and as a flow.
fn names(method: &str, name: &str) -> (String, String) {
    match method {
        "" | "None" => (name.to_owned(), flow(name)),
        _ => (
            format!("{method} {name}"),
            format!("{method} {}", flow(name)),
        ),
    }
}

/// Marks a series by what is known of its failures. Locust's times mix them in, unless every request failed.
fn with_failures(series: &mut Observation, failed: u64, requests: u64) {
    series.failed = failed;
    if failed > 0 && failed >= requests {
        series.labels.insert("outcome".into(), "error".into());
    } else if failed > 0 {
        series.quality.push(Quality::FailuresIncluded);
    }
}

struct Column<'a> {
    header: &'a StringRecord,
    row: &'a StringRecord,
}

impl<'a> Column<'a> {
    fn named(&self, names: &[&str]) -> Option<&'a str> {
        let is_named = |h: &str| names.iter().any(|name| h.trim().eq_ignore_ascii_case(name));
        self.row.get(self.header.iter().position(is_named)?)
    }

    fn count(&self, names: &[&str]) -> Option<u64> {
        self.named(names)?.trim().parse().ok()
    }
}

/// One summary per request and one for all; percentiles are of times that were rounded.
fn stats(text: &str, draft: &mut Draft) -> Result<(), ParseError> {
    let mut all = rows(text, b',');
    let Some(header) = all.next() else {
        return Ok(());
    };
    let header = header?.1;
    for row in all {
        let (line, row) = row?;
        let column = Column {
            header: &header,
            row: &row,
        };
        let (Some(name), Some(requests)) = (
            column.named(&["Name"]),
            column.count(&["Request Count", "# requests"]),
        ) else {
            draft.skip(
                format!("line {line}"),
                "no row of request statistics: was it cut short?",
            );
            continue;
        };
        let method = column.named(&["Type", "Method"]).unwrap_or_default();
        let (shown_as, flow) = names(method, name);
        if row.len() < header.len() {
            draft.skip(shown_as, "fewer columns than the header: was it cut short?");
            continue;
        }
        if requests == 0 {
            draft.skip(shown_as, "no requests");
            continue;
        }
        let pairs = header
            .iter()
            .zip(&row)
            .filter(|(h, _)| !["Name", "Type", "Method"].contains(h));
        let reported: Vec<(String, f64)> = pairs
            .filter_map(|(h, cell)| Some((h.to_owned(), cell.trim().parse().ok()?)))
            .filter(|(_, value): &(_, f64)| value.is_finite())
            .collect();
        let headline = reported.iter().map(|(name, _)| name);
        let headline = headline
            .into_iter()
            .find(|h| h.eq_ignore_ascii_case("Average Response Time"))
            .cloned();
        let summary = Summary {
            reported,
            headline,
            count: Some(requests),
            stddev: None,
        };
        let mut series = Observation {
            shown_as: Some(shown_as),
            basis: Basis::ToolSummary,
            quality: vec![Quality::Rounded],
            ..observation(&flow, "response_time", "ms", Payload::Summary(summary))
        };
        let failed = column.count(&["Failure Count", "# failures"]).unwrap_or(0);
        with_failures(&mut series, failed, requests);
        let all_of_them = matches!(method, "" | "None") && matches!(name, "Aggregated" | "Total");
        series.extra.insert("aggregate".into(), all_of_them.into());
        draft.add(series)?;
    }
    Ok(())
}

/// How many rows there are and what the last said: the file of summaries says the same, once.
fn history(text: &str, draft: &mut Draft) -> Result<(), ParseError> {
    let mut all = rows(text, b',');
    let Some(header) = all.next() else {
        return Ok(());
    };
    let header = header?.1;
    let (mut printed, mut total) = (0_u32, None);
    for row in all {
        let row = row?.1;
        let column = Column {
            header: &header,
            row: &row,
        };
        printed = printed.saturating_add(1);
        if matches!(column.named(&["Name"]), Some("Aggregated" | "Total")) {
            total = column.count(&["Total Request Count"]).or(total);
        }
    }
    if printed == 0 {
        draft.skip("history", "it has no rows");
        return Ok(());
    }
    let mut reported = vec![("rows".to_owned(), f64::from(printed))];
    reported.extend(total.map(|n| ("last_total_request_count".to_owned(), n as f64)));
    let summary = Summary {
        reported,
        headline: None,
        count: total,
        stddev: None,
    };
    draft.show(Observation {
        basis: Basis::ToolSummary,
        ..observation("history", "per_second_rows", "1", Payload::Summary(summary))
    });
    draft.warn("the history repeats request statistics by the second: send `_stats.csv` or `--json` to have them stored");
    Ok(())
}

#[cfg(test)]
mod tests;
