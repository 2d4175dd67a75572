//! A criterion tree (`target/criterion`), which travels as one bundle: a line that says so, then a line per benchmark
//! with its `benchmark.json`, `sample.json` and `estimates.json`.
//!
//! Only `new/` is the run: `base/` is the one before it and `change/` a comparison. A tree keeps benchmarks that exist
//! no longer, so whatever was last written long before the rest is listed as skipped.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use crate::draft::{Draft, observation};
use crate::error::{ErrorKind, ParseError};
use crate::input::Input;
use crate::json;
use crate::report::{Basis, Observation, Payload, Report, Samples};
use crate::tree::{self, entries};
use crate::{Format, ParseOptions};

/// A pause in writing after which what lies before belongs to an earlier run: one benchmark seldom takes an hour.
const STALE_AFTER: Duration = Duration::from_secs(3600);

/// Directories that a tree holds beside its benchmarks.
const NOT_BENCHMARKS: [&str; 4] = ["report", "base", "change", "new"];

pub(crate) fn sniff(input: &Input) -> bool {
    input.first_record().is_some_and(|r| {
        json::string(r, "format") == Some("criterion") && r.get("bundle").is_some()
    })
}

pub(crate) fn parse(input: &Input, _: &ParseOptions) -> Result<Report, ParseError> {
    let mut draft = Draft::new(Format::Criterion);
    draft.context().fingerprint.tool = Some("criterion".into());
    for record in input.records().skip(1) {
        let (line, record) = record?;
        let directory = json::string(&record, "directory").unwrap_or("?");
        match json::string(&record, "skipped") {
            Some(reason) => draft.skip(directory, reason),
            None => match benchmark(&record, directory) {
                Some(time) => draft.add(time)?,
                None => draft.skip(
                    directory,
                    format!("line {line}: sample.json or benchmark.json is not criterion's"),
                ),
            },
        }
    }
    Ok(draft.finish())
}

/// Per-iteration times: each is the total of a batch divided by its iterations, so a batch mean.
fn benchmark(record: &Value, directory: &str) -> Option<Observation> {
    let (about, sample) = (record.get("benchmark")?, record.get("sample")?);
    let batches = batch_means(json::array(sample, "iters")?, json::array(sample, "times")?)?;
    let total: u64 = batches.iterations.iter().flatten().sum();
    let payload = Payload::Samples(batches);
    let mut time = observation(json::string(about, "full_id")?, "time", "ns", payload);
    time.basis = Basis::BatchMean;
    for key in ["group_id", "function_id", "value_str"] {
        time.labels
            .extend(json::string(about, key).map(|value| (key.to_owned(), value.to_owned())));
    }
    time.extra.insert(
        "sampling_mode".into(),
        sample.get("sampling_mode").cloned().unwrap_or_default(),
    );
    time.extra.insert("total_iterations".into(), total.into());
    time.extra.insert(
        "throughput".into(),
        about.get("throughput").cloned().unwrap_or_default(),
    );
    time.extra.insert("directory".into(), directory.into());
    if let Some(estimates) = record.get("estimates") {
        let point = |name: &str| {
            estimates
                .get(name)
                .and_then(|e| json::number(e, "point_estimate"))
        };
        let reported = ["mean", "median", "slope", "std_dev", "median_abs_dev"]
            .map(|name| (name.to_owned(), json!(point(name))));
        time.extra.insert(
            "reported".into(),
            Value::Object(reported.into_iter().collect()),
        );
        time.extra.insert(
            "mean_ci".into(),
            estimates
                .pointer("/mean/confidence_interval")
                .cloned()
                .unwrap_or_default(),
        );
    }
    Some(time)
}

