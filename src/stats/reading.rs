//! What a stretch of runs went through: the levels and climbs that explain it best for their price.
//!
//! Source: a penalised likelihood (Yao 1988; Zhang & Siegmund 2007) under noise with memory ([`super::likelihood`]), so
//! that a change is believed where no memory explains it as well. Candidates come from [`super::change_point`]; they
//! are taken out one by one, first the one that is missed least, and the number of them that is worth its price stays;
//! then [`super::bleed`] reads stairs as climbs and looks for climbs within the levels. Assumes noise of one kind up to
//! its local strength. Smallest sample: [`LASTING_RUNS`] before each change, [`LEVEL_RUNS`] after the newest. Cannot see
//! what is gone after fewer, nor a change that memory may have made.

use super::bleed::{Climb, Length, RAMP, Ramp, Shape, shapes};
use super::change_point::{LEVEL_RUNS, candidates, gross_at_the_end};
use super::levels::{Levels, Split};
use super::likelihood::Likelihood;
use super::long::LONGEST;
use super::serial::Memory;
use super::signal::Signal;

/// What a change costs on the scale of twice the log-likelihood, in logarithms of the number of runs: its place, its
/// size, and that places are picked by their size.
const PRICE: f64 = 3.0;

/// And besides, since a series is looked at again at every run: to be seen, and to be told while runs come in.
const SEEN_PRICE: f64 = 6.0;
const FIRM_PRICE: f64 = 8.0;

/// By what chance makes the likelihoods of two places differ, on the same scale: in one of twenty it is more (Wilks 1938).
const AS_MUCH: f64 = 3.84;

/// What a climb costs besides in the choice of steps, in logarithms of the number of runs: it bends to more than a step.
const CLIMB_PRICE: f64 = 2.0;

/// Runs that a level lasts, but for the newest: noise that jumps between two levels goes back sooner.
pub(super) const LASTING_RUNS: usize = 10;

/// From how many standard deviations of a run a pulse is gross.
const PULSE: f64 = 6.0;

/// Most changes that are weighed against each other in one stretch; where more are suspected, the newest few and the
/// strongest before them.
const MOST: usize = 12;
const NEWEST: usize = 4;

/// From so few candidates on the one that is missed least is found by the likelihood itself.
const WEIGHED: usize = 8;

/// How far from where a change was suspected its likeliest place is looked for.
const NEAR: usize = 9;

/// Evidence of a step counts half when it rests on so many runs on its shorter side, a fifth on half as many: noise
/// lingers in ways that no model of it knows. A climb shows itself by its shape as well.
const HALF_STEP_RUNS: f64 = 16.0;
const HALF_CLIMB_RUNS: f64 = 6.0;

/// What a climb must have gone over for its evidence to count for a change that is told as a step.
const LEAST_CLIMB: Length = Length {
    runs: 6,
    releases: 2,
};

/// Which evidence is told while runs still come in one by one: z² of a change among `n` runs.
pub(super) fn firm_evidence(n: usize) -> f64 {
    place_price(n) + FIRM_PRICE
}

/// What a change's place and size cost among `n` runs, on the scale of twice the log-likelihood.
pub(super) fn place_price(n: usize) -> f64 {
    PRICE * (n.clamp(2, LONGEST) as f64).ln()
}

/// A stretch, read.
pub(super) struct Reading {
    /// Its levels with the noise that the shapes leave over.
    pub(super) levels: Levels,
    /// Where the level changed, before stairs were read as climbs.
    pub(super) splits: Vec<Split>,
    /// What it went through, oldest first, each with its evidence.
    pub(super) shapes: Vec<Shape>,
}

