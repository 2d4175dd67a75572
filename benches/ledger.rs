//! How often the ranges of ledgers and forecasts hold the truth: histories whose levels are known, told by the detector as
//! the service does, from the runs alone.
//!
//! `cargo bench --bench ledger` draws a thousand histories for the ledger and as many bleeds for the forecast; `-- draws N`
//! draws more or fewer, `-- seed N` others.

use std::io::{self, Error};
use std::ops::AddAssign;

use longwatch::stats::headroom::{Climbed, Forecast, forecast_of_bleed};
use longwatch::stats::judge::{Change, Kind, Row, Settings, judge};
use longwatch::stats::ledger::{Ledger, Share, Span, ledger};
use longwatch::stats::runs::{estimate, history_noise};
use longwatch::stats::seeded::Seeded;
use longwatch::stats::{Direction, Estimate, Interval};

/// Of the ranges whose coverage is counted.
const ASKED: f64 = 0.9;
const LEVEL: f64 = 1e9;
const DAY_US: i64 = 86_400_000_000;
/// As the record has it of a laboratory.
const LEAST_DF: f64 = 10.0;
const LOWER: Settings = Settings {
    direction: Direction::Lower,
    minimum_pct: 0.5,
    least_surplus: 0.0,
};

/// A history of releases, one a day.
struct History {
    /// True level of each release.
    levels: Vec<f64>,
    /// What its runs measured.
    runs: Vec<Vec<f64>>,
    names: Vec<String>,
}

impl History {
    fn of(random: &mut Seeded, levels: Vec<f64>, runs: usize, sd: f64) -> Self {
        let measured = |level: &f64| -> Vec<f64> {
            (0..runs)
                .map(|_| level * (sd * random.normal()).exp())
                .collect()
        };
        Self {
            runs: levels.iter().map(measured).collect(),
            names: (0..levels.len()).map(|i| format!("v{i}")).collect(),
            levels,
        }
    }

    /// Up to three steps, and every other time a bleed.
    fn eventful(random: &mut Seeded) -> Self {
        let releases = between(random, 24, 60);
        let (runs, sd) = (between(random, 1, 5), 0.005 + 0.025 * random.uniform());
        let mut moved = vec![0.0; releases];
        for _ in 0..between(random, 0, 3) {
            let at = between(random, 1, releases - 1);
            let sign = if random.uniform() < 0.3 { -1.0 } else { 1.0 };
            moved[at] += sign * sd * (1.0 + 7.0 * random.uniform());
        }
        if random.uniform() < 0.5 {
            let length = between(random, 8, 22);
            let first = between(random, 1, releases - length);
            let slope = sd * (0.15 + 0.45 * random.uniform());
            moved[first..first + length]
                .iter_mut()
                .for_each(|x| *x += slope);
        }
        let mut level = LEVEL.ln();
        let levels = moved.iter().map(|change| {
            level += change;
            level.exp()
        });
        let levels = levels.collect();
        Self::of(random, levels, runs, sd)
    }

    fn changes(&self, known: usize) -> Vec<Change> {
        let rows: Vec<Row<'_>> = (0..known)
            .flat_map(|i| {
                self.runs[i].iter().map(move |value| Row {
                    time_us: i as i64 * DAY_US,
                    release: &self.names[i],
                    value: *value,
                    count: None,
                    se: None,
                })
            })
            .collect();
        judge(&rows, &[], &LOWER)
    }

    /// The release of a run.
    fn release(&self, run: usize) -> usize {
        run / self.runs[0].len()
    }

    /// The ledger, as the service makes it of what was told.
    fn ledger(&self) -> Option<Ledger> {
        let (mut steps, mut bleeds) = (Vec::new(), Vec::new());
        let changes = self.changes(self.runs.len());
        for change in changes.iter().filter(|change| change.is_firm()) {
            let (kind, runs) = match change.kind {
                Kind::Bleed => (&mut bleeds, (change.index, change.end)),
                _ => (&mut steps, (change.onset_lo, change.onset_hi)),
            };
            let (first, last) = (self.release(runs.0), self.release(runs.1));
            kind.push(Span { first, last });
        }
        ledger(&self.estimates()?, &steps, &bleeds, ASKED)
    }

    fn estimates(&self) -> Option<Vec<Estimate>> {
        let all: Vec<&[f64]> = self.runs.iter().map(Vec::as_slice).collect();
        let noise = history_noise(&all, LEAST_DF)?;
        let of_release = |own: &Vec<f64>| estimate(own, Some(&noise));
        self.runs.iter().map(of_release).collect()
    }
}

/// A whole number from `low` to `high`.
fn between(random: &mut Seeded, low: usize, high: usize) -> usize {
    low + (random.uniform() * (high + 1 - low) as f64) as usize
}

/// How many of how many ranges hold the truth.
#[derive(Default, Clone, Copy)]
struct Held {
    held: u32,
    of: u32,
}

impl Held {
    fn of(range: &Interval, truth: f64) -> Self {
        Held {
            held: u32::from(range.lower <= truth && truth <= range.upper),
            of: 1,
        }
    }

