//! When the shop released: v2.0 to v2.38, about weekly, the last three within the last day.

use super::random::Noise;
use super::story;

/// Microseconds in a second, an hour and a day.
pub(super) const SECOND_US: i64 = 1_000_000;
pub(super) const HOUR_US: i64 = 3_600 * SECOND_US;
pub(super) const DAY_US: i64 = 24 * HOUR_US;

/// Nine months of history.
pub const HISTORY_DAYS: i64 = 274;

/// How many releases the shop made.
pub const RELEASES: usize = 39;

/// The last weekly release, and how long ago it was; after it come three within a day.
const LAST_WEEKLY: usize = 35;
const LAST_WEEKLY_AGE_DAYS: f64 = 8.0;

/// Ages of v2.36, v2.37 and v2.38, young enough that a gate with `fresh = "24h"` takes their runs.
const RECENT_AGES_US: [i64; 3] = [20 * HOUR_US, 8 * HOUR_US, 150 * 60 * SECOND_US];

/// A version that the shop built and shipped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// `v2.0` to `v2.38`.
    pub name: String,
    /// Its commit, forty hexadecimal digits.
    pub commit: String,
    /// The commit of the release before it; none for the first.
    pub parent: Option<String>,
    /// The branch it came from, always `main`.
    pub branch: String,
    /// When it was released, microseconds since the epoch in UTC.
    pub time_us: i64,
    /// What its authors said of it, where they did.
    pub note: Option<&'static str>,
}

/// All releases up to `now_us`, oldest first.
pub(super) fn releases(seed: u64, now_us: i64) -> Vec<Release> {
    let mut parent = None;
    (0..RELEASES)
        .map(|number| {
            let name = format!("v2.{number}");
            let commit = commit(seed, &name);
            let time_us = now_us - age_us(seed, number, now_us);
            Release {
                parent: parent.replace(commit.clone()),
                branch: "main".to_owned(),
                name,
                commit,
                time_us,
                note: note(number),
            }
        })
        .collect()
}

fn note(number: usize) -> Option<&'static str> {
    let noted = story::NOTES.iter().find(|(release, _)| *release == number);
    noted.map(|(_, note)| *note)
}

/// The recent ones have fixed ages; the weekly ones fall on working days between 9 and 16 o'clock UTC.
fn age_us(seed: u64, number: usize, now_us: i64) -> i64 {
    if let Some(recent) = number.checked_sub(LAST_WEEKLY + 1) {
        return RECENT_AGES_US.get(recent).copied().unwrap_or_default();
    }
    let spacing = (HISTORY_DAYS as f64 - 0.5 - LAST_WEEKLY_AGE_DAYS) / LAST_WEEKLY as f64;
    let age_days = LAST_WEEKLY_AGE_DAYS + spacing * (LAST_WEEKLY - number) as f64;
    let day = (now_us - (age_days * DAY_US as f64) as i64).div_euclid(DAY_US);
    // Day 0 of the epoch was a Thursday: Saturday moves back one day, Sunday on by one.
    let shift = match (day + 4).rem_euclid(7) {
        6 => -1,
        0 => 1,
        _ => 0,
    };
    let minute =
        9 * 60 + (Noise::named(seed, &format!("release {number}")).uniform() * 420.0) as i64;
    now_us - ((day + shift) * DAY_US + minute * 60 * SECOND_US)
}

fn commit(seed: u64, name: &str) -> String {
    let mut noise = Noise::named(seed, &format!("commit {name}"));
    let hex = format!(
        "{:016x}{:016x}{:016x}",
        noise.bits(),
        noise.bits(),
        noise.bits()
    );
    hex.chars().take(40).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_US: i64 = 1_795_270_200 * SECOND_US;

    #[test]
    fn they_are_in_order_and_each_names_its_parent() {
        let all = releases(1, NOW_US);
        assert_eq!(all.len(), RELEASES);
        for pair in all.windows(2) {
            assert!(
                pair[0].time_us < pair[1].time_us,
                "{} before {}",
                pair[0].name,
                pair[1].name
            );
            assert_eq!(pair[1].parent.as_ref(), Some(&pair[0].commit));
        }
        assert!(all.iter().all(|r| r.commit.len() == 40));
    }

    #[test]
    fn the_last_three_came_within_a_day_and_none_on_a_weekend_before() {
        let all = releases(1, NOW_US);
        assert!(
            all[RELEASES - 3..]
                .iter()
                .all(|r| NOW_US - r.time_us < DAY_US && r.time_us < NOW_US)
        );
        assert!(all[..RELEASES - 3].iter().all(|r| {
            let weekday = (r.time_us.div_euclid(DAY_US) + 4).rem_euclid(7);
            (1..=5).contains(&weekday)
        }));
    }

    #[test]
    fn the_first_is_nine_months_old_whatever_the_hour() {
        for hour in 0..24 {
            let now = NOW_US + hour * HOUR_US;
            let all = releases(1, now);
            let age_days = (now - all[0].time_us) / DAY_US;
            assert!(
                (HISTORY_DAYS - 3..=HISTORY_DAYS).contains(&age_days),
                "{age_days} days"
            );
            assert!(all.windows(2).all(|pair| pair[0].time_us < pair[1].time_us));
        }
    }
}
