//! What is forgotten about hourly, and how long it is kept before, at times of the test's own choosing on both engines.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use collectors::report::{Basis, Direction, Fingerprint, Source};
use longwatch::store::{
    Committed, Delta, Entry, Id, Origin, Past, Place, ProjectId, Release, ReportId, Run, RunRef,
    Series, Store, StoreError, Stratum, Submission, Values,
};
use longwatch::upkeep;

use crate::deletion::rows::Rows;
use crate::ground::databases;

pub(crate) const HOUR_US: i64 = 3_600_000_000;
pub(crate) const DAY_US: i64 = 24 * HOUR_US;
const NOW_US: i64 = 20_000 * DAY_US;

/// The latency of a flow.
pub(crate) fn series(flow: &str, source: Source) -> Series {
    Series {
        flow_name: flow.into(),
        metric: "latency".into(),
        unit: "ms".into(),
        dimension: "time".into(),
        source,
        testbed: "default".into(),
        basis: Basis::Op,
        labels: BTreeMap::new(),
        direction: Direction::Lower,
    }
}

/// An upload of nothing under a key.
fn empty(project: ProjectId, key: &str) -> Submission {
    Submission {
        project,
        entry: Some(Entry {
            batch: Id::new(),
            key: key.to_owned(),
            content_sha256: [7; 32],
            format: "samples".to_owned(),
            series_count: 0,
            sample_count: 0,
            skipped: "[]".to_owned(),
            answer: "the first answer".to_owned(),
        }),
        new_series: Vec::new(),
        run: None,
        release: None,
        deltas: Vec::new(),
        dropped: Vec::new(),
        received_us: NOW_US,
    }
}

/// An upload of a series' values, measured at a time and received then; of a run where it is of a laboratory.
pub(crate) fn upload(
    project: ProjectId,
    series: &Series,
    release: &str,
    time_us: i64,
    values: Values,
) -> Submission {
    let run = (!series.is_field()).then(|| Run {
        name: time_us.to_string(),
        source: series.source,
        testbed: series.testbed.clone(),
        release: release.to_owned(),
        commit: None,
        branch: None,
        pull_request: None,
        on_main: true,
        workload: None,
        harness: None,
        fingerprint: Fingerprint::default(),
        started_us: time_us,
        received_us: time_us,
        excluded: None,
    });
    let release = Release {
        name: release.to_owned(),
        commit: None,
        parent: None,
        branch: None,
        on_main: true,
        time_us,
        declared: false,
        note: None,
    };
    let origin = Origin {
        series: series.id(),
        release: release.name.clone(),
        run: run.as_ref().map(|run| RunRef::from(run.id())),
        stratum: Stratum::whole(),
    };
    let mut upload = empty(project, &Id::new().to_string());
    if let Some(entry) = &mut upload.entry {
        entry.series_count = 1;
    }
    Submission {
        new_series: vec![series.clone()],
        run,
        release: Some(release),
        deltas: vec![Delta {
            origin: Arc::new(origin),
            time_us,
            values,
            failed: 0,
            dropped: 0,
        }],
        received_us: time_us,
        ..upload
    }
}

pub(crate) async fn commit(store: &Store, submission: Submission) {
    let stored = store.commit(&[Box::new(submission)]).await.unwrap();
    assert_eq!(stored, [Committed::Stored]);
}

/// Folds all that a project has, at a time.
pub(crate) async fn fold(store: &Store, project: &ProjectId, now_us: i64) {
    let lease = store.lease(project, "fold", "test", now_us).await.unwrap();
    let lease = lease.unwrap();
    while store.fold(&lease, now_us).await.unwrap().more {}
    store.give_back(&lease).await.unwrap();
}

/// What an upkeep at some time leaves of two projects' uploads: the outcome of sending them again.
async fn sent_again_after(store: &Store, days: i64, key: &str) -> [Committed; 2] {
    let shop = store.ensure_project("shop", "test", NOW_US).await.unwrap();
    let other = store.ensure_project("other", "test", NOW_US).await.unwrap();
    let both = || [shop, other].map(|project| Box::new(empty(project, key)));
    let first = store.commit(&both()).await.unwrap();
    assert_eq!(first, [Committed::Stored, Committed::Stored]);
    let now_us = NOW_US + days * DAY_US;
    upkeep::round(store, "test", || now_us).await.unwrap();
    store.commit(&both()).await.unwrap().try_into().unwrap()
}

#[tokio::test]
async fn a_key_is_forgotten_after_thirty_five_days_without_any_traffic() {
    for database in databases().await {
        let store = Store::open(&database.url).await.unwrap();
        let known = || Committed::Duplicate("the first answer".to_owned());
        let after = sent_again_after(&store, 34, "early").await;
        assert_eq!(after, [known(), known()], "{}", database.engine);
        let after = sent_again_after(&store, 36, "late").await;
        let stored = [Committed::Stored, Committed::Stored];
        assert_eq!(after, stored, "{}", database.engine);
        store.close().await;
    }
}

