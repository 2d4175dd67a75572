//! A value with the range that holds the truth, as people read it: a unit that gives 1 to 999, as many digits as the
//! range allows, and no-break spaces, so that a value is never torn from its unit.
//!
//! A value is printed to the decade of the half-width of its range: `2.41 s ±0.03`, never `2.4137 s`. Inside
//! brackets the ends have one digit more, up to three, when the half-width starts with 1 to 3: `+230 ms [195, 267]`.

use super::number::{decade, no_smaller, rounded, signed, starts_low};
use super::unit::{Scale, Unit};

/// How lopsided a range may be (difference of its arms over its width) and still be told as `±h`.
const SYMMETRY_TOLERANCE: f64 = 0.25;

/// A value with the range that holds the truth in 95 of 100 cases, all in base units.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quantity {
    /// The estimate.
    pub value: f64,
    /// Lower end of the range.
    pub lower: f64,
    /// Upper end of the range.
    pub upper: f64,
    /// The base unit of all three.
    pub unit: Unit,
}

impl Quantity {
    /// A value with its range.
    pub fn new(value: f64, lower: f64, upper: f64, unit: Unit) -> Self {
        Quantity {
            value,
            lower,
            upper,
            unit,
        }
    }

    /// A value that is known exactly, such as a limit.
    pub fn exact(value: f64, unit: Unit) -> Self {
        Quantity {
            value,
            lower: value,
            upper: value,
            unit,
        }
    }

    /// A change in percent with its range.
    pub fn percent(value: f64, lower: f64, upper: f64) -> Self {
        Quantity {
            value,
            lower,
            upper,
            unit: Unit::Percent,
        }
    }

    /// Half the width of the range, in base units.
    pub fn half_width(&self) -> f64 {
        (self.upper - self.lower) / 2.0
    }

    /// True when zero lies inside the range, so that a change of this size proves nothing.
    pub fn may_be_zero(&self) -> bool {
        self.lower <= 0.0 && self.upper >= 0.0
    }

    /// The value with its unit: `2.41 s`.
    pub fn value(&self) -> String {
        let scale = self.scale();
        scale.label(&self.number_in(scale))
    }

    /// The value without its unit, in the scale of a neighbour.
    pub fn number_in(&self, scale: Scale) -> String {
        rounded(self.value / scale.base_units, self.value_exponent(scale))
    }

    /// The value with sign and unit, for changes: `+230 ms`.
    pub fn signed(&self) -> String {
        let scale = self.scale();
        scale.label(&signed(
            self.value / scale.base_units,
            self.value_exponent(scale),
        ))
    }

    /// The value without a sign: the `4.6 %` of "4.6 % slower".
    pub fn unsigned(&self) -> String {
        let (lower, upper) = if self.value < 0.0 {
            (-self.upper, -self.lower)
        } else {
            (self.lower, self.upper)
        };
        Quantity {
            value: self.value.abs(),
            lower,
            upper,
            unit: self.unit,
        }
        .value()
    }

    /// The range as `±0.03` where it is nearly symmetric, else as brackets; nothing for exact values.
    pub fn spread(&self) -> String {
        let half_width = self.half_width();
        if half_width <= 0.0 || !half_width.is_finite() {
            return String::new();
        }
        let arms = (self.upper - self.value) - (self.value - self.lower);
        if arms.abs() > SYMMETRY_TOLERANCE * 2.0 * half_width {
            return self.range();
        }
        let scale = self.scale();
        let exponent = self.value_exponent(scale);
        format!(
            "±{}",
            rounded(
                no_smaller(half_width / scale.base_units, exponent),
                exponent
            )
        )
    }

    /// The range in brackets, in the value's own unit: `[2.38, 2.44]`; nothing for exact values.
    pub fn range(&self) -> String {
        let scale = self.scale();
        let half_width = self.half_width() / scale.base_units;
        if half_width <= 0.0 || !half_width.is_finite() {
            return String::new();
        }
        let bound = |base: f64| rounded(base / scale.base_units, self.range_exponent(scale));
        format!("[{}, {}]", bound(self.lower), bound(self.upper))
    }

    /// Both ends of the range as signed changes with their unit: `−2 %` and `+4 %`.
    pub fn ends(&self) -> (String, String) {
        let scale = self.scale();
        let end =
            |base: f64| scale.label(&signed(base / scale.base_units, self.range_exponent(scale)));
        (end(self.lower), end(self.upper))
    }

