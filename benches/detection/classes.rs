//! What is put into the series of each class: where, how large, and over how much noise.

use rand::RngExt;
use rand::rngs::StdRng;

use crate::draft::{Draft, log_uniform, pct, rounded_to};
use crate::fresh::Truth;
use crate::noise::Noise;

/// Rows of a series, fewest and most.
const ROWS: (usize, usize) = (120, 365);
/// Standard deviation of the noise's logarithm, least and most.
const SD_LOG: (f64, f64) = (0.002, 0.04);
/// A step is worth so many standard errors of the means before and after, least and most.
const STEP_Z: (f64, f64) = (12.0, 40.0);
/// A bleed as a whole is worth at least so many: at the smallest slope and the fewest releases together, the noise would
/// hide it.
const BLEED_Z: f64 = 20.0;
/// Rows before a first change.
const BEFORE: usize = 35;
/// Rows after a last change.
const AFTER: usize = 20;
/// Rows between two changes.
const BETWEEN: usize = 25;
/// Nominal sizes of steps, per cent; downwards by the inverse factor.
const STEPS_PCT: [u32; 4] = [1, 2, 5, 10];
/// What a bleed adds with each release, per cent.
const BLEEDS_PCT: [f64; 5] = [0.1, 0.2, 0.3, 0.5, 1.0];
/// What a bleed adds with each row, in standard deviations of the noise, least and most.
const SLOPE_SD: (f64, f64) = (0.09, 0.6);

/// One step.
pub(crate) fn step(random: &mut StdRng, turn: usize) -> Draft {
    let noise = Noise::beneath(turn, random);
    // Shifted by one with each round of the noises, so that every noise meets every size.
    let pct = STEPS_PCT[(turn + turn / 10) % 4];
    loop {
        let mut draft = Draft::ci(random, ROWS, noise);
        let at = draft.release_start(random.random_range(BEFORE..draft.len() - AFTER));
        let changes = [(at, either_way(random, pct))];
        if let Some(sd_log) = draft.sd_log_for(random, &changes, SD_LOG, STEP_Z) {
            draft.sd_log = vec![sd_log; draft.len()];
            draft.step_pct = Some(pct);
            draft.put_steps(&changes, 0);
            return draft;
        }
    }
}

/// Two or three steps of one size.
pub(crate) fn multi_step(random: &mut StdRng, turn: usize) -> Draft {
    let noise = Noise::beneath(turn, random);
    loop {
        let mut draft = Draft::ci(random, (180, ROWS.1), noise);
        let pct = STEPS_PCT[random.random_range(0..4)];
        let mut rows: Vec<usize> = (0..2 + turn % 2)
            .map(|_| draft.release_start(random.random_range(BEFORE..draft.len() - BETWEEN)))
            .collect();
        rows.sort_unstable();
        let changes: Vec<(usize, f64)> = rows
            .iter()
            .map(|row| (*row, either_way(random, pct)))
            .collect();
        let is_apart = rows.windows(2).all(|two| two[1] - two[0] >= BETWEEN);
        if let (true, Some(sd_log)) = (is_apart, draft.sd_log_for(random, &changes, SD_LOG, STEP_Z))
        {
            draft.sd_log = vec![sd_log; draft.len()];
            draft.step_pct = Some(pct);
            draft.put_steps(&changes, 0);
            return draft;
        }
    }
}

/// Twenty to sixty releases, each a little slower than the one before.
pub(crate) fn bleed(random: &mut StdRng, turn: usize) -> Draft {
    let noise = Noise::beneath(turn, random);
    // Runs of one release share an effect only where there are several.
    let fewest = usize::from(matches!(noise, Noise::PerRelease));
    let runs = (1 + (turn + turn / 10) % 3).max(1 + fewest);
    let per_release_pct = BLEEDS_PCT[(turn + turn / 10) % 5];
    loop {
        let releases: usize = random.random_range(20..=60);
        let start = random.random_range(60_usize..=100).next_multiple_of(runs);
        let rows = start + releases * runs + random.random_range(10..=100);
        let slope = (per_release_pct / 100.0).ln_1p() / runs as f64;
        let low = SD_LOG.0.max(slope / SLOPE_SD.1);
        let high = SD_LOG.1.min(slope / SLOPE_SD.0);
        if rows > ROWS.1 || low > high {
            continue;
        }
        let mut draft = Draft::daily(random, rows, noise, runs);
        draft.space(random);
        let sd_log = log_uniform(random, low, high);
        draft.sd_log = vec![sd_log; rows];
        if draft.put_bleed(start, releases, per_release_pct) >= BLEED_Z {
            return draft;
        }
    }
}

