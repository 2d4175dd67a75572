//! The ledger as a horizontal waterfall: which releases spent the change, largest share first, adding up to the total.

use crate::wording::number::{NO_BREAK_SPACE, decade, signed};
use crate::wording::quantity::Quantity;

use super::axis::ValueAxis;
use super::ink::Ink;
use super::pen::{self, Pen, Side, text_width};
use super::{Room, Spoken, Svg, spoken};

/// Releases that are named; the rest is summed up.
pub const NAMED: usize = 6;
const ROW_PX: f64 = 32.0;
const BAR_PX: f64 = 17.0;

/// One release's share of the change.
#[derive(Debug, Clone, PartialEq)]
pub struct Share {
    /// The release.
    pub release: String,
    /// What it was, in a word or two; may be empty.
    pub note: String,
    /// Its share in base units, with its range.
    pub change: Quantity,
}

/// The shares since a reference.
#[derive(Debug, Clone, PartialEq)]
pub struct Waterfall {
    /// An id that is unique on the page.
    pub id: String,
    /// The sentence above the chart.
    pub title: String,
    /// Shares that are provable alone, largest first; at most [`NAMED`] are shown.
    pub shares: Vec<Share>,
    /// How many other releases there were, and what they did together.
    pub others: Option<(u64, Quantity)>,
    /// The total change.
    pub total: Quantity,
    /// True where higher is better; nothing when the direction is unknown.
    pub higher_is_better: Option<bool>,
}

struct Row<'a> {
    name: String,
    note: &'a str,
    label: String,
    /// The total's range, said where there is room for it.
    range: String,
    start: f64,
    change: Quantity,
    ink: Ink,
    is_named: bool,
}

impl Waterfall {
    /// Both drawings; the style sheet shows the one that fits.
    pub fn draw(&self) -> Svg {
        self.draw_in(Room::Wide).and(self.draw_in(Room::Narrow))
    }

    fn draw_in(&self, room: Room) -> Svg {
        let rows = self.rows();
        let (width, left, gutter) = if room == Room::Wide {
            (660.0, 112.0, 118.0)
        } else {
            (324.0, 62.0, 62.0)
        };
        let ends = rows.iter().flat_map(|row| {
            let Quantity { lower, upper, .. } = row.change;
            [row.start, row.start + lower, row.start + upper]
        });
        let (least, most) = ends.fold((0.0f64, 0.0f64), |(least, most), end| {
            (least.min(end), most.max(end))
        });
        let axis = ValueAxis::from_zero(least, most, self.total.unit, width - left - gutter);
        let x = |value: f64| left + (width - left - gutter) * axis.share(value);
        let bottom = 6.0 + rows.len() as f64 * ROW_PX;
        let height = bottom + 24.0;
        let inner = pen::drawn(width, height, |pen| {
            let mut free_from = f64::MIN;
            for &tick in axis.ticks() {
                pen.line((x(tick), 4.0), (x(tick), bottom), Ink::Rule, 1.0);
                let label = if tick == 0.0 {
                    "0".to_owned()
                } else {
                    signed_label(&axis.label(tick))
                };
                let half = text_width(&label, false) / 2.0;
                if x(tick) - half > free_from {
                    pen.text(
                        (x(tick), bottom + 14.0),
                        Side::Middle,
                        Ink::Text3,
                        false,
                        &label,
                    );
                    free_from = x(tick) + half + 8.0;
                }
            }
            for (index, row) in rows.iter().enumerate() {
                let middle = 6.0 + (index as f64 + 0.5) * ROW_PX;
                if index + 2 < rows.len() {
                    let end = x(row.start + row.change.value);
                    pen.line((end, middle), (end, middle + ROW_PX), Ink::Edge, 1.0);
                }
                draw_row(pen, row, room, &x, middle, left, width);
            }
        });
        let said = Spoken {
            id: self.id.clone(),
            title: self.title.clone(),
            description: self.description(&rows),
        };
        spoken(room, "waterfall", &said, (width, height), &inner)
    }

