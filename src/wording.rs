//! What Longwatch says and how: numbers with units, times, names and sentences, the same on pages, in alerts and in answers.

pub mod finding;
pub mod moment;
pub mod names;
pub mod number;
pub mod quantity;
pub mod state;
pub mod trend;
pub mod unit;
pub mod verdict;