/// A larger spread about the same level.
pub(crate) fn variance(random: &mut StdRng, turn: usize) -> Draft {
    let noise = Noise::beneath(turn, random);
    let mut draft = quiet(random, noise, SD_LOG.1 / 4.0);
    let index = random.random_range(BEFORE..draft.len() - BEFORE);
    let factor = rounded_to(random.random_range(2.5..4.0), 1);
    draft.sd_log[index..]
        .iter_mut()
        .for_each(|sd| *sd *= factor);
    draft.truth = vec![Truth::Variance { index, factor }];
    draft
}

/// Three to six pulses of one to three rows, most of them upwards.
pub(crate) fn spike(random: &mut StdRng, turn: usize) -> Draft {
    let noise = Noise::beneath(turn, random);
    let mut draft = quiet(random, noise, SD_LOG.1 / 2.0);
    // One in each stretch of the series, so that no two make a level of their own.
    let pulses = random.random_range(3..=6);
    let stretch = (draft.len() - BEFORE) / pulses;
    for pulse in 0..pulses {
        let index = AFTER + pulse * stretch + random.random_range(0..stretch - 12);
        let width = random.random_range(1..=3);
        let sign = if random.random_bool(0.8) { 1.0 } else { -1.0 };
        let height_log = sign * (draft.sd_log[0] * random.random_range(8.0..40.0)).min(1.0);
        let pulse_log = &mut draft.level_log[index..index + width];
        pulse_log.iter_mut().for_each(|level| *level += height_log);
        draft.truth.push(Truth::Spike {
            index,
            width,
            effect_pct: pct(height_log),
        });
    }
    draft
}

/// New machines, and nothing else.
pub(crate) fn env_benign(random: &mut StdRng, turn: usize) -> Draft {
    let noise = Noise::beneath(turn, random);
    let mut draft = quiet(random, noise, SD_LOG.1);
    let half = draft.len() / 2;
    let mut rows = vec![random.random_range(BEFORE..half)];
    if turn.is_multiple_of(2) {
        rows.push(random.random_range(half + BETWEEN..draft.len() - AFTER));
    }
    draft.name_machines(&rows);
    let changed = |index: &usize| Truth::EnvChange {
        index: *index,
        effect_pct: 0.0,
        visible: true,
    };
    draft.truth = rows.iter().map(changed).collect();
    draft
}

/// A new machine with a level of its own; in every second series a step of the release after it.
pub(crate) fn epoch_env(random: &mut StdRng, turn: usize) -> Draft {
    let noise = Noise::beneath(turn, random);
    let shift_pct = [-30.0, -15.0, 5.0, 10.0, 20.0, 40.0][turn % 6];
    loop {
        let mut draft = Draft::ci(random, (150, ROWS.1), noise);
        let at = draft.release_start(random.random_range(BEFORE..draft.len() - 4 * AFTER));
        let mut changes = vec![(at, f64::ln_1p(shift_pct / 100.0))];
        if turn % 2 == 1 {
            let later = random.random_range(at + BETWEEN + 3..draft.len() - AFTER);
            let pct = [5, 10][turn / 2 % 2];
            changes.push((draft.release_start(later), either_way(random, pct)));
            draft.step_pct = Some(pct);
        }
        if let Some(sd_log) = draft.sd_log_for(random, &changes, SD_LOG, STEP_Z) {
            draft.sd_log = vec![sd_log; draft.len()];
            draft.put_epoch(changes[0], true);
            draft.put_steps(&changes, 1);
            draft.name_machines(&[at]);
            return draft;
        }
    }
}

