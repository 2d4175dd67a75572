//! Instants as people read them, in UTC: "7 Aug", the year when it is not this one, the clock time only today.

use std::fmt;

use askama::filters::HtmlSafe;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::number::NO_BREAK_SPACE;

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];
/// One day in microseconds.
pub const DAY_US: i64 = 86_400_000_000;

/// An instant as seen from another, both in microseconds since 1970 UTC. Shown in a page, it is a `<time>` element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// The instant.
    pub at_us: i64,
    /// The instant from which it is seen.
    pub now_us: i64,
}

impl Moment {
    /// An instant seen from `now_us`.
    pub fn new(at_us: i64, now_us: i64) -> Self {
        Moment { at_us, now_us }
    }

    /// "7 Aug", "7 Aug 2025", or "14:06 UTC" for an instant of the same day.
    pub fn text(&self) -> String {
        let (at, now) = (civil(self.at_us), civil(self.now_us));
        if at.date() == now.date() {
            format!("{:02}:{:02}{NO_BREAK_SPACE}UTC", at.hour(), at.minute())
        } else {
            self.day()
        }
    }

    /// The day alone: "7 Aug", with its year when that is another one.
    pub fn day(&self) -> String {
        let (at, now) = (civil(self.at_us), civil(self.now_us));
        let day = format!("{}{NO_BREAK_SPACE}{}", at.day(), month_name(at.month()));
        if at.year() == now.year() {
            day
        } else {
            format!("{day}{NO_BREAK_SPACE}{}", at.year())
        }
    }

    /// Day and clock: "20 Nov 2026, 14:10 UTC".
    pub fn full(&self) -> String {
        let at = civil(self.at_us);
        let (day, month, year) = (at.day(), month_name(at.month()), at.year());
        format!(
            "{day}{NO_BREAK_SPACE}{month} {year}, {:02}:{:02}{NO_BREAK_SPACE}UTC",
            at.hour(),
            at.minute()
        )
    }

    /// As a machine reads it: `2026-08-07T00:00:00Z`.
    pub fn iso(&self) -> String {
        let at = civil(self.at_us);
        format!(
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z",
            at.year(),
            at.month(),
            at.day(),
            at.hour(),
            at.minute(),
            at.second()
        )
    }

    /// How long ago in whole units: "9 days", "3 hours", "4 minutes".
    pub fn age(&self) -> String {
        span(self.now_us - self.at_us)
    }

    /// Day and clock as a `<time>` element.
    pub fn full_tag(&self) -> TimeTag {
        TimeTag {
            iso: self.iso(),
            text: self.full(),
        }
    }

    /// Day and clock as a `<time>` element whose year and zone a narrow header may hide.
    pub fn header_tag(&self) -> TimeTag {
        let at = civil(self.at_us);
        let (day, month, year) = (at.day(), month_name(at.month()), at.year());
        let year = format!("<span class=\"wide-only\"> {year}</span>");
        let clock = format!(
            "{:02}:{:02}<span class=\"wide-only\"> UTC</span>",
            at.hour(),
            at.minute()
        );
        TimeTag {
            iso: self.iso(),
            text: format!("{day}{NO_BREAK_SPACE}{month}{year}, {clock}"),
        }
    }

    /// The day alone as a `<time>` element.
    pub fn day_tag(&self) -> TimeTag {
        TimeTag {
            iso: self.iso(),
            text: self.day(),
        }
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        TimeTag {
            iso: self.iso(),
            text: self.text(),
        }
        .fmt(f)
    }
}

impl HtmlSafe for Moment {}

/// A `<time>` element; its two parts are made of digits, letters and punctuation without meaning in HTML.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimeTag {
    iso: String,
    text: String,
}

impl fmt::Display for TimeTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<time datetime=\"{}\">{}</time>", self.iso, self.text)
    }
}

impl HtmlSafe for TimeTag {}

/// A length of time in the largest unit of which it holds two, or one: "9 days", "1 day", "36 hours".
pub fn span(length_us: i64) -> String {
    let minutes = length_us.max(0) / 60_000_000;
    let (n, unit) = match minutes {
        0..120 => (minutes.max(1), "minute"),
        120..2_880 => (minutes / 60, "hour"),
        _ => (minutes / 1_440, "day"),
    };
    super::number::counted(n.unsigned_abs(), unit)
}

