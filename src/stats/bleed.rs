//! Many small steps that add up: a ramp told from a staircase.
//!
//! Source: model choice between k steps and a continuous flat-ramp-flat after the Bayesian information criterion
//! (Schwarz 1978; Yao 1988 for change points), with the `likelihood` of what each leaves over: one run that
//! jumps by more than the noise around it is a step, whatever a straight line through all runs would cost. Assumes a
//! bleed about as steep at its end as at its start. Smallest sample: a change over twenty runs. Cannot tell a ramp
//! from one step within its noise: then it stays a step with a range of places.

use super::change_point::LEVEL_RUNS;
use super::levels::{Levels, Split};
use super::likelihood::Likelihood;
use super::signal::Signal;

/// Least length of a climb.
#[derive(Debug, Clone, Copy)]
pub(super) struct Length {
    /// In runs.
    pub(super) runs: usize,
    /// In releases.
    pub(super) releases: usize,
}

/// Over fewer runs than these a change is a step whose place is not sure; what two or three releases did are their
/// steps.
pub(super) const RAMP: Length = Length {
    runs: 20,
    releases: 4,
};

/// A flat level, a straight climb, a flat level.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Ramp {
    /// The last run of the old level.
    pub(super) start: usize,
    /// The first run of the new level, or the last run there is while it still climbs.
    pub(super) end: usize,
    /// Level after minus level before, on the scale of the tests.
    pub(super) shift: f64,
    /// Squared error over the region it was fitted to.
    error: f64,
}

/// What a stretch of runs did.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Shape {
    Step(Split),
    /// The ramp, and its evidence in z-like units.
    Ramp(Ramp, f64),
}

impl Ramp {
    /// One climb of two that were seen in overlapping windows, this one in the earlier.
    fn joined(self, later: Ramp) -> Ramp {
        let before = later.start.saturating_sub(self.start) as f64;
        let own = (before / (self.end - self.start).max(1) as f64).min(1.0);
        Ramp {
            start: self.start,
            end: later.end,
            shift: own * self.shift + later.shift,
            ..later
        }
    }
}

impl Shape {
    /// The same so many rows later.
    pub(super) fn moved(self, by: usize) -> Shape {
        match self {
            Shape::Step(split) => Shape::Step(split.moved(by)),
            Shape::Ramp(ramp, z) => {
                let (start, end) = (ramp.start + by, ramp.end + by);
                Shape::Ramp(Ramp { start, end, ..ramp }, z)
            }
        }
    }

    /// Both as one, where a later window saw the same climb go on.
    pub(super) fn joined(self, later: Shape) -> Option<Shape> {
        match (self, later) {
            (Shape::Ramp(a, z), Shape::Ramp(b, more)) if b.end > a.end && b.start < a.end => {
                Some(Shape::Ramp(a.joined(b), z.max(more)))
            }
            _ => None,
        }
    }

    /// How clear it is, in z-like units.
    pub(super) fn evidence(&self) -> f64 {
        match self {
            Shape::Step(split) => split.z.abs(),
            Shape::Ramp(_, z) => *z,
        }
    }

    /// The first row of the change and the first row of the level after it.
    pub(super) fn span(&self) -> (usize, usize) {
        match self {
            Shape::Step(split) => (split.at, split.at),
            Shape::Ramp(ramp, _) => (ramp.start + 1, ramp.end),
        }
    }

    /// Level after minus level before.
    pub(super) fn shift(&self) -> f64 {
        match self {
            Shape::Step(split) => split.shift,
            Shape::Ramp(ramp, _) => ramp.shift,
        }
    }
}

/// Prefix sums of values, places and their products, from which a ramp's fit takes constant time. The place of a row is
/// that of its release's first row: all rows of a release share its level.
pub(super) struct Climb {
    /// The values, less the stretch's first one.
    value: Vec<f64>,
    place: Vec<f64>,
    release: Vec<usize>,
    /// What the rows weigh, and that summed up, empty where each is 1.
    weight: Vec<f64>,
    w: Vec<f64>,
    y: Vec<f64>,
    yy: Vec<f64>,
    t: Vec<f64>,
    tt: Vec<f64>,
    ty: Vec<f64>,
}

