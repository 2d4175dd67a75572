//! The figures that Longwatch promises, measured against ceilings in the same run.
//!
//! `cargo bench --bench figures` prints a table: each row with what was measured, what must hold and what is aimed at.
//! Ratios are medians over rounds in which the service and its ceiling take turns, so that a busy minute of the machine
//! weighs on both; processor times are those of the server's process. `-- --quick` measures fewer, shorter rounds, and
//! names of groups (`beacons`, `batches`, `series`, `reads`, `windows`, `year`, `detection`) measure those alone, names of
//! engines (`sqlite`, `postgresql`) on those alone. PostgreSQL is the server that `LONGWATCH_TEST_POSTGRES` names, else a
//! cluster of the bench's own. The group `peers` is measured only where it is named: it wants `influxd` and `npm`.
#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "a measurement that cannot be made ends with its reason"
)]

mod ceiling;
mod database;
mod load;
mod peers;
mod process;
mod reads;
mod table;
mod writes;
mod year;

use std::time::Duration;

use database::Engine;
use table::Table;

/// How long and how often something is measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Effort {
    /// Rounds; the median counts.
    pub(crate) rounds: usize,
    /// The length of each server's turn in a round.
    pub(crate) turn: Duration,
    /// Flows of the project whose year is measured, four series each.
    pub(crate) flows: usize,
}

/// Measures some rows of the table on an engine.
type Measure = fn(&mut Table, Effort, &Engine);

/// What is measured on each engine, in the table's order.
const GROUPS: [(&str, Measure); 6] = [
    ("beacons", writes::beacons),
    ("batches", writes::batches),
    ("series", writes::many_series),
    ("reads", reads::two_sizes),
    ("windows", |table, _, engine| reads::windows(table, engine)),
    ("year", year::measure),
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
            flows: 50,
        }
    } else {
        Effort {
            rounds: 7,
            turn: Duration::from_secs(4),
            flows: 250,
        }
    };
    let named: Vec<&String> = arguments
        .iter()
        .skip(1)
        .filter(|argument| !argument.starts_with("--"))
        .collect();
    let is_named = |name: &str| named.iter().any(|named| *named == name);
    let known = ["detection", "peers", "sqlite", "postgresql"];
    let known = known.into_iter().chain(GROUPS.map(|(name, _)| name));
    let known: Vec<&str> = known.collect();
    if let Some(unknown) = named.iter().find(|name| !known.contains(&name.as_str())) {
        let known = known.join(", ");
        return Err(std::io::Error::other(format!(
            "nothing is called {unknown:?}; there are {known}"
        )));
    }
    let all_engines = !is_named("sqlite") && !is_named("postgresql");
    let any_group =
        GROUPS.iter().any(|(name, _)| is_named(name)) || is_named("detection") || is_named("peers");
    let chosen = |name: &str| !any_group || is_named(name);
    let mut engines = Vec::new();
    if all_engines || is_named("sqlite") {
        engines.push(Engine::Sqlite);
    }
    if all_engines || is_named("postgresql") {
        match Engine::postgres() {
            Ok(engine) => engines.push(engine),
            Err(error) => println!("PostgreSQL is left out: {error}"),
        }
    }
    let mut table = Table::begin();
    for (name, measure) in GROUPS {
        for engine in engines.iter().filter(|_| chosen(name)) {
            table.engine = engine.name();
            measure(&mut table, effort, engine);
        }
    }
    table.engine = "";
    if chosen("detection") {
        reads::detection(&mut table);
    }
    if is_named("peers") {
        peers::measure(&mut table, effort);
    }
    table.end();
    Ok(())
}
