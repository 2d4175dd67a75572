//! Standard output: results only, and no panic when a reader such as `head` has had enough.

use std::io::{self, Write};

use serde::Serialize;

use super::failure::Failure;

/// Writes a line of results.
pub(super) fn say(line: impl AsRef<str>) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    let written = out
        .write_all(line.as_ref().as_bytes())
        .and_then(|()| out.write_all(b"\n"))
        .and_then(|()| out.flush());
    written.map_err(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => Failure::Closed,
        _ => Failure::file("standard output", error),
    })
}

/// Writes a result as indented JSON.
pub(super) fn say_json(document: &impl Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(document)
        .map_err(|error| Failure::file("standard output", error.into()))?;
    say(text)
}
