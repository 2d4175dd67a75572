//! The trend of a series: its main percentile above, its high percentile below, over one time axis.

mod events;
mod panel;
mod reach;

use crate::wording::moment::{DAY_US, Moment};
use crate::wording::quantity::Quantity;
use crate::wording::unit::Unit;

use super::axis::TimeAxis;
use super::ink::Ink;
use super::pen::{self, Pen, Side};
use super::{Room, Spoken, Svg, spoken};
use panel::Frame;

/// The zone of a forecast on wide and on narrow charts.
const FORECAST_WEEKS: (i64, i64) = (9, 4);
/// A narrow chart shows this many weeks before today.
const NARROW_WEEKS: i64 = 16;
/// More points than this would make the drawing too large; the newest are kept.
const MAX_POINTS: usize = 600;

/// One release, day or hour of a percentile.
#[derive(Debug, Clone, PartialEq)]
pub struct TrendPoint {
    /// When.
    pub at_us: i64,
    /// The value with its range; nothing when the percentile is refused.
    pub value: Option<Quantity>,
    /// The window is still open.
    pub is_provisional: bool,
}

/// A limit from an instant on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LimitFrom {
    /// Since when it holds.
    pub from_us: i64,
    /// The limit in base units.
    pub limit: f64,
}

/// A ceiling that holds in a limit's place for a while.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ceiling {
    /// Since when.
    pub from_us: i64,
    /// Until when.
    pub until_us: i64,
    /// The ceiling in base units.
    pub limit: f64,
}

/// One percentile's panel.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TrendPanel {
    /// "P75".
    pub name: String,
    /// Its points, oldest first.
    pub points: Vec<TrendPoint>,
    /// Its limits, oldest first; several make a stair.
    pub limits: Vec<LimitFrom>,
    /// A waiver's ceiling.
    pub ceiling: Option<Ceiling>,
    /// The value that the line's end is named with, where that is not its last point: what a budget judges.
    pub now: Option<Quantity>,
}

/// A new epoch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EpochMark {
    /// When it began.
    pub at_us: i64,
    /// What changed.
    pub reason: String,
}

/// A slow bleed on the main panel.
#[derive(Debug, Clone, PartialEq)]
pub struct BleedMark {
    /// The likeliest onset.
    pub onset_us: i64,
    /// Its release.
    pub onset_release: String,
    /// The first and last release that it may have been, with their instants.
    pub one_of: Option<((i64, String), (i64, String))>,
    /// The level at the onset, in base units.
    pub base: f64,
    /// The end of the fitted ramp.
    pub end_us: i64,
    /// The level there, in base units.
    pub end: f64,
    /// The total change.
    pub total: Quantity,
}

/// Where an open bleed goes: the value at an instant in the future.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Forecast {
    /// The instant.
    pub at_us: i64,
    /// The value there, with its range.
    pub value: Quantity,
}

/// A step on the main panel.
#[derive(Debug, Clone, PartialEq)]
pub struct StepMark {
    /// When the release came.
    pub at_us: i64,
    /// The release.
    pub release: String,
    /// The change in percent.
    pub change: Quantity,
    /// Whether it was for the worse; nothing when the direction is unknown.
    pub is_worse: Option<bool>,
}

/// Everything that a trend shows.
#[derive(Debug, Clone, PartialEq)]
pub struct Trend {
    /// An id that is unique on the page.
    pub id: String,
    /// The sentence above the chart.
    pub title: String,
    /// The unit of all values.
    pub unit: Unit,
    /// The first instant shown.
    pub from_us: i64,
    /// The end of the data, mostly now.
    pub until_us: i64,
    /// The main percentile.
    pub main: TrendPanel,
    /// The high percentile, where there is one.
    pub high: Option<TrendPanel>,
    /// Releases, oldest first.
    pub releases: Vec<(i64, String)>,
    /// Epoch starts, oldest first.
    pub epochs: Vec<EpochMark>,
    /// Stretches without data.
    pub gaps: Vec<(i64, i64)>,
    /// A bleed.
    pub bleed: Option<BleedMark>,
    /// Where it goes.
    pub forecast: Option<Forecast>,
    /// Steps.
    pub steps: Vec<StepMark>,
}

impl Trend {
    /// Both drawings; the style sheet shows the one that fits.
    pub fn draw(&self) -> Svg {
        self.draw_in(Room::Wide).and(self.draw_in(Room::Narrow))
    }