impl Reading {
    /// Reads a signal; `releases` numbers the runs' releases, ascending.
    pub(super) fn of(signal: &Signal, releases: &[usize]) -> Self {
        let n = signal.tame.len();
        let plain = Levels::of(signal, &Memory::none(&signal.even));
        let mut suspected = candidates(&plain);
        let drawn_in = without_pulses(signal, &mut suspected);
        let signal = drawn_in.as_ref().unwrap_or(signal);
        let plain = Levels::of(signal, &Memory::none(&signal.even));
        while suspected.len() > MOST {
            // What is new is what is asked for, however wild the past was.
            let past = suspected.len() - NEWEST;
            drop_weakest(&plain, &mut suspected, past);
        }
        let noise = left_over(signal, &plain, &steps(&plain, &suspected));
        let likelihood = Likelihood::around(signal, &noise, &suspected);
        let reader = Reader {
            signal,
            plain: &plain,
            likelihood: &likelihood,
            climb: Climb::of(signal, releases),
            price: place_price(n) + SEEN_PRICE,
        };
        let mut places = reader.worth_their_price(suspected);
        reader.settle(&mut places);
        let splits = steps_of(&plain, &places);
        let mut shapes = shapes(&likelihood, &plain, &reader.climb, &splits);
        let explained = reader.likelihood_of(&shapes);
        let explained = reader.add_climbs(&mut shapes, explained);
        let explained = reader.begin_before(&mut shapes, explained);
        let shapes = reader.with_evidence(&shapes, explained);
        let noise = left_over(signal, &plain, &shapes);
        let levels = Levels::of(signal, &Memory::fit(&evened(&signal.weight, noise)));
        let mut reading = Self {
            levels,
            splits,
            shapes,
        };
        reading.add_gross(signal);
        reading
    }

    /// A change at the newest end that is too large to wait for.
    fn add_gross(&mut self, signal: &Signal) {
        let last = self.shapes.last().map_or(0, |shape| shape.span().1);
        if let Some(split) = gross_at_the_end(signal, &self.levels, last) {
            self.splits.push(split);
            self.shapes.push(Shape::Step(split));
        }
    }
}

/// What a stretch is read by.
struct Reader<'a> {
    signal: &'a Signal,
    /// Levels under noise without memory.
    plain: &'a Levels,
    likelihood: &'a Likelihood,
    climb: Climb,
    price: f64,
}

