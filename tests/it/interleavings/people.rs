//! What two people, or a person and a judgement, do with one finding at once.

use std::time::Duration;

use longwatch::clock::now_us;
use longwatch::store::{FindingChange, FindingEvent, StoreError};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::{Two, ask, each_engine};
use crate::deletion::alerts::alert;
use crate::ground::{PROJECT, eventually};
use crate::seeds::pick;

const ACTIONS: [&str; 6] = [
    "acknowledge",
    "assign",
    "snooze",
    "resolve",
    "false_alarm",
    "reopen",
];

/// What of a finding people change.
#[derive(Debug, Clone, PartialEq)]
struct Standing {
    state: String,
    assignee: Option<String>,
    sleeps: bool,
    is_closed: bool,
}

impl Standing {
    fn of(finding: &Value) -> Standing {
        Standing {
            state: finding["state"].as_str().unwrap().to_owned(),
            assignee: finding["assignee"].as_str().map(str::to_owned),
            sleeps: !finding["snoozed_until"].is_null(),
            is_closed: !finding["closed"].is_null(),
        }
    }

    /// After one more action.
    fn after(&self, action: &str, assignee: &str) -> Standing {
        let state = match action {
            "acknowledge" => "acknowledged",
            "assign" => "assigned",
            "snooze" => "snoozed",
            "resolve" => "resolved",
            "reopen" => "open",
            other => other,
        };
        Standing {
            state: state.to_owned(),
            assignee: match action {
                "assign" => Some(assignee.to_owned()),
                _ => self.assignee.clone(),
            },
            sleeps: action == "snooze",
            is_closed: ["resolve", "false_alarm"].contains(&action),
        }
    }
}

fn body(action: &str, assignee: &str) -> String {
    match action {
        "assign" => json!({"action": action, "assignee": assignee}),
        "snooze" => json!({"action": action, "until": "2200-01-01T00:00:00Z"}),
        action => json!({"action": action}),
    }
    .to_string()
}

async fn pair_of_actions(two: &mut Two, path: &str, round: usize) {
    let before = Standing::of(&two.one.get(path).await);
    let actions = [(); 2].map(|()| *pick(&mut two.random, &ACTIONS));
    let names = [format!("ada-{round}"), format!("ben-{round}")];
    let pauses = [two.jitter(), two.jitter()];
    let (a, b) = tokio::join!(
        ask(
            &two.one,
            pauses[0],
            Method::PATCH,
            path,
            body(actions[0], &names[0])
        ),
        ask(
            &two.other,
            pauses[1],
            Method::PATCH,
            path,
            body(actions[1], &names[1])
        ),
    );
    let what = format!("{}: {actions:?} on {before:?}", two.engine);
    assert_eq!(
        (a.0, b.0),
        (StatusCode::OK, StatusCode::OK),
        "{what}: {a:?} {b:?}"
    );
    let finding = two.one.get(path).await;
    let done = |order: [usize; 2]| {
        let first = before.after(actions[order[0]], &names[order[0]]);
        first.after(actions[order[1]], &names[order[1]])
    };
    let found = Standing::of(&finding);
    let trail = finding["trail"].as_array().unwrap();
    let last: Vec<&str> = trail[trail.len() - 2..]
        .iter()
        .map(|line| line["action"].as_str().unwrap())
        .collect();
    let orders = [[0, 1], [1, 0]];
    let explained = orders
        .into_iter()
        .any(|order| done(order) == found && last == order.map(|at| actions[at]));
    assert!(explained, "{what} became {found:?} by {last:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_two_people_do_with_a_finding_at_once_one_does_after_the_other() {
    each_engine(&[5], async |two| {
        let store = &two.one.store;
        let project = store.project_for_administration(PROJECT).await.unwrap();
        alert(store, &project, None, "none").await;
        let finding = &store.findings(&project).await.unwrap()[0];
        let path = format!("findings/{}", finding.id);
        for round in 0..40 {
            pair_of_actions(two, &path, round).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_judgement_under_way_takes_back_no_persons_word() {
    each_engine(&[6], async |two| {
        let store = &two.one.store;
        let project = store.project_for_administration(PROJECT).await.unwrap();
        alert(store, &project, None, "none").await;
        let lease = eventually("nobody else judges", async || {
            let lease = store.lease(&project, "detect", "slow", now_us()).await;
            lease.unwrap()
        })
        .await;
        let seen = store.findings(&project).await.unwrap().remove(0);
        let path = format!("findings/{}", seen.id);
        let said = body("resolve", "");
        let said = ask(&two.other, Duration::ZERO, Method::PATCH, &path, said).await;
        assert_eq!(said.0, StatusCode::OK, "{said:?}");
        let event = FindingEvent {
            finding: seen.id,
            at_us: now_us(),
            actor: "longwatch".to_owned(),
            action: "worse".to_owned(),
            note: String::new(),
        };
        let judged = FindingChange {
            finding: seen,
            event,
            deliveries: Vec::new(),
        };
        let written = store
            .record_judgement(&lease, &[judged], &[], now_us())
            .await;
        assert!(
            matches!(written, Err(StoreError::LeaseLost)),
            "{}: {written:?}",
            two.engine
        );
        assert_eq!(
            two.one.get(&path).await["state"],
            "resolved",
            "{}",
            two.engine
        );
    })
    .await;
}
