//! The wall clock, in the one place that may read it for the service's own work.

/// Microseconds since the epoch in UTC.
pub fn now_us() -> i64 {
    jiff::Timestamp::now().as_microsecond()
}