impl Reader<'_> {
    fn likelihood_of(&self, shapes: &[Shape]) -> f64 {
        let noise = left_over(self.signal, self.plain, shapes);
        self.likelihood.of(&noise)
    }

    fn likelihood_of_steps(&self, places: &[usize]) -> f64 {
        self.likelihood_of(&steps(self.plain, places))
    }

    /// Those of the places that explain more than they cost, together with the climbs between them.
    fn worth_their_price(&self, mut places: Vec<usize>) -> Vec<usize> {
        let mut best = (f64::NEG_INFINITY, Vec::new());
        while let Some(edges) = edges_of_a_short_level(&places) {
            self.drop_least_missed(&mut places, edges);
        }
        loop {
            let worth = self.worth(&places);
            if worth > best.0 {
                best = (worth, places.clone());
            }
            if places.is_empty() {
                return best.1;
            }
            if places.len() > WEIGHED {
                let all = places.len();
                drop_weakest(self.plain, &mut places, all);
            } else {
                let all = 0..places.len();
                self.drop_least_missed(&mut places, all);
            }
        }
    }

    /// What steps at these places explain less their price, with the climbs between them where those are worth theirs.
    fn worth(&self, places: &[usize]) -> f64 {
        let mut shapes = steps(self.plain, places);
        let of_steps = self.likelihood_of(&shapes);
        let with_climbs = self.add_climbs(&mut shapes, of_steps);
        let climbs = (shapes.len() - places.len()) as f64;
        let climb_price = self.price + CLIMB_PRICE * (self.plain.len() as f64).ln();
        of_steps.max(with_climbs - climb_price * climbs) - self.price * places.len() as f64
    }

    /// Takes out that one of the places `among` whose loss costs the least.
    fn drop_least_missed(&self, places: &mut Vec<usize>, among: std::ops::Range<usize>) {
        let without = |i: usize| {
            let mut less = places.clone();
            less.remove(i);
            self.likelihood_of_steps(&less)
        };
        let least_missed = among
            .map(|i| (without(i), i))
            .max_by(|a, b| a.0.total_cmp(&b.0));
        if let Some((_, i)) = least_missed {
            places.remove(i);
        }
    }

    /// Moves each place to the likeliest one near it; twice, since neighbours move each other's levels.
    fn settle(&self, places: &mut [usize]) {
        for _ in 0..2 {
            let before = places.to_vec();
            for i in 0..places.len() {
                let (start, end) = neighbours(places, i, self.plain.len());
                let first = (start + LEVEL_RUNS).max(places[i].saturating_sub(NEAR));
                let last = end.saturating_sub(LEVEL_RUNS).min(places[i] + NEAR);
                let mut moved = places.to_vec();
                let likeliest = (first..=last)
                    .map(|at| {
                        moved[i] = at;
                        (self.likelihood_of_steps(&moved), at)
                    })
                    .max_by(|a, b| a.0.total_cmp(&b.0));
                if let Some((_, at)) = likeliest {
                    places[i] = at;
                }
            }
            if before == *places {
                break;
            }
        }
    }

    /// Adds climbs within what counts as a level so far, where they are worth their price; `explained` is the likelihood
    /// of the shapes as they are, the answer that with the climbs.
    fn add_climbs(&self, shapes: &mut Vec<Shape>, mut explained: f64) -> f64 {
        let mut start = 0;
        let mut levels = Vec::new();
        for (first, last) in shapes
            .iter()
            .map(Shape::span)
            .chain([(self.plain.len(), 0)])
        {
            if first > start {
                levels.push((start, first));
            }
            start = last;
        }
        for (start, end) in levels {
            let Some(ramp) = self.climb.best(start, end, RAMP) else {
                continue;
            };
            let mut more = shapes.clone();
            let at = more.partition_point(|shape| shape.span().0 <= start);
            more.insert(at, Shape::Ramp(ramp, 0.0));
            let with_it = self.likelihood_of(&more);
            if with_it - explained > self.price {
                (*shapes, explained) = (more, with_it);
            }
        }
        explained
    }

    /// Where hardly a run lies before a climb, one that was there from the first run on may explain as much: then nobody
    /// saw it begin, and it is that one.
    fn begin_before(&self, shapes: &mut [Shape], explained: f64) -> f64 {
        let Some(Shape::Ramp(ramp, _)) = shapes.first() else {
            return explained;
        };
        if ramp.start + 1 >= LASTING_RUNS {
            return explained;
        }
        let to = shapes.get(1).map_or(self.plain.len(), |next| next.span().0);
        let mut before = shapes.to_vec();
        before[0] = Shape::Ramp(self.climb.fit(0, to, 0, ramp.end), 0.0);
        let as_much = self.likelihood_of(&before);
        if explained - as_much > AS_MUCH {
            return explained;
        }
        shapes.copy_from_slice(&before);
        as_much
    }

    /// Each shape with its evidence: the root of what the likelihood gains by it, less where that rests on few runs.
    fn with_evidence(&self, shapes: &[Shape], explained: f64) -> Vec<Shape> {
        let n = self.plain.len();
        let spans: Vec<(usize, usize)> = shapes.iter().map(Shape::span).collect();
        let weighed = shapes.iter().enumerate().map(|(i, shape)| {
            let mut less = shapes.to_vec();
            less.remove(i);
            let without = self.likelihood_of(&less);
            let from = i.checked_sub(1).map_or(0, |before| spans[before].1);
            let to = spans.get(i + 1).map_or(n, |next| next.0);
            let evidence = |gain: f64, (before, after): (usize, usize), half_runs: f64| {
                let shorter = before.min(after).max(1) as f64;
                gain.max(0.0) / (1.0 + (half_runs / shorter).powi(2))
            };
            // A climb's line has a quarter of its runs' weight at its ends (the variance there is 4/n).
            let climbing = |beside: Option<usize>| match beside.and_then(|i| shapes.get(i)) {
                Some(Shape::Ramp(ramp, _)) => (ramp.end - ramp.start) / 4,
                _ => 0,
            };
            // The first climb of a stretch shows itself without a level before it: a fifth of its runs stand for one.
            let beside = |ramp: &Ramp| {
                let first = ramp.start + 1;
                let own = if from == 0 {
                    (ramp.end - ramp.start) / 5
                } else {
                    0
                };
                (
                    first.saturating_sub(from).max(own),
                    to.saturating_sub(first),
                )
            };
            match *shape {
                Shape::Ramp(ramp, _) => {
                    let gain = explained - without;
                    Shape::Ramp(ramp, evidence(gain, beside(&ramp), HALF_CLIMB_RUNS).sqrt())
                }
                Shape::Step(split) => {
                    let gain = explained - without;
                    let as_step = evidence(
                        gain,
                        (
                            split.at.saturating_sub(from) + climbing(i.checked_sub(1)),
                            to.saturating_sub(split.at) + climbing(i.checked_add(1)),
                        ),
                        HALF_STEP_RUNS,
                    );
                    // What began as a climb and is too short to be told as one is as much of a change.
                    let as_climb = self.climb.best(from, to, LEAST_CLIMB).and_then(|ramp| {
                        let mut climbing = less.clone();
                        climbing.insert(i, Shape::Ramp(ramp, 0.0));
                        let more = self.likelihood_of(&climbing) - without;
                        let is_likelier = more > gain && ramp.shift * split.shift > 0.0;
                        is_likelier.then(|| evidence(more, beside(&ramp), HALF_CLIMB_RUNS))
                    });
                    let z = as_step.max(as_climb.unwrap_or(0.0)).sqrt() * split.shift.signum();
                    Shape::Step(Split { z, ..split })
                }
            }
        });
        weighed.collect()
    }
}

