//! Reads what benchmark, load-test and real-user tools emit into one canonical report.

pub mod histogram;
pub mod limits;
pub mod report;

/// The formats we read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// `hyperfine --export-json`.
    Hyperfine,
}
