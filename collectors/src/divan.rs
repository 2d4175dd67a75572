//! The tree that divan prints: fastest, slowest, median and mean of every benchmark, each with its own unit.
//!
//! Four rounded numbers are a summary and nothing else. The flow is the path through the tree; `t=4` is the label
//! `threads`. Throughput and allocations, on further lines, are not taken.

use crate::draft::{Draft, observation};
use crate::error::ParseError;
use crate::input::{Input, Shape};
use crate::printed::{self, Quantity};
use crate::report::{Basis, Payload, Quality, Report};
use crate::{Format, ParseOptions};

/// The columns, after the tree.
const COLUMNS: [&str; 6] = ["fastest", "slowest", "median", "mean", "samples", "iters"];

/// Characters that a level of the tree is drawn with.
const LEVEL: usize = 3;

pub(crate) fn sniff(input: &Input) -> bool {
    let others = || crate::criterion_text::sniff(input) || crate::libtest_bench::sniff(input);
    let tree = || input.text.lines().any(|line| head(line).is_some());
    // Where one run printed several, criterion's are taken, then libtest's.
    matches!(input.shape, Shape::Text) && tree() && !others()
}

/// The root's name and the character at which the first column begins.
fn head(line: &str) -> Option<(&str, usize)> {
    let mut cells = line.split('│');
    let (name, fastest) = cells.next()?.trim_end().rsplit_once(' ')?;
    let rest = cells.map(str::trim);
    let named = std::iter::once(fastest).chain(rest).eq(COLUMNS);
    let at = name.chars().count() + 1;
    named.then_some((name.trim(), at))
}

pub(crate) fn parse(input: &Input, _: &ParseOptions) -> Result<Report, ParseError> {
    let mut draft = Draft::new(Format::Divan);
    draft.context().fingerprint.tool = Some("divan".into());
    let mut first_column = None;
    let mut path: Vec<String> = Vec::new();
    for line in input.lines() {
        let (_, line) = line?;
        let line = printed::visible(line);
        if let Some((root, at)) = head(&line) {
            first_column = Some(at);
            path = vec![root.to_owned()];
            continue;
        }
        let Some(row) = first_column.and_then(|at| row(&line, at)) else {
            continue;
        };
        path.truncate(row.depth);
        path.push(row.label.to_owned());
        if !row.cells.trim_matches(['│', ' ']).is_empty() && row.cells.trim() != "(ignored)" {
            add(&mut draft, &path, row.cells)?;
        }
    }
    Ok(draft.finish())
}

/// A row of the tree.
struct Row<'a> {
    /// How many labels stand above it, the root's among them.
    depth: usize,
    label: &'a str,
    cells: &'a str,
}

/// A line with a branch of the tree; all others continue the benchmark above.
fn row(line: &str, first_column: usize) -> Option<Row<'_>> {
    let (at, _) = line.char_indices().nth(first_column)?;
    let (tree, cells) = line.split_at(at);
    let branch = tree.find(['├', '╰'])?;
    let above = tree.get(..branch)?;
    let label = tree
        .get(branch..)?
        .trim_start_matches(['├', '╰', '─'])
        .trim();
    Some(Row {
        depth: above.chars().count() / LEVEL + 1,
        label,
        cells,
    })
}

fn add(draft: &mut Draft, path: &[String], cells: &str) -> Result<(), ParseError> {
    let is_threads = |label: &str| {
        let n = label.strip_prefix("t=")?;
        n.bytes().all(|b| b.is_ascii_digit()).then(|| n.to_owned())
    };
    let threads = path.last().and_then(|label| is_threads(label));
    let names = path
        .iter()
        .take(path.len() - usize::from(threads.is_some()));
    let flow = names.map(String::as_str).collect::<Vec<_>>().join("::");
    if cells.trim_start().starts_with("(ignored)") {
        return Ok(());
    }
    let cells: Vec<&str> = cells.split('│').map(str::trim).collect();
    let times: Option<Vec<Quantity>> = cells
        .iter()
        .take(4)
        .map(|cell| printed::quantities(cell)?.into_iter().next())
        .collect();
    let named: Vec<(&str, Quantity)> = COLUMNS.into_iter().zip(times.unwrap_or_default()).collect();
    let Some((mut summary, unit)) = printed::summary(&named, "median") else {
        draft.skip(flow, "no times that we know");
        return Ok(());
    };
    let counts = COLUMNS.into_iter().zip(&cells).skip(4);
    let counts = counts.filter_map(|(name, cell)| Some((name.to_owned(), printed::number(cell)?)));
    summary.reported.extend(counts);
    summary.count = cells.get(4).and_then(|cell| cell.parse().ok());
    let mut time = observation(&flow, "time", &unit, Payload::Summary(summary));
    time.basis = Basis::ToolSummary;
    time.quality.push(Quality::Rounded);
    time.labels
        .extend(threads.map(|n| ("threads".to_owned(), n)));
    draft.add(time)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    const TREE: &str = "     Running benches/d.rs
div           fastest       │ slowest       │ median        │ mean          │ samples │ iters
├─ fib                      │               │               │               │         │
│  ├─ 5       15.17 ns      │ 15.19 ns      │ 15.19 ns      │ 15.19 ns      │ 20      │ 5120
│  ╰─ 18      998.5 ns      │ 8.271 µs      │ 1.5 µs        │ 8.072 µs      │ 20      │ 20
╰─ größe                    │               │               │               │         │
   ├─ off     (ignored)     │               │               │               │         │
   ├─ sum     56.19 ns      │ 57.58 ns      │ 57.13 ns      │ 57.07 ns      │ 10      │ 640
   │          72.88 GB/s    │ 71.12 GB/s    │ 71.68 GB/s    │ 71.76 GB/s    │         │
   ╰─ thr                   │               │               │               │         │
      ╰─ t=2  48.75 ns      │ 267.5 ns      │ 135.6 ns      │ 151.9 ns      │ 6       │ 60
";

    #[test]
    fn the_path_through_the_tree_is_the_flow() {
        let report = crate::parse(TREE.as_bytes(), &ParseOptions::default()).unwrap();
        let flows: Vec<&str> = report.observations.iter().map(|o| &*o.flow).collect();
        assert_eq!(
            flows,
            [
                "div::fib::5",
                "div::fib::18",
                "div::größe::sum",
                "div::größe::thr"
            ]
        );
        assert_eq!(report.observations[3].labels["threads"], "2");
        assert!(report.skipped.is_empty());
        let Payload::Summary(fib) = &report.observations[1].payload else {
            panic!()
        };
        assert_eq!((fib.headline_value(), fib.count), (Some(1.5), Some(20)));
        assert!(
            (fib.reported[0].1 - 0.9985).abs() < 1e-12,
            "in the median's unit"
        );
    }

    #[test]
    fn no_other_table_is_taken() {
        let other = "name fastest │ slowest │ mean\n├─ a 1 ns │ 2 ns │ 3 ns\n";
        assert!(crate::parse(other.as_bytes(), &ParseOptions::default()).is_err());
    }
}
