//! Bounds on what a file may cost (ingest.md §5), each with its reason.

/// How many left-out records a report lists by name; the rest are counted. Enough to see a pattern, small enough to read.
pub const SKIPPED_LISTED: usize = 100;
