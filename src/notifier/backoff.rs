//! When a failed delivery is tried again, and when we give up.

use std::time::Duration;

/// Attempts before a delivery is dead: with the pauses below that is about a day, long enough for somebody to mend a
/// receiver on the next working morning.
pub(super) const ATTEMPTS: i64 = 15;
/// The first pause. A receiver that failed once has the alert a second later.
const FIRST: Duration = Duration::from_secs(1);
/// Each pause is so many times the one before.
const GROWTH: u32 = 3;
/// The longest pause, four hours.
const LONGEST: Duration = Duration::from_secs(4 * 3_600);
/// How far up a pause is spread, as a share of it, so that deliveries that failed together do not come back together.
const SPREAD: f64 = 0.25;
/// A receiver may ask us to wait, but no longer than this: an hour.
const LONGEST_ASKED: Duration = Duration::from_secs(3_600);

/// The pause after the failure of attempt number `attempts` (from 1), or none when it was the last. `asked` is the
/// receiver's own wish, `chance` a random number from 0 to 1.
pub(super) fn pause(attempts: i64, asked: Option<Duration>, chance: f64) -> Option<Duration> {
    if attempts >= ATTEMPTS {
        return None;
    }
    let earlier = u32::try_from(attempts - 1).unwrap_or(0);
    let grown = GROWTH
        .checked_pow(earlier)
        .and_then(|factor| FIRST.checked_mul(factor))
        .map_or(LONGEST, |pause| pause.min(LONGEST));
    let asked = asked.unwrap_or(Duration::ZERO).min(LONGEST_ASKED);
    Some(grown.max(asked).mul_f64(1.0 + SPREAD * chance))
}

/// The pause that a `Retry-After` header asks for, in either of its two forms, at the time `now_us`.
pub(super) fn asked(retry_after: &str, now_us: i64) -> Option<Duration> {
    if let Ok(seconds) = retry_after.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = jiff::fmt::rfc2822::parse(retry_after.trim()).ok()?;
    let wait_us = date.timestamp().as_microsecond() - now_us;
    Some(Duration::from_micros(u64::try_from(wait_us).unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    fn seconds(attempts: i64) -> u64 {
        pause(attempts, None, 0.0).unwrap().as_secs()
    }

    #[test]
    fn pauses_grow_from_a_second_to_four_hours() {
        let pauses: Vec<u64> = (1..ATTEMPTS).map(seconds).collect();
        assert_eq!(pauses[..5], [1, 3, 9, 27, 81]);
        assert_eq!(pauses[pauses.len() - 1], 4 * 3_600);
        let hours = pauses.iter().sum::<u64>() / 3_600;
        assert!((20..=28).contains(&hours), "{hours} hours");
    }

    #[test]
    fn the_last_failure_has_no_pause() {
        assert_eq!(pause(ATTEMPTS, None, 0.5), None);
        assert_eq!(
            pause(ATTEMPTS + 1, Some(Duration::from_secs(1)), 0.5),
            None,
            "a dead letter sent again has one attempt"
        );
    }

    #[test]
    fn chance_only_lengthens_a_pause() {
        let spread = pause(4, None, 1.0).unwrap();
        assert_eq!(spread, Duration::from_secs_f64(27.0 * 1.25));
    }

    #[test]
    fn a_receiver_is_given_the_time_it_asks_for_up_to_an_hour() {
        let waits = |asked: u64| pause(1, Some(Duration::from_secs(asked)), 0.0);
        assert_eq!(waits(30), Some(Duration::from_secs(30)));
        assert_eq!(waits(0), Some(FIRST));
        assert_eq!(waits(u64::MAX), Some(LONGEST_ASKED));
        assert_eq!(
            pause(14, Some(Duration::from_secs(5)), 0.0),
            Some(LONGEST),
            "never sooner than we would ourselves"
        );
    }

    #[test]
    fn retry_after_has_two_forms() {
        // Sun, 06 Nov 1994 08:49:37 GMT
        let at_us = 784_111_777_000_000;
        assert_eq!(asked("120", at_us), Some(Duration::from_secs(120)));
        assert_eq!(
            asked("Sun, 06 Nov 1994 08:49:37 GMT", at_us - 7_000_000),
            Some(Duration::from_secs(7))
        );
        assert_eq!(
            asked("Sun, 06 Nov 1994 08:49:37 GMT", at_us + 1),
            Some(Duration::ZERO)
        );
        assert_eq!(asked("soon", at_us), None);
        assert_eq!(asked("-1", at_us), None);
    }
}
