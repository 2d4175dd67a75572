//! A series in the making: its days and releases, its level and its noise, and how it is written at the end.

use std::fmt::Write as _;
use std::ops::RangeInclusive;

use rand::RngExt;
use rand::rngs::StdRng;
use rand_distr::{Distribution, Exp1};

use crate::fresh::Truth;
use crate::noise::{Noise, normal};

const DAY_S: i64 = 86_400;
/// 2023-01-01 in days since the epoch: series begin in the three years from here.
const FIRST_DAY: i64 = 19_358;
/// The root of the page views times the relative standard deviation of their P75, where they are log-normal with a
/// deviation of 0.6: 0.6 √(0.75 · 0.25) / φ(0.674).
const P75_SD: f64 = 0.82;
const MACHINES: [&str; 3] = ["machine-1", "machine-2", "machine-3"];

/// A series in the making: every list has one entry a row.
#[derive(Debug, Clone)]
pub(crate) struct Draft {
    pub(crate) noise: Noise,
    /// Runs of a release; in field data its days.
    runs: usize,
    /// Seconds since the epoch in UTC.
    times_s: Vec<i64>,
    /// The release's number.
    releases: Vec<usize>,
    /// Logarithm of the level, relative to the first.
    pub(crate) level_log: Vec<f64>,
    /// Standard deviation of the logarithm.
    pub(crate) sd_log: Vec<f64>,
    /// Page views.
    counts: Option<Vec<u64>>,
    envs: Option<Vec<&'static str>>,
    pub(crate) truth: Vec<Truth>,
    pub(crate) step_pct: Option<u32>,
    pub(crate) group: Option<String>,
}

impl Draft {
    /// One run a day, so many of one release, at a level that stays; without noise as yet.
    pub(crate) fn daily(random: &mut StdRng, rows: usize, noise: Noise, runs: usize) -> Draft {
        let first_s =
            (FIRST_DAY + random.random_range(0..1_000)) * DAY_S + random.random_range(0..DAY_S);
        Draft {
            noise,
            runs,
            times_s: (0..rows as i64)
                .map(|day| first_s + day * DAY_S + random.random_range(0..1_800))
                .collect(),
            releases: (0..rows).map(|row| row / runs).collect(),
            level_log: vec![0.0; rows],
            sd_log: vec![0.0; rows],
            counts: None,
            envs: None,
            truth: Vec::new(),
            step_pct: None,
            group: None,
        }
    }

    /// Benchmarks as they are run: mostly once a release and day, in three of ten series two or three times a release.
    pub(crate) fn ci(random: &mut StdRng, (low, high): (usize, usize), noise: Noise) -> Draft {
        let is_per_release = matches!(noise, Noise::PerRelease);
        let runs = match random.random_range(0..10) {
            0..2 => 2,
            2 => 3,
            other if is_per_release => 2 + other % 2,
            _ => 1,
        };
        let rows = random.random_range(low..=high);
        let mut draft = Draft::daily(random, rows, noise, runs);
        draft.space(random);
        draft
    }

    /// In one of five series, days apart as they come: waits of a day in the mean, and in one of three of those some
    /// weeks without any run.
    pub(crate) fn space(&mut self, random: &mut StdRng) {
        if random.random_bool(0.8) {
            return;
        }
        let rows = self.len();
        let holiday = random
            .random_bool(1.0 / 3.0)
            .then(|| random.random_range(rows / 4..rows));
        let mut now_s = self.times_s[0];
        for row in 0..rows {
            let wait: f64 = Exp1.sample(random);
            now_s += 600 + (wait * (DAY_S - 600) as f64) as i64;
            if holiday == Some(row) {
                now_s += random.random_range(14..28) * DAY_S;
            }
            self.times_s[row] = now_s;
        }
    }