    /// Value and bracketed range: `2.41 s [2.38, 2.44]`.
    pub fn with_range(&self) -> String {
        joined(self.value(), self.range())
    }

    /// A signed change with its range: `+230 ms [195, 267]`, or `+2 %, ±3` where it is not above its half-width.
    pub fn change(&self) -> String {
        if self.half_width() > 0.0 && self.value.abs() <= self.half_width() {
            return format!("{}, {}", self.signed(), self.spread());
        }
        joined(self.signed(), self.range())
    }

    /// Two values of one unit: `2.18 → 2.41 s`; the unit is said twice only where it differs.
    pub fn from_to(from: &Quantity, to: &Quantity) -> String {
        if from.scale() == to.scale()
            || (to.value / from.value).abs() < 10.0 && to.value.abs() > from.value.abs()
        {
            let scale = to.scale();
            return format!("{} → {}", from.number_in(scale), to.value());
        }
        format!("{} → {}", from.value(), to.value())
    }

    /// The scale in which this value is printed.
    pub fn scale(&self) -> Scale {
        // A value well inside its doubt takes the scale of the doubt: +0.4 ms [−1.4, 2.0], not +400 µs.
        let magnitude = self.value.abs().max(self.half_width().abs());
        self.unit.scale_for(magnitude)
    }

    /// One digit finer than the decade where the half-width starts low, unless the ends have three digits already.
    fn range_exponent(&self, scale: Scale) -> i32 {
        let half_width = self.half_width() / scale.base_units;
        if half_width <= 0.0 || !half_width.is_finite() {
            return self.value_exponent(scale);
        }
        let larger_end = self.lower.abs().max(self.upper.abs()) / scale.base_units;
        let coarse = decade(half_width);
        let is_room = starts_low(half_width) && decade(larger_end) - coarse < 2;
        let ends = [self.lower, self.upper].map(|end| end / scale.base_units);
        let finer = is_room && ends.iter().any(|end| says_more(*end, coarse));
        coarse - i32::from(finer)
    }

    fn value_exponent(&self, scale: Scale) -> i32 {
        let value = (self.value / scale.base_units).abs();
        let half_width = self.half_width() / scale.base_units;
        if half_width <= 0.0 || !half_width.is_finite() {
            return exact_exponent(value, self.unit);
        }
        let exponent = decade(half_width);
        if value <= half_width {
            // What may be nothing gets no more digits than its doubt, but whole units stay.
            return if exponent > 0 && value > 0.0 {
                exponent.min(decade(value).max(0))
            } else {
                exponent
            };
        }
        // One digit alone would coarsen a proven value by more than its uncertainty.
        let lone_digit = value < 10f64.powi(exponent + 1)
            && starts_low(half_width)
            && says_more(value, exponent);
        exponent.min(decade(value)) - i32::from(lone_digit)
    }
}

/// True when the digit behind `10^exponent` is not zero.
fn says_more(value: f64, exponent: i32) -> bool {
    let steps = value / 10f64.powi(exponent);
    (steps - steps.round()).abs() >= 0.05
}

/// Known values keep three digits; of counts and shares no trailing zeros, which would say nothing.
fn exact_exponent(value: f64, unit: Unit) -> i32 {
    if value == 0.0 || !value.is_finite() {
        return 0;
    }
    // 0.9996 is printed as 1.00, so the decade is that of the rounded value.
    let mut exponent = (decade(value * 1.0005) - 2).min(0);
    if matches!(unit, Unit::Count | Unit::Percent | Unit::Millionths) {
        while exponent < 0 && rounded(value, exponent).ends_with('0') {
            exponent += 1;
        }
    }
    exponent
}

