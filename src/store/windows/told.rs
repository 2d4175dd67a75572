//! What is told of a window without its contents: one text of numbers parted by commas, so that a year of a series is
//! read as narrow rows.

use std::fmt::Write;

use super::{Statistic, Window, WindowKey};
use crate::stats::Interval;

/// Times, counts, the headline and the three stored percentiles with their ends; empty where there is none.
pub(super) fn write(window: &Window) -> String {
    let mut told = format!(
        "{},{},{},{},{}",
        window.first_us, window.last_us, window.count, window.failed, window.dropped
    );
    let percentiles = [&window.p50, &window.p75, &window.p99];
    let ends = percentiles.into_iter().flat_map(|statistic| {
        let ends = statistic.map(|it| [it.value, it.lower, it.upper]);
        (0..3).map(move |at| ends.map(|ends| ends[at]))
    });
    for number in std::iter::once(window.headline).chain(ends) {
        told.push(',');
        if let Some(number) = number {
            // Writing to a string can't fail.
            let _ = write!(told, "{number}");
        }
    }
    told
}

/// The window that [`write`] told of; none where the text is something else.
pub(super) fn read(key: WindowKey, told: &str) -> Option<Window> {
    let mut parts = told.split(',');
    let mut window = Window {
        first_us: parts.next()?.parse().ok()?,
        last_us: parts.next()?.parse().ok()?,
        count: parts.next()?.parse().ok()?,
        failed: parts.next()?.parse().ok()?,
        dropped: parts.next()?.parse().ok()?,
        body: None,
        ..Window::new(key)
    };
    let mut number = || -> Option<Option<f64>> {
        match parts.next()? {
            "" => Some(None),
            number => number.parse().ok().map(Some),
        }
    };
    window.headline = number()?;
    let mut statistic = || -> Option<Statistic> {
        Some(match [number()?, number()?, number()?] {
            [Some(value), Some(lower), Some(upper)] => Some(Interval {
                value,
                lower,
                upper,
            }),
            _ => None,
        })
    };
    (window.p50, window.p75, window.p99) = (statistic()?, statistic()?, statistic()?);
    Some(window)
}

/// The first of several windows in one text, each as the characters in its release's name, that name, its start and what
/// is told of it: release, start, what is told, and the text after it.
pub(super) fn split(all: &str) -> Option<(&str, i64, &str, &str)> {
    let (length, rest) = all.split_once(',')?;
    let length: usize = length.parse().ok()?;
    let end = rest.char_indices().map(|(at, _)| at).nth(length)?;
    let (release, rest) = rest.split_at(end);
    let (start_us, rest) = rest.split_once(',')?;
    // Numbers hold no semicolon.
    let (told, after) = rest.split_once(';').unwrap_or((rest, ""));
    Some((release, start_us.parse().ok()?, told, after))
}

#[cfg(test)]
mod tests {
    use super::super::super::{Id, SeriesId};
    use super::super::Span;
    use super::*;

    #[test]
    fn what_is_told_reads_back_to_the_last_digit() {
        let key = WindowKey {
            series: SeriesId(Id::NIL),
            span: Span::Day(0),
            release: "v1".into(),
        };
        let window = Window {
            first_us: 1_795_089_600_000_000,
            last_us: 1_795_089_600_000_001,
            count: u64::MAX,
            failed: 3,
            dropped: 4,
            headline: Some(1.0 / 3.0),
            p75: Some(Interval {
                value: 0.1 + 0.2,
                lower: 5e-324,
                upper: 1e300,
            }),
            body: None,
            ..Window::new(key.clone())
        };
        assert_eq!(read(key.clone(), &write(&window)), Some(window));
        assert_eq!(read(key.clone(), "1,2,3"), None);
        assert_eq!(read(key, ""), None);
    }
    #[test]
    fn windows_in_one_text_part_where_they_were_joined() {
        let all = "5,v1,;ü-7,1,2;0,3,4";
        let rest = "0,3,4";
        assert_eq!(split(all), Some(("v1,;ü", -7, "1,2", rest)));
        assert_eq!(split(rest), Some(("", 3, "4", "")));
        assert_eq!(split("9,v1"), None);
    }
}
