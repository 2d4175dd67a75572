//! Two distributions by percentile: their values above, their difference in percent below.

use crate::wording::names::percentile_name;
use crate::wording::quantity::Quantity;
use crate::wording::unit::Unit;

use super::axis::ValueAxis;
use super::ink::Ink;
use super::labels::{Wish, moved_apart};
use super::pen::{self, Pen, Place, Side, text_width};
use super::{Room, Spoken, Svg, spoken};

/// Where a quantile stands on the percentile axis: each further nine is as far as the one before.
fn depth(quantile: f64) -> f64 {
    -(1.0 - quantile).max(1e-6).log10()
}

/// One percentile of both sides.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rung {
    /// 0.75 for P75.
    pub quantile: f64,
    /// The older side.
    pub base: Quantity,
    /// The newer side.
    pub head: Quantity,
    /// The difference in percent with its range; nothing when they were measured differently.
    pub change: Option<Quantity>,
    /// Whether a difference beyond the margin is for the worse; nothing when it is not beyond, or nobody can say.
    pub is_worse: Option<bool>,
}

/// Two sides, percentile by percentile.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// An id that is unique on the page.
    pub id: String,
    /// The heading above the chart.
    pub title: String,
    /// Unit of the values.
    pub unit: Unit,
    /// Name of the older side, and what it rests on ("388 k page views").
    pub base: (String, String),
    /// Name of the newer side, and what it rests on.
    pub head: (String, String),
    /// Percentiles that both sides carry, ascending.
    pub rungs: Vec<Rung>,
    /// The change that does not matter, in percent.
    pub margin: f64,
}

/// Room that the next percentile's dot keeps free from the label before it.
const STRIP_DOT_PX: f64 = 6.0;

/// The word of the unit that the chart's axis counts in ("seconds"); empty where there is none.
pub fn unit_word(rungs: &[Rung], unit: Unit) -> &'static str {
    value_axis(rungs, unit, 1.0).scale.word
}

fn value_axis(rungs: &[Rung], unit: Unit, height: f64) -> ValueAxis {
    let values = rungs
        .iter()
        .flat_map(|rung| [rung.base, rung.head])
        .flat_map(|side| [side.lower, side.upper]);
    ValueAxis::around(values, unit, height)
}

struct Plan {
    width: f64,
    left: f64,
    right: f64,
    from: f64,
    until: f64,
}

impl Plan {
    fn x(&self, quantile: f64) -> f64 {
        let share = (depth(quantile) - self.from) / (self.until - self.from).max(f64::MIN_POSITIVE);
        self.left + (self.right - self.left) * share
    }
}

impl Comparison {
    /// Both drawings; the style sheet shows the one that fits. Empty without a percentile.
    pub fn draw(&self) -> Svg {
        if self.rungs.is_empty() {
            Svg::default()
        } else {
            self.draw_in(Room::Wide).and(self.draw_in(Room::Narrow))
        }
    }

    fn draw_in(&self, room: Room) -> Svg {
        let (width, left, gutter) = if room == Room::Wide {
            (1078.0, 50.0, 176.0)
        } else {
            (324.0, 46.0, 14.0)
        };
        let ends = [self.rungs.first(), self.rungs.last()]
            .map(|rung| rung.map_or(0.0, |rung| depth(rung.quantile)));
        let plan = Plan {
            width,
            left,
            right: width - gutter,
            from: ends[0],
            until: ends[1],
        };
        let (top, tall) = if room == Room::Wide {
            (12.0, 270.0)
        } else {
            (34.0, 200.0)
        };
        let has_strip = self.rungs.iter().any(|rung| rung.change.is_some());
        let strip_top = top + tall + 34.0;
        let strip_tall = if room == Room::Wide { 112.0 } else { 96.0 };
        let height = if has_strip {
            strip_top + strip_tall + 10.0
        } else {
            top + tall + 28.0
        };
        let inner = pen::drawn(width, height, |pen| {
            self.draw_values(pen, &plan, room, top, tall);
            if has_strip {
                self.draw_strip(pen, &plan, room, strip_top, strip_tall);
            }
        });
        let said = Spoken {
            id: self.id.clone(),
            title: self.title.clone(),
            description: self.description(),
        };
        spoken(room, "compare", &said, (width, height), &inner)
    }