/// The mean of each batch out of its iterations and its total time; none where the two do not fit together.
pub(crate) fn batch_means(iterations: &[Value], totals: &[Value]) -> Option<Samples> {
    let (iterations, totals) = (json::numbers(iterations)?, json::numbers(totals)?);
    if iterations.len() != totals.len() || iterations.iter().any(|&n| n < 1.0) {
        return None;
    }
    let means = totals.iter().zip(&iterations).map(|(total, n)| total / n);
    Some(Samples {
        values: means.collect(),
        iterations: Some(iterations.iter().map(|&n| n as u64).collect()),
    })
}

/// Whether a directory is a criterion tree: benchmarks lie in it, and nothing else does.
pub(crate) fn is_tree(directory: &Path) -> Result<bool, ParseError> {
    Ok(looks_like_tree(directory, 0)? && !benchmarks(directory)?.is_empty())
}

fn looks_like_tree(directory: &Path, depth: usize) -> Result<bool, ParseError> {
    if directory.join("new/sample.json").is_file() {
        return Ok(true);
    }
    let within: Vec<(PathBuf, bool)> = entries(directory)?
        .into_iter()
        .filter(|(path, _)| !is_beside(path))
        .collect();
    if depth == 8 || within.is_empty() || within.iter().any(|(_, is_dir)| !is_dir) {
        return Ok(false);
    }
    for (path, _) in within {
        if !looks_like_tree(&path, depth + 1)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn is_beside(path: &Path) -> bool {
    path.file_name()
        .and_then(|name| name.to_str())
        .is_some_and(|name| NOT_BENCHMARKS.contains(&name))
}

/// The benchmark directories of a tree, those that hold `new/sample.json`.
fn benchmarks(directory: &Path) -> Result<Vec<PathBuf>, ParseError> {
    let mut found = Vec::new();
    let mut open = vec![directory.to_owned()];
    while let Some(next) = open.pop() {
        if next.join("new/sample.json").is_file() {
            found.push(next.clone());
        }
        open.extend(
            entries(&next)?
                .into_iter()
                .filter(|(path, is_dir)| *is_dir && !is_beside(path))
                .map(|(path, _)| path),
        );
    }
    found.sort();
    Ok(found)
}

/// A criterion tree as one document that [`crate::parse`] reads, so that sending a tree is one upload.
pub fn bundle_tree(root: &Path) -> Result<Vec<u8>, ParseError> {
    let directories = benchmarks(root)?;
    if directories.is_empty() {
        let error = ParseError::new(
            ErrorKind::WrongFormat,
            format!(
                "{} is no criterion tree: no new/sample.json in it",
                root.display()
            ),
        );
        return Err(error.hint("name the directory target/criterion"));
    }
    let written: Vec<Option<SystemTime>> = directories
        .iter()
        .map(|d| modified(&d.join("new/sample.json")))
        .collect();
    let fresh_from = last_run_began(written.iter().flatten().copied().collect());
    let mut out = json!({"format": "criterion", "bundle": 1})
        .to_string()
        .into_bytes();
    for (directory, written) in directories.iter().zip(written) {
        let name = directory
            .join("new")
            .strip_prefix(root)
            .unwrap_or(directory)
            .to_string_lossy()
            .replace('\\', "/");
        let stale = matches!((written, fresh_from), (Some(at), Some(from)) if at < from);
        let record = if stale {
            json!({"directory": name, "skipped": "not written by the last run: an earlier one left it behind"})
        } else {
            match files(&directory.join("new")) {
                Ok([benchmark, sample, estimates]) => {
                    json!({"directory": name, "benchmark": benchmark, "sample": sample, "estimates": estimates})
                }
                Err(error) => json!({"directory": name, "skipped": error.to_string()}),
            }
        };
        out.push(b'\n');
        out.extend(record.to_string().into_bytes());
    }
    Ok(out)
}

fn files(new: &Path) -> Result<[Value; 3], ParseError> {
    let read = |name: &str| {
        let text = String::from_utf8_lossy(&tree::read(&new.join(name))?).into_owned();
        json::parse(&text).map_err(|e| ParseError::new(e.kind, format!("{name}: {e}")))
    };
    Ok([
        read("benchmark.json")?,
        read("sample.json")?,
        read("estimates.json").unwrap_or_default(),
    ])
}

fn modified(path: &Path) -> Option<SystemTime> {
    path.metadata().ok()?.modified().ok()
}

/// When the last run began: the oldest of the times that follow one another without a pause, from the newest back.
fn last_run_began(mut written: Vec<SystemTime>) -> Option<SystemTime> {
    written.sort_unstable();
    let mut began = written.pop()?;
    while let Some(earlier) = written.pop() {
        if began
            .duration_since(earlier)
            .is_ok_and(|pause| pause > STALE_AFTER)
        {
            break;
        }
        began = earlier;
    }
    Some(began)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use std::fs;

    use super::*;

    fn tree(name: &str) -> PathBuf {
        let root =
            std::env::temp_dir().join(format!("longwatch-criterion-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&root);
        for (directory, id) in [("a/x", "a/x"), ("b", "b")] {
            for part in ["new", "base"] {
                let at = root.join(directory).join(part);
                fs::create_dir_all(&at).unwrap();
                fs::write(
                    at.join("sample.json"),
                    r#"{"sampling_mode":"Flat","iters":[2.0,4.0],"times":[10.0,24.0]}"#,
                )
                .unwrap();
                fs::write(
                    at.join("benchmark.json"),
                    format!(r#"{{"group_id":"{id}","full_id":"{id}"}}"#),
                )
                .unwrap();
            }
        }
        fs::create_dir_all(root.join("report")).unwrap();
        fs::write(root.join("report/index.html"), "<html>").unwrap();
        root
    }

    #[test]
    fn only_the_new_run_is_taken_and_divided_by_its_iterations() {
        let root = tree("new");
        let report = crate::parse_path(&root, &ParseOptions::default()).unwrap();
        fs::remove_dir_all(&root).unwrap();
        assert_eq!(report.observations.len(), 2);
        let Payload::Samples(samples) = &report.observations[0].payload else {
            panic!()
        };
        assert_eq!(samples.values, [5.0, 6.0]);
        assert_eq!(report.observations[0].basis, Basis::BatchMean);
    }

    #[test]
    fn a_tree_among_other_results_is_found_as_one() {
        let root = tree("among");
        let results = root.with_extension("results");
        let _ = fs::remove_dir_all(&results);
        fs::create_dir_all(&results).unwrap();
        fs::rename(&root, results.join("criterion")).unwrap();
        fs::write(results.join("k6.json"), "{}").unwrap();
        let found = crate::discover(&results).unwrap();
        fs::remove_dir_all(&results).unwrap();
        assert_eq!(found, [results.join("criterion"), results.join("k6.json")]);
    }

    #[test]
    fn what_an_earlier_run_left_behind_is_skipped() {
        let root = tree("stale");
        let old = fs::File::options()
            .append(true)
            .open(root.join("b/new/sample.json"))
            .unwrap();
        old.set_modified(SystemTime::now() - STALE_AFTER * 2)
            .unwrap();
        let report = crate::parse_path(&root, &ParseOptions::default()).unwrap();
        fs::remove_dir_all(&root).unwrap();
        assert_eq!((report.observations.len(), report.skipped.len()), (1, 1));
        assert_eq!(report.skipped[0].name, "b/new");
    }

    #[test]
    fn a_benchmark_that_does_not_parse_is_listed() {
        let root = tree("broken");
        fs::write(root.join("b/new/sample.json"), "{").unwrap();
        fs::write(
            root.join("a/x/new/sample.json"),
            r#"{"iters":[1.0],"times":[]}"#,
        )
        .unwrap();
        let report = crate::parse_path(&root, &ParseOptions::default()).unwrap();
        fs::remove_dir_all(&root).unwrap();
        assert_eq!((report.observations.len(), report.skipped.len()), (0, 2));
    }
}
