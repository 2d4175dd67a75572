//! How far a panel's value axis reaches: the ranges of all closed windows in sight, and what is near enough to be worth the room.

use crate::chart::axis::{TimeAxis, ValueAxis};

use super::{Trend, TrendPanel};

/// A limit further outside the values than this share of their span is an arrow at the edge.
const LIMIT_REACH: f64 = 0.5;
/// Room below the foot of a bleed for the words of its onset.
const ONSET_WORDS_PX: f64 = 46.0;

impl Trend {
    /// The axis of a panel of this height.
    pub(super) fn axis_of(&self, panel: &TrendPanel, time: &TimeAxis, height: f64) -> ValueAxis {
        let in_sight = panel
            .points
            .iter()
            .filter(|point| time.holds(point.at_us))
            .filter_map(|point| Some((point.value?, point.is_provisional)));
        // An open window has few samples yet: its range, cut at the edge, must not flatten all the others.
        let mut values: Vec<f64> = in_sight
            .flat_map(|(value, is_provisional)| {
                if is_provisional {
                    [value.value; 3]
                } else {
                    [value.lower, value.value, value.upper]
                }
            })
            .collect();
        if values.is_empty() {
            values.extend(panel.limits.iter().map(|step| step.limit));
        }
        let reach =
            ValueAxis::around(values.iter().copied(), self.unit, height).span() * LIMIT_REACH;
        let (least, most) = ends(&values);
        let is_near = |value: &f64| *value > least - reach && *value < most + reach;
        let limits = panel
            .limits
            .iter()
            .filter(|step| step.from_us <= self.until_us)
            .map(|step| step.limit);
        let ceiling = panel.ceiling.iter().map(|ceiling| ceiling.limit);
        values.extend(limits.chain(ceiling).filter(is_near));
        if panel == &self.main {
            let forecast = self
                .forecast
                .iter()
                .flat_map(|f| [f.value.value, f.value.lower, f.value.upper]);
            values.extend(forecast.filter(is_near));
            values.extend(self.foot_of_onset(&values, time, height));
        }
        ValueAxis::around(values.into_iter(), self.unit, height)
    }

    /// A value so far below the bleed's foot that the words of its onset have room.
    fn foot_of_onset(&self, values: &[f64], time: &TimeAxis, height: f64) -> Option<f64> {
        let bleed = self
            .bleed
            .as_ref()
            .filter(|bleed| time.holds(bleed.onset_us))?;
        let (_, most) = ends(values);
        let share = ONSET_WORDS_PX / height;
        let low = bleed.base - (most - bleed.base) * share / (1.0 - share);
        (low > 0.0 && low.is_finite()).then_some(low)
    }
}

fn ends(values: &[f64]) -> (f64, f64) {
    values
        .iter()
        .fold((f64::MAX, f64::MIN), |(least, most), value| {
            (least.min(*value), most.max(*value))
        })
}
