//! Findings of what was deleted tell nobody any more, whatever was under way when it went.

use longwatch::clock::now_us;
use longwatch::folder;
use longwatch::store::{
    Finding, FindingChange, FindingEvent, FindingState, Id, NewDelivery, ProjectId, SeriesId,
    Store, StoreError,
};
use tempfile::TempDir;

use super::rows::Rows;
use super::values;
use crate::ground::{Database, PROJECT, Server, databases, eventually};

/// A finding with an alert for a route, as a judgement makes them.
fn finding(series: Option<&str>, route: &str) -> FindingChange {
    let (id, now_us) = (Id::new(), now_us());
    FindingChange {
        finding: Finding {
            id,
            series: series.and_then(SeriesId::parse),
            identity: id.to_string(),
            kind: "step".to_owned(),
            state: FindingState::Open,
            flow: "search".to_owned(),
            owner: None,
            assignee: None,
            onset_us: now_us,
            detected_us: now_us,
            updated_us: now_us,
            snoozed_until_us: None,
            closed_us: None,
            told_pct: None,
            evidence: "{}".to_owned(),
        },
        event: FindingEvent {
            finding: id,
            at_us: now_us,
            actor: "longwatch".to_owned(),
            action: "opened".to_owned(),
            note: String::new(),
        },
        deliveries: vec![NewDelivery {
            id: Id::new(),
            finding: id,
            route: route.to_owned(),
            event: "opened".to_owned(),
            message: "{}".to_owned(),
        }],
    }
}

/// Writes a finding with an alert, waiting for judgements that are under way.
pub(crate) async fn alert(store: &Store, project: &ProjectId, series: Option<&str>, route: &str) {
    let change = finding(series, route);
    eventually("a judgement is written", async || {
        let lease = store.lease(project, "detect", "test", now_us()).await;
        let lease = lease.unwrap()?;
        let written = store
            .record_judgement(&lease, std::slice::from_ref(&change), &[], now_us())
            .await;
        store.give_back(&lease).await.unwrap();
        written.ok()
    })
    .await;
}

/// A project with a folded series and nothing at work.
struct AtRest {
    store: Store,
    project: ProjectId,
    series: String,
    _directory: TempDir,
}

async fn at_rest(database: Database) -> AtRest {
    let url = database.url.clone();
    let server = Server::start(database, Default::default()).await;
    super::send(&server, values("search", "v1", "1", &[5.0; 9])).await;
    super::folded(&server, "search", "v1").await;
    let series = super::series_of(&server, "search").await.unwrap();
    let _directory = server.stop_and_keep().await;
    let store = Store::open(&url).await.unwrap();
    let project = store.project_for_administration(PROJECT).await.unwrap();
    AtRest {
        store,
        project,
        series,
        _directory,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_alert_goes_out_once_its_series_or_project_was_deleted() {
    for database in databases().await {
        let rows = Rows::of(&database);
        let rest = at_rest(database).await;
        let (store, project, series) = (&rest.store, rest.project, &rest.series);
        let claim = async || {
            let claimed = store.claim_deliveries("test", now_us(), 1, 9).await;
            claimed.unwrap().len()
        };
        for alerts in 1..=2 {
            alert(store, &project, Some(series), "none").await;
            assert_eq!(claim().await, alerts, "due, and due again");
        }
        let id = SeriesId::parse(series).unwrap();
        store
            .delete_series(&project, id, "test", now_us())
            .await
            .unwrap();
        assert_eq!(claim().await, 0);
        assert!(store.findings(&project).await.unwrap().is_empty());
        folder::round(store, "test").await.unwrap();
        let left = rows.counts(&project).await;
        for table in ["finding_event", "delivery", "series_window", "series_state"] {
            assert!(!left.contains_key(table), "{left:?}");
        }

        alert(store, &project, None, "none").await;
        assert_eq!(claim().await, 1);
        store
            .delete_project(&project, "test", now_us())
            .await
            .unwrap();
        assert_eq!(claim().await, 0, "before anything was removed");
        store.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_judgement_and_a_persons_word_that_were_under_way_bring_nothing_back() {
    for database in databases().await {
        let rest = at_rest(database).await;
        let (store, project, series) = (&rest.store, rest.project, &rest.series);
        alert(store, &project, Some(series), "none").await;
        let seen = store.findings(&project).await.unwrap().remove(0);
        let lease = store.lease(&project, "detect", "slow", now_us()).await;
        let lease = lease.unwrap().unwrap();

        let id = SeriesId::parse(series).unwrap();
        store
            .delete_series(&project, id, "test", now_us())
            .await
            .unwrap();
        let judged = finding(Some(series), "none");
        let written = store
            .record_judgement(&lease, &[judged], &[], now_us())
            .await;
        assert!(matches!(written, Err(StoreError::LeaseLost)));
        let word = |_: &mut Finding| finding(None, "none").event;
        let written = store
            .change_finding(&project, &seen.id, word, now_us())
            .await;
        assert!(matches!(written, Err(StoreError::NotFound)));
        assert!(store.findings(&project).await.unwrap().is_empty());
        store.close().await;
    }
}