/// Two days as a range: "12 Dec – 30 Jan"; years only where they are not this one and differ.
pub fn day_range(from_us: i64, to_us: i64, now_us: i64) -> String {
    // Within the next eleven months a day without its year cannot be mistaken.
    let is_far =
        |at_us: i64| civil(at_us) >= civil(now_us).saturating_add(jiff::Span::new().months(11));
    let shown = |at_us: i64| {
        let seen_from = if at_us >= now_us && !is_far(at_us) {
            at_us
        } else {
            now_us
        };
        Moment::new(at_us, seen_from).day()
    };
    let (shown_from, shown_to) = (shown(from_us), shown(to_us));
    if shown_from == shown_to {
        shown_from
    } else {
        format!("{shown_from} – {shown_to}")
    }
}

/// The short English name of a month, 1 to 12.
pub fn month_name(month: i8) -> &'static str {
    let index = usize::try_from(month - 1).unwrap_or(0);
    MONTHS.get(index).copied().unwrap_or("")
}

/// The long English name of an instant's month: "March".
pub fn month_word(at_us: i64) -> &'static str {
    const WORDS: [&str; 12] = [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ];
    let index = usize::try_from(civil(at_us).month() - 1).unwrap_or(0);
    WORDS.get(index).copied().unwrap_or("")
}

/// The UTC date and time of an instant; instants beyond the calendar are cut to its ends.
pub fn civil(at_us: i64) -> DateTime {
    let timestamp = Timestamp::from_microsecond(at_us).unwrap_or(if at_us < 0 {
        Timestamp::MIN
    } else {
        Timestamp::MAX
    });
    TimeZone::UTC.to_datetime(timestamp)
}

/// Midnight UTC of a civil day, in microseconds.
pub fn midnight_us(date: jiff::civil::Date) -> i64 {
    let midnight = date.to_datetime(jiff::civil::Time::midnight());
    TimeZone::UTC
        .to_timestamp(midnight)
        .map_or(0, |timestamp| timestamp.as_microsecond())
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    fn at(year: i16, month: i8, day: i8) -> i64 {
        midnight_us(date(year, month, day))
    }

    fn plain(text: String) -> String {
        text.replace(NO_BREAK_SPACE, " ")
    }

    #[test]
    fn the_year_shows_only_when_it_is_another_one() {
        let now = at(2026, 11, 20);
        assert_eq!(plain(Moment::new(at(2026, 8, 7), now).text()), "7 Aug");
        assert_eq!(plain(Moment::new(at(2025, 8, 7), now).text()), "7 Aug 2025");
    }

    #[test]
    fn the_clock_shows_only_today() {
        let now = at(2026, 11, 20) + 14 * 3_600_000_000;
        assert_eq!(
            plain(Moment::new(now - 60_000_000, now).text()),
            "13:59 UTC"
        );
        assert_eq!(
            plain(Moment::new(now, now).full()),
            "20 Nov 2026, 14:00 UTC"
        );
        let tag = Moment::new(at(2026, 8, 7), now).to_string();
        assert_eq!(
            plain(tag),
            "<time datetime=\"2026-08-07T00:00:00Z\">7 Aug</time>"
        );
    }

    #[test]
    fn a_coming_range_needs_no_year_until_it_is_a_year_away() {
        let now = at(2026, 11, 20);
        assert_eq!(
            plain(day_range(at(2026, 12, 12), at(2027, 1, 30), now)),
            "12 Dec – 30 Jan"
        );
        assert_eq!(
            plain(day_range(at(2026, 12, 12), at(2028, 1, 30), now)),
            "12 Dec – 30 Jan 2028"
        );
    }

    #[test]
    fn ages_are_whole() {
        assert_eq!(plain(span(9 * DAY_US + 5)), "9 days");
        assert_eq!(plain(span(DAY_US)), "24 hours");
        assert_eq!(plain(span(3_600_000_000)), "60 minutes");
    }

    #[test]
    fn instants_beyond_the_calendar_do_not_panic() {
        let _ = Moment::new(i64::MAX, i64::MIN).full();
        let _ = Moment::new(i64::MIN, i64::MAX).text();
    }
}