    fn draw_values(&self, pen: &mut Pen, plan: &Plan, room: Room, top: f64, tall: f64) {
        let axis = value_axis(&self.rungs, self.unit, tall);
        let y = |value: f64| top + tall * (1.0 - axis.share(value));
        for (index, &tick) in axis.ticks().iter().enumerate() {
            pen.line((plan.left, y(tick)), (plan.right, y(tick)), Ink::Rule, 1.0);
            let is_top = index + 1 == axis.ticks().len();
            let unit = if is_top {
                format!("\u{a0}{}", axis.scale.symbol)
            } else {
                String::new()
            };
            pen.text(
                (plan.left - 7.0, y(tick)),
                Side::Left,
                Ink::Text3,
                false,
                format!("{}{unit}", axis.label(tick)).trim(),
            );
        }
        let mut free_from = f64::MIN;
        for rung in &self.rungs {
            let x = plan.x(rung.quantile);
            pen.line((x, top), (x, top + tall + 4.0), Ink::Rule, 1.0);
            let name = percentile_name(rung.quantile);
            let half = text_width(&name, false) / 2.0;
            if x - half > free_from {
                pen.text(
                    (x, top + tall + 15.0),
                    Side::Middle,
                    Ink::Text2,
                    false,
                    &name,
                );
                free_from = x + half + 6.0;
            }
        }
        type Pick = fn(&Rung) -> Quantity;
        let sides: [(Pick, Ink, f64); 2] = [
            (|rung| rung.base, Ink::Reference, 1.75),
            (|rung| rung.head, Ink::P75, 2.25),
        ];
        for (pick, ink, line_px) in sides {
            let edge = |of: fn(Quantity) -> f64| -> Vec<Place> {
                self.rungs
                    .iter()
                    .map(|rung| (plan.x(rung.quantile), y(of(pick(rung)))))
                    .collect()
            };
            pen.band(&edge(|side| side.upper), &edge(|side| side.lower), ink, 0.2);
            let line = edge(|side| side.value);
            pen.path(&line, ink, line_px);
            for &at in &line {
                pen.dot(at, 2.6, ink);
            }
        }
        self.draw_side_names(pen, plan, room, &y, top, tall);
    }

    fn draw_side_names(
        &self,
        pen: &mut Pen,
        plan: &Plan,
        room: Room,
        y: &dyn Fn(f64) -> f64,
        top: f64,
        tall: f64,
    ) {
        let sides = [(&self.head, Ink::P75), (&self.base, Ink::Reference)];
        if room == Room::Narrow {
            for (row, ((name, rests_on), ink)) in sides.into_iter().enumerate() {
                let at = (plan.left, 8.0 + row as f64 * 15.0);
                pen.text(at, Side::Right, ink, true, name);
                pen.text(
                    (at.0 + text_width(name, true) + 8.0, at.1),
                    Side::Right,
                    Ink::Text3,
                    false,
                    rests_on,
                );
            }
            return;
        }
        let Some(last) = self.rungs.last() else {
            return;
        };
        let wish = |value: f64| Wish {
            middle: y(value),
            length: 34.0,
        };
        let middles = moved_apart(
            &[wish(last.head.value), wish(last.base.value)],
            top,
            top + tall,
        );
        for (((name, rests_on), ink), middle) in sides.into_iter().zip(middles) {
            let x = plan.right + 10.0;
            let ink = if ink == Ink::Reference {
                Ink::Text
            } else {
                ink
            };
            pen.text((x, middle - 7.0), Side::Right, ink, true, name);
            pen.text((x, middle + 8.0), Side::Right, Ink::Text3, false, rests_on);
        }
    }

    fn draw_strip(&self, pen: &mut Pen, plan: &Plan, room: Room, top: f64, tall: f64) {
        let (low, high) = self.strip_ends();
        let y = |percent: f64| top + tall * (1.0 - (percent - low) / (high - low)).clamp(0.0, 1.0);
        let (over, under) = (y(self.margin), y(-self.margin));
        pen.rect(
            (plan.left, over),
            plan.right - plan.left,
            under - over,
            Ink::Sunken,
            1.0,
        );
        let axis = ValueAxis::around([low, high].into_iter(), Unit::Percent, 2.0 * tall);
        for &tick in axis
            .ticks()
            .iter()
            .filter(|tick| (low..=high).contains(*tick))
        {
            let ink = if tick == 0.0 { Ink::Edge } else { Ink::Rule };
            pen.line((plan.left, y(tick)), (plan.right, y(tick)), ink, 1.0);
            let label = axis.label(tick);
            let label = if tick > 0.0 {
                format!("+{label}")
            } else {
                label
            };
            pen.text(
                (plan.left - 7.0, y(tick)),
                Side::Left,
                Ink::Text3,
                false,
                &format!("{label}\u{a0}%"),
            );
        }
        if room == Room::Wide {
            let words = [
                format!(
                    "inside ±{}:",
                    Quantity::exact(self.margin, Unit::Percent).value()
                ),
                "does not matter".into(),
            ];
            for (row, word) in words.iter().enumerate() {
                let at = (
                    plan.right + 10.0,
                    (over + under) / 2.0 - 7.0 + row as f64 * 14.0,
                );
                pen.text(at, Side::Right, Ink::Text3, false, word);
            }
        }
        let places: Vec<f64> = self
            .rungs
            .iter()
            .map(|rung| plan.x(rung.quantile))
            .collect();
        for (index, rung) in self.rungs.iter().enumerate() {
            let Some(change) = rung.change else { continue };
            let x = places[index];
            let until = places
                .get(index + 1)
                .map_or(plan.width, |next| next - STRIP_DOT_PX);
            pen.line((x, top), (x, top + tall), Ink::Rule, 1.0);
            let ink = match rung.is_worse {
                Some(true) => Ink::Breach,
                Some(false) => Ink::Within,
                None => Ink::Reference,
            };
            self.draw_difference(pen, x, &change, ink, (low, high), &y);
            let label = change.signed();
            if room == Room::Wide
                && rung.is_worse.is_some()
                && x + text_width(&label, true) + 8.0 < until
            {
                pen.text((x + 8.0, y(change.value)), Side::Right, ink, true, &label);
            }
        }
    }