/// Steps at these places, without evidence.
fn steps(levels: &Levels, places: &[usize]) -> Vec<Shape> {
    let splits = steps_of(levels, places);
    splits.into_iter().map(Shape::Step).collect()
}

fn steps_of(levels: &Levels, places: &[usize]) -> Vec<Split> {
    let n = levels.len();
    (0..places.len())
        .map(|i| {
            let (start, end) = neighbours(places, i, n);
            levels.split(start, places[i], end)
        })
        .collect()
}

/// Which places bound the first level that does not last, if there is one before the newest.
fn edges_of_a_short_level(places: &[usize]) -> Option<std::ops::Range<usize>> {
    let starts = std::iter::once(&0).chain(places);
    let short = starts
        .zip(places)
        .position(|(start, end)| end - start < LASTING_RUNS)?;
    Some(short.saturating_sub(1)..short + 1)
}

/// The signal with gross pulses, levels that did not last and went back, drawn in to the nearer of their neighbours like
/// single wild runs, and the places without the edge towards it; none where there are none. The newest level may still
/// last, and a stair on the way from one level to the next is part of a climb.
fn without_pulses(signal: &Signal, places: &mut Vec<usize>) -> Option<Signal> {
    let n = signal.tame.len();
    let mut drawn_in: Option<Signal> = None;
    let mut i = 0;
    while i < places.len() {
        let (start, end) = (i.checked_sub(1).map_or(0, |p| places[p]), places[i]);
        let now = drawn_in.as_ref().unwrap_or(signal);
        let level = |from: usize, to: usize| {
            let weight: f64 = now.weight[from..to].iter().sum();
            let rows = now.tame[from..to].iter().zip(&now.weight[from..to]);
            rows.map(|(x, w)| x * w).sum::<f64>() / weight.max(f64::MIN_POSITIVE)
        };
        let own = level(start, end);
        let next = level(end, places.get(i + 1).copied().unwrap_or(n)) - own;
        let past = i.checked_sub(1).map(|before| {
            let from = before.checked_sub(1).map_or(0, |first| places[first]);
            level(from, start) - own
        });
        let nearer = past
            .filter(|shift| shift.abs() < next.abs())
            .unwrap_or(next);
        let is_pulse = end - start < LASTING_RUNS
            && nearer.abs() > PULSE * signal.sd * signal.excess(start..end)
            && past.is_none_or(|shift| shift * next > 0.0);
        if !is_pulse {
            i += 1;
            continue;
        }
        let edge = if past == Some(nearer) { i - 1 } else { i };
        let drawn = drawn_in.get_or_insert_with(|| signal.clone());
        for values in [&mut drawn.tame, &mut drawn.even] {
            values[start..end].iter_mut().for_each(|x| *x += nearer);
        }
        places.remove(edge);
        i = 0;
    }
    drawn_in
}

/// The ends of the two levels that meet at the `i`th place.
fn neighbours(places: &[usize], i: usize, n: usize) -> (usize, usize) {
    let start = i.checked_sub(1).map_or(0, |p| places[p]);
    (start, places.get(i + 1).copied().unwrap_or(n))
}

/// Takes out the weakest of the `first` places.
fn drop_weakest(levels: &Levels, places: &mut Vec<usize>, first: usize) {
    let strength = |i: usize| {
        let (start, end) = neighbours(places, i, levels.len());
        levels.split(start, places[i], end).z.abs()
    };
    let weakest = (0..first).min_by(|a, b| strength(*a).total_cmp(&strength(*b)));
    if let Some(i) = weakest {
        places.remove(i);
    }
}

