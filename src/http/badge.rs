//! A flow's state as a small picture, for a README or a dashboard: `/badge/{project}/{flow}.svg`.

use askama::Template;
use askama_web::WebTemplate;
use axum::extract::{Path, State as Shared};
use axum::http::header;
use axum::response::{IntoResponse, Response};

use super::api::record;
use super::error::{Error, Result};
use super::{App, auth};
use crate::clock::now_us;
use crate::standing::standing;
use crate::wording::names::flow_title;
use crate::wording::state::State;

/// Who shows it asks again after a minute.
const FRESH: &str = "max-age=60";

/// Longer names are cut.
const CHARACTERS: usize = 40;

/// About what a character of the font takes, and the room on both sides of a text; pixels.
const CHARACTER_PX: usize = 7;
const MARGINS_PX: usize = 12;

/// Of a flow's budgets the worst counts, and what nobody knows is worse than what is kept.
const WORST_FIRST: [State; 5] = [
    State::Breached,
    State::AtRisk,
    State::Stale,
    State::NotEnough,
    State::Within,
];

/// The picture.
#[derive(Debug, Template, WebTemplate)]
#[template(path = "badge.svg", escape = "html")]
struct Badge {
    subject: String,
    words: &'static str,
    fill: &'static str,
}

impl Badge {
    fn of(flow: &str, state: Option<State>) -> Self {
        let (words, fill) = match state {
            Some(State::Breached) => ("over budget", "#a8201a"),
            Some(State::AtRisk) => ("at risk", "#8a5300"),
            Some(State::Stale) => ("no fresh data", "#5b6069"),
            Some(State::NotEnough) => ("not enough data", "#5b6069"),
            Some(State::Within) => ("within budget", "#146c4a"),
            None => ("no budget", "#5b6069"),
        };
        // A picture is XML, which has no control characters, whatever a flow is called.
        let title = flow_title(flow);
        let named = title
            .chars()
            .filter(|c| !c.is_control() && !matches!(c, '\u{fffe}' | '\u{ffff}'));
        Self {
            subject: named.take(CHARACTERS).collect(),
            words,
            fill,
        }
    }

    fn left(&self) -> usize {
        CHARACTER_PX * self.subject.chars().count().max(1) + MARGINS_PX
    }

    fn width(&self) -> usize {
        self.left() + CHARACTER_PX * self.words.len() + MARGINS_PX
    }
}

/// The worst state of a flow's budgets.
pub(super) async fn show(
    Shared(app): Shared<App>,
    caller: auth::Reader,
    Path((_project, file)): Path<(String, String)>,
) -> Result<Response> {
    let flow = file.strip_suffix(".svg").ok_or_else(Error::not_found)?;
    let record = record(&app, caller.project()).await?;
    if record.series_of(flow).next().is_none() {
        return Err(Error::not_found());
    }
    let findings = app.store.findings(caller.project()).await?;
    let mut states = Vec::new();
    for tracked in record.series_of(flow) {
        for budget in record.budgets(tracked) {
            let found = standing(&app.store, &record, tracked, budget, &findings, now_us());
            let state = State::from(found.await?.state);
            states.push(state);
        }
    }
    let worst = WORST_FIRST.into_iter().find(|state| states.contains(state));
    let picture = Badge::of(flow, worst);
    let headers = [
        (header::CONTENT_TYPE, "image/svg+xml"),
        (header::CACHE_CONTROL, FRESH),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    Ok((headers, picture).into_response())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_picture_says_the_flow_and_its_state_and_nothing_of_a_name_is_markup() {
        let badge = Badge::of("check\u{7}out & <pay>", Some(State::Breached));
        let picture = badge.render().unwrap();
        assert!(picture.contains(": over budget"), "{picture}");
        assert!(
            !picture.contains("<pay>") && !picture.contains('\u{7}'),
            "{picture}"
        );
    }

    #[test]
    fn a_long_name_is_cut() {
        let badge = Badge::of(&"x".repeat(500), None);
        assert_eq!(badge.subject.chars().count(), CHARACTERS);
    }
}