fn joined(value: String, range: String) -> String {
    if range.is_empty() {
        value
    } else {
        format!("{value} {range}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wording::number::NO_BREAK_SPACE;

    fn ms(value: f64, lower: f64, upper: f64) -> Quantity {
        Quantity::new(value * 1e6, lower * 1e6, upper * 1e6, Unit::Nanoseconds)
    }

    fn plain(text: String) -> String {
        text.replace(NO_BREAK_SPACE, " ")
    }

    fn told(quantity: Quantity) -> String {
        joined(quantity.value(), quantity.spread())
    }

    #[test]
    fn digits_end_at_the_decade_of_the_half_width() {
        assert_eq!(plain(told(ms(2413.7, 2384.0, 2444.0))), "2.41 s ±0.03");
        assert_eq!(plain(told(ms(338.2, 329.1, 347.4))), "338 ms ±9");
        assert_eq!(plain(told(ms(49.01, 48.3, 49.7))), "49.0 ms ±0.7");
        assert_eq!(plain(ms(6.0, 5.3, 6.7).with_range()), "6.0 ms [5.3, 6.7]");
    }

    #[test]
    fn brackets_are_one_digit_finer_when_the_half_width_starts_low() {
        assert_eq!(
            plain(ms(230.0, 195.0, 267.0).change()),
            "+230 ms [195, 267]"
        );
        assert_eq!(
            plain(Quantity::percent(4.6, 3.1, 6.2).change()),
            "+4.6 % [3.1, 6.2]"
        );
        assert_eq!(
            plain(Quantity::percent(10.0, 4.0, 15.0).change()),
            "+10 % [4, 15]"
        );
    }

    #[test]
    fn a_change_not_above_its_half_width_is_plain() {
        assert_eq!(
            plain(Quantity::percent(2.0, -1.0, 5.0).change()),
            "+2 %, ±3"
        );
        assert_eq!(
            plain(Quantity::percent(-0.04, -3.0, 3.0).change()),
            "0 %, ±3"
        );
        assert_eq!(
            plain(Quantity::percent(5.0, -10.0, 20.0).change()),
            "+5 %, ±15"
        );
    }

    #[test]
    fn what_is_smaller_than_its_doubt_takes_the_scale_of_the_doubt() {
        assert_eq!(plain(ms(0.4, -1.4, 2.0).with_range()), "0 ms [−1.4, 2.0]");
    }

    #[test]
    fn lopsided_ranges_are_told_with_both_ends() {
        assert_eq!(plain(told(ms(100.0, 95.0, 140.0))), "100 ms [95, 140]");
    }

    #[test]
    fn the_unit_gives_one_to_999() {
        let time = |ns: f64| plain(Quantity::exact(ns, Unit::Nanoseconds).value());
        assert_eq!(time(2.5e9), "2.50 s");
        assert_eq!(time(999.4e6), "999 ms");
        assert_eq!(time(999.6e6), "1.00 s");
        assert_eq!(time(12_300.0), "12.3 µs");
        assert_eq!(time(7.2e13), "20.0 h");
        let ps = plain(Quantity::exact(812_000.0, Unit::Picoseconds).value());
        assert_eq!(ps, "812 ns");
        assert_eq!(
            plain(Quantity::exact(1_536_000.0, Unit::Bytes).value()),
            "1.54 MB"
        );
        assert_eq!(
            plain(Quantity::exact(120_000.0, Unit::Millionths).value()),
            "0.12"
        );
        assert_eq!(
            plain(Quantity::exact(412_000.0, Unit::MilliPerSecond).value()),
            "412 /s"
        );
    }

    #[test]
    fn zero_has_no_sign_and_minus_is_a_minus() {
        assert_eq!(
            plain(Quantity::percent(-18.0, -20.0, -16.0).signed()),
            "−18 %"
        );
        assert_eq!(
            plain(Quantity::percent(-0.2, -0.3, -0.1).signed()),
            "−0.2 %"
        );
        assert_eq!(plain(Quantity::exact(0.0, Unit::Percent).signed()), "0 %");
    }

    #[test]
    fn a_walk_from_to_says_its_unit_once() {
        let walk = |a: Quantity, b: Quantity| plain(Quantity::from_to(&a, &b));
        assert_eq!(
            walk(ms(46.8, 46.2, 47.4), ms(49.0, 48.3, 49.7)),
            "46.8 → 49.0 ms"
        );
        assert_eq!(
            walk(ms(980.0, 970.0, 990.0), ms(1040.0, 1030.0, 1050.0)),
            "0.98 → 1.04 s"
        );
        assert_eq!(
            walk(ms(2000.0, 1990.0, 2010.0), ms(40.0, 39.0, 41.0)),
            "2.00 s → 40 ms"
        );
    }
}
