//! What happened to a series, on its trend: missing data, epochs, steps, a bleed and where it goes.

use crate::chart::Room;
use crate::chart::ink::Ink;
use crate::chart::pen::{Pen, Place, Side, text_width};
use crate::wording::moment::DAY_US;

use super::panel::Frame;
use super::{BleedMark, EpochMark, StepMark, Trend};

/// Half the gap that a new epoch leaves.
const EPOCH_HALF_PX: f64 = 6.0;
/// Named steps, the largest of them.
const NAMED_STEPS: usize = 5;
/// Letters of an epoch's reason before it is cut.
const REASON_LETTERS: usize = 28;

impl Trend {
    pub(super) fn draw_gap(
        &self,
        pen: &mut Pen,
        frame: &Frame,
        (from_us, until_us): (i64, i64),
        is_named: bool,
    ) {
        let (from, until) = (frame.time.x_inside(from_us), frame.time.x_inside(until_us));
        if until - from < 1.0 {
            return;
        }
        pen.hatch((from, frame.top), until - from, frame.height);
        if is_named && until - from > 24.0 {
            pen.text(
                (from + 2.0, frame.top + 10.0),
                Side::Right,
                Ink::Text2,
                false,
                "no data",
            );
        }
    }

    pub(super) fn draw_epoch(&self, pen: &mut Pen, frame: &Frame, epoch: &EpochMark) {
        if !frame.time.holds(epoch.at_us) {
            return;
        }
        let x = frame.time.x(epoch.at_us);
        let (left, width) = (x - EPOCH_HALF_PX, 2.0 * EPOCH_HALF_PX);
        pen.rect((left, frame.top), width, frame.height, Ink::Surface, 1.0);
        pen.rect((left, frame.top), width, frame.height, Ink::Sunken, 1.0);
        for edge in [left, left + width] {
            pen.line((edge, frame.top), (edge, frame.bottom()), Ink::Edge, 1.0);
        }
    }

    /// The words of epochs, steps and the bleed; drawn after the line so that their halo keeps them readable.
    pub(super) fn draw_event_words(&self, pen: &mut Pen, frame: &Frame) {
        let mut free_from = f64::MIN;
        for epoch in self
            .epochs
            .iter()
            .filter(|epoch| frame.time.holds(epoch.at_us))
        {
            let x = frame.time.x(epoch.at_us) + EPOCH_HALF_PX + 6.0;
            if x < free_from {
                continue;
            }
            let reason = shortened(&epoch.reason);
            let y = frame.top + 10.0 + self.below_limit(frame);
            pen.text((x, y), Side::Right, Ink::Text2, true, "new epoch");
            if frame.fits(x, &reason, false) {
                pen.text((x, y + 14.0), Side::Right, Ink::Text2, false, &reason);
            }
            free_from = x + text_width(&reason, false).max(text_width("new epoch", true)) + 8.0;
        }
        let mut steps: Vec<&StepMark> = self
            .steps
            .iter()
            .filter(|step| frame.time.holds(step.at_us))
            .collect();
        steps.sort_by(|a, b| b.change.value.abs().total_cmp(&a.change.value.abs()));
        steps.truncate(if frame.room == Room::Wide {
            NAMED_STEPS
        } else {
            2
        });
        for step in steps {
            self.draw_step(pen, frame, step);
        }
        if let Some(bleed) = &self.bleed {
            draw_onset(pen, frame, bleed);
        }
    }

    /// How far the words at the top step down so that a limit's dashes do not strike them out.
    fn below_limit(&self, frame: &Frame) -> f64 {
        let limits = self
            .main
            .limits
            .iter()
            .filter(|step| frame.axis.holds(step.limit));
        let near = limits
            .map(|step| frame.y(step.limit) - frame.top)
            .find(|below| *below < 32.0);
        near.map_or(0.0, |below| below + 2.0)
    }

    fn draw_step(&self, pen: &mut Pen, frame: &Frame, step: &StepMark) {
        let after = self
            .main
            .points
            .iter()
            .find(|point| point.at_us >= step.at_us && point.value.is_some());
        let Some(value) = after.and_then(|point| point.value) else {
            return;
        };
        let ink = match step.is_worse {
            Some(true) => Ink::Breach,
            Some(false) => Ink::Within,
            None => Ink::Reference,
        };
        let x = frame.time.x(step.at_us);
        let below = frame.y(value.lower.min(value.value)) + 6.0;
        let is_room_below = below + 40.0 < frame.bottom();
        let (start, end) = if is_room_below {
            (below, below + 24.0)
        } else {
            let above = frame.y(value.upper.max(value.value)) - 6.0;
            (above, above - 24.0)
        };
        pen.line((x, start), (x, end), ink, 1.5);
        let text = format!("{} {}", step.release, step.change.signed());
        if frame.fits(x + 6.0, &text, true) {
            pen.text((x + 5.0, end), Side::Right, ink, true, &text);
        } else {
            pen.text((x - 5.0, end), Side::Left, ink, true, &text);
        }
    }

