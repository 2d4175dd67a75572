//! Value axes with round ticks, and time axes with months or weeks.

use jiff::Span;
use jiff::civil::Date;

use crate::wording::moment::{DAY_US, civil, midnight_us, month_name};
use crate::wording::number::{decade, rounded};
use crate::wording::unit::{Scale, Unit};

/// An axis spans at least this share of its median, so that noise stays small.
const LEAST_SPAN: f64 = 0.15;
/// Room that a tick wants.
const TICK_PX: f64 = 48.0;
/// Values that differ by more than this factor get a logarithmic axis.
const LOG_FACTOR: f64 = 10.0;
/// Below this length months are too coarse, and weeks are named.
const WEEKS_BELOW_DAYS: i64 = 45;

/// A vertical axis from `low` to `high` in base units.
#[derive(Debug, Clone)]
pub(super) struct ValueAxis {
    low: f64,
    high: f64,
    is_log: bool,
    /// Printed unit of the ticks.
    pub(super) scale: Scale,
    ticks: Vec<f64>,
    exponent: i32,
}

impl ValueAxis {
    /// An axis that holds all values (base units), not from zero, with round ticks: four to six on a tall panel.
    pub(super) fn around(values: impl Iterator<Item = f64>, unit: Unit, height: f64) -> Self {
        let mut sorted: Vec<f64> = values.filter(|value| value.is_finite()).collect();
        sorted.sort_by(f64::total_cmp);
        let (Some(&least), Some(&most)) = (sorted.first(), sorted.last()) else {
            return ValueAxis::linear(0.0, 1.0, unit, height);
        };
        let median = sorted[sorted.len() / 2];
        if least > 0.0 && most / least > LOG_FACTOR {
            return ValueAxis::logarithmic(least, most, unit);
        }
        let wanted = (median.abs() * LEAST_SPAN).max(f64::MIN_POSITIVE);
        let missing = (wanted - (most - least)).max(0.0);
        let air = (most - least + missing) * 0.06;
        let low = least - missing / 2.0 - air;
        // Times and sizes cannot be negative; an axis below zero would suggest so.
        let low = if least >= 0.0 { low.max(0.0) } else { low };
        ValueAxis::linear(
            low,
            (most + missing / 2.0 + air).max(low + wanted.max(1e-12)),
            unit,
            height,
        )
    }

    /// An axis that starts at zero or below, for bars.
    pub(super) fn from_zero(least: f64, most: f64, unit: Unit, length: f64) -> Self {
        let (low, high) = (least.min(0.0), most.max(0.0));
        let span = if high > low { high - low } else { 1.0 };
        let below = if low < 0.0 { span * 0.04 } else { 0.0 };
        ValueAxis::linear(
            low - below,
            high.max(low + span) + span * 0.04,
            unit,
            length,
        )
    }

    fn linear(low: f64, high: f64, unit: Unit, length: f64) -> Self {
        let scale = unit.scale_for(low.abs().max(high.abs()));
        let step = round_step(
            (high - low) / scale.base_units,
            (length / TICK_PX).clamp(3.5, 5.0),
        );
        let first = (low / scale.base_units / step).ceil() as i64;
        let last = (high / scale.base_units / step).floor() as i64;
        let ticks = (first..=last)
            .map(|k| k as f64 * step * scale.base_units)
            .collect();
        // A step of 2.5 needs one digit more than its decade.
        let exponent = decade(step * 1.000_001);
        let lead = step / 10f64.powi(exponent);
        let exponent = if (lead - 2.5).abs() < 0.01 {
            exponent - 1
        } else {
            exponent
        };
        ValueAxis {
            low,
            high,
            is_log: false,
            scale,
            ticks,
            exponent: exponent.min(0),
        }
    }

    fn logarithmic(least: f64, most: f64, unit: Unit) -> Self {
        let (low, high) = (least / 1.1, most * 1.1);
        let scale = unit.scale_for(most);
        let mut ticks = Vec::new();
        let is_short = (high / low).log10() < 2.0;
        for power in decade(low / scale.base_units)..=decade(high / scale.base_units) {
            for lead in [1.0, 2.0, 5.0] {
                let tick = lead * 10f64.powi(power) * scale.base_units;
                if tick >= low && tick <= high && (is_short || lead == 1.0) {
                    ticks.push(tick);
                }
            }
        }
        let exponent = ticks
            .first()
            .map_or(0, |tick| decade(tick / scale.base_units * 1.000_001))
            .min(0);
        ValueAxis {
            low,
            high,
            is_log: true,
            scale,
            ticks,
            exponent,
        }
    }

