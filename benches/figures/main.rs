//! The figures that Longwatch promises, measured against ceilings in the same run.
//!
//! `cargo bench --bench figures` prints a table: each row with what was measured, what must hold and what is aimed at.
//! Ratios are medians over rounds in which the service and its ceiling take turns, so that a busy minute of the machine
//! weighs on both; processor times are those of the server's process. `-- --quick` measures fewer, shorter rounds.
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
    let mut table = Table::begin();
    writes::beacons(&mut table, effort);
    writes::batches(&mut table, effort);
    writes::many_series(&mut table, effort);
    reads::year(&mut table, effort);
    reads::windows(&mut table);
    reads::detection(&mut table);
    table.end();
    Ok(())
}