    fn say(self, name: &str) {
        let pct = 100.0 * f64::from(self.held) / f64::from(self.of.max(1));
        println!("{name:<52} {pct:>6.1} %  {} of {}", self.held, self.of);
    }
}

impl AddAssign for Held {
    fn add_assign(&mut self, other: Self) {
        self.held += other.held;
        self.of += other.of;
    }
}

fn ledgers(random: &mut Seeded, draws: u32) {
    let (mut zero, mut other) = (Held::default(), Held::default());
    let mut kinds = [Held::default(); 4];
    let mut sums = Held::default();
    for _ in 0..draws {
        let history = History::eventful(random);
        let Some(found) = history.ledger() else {
            continue;
        };
        let mut count = |share: &Share, is_named: bool| {
            let Span { first, last } = share.span;
            let truth = history.levels[last] - history.levels[first - 1];
            let held = Held::of(&share.change, truth);
            *(if truth == 0.0 { &mut zero } else { &mut other }) += held;
            kinds[2 * usize::from(!is_named) + usize::from(first < last)] += held;
        };
        found.shares.iter().for_each(|share| count(share, true));
        found.together.iter().for_each(|share| count(share, false));
        let parts = found.shares.iter().chain(&found.together);
        let sum: f64 = parts.map(|share| share.change.value).sum();
        sums += Held::of(&Interval::exact(found.total.value), sum);
    }
    println!("The ledger: the true share lies in its range of {ASKED}");
    zero.say("  releases that changed nothing");
    other.say("  releases that changed something");
    kinds[0].say("    named alone");
    kinds[1].say("    named together, where it is not sure which");
    kinds[2].say("    not named, alone between two that are");
    kinds[3].say("    not named, several together");
    sums.say("  shares that add up to the total, to the last digit");
}

/// Of a bleed towards a limit: whether the day on which its level passes it is in the range of 80 of 100, when it was
/// first told, and each week after.
fn forecasts(random: &mut Seeded, draws: u32) {
    let (mut first, mut later, mut open, mut passed) = (Held::default(), Held::default(), 0, 0);
    for _ in 0..draws {
        let (runs, sd) = (between(random, 1, 3), 0.005 + 0.015 * random.uniform());
        let slope = sd * (0.1 + 0.3 * random.uniform());
        let onset = between(random, 30, 90);
        let room = slope * between(random, 30, 150) as f64;
        let crossing = onset as f64 - 1.0 + room / slope;
        let level = |i: usize| LEVEL * (slope * i.saturating_sub(onset - 1) as f64).exp();
        let levels: Vec<f64> = (0..crossing.ceil() as usize).map(level).collect();
        let limit = LEVEL * room.exp();
        let history = History::of(random, levels, runs, sd);
        let mut told = None;
        for known in onset..=history.levels.len() {
            if told.is_some_and(|told| (known - told) % 7 != 0) {
                continue;
            }
            let changes = history.changes(known);
            let [bleed] = &changes[..] else { continue };
            if bleed.kind != Kind::Bleed || !bleed.is_firm() {
                continue;
            }
            let is_first = told.is_none();
            told = Some(told.unwrap_or(known));
            let (start, end) = (history.release(bleed.index), history.release(bleed.end));
            let climbed = Climbed {
                before: LEVEL,
                reached: LEVEL * (1.0 + bleed.effect_pct.value / 100.0),
                days: (end + 1 - start) as f64,
                mean_error_pct: bleed.mean_error_pct,
            };
            let truth = crossing - end as f64;
            let held = match forecast_of_bleed(&climbed, limit, Direction::Lower) {
                Some(Forecast::Between {
                    early_days,
                    late_days,
                }) => {
                    open += u32::from(late_days.is_none());
                    let upper = late_days.unwrap_or(f64::INFINITY);
                    Held {
                        held: u32::from(early_days <= truth && truth <= upper),
                        of: 1,
                    }
                }
                Some(Forecast::Passed) => {
                    passed += 1;
                    Held { held: 0, of: 1 }
                }
                Some(Forecast::NotAtThisRate) => Held { held: 0, of: 1 },
                None => continue,
            };
            *(if is_first { &mut first } else { &mut later }) += held;
        }
    }
    println!("\nThe forecast: the limit is reached within its range of 80 of 100");
    first.say("  as first told");
    later.say("  weekly from then on");
    println!("  with an open end {open}; said to be passed too soon {passed}");
}

fn main() -> io::Result<()> {
    let (mut seed, mut draws) = (20_261_123, 1_000);
    // Cargo adds a flag of its own, at the end.
    let mut arguments = std::env::args()
        .skip(1)
        .filter(|argument| argument != "--bench");
    while let Some(argument) = arguments.next() {
        let value = arguments.next().unwrap_or_default();
        let number: u32 = value
            .parse()
            .map_err(|error| Error::other(format!("{argument} {value}: {error}")))?;
        match argument.as_str() {
            "seed" => seed = u64::from(number),
            "draws" => draws = number,
            _ => return Err(Error::other(format!("{argument}: seed or draws"))),
        }
    }
    ledgers(&mut Seeded::new(seed), draws);
    forecasts(&mut Seeded::new(seed + 1), draws);
    Ok(())
}