    /// Where a value lies, 0 at the bottom and 1 at the top; outside for values outside.
    pub(super) fn share(&self, value: f64) -> f64 {
        if self.is_log {
            return (value.max(f64::MIN_POSITIVE) / self.low).ln() / (self.high / self.low).ln();
        }
        (value - self.low) / (self.high - self.low)
    }

    /// The ticks in base units.
    pub(super) fn ticks(&self) -> &[f64] {
        &self.ticks
    }

    /// A tick's number, without its unit.
    pub(super) fn label(&self, tick: f64) -> String {
        let value = tick / self.scale.base_units;
        rounded(
            value,
            if self.is_log {
                decade(value * 1.000_001).min(0)
            } else {
                self.exponent
            },
        )
    }

    /// True when the value is on the axis.
    pub(super) fn holds(&self, value: f64) -> bool {
        (0.0..=1.0).contains(&self.share(value))
    }

    /// How far the axis reaches, in base units.
    pub(super) fn span(&self) -> f64 {
        self.high - self.low
    }
}

/// A step of 1, 2, 2.5 or 5 times a power of ten that cuts the span into about the wanted number of parts.
fn round_step(span: f64, wanted: f64) -> f64 {
    let power = 10f64.powi(decade((span / wanted).max(f64::MIN_POSITIVE)));
    let steps = [1.0, 2.0, 2.5, 5.0, 10.0].map(|lead| lead * power);
    let miss = |step: f64| (span / step / wanted).ln().abs();
    steps
        .into_iter()
        .min_by(|a, b| miss(*a).total_cmp(&miss(*b)))
        .unwrap_or(power)
}

/// A horizontal axis over time, in microseconds UTC.
#[derive(Debug, Clone, Copy)]
pub(super) struct TimeAxis {
    from_us: i64,
    until_us: i64,
    left: f64,
    width: f64,
}

impl TimeAxis {
    /// An axis over `[from_us, until_us]` that starts `left` pixels from the left and is `width` pixels long.
    pub(super) fn new(from_us: i64, until_us: i64, left: f64, width: f64) -> Self {
        TimeAxis {
            from_us,
            until_us: until_us.max(from_us + 1),
            left,
            width,
        }
    }

    /// The horizontal place of an instant.
    pub(super) fn x(&self, at_us: i64) -> f64 {
        let share = (at_us - self.from_us) as f64 / (self.until_us - self.from_us) as f64;
        self.left + share * self.width
    }

    /// The same, cut to the axis.
    pub(super) fn x_inside(&self, at_us: i64) -> f64 {
        self.x(at_us.clamp(self.from_us, self.until_us))
    }

    /// True when the instant lies on the axis.
    pub(super) fn holds(&self, at_us: i64) -> bool {
        (self.from_us..=self.until_us).contains(&at_us)
    }

    /// Left end.
    pub(super) fn left(&self) -> f64 {
        self.left
    }

    /// Right end.
    pub(super) fn right(&self) -> f64 {
        self.left + self.width
    }

    /// A month that began before the axis is named at its left end, when the next one is far enough away.
    fn has_room_for_a_started_month(&self, first: Date) -> bool {
        let next = midnight_us(first.saturating_add(Span::new().months(1)));
        self.x(next) - self.left > STARTED_MONTH_PX
    }

    /// The first of each month, or of each week on a short axis, with its name; the year stands where it is new.
    pub(super) fn ticks(&self) -> Vec<(i64, String)> {
        let by_weeks = self.until_us - self.from_us < WEEKS_BELOW_DAYS * DAY_US;
        let start = civil(self.from_us).date();
        let mut day = if by_weeks {
            monday(start)
        } else {
            start.first_of_month()
        };
        let mut ticks: Vec<(i64, String)> = Vec::new();
        let mut year = None;
        while midnight_us(day) <= self.until_us && ticks.len() < MAX_TICKS {
            let at_us = midnight_us(day);
            if at_us >= self.from_us {
                ticks.push((at_us, tick_name(day, by_weeks, &mut year)));
            } else if !by_weeks && self.has_room_for_a_started_month(day) {
                ticks.push((self.from_us, tick_name(day, by_weeks, &mut year)));
            }
            let step = if by_weeks {
                Span::new().days(7)
            } else {
                Span::new().months(1)
            };
            let next = day.saturating_add(step);
            if next <= day {
                break;
            }
            day = next;
        }
        ticks
    }
}