impl Climb {
    /// `releases` numbers the rows' releases, ascending.
    pub(super) fn of(signal: &Signal, releases: &[usize]) -> Self {
        let centre = signal.tame.first().copied().unwrap_or(0.0);
        let mut first = 0;
        let place: Vec<f64> = (0..releases.len())
            .map(|i| {
                first = if releases[i] == releases[first] {
                    first
                } else {
                    i
                };
                first as f64
            })
            .collect();
        let running = |f: &dyn Fn(f64, f64) -> f64| {
            let mut total = 0.0;
            let rows = place.iter().zip(&signal.tame).zip(&signal.weight);
            let terms = rows.map(|((t, x), w)| {
                total += w * f(*t, x - centre);
                total
            });
            std::iter::once(0.0).chain(terms).collect()
        };
        let (y, yy) = (running(&|_, x| x), running(&|_, x| x * x));
        let (w, t, tt, ty) = (
            running(&|_, _| 1.0),
            running(&|t, _| t),
            running(&|t, _| t * t),
            running(&|t, x| t * x),
        );
        Self {
            value: signal.tame.iter().map(|x| x - centre).collect(),
            place,
            release: releases.to_vec(),
            weight: signal.weight.clone(),
            w: if signal.is_even() { Vec::new() } else { w },
            y,
            yy,
            t,
            tt,
            ty,
        }
    }

    /// What the rows from `start` up to `end` weigh together.
    fn weighing(&self, start: usize, end: usize) -> f64 {
        if self.w.is_empty() {
            (end - start) as f64
        } else {
            self.w[end] - self.w[start]
        }
    }

    /// Least squares of a ramp from row `a` to row `b` over `start..end`: levels before and after, free.
    pub(super) fn fit(&self, start: usize, end: usize, a: usize, b: usize) -> Ramp {
        let n = self.weighing(start, end);
        let (foot, width) = (self.place[a], self.place[b] - self.place[a]);
        // phi is 0 up to a, 1 from b, (place - foot) / width between.
        let between = |sums: &[f64]| sums[b] - sums[a + 1];
        let (inner, after) = (self.weighing(a + 1, b), self.weighing(b, end));
        let first_moment = between(&self.t) - inner * foot;
        let second_moment = between(&self.tt) - 2.0 * foot * between(&self.t) + inner * foot * foot;
        let phi = first_moment / width + after;
        let phi2 = second_moment / (width * width) + after;
        let total = self.y[end] - self.y[start];
        let phi_y = (between(&self.ty) - foot * between(&self.y)) / width + self.y[end] - self.y[b];
        let spread = phi2 - phi * phi / n;
        let covariance = phi_y - phi * total / n;
        let scatter = (self.yy[end] - self.yy[start] - total * total / n).max(0.0);
        let shift = covariance / spread;
        Ramp {
            start: a,
            end: b,
            shift,
            error: (scatter - covariance * shift).max(0.0),
        }
    }

    /// Whether a climb between these rows is long enough to be one.
    fn long_enough(&self, a: usize, b: usize, least: Length) -> bool {
        b >= a + least.runs && self.release[b] >= self.release[a] + least.releases
    }

    /// What is left of the runs `start..end` when this ramp and the mean are taken off.
    fn without(&self, ramp: &Ramp, start: usize, end: usize) -> Vec<f64> {
        let (foot, width) = (
            self.place[ramp.start],
            self.place[ramp.end] - self.place[ramp.start],
        );
        let climbed = |i: usize| ramp.shift * ((self.place[i] - foot) / width).clamp(0.0, 1.0);
        let mut left_over: Vec<f64> = (start..end).map(|i| self.value[i] - climbed(i)).collect();
        let weights = &self.weight[start..end];
        let total: f64 = left_over.iter().zip(weights).map(|(x, w)| x * w).sum();
        let mean = total / weights.iter().sum::<f64>().max(f64::MIN_POSITIVE);
        left_over.iter_mut().for_each(|x| *x -= mean);
        left_over
    }

    /// The ramp's ends where its releases begin and end.
    fn at_releases(&self, ramp: Ramp) -> Ramp {
        let same = |i: &usize| self.release[*i] == self.release[ramp.start];
        let start = (ramp.start..ramp.end)
            .take_while(same)
            .last()
            .unwrap_or(ramp.start);
        Ramp {
            start,
            end: self.place[ramp.end] as usize,
            ..ramp
        }
    }

    /// The best ramp within `start..end`, coarse places first, then every place around the best.
    pub(super) fn best(&self, start: usize, end: usize, least: Length) -> Option<Ramp> {
        if end - start < least.runs + LEVEL_RUNS {
            return None;
        }
        let coarse = ((end - start) / 24).max(1);
        let everywhere = (start, end - 1);
        let mut best = self.search(start, end, [everywhere, everywhere], coarse, least)?;
        let mut step = coarse;
        while step > 1 {
            step = (step / 2).max(1);
            let near = |place: usize| {
                (
                    place.saturating_sub(2 * step).max(start),
                    (place + 2 * step).min(end - 1),
                )
            };
            let around = [near(best.start), near(best.end)];
            if let Some(finer) = self.search(start, end, around, step, least) {
                best = if finer.error < best.error {
                    finer
                } else {
                    best
                };
            }
        }
        Some(self.at_releases(best))
    }

