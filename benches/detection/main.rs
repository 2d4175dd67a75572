//! How well the detector finds changes in series that it was never fitted to: two hundred from a generator that shares
//! no code with it, scored by the rules in [`alarms`] and [`tally`].
//!
//! `cargo bench --bench detection` prints a table for the replay, in which the detector sees every row as if it were the
//! newest one, and one for hindsight. `-- replay` or `-- hindsight` prints that one alone, `-- seed N` draws other
//! series, `-- errors` names every miss and false alarm. `-- write DIR` writes the series and their labels for other
//! detectors, `-- detections DIR` what ours answers, both as the benchmark's scorer reads them.
#![allow(
    clippy::expect_used,
    reason = "the distributions' parameters are constants"
)]

mod alarms;
mod classes;
mod draft;
mod fresh;
mod noise;
mod tally;

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Error};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use longwatch::stats::detections::{Detection, Series, detect, read};
use serde_json::json;

use fresh::Fresh;
use tally::Tally;

/// Where nothing else is said: a date, chosen before the first run.
const SEED: u64 = 20_261_122;

/// The detections of all series, by name.
type Found = BTreeMap<String, Vec<Detection>>;

/// What is asked of this run.
#[derive(Debug)]
struct Asked {
    seed: u64,
    modes: Vec<&'static str>,
    series_into: Option<PathBuf>,
    detections_into: Option<PathBuf>,
    with_errors: bool,
}

fn main() -> io::Result<()> {
    // Cargo adds a flag of its own, at the end.
    let arguments = std::env::args()
        .skip(1)
        .filter(|argument| argument != "--bench");
    let asked = Asked::of(arguments)?;
    let made = fresh::all(asked.seed);
    if let Some(folder) = &asked.series_into {
        write_series(folder, &made)?;
    }
    let series: BTreeMap<String, Series> = made
        .iter()
        .map(|(name, fresh)| Ok((name.clone(), read(&fresh.csv).map_err(Error::other)?)))
        .collect::<io::Result<_>>()?;
    let rows: usize = series.values().map(|s| s.values.len()).sum();
    println!("{} series, {rows} rows, seed {}", made.len(), asked.seed);
    for mode in asked.modes {
        let began = Instant::now();
        let found = detect_all(&made, &series, mode == "replay")?;
        let took_s = began.elapsed().as_secs_f64();
        println!("\n{:<42} {:>7}  in {took_s:.1} s", mode, "measured");
        let mut tally = Tally::default();
        for (name, fresh) in &made {
            tally.add(name, fresh, &numbered(&series[name].releases), &found[name]);
        }
        tally.print(mode == "replay");
        if asked.with_errors {
            println!();
            tally.errors.iter().for_each(|error| println!("{error}"));
        }
        if let Some(folder) = &asked.detections_into {
            fs::create_dir_all(folder)?;
            let answer = json!({ "detector": "longwatch", "runtime_s": took_s, "series": found });
            fs::write(folder.join(format!("{mode}.json")), answer.to_string())?;
        }
    }
    Ok(())
}

impl Asked {
    fn of(mut arguments: impl Iterator<Item = String>) -> io::Result<Asked> {
        let mut asked = Asked {
            seed: SEED,
            modes: Vec::new(),
            series_into: None,
            detections_into: None,
            with_errors: false,
        };
        while let Some(argument) = arguments.next() {
            let mut value = || {
                let missing = || Error::other(format!("{argument} wants a value after it"));
                arguments.next().ok_or_else(missing)
            };
            match argument.as_str() {
                "replay" => asked.modes.push("replay"),
                "hindsight" => asked.modes.push("hindsight"),
                "errors" => asked.with_errors = true,
                "seed" => {
                    let wrong =
                        |error: std::num::ParseIntError| Error::other(format!("seed: {error}"));
                    asked.seed = value()?.parse().map_err(wrong)?;
                }
                "write" => asked.series_into = Some(value()?.into()),
                "detections" => asked.detections_into = Some(value()?.into()),
                unknown => {
                    return Err(Error::other(format!(
                        "nothing is called {unknown:?}; there are replay, hindsight, errors, seed N, write DIR, \
                         detections DIR"
                    )));
                }
            }
        }
        if asked.modes.is_empty() {
            asked.modes = vec!["replay", "hindsight"];
        }
        Ok(asked)
    }
}

fn write_series(folder: &std::path::Path, made: &BTreeMap<String, Fresh>) -> io::Result<()> {
    fs::create_dir_all(folder.join("series"))?;
    for fresh in made.values() {
        fs::write(folder.join(&fresh.label.file), &fresh.csv)?;
    }
    let labels: BTreeMap<_, _> = made.iter().map(|(name, f)| (name, &f.label)).collect();
    let all = json!({ "version": 1, "half": "fresh", "margin": alarms::MARGIN, "series": labels });
    fs::write(
        folder.join("labels.json"),
        serde_json::to_string_pretty(&all)?,
    )
}

/// Asks the detector on all processors: each series alone, those of one group together.
fn detect_all(
    made: &BTreeMap<String, Fresh>,
    series: &BTreeMap<String, Series>,
    as_replay: bool,
) -> io::Result<Found> {
    let mut groups = BTreeMap::new();
    let mut sets: BTreeMap<String, BTreeMap<String, Series>> = BTreeMap::new();
    for (name, fresh) in made {
        let group = fresh.label.group.clone();
        groups.extend(group.clone().map(|group| (name.clone(), group)));
        let set = sets.entry(group.unwrap_or_else(|| name.clone()));
        set.or_default().insert(name.clone(), series[name].clone());
    }
    // The largest first: else the last one leaves the other processors idle.
    let mut sets: Vec<_> = sets.into_values().collect();
    sets.sort_by_key(|set| {
        let rows = set.values().map(|s| s.values.len());
        std::cmp::Reverse(rows.map(|rows| rows * rows).sum::<usize>())
    });
    let next = AtomicUsize::new(0);
    let work = || {
        let mut found = Found::new();
        while let Some(set) = sets.get(next.fetch_add(1, Ordering::Relaxed)) {
            found.extend(detect(set, &groups, as_replay));
        }
        found
    };
    let processors = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    thread::scope(|scope| {
        let workers: Vec<_> = (0..processors).map(|_| scope.spawn(work)).collect();
        let mut found = Found::new();
        for worker in workers {
            let part = worker.join();
            found.extend(part.map_err(|_| Error::other("the detector panicked"))?);
        }
        Ok(found)
    })
}

/// The number of each row's release, in the order in which they first come.
fn numbered(releases: &[String]) -> Vec<usize> {
    let mut numbers = BTreeMap::new();
    releases
        .iter()
        .map(|release| {
            let next = numbers.len();
            *numbers.entry(release).or_insert(next)
        })
        .collect()
}
