//! The console's tables: three rows for each benchmark, with a unit at every time.

use crate::draft::{Draft, observation};
use crate::error::ParseError;
use crate::input::Input;
use crate::printed::{self, Quantity};
use crate::report::{Basis, Payload, Quality};

/// Whether a table of benchmarks is there.
pub(super) fn is(text: &str) -> bool {
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if is_head(line) {
            let next: Vec<&str> = lines
                .next()
                .unwrap_or_default()
                .split_whitespace()
                .collect();
            return next == ["mean", "low", "mean", "high", "mean"];
        }
    }
    false
}

fn is_head(line: &str) -> bool {
    let words: Vec<&str> = line.split_whitespace().collect();
    words.starts_with(&["benchmark", "name", "samples", "iterations"])
}

fn is_rule(line: &str) -> bool {
    line.len() >= 20 && line.bytes().all(|byte| byte == b'-')
}

/// Where in the output a line stands.
enum Place {
    /// Outside of titles and tables.
    Elsewhere,
    /// Between the rules around a test case's name and its sections.
    Title,
    /// In the heading of a table, which a rule ends.
    Heading,
    /// In a table.
    Table,
}

pub(super) fn read(input: &Input, draft: &mut Draft) -> Result<(), ParseError> {
    let mut place = Place::Elsewhere;
    let mut path: Vec<String> = Vec::new();
    // A name that is too long for its column stands on several lines, of which the last has the numbers.
    let mut wrapped: Vec<String> = Vec::new();
    let mut rows: Vec<(String, String)> = Vec::new();
    for line in input.text.lines() {
        let line = printed::visible(line);
        let text = line.trim();
        place = match place {
            Place::Heading if is_rule(text) => Place::Table,
            Place::Heading => Place::Heading,
            _ if is_head(text) => Place::Heading,
            Place::Title if is_rule(text) => Place::Elsewhere,
            _ if is_rule(text) => {
                path.clear();
                Place::Title
            }
            Place::Title => {
                path.push(text.to_owned());
                Place::Title
            }
            Place::Table if text.starts_with("====") || text.starts_with("....") => {
                Place::Elsewhere
            }
            Place::Table => {
                if let Some((name, _)) = text.split_once("Benchmark failed") {
                    draft.warn(format!("{} failed: {text}", name.trim()));
                    wrapped.clear();
                } else if text.is_empty() {
                    wrapped.clear();
                } else if let Some((name, counts)) = first_row(text) {
                    wrapped.push(name.to_owned());
                    rows = vec![(wrapped.join(" ").trim().to_owned(), counts.to_owned())];
                    wrapped.clear();
                } else if !rows.is_empty() && printed::quantities(text).is_some() {
                    rows.push((String::new(), text.to_owned()));
                    if rows.len() == 3 {
                        add(draft, &path, &rows)?;
                        rows.clear();
                    }
                } else {
                    rows.clear();
                    wrapped.push(text.to_owned());
                }
                Place::Table
            }
            Place::Elsewhere => Place::Elsewhere,
        };
    }
    Ok(())
}

/// `name  samples  iterations  12.5 ms` as the name and the rest.
fn first_row(text: &str) -> Option<(&str, &str)> {
    let mut at = text.len();
    let mut words = text.split_whitespace().rev();
    for _ in 0..4 {
        let word = words.next()?;
        at = text.get(..at)?.rfind(word)?;
    }
    let (name, counts) = (text.get(..at)?, text.get(at..)?);
    counted(counts)?;
    Some((name.trim(), counts))
}

/// Samples and iterations.
fn counted(counts: &str) -> Option<(u64, u64)> {
    let words: Vec<&str> = counts.split_whitespace().collect();
    let [samples, iterations, estimate, unit] = words[..] else {
        return None;
    };
    printed::quantities(&format!("{estimate} {unit}"))?;
    Some((samples.parse().ok()?, iterations.parse().ok()?))
}

fn add(draft: &mut Draft, path: &[String], rows: &[(String, String)]) -> Result<(), ParseError> {
    let [(name, counts), (_, means), (_, deviations)] = rows else {
        return Ok(());
    };
    let (Some((samples, iterations)), Some(means), Some(deviations)) = (
        counted(counts),
        printed::quantities(means),
        printed::quantities(deviations),
    ) else {
        draft.skip(name, "rows that we do not know");
        return Ok(());
    };
    let names = [
        "mean",
        "mean_low",
        "mean_high",
        "stddev",
        "stddev_low",
        "stddev_high",
    ];
    let values = means.into_iter().chain(deviations);
    let named: Vec<(&str, Quantity)> = names.into_iter().zip(values).collect();
    let Some((mut summary, unit)) = printed::summary(&named, "mean").filter(|_| named.len() == 6)
    else {
        draft.skip(name, "rows that we do not know");
        return Ok(());
    };
    let deviation = summary.reported.iter().find(|(key, _)| key == "stddev");
    summary.stddev = deviation.map(|(_, value)| *value);
    summary.count = Some(samples);
    summary.reported.push(("samples".into(), samples as f64));
    summary
        .reported
        .push(("iterations".into(), iterations as f64));
    let path: Vec<&str> = path
        .iter()
        .map(String::as_str)
        .chain([name.as_str()])
        .collect();
    let mut time = observation(&path.join("/"), "time", &unit, Payload::Summary(summary));
    time.shown_as = Some(name.clone());
    time.basis = Basis::ToolSummary;
    time.quality.push(Quality::Rounded);
    draft.add(time)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use crate::{ParseOptions, parse};

    #[test]
    fn a_name_over_several_lines_is_one_name() {
        let rule = "-".repeat(79);
        let text = format!(
            "{rule}\nCase\n  section\n{rule}\nc.cpp:1\n.....\n\nbenchmark name   samples   iterations   estimated\n  mean  low mean  high mean\n  std dev  low std dev  high std dev\n{rule}\na name that is\r\ntoo long              100   20   1.5 ms\r\n   1 ns  2 ns  3 us\n  4 ns  5 ns  6 ns\n\n"
        );
        let report = parse(text.as_bytes(), &ParseOptions::default()).unwrap();
        let time = &report.observations[0];
        assert_eq!(time.flow, "Case/section/a name that is too long");
        assert!(format!("{:?}", time.payload).contains("(\"mean_high\", 3000.0)"));
    }
}
