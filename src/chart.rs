//! Charts as SVG, drawn on the server: complete without script, one drawing for light, dark and print.
//!
//! Every chart is plain values in, [`Svg`] out. Larger charts are drawn twice, wide and narrow, and the style sheet shows
//! one of them, so that text keeps its size. Values are in base units, instants in microseconds UTC.

mod axis;
mod ink;
mod labels;
mod pen;

pub mod calendar;
pub mod compare;
pub mod glimpse;
pub mod headroom;
pub mod margin;
pub mod mix;
pub mod sparkline;
pub mod trend;
pub mod waterfall;

use std::fmt;

use askama::filters::HtmlSafe;

pub use ink::Ink;

/// A finished drawing. Its text was escaped and stripped of control characters when it was drawn, so a template may
/// put it into a page as it is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Svg(String);

impl Svg {
    /// The markup.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// True when there was nothing to draw.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Two drawings, one after the other.
    fn and(mut self, other: Svg) -> Svg {
        self.0.push_str(&other.0);
        self
    }
}

impl fmt::Display for Svg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl HtmlSafe for Svg {}

/// For which room a chart is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Room {
    /// A card as wide as the content, 1078 CSS pixels.
    Wide,
    /// A telephone, 324 CSS pixels.
    Narrow,
}

impl Room {
    fn class(self) -> &'static str {
        match self {
            Room::Wide => "wide",
            Room::Narrow => "narrow",
        }
    }
}

/// What a screen reader is told: the finding, then first and last value and the events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spoken {
    /// An id that is unique on the page.
    pub id: String,
    /// The sentence above the chart.
    pub title: String,
    /// Sentence, first and last value, events.
    pub description: String,
}

/// A drawing that says something, in the outer tag that plotters cannot write.
fn spoken(
    room: Room,
    kind: &str,
    spoken: &Spoken,
    (width, height): (f64, f64),
    inner: &str,
) -> Svg {
    let id = format!("{}-{}", escaped(&spoken.id), room.class());
    let (title, description) = (escaped(&spoken.title), escaped(&spoken.description));
    let view = view_box(width, height);
    Svg(format!(
        "<svg class=\"c full {kind} {}\" {view} role=\"img\" aria-labelledby=\"{id}-t {id}-d\">\
         <title id=\"{id}-t\">{title}</title><desc id=\"{id}-d\">{description}</desc>\n{inner}\n</svg>",
        room.class()
    ))
}

/// A small drawing that repeats what stands in words beside it.
fn silent(kind: &str, width: f64, height: f64, inner: &str) -> Svg {
    let view = view_box(width, height);
    Svg(format!(
        "<svg class=\"c small {kind}\" {view} width=\"{width}\" height=\"{height}\" aria-hidden=\"true\">\n{inner}\n</svg>"
    ))
}

fn view_box(width: f64, height: f64) -> String {
    format!(
        "viewBox=\"0 0 {} {}\"",
        width * pen::GRID,
        height * pen::GRID
    )
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars().filter(|c| pen::is_xml(*c)) {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod well_formed;