/// A project with something of each kind that is forgotten some day, and nothing that comes after.
async fn left_alone(store: &Store) -> ProjectId {
    let shop = store.ensure_project("shop", "test", NOW_US).await.unwrap();
    store.first_enrolment(NOW_US).await.unwrap().unwrap();
    store.save_account("ada", "hash", NOW_US).await.unwrap();
    let ada = store.account("ada").await.unwrap().unwrap();
    store.begin_session(&ada, NOW_US).await.unwrap();

    let api = series("api", Source::Telemetry);
    let values = Values::Raw(vec![5, 6, 7]);
    commit(store, upload(shop, &api, "v1", NOW_US, values)).await;
    let page = series("page", Source::Rum);
    let report = Values::Report {
        id: ReportId::of(page.id(), "view", "LCP"),
        sequence: 1,
        value: 900,
    };
    let mut beacon = upload(shop, &page, "v1", NOW_US, report);
    beacon.dropped = vec![("unknown_flow", 3)];
    commit(store, beacon).await;
    fold(store, &shop, NOW_US + HOUR_US).await;

    let nothing = empty(shop, "nothing");
    let batch = nothing.entry.as_ref().unwrap().batch;
    commit(store, nothing).await;
    let deletion = store.delete_batch(&shop, &batch, "test", NOW_US).await;
    assert_eq!(deletion.unwrap().subject, batch.to_string());
    shop
}

#[tokio::test]
async fn what_nobody_asks_for_any_more_goes_also_where_nothing_comes_any_more() {
    for database in databases().await {
        let store = Store::open(&database.url).await.unwrap();
        let rows = Rows::of(&database);
        let shop = left_alone(&store).await;
        // Day, release and hour of two series.
        assert_eq!(rows.counts(&shop).await["series_window"], 6);
        // For how many hours it is kept, when it is gone, and what is left then.
        let tables = [
            ("record_version", 23, 25, 0),
            ("enrolment", 23, 25, 0),
            ("closed_report", 25, 27, 0),
            ("series_window", 7 * 24, 9 * 24, 4),
            ("session", 13 * 24, 15 * 24, 0),
            ("idempotency", 34 * 24, 36 * 24, 0),
            ("deletion", 89 * 24, 91 * 24, 0),
            ("dropped_count", 399 * 24, 401 * 24, 0),
        ];
        let counts = async || {
            let mut counts = Vec::new();
            for (table, ..) in tables {
                let sql = format!("SELECT CAST(COUNT(*) AS TEXT) FROM {table}");
                counts.push(rows.texts(sql).await[0].parse::<u64>().unwrap());
            }
            counts
        };
        let before = counts().await;
        let moments = tables.iter().flat_map(|(_, kept, gone, _)| [*kept, *gone]);
        for hours in moments.collect::<BTreeSet<i64>>() {
            let now_us = NOW_US + hours * HOUR_US;
            upkeep::round(&store, "test", || now_us).await.unwrap();
            let now = counts().await;
            for ((table, kept, gone, left), (before, now)) in
                tables.iter().zip(before.iter().zip(&now))
            {
                assert_ne!(before, left, "{table}");
                let wanted = if hours <= *kept { before } else { left };
                let is_between = (kept + 1..*gone).contains(&hours);
                let engine = database.engine;
                assert!(
                    is_between || now == wanted,
                    "{engine}: {now} of {table} after {hours} h"
                );
            }
        }
        store.close().await;
    }
}

#[tokio::test]
async fn a_reader_sees_a_change_after_the_count_of_changes_was_forgotten() {
    for database in databases().await {
        let store = Store::open(&database.url).await.unwrap();
        let shop = store.ensure_project("shop", "test", NOW_US).await.unwrap();
        let api = series("api", Source::Telemetry);
        let change = |hours: i64| {
            let values = Values::Raw(vec![5]);
            upload(shop, &api, "v1", NOW_US + hours * HOUR_US, values)
        };
        commit(&store, change(0)).await;
        let seen = store.record_version(&shop).await.unwrap();
        let now_us = NOW_US + 30 * HOUR_US;
        upkeep::round(&store, "test", || now_us).await.unwrap();
        commit(&store, change(31)).await;
        let now = store.record_version(&shop).await.unwrap();
        assert_ne!(now, seen, "{}", database.engine);
        store.close().await;
    }
}

#[tokio::test]
async fn upkeep_goes_in_steps_and_whoever_comes_next_goes_on_with_it() {
    for database in databases().await {
        let store = Store::open(&database.url).await.unwrap();
        let rows = Rows::of(&database);
        let shop = store.ensure_project("shop", "test", NOW_US).await.unwrap();
        let keys = async || rows.counts(&shop).await.get("idempotency").copied();
        let group: Vec<Box<Submission>> = (0..4_500)
            .map(|key| Box::new(empty(shop, &key.to_string())))
            .collect();
        store.commit(&group).await.unwrap();

        let now_us = NOW_US + 40 * DAY_US;
        let due = async |at_us| store.projects_to_keep_up(at_us).await.unwrap();
        assert_eq!(due(now_us).await, [shop]);
        let nothing = Past::default();
        let first = store.lease_of_upkeep(&shop, "first", now_us).await;
        let first = first.unwrap().unwrap();
        let step = store.keep_up(&first, &nothing, Place::default(), now_us);
        let next = step.await.unwrap().unwrap();
        assert_eq!(keys().await, Some(2_500), "{}", database.engine);

        // The first one is heard of no more; after a while another begins, and lets the project rest.
        upkeep::round(&store, "second", || now_us).await.unwrap();
        assert_eq!(keys().await, Some(2_500));
        let later_us = now_us + 60_000_000;
        upkeep::round(&store, "second", || later_us).await.unwrap();
        assert_eq!(keys().await, None);
        let late = store.keep_up(&first, &nothing, next, later_us);
        assert!(matches!(late.await, Err(StoreError::LeaseLost)));
        assert_eq!(due(later_us + HOUR_US - 1).await, []);
        assert_eq!(due(later_us + HOUR_US + 1).await, [shop]);
        store.close().await;
    }
}
