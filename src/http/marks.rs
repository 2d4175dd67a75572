//! Marks, chips and cells: a state is always told by shape and word; the mark alone stands only inside grids with a key.

use std::fmt;

use askama::filters::HtmlSafe;

use crate::wording::state::{Answer, Kind, State};

/// A symbol of the page with its colour and its word. All three parts are constants, so nothing needs escaping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    colour: &'static str,
    symbol: &'static str,
    word: &'static str,
}

impl Mark {
    /// Mark and word in a tinted chip.
    pub fn chip(self) -> Chip {
        Chip(self)
    }

    /// The mark in a tinted cell, for grids.
    pub fn cell(self) -> Cell {
        Cell(self)
    }

    /// The colour's class.
    pub fn colour(self) -> &'static str {
        self.colour
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Mark {
            colour,
            symbol,
            word,
        } = self;
        write!(
            f,
            "<svg class=\"mark {colour}\" role=\"img\" aria-label=\"{word}\"><use href=\"#m-{symbol}\"/></svg>"
        )
    }
}

impl HtmlSafe for Mark {}

/// A mark and its word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chip(Mark);

impl fmt::Display for Chip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Mark {
            colour,
            symbol,
            word,
        } = self.0;
        let mark =
            format!("<svg class=\"mark\" aria-hidden=\"true\"><use href=\"#m-{symbol}\"/></svg>");
        write!(f, "<span class=\"chip {colour}\">{mark}{word}</span>")
    }
}

impl HtmlSafe for Chip {}

/// A mark in a grid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cell(Mark);

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "<span class=\"cell {}\">{}</span>",
            self.0.colour, self.0
        )
    }
}

impl HtmlSafe for Cell {}

impl State {
    /// The state's mark.
    pub fn mark(&self) -> Mark {
        let (colour, symbol) = match self {
            State::Within => ("within", "within"),
            State::AtRisk => ("risk", "risk"),
            State::Breached => ("breach", "breach"),
            State::Stale => ("stale", "clock"),
            State::NotEnough => ("nodata", "dashed"),
        };
        Mark {
            colour,
            symbol,
            word: self.word(),
        }
    }
}

impl Answer {
    /// The answer's mark, borrowed from the states.
    pub fn mark(&self) -> Mark {
        let (colour, symbol) = match self {
            Answer::Pass => ("within", "within"),
            Answer::Fail => ("breach", "breach"),
            Answer::Inconclusive => ("nodata", "dashed"),
            Answer::TrackedOnly => ("risk", "risk"),
        };
        Mark {
            colour,
            symbol,
            word: self.word(),
        }
    }
}

impl Kind {
    /// The kind's mark.
    pub fn mark(&self) -> Mark {
        let (colour, symbol) = match self {
            Kind::Bleed => ("bleed", "wedge"),
            Kind::Step => ("breach", "stair"),
            Kind::Improvement => ("within", "down"),
            Kind::Breach => ("breach", "breach"),
            Kind::Missing => ("stale", "clock"),
            Kind::Epoch | Kind::Mix => ("ref", "bars"),
        };
        Mark {
            colour,
            symbol,
            word: self.word(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_symbol_is_drawn_in_the_layout() {
        let layout = include_str!("../../templates/layout.html");
        let states = [
            State::Within,
            State::AtRisk,
            State::Breached,
            State::Stale,
            State::NotEnough,
        ];
        let answers = [
            Answer::Pass,
            Answer::Fail,
            Answer::Inconclusive,
            Answer::TrackedOnly,
        ];
        let marks = states
            .iter()
            .map(State::mark)
            .chain(answers.iter().map(Answer::mark));
        for mark in marks.chain(Kind::ALL.iter().map(Kind::mark)) {
            assert!(
                layout.contains(&format!("id=\"m-{}\"", mark.symbol)),
                "{}",
                mark.symbol
            );
        }
    }

    #[test]
    fn a_chip_says_its_word_and_a_mark_alone_has_it_as_its_name() {
        assert!(
            State::AtRisk
                .mark()
                .chip()
                .to_string()
                .ends_with("At risk</span>")
        );
        assert!(
            State::AtRisk
                .mark()
                .cell()
                .to_string()
                .contains("aria-label=\"At risk\"")
        );
    }
}
