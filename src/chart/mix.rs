//! Who came then and who comes now: two bars of shares that add up to a whole.

use super::ink::Ink;
use super::pen::{self, Side, text_width};
use super::{Room, Spoken, Svg, spoken};

/// Shades of one hue, from the largest segment down; the rest shares the last.
const SHADES: [f64; 5] = [0.34, 0.22, 0.13, 0.07, 0.07];
const ROW_PX: f64 = 44.0;
const BAR_PX: f64 = 30.0;

/// Shares of one time, in the same order as in the other.
#[derive(Debug, Clone, PartialEq)]
pub struct MixBar {
    /// "v2.22" or "now".
    pub name: String,
    /// Names and shares; shares are cut to a whole.
    pub segments: Vec<(String, f64)>,
}

/// The reference mix and today's.
#[derive(Debug, Clone, PartialEq)]
pub struct MixStrip {
    /// An id that is unique on the page.
    pub id: String,
    /// The heading above the strip.
    pub title: String,
    /// The reference mix.
    pub reference: MixBar,
    /// The mix now.
    pub now: MixBar,
}

impl MixStrip {
    /// Both drawings; the style sheet shows the one that fits.
    pub fn draw(&self) -> Svg {
        self.draw_in(Room::Wide).and(self.draw_in(Room::Narrow))
    }

    fn draw_in(&self, room: Room) -> Svg {
        let (width, left) = if room == Room::Wide {
            (660.0, 74.0)
        } else {
            (324.0, 44.0)
        };
        let height = 2.0 * ROW_PX;
        let inner = pen::drawn(width, height, |pen| {
            for (row, bar) in [&self.reference, &self.now].into_iter().enumerate() {
                let top = row as f64 * ROW_PX + (ROW_PX - BAR_PX) / 2.0;
                let middle = top + BAR_PX / 2.0;
                pen.text(
                    (left - 10.0, middle),
                    Side::Left,
                    Ink::Text2,
                    false,
                    &bar.name,
                );
                let mut x = left;
                for ((name, share), shade) in bar.segments.iter().zip(SHADES) {
                    let length =
                        (width - left) * share.clamp(0.0, 1.0).min((width - x) / (width - left));
                    pen.rect((x, top), length, BAR_PX, Ink::P75, shade);
                    pen.line((x, top), (x, top + BAR_PX), Ink::P75, 1.0);
                    let percent = format!("{:.0}\u{a0}%", share * 100.0);
                    let text = [format!("{name} {percent}"), percent];
                    if let Some(text) = text
                        .iter()
                        .find(|text| text_width(text, false) + 12.0 < length)
                    {
                        pen.text((x + 7.0, middle), Side::Right, Ink::Text, false, text);
                    }
                    x += length;
                }
            }
        });
        let said = Spoken {
            id: self.id.clone(),
            title: self.title.clone(),
            description: self.description(),
        };
        spoken(room, "mix", &said, (width, height), &inner)
    }

    fn description(&self) -> String {
        let bar = |bar: &MixBar| {
            let shares: Vec<String> = bar
                .segments
                .iter()
                .map(|(name, share)| format!("{name} {:.0} %", share * 100.0))
                .collect();
            format!("{}: {}", bar.name, shares.join(", "))
        };
        format!(
            "{}. {}; {}",
            self.title,
            bar(&self.reference),
            bar(&self.now)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_that_exceed_a_whole_stay_on_the_strip() {
        let bar = |name: &str| MixBar {
            name: name.into(),
            segments: vec![("phone".into(), 0.9), ("desktop".into(), 0.8)],
        };
        let strip = MixStrip {
            id: "mix".into(),
            title: "t".into(),
            reference: bar("v1"),
            now: bar("now"),
        };
        let svg = strip.draw_in(Room::Wide);
        let rect = |attribute: &str| -> Vec<f64> {
            let cut = format!(" {attribute}=\"");
            let rects = svg.as_str().split("<rect").skip(1);
            rects
                .filter_map(|rest| rest.split(&cut).nth(1)?.split('"').next()?.parse().ok())
                .collect()
        };
        for (x, width) in rect("x").into_iter().zip(rect("width")) {
            assert!(x + width <= 660.0 * 4.0 + 1.0);
        }
    }

    #[test]
    fn a_segment_says_its_name_only_where_it_fits() {
        let bar = MixBar {
            name: "now".into(),
            segments: vec![("phone".into(), 0.94), ("desktop".into(), 0.06)],
        };
        let strip = MixStrip {
            id: "mix".into(),
            title: "t".into(),
            reference: bar.clone(),
            now: bar,
        };
        let svg = strip.draw_in(Room::Wide);
        let inner = svg.as_str().split("</desc>").nth(1).unwrap_or_default();
        assert!(inner.contains("phone 94") && !inner.contains("desktop"));
    }
}
