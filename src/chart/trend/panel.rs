//! One panel of a trend: grid, band, line, points, limits, and the labels at the line's end.

use crate::chart::Room;
use crate::chart::axis::{TimeAxis, ValueAxis};
use crate::chart::ink::Ink;
use crate::chart::labels::{Wish, moved_apart};
use crate::chart::pen::{Pen, Place, Side, text_width};
use crate::wording::quantity::Quantity;
use crate::wording::unit::Unit;

use super::{LimitFrom, MAX_POINTS, TrendPanel, TrendPoint};

/// From this many points on they are drawn without dots.
const DOTS_UP_TO: usize = 120;
/// Height of a line of text.
const LINE_PX: f64 = 15.0;

/// A line of a label: its ink, whether it is bold, its words.
type Line = (Ink, bool, String);

/// Where a panel stands and how its values become places.
pub(super) struct Frame<'a> {
    pub(super) room: Room,
    pub(super) panel: &'a TrendPanel,
    pub(super) time: &'a TimeAxis,
    pub(super) top: f64,
    pub(super) height: f64,
    pub(super) axis: ValueAxis,
    pub(super) ink: Ink,
}

impl<'a> Frame<'a> {
    pub(super) fn new(
        room: Room,
        panel: &'a TrendPanel,
        time: &'a TimeAxis,
        top: f64,
        height: f64,
        axis: ValueAxis,
        ink: Ink,
    ) -> Self {
        Frame {
            room,
            panel,
            time,
            top,
            height,
            axis,
            ink,
        }
    }

    /// The vertical place of a value.
    pub(super) fn y(&self, value: f64) -> f64 {
        self.top + self.height * (1.0 - self.axis.share(value))
    }

    /// The same, cut to the panel.
    pub(super) fn y_inside(&self, value: f64) -> f64 {
        self.y(value).clamp(self.top, self.bottom())
    }

    pub(super) fn bottom(&self) -> f64 {
        self.top + self.height
    }

    fn is_main(&self) -> bool {
        self.ink == Ink::P75
    }

    pub(super) fn draw_grid(&self, pen: &mut Pen, unit: Unit) {
        let (left, right) = (self.time.left(), self.time.right());
        for (at_us, _) in self.time.ticks() {
            let x = self.time.x(at_us);
            pen.line((x, self.top), (x, self.bottom()), Ink::Rule, 1.0);
        }
        for &tick in self.axis.ticks() {
            let y = self.y(tick);
            pen.line((left, y), (right, y), Ink::Rule, 1.0);
            pen.text(
                (left - 7.0, y),
                Side::Left,
                Ink::Text3,
                false,
                &self.axis.label(tick),
            );
        }
        let word = self.axis.scale.word;
        let name = if word.is_empty() || unit == Unit::Millionths {
            self.panel.name.clone()
        } else {
            format!("{}, {word}", self.panel.name)
        };
        pen.text((left, self.top - 16.0), Side::Right, self.ink, true, &name);
    }

    /// Band, limits, line and points.
    pub(super) fn draw_values(&self, pen: &mut Pen, breaks: &[(i64, i64)]) {
        let (line_px, dot_px) = if self.is_main() {
            (2.25, 2.4)
        } else {
            (1.5, 2.0)
        };
        let points = self.points();
        let stretches = stretches(&points, breaks);
        for stretch in &stretches {
            let edge = |pick: fn(&Quantity) -> f64| -> Vec<Place> {
                stretch
                    .iter()
                    .map(|(at_us, value)| (self.time.x(*at_us), self.y_inside(pick(value))))
                    .collect()
            };
            pen.band(
                &edge(|value| value.upper),
                &edge(|value| value.lower),
                self.ink,
                0.17,
            );
        }
        self.draw_limits(pen);
        for stretch in &stretches {
            let line: Vec<Place> = stretch
                .iter()
                .map(|(at_us, value)| self.place(*at_us, value))
                .collect();
            pen.path(&line, self.ink, line_px);
        }
        let has_dots = points.len() <= DOTS_UP_TO;
        for point in &points {
            match &point.value {
                Some(value) if point.is_provisional => {
                    let at = self.place(point.at_us, value);
                    let (low, high) = (self.y_inside(value.lower), self.y_inside(value.upper));
                    pen.line((at.0, low), (at.0, high), self.ink, 1.0);
                    pen.ring(at, 4.0, self.ink, 2.0);
                }
                Some(value) if has_dots => {
                    pen.dot(self.place(point.at_us, value), dot_px, self.ink)
                }
                Some(_) => {}
                // Refused: an open tick on the axis.
                None => {
                    let x = self.time.x(point.at_us);
                    pen.ring((x, self.bottom()), 2.5, Ink::NoData, 1.0);
                }
            }
        }
    }

