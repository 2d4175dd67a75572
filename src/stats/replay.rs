//! When a change would have been told: growing prefixes, as production sees them, with findings that keep their identity.
//!
//! Source: the honest mode of detection benchmarks (van den Burg & Williams 2020, online setting). Assumes rows arrive in
//! release order, one at a time. Needs what [`super::judge`] needs. Cannot see late or re-ordered releases: production
//! judges those series again from the start, and pairs what it finds by [`pair`] all the same.

use super::common_mode::{Member, judge_together};
use super::epoch::{Identity, boundaries};
use super::judge::{Change, Kind, Row, Settings, judge};

/// A change over its life.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// As it was last seen.
    pub change: Change,
    /// The newest row that was known when it was first told.
    pub detected_at: usize,
    /// The newest row that was known when it was taken back, if it was.
    pub withdrawn_at: Option<usize>,
}

/// Two changes so many rows apart may be one, seen with other rows.
const APART: usize = 6;

/// A finding is taken back only when so many judgements in a row no longer see it.
const PATIENCE: usize = 3;

/// For each change seen now, which of the known ones it is, if any: same sign (an epoch only an epoch), overlapping or
/// near; the nearest pairs first, each known change at most once.
pub fn pair(known: &[&Change], now: &[Change]) -> Vec<Option<usize>> {
    let mut pairs: Vec<(usize, usize, usize)> = Vec::new();
    for (i, change) in now.iter().enumerate() {
        for (j, old) in known.iter().enumerate() {
            if let Some(distance) = distance(old, change) {
                pairs.push((distance, i, j));
            }
        }
    }
    pairs.sort_unstable();
    let mut matched = vec![None; now.len()];
    let mut taken = vec![false; known.len()];
    for (_, i, j) in pairs {
        if matched[i].is_none() && !taken[j] {
            matched[i] = Some(j);
            taken[j] = true;
        }
    }
    matched
}

/// How far two changes are apart in rows, if they may be the same one.
fn distance(a: &Change, b: &Change) -> Option<usize> {
    let alike = (a.kind == Kind::Epoch) == (b.kind == Kind::Epoch);
    let one_way = a.kind == Kind::Epoch || (a.effect_pct.value > 0.0) == (b.effect_pct.value > 0.0);
    let apart = |x: &Change, y: &Change| {
        y.onset_lo
            .min(y.index)
            .saturating_sub(x.onset_hi.max(x.end))
    };
    let gap = apart(a, b).max(apart(b, a));
    (alike && one_way && gap <= APART).then(|| a.index.abs_diff(b.index))
}

/// The findings of one series or group so far.
#[derive(Debug, Clone, Default)]
struct Life {
    findings: Vec<Finding>,
    /// For how many judgements each has not been seen.
    unseen: Vec<usize>,
}

impl Life {
    /// Takes in what is seen with rows up to `newest`.
    fn see(&mut self, now: Vec<Change>, newest: usize) {
        let known: Vec<&Change> = self.findings.iter().map(|f| &f.change).collect();
        let matched = pair(&known, &now);
        for seen in &mut self.unseen {
            *seen += 1;
        }
        for (change, known) in now.into_iter().zip(matched) {
            // What begins after a finding was told cannot be what was told.
            match known.filter(|j| change.index <= self.findings[*j].detected_at) {
                Some(j) => {
                    self.findings[j].change = change;
                    self.findings[j].withdrawn_at = None;
                    self.unseen[j] = 0;
                }
                None if !change.is_firm() => {}
                None => {
                    self.findings.push(Finding {
                        change,
                        detected_at: newest,
                        withdrawn_at: None,
                    });
                    self.unseen.push(0);
                }
            }
        }
        for (finding, unseen) in self.findings.iter_mut().zip(&self.unseen) {
            if *unseen >= PATIENCE && finding.withdrawn_at.is_none() {
                finding.withdrawn_at = Some(newest);
            }
        }
    }

    fn sorted(mut self) -> Vec<Finding> {
        self.findings
            .sort_by_key(|f| (f.change.index, f.detected_at));
        self.findings
    }
}

/// Replays one series; `identities` say how each row was measured and are as long as `rows`, or empty. Findings that
/// were taken back are in the answer too.
pub fn replay(rows: &[Row<'_>], identities: &[Identity<'_>], settings: &Settings) -> Vec<Finding> {
    replay_from(rows, identities, settings, 1)
}

