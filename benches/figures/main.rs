//! The figures that Longwatch promises, measured against ceilings in the same run.
//!
//! `cargo bench --bench figures` prints a table: each row with what was measured, what must hold and what is aimed at.
//! Ratios are medians over rounds in which the service and its ceiling take turns, so that a busy minute of the machine
//! weighs on both; processor times are those of the server's process. `-- --quick` measures fewer, shorter rounds, and
//! names of groups (`beacons`, `batches`, `series`, `reads`, `windows`, `detection`) measure those alone.
#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "a measurement that cannot be made ends with its reason"
)]

mod ceiling;
mod load;
mod process;
mod reads;
mod table;
mod writes;

use std::time::Duration;

use table::Table;

/// How long and how often something is measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Effort {
    /// Rounds; the median counts.
    pub(crate) rounds: usize,
    /// The length of each server's turn in a round.
    pub(crate) turn: Duration,
}

/// Measures some rows of the table.
type Measure = fn(&mut Table, Effort);

/// What is measured, in the table's order.
const GROUPS: [(&str, Measure); 6] = [
    ("beacons", writes::beacons),
    ("batches", writes::batches),
    ("series", writes::many_series),
    ("reads", reads::year),
    ("windows", |table, _| reads::windows(table)),
    ("detection", |table, _| reads::detection(table)),
];

fn main() -> std::io::Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    if arguments
        .iter()
        .any(|argument| argument == ceiling::ARGUMENT)
    {
        return ceiling::serve();
    }
    let effort = if arguments.iter().any(|argument| argument == "--quick") {
        Effort {
            rounds: 3,
            turn: Duration::from_millis(1_500),
        }
    } else {
        Effort {
            rounds: 7,
            turn: Duration::from_secs(4),
        }
    };
    let chosen: Vec<&String> = arguments
        .iter()
        .skip(1)
        .filter(|argument| !argument.starts_with("--"))
        .collect();
    let mut table = Table::begin();
    for (name, measure) in GROUPS {
        if chosen.is_empty() || chosen.iter().any(|chosen| *chosen == name) {
            measure(&mut table, effort);
        }
    }
    table.end();
    Ok(())
}