    /// The drawing for one room.
    pub fn draw_in(&self, room: Room) -> Svg {
        let (width, left, gutter, heights, weeks) = match room {
            Room::Wide => (1078.0, 56.0, 128.0, (264.0, 128.0), FORECAST_WEEKS.0),
            Room::Narrow => (324.0, 38.0, 6.0, (228.0, 104.0), FORECAST_WEEKS.1),
        };
        let earliest = self.until_us - NARROW_WEEKS * 7 * DAY_US;
        let from_us = if room == Room::Narrow {
            self.from_us.max(earliest)
        } else {
            self.from_us
        };
        // What was measured keeps the larger part of the chart.
        let longest_us = (self.until_us - from_us) / 3;
        let zone_us = self
            .forecast
            .map_or(0, |_| (weeks * 7 * DAY_US).min(longest_us));
        let time = TimeAxis::new(
            from_us,
            self.until_us + zone_us,
            left,
            width - left - gutter,
        );

        let main_top = 26.0;
        let ticks_at = main_top + heights.0;
        let high_top = ticks_at + 62.0;
        let high = self.high_in(&time);
        let months_at = if high.is_some() {
            high_top + heights.1
        } else {
            ticks_at + 26.0
        };
        let height = months_at + 22.0;
        let inner = pen::drawn(width, height, |pen| {
            let main = Frame::new(
                room,
                &self.main,
                &time,
                main_top,
                heights.0,
                self.axis_of(&self.main, &time, heights.0),
                Ink::P75,
            );
            self.draw_main(pen, &main);
            self.draw_releases(pen, &time, ticks_at);
            if let Some(panel) = high {
                let high = Frame::new(
                    room,
                    panel,
                    &time,
                    high_top,
                    heights.1,
                    self.axis_of(panel, &time, heights.1),
                    Ink::P99,
                );
                self.draw_ground(pen, &high);
                high.draw_values(pen, &self.breaks());
                high.draw_end_labels(pen);
            }
            draw_months(pen, &time, months_at + 12.0);
        });
        let said = Spoken {
            id: self.id.clone(),
            title: self.title.clone(),
            description: self.description(),
        };
        spoken(room, "trend", &said, (width, height), &inner)
    }

    /// The high percentile's panel, where any of it can be told.
    fn high_in(&self, time: &TimeAxis) -> Option<&TrendPanel> {
        let is_told = |point: &TrendPoint| point.value.is_some() && time.holds(point.at_us);
        self.high
            .as_ref()
            .filter(|panel| panel.points.iter().any(is_told))
    }

    fn draw_main(&self, pen: &mut Pen, frame: &Frame) {
        self.draw_ground(pen, frame);
        self.draw_bleed(pen, frame);
        self.draw_forecast(pen, frame);
        frame.draw_values(pen, &self.breaks());
        self.draw_event_words(pen, frame);
        frame.draw_end_labels(pen);
    }

    /// What lies beneath the values: grid, forecast zone, missing stretches, epochs.
    fn draw_ground(&self, pen: &mut Pen, frame: &Frame) {
        let is_main = frame.ink == Ink::P75;
        if self.forecast.is_some() {
            let from = frame.time.x(self.until_us);
            pen.rect(
                (from, frame.top),
                frame.time.right() - from,
                frame.height,
                Ink::Sunken,
                1.0,
            );
        }
        frame.draw_grid(pen, self.unit);
        for &gap in &self.gaps {
            self.draw_gap(pen, frame, gap, is_main);
        }
        for epoch in &self.epochs {
            self.draw_epoch(pen, frame, epoch);
        }
    }

    /// Instants that a line must not cross.
    fn breaks(&self) -> Vec<(i64, i64)> {
        let epochs = self.epochs.iter().map(|epoch| (epoch.at_us, epoch.at_us));
        self.gaps.iter().copied().chain(epochs).collect()
    }

    fn draw_releases(&self, pen: &mut Pen, time: &TimeAxis, top: f64) {
        let mut free_from = f64::MIN;
        for (index, (at_us, name)) in self.releases.iter().enumerate() {
            if !time.holds(*at_us) {
                continue;
            }
            let (x, is_named) = (time.x(*at_us), index % 5 == 0);
            pen.line(
                (x, top + 6.0),
                (x, top + if is_named { 13.0 } else { 10.0 }),
                Ink::Edge,
                1.0,
            );
            let half = pen::text_width(name, false) / 2.0;
            if is_named && x - half > free_from && x - half > 0.0 && x + half < time.right() + 40.0
            {
                pen.text((x, top + 22.0), Side::Middle, Ink::Text3, false, name);
                free_from = x + half + 10.0;
            }
        }
    }

    fn description(&self) -> String {
        let mut said = self.title.clone();
        let known = |point: &&TrendPoint| point.value.is_some();
        let first = self.main.points.iter().find(known);
        let last = self.main.points.iter().rev().find(known);
        if let (Some(first), Some(last)) = (first, last) {
            for (word, point) in [("first", first), ("last", last)] {
                let value = point
                    .value
                    .map_or_else(String::new, |value| value.with_range());
                let day = Moment::new(point.at_us, self.until_us).day();
                said.push_str(&format!("; {word} {} {value} on {day}", self.main.name));
            }
        }
        for step in &self.steps {
            said.push_str(&format!("; {} {}", step.release, step.change.signed()));
        }
        if let Some(bleed) = &self.bleed {
            said.push_str(&format!(
                "; bleed since {}, {}",
                bleed.onset_release,
                bleed.total.change()
            ));
        }
        for epoch in &self.epochs {
            let day = Moment::new(epoch.at_us, self.until_us).day();
            said.push_str(&format!("; new epoch on {day}: {}", epoch.reason));
        }
        said
    }
}

fn draw_months(pen: &mut Pen, time: &TimeAxis, y: f64) {
    let mut free_from = f64::MIN;
    for (at_us, name) in time.ticks() {
        let x = time.x(at_us);
        let width = pen::text_width(&name, false);
        if x >= free_from && x + width < time.right() + 60.0 {
            pen.text((x, y), Side::Right, Ink::Text2, false, &name);
            free_from = x + width + 8.0;
        }
    }
}

#[cfg(test)]
mod tests;
