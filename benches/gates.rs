//! How often gates are wrong: releases whose truth is known, held against the release before by the rule that gates use.
//!
//! `cargo bench --bench gates` draws ten thousand releases a cell from normal noise; `-- DIR` draws them from the CSV series
//! in a directory as well, which should be flat: runs as they stand one after the other, with the memory and the tails that
//! they have. `-- draws N` draws more or fewer, `-- seed N` others.
#![allow(
    clippy::expect_used,
    reason = "what is measured is there, or the measurement ends"
)]

use std::fs;
use std::io::{self, Error};
use std::path::{Path, PathBuf};

use longwatch::stats::Direction;
use longwatch::stats::detections::read;
use longwatch::stats::gate::{Rule, Verdict, check_confidence, regression, runs_needed};
use longwatch::stats::runs::{Noise, history_noise};
use longwatch::stats::seeded::Seeded;
use longwatch::stats::wording::Scale;

/// Releases before the one that is asked about; the newest is what it is compared with.
const HISTORY: usize = 21;
/// The allowed change, in per cent.
const MARGIN_PCT: f64 = 2.0;
/// Of the gate; its one series has a budget and a comparison, so that each check has half of the error.
const CONFIDENCE: f64 = 0.95;
const CHECKS: usize = 2;
/// As gates have it of a laboratory.
const LEAST_DF: f64 = 5.0;

const RUNS: [usize; 6] = [1, 2, 3, 5, 10, 30];
const NOISE_PCT: [f64; 4] = [0.5, 1.0, 2.0, 5.0];

/// What runs scatter by, as logarithms.
enum Scatter {
    /// Independent, of this standard deviation.
    Normal(f64),
    /// The same, and besides as much and half as much again that the runs of a release share, as those of one machine.
    Shared(f64),
    /// Stretches of series as they were measured.
    Measured(Vec<Vec<f64>>),
}

impl Scatter {
    fn draw(&self, random: &mut Seeded, n: usize) -> Option<Vec<f64>> {
        match self {
            Scatter::Normal(sd) => Some((0..n).map(|_| sd * random.normal()).collect()),
            Scatter::Shared(sd) => {
                let runs = n / (HISTORY + 1);
                let releases = (0..=HISTORY).flat_map(|_| {
                    let shared = 1.5 * random.normal();
                    let own: Vec<f64> = (0..runs).map(|_| random.normal()).collect();
                    own.into_iter().map(move |x| sd * (shared + x))
                });
                Some(releases.collect())
            }
            Scatter::Measured(series) => {
                let long: Vec<&Vec<f64>> = series.iter().filter(|s| s.len() >= n).collect();
                let below = |random: &mut Seeded, n: usize| (random.uniform() * n as f64) as usize;
                let one = long.get(below(random, long.len()))?;
                let start = below(random, one.len() - n + 1);
                Some(one[start..start + n].to_vec())
            }
        }
    }
}

/// A release with those before it: 100 at first, the newest changed.
struct Drawn {
    before: Vec<Vec<f64>>,
    newest: Vec<f64>,
}

impl Drawn {
    fn of(scatter: &Scatter, random: &mut Seeded, runs: usize, change_pct: f64) -> Option<Drawn> {
        let logs = scatter.draw(random, (HISTORY + 1) * runs)?;
        let mut releases: Vec<Vec<f64>> = logs
            .chunks(runs)
            .map(|own| own.iter().map(|x| 100.0 * x.exp()).collect())
            .collect();
        let mut newest = releases.pop()?;
        newest
            .iter_mut()
            .for_each(|x| *x *= 1.0 + change_pct / 100.0);
        Some(Drawn {
            before: releases,
            newest,
        })
    }

    /// The answer from the first `runs` of the newest release, at the `look`th look.
    fn verdict(&self, runs: usize, look: u32) -> Verdict {
        let newest = &self.newest[..runs];
        let all = self.before.iter().map(Vec::as_slice).chain([newest]);
        let noise = history_noise(&all.collect::<Vec<_>>(), LEAST_DF);
        let reference = self.before.last().map_or(&[][..], Vec::as_slice);
        let rule = Rule {
            direction: Direction::Lower,
            margin_pct: MARGIN_PCT,
            minimum: 0.0,
            confidence: check_confidence(CONFIDENCE, CHECKS, look),
        };
        let scale = Scale {
            factor: 1.0,
            symbol: "",
        };
        regression(newest, reference, noise.as_ref(), &rule, scale).verdict
    }

    /// The answer of who asks after every run until it is settled.
    fn verdict_with_peeking(&self) -> Verdict {
        let looks = 1..=self.newest.len();
        looks
            .map(|runs| self.verdict(runs, u32::try_from(runs).unwrap_or(u32::MAX)))
            .find(|verdict| *verdict != Verdict::Inconclusive)
            .unwrap_or(Verdict::Inconclusive)
    }
}

