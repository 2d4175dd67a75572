//! `longwatch parse`: what a collector makes of a file, without a server.

use std::io::Read;
use std::path::{Path, PathBuf};

use collectors::{
    ErrorKind, Format, ParseError, ParseOptions, describe, discover, exit_code, parse, parse_path,
};
use serde_json::{Value, json};

use super::output::say_json;
use super::{Exit, Failure};

/// Shows what would be read from result files, as JSON
#[derive(clap::Args)]
#[command(
    after_help = "Exit codes: 0 read, 3 partly read, 4 refused, 5 nothing to ingest, 2 wrong usage; of several files \
                        the worst."
)]
pub(crate) struct Args {
    /// Result files; a directory is walked, `-` is standard input
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// The files' format; `auto` recognises it
    #[arg(long, value_name = "FORMAT", default_value = "auto")]
    format: String,
    /// The unit of values whose file states none
    #[arg(long, value_name = "UNIT")]
    unit: Option<String>,
    /// The flow of a file that does not name its own
    #[arg(long, value_name = "NAME")]
    flow: Option<String>,
}

/// Prints one document; of several files, one with their documents under `files`.
pub(crate) fn run(args: Args) -> Result<Exit, Failure> {
    let options = ParseOptions {
        format: format(&args.format)?,
        unit: args.unit,
        flow: args.flow,
        file_name: String::new(),
    };
    let mut read = Vec::new();
    for path in &args.files {
        read.extend(read_all(path, &options)?);
    }
    let worst = read
        .iter()
        .map(|(_, exit)| *exit)
        .max()
        .unwrap_or(Exit::Nothing);
    let mut documents: Vec<Value> = read.into_iter().map(|(document, _)| document).collect();
    match documents.len() {
        1 => say_json(&documents.remove(0))?,
        _ => say_json(&json!({ "files": documents }))?,
    }
    Ok(worst)
}

/// The format of that name, none for `auto`; errs, with all names, where we know none such.
pub(super) fn format(name: &str) -> Result<Option<Format>, Failure> {
    if name == "auto" {
        return Ok(None);
    }
    name.parse().map(Some).map_err(|_| {
        let names: Vec<_> = Format::ALL.iter().map(|format| format.name()).collect();
        Failure::usage(
            format!("`{name}` is no format that we read"),
            format!("formats are auto, {}", names.join(", ")),
        )
    })
}

/// The documents of everything that a path stands for; errs where it is not there.
fn read_all(path: &Path, options: &ParseOptions) -> Result<Vec<(Value, Exit)>, Failure> {
    if path.as_os_str() == "-" {
        let mut bytes = Vec::new();
        let most = collectors::limits::INFLATED_BYTES + 1;
        std::io::stdin()
            .lock()
            .take(most)
            .read_to_end(&mut bytes)
            .map_err(|error| Failure::file("standard input", error))?;
        return Ok(vec![told("standard input", options, |options| {
            parse(&bytes, options)
        })]);
    }
    std::fs::metadata(path).map_err(|error| Failure::file(path, error))?;
    let name = path.display().to_string();
    Ok(match discover(path) {
        Err(error) => vec![told(&name, options, |_| Err(error))],
        Ok(found) if found.is_empty() => {
            let error = ParseError::new(
                ErrorKind::EmptyFile,
                "the directory holds no result files: nothing to ingest",
            );
            vec![told(&name, options, |_| Err(error))]
        }
        Ok(found) => found
            .iter()
            .map(|path| {
                told(&path.display().to_string(), options, |options| {
                    parse_path(path, options)
                })
            })
            .collect(),
    })
}

fn told(
    name: &str,
    options: &ParseOptions,
    read: impl FnOnce(&ParseOptions) -> Result<collectors::report::Report, ParseError>,
) -> (Value, Exit) {
    let parsed = read(&ParseOptions {
        file_name: name.to_owned(),
        ..options.clone()
    });
    let exit = match exit_code(parsed.as_ref()) {
        0 => Exit::Ok,
        3 => Exit::Partial,
        5 => Exit::Nothing,
        _ => Exit::Refused,
    };
    (describe(name, parsed.as_ref()), exit)
}
