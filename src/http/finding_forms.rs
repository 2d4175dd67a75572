//! Finding actions as plain forms, so that pages work without script.

use axum::Form;
use axum::extract::{Path, State};
use axum::response::Redirect;
use serde::Deserialize;

use super::api::findings::{Action, act};
use super::error::{Error, Result};
use super::{App, auth, paths};
use crate::store::Id;

/// What the forms send; each uses its own part.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Given {
    owner: String,
    until: String,
    reason: String,
}

/// Does what the pressed button says and shows the finding again.
pub(super) async fn press(
    State(app): State<App>,
    caller: auth::Administrator,
    Path((project, id, button)): Path<(String, String, String)>,
    Form(given): Form<Given>,
) -> Result<Redirect> {
    let action = match button.as_str() {
        "acknowledge" => Action::Acknowledge,
        "assign" => Action::Assign {
            assignee: given.owner,
        },
        // A date input sends the day alone; a snooze ends when that day begins.
        "snooze" => Action::Snooze {
            until: format!("{}T00:00:00Z", given.until),
        },
        "resolve" => Action::Resolve { note: given.reason },
        "false-alarm" => Action::FalseAlarm { note: given.reason },
        "reopen" => Action::Reopen,
        _ => return Err(Error::not_found()),
    };
    let finding = Id::parse(&id).ok_or_else(Error::not_found)?;
    act(&app, caller.project(), &finding, &action, &caller.0.actor).await?;
    Ok(Redirect::to(&paths::finding(&project, &id)))
}
