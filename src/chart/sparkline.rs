//! A series in a table row: 132 by 34 pixels, no words; the row says them.

use super::axis::TimeAxis;
use super::ink::Ink;
use super::pen::{self, Place};
use super::{Svg, silent};

const WIDTH: f64 = 132.0;
const HEIGHT: f64 = 34.0;
/// Room for the last point and the strokes.
const AIR: f64 = 4.0;
/// The span covers at least this share of the middle value, so that noise stays small.
const LEAST_SPAN: f64 = 0.08;
/// A limit further away than this many spans would flatten the line, so it lies at the edge.
const LIMIT_REACH: f64 = 1.5;

/// A small line over a fixed stretch of time.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Sparkline {
    /// Left end of the time axis.
    pub from_us: i64,
    /// Right end of the time axis.
    pub until_us: i64,
    /// Instants and values in base units, oldest first.
    pub points: Vec<(i64, f64)>,
    /// The limit, in base units.
    pub limit: Option<f64>,
    /// Stretches without data.
    pub gaps: Vec<(i64, i64)>,
    /// Epoch starts; the line does not cross them.
    pub epochs: Vec<i64>,
    /// The newest window is still open.
    pub is_provisional: bool,
}

impl Sparkline {
    /// The drawing; empty without points.
    pub fn draw(&self) -> Svg {
        let Some((low, high)) = self.extent() else {
            return Svg::default();
        };
        let time = TimeAxis::new(self.from_us, self.until_us, AIR, WIDTH - 2.0 * AIR);
        let y = |value: f64| {
            AIR + (HEIGHT - 2.0 * AIR) * (1.0 - (value - low) / (high - low)).clamp(0.0, 1.0)
        };
        let inner = pen::drawn(WIDTH, HEIGHT, |pen| {
            for &(from_us, until_us) in &self.gaps {
                let (from, until) = (time.x_inside(from_us), time.x_inside(until_us));
                pen.hatch((from, AIR), until - from, HEIGHT - 2.0 * AIR);
            }
            if let Some(limit) = self.limit {
                let ends = [(time.left(), y(limit)), (time.right(), y(limit))];
                pen.dashed(&ends, Ink::Budget, 1.25, 4.0, 3.0);
            }
            for stretch in self.stretches() {
                let line: Vec<Place> = stretch
                    .iter()
                    .map(|&(at_us, value)| (time.x_inside(at_us), y(value)))
                    .collect();
                pen.path(&line, Ink::P75, 1.75);
            }
            if let Some(&(at_us, value)) = self.points.last() {
                let at = (time.x_inside(at_us), y(value));
                if self.is_provisional {
                    pen.ring(at, 2.75, Ink::P75, 1.5)
                } else {
                    pen.dot(at, 2.75, Ink::P75)
                }
            }
        });
        silent("spark", WIDTH, HEIGHT, &inner)
    }

    fn extent(&self) -> Option<(f64, f64)> {
        let values = self.points.iter().map(|(_, value)| *value);
        let least = values.clone().reduce(f64::min)?;
        let most = values.reduce(f64::max)?;
        let span = (most - least)
            .max((least + most).abs() / 2.0 * LEAST_SPAN)
            .max(f64::MIN_POSITIVE);
        let middle = (least + most) / 2.0;
        let (mut low, mut high) = (middle - span / 2.0, middle + span / 2.0);
        if let Some(limit) = self.limit {
            low = low.min(limit.max(least - LIMIT_REACH * span));
            high = high.max(limit.min(most + LIMIT_REACH * span));
        }
        (low.is_finite() && high.is_finite()).then_some((low, high))
    }

    fn stretches(&self) -> Vec<Vec<(i64, f64)>> {
        let breaks: Vec<i64> = self
            .gaps
            .iter()
            .map(|(from_us, _)| *from_us)
            .chain(self.epochs.iter().copied())
            .collect();
        let mut stretches: Vec<Vec<(i64, f64)>> = Vec::new();
        for &point in &self.points {
            match stretches.last_mut() {
                Some(stretch)
                    if !stretch
                        .last()
                        .is_some_and(|before| crosses(&breaks, before.0, point.0)) =>
                {
                    stretch.push(point);
                }
                _ => stretches.push(vec![point]),
            }
        }
        stretches
    }
}

fn crosses(breaks: &[i64], before_us: i64, after_us: i64) -> bool {
    breaks
        .iter()
        .any(|at_us| (before_us + 1..=after_us).contains(at_us))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(values: &[f64]) -> Vec<(i64, f64)> {
        (0..).zip(values.iter().copied()).collect()
    }

    #[test]
    fn no_points_no_drawing() {
        assert!(Sparkline::default().draw().is_empty());
    }

    #[test]
    fn a_line_is_never_drawn_across_a_gap_or_an_epoch() {
        let whole = Sparkline {
            until_us: 5,
            points: points(&[1.0, 2.0, 3.0, 2.0, 1.0, 2.0]),
            ..Sparkline::default()
        };
        let lines = |sparkline: &Sparkline| sparkline.draw().as_str().matches("<polyline").count();
        assert_eq!(lines(&whole), 1);
        assert_eq!(
            lines(&Sparkline {
                gaps: vec![(2, 3)],
                ..whole.clone()
            }),
            2
        );
        assert_eq!(
            lines(&Sparkline {
                epochs: vec![2, 4],
                ..whole
            }),
            3
        );
    }

    #[test]
    fn one_point_with_a_limit_is_drawn() {
        let one = Sparkline {
            until_us: 1,
            points: points(&[0.0]),
            limit: Some(0.0),
            ..Sparkline::default()
        };
        assert!(one.draw().as_str().contains("<circle"));
    }
}