    fn rows(&self) -> Vec<Row<'_>> {
        let named = &self.shares[..self.shares.len().min(NAMED)];
        let values: Vec<f64> = named
            .iter()
            .map(|share| share.change.value)
            .chain(self.others.iter().map(|(_, sum)| sum.value))
            .collect();
        let (labels, total) = labels_that_add_up(&values, &self.total);
        let mut rows = Vec::new();
        let mut start = 0.0;
        for (share, label) in named.iter().zip(&labels) {
            let ink = self.ink(share.change.value);
            rows.push(Row {
                name: share.release.clone(),
                note: &share.note,
                label: label.clone(),
                range: String::new(),
                start,
                change: share.change,
                ink,
                is_named: true,
            });
            start += share.change.value;
        }
        if let (Some((count, sum)), Some(label)) = (&self.others, labels.last()) {
            let plural = if *count == 1 { "other" } else { "others" };
            rows.push(Row {
                name: format!("{count} {plural}"),
                note: "none provable alone",
                label: label.clone(),
                range: String::new(),
                start,
                change: *sum,
                ink: Ink::Reference,
                is_named: false,
            });
        }
        let range = match self.total.range() {
            range if range.is_empty() => range,
            range => format!(" {range}"),
        };
        let (name, ink) = ("Total".to_owned(), Ink::Text2);
        rows.push(Row {
            name,
            note: "",
            label: total,
            range,
            start: 0.0,
            change: self.total,
            ink,
            is_named: true,
        });
        rows
    }

    fn ink(&self, change: f64) -> Ink {
        match self.higher_is_better {
            None => Ink::Reference,
            Some(higher) if (change > 0.0) == higher => Ink::Within,
            Some(_) => Ink::Breach,
        }
    }

    fn description(&self, rows: &[Row]) -> String {
        let shares: Vec<String> = rows
            .iter()
            .map(|row| format!("{} {}{}", row.name, row.label, row.range))
            .collect();
        format!("{}: {}", self.title, shares.join("; "))
    }
}

fn draw_row(
    pen: &mut Pen,
    row: &Row,
    room: Room,
    x: &dyn Fn(f64) -> f64,
    middle: f64,
    left: f64,
    width: f64,
) {
    let (start, end) = (x(row.start), x(row.start + row.change.value));
    let (low, high) = (
        x(row.start + row.change.lower),
        x(row.start + row.change.upper),
    );
    pen.text(
        (left - 9.0, middle),
        Side::Left,
        Ink::Text,
        row.is_named,
        &row.name,
    );
    let (from, to) = (start.min(end), start.max(end));
    pen.rect(
        (from, middle - BAR_PX / 2.0),
        (to - from).max(1.0),
        BAR_PX,
        row.ink,
        0.9,
    );
    if high - low > 1.0 {
        pen.line((low, middle), (high, middle), Ink::Text, 1.0);
        for whisker in [low, high] {
            pen.line(
                (whisker, middle - 3.5),
                (whisker, middle + 3.5),
                Ink::Text,
                1.0,
            );
        }
    }
    let is_total = row.ink == Ink::Text2;
    let beside = to.max(high) + 8.0;
    let with_range = format!("{}{}", row.label, row.range);
    let fits_inside = |label: &str| {
        let label_px = text_width(label, true);
        is_total && to - from > label_px + 14.0 && low - from > label_px + 10.0
    };
    let fits = |label: &str| fits_inside(label) || beside + text_width(label, true) < width;
    let label = if fits(&with_range) {
        &with_range
    } else {
        &row.label
    };
    let label_px = text_width(label, true);
    if fits_inside(label) {
        pen.text((from + 6.0, middle), Side::Right, Ink::Surface, true, label);
        return;
    }
    let ink = if row.is_named && !is_total {
        row.ink
    } else {
        Ink::Text
    };
    if beside + label_px < width {
        pen.text((beside, middle), Side::Right, ink, true, label);
        let note_at = beside + label_px + 8.0;
        if room == Room::Wide && note_at + text_width(row.note, false) < width {
            pen.text((note_at, middle), Side::Right, Ink::Text3, false, row.note);
        } else if room == Room::Wide && from.min(low) - text_width(row.note, false) - 8.0 > left {
            pen.text(
                (from.min(low) - 8.0, middle),
                Side::Left,
                Ink::Text3,
                false,
                row.note,
            );
        }
    } else if from.min(low) - 8.0 - label_px > left {
        pen.text((from.min(low) - 8.0, middle), Side::Left, ink, true, label);
    }
    // Where there is room on neither side, the table beneath tells it.
}

