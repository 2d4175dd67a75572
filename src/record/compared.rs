//! The two sides of a comparison.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{EpochStart, Record, Tracked, members};
use crate::store::{Span, Store, StoreError, Window};

impl Record {
    /// A series' window of one release with its contents; of several names that it had the newest.
    pub async fn release_window(
        &self,
        store: &Store,
        tracked: &Tracked,
        release: &str,
    ) -> Result<Option<Window>, StoreError> {
        let mut newest = None;
        for id in members(tracked) {
            let own = store.release_window(&self.project, id, release);
            newest = own.await?.or(newest);
        }
        Ok(newest)
    }

    /// What two series measured on the days that both have in `from_us..to_us`, or with the releases, where they are of the
    /// laboratory; none where they have nothing in common.
    pub async fn in_common(
        &self,
        store: &Store,
        base: &Tracked,
        head: &Tracked,
        span: (i64, i64),
    ) -> Result<Option<(Window, Window)>, StoreError> {
        let mut before = self.parts(store, base, span).await?;
        let mut after = self.parts(store, head, span).await?;
        before.retain(|part, _| after.contains_key(part));
        after.retain(|part, _| before.contains_key(part));
        Ok(whole(before)?.zip(whole(after)?))
    }

    /// The days of a field series or the releases of a laboratory's, with their contents.
    async fn parts(
        &self,
        store: &Store,
        tracked: &Tracked,
        (from_us, to_us): (i64, i64),
    ) -> Result<BTreeMap<String, Arc<Window>>, StoreError> {
        if tracked.series.is_field() {
            let days = self.whole_days(store, tracked, from_us, to_us).await?;
            let days = days.into_iter();
            return Ok(days
                .map(|(day_us, window, _)| (day_us.to_string(), window))
                .collect());
        }
        let mut parts = BTreeMap::new();
        for id in members(tracked) {
            let own = self.windows_of(store, id, Span::Release, 0, 1, true);
            for window in own.await?.iter() {
                if window.first_us >= from_us && window.last_us < to_us {
                    parts.insert(window.key.release.clone(), window.clone());
                }
            }
        }
        Ok(parts)
    }

    /// Where a series began to be measured anew after one of two releases and up to the other, if it did.
    pub async fn epoch_between(
        &self,
        store: &Store,
        tracked: &Tracked,
        base: &str,
        head: &str,
    ) -> Result<Option<EpochStart>, StoreError> {
        let (Some(a), Some(b)) = (self.rank(base), self.rank(head)) else {
            return Ok(None);
        };
        let between = a.min(b) + 1..=a.max(b);
        let starts = self.epoch_starts(store, tracked).await?;
        let lies_between = |start: &EpochStart| {
            let rank = self.rank(&start.release);
            rank.is_some_and(|rank| between.contains(&rank))
        };
        Ok(starts.into_iter().find(lies_between))
    }
}

fn whole(parts: BTreeMap<String, Arc<Window>>) -> Result<Option<Window>, StoreError> {
    let mut parts = parts.into_values();
    let Some(first) = parts.next() else {
        return Ok(None);
    };
    let mut whole = Arc::unwrap_or_clone(first);
    for part in parts {
        whole.merge(&part)?;
    }
    Ok(Some(whole))
}
