//! The trend on a finding's card: line, band, budget and wedge, with no axes; the card says the rest.

use super::axis::TimeAxis;
use super::ink::Ink;
use super::labels::{Wish, moved_apart};
use super::pen::{self, Place, Side};
use super::trend::{BleedMark, TrendPoint};
use super::{Room, Spoken, Svg, spoken};
use crate::wording::quantity::Quantity;

/// What a card's chart shows.
#[derive(Debug, Clone, PartialEq)]
pub struct Glimpse {
    /// An id that is unique on the page.
    pub id: String,
    /// The card's sentence.
    pub title: String,
    /// Left end of the time axis.
    pub from_us: i64,
    /// Right end.
    pub until_us: i64,
    /// Points, oldest first.
    pub points: Vec<TrendPoint>,
    /// The limit.
    pub limit: Option<Quantity>,
    /// The bleed.
    pub bleed: Option<BleedMark>,
    /// Where the line must not cross.
    pub breaks: Vec<i64>,
}

impl Glimpse {
    /// Both drawings; the style sheet shows the one that fits. Empty without a known point.
    pub fn draw(&self) -> Svg {
        if self.points.iter().all(|point| point.value.is_none()) {
            return Svg::default();
        }
        self.draw_in(Room::Wide).and(self.draw_in(Room::Narrow))
    }

    fn draw_in(&self, room: Room) -> Svg {
        let (width, gutter) = if room == Room::Wide {
            (508.0, 56.0)
        } else {
            (324.0, 52.0)
        };
        let (top, bottom, height) = (8.0, 78.0, 100.0);
        let time = TimeAxis::new(self.from_us, self.until_us, 3.0, width - gutter - 3.0);
        let (low, high) = self.extent();
        let y =
            |value: f64| bottom - (bottom - top) * ((value - low) / (high - low)).clamp(0.0, 1.0);
        let inner = pen::drawn(width, height, |pen| {
            if let Some(bleed) = &self.bleed {
                let at = |at_us: i64, value: f64| -> Place { (time.x_inside(at_us), y(value)) };
                let ramp = [
                    at(bleed.onset_us, bleed.base),
                    at(bleed.end_us, bleed.end),
                    at(bleed.end_us, bleed.base),
                ];
                pen.area(&ramp, Ink::Bleed, 0.13);
                let x = time.x_inside(bleed.onset_us);
                pen.line((x, y(bleed.base)), (x, height - 4.0), Ink::Bleed, 1.5);
                pen.text(
                    (x + 6.0, height - 9.0),
                    Side::Right,
                    Ink::Bleed,
                    true,
                    &bleed.onset_release,
                );
            }
            for stretch in self.stretches() {
                let edge = |pick: fn(&Quantity) -> f64| -> Vec<Place> {
                    stretch
                        .iter()
                        .map(|(at_us, value)| (time.x_inside(*at_us), y(pick(value))))
                        .collect()
                };
                pen.band(&edge(|v| v.upper), &edge(|v| v.lower), Ink::P75, 0.17);
                pen.path(&edge(|v| v.value), Ink::P75, 1.75);
            }
            if let Some(limit) = self.limit {
                pen.dashed(
                    &[(3.0, y(limit.value)), (time.right(), y(limit.value))],
                    Ink::Budget,
                    1.5,
                    7.0,
                    4.0,
                );
            }
            let last = self
                .points
                .iter()
                .rev()
                .find_map(|point| point.value.map(|value| (point, value)));
            if let Some((point, value)) = last {
                let at = (time.x_inside(point.at_us), y(value.value));
                if point.is_provisional {
                    pen.ring(at, 3.5, Ink::P75, 1.75)
                } else {
                    pen.dot(at, 3.0, Ink::P75)
                }
            }
            let limit = self.limit.map(|limit| (Ink::Text, limit));
            let labels: Vec<(Ink, Quantity)> = limit
                .into_iter()
                .chain(last.map(|(_, v)| (Ink::P75, v)))
                .collect();
            let wishes: Vec<Wish> = labels
                .iter()
                .map(|(_, v)| Wish {
                    middle: y(v.value),
                    length: 16.0,
                })
                .collect();
            for ((ink, value), middle) in labels.iter().zip(moved_apart(&wishes, 0.0, height)) {
                pen.text(
                    (time.right() + 9.0, middle),
                    Side::Right,
                    *ink,
                    true,
                    &value.value(),
                );
            }
        });
        let description = format!(
            "{}; the values stand on the page of the finding",
            self.title
        );
        let said = Spoken {
            id: self.id.clone(),
            title: self.title.clone(),
            description,
        };
        spoken(room, "glimpse", &said, (width, height), &inner)
    }

    fn extent(&self) -> (f64, f64) {
        let values = self
            .points
            .iter()
            .filter_map(|point| point.value)
            .flat_map(|v| [v.lower, v.upper]);
        let limit = self.limit.iter().map(|limit| limit.value);
        let all = values.chain(limit).filter(|value| value.is_finite());
        let (low, high) = all.fold((f64::MAX, f64::MIN), |(low, high), v| {
            (low.min(v), high.max(v))
        });
        let least = (low.abs() * 0.05).max(f64::MIN_POSITIVE);
        (low, high.max(low + least))
    }

    fn stretches(&self) -> Vec<Vec<(i64, Quantity)>> {
        let mut stretches: Vec<Vec<(i64, Quantity)>> = vec![Vec::new()];
        let mut before_us = i64::MIN;
        for point in &self.points {
            let is_broken = self
                .breaks
                .iter()
                .any(|at_us| *at_us > before_us && *at_us <= point.at_us);
            if point.value.is_none() || is_broken {
                stretches.push(Vec::new());
            }
            if let (Some(value), Some(stretch)) = (point.value, stretches.last_mut()) {
                stretch.push((point.at_us, value));
            }
            before_us = point.at_us;
        }
        stretches
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wording::unit::Unit;

    #[test]
    fn without_a_known_point_there_is_nothing_to_see() {
        let point = TrendPoint {
            at_us: 5,
            value: None,
            is_provisional: false,
        };
        let known = TrendPoint {
            value: Some(Quantity::exact(3.0, Unit::Count)),
            ..point.clone()
        };
        let glimpse = Glimpse {
            id: "g".into(),
            title: "t".into(),
            from_us: 0,
            until_us: 10,
            points: vec![point],
            limit: None,
            bleed: None,
            breaks: vec![],
        };
        assert!(glimpse.draw().is_empty());
        assert!(
            !Glimpse {
                points: vec![known],
                ..glimpse
            }
            .draw()
            .is_empty()
        );
    }
}