    /// The daily P75 of real users over so many weeks with a release each: fewer of them at the end of the week, who
    /// see other pages or devices.
    pub(crate) fn field(random: &mut StdRng, weeks: RangeInclusive<usize>) -> Draft {
        let rows = 7 * random.random_range(weeks);
        let mut draft = Draft::daily(random, rows, Noise::Weekly, 7);
        let first_days = random.random_range(0..7);
        draft.releases = (0..rows).map(|row| (row + first_days) / 7).collect();
        let views = log_uniform(random, 800.0, 12_000.0);
        let weekend = random.random_range(0.4..0.85);
        let day_sd: f64 = random.random_range(0.003..0.01);
        let views: Vec<f64> = (0..rows)
            .map(|row| {
                let share = if draft.is_weekend(row) { weekend } else { 1.0 };
                (views * share * (0.12 * normal(random)).exp()).round()
            })
            .collect();
        draft.sd_log = views
            .iter()
            .map(|n| (day_sd.powi(2) + P75_SD.powi(2) / n).sqrt())
            .collect();
        draft.counts = Some(views.into_iter().map(|n| n as u64).collect());
        let size_log = random.random_range(0.005..0.03) * if random.random() { 1.0 } else { -1.0 };
        draft.put_week(size_log);
        draft
    }

    /// Rows.
    pub(crate) fn len(&self) -> usize {
        self.releases.len()
    }

    /// The first row of the release that this row belongs to.
    pub(crate) fn release_start(&self, row: usize) -> usize {
        self.releases
            .partition_point(|release| *release < self.releases[row])
    }

    fn is_weekend(&self, row: usize) -> bool {
        // The epoch began on a Thursday.
        matches!((self.times_s[row].div_euclid(DAY_S) + 4) % 7, 0 | 6)
    }

    /// Adds a cycle: this much on Saturdays and Sundays, logarithmic.
    pub(crate) fn put_week(&mut self, size_log: f64) {
        for row in 0..self.len() {
            if self.is_weekend(row) {
                self.level_log[row] += size_log;
            }
        }
    }

    /// Names the machines, a new one from each of these rows on.
    pub(crate) fn name_machines(&mut self, rows: &[usize]) {
        let machine = |row| MACHINES[rows.iter().filter(|new| **new <= row).count()];
        self.envs = Some((0..self.len()).map(machine).collect());
    }

    /// A deviation for the noise with which the least of these changes is worth so many standard errors, each order
    /// of magnitude as likely as another; none where no allowed one does. `changes` are rows and logarithmic sizes.
    pub(crate) fn sd_log_for(
        &self,
        random: &mut StdRng,
        changes: &[(usize, f64)],
        (sd_low, sd_high): (f64, f64),
        (z_low, z_high): (f64, f64),
    ) -> Option<f64> {
        // As if the noise were one: then what a change is worth is what the deviation is divided by.
        let mut unit = self.clone();
        unit.sd_log = vec![1.0; self.len()];
        let least = unit
            .worths(changes)
            .into_iter()
            .fold(f64::INFINITY, f64::min);
        // A large shift is worth more than the most that is asked for: then the noise is large as well.
        let low = (least / z_high).clamp(sd_low, sd_high / 2.0);
        let high = sd_high.min(least / z_low);
        (low < high).then(|| log_uniform(random, low, high))
    }

    /// What each change is worth between its neighbours, in standard errors.
    fn worths(&self, changes: &[(usize, f64)]) -> Vec<f64> {
        (0..changes.len())
            .map(|i| {
                let before = if i == 0 { 0 } else { changes[i - 1].0 };
                let after = changes.get(i + 1).map_or(self.len(), |next| next.0);
                self.z(before, changes[i].0, after, changes[i].1)
            })
            .collect()
    }

    /// A change of this logarithmic size at `at`, in standard errors of the means of `from..at` and `at..to`.
    pub(crate) fn z(&self, from: usize, at: usize, to: usize, size_log: f64) -> f64 {
        let variance = self.sd_log[from..to].iter().map(|sd| sd * sd).sum::<f64>();
        let sd = (variance / (to - from) as f64).sqrt() * self.noise.inflation(self.runs);
        let (before, after) = ((at - from) as f64, (to - at) as f64);
        size_log.abs() / sd * (before * after / (before + after)).sqrt()
    }

