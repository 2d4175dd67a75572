//! A flow day by day: rows are months, columns are days; shape says the state, colour repeats it.

use super::ink::Ink;
use super::pen::{self, Pen, Side};
use super::{Room, Spoken, Svg, spoken};

/// How a day stood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Day {
    /// Within the budget: a plain tint.
    Within,
    /// At risk: the lower half is filled.
    AtRisk,
    /// Breached: filled, with a cross.
    Breached,
    /// Not enough data: an outline.
    NotEnough,
    /// No data: hatched.
    Missing,
    /// Not there yet: blank.
    Future,
}

/// One month's days, at most 31.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Month {
    /// "Mar".
    pub name: String,
    /// From the first of the month on.
    pub days: Vec<Day>,
}

/// Months of one flow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Calendar {
    /// An id that is unique on the page.
    pub id: String,
    /// The heading above the chart.
    pub title: String,
    /// Oldest first.
    pub months: Vec<Month>,
}

impl Calendar {
    /// Both drawings; the style sheet shows the one that fits.
    pub fn draw(&self) -> Svg {
        self.draw_in(Room::Wide).and(self.draw_in(Room::Narrow))
    }

    fn draw_in(&self, room: Room) -> Svg {
        let (width, left, row) = if room == Room::Wide {
            (660.0, 36.0, 23.5)
        } else {
            (324.0, 34.0, 18.0)
        };
        let column = (width - left) / 31.0;
        let height = 20.0 + self.months.len() as f64 * row;
        let inner = pen::drawn(width, height, |pen| {
            for day in [1, 5, 10, 15, 20, 25, 30] {
                let x = left + (f64::from(day) - 0.5) * column;
                pen.text((x, 8.0), Side::Middle, Ink::Text2, false, &day.to_string());
            }
            for (index, month) in self.months.iter().enumerate() {
                let top = 20.0 + index as f64 * row;
                pen.text(
                    (left - 6.0, top + row / 2.0 - 1.0),
                    Side::Left,
                    Ink::Text2,
                    false,
                    &month.name,
                );
                for (day, state) in month.days.iter().take(31).enumerate() {
                    let corner = (left + day as f64 * column + 0.5, top + 0.5);
                    draw_day(
                        pen,
                        corner,
                        column - if room == Room::Wide { 2.0 } else { 1.25 },
                        row - 3.0,
                        *state,
                    );
                }
            }
        });
        let said = Spoken {
            id: self.id.clone(),
            title: self.title.clone(),
            description: self.description(),
        };
        spoken(room, "calendar", &said, (width, height), &inner)
    }

    fn description(&self) -> String {
        let counted: Vec<String> = self
            .months
            .iter()
            .map(|month| {
                let count = |state: Day| month.days.iter().filter(|day| **day == state).count();
                let (breached, risk, missing) = (
                    count(Day::Breached),
                    count(Day::AtRisk),
                    count(Day::Missing),
                );
                format!(
                    "{}: {breached} days breached, {risk} at risk, {missing} without data",
                    month.name
                )
            })
            .collect();
        format!("{}. {}", self.title, counted.join("; "))
    }
}

fn draw_day(pen: &mut Pen, (x, y): (f64, f64), width: f64, height: f64, day: Day) {
    match day {
        Day::Within => pen.rect((x, y), width, height, Ink::Within, 0.3),
        Day::AtRisk => {
            pen.rect((x, y), width, height, Ink::Risk, 0.16);
            pen.area(
                &[(x, y + height), (x + width, y), (x + width, y + height)],
                Ink::Risk,
                1.0,
            );
        }
        Day::Breached => {
            pen.rect((x, y), width, height, Ink::Breach, 1.0);
            let (middle, centre) = (x + width / 2.0, y + height / 2.0);
            let arm = (width.min(height) * 0.24).max(2.0);
            pen.line(
                (middle - arm, centre - arm),
                (middle + arm, centre + arm),
                Ink::Surface,
                1.25,
            );
            pen.line(
                (middle - arm, centre + arm),
                (middle + arm, centre - arm),
                Ink::Surface,
                1.25,
            );
        }
        Day::NotEnough => pen.frame(
            (x + 0.5, y + 0.5),
            width - 1.0,
            height - 1.0,
            Ink::NoData,
            1.0,
        ),
        Day::Missing => pen.hatch((x, y), width, height),
        Day::Future => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_has_a_shape_of_its_own() {
        let one = |day: Day| {
            let month = Month {
                name: "Mar".into(),
                days: vec![day],
            };
            let calendar = Calendar {
                id: "days".into(),
                title: "Checkout day by day".into(),
                months: vec![month],
            };
            let svg = calendar.draw_in(Room::Wide);
            let bare = svg
                .as_str()
                .split("</text>")
                .last()
                .unwrap_or_default()
                .to_owned();
            bare.split_whitespace()
                .filter(|word| word.starts_with('<'))
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        let days = [
            Day::Within,
            Day::AtRisk,
            Day::Breached,
            Day::NotEnough,
            Day::Missing,
            Day::Future,
        ];
        let shapes: std::collections::HashSet<Vec<String>> = days.into_iter().map(one).collect();
        assert_eq!(shapes.len(), days.len());
    }

    #[test]
    fn a_month_has_at_most_31_days() {
        let month = Month {
            name: "Mar".into(),
            days: vec![Day::Within; 400],
        };
        let calendar = Calendar {
            id: "d".into(),
            title: "t".into(),
            months: vec![month],
        };
        assert_eq!(
            calendar
                .draw_in(Room::Narrow)
                .as_str()
                .matches("<rect")
                .count(),
            31
        );
    }
}