    fn search(
        &self,
        start: usize,
        end: usize,
        [a, b]: [(usize, usize); 2],
        step: usize,
        least: Length,
    ) -> Option<Ramp> {
        let mut best: Option<Ramp> = None;
        for from in (a.0..=a.1).step_by(step) {
            for to in (b.0..=b.1)
                .rev()
                .step_by(step)
                .take_while(|to| self.long_enough(from, *to, least))
            {
                let ramp = self.fit(start, end, from, to);
                if best.is_none_or(|b| ramp.error < b.error) {
                    best = Some(ramp);
                }
            }
        }
        best
    }
}

/// Reads a staircase: runs of changes of one sign become ramps where a ramp explains them better than their steps.
pub(super) fn shapes(
    likelihood: &Likelihood,
    levels: &Levels,
    climb: &Climb,
    splits: &[Split],
) -> Vec<Shape> {
    let stairs = Stairs {
        likelihood,
        levels,
        climb,
        splits,
    };
    let mut shapes = Vec::new();
    let mut i = 0;
    while i < splits.len() {
        let same = splits[i..]
            .iter()
            .take_while(|s| s.shift.signum() == splits[i].shift.signum())
            .count();
        shapes.extend(stairs.read(i, i + same));
        i += same;
    }
    shapes
}

/// What the first changes of a staircase gain by their best reading, and the ramp that ends it: the change it begins
/// with and its fit.
type Best = (f64, Option<(usize, Ramp)>);

/// Longest staircase that is read as one: more steps than that in one direction are read piece by piece.
const STAIRS: usize = 12;

/// What each parameter costs, in logarithms of the number of runs on the scale of twice the log-likelihood: three times
/// the Bayesian criterion's, since places are picked.
const PARAMETER_PRICE: f64 = 3.0;

/// Changes of level with what they are read by.
struct Stairs<'a> {
    likelihood: &'a Likelihood,
    levels: &'a Levels,
    climb: &'a Climb,
    splits: &'a [Split],
}

