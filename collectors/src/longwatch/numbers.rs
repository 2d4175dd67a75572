//! A JSON list of numbers, read without a general reader: most of a large batch is one.

/// Powers of ten that a double holds exactly, as far as they are used.
const EXACT_POWERS: [f64; 16] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
];

/// Powers of ten up to that of eight digits.
const POWERS: [u64; 9] = [
    1,
    10,
    100,
    1_000,
    10_000,
    100_000,
    1_000_000,
    10_000_000,
    100_000_000,
];

/// After so many numbers room is made for all of a list.
const SIZED_AT: usize = 64;

/// The numbers of the list that `text` begins with, and its length in bytes. `None` where anything else is there, is in
/// it, or where it holds more than `most`.
///
/// Up to 15 digits with a point, as measurements are written, need one exact division (W. Clinger, How to read floating
/// point numbers accurately, 1990); all others go to the standard library.
pub(super) fn numbers(text: &str, most: usize) -> Option<(Vec<f64>, usize)> {
    let bytes = text.as_bytes();
    if bytes.first() != Some(&b'[') {
        return None;
    }
    let mut at = 1 + spaces(&bytes[1..]);
    let mut numbers = Vec::new();
    if bytes.get(at) == Some(&b']') {
        return Some((numbers, at + 1));
    }
    loop {
        if numbers.len() == most {
            return None;
        }
        if numbers.len() == SIZED_AT {
            // As long as the ones so far, the rest are so many.
            let rest = memchr::memchr(b']', &bytes[at..]).unwrap_or_default() * SIZED_AT / at;
            numbers.reserve(rest.min(most) + SIZED_AT);
        }
        let start = at;
        let whole = digits(bytes, &mut at, 0);
        let mut mantissa = whole;
        let whole_digits = at - start;
        let mut decimals = 0;
        let mut plain = whole_digits > 0 && (whole_digits == 1 || bytes[start] != b'0');
        if bytes.get(at) == Some(&b'.') {
            at += 1;
            let fraction = at;
            mantissa = digits(bytes, &mut at, whole);
            decimals = at - fraction;
            plain &= decimals > 0;
        }
        plain &= whole_digits + decimals < EXACT_POWERS.len() && ends(*bytes.get(at)?);
        if plain {
            numbers.push(mantissa as f64 / EXACT_POWERS[decimals]);
        } else {
            at = start + bytes[start..].iter().take_while(|b| !ends(**b)).count();
            numbers.push(any_number(&text[start..at])?);
        }
        at += spaces(&bytes[at..]);
        match bytes.get(at)? {
            b',' => at += 1 + spaces(&bytes[at + 1..]),
            b']' => return Some((numbers, at + 1)),
            _ => return None,
        }
    }
}

/// Goes on with a number by the digits that stand here. What overflows has more digits than are used.
///
/// Eight bytes at a time, as far as there are so many: the digits before the first other byte, then their value by halves
/// (D. Lemire, Quickly parsing eight digits, 2018). How many digits a measurement has no processor can guess.
fn digits(bytes: &[u8], at: &mut usize, before: u64) -> u64 {
    let mut number = before;
    while let Some(eight) = bytes.get(*at..).and_then(<[u8]>::first_chunk) {
        let each = u64::from_le_bytes(*eight) ^ 0x3030_3030_3030_3030;
        // A digit has become 0 to 9; of all others the addition sets the highest bit, or it is set. A carry changes only
        // what comes after one of them.
        let others = (each.wrapping_add(0x7676_7676_7676_7676) | each) & 0x8080_8080_8080_8080;
        let count = others.trailing_zeros() / 8;
        if count == 0 {
            return number;
        }
        // Zeros before them make eight.
        let eight = each << (64 - 8 * count);
        let pairs = (eight.wrapping_mul(10).wrapping_add(eight >> 8)) & 0x00ff_00ff_00ff_00ff;
        let fours = (pairs.wrapping_mul(100).wrapping_add(pairs >> 16)) & 0x0000_ffff_0000_ffff;
        let value = (fours.wrapping_mul(10_000).wrapping_add(fours >> 32)) & 0xffff_ffff;
        number = number
            .wrapping_mul(POWERS[count as usize])
            .wrapping_add(value);
        *at += count as usize;
        if count < 8 {
            return number;
        }
    }
    while let Some(digit) = bytes.get(*at).map(|byte| byte.wrapping_sub(b'0'))
        && digit < 10
    {
        number = number.wrapping_mul(10).wrapping_add(u64::from(digit));
        *at += 1;
    }
    number
}

fn ends(byte: u8) -> bool {
    matches!(byte, b',' | b']' | b' ' | b'\t' | b'\n' | b'\r')
}

fn spaces(bytes: &[u8]) -> usize {
    bytes
        .iter()
        .take_while(|b| matches!(b, b' ' | b'\t' | b'\n' | b'\r'))
        .count()
}

/// A number by JSON's grammar; the standard library would read `inf`, `.5`, `+1` and `01` too.
fn any_number(text: &str) -> Option<f64> {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (
            mantissa,
            Some(exponent.strip_prefix(['+', '-']).unwrap_or(exponent)),
        ),
        None => (unsigned, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let all_digits = |t: &str| !t.is_empty() && t.bytes().all(|b| b.is_ascii_digit());
    let leading_zero = whole.len() > 1 && whole.starts_with('0');
    let valid = all_digits(whole)
        && !leading_zero
        && fraction.is_none_or(all_digits)
        && exponent.is_none_or(all_digits);
    // What overflows is no number that serde takes either.
    text.parse::<f64>().ok().filter(|n| valid && n.is_finite())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lists_end_where_they_end() {
        assert_eq!(
            numbers("[1, 2.50 ,3e2 ] x", 9),
            Some((vec![1.0, 2.5, 300.0], 15))
        );
        assert_eq!(numbers("[ ]", 9), Some((vec![], 3)));
        assert_eq!(
            numbers("[0,0.0,-0,10]", 4).unwrap().0,
            [0.0, 0.0, 0.0, 10.0]
        );
        assert_eq!(numbers("[1,2,3]", 2), None);
    }

    #[test]
    fn what_is_no_json_is_not_read() {
        let broken = [
            "", "[", "[1", "[1,", "[1,]", "[,1]", "[01]", "[1.]", "[.5]", "[+1]", "[1 2]", "[inf]",
            "[NaN]", "[1..2]", "[1.2.3]", "[-]", "[1e]", "[00.5]", "[1e999]", "[--1]", "[0x1]",
            "{}",
        ];
        for text in broken {
            assert_eq!(numbers(text, 9), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn numbers_are_read_as_the_standard_library_reads_them(value in any::<f64>(), small in 0..1_000_000_000u64, decimals in 0..12usize) {
            prop_assume!(value.is_finite());
            for text in [value.to_string(), format!("{value:e}"), format!("{small}"), format!("{:.decimals$}", small as f64 / 7.0)] {
                let expected = text.parse().unwrap();
                prop_assert_eq!(numbers(&format!("[{text}]"), 1), Some((vec![expected], text.len() + 2)));
            }
        }

        #[test]
        fn exactly_what_serde_takes_is_taken(text in "[-+.0-9eE ,]{0,8}") {
            let list = format!("[{text}]");
            let serde = serde_json::from_str::<Vec<f64>>(&list).ok();
            prop_assert_eq!(numbers(&list, 9).map(|(n, _)| n.len()), serde.map(|n| n.len()), "{}", list);
        }
    }
}
