//! Drawing in CSS pixels through plotters' SVG backend, on a grid four times finer, since it knows whole numbers only.

use plotters::backend::{DrawingBackend, SVGBackend};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, FontDesc, FontFamily, FontStyle, RGBAColor, ShapeStyle, TextStyle};

use super::ink::Ink;

/// A place in CSS pixels from the upper left corner.
pub(super) type Place = (f64, f64);

/// Grid steps per CSS pixel.
pub(super) const GRID: f64 = 4.0;
/// plotters prints a font size divided by this.
const FONT_RATIO: f64 = 1.24;
/// Text of wide and of narrow charts in CSS pixels; the style sheet sets the same again.
pub(super) const TEXT_PX: f64 = 12.0;

/// On which side of a place its text stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// The text starts here.
    Right,
    /// The text is centred here.
    Middle,
    /// The text ends here.
    Left,
}

/// Draws into a string. Nothing here can fail: the backend writes into memory.
pub(super) struct Pen<'a> {
    backend: SVGBackend<'a>,
}

/// Draws and returns the elements, without an outer tag.
pub(super) fn drawn(width: f64, height: f64, draw: impl FnOnce(&mut Pen)) -> String {
    let mut buffer = String::new();
    let mut pen = Pen {
        backend: SVGBackend::with_string(&mut buffer, (grid_length(width), grid_length(height))),
    };
    draw(&mut pen);
    drop(pen);
    // The outer tag is ours: plotters knows neither title nor role.
    let inner = buffer.find('>').map_or("", |end| &buffer[end + 1..]);
    inner
        .trim()
        .trim_end_matches("</svg>")
        .trim_end()
        .replace(" opacity=\"1\"", "")
        .replace(" \"/>", "\"/>")
}

impl Pen<'_> {
    /// A straight line.
    pub(super) fn line(&mut self, from: Place, to: Place, ink: Ink, width: f64) {
        self.backend
            .draw_line(grid(from), grid(to), &stroke(ink, width))
            .ok();
    }

    /// A line through several places.
    pub(super) fn path(&mut self, places: &[Place], ink: Ink, width: f64) {
        if places.len() > 1 {
            self.backend
                .draw_path(places.iter().copied().map(grid), &stroke(ink, width))
                .ok();
        }
    }

    /// A dashed line through several places; `on` and `off` in CSS pixels. The dashes are segments of their own.
    pub(super) fn dashed(&mut self, places: &[Place], ink: Ink, width: f64, on: f64, off: f64) {
        let mut phase = 0.0;
        for ends in places.windows(2) {
            let [from, to] = [ends[0], ends[1]];
            let length = (to.0 - from.0).hypot(to.1 - from.1);
            let at = |distance: f64| {
                let share = distance / length;
                (
                    from.0 + (to.0 - from.0) * share,
                    from.1 + (to.1 - from.1) * share,
                )
            };
            let mut start = -phase;
            while start < length {
                let (begin, end) = (start.max(0.0), (start + on).min(length));
                if end > begin {
                    self.line(at(begin), at(end), ink, width);
                }
                start += on + off;
            }
            phase = on + off - (start - length);
        }
    }

    /// A filled shape; `alpha` from 0 to 1.
    pub(super) fn area(&mut self, places: &[Place], ink: Ink, alpha: f64) {
        if places.len() > 2 {
            self.backend
                .fill_polygon(places.iter().copied().map(grid), &tint(ink, alpha))
                .ok();
        }
    }

    /// The area between an upper and a lower line over the same horizontal places.
    pub(super) fn band(&mut self, upper: &[Place], lower: &[Place], ink: Ink, alpha: f64) {
        let outline: Vec<Place> = upper.iter().chain(lower.iter().rev()).copied().collect();
        self.area(&outline, ink, alpha);
    }

    /// A filled rectangle from its upper left corner.
    pub(super) fn rect(&mut self, (x, y): Place, width: f64, height: f64, ink: Ink, alpha: f64) {
        self.backend
            .draw_rect(
                grid((x, y)),
                grid((x + width, y + height)),
                &tint(ink, alpha),
                true,
            )
            .ok();
    }

    /// The outline of a rectangle.
    pub(super) fn frame(&mut self, (x, y): Place, width: f64, height: f64, ink: Ink, stroke: f64) {
        let corners = [
            (x, y),
            (x + width, y),
            (x + width, y + height),
            (x, y + height),
            (x, y),
        ];
        self.path(&corners, ink, stroke);
    }

    /// A filled point.
    pub(super) fn dot(&mut self, at: Place, radius: f64, ink: Ink) {
        self.backend
            .draw_circle(grid(at), grid_length(radius), &tint(ink, 1.0), true)
            .ok();
    }

    /// A hollow point, its inside in the ground's colour.
    pub(super) fn ring(&mut self, at: Place, radius: f64, ink: Ink, width: f64) {
        self.dot(at, radius, Ink::Surface);
        self.backend
            .draw_circle(grid(at), grid_length(radius), &stroke(ink, width), false)
            .ok();
    }

    /// Text, vertically centred on its place; control characters are dropped, since XML may not hold them.
    pub(super) fn text(&mut self, at: Place, side: Side, ink: Ink, is_bold: bool, text: &str) {
        let clean: String = text.chars().filter(|c| is_xml(*c)).collect();
        let weight = if is_bold {
            FontStyle::Bold
        } else {
            FontStyle::Normal
        };
        let font = FontDesc::new(FontFamily::SansSerif, TEXT_PX * GRID * FONT_RATIO, weight);
        let h_pos = match side {
            Side::Right => HPos::Left,
            Side::Middle => HPos::Center,
            Side::Left => HPos::Right,
        };
        let style = TextStyle {
            font,
            color: ink.rgb().to_backend_color(),
            pos: Pos::new(h_pos, VPos::Center),
        };
        self.backend.draw_text(&clean, &style, grid(at)).ok();
    }

    /// Diagonal hatching inside a rectangle.
    pub(super) fn hatch(&mut self, (x, y): Place, width: f64, height: f64) {
        let mut offset = HATCH_PX - height;
        while offset < width {
            // A line of 45 degrees that meets the bottom at `offset`, cut to the rectangle.
            let (from, to) = (offset.max(0.0), (offset + height).min(width));
            if to > from {
                let low = (x + from, y + height - (from - offset));
                let high = (x + to, y + height - (to - offset));
                self.line(low, high, Ink::Hatch, 1.0);
            }
            offset += HATCH_PX;
        }
    }
}

