//! The table that is printed, row by row as it is measured.

use std::fs;
use std::time::Instant;

/// What a figure is held to.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Bound {
    /// At least: what must be, what is aimed at.
    AtLeast(f64, f64),
    /// At most: what must be, what is aimed at.
    AtMost(f64, f64),
}

pub(crate) struct Table {
    /// The engine that is measured, for the rows' second column; may be empty.
    pub(crate) engine: &'static str,
    began: Instant,
    stalled_us: Option<u64>,
    missed: usize,
}

impl Table {
    /// Prints the head, and notes how long tasks of this machine have waited for a processor so far.
    pub(crate) fn begin() -> Table {
        println!(
            "{:<66} {:<10} {:>10} {:>8} {:>8}",
            "figure", "on", "measured", "must", "aim"
        );
        Table {
            engine: "",
            began: Instant::now(),
            stalled_us: stalled_us(),
            missed: 0,
        }
    }

    /// Prints a figure beside what it is held to.
    pub(crate) fn row(&mut self, what: &str, measured: f64, bound: Bound) {
        let (sign, must, aim, holds, aims) = match bound {
            Bound::AtLeast(must, aim) => ("≥", must, aim, measured >= must, measured >= aim),
            Bound::AtMost(must, aim) => ("≤", must, aim, measured <= must, measured <= aim),
        };
        let word = match (holds, aims) {
            (false, _) => "MISSED",
            (true, false) => "must",
            (true, true) => "aim",
        };
        self.missed += usize::from(!holds);
        println!(
            "{what:<66} {:<10} {:>10} {:>8} {:>8}  {word}",
            self.engine,
            short(measured),
            format!("{sign} {}", short(must)),
            format!("{sign} {}", short(aim))
        );
    }

    /// Prints what stands behind a figure.
    pub(crate) fn note(&self, text: &str) {
        println!("  {text}");
    }

    /// Prints the pressure under which all this was measured.
    pub(crate) fn end(self) {
        let wall_us = self.began.elapsed().as_micros() as f64;
        let waited = self.stalled_us.zip(stalled_us());
        match waited {
            Some((before, after)) => println!(
                "\nprocessor pressure: some task waited {:.0} % of the time, the load's own included",
                (after - before) as f64 / wall_us * 100.0
            ),
            None => println!("\nprocessor pressure: this system does not tell"),
        }
        println!("{} of the figures missed", self.missed);
    }
}

fn short(value: f64) -> String {
    match value.abs() {
        v if v >= 100.0 => format!("{value:.0}"),
        v if v >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// The middle of some measurements.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Pressure stall information: microseconds in which some task waited for a processor.
fn stalled_us() -> Option<u64> {
    let pressure = fs::read_to_string("/proc/pressure/cpu").ok()?;
    let some = pressure.lines().find(|line| line.starts_with("some"))?;
    some.rsplit("total=").next()?.trim().parse().ok()
}