    fn shift(&mut self, at: usize, size_log: f64) {
        self.level_log[at..]
            .iter_mut()
            .for_each(|level| *level += size_log);
    }

    /// Puts a change in as an epoch.
    pub(crate) fn put_epoch(&mut self, (index, size_log): (usize, f64), visible: bool) {
        self.shift(index, size_log);
        self.truth.push(Truth::Epoch {
            index,
            effect_pct: pct(size_log),
            visible,
        });
    }

    /// Puts changes in as steps, all but so many first ones.
    pub(crate) fn put_steps(&mut self, changes: &[(usize, f64)], but: usize) {
        let worths = self.worths(changes);
        for ((index, size_log), z) in changes.iter().zip(worths).skip(but) {
            self.shift(*index, *size_log);
            self.truth.push(Truth::Step {
                index: *index,
                effect_pct: pct(*size_log),
                z: rounded_to(z, 2),
                detectable: true,
            });
        }
    }

    /// Puts a bleed in from a row on; what its end is worth against its beginning, in standard errors.
    pub(crate) fn put_bleed(&mut self, start: usize, releases: usize, per_release_pct: f64) -> f64 {
        let per_release_log = (per_release_pct / 100.0).ln_1p();
        for row in start..self.len() {
            let slower = (self.releases[row] - self.releases[start] + 1).min(releases);
            self.level_log[row] += slower as f64 * per_release_log;
        }
        let total_log = releases as f64 * per_release_log;
        let z = self.z(0, start, start + releases * self.runs, total_log);
        self.truth = vec![Truth::Bleed {
            start,
            end: start + (releases - 1) * self.runs,
            releases,
            points_per_release: self.runs,
            per_release_pct,
            total_pct: pct(total_log),
            z: rounded_to(z, 2),
            detectable: true,
        }];
        z
    }

    /// The series as `time,release,value[,count][,env]`.
    pub(crate) fn csv(&self, random: &mut StdRng) -> String {
        let mut text = String::from("time,release,value");
        text.push_str(self.counts.as_ref().map_or("", |_| ",count"));
        text.push_str(self.envs.as_ref().map_or("", |_| ",env"));
        text.push('\n');
        let base = self.noise.base(self.sd_log[0], random);
        let deviations = self.noise.deviations(&self.releases, random);
        for (row, deviation) in deviations.into_iter().enumerate() {
            let value = base * (self.level_log[row] + self.sd_log[row] * deviation).exp();
            let value = significant(self.noise.told(value, random));
            let (time_s, release) = (self.times_s[row], self.releases[row]);
            // Writing to a string does not fail.
            let _ = write!(text, "{time_s},b{release:04},{value}");
            if let Some(counts) = &self.counts {
                let _ = write!(text, ",{}", counts[row]);
            }
            if let Some(envs) = &self.envs {
                let _ = write!(text, ",{}", envs[row]);
            }
            text.push('\n');
        }
        text
    }
}

/// Six significant digits, as benchmark programs report them.
fn significant(value: f64) -> f64 {
    format!("{value:.5e}").parse().unwrap_or(value)
}

/// A change of the logarithm in per cent, as the labels have it.
pub(crate) fn pct(log: f64) -> f64 {
    rounded_to(100.0 * log.exp_m1(), 3)
}

/// Rounds to so many decimals.
pub(crate) fn rounded_to(value: f64, decimals: i32) -> f64 {
    (value * 10_f64.powi(decimals)).round() / 10_f64.powi(decimals)
}

/// A number between two, each order of magnitude as likely as another.
pub(crate) fn log_uniform(random: &mut StdRng, low: f64, high: f64) -> f64 {
    (low.ln() + (high / low).ln() * random.random::<f64>()).exp()
}