/// Distance between two lines of a hatching.
const HATCH_PX: f64 = 6.0;

/// True for characters that an XML 1.0 document may hold.
pub(super) fn is_xml(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..='\u{10ffff}')
}

/// About how wide a text will be, in CSS pixels: enough to keep labels apart.
pub(super) fn text_width(text: &str, is_bold: bool) -> f64 {
    let per_letter = if is_bold { 0.58 } else { 0.54 };
    text.chars().count() as f64 * TEXT_PX * per_letter
}

fn grid((x, y): Place) -> (i32, i32) {
    ((x * GRID).round() as i32, (y * GRID).round() as i32)
}

fn grid_length(length: f64) -> u32 {
    (length * GRID).round().max(0.0) as u32
}

fn tint(ink: Ink, alpha: f64) -> RGBAColor {
    ink.rgb().mix(alpha)
}

fn stroke(ink: Ink, width: f64) -> ShapeStyle {
    ShapeStyle {
        color: ink.rgb().to_rgba(),
        filled: false,
        stroke_width: grid_length(width),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_outer_tag_is_left_to_us() {
        let inner = drawn(10.0, 10.0, |pen| {
            pen.line((0.0, 0.0), (10.0, 10.0), Ink::P75, 1.5)
        });
        assert_eq!(
            inner,
            "<line stroke=\"#1763B0\" stroke-width=\"6\" x1=\"0\" y1=\"0\" x2=\"40\" y2=\"40\"/>"
        );
    }

    #[test]
    fn dashes_go_on_around_corners() {
        let inner = drawn(30.0, 30.0, |pen| {
            pen.dashed(
                &[(0.0, 0.0), (10.0, 0.0), (10.0, 10.0)],
                Ink::Budget,
                1.0,
                7.0,
                4.0,
            )
        });
        let dashes: Vec<&str> = inner.lines().collect();
        assert_eq!(dashes.len(), 3 - 1, "{inner}");
        assert!(
            dashes[1].contains("y1=\"4\""),
            "the second dash starts one pixel after the corner: {inner}"
        );
    }

    #[test]
    fn hatching_stays_inside() {
        let inner = drawn(100.0, 100.0, |pen| pen.hatch((10.0, 10.0), 30.0, 20.0));
        assert!(inner.lines().count() > 5);
        let numbers = |name: &str| -> Vec<i32> {
            let cut = format!(" {name}=\"");
            inner
                .split(&cut)
                .skip(1)
                .filter_map(|rest| rest.split('"').next()?.parse().ok())
                .collect()
        };
        for x in numbers("x1").into_iter().chain(numbers("x2")) {
            assert!((40..=160).contains(&x), "{x}");
        }
        for y in numbers("y1").into_iter().chain(numbers("y2")) {
            assert!((40..=120).contains(&y), "{y}");
        }
    }
}
