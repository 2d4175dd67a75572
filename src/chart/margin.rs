//! A check's change against its margin, in a table row; the head of the column carries the axis.

use crate::wording::number::{rounded, signed};
use crate::wording::quantity::Quantity;
use crate::wording::state::Answer;

use super::ink::Ink;
use super::pen::{self, Pen, Side};
use super::{Svg, silent};

const WIDTH: f64 = 200.0;
const HEIGHT: f64 = 30.0;

/// The axis that all rows of one table share, in percent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MarginAxis {
    /// The change that is allowed.
    pub margin: f64,
    /// True where higher is better, so that the margin lies on the left.
    pub is_mirrored: bool,
}

impl MarginAxis {
    /// The ends of the axis: two margins of gain, four of loss.
    fn ends(self) -> (f64, f64) {
        let margin = self.margin.abs().max(0.01);
        if self.is_mirrored {
            (-4.0 * margin, 2.4 * margin)
        } else {
            (-2.4 * margin, 4.0 * margin)
        }
    }

    fn x(self, percent: f64) -> f64 {
        let (low, high) = self.ends();
        8.0 + (WIDTH - 16.0) * (percent - low) / (high - low)
    }

    fn limit(self) -> f64 {
        if self.is_mirrored {
            -self.margin
        } else {
            self.margin
        }
    }

    /// The axis for the table's head.
    pub fn head(self) -> Svg {
        let inner = pen::drawn(WIDTH, 18.0, |pen| {
            let sign = if self.is_mirrored { -1.0 } else { 1.0 };
            let exponent = if self.margin.fract() == 0.0 { 0 } else { -1 };
            for (percent, is_bold) in [(-2.0, false), (0.0, false), (1.0, true), (3.0, false)] {
                let value = percent * sign * self.margin;
                let text = if value == 0.0 {
                    rounded(0.0, 0)
                } else {
                    signed(value, exponent)
                };
                let text = if is_bold {
                    format!("{text}\u{a0}%")
                } else {
                    text
                };
                pen.text(
                    (self.x(value), 9.0),
                    Side::Middle,
                    if is_bold { Ink::Text } else { Ink::Text3 },
                    is_bold,
                    &text,
                );
            }
        });
        silent("margin", WIDTH, 18.0, &inner)
    }

    /// One row: the change with its range, in the colour of its answer.
    pub fn row(self, change: &Quantity, answer: Answer) -> Svg {
        let (low, high) = self.ends();
        let ink = match answer {
            Answer::Pass => Ink::Within,
            Answer::Fail => Ink::Breach,
            Answer::Inconclusive => Ink::NoData,
            Answer::TrackedOnly => Ink::Risk,
        };
        let middle = HEIGHT / 2.0;
        let inner = pen::drawn(WIDTH, HEIGHT, |pen| {
            let edge = self.x(self.limit());
            let (from, to) = if self.is_mirrored {
                (edge, self.x(high))
            } else {
                (self.x(low), edge)
            };
            pen.rect((from, 0.0), to - from, HEIGHT, Ink::Sunken, 1.0);
            pen.line((self.x(0.0), 0.0), (self.x(0.0), HEIGHT), Ink::Edge, 1.0);
            pen.dashed(&[(edge, 0.0), (edge, HEIGHT)], Ink::Budget, 1.5, 3.5, 2.5);
            if change.lower > high {
                arrow(pen, self.x(high), -1.0, middle, ink);
            } else if change.upper < low {
                arrow(pen, self.x(low), 1.0, middle, ink);
            } else {
                self.bar(pen, change, middle, ink);
            }
        });
        silent("margin", WIDTH, HEIGHT, &inner)
    }

    fn bar(self, pen: &mut Pen, change: &Quantity, middle: f64, ink: Ink) {
        let (low, high) = self.ends();
        let (from, to) = (
            self.x(change.lower.max(low)),
            self.x(change.upper.min(high)),
        );
        pen.line((from, middle), (to, middle), ink, 2.0);
        for (is_cut, x, back) in [
            (change.lower < low, from, 6.0),
            (change.upper > high, to, -6.0),
        ] {
            if is_cut {
                pen.area(
                    &[
                        (x, middle),
                        (x + back, middle - 4.5),
                        (x + back, middle + 4.5),
                    ],
                    ink,
                    1.0,
                );
            } else {
                pen.line((x, middle - 4.0), (x, middle + 4.0), ink, 2.0);
            }
        }
        if (low..=high).contains(&change.value) {
            pen.dot((self.x(change.value), middle), 4.0, ink);
        }
    }
}

/// An arrow whose tip is at `x`; `back` is -1 when it points right.
fn arrow(pen: &mut Pen, x: f64, back: f64, middle: f64, ink: Ink) {
    pen.line(
        (x + back * 24.0, middle),
        (x + back * 6.0, middle),
        ink,
        2.0,
    );
    pen.area(
        &[
            (x, middle),
            (x + back * 8.0, middle - 5.0),
            (x + back * 8.0, middle + 5.0),
        ],
        ink,
        1.0,
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    const AXIS: MarginAxis = MarginAxis {
        margin: 2.0,
        is_mirrored: false,
    };

    #[test]
    fn a_change_beyond_the_axis_becomes_an_arrow() {
        let far = AXIS.row(&Quantity::percent(10.6, 8.9, 12.3), Answer::Fail);
        assert!(far.as_str().contains("<polygon") && !far.as_str().contains("<circle"));
        let near = AXIS.row(&Quantity::percent(-1.0, -2.8, 0.8), Answer::Pass);
        assert!(near.as_str().contains("<circle") && !near.as_str().contains("<polygon"));
    }

    #[test]
    fn the_head_names_the_margin() {
        assert!(AXIS.head().as_str().contains("+2\u{a0}%"));
        let mirrored = MarginAxis {
            is_mirrored: true,
            ..AXIS
        };
        assert!(mirrored.head().as_str().contains("−2\u{a0}%"));
        assert!(mirrored.x(-2.0) < mirrored.x(0.0));
    }
}
