//! How long an upload's key is remembered.

use longwatch::store::{Committed, Entry, Id, ProjectId, Store, Submission};

use crate::ground::databases;

const DAY_US: i64 = 86_400_000_000;
const NOW_US: i64 = 20_000 * DAY_US;

fn upload(project: ProjectId, key: &str) -> Submission {
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

/// What a fold at some time leaves of two projects' uploads: the outcome of sending them again.
async fn sent_again_after(store: &Store, days: i64, key: &str) -> [Committed; 2] {
    let shop = store.ensure_project("shop", "test", NOW_US).await.unwrap();
    let other = store.ensure_project("other", "test", NOW_US).await.unwrap();
    let both = || [shop, other].map(|project| Box::new(upload(project, key)));
    let first = store.commit(&both()).await.unwrap();
    assert_eq!(first, [Committed::Stored, Committed::Stored]);
    let now_us = NOW_US + days * DAY_US;
    let lease = store.lease(&shop, "fold", "test", now_us).await.unwrap();
    let lease = lease.unwrap();
    store.fold(&lease, now_us).await.unwrap();
    store.give_back(&lease).await.unwrap();
    store.commit(&both()).await.unwrap().try_into().unwrap()
}

#[tokio::test]
async fn a_key_is_forgotten_after_thirty_five_days_in_the_project_that_is_folded() {
    for database in databases().await {
        let store = Store::open(&database.url).await.unwrap();
        let known = || Committed::Duplicate("the first answer".to_owned());
        let after = sent_again_after(&store, 34, "early").await;
        assert_eq!(after, [known(), known()], "{}", database.engine);
        let after = sent_again_after(&store, 36, "late").await;
        assert_eq!(after, [Committed::Stored, known()], "{}", database.engine);
        store.close().await;
    }
}