/// The same, beginning with the first `from` rows at once.
pub(super) fn replay_from(
    rows: &[Row<'_>],
    identities: &[Identity<'_>],
    settings: &Settings,
    from: usize,
) -> Vec<Finding> {
    let mut life = Life::default();
    for known in from..=rows.len() {
        let found = boundaries(&identities[..known.min(identities.len())]);
        life.see(judge(&rows[..known], &found, settings), known - 1);
    }
    life.sorted()
}

/// One series of a group that is replayed together.
#[derive(Debug, Clone)]
pub struct Replayed<'a> {
    /// Its rows, in release order.
    pub rows: Vec<Row<'a>>,
    /// How each row was measured; as long as `rows`, or empty.
    pub identities: Vec<Identity<'a>>,
    /// What is worth telling.
    pub settings: Settings,
}

/// Replays the series of one testbed together, in the order of their rows' times.
pub fn replay_together(series: &[Replayed<'_>]) -> Vec<Vec<Finding>> {
    let mut times: Vec<i64> = series
        .iter()
        .flat_map(|s| s.rows.iter().map(|r| r.time_us))
        .collect();
    times.sort_unstable();
    times.dedup();
    let settings: Vec<Settings> = series.iter().map(|s| s.settings).collect();
    let mut lives = vec![Life::default(); series.len()];
    for time in times {
        let known: Vec<usize> = series
            .iter()
            .map(|s| s.rows.partition_point(|r| r.time_us <= time))
            .collect();
        let members: Vec<Member<'_>> = series
            .iter()
            .zip(&known)
            .map(|(s, n)| Member {
                rows: s.rows[..*n].to_vec(),
                boundaries: boundaries(&s.identities[..(*n).min(s.identities.len())]),
            })
            .collect();
        for ((life, changes), n) in lives
            .iter_mut()
            .zip(judge_together(&members, &settings))
            .zip(&known)
        {
            life.see(changes, n.saturating_sub(1));
        }
    }
    lives.into_iter().map(Life::sorted).collect()
}

#[cfg(test)]
mod tests {
    use super::super::Direction;
    use super::super::seeded::Seeded;
    use super::*;

    fn findings(values: &[f64]) -> Vec<Finding> {
        let names: Vec<String> = (0..values.len()).map(|i| format!("v{i}")).collect();
        let rows: Vec<Row<'_>> = values
            .iter()
            .zip(&names)
            .enumerate()
            .map(|(i, (value, name))| Row {
                time_us: i as i64 * 86_400_000_000,
                release: name,
                value: *value,
                count: None,
                se: None,
            })
            .collect();
        replay(
            &rows,
            &[],
            &Settings {
                direction: Direction::Lower,
                minimum_pct: 0.5,
                least_surplus: 0.0,
            },
        )
    }

    fn series(seed: u64, n: usize, level: impl Fn(usize) -> f64) -> Vec<f64> {
        let mut random = Seeded::new(seed);
        (0..n)
            .map(|i| 100.0 * level(i) * (0.01 * random.normal()).exp())
            .collect()
    }

    #[test]
    fn a_gross_step_is_told_with_its_fourth_run_and_stays_one_finding() {
        let found = findings(&series(1, 120, |i| if i < 70 { 1.0 } else { 1.4 }));
        assert!(
            matches!(&found[..], [f] if f.detected_at == 73 && f.change.index == 70 && f.withdrawn_at.is_none()),
            "{found:?}"
        );
    }

    #[test]
    fn a_single_slow_run_is_never_told() {
        let found = findings(&series(2, 120, |i| if i == 70 { 3.0 } else { 1.0 }));
        assert_eq!(found, []);
    }

    #[test]
    fn a_bleed_is_one_finding_that_is_told_before_it_is_over() {
        let found = findings(&series(3, 150, |i| {
            1.0 + 0.004 * (i.saturating_sub(60).min(30)) as f64
        }));
        let standing: Vec<&Finding> = found.iter().filter(|f| f.withdrawn_at.is_none()).collect();
        assert!(
            matches!(standing[..], [f] if f.change.kind == Kind::Bleed && f.detected_at < 90),
            "{found:?}"
        );
    }

    #[test]
    fn three_years_of_noise_replayed_run_by_run_tell_nothing() {
        let told: usize = (0..6)
            .map(|seed| findings(&series(100 + seed, 180, |_| 1.0)).len())
            .sum();
        assert_eq!(told, 0);
    }

    #[test]
    fn a_change_that_went_away_is_taken_back() {
        let found = findings(&series(4, 200, |i| {
            if (70..75).contains(&i) { 1.4 } else { 1.0 }
        }));
        assert!(
            !found.is_empty(),
            "a gross change is told before it goes away"
        );
        assert!(found.iter().all(|f| f.withdrawn_at.is_some()), "{found:?}");
    }

    #[test]
    fn each_known_change_is_paired_once_with_the_nearest() {
        let change = |index: usize, effect: f64| Change {
            kind: Kind::Step,
            index,
            onset_lo: index,
            onset_hi: index,
            end: index,
            effect_pct: super::super::Interval::exact(effect),
            confidence: 1.0,
            surplus: 0.0,
            slope_pct_per_release: None,
            mean_error_pct: 0.0,
            releases: 1,
            reason: String::new(),
        };
        let (a, b) = (change(50, 5.0), change(58, 5.0));
        assert_eq!(
            pair(
                &[&a, &b],
                &[
                    change(57, 4.0),
                    change(52, 4.0),
                    change(54, -4.0),
                    change(90, 4.0)
                ]
            ),
            [Some(1), Some(0), None, None]
        );
    }
}