/// Room for "Mar 2026" before the next month's name.
const STARTED_MONTH_PX: f64 = 62.0;
/// More ticks than this no axis needs; a bound for absurd spans.
const MAX_TICKS: usize = 60;

fn tick_name(day: Date, by_weeks: bool, year: &mut Option<i16>) -> String {
    let month = month_name(day.month());
    let name = if by_weeks {
        format!("{} {month}", day.day())
    } else {
        month.to_owned()
    };
    let is_new_year = year
        .replace(day.year())
        .is_none_or(|before| before != day.year());
    if is_new_year && !by_weeks {
        format!("{name} {}", day.year())
    } else {
        name
    }
}

fn monday(day: Date) -> Date {
    day.saturating_sub(Span::new().days(i64::from(day.weekday().to_monday_zero_offset())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    #[test]
    fn four_to_six_round_ticks_whatever_the_span() {
        for k in 1..400 {
            let high = 1e9 * (1.0 + f64::from(k) * 0.02);
            let axis = ValueAxis::around([1e9, high].into_iter(), Unit::Nanoseconds, 264.0);
            if !axis.is_log {
                assert!(
                    (3..=7).contains(&axis.ticks().len()),
                    "{high}: {:?}",
                    axis.ticks()
                );
            }
        }
    }

    #[test]
    fn a_quiet_series_is_not_blown_up() {
        let axis = ValueAxis::around([1000.0, 1001.0, 1002.0].into_iter(), Unit::Count, 264.0);
        assert!(axis.span() >= 150.0);
        assert!(axis.holds(1000.0) && axis.holds(1002.0));
    }

    #[test]
    fn labels_have_the_digits_that_their_step_needs() {
        let axis = ValueAxis::around([2.1e9, 2.6e9].into_iter(), Unit::Nanoseconds, 264.0);
        let labels: Vec<String> = axis.ticks().iter().map(|tick| axis.label(*tick)).collect();
        assert_eq!(labels, ["2.1", "2.2", "2.3", "2.4", "2.5", "2.6"]);
        assert_eq!(axis.scale.word, "seconds");
    }

    #[test]
    fn beyond_a_factor_of_ten_the_axis_is_logarithmic() {
        let axis = ValueAxis::around([1e6, 5e8].into_iter(), Unit::Nanoseconds, 264.0);
        assert!(axis.is_log);
        let labels: Vec<String> = axis.ticks().iter().map(|tick| axis.label(*tick)).collect();
        assert_eq!(labels, ["1", "10", "100"]);
        assert!(axis.share(1e6) > 0.0 && axis.share(5e8) < 1.0);
    }

    #[test]
    fn months_are_named_and_the_year_once() {
        let axis = TimeAxis::new(
            midnight_us(date(2026, 10, 20)),
            midnight_us(date(2027, 2, 3)),
            0.0,
            100.0,
        );
        let names: Vec<String> = axis.ticks().into_iter().map(|(_, name)| name).collect();
        assert_eq!(names, ["Nov 2026", "Dec", "Jan 2027", "Feb"]);
    }

    #[test]
    fn a_short_axis_names_weeks() {
        let axis = TimeAxis::new(
            midnight_us(date(2026, 11, 3)),
            midnight_us(date(2026, 11, 20)),
            0.0,
            100.0,
        );
        let names: Vec<String> = axis.ticks().into_iter().map(|(_, name)| name).collect();
        assert_eq!(names, ["9 Nov", "16 Nov"]);
    }

    #[test]
    fn nothing_to_show_still_makes_an_axis() {
        let axis = ValueAxis::around(std::iter::empty(), Unit::Count, 264.0);
        assert!(axis.holds(0.5));
        assert!(ValueAxis::around([0.0, 0.0].into_iter(), Unit::Millionths, 264.0).span() > 0.0);
    }
}