    /// The name of the limit and of the newest value at the end of their lines, moved apart where they collide.
    pub(super) fn draw_end_labels(&self, pen: &mut Pen) {
        if self.room == Room::Narrow {
            return;
        }
        let mut labels: Vec<(f64, Vec<Line>)> = Vec::new();
        if let Some(limit) = self
            .panel
            .limits
            .last()
            .map(|step| step.limit)
            .filter(|limit| self.axis.holds(*limit))
        {
            let name = format!("budget {}", self.limit_text(limit));
            labels.push((self.y(limit), vec![(Ink::Text, true, name)]));
        }
        let last = || self.points().iter().rev().find_map(|point| point.value);
        if let Some(value) = self.panel.now.or_else(last) {
            let mut lines = vec![(
                self.ink,
                true,
                format!("{} {}", self.panel.name, value.value()),
            )];
            let range = value.range();
            if !range.is_empty() {
                lines.push((Ink::Text3, false, range));
            }
            if self.panel.limits.is_empty() {
                lines.push((Ink::Text3, false, "no budget set".to_owned()));
            }
            labels.push((self.y(value.value), lines));
        }
        let wishes: Vec<Wish> = labels
            .iter()
            .map(|(y, lines)| Wish {
                middle: *y,
                length: lines.len() as f64 * LINE_PX + 4.0,
            })
            .collect();
        let middles = moved_apart(&wishes, self.top - 8.0, self.bottom() + 16.0);
        for ((_, lines), middle) in labels.iter().zip(middles) {
            let first = middle - (lines.len() as f64 - 1.0) * LINE_PX / 2.0;
            for (index, (ink, is_bold, text)) in lines.iter().enumerate() {
                let at = (self.time.right() + 8.0, first + index as f64 * LINE_PX);
                pen.text(at, Side::Right, *ink, *is_bold, text);
            }
        }
    }

    fn draw_limits(&self, pen: &mut Pen) {
        for (index, step) in self.panel.limits.iter().enumerate() {
            let until = self
                .panel
                .limits
                .get(index + 1)
                .map_or(i64::MAX, |next| next.from_us);
            self.draw_limit(pen, step, until, index + 1 == self.panel.limits.len());
        }
        if let Some(ceiling) = self
            .panel
            .ceiling
            .filter(|ceiling| self.axis.holds(ceiling.limit))
        {
            let y = self.y(ceiling.limit);
            let ends = [
                (self.time.x_inside(ceiling.from_us), y),
                (self.time.x_inside(ceiling.until_us), y),
            ];
            pen.dashed(&ends, Ink::Budget, 1.5, 1.5, 4.0);
        }
    }

    fn draw_limit(&self, pen: &mut Pen, step: &LimitFrom, until_us: i64, is_last: bool) {
        let (from, until) = (
            self.time.x_inside(step.from_us),
            self.time.x_inside(until_us),
        );
        let text = format!("budget {}", self.limit_text(step.limit));
        if self.axis.holds(step.limit) {
            let y = self.y(step.limit);
            pen.dashed(&[(from, y), (until, y)], Ink::Budget, 1.5, 7.0, 4.0);
            if is_last && self.room == Room::Narrow {
                pen.text(
                    (self.time.left() + 4.0, y - 9.0),
                    Side::Right,
                    Ink::Text,
                    true,
                    &text,
                );
            }
            return;
        }
        if !is_last {
            return;
        }
        let is_above = self.axis.share(step.limit) > 1.0;
        let (tip, back) = if is_above {
            (self.top + 1.0, 7.0)
        } else {
            (self.bottom() - 1.0, -7.0)
        };
        let x = self.time.right() - 10.0;
        pen.area(
            &[(x, tip), (x - 4.0, tip + back), (x + 4.0, tip + back)],
            Ink::Budget,
            1.0,
        );
        pen.text((x - 9.0, tip + back), Side::Left, Ink::Text, true, &text);
    }

    fn limit_text(&self, limit: f64) -> String {
        let unit = self
            .panel
            .points
            .iter()
            .find_map(|point| point.value)
            .map(|value| value.unit);
        let known = Quantity::exact(limit, unit.unwrap_or(Unit::Count));
        if unit.is_some() {
            known.value()
        } else {
            self.axis.label(limit)
        }
    }

    /// The points in sight, the newest [`MAX_POINTS`] of them.
    fn points(&self) -> Vec<&TrendPoint> {
        let in_sight: Vec<&TrendPoint> = self
            .panel
            .points
            .iter()
            .filter(|point| self.time.holds(point.at_us))
            .collect();
        let surplus = in_sight.len().saturating_sub(MAX_POINTS);
        in_sight[surplus..].to_vec()
    }

    fn place(&self, at_us: i64, value: &Quantity) -> Place {
        (self.time.x(at_us), self.y(value.value))
    }

    /// True when a text of this length starting at `x` ends inside the panel.
    pub(super) fn fits(&self, x: f64, text: &str, is_bold: bool) -> bool {
        x + text_width(text, is_bold) < self.time.right()
    }
}

/// The points between two breaks: refused points, missing stretches and epochs are never bridged.
fn stretches<'p>(
    points: &[&'p TrendPoint],
    breaks: &[(i64, i64)],
) -> Vec<Vec<(i64, &'p Quantity)>> {
    let mut stretches: Vec<Vec<(i64, &Quantity)>> = vec![Vec::new()];
    for point in points {
        let Some(value) = &point.value else {
            stretches.push(Vec::new());
            continue;
        };
        let before = stretches
            .last()
            .and_then(|stretch| stretch.last())
            .map(|(at_us, _)| *at_us);
        let is_broken = before.is_some_and(|before| {
            breaks
                .iter()
                .any(|(from, until)| *from <= point.at_us && *until >= before && *until > before)
        });
        if is_broken {
            stretches.push(Vec::new());
        }
        if let Some(stretch) = stretches.last_mut() {
            stretch.push((point.at_us, value));
        }
    }
    stretches.retain(|stretch| !stretch.is_empty());
    stretches
}
