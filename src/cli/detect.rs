//! `longwatch detect`: the service's change detection over CSV files, without a server.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde_json::json;

use super::output::say_json;
use super::{Exit, Failure};
use crate::stats::detections::{Series, detect, read};

/// Finds steps, bleeds and epochs in CSV series, and prints them as JSON
#[derive(clap::Args)]
#[command(
    after_help = "A series is a file of `time,release,value[,lower,upper][,count][,env][,epoch]`, a row a run, oldest first; its name is the \
                        file's without extension. A changed `env` is a changed machine, a changed `epoch` something else \
                        measured. A series of the service is read from `points.csv?by=evidence`."
)]
pub(crate) struct Args {
    /// CSV files; a directory is walked for them
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<PathBuf>,
    /// Feed growing prefixes, as production does, so that `detected_at` is when it would have been told
    #[arg(long)]
    replay: bool,
    /// A JSON object from a series' name to the group that shares its testbed
    #[arg(long, value_name = "FILE")]
    groups: Option<PathBuf>,
}

/// Reads everything first, so that `runtime_s` is the time of detection alone.
pub(crate) fn run(args: Args) -> Result<Exit, Failure> {
    let groups = args
        .groups
        .as_deref()
        .map(groups)
        .transpose()?
        .unwrap_or_default();
    let series = series_in(&args.paths)?;
    let started = Instant::now();
    let found = detect(&series, &groups, args.replay);
    let runtime_s = (started.elapsed().as_secs_f64() * 1e6).round() / 1e6;
    say_json(
        &json!({ "detector": concat!("longwatch ", env!("CARGO_PKG_VERSION")), "runtime_s": runtime_s, "series": found }),
    )?;
    Ok(Exit::Ok)
}

/// The series of all CSV files in `paths`, by name.
pub(super) fn series_in(paths: &[PathBuf]) -> Result<BTreeMap<String, Series>, Failure> {
    let mut series = BTreeMap::new();
    for path in paths {
        for file in csv_files(path, 0)? {
            let (name, read) = series_of(&file)?;
            if series.insert(name.clone(), read).is_some() {
                return Err(Failure::usage(
                    format!("two files are named `{name}`"),
                    "a series is named by its file; rename one",
                ));
            }
        }
    }
    if series.is_empty() {
        return Err(Failure::usage(
            "there is no CSV file in what was given",
            "a series is a file that ends in .csv",
        ));
    }
    Ok(series)
}

fn groups(path: &Path) -> Result<BTreeMap<String, String>, Failure> {
    let text = std::fs::read(path).map_err(|error| Failure::file(path, error))?;
    serde_json::from_slice(&text).map_err(|error| {
        Failure::usage(
            format!("{}: {error}", path.display()),
            "write a JSON object of texts, as in {\"series\": \"group\"}",
        )
    })
}

fn series_of(path: &Path) -> Result<(String, Series), Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| Failure::file(path, error))?;
    let series = read(&text).map_err(|error| {
        Failure::usage(
            format!("{}: {error}", path.display()),
            "the columns are time,release,value[,lower,upper][,count][,env][,epoch]",
        )
    })?;
    let name = path
        .file_stem()
        .map(|stem| stem.to_string_lossy().into_owned())
        .unwrap_or_default();
    Ok((name, series))
}

/// How deep directories are walked: deeper is a wrong path, not a collection of series.
const DEPTH: u32 = 8;

/// A file as named; of a directory, those that end in `.csv`, sorted. Hidden ones and links are passed over.
fn csv_files(path: &Path, depth: u32) -> Result<Vec<PathBuf>, Failure> {
    let io = |error| Failure::file(path, error);
    if !std::fs::metadata(path).map_err(io)?.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path).map_err(io)? {
        let entry = entry.map_err(io)?;
        let (kind, place) = (entry.file_type().map_err(io)?, entry.path());
        if entry.file_name().to_string_lossy().starts_with('.') {
            continue;
        }
        if kind.is_dir() && depth < DEPTH {
            files.extend(csv_files(&place, depth + 1)?);
        } else if kind.is_file()
            && place
                .extension()
                .is_some_and(|extension| extension.eq_ignore_ascii_case("csv"))
        {
            files.push(place);
        }
    }
    files.sort();
    Ok(files)
}
