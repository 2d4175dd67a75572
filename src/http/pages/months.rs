//! Months, for managers: are we inside our budgets, what is bleeding, who stopped one?

pub mod show;

use askama::Template;
use askama_web::WebTemplate;

use crate::chart::calendar::Calendar;
use crate::http::prose::Prose;
use crate::wording::quantity::Quantity;
use crate::wording::state::State;

use super::facts::terms;
use super::flow::Tab;
use super::layout::Shell;

/// Days that a state must hold to colour its month.
const DAYS_THAT_COUNT: usize = 3;

/// One of the four figures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Figure {
    /// "Inside budget in November".
    pub label: String,
    /// "5 of 7 flows".
    pub value: String,
    /// Its range; may be empty.
    pub range: String,
    /// What qualifies it.
    pub note: String,
}

/// A flow's months.
#[derive(Debug, Clone, PartialEq)]
pub struct MonthRow {
    /// The flow's page.
    pub path: String,
    /// The flow's name.
    pub title: String,
    /// A state a month, oldest first.
    pub states: Vec<State>,
    /// What is left, unless nobody can say.
    pub left: Option<Quantity>,
    /// What stands in its place: "cannot say", "no budget yet".
    pub no_left: String,
    /// Spent this quarter.
    pub spent: Option<Quantity>,
}

/// The state of a month from its days (nothing for days without data): the worst that held at least three days;
/// half its days without enough data make it "not enough data".
pub fn month_state(days: &[Option<State>]) -> State {
    let known = days
        .iter()
        .flatten()
        .filter(|state| !matches!(state, State::NotEnough | State::Stale));
    if known.clone().count() * 2 <= days.len() {
        let stale = days
            .iter()
            .flatten()
            .filter(|state| **state == State::Stale)
            .count();
        return if stale >= DAYS_THAT_COUNT {
            State::Stale
        } else {
            State::NotEnough
        };
    }
    let held = |state: State| known.clone().filter(|day| **day == state).count() >= DAYS_THAT_COUNT;
    [State::Breached, State::AtRisk]
        .into_iter()
        .find(|state| held(*state))
        .unwrap_or(State::Within)
}

/// A bleed, running or stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BleedLine {
    /// Its finding's page.
    pub path: String,
    /// "Running since 7 Aug", "Stopped 8 May by v2.9".
    pub when: String,
    /// "Checkout, +230 ms [195, 267]", "Search, +18 ms, then −21 ms".
    pub what: String,
    /// Owner and days to acknowledge, or who is credited.
    pub who: String,
    /// Whether it is over.
    pub is_stopped: bool,
}

/// How well a flow is looked after.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LevelRow {
    /// The flow's page.
    pub path: String,
    /// The flow's name.
    pub title: String,
    /// 0 to 4.
    pub level: u8,
    /// What it rests on, or why it dropped.
    pub evidence: String,
    /// What would raise it.
    pub next_step: String,
}

impl LevelRow {
    /// "3 tracked".
    pub fn word(&self) -> String {
        let word = match self.level {
            0 => "unwatched",
            1 => "measured",
            2 => "budgeted",
            3 => "tracked",
            _ => "verified",
        };
        format!("{} {word}", self.level.min(4))
    }

    /// Four boxes, filled up to the level.
    pub fn boxes(&self) -> [bool; 4] {
        [1, 2, 3, 4].map(|box_of| box_of <= self.level)
    }
}

/// The page.
#[derive(Debug, Clone, PartialEq, Template, WebTemplate)]
#[template(path = "months.html")]
pub struct MonthsPage {
    /// What surrounds it.
    pub shell: Shell,
    /// "March – November 2026".
    pub stretch: String,
    /// Quarter, nine months, year.
    pub ranges: Vec<Tab>,
    /// The sentence.
    pub headline: String,
    /// Days inside budgets, bleeds and their ends.
    pub lead: Prose,
    /// Four figures.
    pub figures: Vec<Figure>,
    /// Names of the months, oldest first.
    pub months: Vec<String>,
    /// The flows.
    pub rows: Vec<MonthRow>,
    /// The worst flow day by day.
    pub calendar: Option<Calendar>,
    /// Bleeds, running first.
    pub bleeds: Vec<BleedLine>,
    /// Practice levels, lowest first.
    pub levels: Vec<LevelRow>,
    /// "Three weeks of data so far."; may be empty.
    pub too_little: String,
}

impl MonthsPage {
    /// On narrow screens only the newest six months have room.
    fn is_old(&self, index: &usize) -> bool {
        index + 9 < self.months.len()
    }

    fn key(&self) -> [State; 5] {
        [
            State::Within,
            State::AtRisk,
            State::Breached,
            State::NotEnough,
            State::Stale,
        ]
    }

    fn terms(&self) -> Vec<(&'static str, &'static str)> {
        terms(&["headroom", "slow bleed", "range [a, b]"])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn month(days: &[(State, usize)], missing: usize) -> State {
        let known = days
            .iter()
            .flat_map(|(state, count)| vec![Some(*state); *count]);
        month_state(&known.chain(vec![None; missing]).collect::<Vec<_>>())
    }

    #[test]
    fn a_month_takes_the_worst_state_that_held_three_days() {
        assert_eq!(
            month(&[(State::Within, 28), (State::Breached, 2)], 0),
            State::Within
        );
        assert_eq!(
            month(&[(State::Within, 27), (State::Breached, 3)], 0),
            State::Breached
        );
        assert_eq!(
            month(
                &[
                    (State::Within, 20),
                    (State::AtRisk, 8),
                    (State::Breached, 2)
                ],
                0
            ),
            State::AtRisk
        );
    }

    #[test]
    fn half_a_month_without_data_is_not_enough() {
        assert_eq!(month(&[(State::Within, 15)], 15), State::NotEnough);
        assert_eq!(month(&[(State::Within, 16)], 14), State::Within);
        assert_eq!(
            month(&[(State::Within, 10), (State::Stale, 20)], 0),
            State::Stale
        );
        assert_eq!(month(&[], 0), State::NotEnough);
    }

    #[test]
    fn boxes_are_filled_up_to_the_level() {
        let row = LevelRow {
            path: String::new(),
            title: String::new(),
            level: 3,
            evidence: String::new(),
            next_step: String::new(),
        };
        assert_eq!(row.boxes(), [true, true, true, false]);
        assert_eq!(row.word(), "3 tracked");
    }
}