fn signed_label(number: &str) -> String {
    if number.starts_with('−') {
        number.to_owned()
    } else {
        format!("+{number}")
    }
}

/// The shares as labels in the total's unit, and the total's own, rounded so that they add up to it: the steps that rounding
/// leaves over go to the shares that lost most by it.
fn labels_that_add_up(values: &[f64], total: &Quantity) -> (Vec<String>, String) {
    let scale = total.scale();
    let scaled: Vec<f64> = values
        .iter()
        .map(|value| value / scale.base_units)
        .collect();
    let sum: f64 = scaled.iter().sum();
    let largest = scaled
        .iter()
        .fold(sum.abs(), |largest, value| largest.max(value.abs()));
    if largest == 0.0 || !largest.is_finite() {
        return (
            values.iter().map(|_| signed(0.0, 0)).collect(),
            signed(0.0, 0),
        );
    }
    let exponent = (decade(largest) - 2).min(0);
    let step = 10f64.powi(exponent);
    let mut steps: Vec<f64> = scaled.iter().map(|value| (value / step).floor()).collect();
    let mut order: Vec<usize> = (0..scaled.len()).collect();
    let lost = |index: usize| scaled[index] / step - (scaled[index] / step).floor();
    order.sort_by(|a, b| lost(*b).total_cmp(&lost(*a)));
    let left_over = ((sum / step).round() - steps.iter().sum::<f64>()).max(0.0) as usize;
    for index in order.into_iter().take(left_over) {
        steps[index] += 1.0;
    }
    let told = |steps: f64| label(&signed(steps * step, exponent), scale.symbol);
    let labels = steps.iter().map(|steps| told(*steps)).collect();
    (labels, told(steps.iter().sum()))
}

fn label(number: &str, symbol: &str) -> String {
    if symbol.is_empty() {
        number.to_owned()
    } else {
        format!("{number}{NO_BREAK_SPACE}{symbol}")
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;
    use crate::wording::unit::Unit;
    use proptest::prelude::*;

    fn ms(value: f64, h: f64) -> Quantity {
        Quantity::new(
            value * 1e6,
            (value - h) * 1e6,
            (value + h) * 1e6,
            Unit::Nanoseconds,
        )
    }

    proptest! {
        #[test]
        fn labels_add_up_to_the_rounded_total(values in prop::collection::vec(-40.0..60.0f64, 1..9)) {
            let total: f64 = values.iter().sum();
            prop_assume!(total.abs() >= 1.0 && total.abs() < 999.0);
            let scaled: Vec<f64> = values.iter().map(|value| value * 1e6).collect();
            let (labels, all) = labels_that_add_up(&scaled, &Quantity::exact(total * 1e6, Unit::Nanoseconds));
            let number = |label: &String| -> f64 {
                label.split(NO_BREAK_SPACE).next().unwrap().replace('−', "-").replace('+', "").parse().unwrap()
            };
            let sum: f64 = labels.iter().map(number).sum();
            prop_assert!((sum - number(&all)).abs() < 1e-9, "{labels:?} are not {all}");
            let largest = values.iter().fold(total.abs(), |a, b| a.max(b.abs()));
            let step = 10f64.powi((decade(largest) - 2).min(0));
            prop_assert!((sum - total).abs() <= step / 2.0 + 1e-9, "{sum} {total} {labels:?}");
        }
    }

    #[test]
    fn worse_is_told_from_better_and_the_rest_is_summed_up() {
        let share = |release: &str, value: f64| Share {
            release: release.into(),
            note: String::new(),
            change: ms(value, 9.0),
        };
        let waterfall = Waterfall {
            id: "ledger".into(),
            title: "Which releases spent it".into(),
            shares: (0..8)
                .map(|k| share(&format!("v{k}"), if k == 5 { -24.0 } else { 38.0 }))
                .collect(),
            others: Some((10, ms(89.0, 37.0))),
            total: ms(230.0, 36.0),
            higher_is_better: Some(false),
        };
        let svg = waterfall.draw_in(Room::Wide);
        assert!(
            svg.as_str().contains("fill=\"#A1201A\"") && svg.as_str().contains("fill=\"#0B6E63\"")
        );
        assert!(svg.as_str().contains("10 others") && !svg.as_str().contains(">v6"));
    }
}
