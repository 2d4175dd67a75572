//! A point in time as an argument: RFC 3339 with its offset, a day (midnight UTC), or `now`.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

/// A point in time; prints in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moment(Timestamp);

impl Moment {
    /// Microseconds since the epoch in UTC.
    pub(crate) fn as_microsecond(self) -> i64 {
        self.0.as_microsecond()
    }

    /// This very moment.
    pub(crate) fn now() -> Self {
        Self(Timestamp::now())
    }
}

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "now" {
            return Ok(Self::now());
        }
        let midnight = |day: Date| day.to_zoned(TimeZone::UTC).map(|zoned| zoned.timestamp());
        let read = if text.len() == "2026-11-20".len() {
            text.parse().and_then(midnight)
        } else {
            text.parse()
        };
        read.map(Self).map_err(|_| {
            format!(
                "`{text}` is no time; write it as 2026-11-20T10:00:00Z, or with its offset from UTC"
            )
        })
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::Moment;

    #[test]
    fn times_need_an_offset_and_print_in_utc() {
        let printed = |text: &str| text.parse::<Moment>().map(|moment| moment.to_string());
        assert_eq!(
            printed("2026-11-20T10:00:00+02:00").unwrap(),
            "2026-11-20T08:00:00Z"
        );
        assert_eq!(printed("2026-11-20").unwrap(), "2026-11-20T00:00:00Z");
        assert!(printed("2026-11-20T10:00:00").is_err());
        assert!(printed("yesterday").is_err());
    }
}
