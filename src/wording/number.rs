//! Rounding and writing bare numbers: true minus, grouped thousands, no minus zero.

use super::quantity::Quantity;
use super::unit::Unit;

/// The space between a number and its unit.
pub const NO_BREAK_SPACE: char = '\u{a0}';
/// The true minus sign.
pub const MINUS: char = '\u{2212}';
/// Stands where nothing was measured.
pub const DASH: &str = "\u{2013}";

/// A count: `40`, `1,400`, `412 k`, `1.2 M`.
pub fn count(n: u64) -> String {
    match n {
        0..10_000 => grouped(&n.to_string()),
        _ => Quantity::exact(n as f64, Unit::Count).value(),
    }
}

/// A count and the noun it counts, in the plural where needed: `1 run`, `4 runs`.
pub fn counted(n: u64, singular: &str) -> String {
    let plural = if n == 1 { "" } else { "s" };
    format!("{}{NO_BREAK_SPACE}{singular}{plural}", count(n))
}

/// The power of ten of the first digit.
pub fn decade(value: f64) -> i32 {
    value.abs().log10().floor() as i32
}

/// True when the first digit is 1, 2 or 3.
pub fn starts_low(value: f64) -> bool {
    value / 10f64.powi(decade(value)) < 4.0
}

/// A half-width in whole steps of `10^exponent`, rounded up where rounding down would hide more than a tenth of it.
pub fn no_smaller(half_width: f64, exponent: i32) -> f64 {
    let step = 10f64.powi(exponent);
    let steps = half_width / step;
    let floor = steps.floor();
    let hides_little = floor >= 1.0 && steps - floor <= steps * 0.1;
    if hides_little {
        floor * step
    } else {
        steps.ceil() * step
    }
}

/// The number rounded to a multiple of `10^exponent`.
pub fn rounded(value: f64, exponent: i32) -> String {
    let text = if exponent > 0 {
        let step = 10f64.powi(exponent);
        format!("{:.0}", (value / step).round() * step)
    } else {
        format!("{value:.*}", exponent.unsigned_abs() as usize)
    };
    let digits = text.trim_start_matches('-');
    let is_zero = digits.bytes().all(|byte| byte == b'0' || byte == b'.');
    let sign = if text.starts_with('-') && !is_zero {
        MINUS.to_string()
    } else {
        String::new()
    };
    match digits.split_once('.') {
        Some((whole, fraction)) => format!("{sign}{}.{fraction}", grouped(whole)),
        None => format!("{sign}{}", grouped(digits)),
    }
}

/// The same with a plus before positive numbers.
pub fn signed(value: f64, exponent: i32) -> String {
    let text = rounded(value, exponent);
    let is_positive = value > 0.0 && text.bytes().any(|byte| (b'1'..=b'9').contains(&byte));
    if is_positive {
        format!("+{text}")
    } else {
        text
    }
}

fn grouped(digits: &str) -> String {
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_end_at_their_exponent() {
        assert_eq!(rounded(2.4137, -2), "2.41");
        assert_eq!(rounded(-2.4137, 0), "−2");
        assert_eq!(rounded(236.0, 1), "240");
        assert_eq!(rounded(-0.004, -2), "0.00");
        assert_eq!(rounded(1_234_567.0, 0), "1,234,567");
        assert_eq!(signed(0.04, -1), "0.0");
        assert_eq!(signed(0.06, -1), "+0.1");
    }

    #[test]
    fn a_half_width_is_never_made_to_look_much_smaller() {
        assert_eq!(no_smaller(1.4, 0), 2.0);
        assert_eq!(no_smaller(3.1, 0), 3.0);
        assert_eq!(no_smaller(0.4, 0), 1.0);
    }

    #[test]
    fn counts_are_short() {
        assert_eq!(count(40), "40");
        assert_eq!(count(1_400), "1,400");
        assert_eq!(count(412_345), "412\u{a0}k");
        assert_eq!(counted(1, "run"), "1\u{a0}run");
        assert_eq!(counted(14, "run"), "14\u{a0}runs");
    }
}
