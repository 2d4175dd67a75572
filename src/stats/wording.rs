//! Numbers and spans of time in the words of a verdict.
//!
//! Digits follow the half-width of the range: a number is printed to that decade, the ends of its range one finer where
//! the half-width begins with 1 to 3. Signs are true minus signs, units follow a no-break space.

use super::Interval;

/// How base units are shown: `factor` of them make one of `symbol` (1e-9 and "s" for nanoseconds shown as seconds).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scale<'a> {
    /// What a base value is multiplied with.
    pub factor: f64,
    /// The unit's symbol; empty for a plain number.
    pub symbol: &'a str,
}

impl Scale<'_> {
    /// A base value with its unit, to the decade of `half_width` (also in base units).
    pub fn value(&self, value: f64, half_width: f64) -> String {
        let number = number(
            value * self.factor,
            decimals(value * self.factor, half_width * self.factor),
        );
        with_unit(&number, self.symbol)
    }

    /// A base value with its unit and range: `2.41 s [2.38, 2.44]`.
    pub fn range(&self, interval: &Interval) -> String {
        let shown = interval.scaled(self.factor);
        let (value, range) = digits(&shown, false);
        format!("{} {range}", with_unit(&value, self.symbol))
    }
}

/// A signed change with its range: `+5.8 % [4.9, 6.6]`.
pub fn change(percent: &Interval) -> String {
    let (value, range) = digits(percent, true);
    format!("{} {range}", with_unit(&value, "%"))
}

/// A signed change alone, to the decade of `half_width`: `+0.4 %`.
pub fn signed_percent(percent: f64, half_width: f64) -> String {
    with_unit(&signed(percent, decimals(percent, half_width)), "%")
}

/// An unsigned share or margin with up to two decimals, as a person would write it: `2 %`, `0.25 %`.
pub fn percent(percent: f64) -> String {
    let places = (0..=2)
        .find(|p| (round(percent, *p) - percent).abs() < 1e-9)
        .unwrap_or(2);
    with_unit(&number(percent, places), "%")
}

/// An unsigned size that is known roughly, to two digits: `1.7 %`, `12 %`.
pub fn size(size: f64) -> String {
    let decade = size.abs().max(f64::MIN_POSITIVE).log10().floor() as i32;
    let unit = 10f64.powi(decade - 1);
    percent((size / unit).round() * unit)
}

/// A span of time in the largest unit that leaves at least two of it: `35 minutes`, `26 hours`, `5 days`.
pub fn span(us: i64) -> String {
    let minutes = us.max(0) / 60_000_000;
    match minutes {
        0..=119 => plural(minutes as u64, "minute"),
        120..=2_879 => plural(minutes as u64 / 60, "hour"),
        _ => plural(minutes as u64 / 1_440, "day"),
    }
}

/// A count with its noun: `1 run`, `4 runs`.
pub fn plural(count: u64, noun: &str) -> String {
    format!(
        "{} {noun}{}",
        thousands(count),
        if count == 1 { "" } else { "s" }
    )
}

fn thousands(count: u64) -> String {
    let digits = count.to_string();
    let grouped: Vec<&str> = digits
        .as_bytes()
        .rchunks(3)
        .rev()
        .filter_map(|c| std::str::from_utf8(c).ok())
        .collect();
    grouped.join(",")
}

fn with_unit(number: &str, symbol: &str) -> String {
    if symbol.is_empty() {
        number.to_owned()
    } else {
        format!("{number}\u{a0}{symbol}")
    }
}

fn digits(interval: &Interval, sign: bool) -> (String, String) {
    let half = interval.half_width();
    let places = decimals(interval.value, half);
    let finer = half > 0.0 && half / 10_f64.powf(half.log10().floor()) < 4.0;
    let inside = if finer && half < 10.0 {
        (places + 1).min(MOST_DECIMALS)
    } else {
        places
    };
    let value = if sign {
        signed(interval.value, places)
    } else {
        number(interval.value, places)
    };
    (
        value,
        format!(
            "[{}, {}]",
            number(interval.lower, inside),
            number(interval.upper, inside)
        ),
    )
}

const MOST_DECIMALS: usize = 4;

/// Decimals down to the decade of the half-width; three significant digits where there is none.
fn decimals(value: f64, half_width: f64) -> usize {
    let finest = if half_width > 0.0 && half_width.is_finite() {
        half_width.log10().floor()
    } else if value != 0.0 {
        value.abs().log10().floor() - 2.0
    } else {
        0.0
    };
    (-finest).clamp(0.0, MOST_DECIMALS as f64) as usize
}

fn round(value: f64, places: usize) -> f64 {
    let unit = 10_f64.powi(places as i32);
    (value * unit).round() / unit
}

fn number(value: f64, places: usize) -> String {
    let rounded = round(value, places);
    let sign = if rounded < 0.0 { "−" } else { "" };
    format!("{sign}{:.places$}", rounded.abs())
}

fn signed(value: f64, places: usize) -> String {
    let plus = if round(value, places) > 0.0 { "+" } else { "" };
    format!("{plus}{}", number(value, places))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECONDS: Scale<'_> = Scale {
        factor: 1e-9,
        symbol: "s",
    };

    #[test]
    fn rough_sizes_have_two_digits() {
        let sizes = [0.0324, 0.5, 1.726, 9.96, 15.46, 99.9].map(size);
        let shown = ["0.03", "0.5", "1.7", "10", "15", "100"];
        assert_eq!(sizes, shown.map(|number| format!("{number}\u{a0}%")));
    }

    #[test]
    fn digits_follow_the_width_of_the_range() {
        assert_eq!(SECONDS.value(2.413_7e9, 0.03e9), "2.41\u{a0}s");
        assert_eq!(
            SECONDS.range(&Interval {
                value: 2.413_7e9,
                lower: 2.378e9,
                upper: 2.451e9
            }),
            "2.41\u{a0}s [2.378, 2.451]"
        );
        assert_eq!(
            change(&Interval {
                value: 5.81,
                lower: 4.93,
                upper: 6.58
            }),
            "+5.8\u{a0}% [4.9, 6.6]"
        );
        assert_eq!(
            change(&Interval {
                value: -5.81,
                lower: -9.9,
                upper: -1.2
            }),
            "−6\u{a0}% [−10, −1]"
        );
    }

    #[test]
    fn nought_has_no_sign() {
        assert_eq!(signed_percent(-0.001, 0.1), "0.0\u{a0}%");
        assert_eq!(signed_percent(0.4, 0.1), "+0.4\u{a0}%");
    }

    #[test]
    fn margins_read_as_written() {
        assert_eq!(percent(2.0), "2\u{a0}%");
        assert_eq!(percent(0.25), "0.25\u{a0}%");
    }

    #[test]
    fn spans_and_counts_read_as_said() {
        assert_eq!(span(35 * 60_000_000), "35 minutes");
        assert_eq!(span(26 * 3_600_000_000), "26 hours");
        assert_eq!(span(5 * 86_400_000_000), "5 days");
        assert_eq!(plural(1, "run"), "1 run");
        assert_eq!(plural(1_400, "sample"), "1,400 samples");
    }
}
