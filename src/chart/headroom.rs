//! How much of the headroom between the pinned reference and the limit is spent.

use crate::wording::quantity::Quantity;
use crate::wording::state::State;

use super::ink::Ink;
use super::pen::{self, Pen};
use super::{Svg, silent};

/// A budget's headroom. Values are in base units; the bar is the same where higher is better, since all is relative.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HeadroomBar {
    /// The value at the pinned reference.
    pub reference: f64,
    /// The limit.
    pub limit: f64,
    /// The value now.
    pub value: Quantity,
    /// Colours the bar.
    pub state: State,
}

impl HeadroomBar {
    /// For a table row, 150 by 22 pixels.
    pub fn small(&self) -> Svg {
        self.draw(150.0, 22.0, 26.0)
    }

    /// For a card, 340 by 34 pixels.
    pub fn large(&self) -> Svg {
        let is_gain = self.spent().is_some_and(|spent| spent < 0.0);
        self.draw(340.0, 34.0, if is_gain { 40.0 } else { 2.0 })
    }

    /// The share of the headroom that is spent; negative after a gain. Nothing when there never was any.
    pub fn spent(&self) -> Option<f64> {
        self.share(self.value.value)
    }

    fn share(&self, value: f64) -> Option<f64> {
        let room = self.limit - self.reference;
        let share = (value - self.reference) / room;
        (room != 0.0 && share.is_finite()).then_some(share)
    }

    fn draw(&self, width: f64, height: f64, left: f64) -> Svg {
        let Some(spent) = self.spent() else {
            return Svg::default();
        };
        let right = if width > 200.0 {
            width - 3.0
        } else {
            width - 12.0
        };
        let x = |share: f64| (left + (right - left) * share).clamp(1.0, width - 1.0);
        let ends = [self.share(self.value.lower), self.share(self.value.upper)];
        let thick = (height * 0.34).round();
        let top = (height - thick) / 2.0;
        let inner = pen::drawn(width, height, |pen| {
            pen.rect((left, top), right - left, thick, Ink::Sunken, 1.0);
            pen.frame((left, top), right - left, thick, Ink::Edge, 0.75);
            let (from, to) = if spent < 0.0 {
                (x(spent), left)
            } else {
                (left, x(spent))
            };
            pen.rect((from, top), to - from, thick, fill(self.state), 1.0);
            pen.line((left, top - 3.0), (left, top + thick + 3.0), Ink::Edge, 1.0);
            pen.line((right, 1.0), (right, height - 1.0), Ink::Text, 2.0);
            if let [Some(low), Some(high)] = ends {
                whisker(
                    pen,
                    x(low.min(high)),
                    x(low.max(high)),
                    height / 2.0,
                    thick / 2.0,
                );
            }
        });
        silent("headroom", width, height, &inner)
    }
}

fn whisker(pen: &mut Pen, from: f64, to: f64, middle: f64, half: f64) {
    if to - from < 1.0 {
        return;
    }
    pen.line((from, middle), (to, middle), Ink::Text, 1.25);
    for end in [from, to] {
        pen.line((end, middle - half), (end, middle + half), Ink::Text, 1.25);
    }
}

fn fill(state: State) -> Ink {
    match state {
        State::Within => Ink::Within,
        State::AtRisk => Ink::Risk,
        State::Breached => Ink::Breach,
        State::Stale | State::NotEnough => Ink::NoData,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wording::unit::Unit;

    fn bar(value: f64) -> HeadroomBar {
        let value = Quantity::new(value, value - 1.0, value + 1.0, Unit::Count);
        HeadroomBar {
            reference: 100.0,
            limit: 120.0,
            value,
            state: State::Within,
        }
    }

    #[test]
    fn spent_is_relative_to_the_reference() {
        assert_eq!(bar(110.0).spent(), Some(0.5));
        assert_eq!(bar(90.0).spent(), Some(-0.5));
        assert_eq!(
            HeadroomBar {
                limit: 80.0,
                ..bar(90.0)
            }
            .spent(),
            Some(0.5),
            "higher is better"
        );
        assert_eq!(
            HeadroomBar {
                limit: 100.0,
                ..bar(90.0)
            }
            .spent(),
            None
        );
    }

    #[test]
    fn nothing_is_drawn_outside_the_bar() {
        for value in [-1e9, 0.0, 100.0, 119.0, 1e9] {
            let svg = bar(value).small();
            for number in svg
                .as_str()
                .split("width=\"")
                .skip(1)
                .filter_map(|rest| rest.split('"').next())
            {
                assert!(!number.starts_with('-'), "{value}: {svg}");
            }
        }
    }
}
