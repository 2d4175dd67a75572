//! Numbers, units and lines as tools print them for people to read.

use crate::report::{Source, Summary};
use crate::units;

/// A number with its unit, as printed.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Quantity<'a> {
    /// In `unit`.
    pub(crate) value: f64,
    /// As the tool writes it.
    pub(crate) unit: &'a str,
}

impl Quantity<'_> {
    /// The value in another unit; the same value where one of the two is unknown.
    fn in_unit(&self, unit: &str) -> f64 {
        if self.unit == unit || !units::is_known(self.unit) || !units::is_known(unit) {
            return self.value;
        }
        let (from, to) = (
            units::unit(self.unit, "", Source::Bench),
            units::unit(unit, "", Source::Bench),
        );
        to.to_native(from.to_base_exactly(self.value))
    }
}

/// A decimal number with commas between thousands.
pub(crate) fn number(text: &str) -> Option<f64> {
    let digits: String = text.chars().filter(|&c| c != ',').collect();
    let plain = digits.starts_with(|c: char| c.is_ascii_digit() || c == '-' || c == '.');
    digits
        .parse::<f64>()
        .ok()
        .filter(|n| plain && n.is_finite())
}

/// `7.1986 µs 8.4469 µs`: pairs of a number and a unit that we know; `None` where anything else stands among them.
pub(crate) fn quantities(text: &str) -> Option<Vec<Quantity<'_>>> {
    let words: Vec<&str> = text.split_whitespace().collect();
    if words.is_empty() || !words.len().is_multiple_of(2) {
        return None;
    }
    words
        .chunks_exact(2)
        .map(|pair| match pair {
            [value, unit] if units::is_known(unit) => Some(Quantity {
                value: number(value)?,
                unit,
            }),
            _ => None,
        })
        .collect()
}

/// A summary of quantities whose units differ, in the unit of the one that is the headline; gives that unit too.
pub(crate) fn summary(named: &[(&str, Quantity<'_>)], headline: &str) -> Option<(Summary, String)> {
    let (_, first) = named.iter().find(|(name, _)| *name == headline)?;
    let reported = named
        .iter()
        .map(|(name, quantity)| ((*name).to_owned(), quantity.in_unit(first.unit)))
        .collect();
    let summary = Summary {
        reported,
        headline: Some(headline.to_owned()),
        ..Summary::default()
    };
    Some((summary, first.unit.to_owned()))
}

/// A line as a terminal shows it: what was overwritten by a carriage return and all colours left out.
pub(crate) fn visible(line: &str) -> String {
    let line = line.trim_end_matches('\r');
    let last = line.rsplit('\r').next().unwrap_or(line);
    let mut parts = last.split('\u{1b}');
    let mut shown = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find(|c: char| c.is_ascii_alphabetic());
        shown.push_str(end.and_then(|at| part.get(at + 1..)).unwrap_or_default());
    }
    shown
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    #[test]
    fn numbers_may_have_commas_and_nothing_else() {
        assert_eq!(number("1,431,759.5"), Some(1_431_759.5));
        for none in ["", "NaN", "inf", "1.2.3", "x", "1e999"] {
            assert_eq!(number(none), None, "{none}");
        }
    }

    #[test]
    fn quantities_of_different_units_become_one_summary_in_the_headlines_unit() {
        let found = quantities("846.98 ps 998.58 ps 1.1677 ns").unwrap();
        let names = ["low", "estimate", "high"];
        let named: Vec<_> = names.into_iter().zip(found).collect();
        let (summary, unit) = summary(&named, "estimate").unwrap();
        assert_eq!(unit, "ps");
        assert!((summary.reported[2].1 - 1_167.7).abs() < 1e-9);
        assert_eq!(quantities("-2.0565% -0.2521% +1.6377%"), None);
        assert_eq!(quantities("1 apple"), None);
    }

    #[test]
    fn colours_and_overwritten_text_are_not_seen() {
        assert_eq!(
            visible("Analyzing\r\u{1b}[32mfib\u{1b}[0m time\r"),
            "fib time"
        );
    }
}
