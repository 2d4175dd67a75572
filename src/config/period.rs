//! Lengths of time as people write them: `24h`, `28d`, `10m`, `3y`; a year has 365 days.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A text that is not in its notation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message} ({hint})")]
pub struct Unreadable {
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub hint: String,
}

impl Unreadable {
    pub(super) fn new(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            hint: hint.into(),
        }
    }
}

/// A length of time in whole seconds, longer than none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Period {
    seconds: u64,
}

/// Suffixes with their seconds, the longest first.
const SUFFIXES: [(&str, u64); 6] = [
    ("y", 31_536_000),
    ("w", 604_800),
    ("d", 86_400),
    ("h", 3_600),
    ("m", 60),
    ("s", 1),
];

/// Ten years: beyond it a period is a slip of the pen, and microseconds stay far from overflow.
const LONGEST_SECONDS: u64 = 10 * 366 * 86_400;

impl Period {
    /// So many days.
    pub const fn days(days: u32) -> Self {
        Self {
            seconds: days as u64 * 86_400,
        }
    }

    /// So many hours.
    pub const fn hours(hours: u32) -> Self {
        Self {
            seconds: hours as u64 * 3_600,
        }
    }

    /// As the standard library's duration.
    pub fn duration(self) -> Duration {
        Duration::from_secs(self.seconds)
    }

    /// In microseconds, the unit of all stored times.
    pub fn micros(self) -> i64 {
        i64::try_from(self.seconds)
            .unwrap_or(i64::MAX)
            .saturating_mul(1_000_000)
    }
}

impl FromStr for Period {
    type Err = Unreadable;

    fn from_str(text: &str) -> Result<Self, Unreadable> {
        let hint = "write a whole number and s, m, h, d, w or y, as in `24h`";
        let wrong =
            |why: &str| Unreadable::new(format!("`{text}` is no length of time: {why}"), hint);
        let trimmed = text.trim();
        let digits = trimmed
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(trimmed.len());
        let (number, suffix) = trimmed.split_at(digits);
        let number: u64 = number
            .parse()
            .map_err(|_| wrong("it does not begin with a whole number"))?;
        let suffix = suffix.trim();
        let (_, unit) = SUFFIXES
            .iter()
            .find(|(name, _)| *name == suffix)
            .ok_or_else(|| wrong("its unit is not known"))?;
        match number.checked_mul(*unit) {
            Some(0) => Err(wrong("it is zero")),
            Some(seconds) if seconds <= LONGEST_SECONDS => Ok(Self { seconds }),
            _ => Err(wrong("it is longer than ten years")),
        }
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Days rather than weeks: windows and freshness are spoken of in days.
        let fitting = SUFFIXES
            .iter()
            .filter(|(suffix, _)| *suffix != "w")
            .find(|(_, unit)| self.seconds.is_multiple_of(*unit));
        let (suffix, unit) = fitting.copied().unwrap_or(("s", 1));
        write!(f, "{}{suffix}", self.seconds / unit)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::Period;

    #[test]
    fn periods_read_and_print_alike() {
        for (text, printed, seconds) in [
            ("24h", "1d", 86_400),
            ("90 m", "90m", 5_400),
            ("2w", "14d", 1_209_600),
            ("30s", "30s", 30),
            ("3y", "3y", 94_608_000),
            ("400d", "400d", 34_560_000),
        ] {
            let period: Period = text.parse().unwrap();
            assert_eq!(
                (period.to_string().as_str(), period.duration().as_secs()),
                (printed, seconds)
            );
        }
    }

    #[test]
    fn what_is_no_period_says_why() {
        for (text, why) in [
            ("h", "whole number"),
            ("1.5h", "unit"),
            ("0d", "zero"),
            ("99999d", "ten years"),
            ("99999999999999999999d", "whole number"),
            ("5 parsecs", "unit"),
        ] {
            let error = text.parse::<Period>().unwrap_err();
            assert!(error.message.contains(why), "{text}: {error}");
        }
    }
}
