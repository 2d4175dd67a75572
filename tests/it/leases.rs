//! Who may do a project's background work.

use longwatch::store::{Store, StoreError};

use crate::ground::databases;

const SECOND_US: i64 = 1_000_000;

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_that_is_prolonged_is_not_taken_by_another_instance() {
    for database in databases().await {
        let store = Store::open(&database.url).await.unwrap();
        let shop = store.ensure_project("shop", "test", 1).await.unwrap();
        let from_us = 1_000 * SECOND_US;
        let take = async |owner: &str, after_s: i64| {
            let at_us = from_us + after_s * SECOND_US;
            store.lease(&shop, "detect", owner, at_us).await.unwrap()
        };
        let slow = take("slow", 0).await.unwrap();
        store
            .prolong(&slow, from_us + 20 * SECOND_US)
            .await
            .unwrap();
        assert!(take("other", 40).await.is_none(), "{}", database.engine);
        assert!(take("other", 60).await.is_some(), "{}", database.engine);
        let late = store.prolong(&slow, from_us + 61 * SECOND_US).await;
        assert!(
            matches!(late, Err(StoreError::LeaseLost)),
            "{}: {late:?}",
            database.engine
        );
        store.close().await;
    }
}
