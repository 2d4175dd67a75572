//! A whole testbed that shifts silently: an epoch of all its series, not a regression of each.
//!
//! Source: the common-mode test of control engineering, after the first filters of FBDetect (SOSP 2024): candidates are
//! the changes of any member; what counts is the share of members that moved the same way at that time. Assumes that
//! no single release makes most series of a machine worse at once. Smallest sample: [`MEMBERS`] series that each have
//! four runs on both sides. Cannot tell such a release from a new kernel: it says epoch, and shows by how much.

use super::change_point::GROSS_RUNS;
use super::epoch::{Boundary, Cause};
use super::judge::{Change, Row, Settings, judge};
use super::levels::Split;
use super::stretch::Stretch;

/// Fewest series that may speak for their testbed.
pub const MEMBERS: usize = 3;

/// The share of members that must have moved the same way.
pub const SHARE: f64 = 2.0 / 3.0;

/// How clearly a member must have moved to count: with two thirds of three, chance does it once in 6,000 places.
const MOVED: f64 = 2.5;

/// Runs before and after a place by which a member is asked whether it moved there.
const REACH: usize = 30;

/// Changes of members so many runs apart may be one.
const APART: usize = 4;

/// One series of a testbed.
#[derive(Debug, Clone)]
pub struct Member<'a> {
    /// Its rows, in release order.
    pub rows: Vec<Row<'a>>,
    /// Its own declared epochs.
    pub boundaries: Vec<Boundary>,
}

