//! What holds of every shop, whatever failed.

use serde_json::Value;

use super::{Ledger, Shop};
use crate::deletion::rows::Rows;

impl Shop {
    /// What can be said without knowing what happened in a run without a fault.
    pub(in crate::faults) async fn is_sound(&self, document: &Value) {
        let refused = self.refused.lock().unwrap().clone();
        assert!(refused.is_empty(), "refused for good: {refused:#?}");
        self.counts_what_was_measured(document);
        let ready = format!("{}/readyz", self.serve().await);
        let ready = self.client.get(ready).send().await.unwrap();
        assert_eq!(ready.status(), 200);
        if self.is_sqlite() {
            let check = "SELECT integrity_check FROM pragma_integrity_check".to_owned();
            assert_eq!(Rows::of(&self.database).texts(check).await, ["ok"]);
        }
        let told = self.receiver.alerts();
        let mut ids: Vec<&str> = told.iter().map(|alert| alert.id.as_str()).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(
            ids.len() as u64,
            document["rows"]["delivery"].as_u64().unwrap()
        );
        for alert in &told {
            let first = told.iter().find(|first| first.id == alert.id).unwrap();
            assert_eq!(first.body, alert.body, "an alert stays the same");
        }
    }

    /// Every value that was measured is in the histogram of its release, as often as it was, and no other is.
    fn counts_what_was_measured(&self, document: &Value) {
        let mut counted = Ledger::new();
        let all = document.as_object().unwrap();
        for series in all.iter().filter(|(name, _)| name.starts_with("series ")) {
            let flow = series.1["flow"].as_str().unwrap();
            for point in series.1["release"].as_array().into_iter().flatten() {
                let release = point["release"].as_str().unwrap();
                let key = (flow.to_owned(), release.to_owned());
                let values = series.1[release]["buckets"].as_object();
                for (value, count) in values.into_iter().flatten() {
                    let counts = counted.entry(key.clone()).or_default();
                    let count = count.as_i64().unwrap();
                    *counts.entry(value.parse().unwrap()).or_default() += count;
                }
            }
        }
        assert_eq!(counted, *self.ledger.lock().unwrap());
    }
}
