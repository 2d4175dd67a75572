//! Points in time as tools write them.

use jiff::Timestamp;

/// Microseconds since the epoch of an RFC 3339 time with a zone; `None` for anything else, since a time without a zone is not certain.
pub(crate) fn microseconds(text: &str) -> Option<i64> {
    text.parse::<Timestamp>().ok().map(|t| t.as_microsecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_need_a_zone() {
        assert_eq!(microseconds("1970-01-01T00:00:01.5Z"), Some(1_500_000));
        assert_eq!(microseconds("1970-01-01T01:00:00+01:00"), Some(0));
        assert_eq!(microseconds("2019-11-29 21:26:59"), None);
        assert_eq!(microseconds("yesterday"), None);
    }
}