    pub(super) fn draw_bleed(&self, pen: &mut Pen, frame: &Frame) {
        let Some(bleed) = &self.bleed else { return };
        let (from_us, until_us) = (bleed.onset_us, bleed.end_us.max(bleed.onset_us + 1));
        let level = |at_us: i64| {
            let share = (at_us - from_us) as f64 / (until_us - from_us) as f64;
            bleed.base + (bleed.end - bleed.base) * share.clamp(0.0, 1.0)
        };
        let place = |at_us: i64, value: f64| -> Place {
            (frame.time.x_inside(at_us), frame.y_inside(value))
        };
        let first_us = if frame.time.holds(from_us) {
            from_us
        } else {
            self.from_us.max(until_us - frame_length(frame))
        };
        let (start, end) = (place(first_us, level(first_us)), place(until_us, bleed.end));
        let (foot, corner) = (place(first_us, bleed.base), place(until_us, bleed.base));
        if end.0 - start.0 < 2.0 {
            return;
        }
        pen.area(&[foot, start, end, corner], Ink::Bleed, 0.13);
        pen.path(&[start, end], Ink::Bleed, 1.5);
        pen.dashed(&[foot, corner], Ink::Bleed, 1.0, 2.0, 2.5);
        pen.line(end, corner, Ink::Bleed, 1.5);
        let middle = (end.1 + corner.1) / 2.0;
        pen.text(
            (end.0 - 7.0, middle + 4.0),
            Side::Left,
            Ink::Bleed,
            true,
            &bleed.total.signed(),
        );
    }

    pub(super) fn draw_forecast(&self, pen: &mut Pen, frame: &Frame) {
        let Some(forecast) = &self.forecast else {
            return;
        };
        let start = self.bleed.as_ref().map(|bleed| (bleed.end_us, bleed.end));
        let last = || {
            self.main
                .points
                .iter()
                .rev()
                .find_map(|p| p.value.map(|value| (p.at_us, value.value)))
        };
        let Some((from_us, from)) = start.or_else(last) else {
            return;
        };
        let weeks = ((forecast.at_us - from_us) / (7 * DAY_US)).max(1);
        // A point a week, each cut to the panel, so that a fan that leaves it keeps its slope.
        let ray = |end: f64| -> Vec<Place> {
            (0..=weeks)
                .map(|week| {
                    let share = week as f64 / weeks as f64;
                    let at_us = from_us + ((forecast.at_us - from_us) as f64 * share) as i64;
                    (at_us, from + (end - from) * share)
                })
                .filter(|(at_us, _)| frame.time.holds(*at_us))
                .map(|(at_us, value)| (frame.time.x(at_us), frame.y_inside(value)))
                .collect()
        };
        pen.band(
            &ray(forecast.value.upper),
            &ray(forecast.value.lower),
            Ink::Bleed,
            0.13,
        );
        pen.dashed(&ray(forecast.value.value), Ink::Bleed, 1.5, 4.0, 3.0);
        let zone = frame.time.x(self.until_us);
        if frame.room == Room::Wide {
            pen.text(
                (zone + 5.0, frame.top + 9.0),
                Side::Right,
                Ink::Text3,
                false,
                "forecast",
            );
        }
    }
}

/// Where the bleed began: a line down to the axis, its words, and a thick stretch for the releases it may have been.
fn draw_onset(pen: &mut Pen, frame: &Frame, bleed: &BleedMark) {
    if let Some(((first_us, _), (last_us, _))) = &bleed.one_of {
        let (from, until) = (
            frame.time.x_inside(*first_us),
            frame.time.x_inside(*last_us),
        );
        if until > from {
            pen.rect(
                (from, frame.bottom() - 1.5),
                until - from,
                3.0,
                Ink::Bleed,
                1.0,
            );
        }
    }
    if !frame.time.holds(bleed.onset_us) {
        return;
    }
    let x = frame.time.x(bleed.onset_us);
    let foot = frame.y_inside(bleed.base);
    pen.line((x, foot), (x, frame.bottom()), Ink::Bleed, 1.5);
    let title = format!("bleed starts at {}", bleed.onset_release);
    let range = bleed
        .one_of
        .as_ref()
        .map(|((_, first), (_, last))| format!("or one of {first} to {last}"));
    let longest = range
        .as_ref()
        .filter(|range| range.len() > title.len())
        .unwrap_or(&title);
    let (at, side) = if frame.fits(x + 8.0, longest, true) {
        (x + 8.0, Side::Right)
    } else {
        (x - 8.0, Side::Left)
    };
    let low = (foot + 22.0)
        .max(frame.bottom() - 28.0)
        .min(frame.bottom() - 22.0);
    pen.text((at, low), side, Ink::Bleed, true, &title);
    if let Some(range) = range {
        pen.text((at, low + 14.0), side, Ink::Bleed, false, &range);
    }
}

fn frame_length(frame: &Frame) -> i64 {
    let (left, right) = (frame.time.left(), frame.time.right());
    let per_pixel = DAY_US as f64 / (frame.time.x(DAY_US) - frame.time.x(0)).max(f64::MIN_POSITIVE);
    ((right - left) * per_pixel) as i64
}

fn shortened(reason: &str) -> String {
    if reason.chars().count() <= REASON_LETTERS {
        return reason.to_owned();
    }
    let mut short: String = reason.chars().take(REASON_LETTERS).collect();
    short.push('…');
    short
}