/// Six series of one testbed, which gets slower or faster for all of them and is not named; one member has a step of
/// its own besides.
pub(crate) fn epoch_fleet(random: &mut StdRng, turn: usize) -> Vec<Draft> {
    let shift_log = f64::ln_1p([0.12, -0.18][turn % 2]);
    let rows = random.random_range(160..=260);
    let testbed = Draft::daily(random, rows, Noise::White, 1);
    let at = random.random_range(60..testbed.len() - 2 * BETWEEN - AFTER);
    let own = random.random_range(at + BETWEEN..testbed.len() - AFTER);
    (0..6)
        .map(|member| {
            let mut draft = testbed.clone();
            draft.noise = Noise::beneath(6 * turn + member, random);
            draft.sd_log = vec![log_uniform(random, 0.005, 0.015); draft.len()];
            draft.group = Some(format!("testbed-{turn}"));
            // What a machine does to a program depends a little on the program.
            let shift_log = shift_log * random.random_range(0.85..1.15);
            let mut changes = vec![(at, shift_log)];
            if member == 0 {
                changes.push((own, f64::ln_1p(0.08)));
                draft.step_pct = Some(8);
            }
            draft.put_epoch(changes[0], false);
            draft.put_steps(&changes, 1);
            draft
        })
        .collect()
}

/// A step in the daily P75 of real users.
pub(crate) fn rum_step(random: &mut StdRng, turn: usize) -> Draft {
    let size_pct = [3, 5, 10][turn % 3];
    loop {
        let mut draft = Draft::field(random, 40..=52);
        let at = draft.release_start(random.random_range(63..draft.len() - 4 * 7));
        let changes = [(at, either_way(random, size_pct))];
        let z = draft.z(0, at, draft.len(), changes[0].1);
        if (STEP_Z.0..STEP_Z.1).contains(&z) {
            draft.step_pct = Some(size_pct);
            draft.put_steps(&changes, 0);
            return draft;
        }
    }
}

/// A bleed in the daily P75 of real users, a release a week.
pub(crate) fn rum_bleed(random: &mut StdRng, turn: usize) -> Draft {
    let per_release_pct = [0.3, 0.5, 1.0][turn % 3];
    loop {
        let mut draft = Draft::field(random, 45..=52);
        let start = draft.release_start(random.random_range(65..100));
        let releases: usize = random.random_range(20..=32);
        let fits = start + releases * 7 + 10 <= draft.len();
        if fits && draft.put_bleed(start, releases, per_release_pct) >= STEP_Z.0 {
            return draft;
        }
    }
}

/// Nothing but noise.
pub(crate) fn flat(random: &mut StdRng, noise: Noise) -> Draft {
    let mut draft = Draft::ci(random, (200, ROWS.1), noise);
    let sd_log = log_uniform(random, SD_LOG.0, SD_LOG.1);
    draft.sd_log = vec![sd_log; draft.len()];
    draft
}

/// A page that hardly shifts its layout, told to the thousandth: many rows are zero, and the others differ manifold.
pub(crate) fn nearly_nothing(random: &mut StdRng) -> Draft {
    let noise = Noise::NearZero {
        level: log_uniform(random, 0.003, 0.03),
        unit: 0.001,
        zero_share: random.random_range(0.1..0.4),
    };
    let mut draft = flat(random, noise);
    draft.sd_log = vec![random.random_range(0.3..0.7); draft.len()];
    draft
}

/// A week that repeats itself: in every second series with page views, else of a benchmark's machine.
pub(crate) fn weekly(random: &mut StdRng, turn: usize) -> Draft {
    if turn.is_multiple_of(2) {
        return Draft::field(random, 40..=52);
    }
    let rows = random.random_range(250..=ROWS.1);
    let mut draft = Draft::daily(random, rows, Noise::Weekly, 1);
    let sd_log = log_uniform(random, SD_LOG.0, SD_LOG.1 / 2.0);
    draft.sd_log = vec![sd_log; rows];
    let size_log = sd_log * random.random_range(-3.0..3.0);
    draft.put_week(size_log);
    draft
}

/// Benchmarks with noise of any size up to this one, and nothing else as yet.
fn quiet(random: &mut StdRng, noise: Noise, sd_log_max: f64) -> Draft {
    let mut draft = Draft::ci(random, ROWS, noise);
    let sd_log = log_uniform(random, SD_LOG.0, sd_log_max);
    draft.sd_log = vec![sd_log; draft.len()];
    draft
}

/// A change of level of this nominal size, up by a factor or down by its inverse.
fn either_way(random: &mut StdRng, size_pct: u32) -> f64 {
    let up = f64::from(size_pct).mul_add(0.01, 1.0).ln();
    if random.random_bool(0.5) { up } else { -up }
}