/// The tame values less the levels and climbs that the shapes describe.
pub(super) fn left_over(signal: &Signal, levels: &Levels, shapes: &[Shape]) -> Vec<f64> {
    let n = levels.len();
    let centre = signal.tame.first().copied().unwrap_or(0.0);
    let mut left_over: Vec<f64> = signal.tame.iter().map(|x| x - centre).collect();
    let (mut start, mut level) = (0, 0.0);
    for i in 0..=shapes.len() {
        let (first, last) = shapes.get(i).map_or((n, n), Shape::span);
        let shift = shapes.get(i).map_or(0.0, Shape::shift);
        let (end, top) = (first.max(start), last.clamp(first.max(start), n));
        let climb = shift / (last + 1 - first) as f64;
        // Where hardly a run lies before a climb, the level that it began at shows itself in the climb's own runs.
        let (flat, climbing) = ((end - start) as f64, (top - end) as f64);
        if top > start {
            let of_climb = levels.mean(end, top) - climb * f64::midpoint(climbing, 1.0);
            let share = climbing / (flat + climbing);
            level = match (end > start, top > end && end - start < LEVEL_RUNS) {
                (true, true) => (1.0 - share) * levels.mean(start, end) + share * of_climb,
                (true, false) => levels.mean(start, end),
                _ => of_climb,
            };
        }
        left_over[start..end].iter_mut().for_each(|x| *x -= level);
        for (k, x) in left_over[end..top].iter_mut().enumerate() {
            *x -= level + climb * (k + 1) as f64;
        }
        (start, level) = (top, level + shift);
    }
    left_over
}

/// Noise of rows of these weights, each as large as a usual row's.
pub(super) fn evened(weight: &[f64], mut noise: Vec<f64>) -> Vec<f64> {
    noise
        .iter_mut()
        .zip(weight)
        .for_each(|(x, w)| *x *= w.sqrt());
    noise
}

#[cfg(test)]
mod tests {
    #![allow(clippy::panic)]

    use super::super::seeded::Seeded;
    use super::*;

    fn read(values: &[f64]) -> Vec<Shape> {
        let times: Vec<i64> = (0..values.len() as i64)
            .map(|d| d * 86_400_000_000)
            .collect();
        let runs: Vec<f64> = values.iter().map(|x| (0.01 * x).exp()).collect();
        let releases: Vec<usize> = (0..values.len()).collect();
        Reading::of(&Signal::of(&runs, &times), &releases).shapes
    }

    fn noisy(random: &mut Seeded, n: usize, level: impl Fn(usize) -> f64) -> Vec<f64> {
        (0..n).map(|i| level(i) + random.normal()).collect()
    }

    #[test]
    fn a_level_that_did_not_last_hides_no_other_change() {
        let mut random = Seeded::new(61);
        for (pulse, height) in [(0..8, 20.0), (50..58, 6.0)] {
            for _ in 0..10 {
                let level = |i: usize| {
                    let gone = if pulse.contains(&i) { height } else { 0.0 };
                    gone + if i < 120 { 0.0 } else { 4.0 }
                };
                let shapes = read(&noisy(&mut random, 200, level));
                let found = shapes.iter().any(|s| s.span().0.abs_diff(120) <= 3);
                assert!(found, "{shapes:?} after {pulse:?}");
            }
        }
    }

    #[test]
    fn a_wild_past_does_not_hide_what_is_new() {
        let mut random = Seeded::new(62);
        let wild = |i: usize| {
            if (i / 60).is_multiple_of(2) {
                0.0
            } else {
                20.0
            }
        };
        let values = noisy(&mut random, 1_000, |i| {
            wild(i.min(899)) + if i < 950 { 0.0 } else { 6.0 }
        });
        let shapes = read(&values);
        let newest = shapes.last().map(|shape| shape.span().0);
        assert!(newest.is_some_and(|at| at.abs_diff(950) <= 3), "{shapes:?}");
    }

    #[test]
    fn eight_runs_of_a_step_prove_less_than_forty() {
        let mut random = Seeded::new(63);
        let evidence = |shapes: &[Shape]| match shapes {
            [Shape::Step(split)] => split.z.powi(2),
            _ => panic!("{shapes:?}"),
        };
        for _ in 0..10 {
            let long = noisy(&mut random, 140, |i| if i < 100 { 0.0 } else { 6.0 });
            let (few, many) = (evidence(&read(&long[..108])), evidence(&read(&long)));
            assert!(few < many / 2.0, "{few} {many}");
        }
    }
}