impl Stairs<'_> {
    /// The best mixture of steps and ramps for the changes `from..to`, all of one sign, by dynamic programming.
    fn read(&self, from: usize, to: usize) -> Vec<Shape> {
        let n = to - from;
        // best[j]: gain of reading the first j changes, and the ramp that ends there with where it begins.
        let mut best: Vec<Best> = vec![(0.0, None); n + 1];
        for j in 1..=n {
            best[j] = (best[j - 1].0, None);
            for i in j.saturating_sub(STAIRS)..j {
                if let Some((gain, ramp)) = self.ramp_gain(from + i, from + j)
                    && best[i].0 + gain > best[j].0
                {
                    best[j] = (best[i].0 + gain, Some((i, ramp)));
                }
            }
        }
        let mut shapes = Vec::new();
        let mut j = n;
        while j > 0 {
            match best[j].1 {
                Some((i, ramp)) => {
                    shapes.push(Shape::Ramp(ramp, 0.0));
                    j = i;
                }
                None => {
                    shapes.push(Shape::Step(self.splits[from + j - 1]));
                    j -= 1;
                }
            }
        }
        shapes.reverse();
        shapes
    }

    /// By how much a ramp beats the steps `first..last`, on the scale of twice the log-likelihood; none if it does not.
    fn ramp_gain(&self, first: usize, last: usize) -> Option<(f64, Ramp)> {
        let start = first.checked_sub(1).map_or(0, |p| self.splits[p].at);
        let end = (self.splits.get(last)).map_or(self.levels.len(), |next| next.at);
        let ramp = self.climb.best(start, end, RAMP)?;
        if ramp.shift.signum() != self.splits[first].shift.signum() {
            return None;
        }
        let edges: Vec<usize> = std::iter::once(start)
            .chain(self.splits[first..last].iter().map(|s| s.at))
            .chain([end])
            .collect();
        let stairs: Vec<f64> = edges
            .windows(2)
            .flat_map(|w| {
                let level = self.levels.mean(w[0], w[1]);
                (w[0]..w[1]).map(move |i| (i, level))
            })
            .map(|(i, level)| self.climb.value[i] - level)
            .collect();
        let climbing = self.climb.without(&ramp, start, end);
        let runs = (end - start) as f64;
        // A ramp has three parameters beyond its first level, each step two.
        let fewer = 2.0 * (last - first) as f64 - 3.0;
        let gain = self.likelihood.of_part(&climbing, start)
            - self.likelihood.of_part(&stairs, start)
            + PARAMETER_PRICE * runs.ln() * fewer;
        (gain > 0.0).then_some((gain, ramp))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::super::reading::Reading;
    use super::super::seeded::Seeded;
    use super::*;

    fn read(values: &[f64]) -> Vec<Shape> {
        let times: Vec<i64> = (0..values.len() as i64)
            .map(|d| d * 86_400_000_000)
            .collect();
        let signal = Signal::of(
            &values.iter().map(|x| (0.01 * x).exp()).collect::<Vec<_>>(),
            &times,
        );
        let releases: Vec<usize> = (0..values.len()).collect();
        Reading::of(&signal, &releases).shapes
    }

    fn noisy(random: &mut Seeded, n: usize, level: impl Fn(f64) -> f64) -> Vec<f64> {
        (0..n).map(|i| level(i as f64) + random.normal()).collect()
    }

    #[test]
    fn a_ramp_within_the_noise_is_one_ramp_with_its_ends() {
        let mut random = Seeded::new(21);
        for _ in 0..20 {
            let shapes = read(&noisy(&mut random, 200, |t| {
                0.2 * (t - 80.0).clamp(0.0, 40.0)
            }));
            let [Shape::Ramp(ramp, _)] = shapes[..] else {
                panic!("{shapes:?}")
            };
            assert!(
                ramp.start.abs_diff(80) <= 9
                    && ramp.end.abs_diff(120) <= 9
                    && (ramp.shift - 0.08).abs() < 0.01,
                "{ramp:?}"
            );
        }
    }

    #[test]
    fn a_step_stays_a_step() {
        let mut random = Seeded::new(22);
        for _ in 0..20 {
            let shapes = read(&noisy(
                &mut random,
                200,
                |t| if t < 100.0 { 0.0 } else { 4.0 },
            ));
            assert!(matches!(shapes[..], [Shape::Step(_)]), "{shapes:?}");
        }
    }

    #[test]
    fn two_steps_far_apart_stay_two_steps() {
        let mut random = Seeded::new(23);
        let shapes = read(&noisy(&mut random, 300, |t| {
            if t < 100.0 {
                0.0
            } else if t < 200.0 {
                4.0
            } else {
                8.0
            }
        }));
        assert!(
            matches!(shapes[..], [Shape::Step(_), Shape::Step(_)]),
            "{shapes:?}"
        );
    }

    #[test]
    fn a_bleed_that_still_runs_ends_at_the_newest_run() {
        let mut random = Seeded::new(24);
        let shapes = read(&noisy(&mut random, 150, |t| 0.15 * (t - 90.0).max(0.0)));
        assert!(
            matches!(shapes[..], [Shape::Ramp(ramp, _)] if ramp.end >= 140),
            "{shapes:?}"
        );
    }

    #[test]
    fn the_fit_in_constant_time_equals_the_sum_over_runs() {
        let mut random = Seeded::new(25);
        let values = noisy(&mut random, 40, |t| t);
        let signal = Signal {
            tame: values.clone(),
            weight: vec![1.0; values.len()],
            ..Signal::default()
        };
        let (start, end, a, b) = (3, 37, 10, 25);
        let ramp = Climb::of(&signal, &(0..40).collect::<Vec<_>>()).fit(start, end, a, b);
        let phi = |t: usize| ((t as f64 - a as f64) / (b - a) as f64).clamp(0.0, 1.0);
        let ys = &values[start..end];
        let ps: Vec<f64> = (start..end).map(phi).collect();
        let (my, mp) = (
            ys.iter().sum::<f64>() / ys.len() as f64,
            ps.iter().sum::<f64>() / ps.len() as f64,
        );
        let shift = ps
            .iter()
            .zip(ys)
            .map(|(p, y)| (p - mp) * (y - my))
            .sum::<f64>()
            / ps.iter().map(|p| (p - mp).powi(2)).sum::<f64>();
        let error: f64 = ps
            .iter()
            .zip(ys)
            .map(|(p, y)| (y - my - shift * (p - mp)).powi(2))
            .sum();
        assert!((ramp.shift - shift).abs() < 1e-9 && (ramp.error - error).abs() < 1e-6);
    }
}
