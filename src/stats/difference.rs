//! The difference and the relative change of two estimates that each have a range.
//!
//! Source: G. Y. Zou & A. Donner (2008), "Construction of confidence limits about effect measures" (MOVER): each end
//! of the difference takes the two ends that reach it, squared and added. Assumes two independent estimates at one
//! confidence; needs no normal shape and keeps lopsided ranges lopsided. Cannot see evidence that both sides share.

use super::Interval;

/// `after − before`, in their unit.
pub fn difference(before: &Interval, after: &Interval) -> Interval {
    let value = after.value - before.value;
    let down = (after.value - after.lower).hypot(before.upper - before.value);
    let up = (after.upper - after.value).hypot(before.value - before.lower);
    Interval {
        value,
        lower: value - down,
        upper: value + up,
    }
}

/// The change from `before` to `after` in per cent of `before`; none where an end of `before` is not positive.
pub fn change_pct(before: &Interval, after: &Interval) -> Option<Interval> {
    if before.lower > 0.0 && after.lower > 0.0 {
        let ratio = difference(&map(before, f64::ln), &map(after, f64::ln));
        return Some(map(&ratio, |x| 100.0 * x.exp_m1()));
    }
    (before.value > 0.0).then(|| difference(before, after).scaled(100.0 / before.value))
}

/// The interval seen through a rising function.
fn map(interval: &Interval, rising: impl Fn(f64) -> f64) -> Interval {
    Interval {
        value: rising(interval.value),
        lower: rising(interval.lower),
        upper: rising(interval.upper),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;
    use proptest::prelude::*;

    fn interval() -> impl Strategy<Value = Interval> {
        (1.0..1e6_f64, 0.0..0.5_f64, 0.0..0.5_f64).prop_map(|(value, down, up)| Interval {
            value,
            lower: value * (1.0 - down),
            upper: value * (1.0 + up),
        })
    }

    proptest! {
        #[test]
        fn a_change_does_not_depend_on_the_unit(a in interval(), b in interval(), unit in 1e-6..1e6_f64) {
            let plain = change_pct(&a, &b).unwrap();
            let scaled = change_pct(&a.scaled(unit), &b.scaled(unit)).unwrap();
            prop_assert!((plain.value - scaled.value).abs() <= 1e-6 * (1.0 + plain.value.abs()));
            prop_assert!((plain.upper - scaled.upper).abs() <= 1e-6 * (1.0 + plain.upper.abs()));
        }

        #[test]
        fn swapping_the_sides_mirrors_the_difference(a in interval(), b in interval()) {
            let (there, back) = (difference(&a, &b), difference(&b, &a).scaled(-1.0));
            prop_assert!((there.lower - back.lower).abs() < 1e-6 && (there.upper - back.upper).abs() < 1e-6);
        }

        #[test]
        fn the_difference_is_never_surer_than_either_side(a in interval(), b in interval()) {
            let found = difference(&a, &b);
            prop_assert!(found.half_width() + 1e-9 >= a.half_width().max(b.half_width()) * 0.999);
        }
    }

    #[test]
    fn a_side_at_nought_still_has_a_difference_but_no_ratio_of_logarithms() {
        let (a, b) = (
            Interval {
                value: 0.1,
                lower: 0.0,
                upper: 0.2,
            },
            Interval::exact(0.2),
        );
        assert!((change_pct(&a, &b).unwrap().value - 100.0).abs() < 1e-9);
        assert_eq!(change_pct(&Interval::exact(0.0), &b), None);
    }
}