    fn draw_difference(
        &self,
        pen: &mut Pen,
        x: f64,
        change: &Quantity,
        ink: Ink,
        ends: (f64, f64),
        y: &dyn Fn(f64) -> f64,
    ) {
        let (upper, lower) = (y(change.upper), y(change.lower));
        pen.line((x, upper), (x, lower), ink, 2.0);
        if change.upper > ends.1 {
            pen.area(
                &[
                    (x, upper - 2.0),
                    (x - 4.5, upper + 6.0),
                    (x + 4.5, upper + 6.0),
                ],
                ink,
                1.0,
            );
        }
        if change.lower < ends.0 {
            pen.area(
                &[
                    (x, lower + 2.0),
                    (x - 4.5, lower - 6.0),
                    (x + 4.5, lower - 6.0),
                ],
                ink,
                1.0,
            );
        }
        let is_beyond = change.lower > self.margin || change.upper < -self.margin;
        let at = (x, y(change.value));
        if is_beyond {
            pen.dot(at, 4.0, ink)
        } else {
            pen.ring(at, 3.75, ink, 1.75)
        }
    }

    /// The strip holds every difference itself; ranges much wider than those are cut.
    fn strip_ends(&self) -> (f64, f64) {
        let changes: Vec<Quantity> = self.rungs.iter().filter_map(|rung| rung.change).collect();
        let least = changes
            .iter()
            .fold(-2.0 * self.margin, |least, change| least.min(change.value));
        let most = changes
            .iter()
            .fold(2.0 * self.margin, |most, change| most.max(change.value));
        let air = (most - least) * 0.25;
        (least - air, most + air)
    }

    fn description(&self) -> String {
        let rungs: Vec<String> = self
            .rungs
            .iter()
            .map(|rung| {
                let walk = Quantity::from_to(&rung.base, &rung.head);
                let change = rung
                    .change
                    .map_or_else(String::new, |change| format!(", {}", change.change()));
                format!("{} {walk}{change}", percentile_name(rung.quantile))
            })
            .collect();
        format!(
            "{}, {} against {}: {}",
            self.title,
            self.head.0,
            self.base.0,
            rungs.join("; ")
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rung(quantile: f64, base: f64, head: f64) -> Rung {
        let side = |value: f64| Quantity::new(value, value * 0.98, value * 1.02, Unit::Count);
        let percent = (head / base - 1.0) * 100.0;
        let change = Some(Quantity::percent(percent, percent - 3.0, percent + 3.0));
        Rung {
            quantile,
            base: side(base),
            head: side(head),
            change,
            is_worse: (percent > 5.0).then_some(true),
        }
    }

    fn comparison(rungs: Vec<Rung>) -> Comparison {
        Comparison {
            id: "spectrum".into(),
            title: "Checkout LCP by percentile".into(),
            unit: Unit::Count,
            base: ("v2.22".into(), "388 k page views".into()),
            head: ("v2.38".into(), "412 k page views".into()),
            rungs,
            margin: 2.0,
        }
    }

    #[test]
    fn each_further_nine_is_as_far_as_the_one_before() {
        let steps = [0.9, 0.99, 0.999].map(depth);
        assert!(
            (steps[1] - steps[0] - 1.0).abs() < 1e-9 && (steps[2] - steps[1] - 1.0).abs() < 1e-9
        );
    }

    #[test]
    fn what_is_not_beyond_the_margin_is_hollow() {
        let one = |head: f64| {
            comparison(vec![rung(0.5, 100.0, head)])
                .draw_in(Room::Wide)
                .as_str()
                .matches("<circle")
                .count()
        };
        // A hollow point is two circles: its ground and its ring.
        assert_eq!(one(101.0), one(120.0) + 1);
    }

    #[test]
    fn measured_differently_means_no_strip() {
        let bare = Rung {
            change: None,
            is_worse: None,
            ..rung(0.5, 100.0, 120.0)
        };
        assert!(
            !comparison(vec![bare])
                .draw()
                .as_str()
                .contains("does not matter")
        );
        assert!(
            comparison(vec![rung(0.5, 100.0, 120.0)])
                .draw()
                .as_str()
                .contains("does not matter")
        );
        assert!(comparison(vec![]).draw().is_empty());
    }
}