/// Shares of fail and of pass in per cent.
fn shares(
    scatter: &Scatter,
    runs: usize,
    change_pct: f64,
    asked: &Asked,
    peeks: bool,
) -> Option<(f64, f64)> {
    let mut random = Seeded::new(asked.seed);
    let (mut fails, mut passes) = (0, 0);
    for _ in 0..asked.draws {
        let drawn = Drawn::of(scatter, &mut random, runs, change_pct)?;
        let verdict = if peeks {
            drawn.verdict_with_peeking()
        } else {
            drawn.verdict(runs, 1)
        };
        fails += u32::from(verdict == Verdict::Fail);
        passes += u32::from(verdict == Verdict::Pass);
    }
    let share = |count: u32| 100.0 * f64::from(count) / f64::from(asked.draws);
    Some((share(fails), share(passes)))
}

fn measure(name: &str, scatter: &Scatter, asked: &Asked) {
    for runs in RUNS {
        for peeks in [false, true] {
            let of = |change_pct| shares(scatter, runs, change_pct, asked, peeks);
            let (Some(same), Some(edge)) = (of(0.0), of(MARGIN_PCT)) else {
                continue;
            };
            let words = if peeks { "after each" } else { "at once" };
            println!(
                "{name:>11} {runs:>4} {words:>10} {:>10.2} {:>10.2} {:>10.2} {:>9.1} {:>13.1}",
                same.0,
                edge.0,
                edge.1,
                same.1,
                100.0 - same.0 - same.1
            );
            if runs == 1 {
                break;
            }
        }
    }
}

/// What is asked of this run.
struct Asked {
    seed: u64,
    draws: u32,
    measured: Option<PathBuf>,
}

impl Asked {
    fn of(mut arguments: impl Iterator<Item = String>) -> io::Result<Asked> {
        let mut asked = Asked {
            seed: 20_261_123,
            draws: 10_000,
            measured: None,
        };
        while let Some(argument) = arguments.next() {
            let mut number = || -> io::Result<u64> {
                let value = arguments.next().unwrap_or_default();
                value
                    .parse()
                    .map_err(|error| Error::other(format!("{argument} {value}: {error}")))
            };
            match argument.as_str() {
                "seed" => asked.seed = number()?,
                "draws" => asked.draws = u32::try_from(number()?).map_err(Error::other)?,
                directory => asked.measured = Some(directory.into()),
            }
        }
        Ok(asked)
    }
}

/// The series of a directory, each as logarithms about its middle.
fn measured(directory: &Path) -> io::Result<Vec<Vec<f64>>> {
    let mut all = Vec::new();
    for entry in fs::read_dir(directory)? {
        let text = fs::read_to_string(entry?.path())?;
        let series = read(&text).map_err(Error::other)?;
        let logs: Vec<f64> = series.values.iter().map(|x| x.ln()).collect();
        let middle = logs.iter().sum::<f64>() / logs.len().max(1) as f64;
        if middle.is_finite() {
            all.push(logs.iter().map(|x| x - middle).collect());
        }
    }
    Ok(all)
}

fn main() -> io::Result<()> {
    // Cargo adds a flag of its own, at the end.
    let arguments = std::env::args()
        .skip(1)
        .filter(|argument| argument != "--bench");
    let asked = Asked::of(arguments)?;
    let wrong_pct = 100.0 * (1.0 - check_confidence(CONFIDENCE, CHECKS, 1)) / 2.0;
    let peeking_pct = 100.0 * (1.0 - CONFIDENCE) / 2.0 / CHECKS as f64;
    println!(
        "{} releases a cell, margin {MARGIN_PCT} %, confidence {CONFIDENCE} over {CHECKS} checks; each wrong answer is \
         stated to come in {wrong_pct:.2} of 100 at most, asked after each run in {peeking_pct:.2}\n",
        asked.draws
    );
    println!(
        "{:>11} {:>4} {:>10} {:>10} {:>10} {:>10} {:>9} {:>13}",
        "noise", "runs", "asked", "wrong fail", "at margin", "wrong pass", "pass", "inconclusive"
    );
    for noise_pct in NOISE_PCT {
        let scatter = Scatter::Normal(noise_pct / 100.0);
        measure(&format!("{noise_pct} %"), &scatter, &asked);
    }
    measure("1 %, shared", &Scatter::Shared(0.01), &asked);
    if let Some(directory) = &asked.measured {
        measure("measured", &Scatter::Measured(measured(directory)?), &asked);
    }
    println!("\nRuns that are said to let a release that changed nothing pass in 80 of 100:");
    for noise_pct in NOISE_PCT {
        let sd_log = noise_pct / 100.0;
        let noise = Noise { sd_log, df: 60.0 };
        let confidence = check_confidence(CONFIDENCE, CHECKS, 1);
        match runs_needed(&noise, MARGIN_PCT, confidence) {
            Some(runs) => {
                let scatter = Scatter::Normal(sd_log);
                let passes = shares(&scatter, runs as usize, 0.0, &asked, false);
                let passes = passes.map_or(f64::NAN, |(_, pass)| pass);
                println!("{noise_pct:>7} %: {runs:>3} runs, {passes:.1} passed");
            }
            None => println!("{noise_pct:>7} %: more than gates ask for"),
        }
    }
    Ok(())
}
