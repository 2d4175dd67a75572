//! Judges the series that folding marked, and writes findings.