/// Judges the series of one testbed together: shared shifts first, then each series on its own around them.
pub fn judge_together(members: &[Member<'_>], settings: &[Settings]) -> Vec<Vec<Change>> {
    let shared = shared_shifts(members);
    members
        .iter()
        .zip(settings)
        .map(|(member, settings)| {
            let mut boundaries = member.boundaries.clone();
            for time_us in &shared {
                let index = member.rows.partition_point(|r| r.time_us < *time_us);
                let known = boundaries.iter().any(|b| b.index.abs_diff(index) <= APART);
                if index > 0 && index < member.rows.len() && !known {
                    let reason = "the series of this testbed moved together".to_owned();
                    boundaries.push(Boundary {
                        index,
                        cause: Cause::Testbed,
                        reason,
                    });
                }
            }
            boundaries.sort_by_key(|b| b.index);
            judge(&member.rows, &boundaries, settings)
        })
        .collect()
}

/// The times (microseconds) at which the members moved together, ascending.
pub fn shared_shifts(members: &[Member<'_>]) -> Vec<i64> {
    let asked: Vec<Asked<'_>> = members.iter().filter_map(Asked::of).collect();
    if asked.len() < MEMBERS {
        return Vec::new();
    }
    let mut candidates: Vec<i64> = asked
        .iter()
        .flat_map(|a| a.stretch.splits.iter().map(|s| a.times[s.at]))
        .collect();
    candidates.sort_unstable();
    candidates.dedup();
    let mut found: Vec<(i64, f64)> = Vec::new();
    for time in candidates {
        let Some(strength) = together(&asked, time) else {
            continue;
        };
        let near = |other: i64| {
            // Who ended before both, or began after them, has them at one place and cannot tell.
            let tells = |a: &&Asked<'_>| a.moved(other).is_some() && a.moved(time).is_some();
            let apart = |a: &Asked<'_>| a.place(other).abs_diff(a.place(time));
            asked.iter().filter(tells).any(|a| apart(a) <= 2 * APART)
        };
        match found.iter_mut().find(|(other, _)| near(*other)) {
            Some(known) if known.1 < strength => *known = (time, strength),
            Some(_) => {}
            None => found.push((time, strength)),
        }
    }
    let mut times: Vec<i64> = found.into_iter().map(|(time, _)| time).collect();
    times.sort_unstable();
    times
}

/// A member with its own changes, ignoring declared epochs: those are shifts like any other here.
struct Asked<'a> {
    times: Vec<i64>,
    stretch: Stretch<'a>,
}

impl<'a> Asked<'a> {
    fn of(member: &Member<'a>) -> Option<Self> {
        let stretch = Stretch::of(&member.rows)?;
        Some(Self {
            times: stretch.times_us(),
            stretch,
        })
    }

    fn place(&self, time_us: i64) -> usize {
        self.times.partition_point(|t| *t < time_us)
    }

    /// How this member moved around a time, in standard deviations; none where it has too few runs there.
    fn moved(&self, time_us: i64) -> Option<f64> {
        let (place, n) = (self.place(time_us), self.times.len());
        let clear = |s: &&Split| s.at.abs_diff(place) > APART;
        let before = self
            .stretch
            .splits
            .iter()
            .filter(clear)
            .map(|s| s.at)
            .rfind(|at| *at < place)
            .unwrap_or(0)
            .max(place.saturating_sub(REACH));
        let after = self
            .stretch
            .splits
            .iter()
            .filter(clear)
            .map(|s| s.at)
            .find(|at| *at > place)
            .unwrap_or(n)
            .min(place + REACH);
        let allowed = (before + GROSS_RUNS)..(after + 1).saturating_sub(GROSS_RUNS);
        (place.saturating_sub(1)..=place + 1)
            .filter(|at| allowed.contains(at))
            .map(|at| self.stretch.levels.split(before, at, after).z)
            .max_by(|a, b| a.abs().total_cmp(&b.abs()))
    }
}

/// The sum of the movers' strengths where enough of the members moved the same way.
fn together(asked: &[Asked<'_>], time_us: i64) -> Option<f64> {
    let moves: Vec<f64> = asked.iter().filter_map(|a| a.moved(time_us)).collect();
    let enough =
        |movers: usize| moves.len() >= MEMBERS && movers as f64 >= SHARE * moves.len() as f64;
    let up = moves.iter().filter(|z| **z > MOVED).count();
    let down = moves.iter().filter(|z| **z < -MOVED).count();
    (enough(up) || enough(down)).then(|| moves.iter().sum::<f64>().abs())
}

#[cfg(test)]
mod tests {
    use super::super::judge::Kind;
    use super::super::seeded::Seeded;
    use super::*;

    fn fleet(seed: u64, level: impl Fn(usize, usize) -> f64) -> Vec<Vec<f64>> {
        let mut random = Seeded::new(seed);
        (0..6)
            .map(|m| {
                (0..200)
                    .map(|i| 100.0 * level(m, i) * (0.02 * random.normal()).exp())
                    .collect()
            })
            .collect()
    }

    fn kinds(values: &[Vec<f64>]) -> Vec<Vec<(Kind, bool)>> {
        let rows = |v: &Vec<f64>| {
            v.iter()
                .enumerate()
                .map(|(i, value)| Row {
                    time_us: i as i64 * 86_400_000_000,
                    release: "r",
                    value: *value,
                    count: None,
                    se: None,
                })
                .collect()
        };
        let members: Vec<Member<'_>> = values
            .iter()
            .map(|v| Member {
                rows: rows(v),
                boundaries: Vec::new(),
            })
            .collect();
        let told = judge_together(&members, &vec![Settings::default(); members.len()]);
        told.iter()
            .map(|changes| {
                changes
                    .iter()
                    .map(|c| (c.kind, c.index.abs_diff(60) <= 3))
                    .collect()
            })
            .collect()
    }

    #[test]
    fn a_testbed_that_shifts_silently_is_an_epoch_of_all_its_series() {
        let found = kinds(&fleet(1, |_, i| if i < 60 { 1.0 } else { 1.1 }));
        assert!(
            found
                .iter()
                .all(|changes| *changes == [(Kind::Epoch, true)]),
            "{found:?}"
        );
    }

    #[test]
    fn one_series_that_got_slower_is_its_own_affair() {
        let found = kinds(&fleet(2, |m, i| if m == 3 && i >= 60 { 1.1 } else { 1.0 }));
        assert!(
            found.iter().enumerate().all(|(m, changes)| if m == 3 {
                *changes == [(Kind::Step, true)]
            } else {
                changes.is_empty()
            }),
            "{found:?}"
        );
    }

    #[test]
    fn a_series_keeps_its_own_step_beside_the_shared_one() {
        let found = kinds(&fleet(3, |m, i| {
            (if i < 60 { 1.0 } else { 1.1 }) * (if m == 0 && i >= 130 { 1.1 } else { 1.0 })
        }));
        assert_eq!(
            found.first().map(Vec::as_slice),
            Some(&[(Kind::Epoch, true), (Kind::Step, false)][..])
        );
    }

    #[test]
    fn a_series_that_ended_does_not_make_two_shifts_one() {
        let mut values = fleet(5, |_, i| match i {
            0..60 => 1.0,
            60..130 => 1.1,
            _ => 1.25,
        });
        values[5].truncate(20);
        let found = kinds(&values);
        let epochs = |changes: &Vec<(Kind, bool)>| {
            let epoch = |change: &&(Kind, bool)| change.0 == Kind::Epoch;
            (changes.iter().filter(epoch).count(), changes.len())
        };
        assert!(
            found[..5].iter().all(|changes| epochs(changes) == (2, 2)),
            "{found:?}"
        );
    }

    #[test]
    fn two_series_cannot_speak_for_a_testbed() {
        let found = kinds(&fleet(4, |_, i| if i < 60 { 1.0 } else { 1.1 })[..2]);
        assert!(
            found.iter().all(|changes| *changes == [(Kind::Step, true)]),
            "{found:?}"
        );
    }
}
