//! One question to the database for all who ask the same at the same time.
//!
//! Nothing is remembered: whoever comes while a look-up is under way waits for the next one, which begins after he came.
//! So an answer is never older than its question, and what was revoked before a request came lets none through.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use super::StoreError;

type Answer<V> = Result<V, Arc<StoreError>>;

/// Look-ups under way, by what they look up; cheap to clone.
#[derive(Debug)]
pub(super) struct SharedLookups<V> {
    next: Arc<Mutex<HashMap<String, Next<V>>>>,
    patience: Duration,
}

/// Who waits for the next look-up of a key.
#[derive(Debug)]
struct Next<V> {
    /// When the last of them came, microseconds since the epoch.
    now_us: i64,
    waiting: Vec<oneshot::Sender<Answer<V>>>,
}

impl<V> Clone for SharedLookups<V> {
    fn clone(&self) -> Self {
        SharedLookups {
            next: self.next.clone(),
            patience: self.patience,
        }
    }
}

impl<V: Clone + Send + 'static> SharedLookups<V> {
    /// What a look-up that begins from now on finds. `look` is given the time at which the last of those came for whom it
    /// looks.
    ///
    /// # Errors
    /// What `look` failed with, the same for all who waited for it; [`StoreError::Silent`] where it ended without a word, or
    /// told nothing for too long.
    pub(super) async fn get<L, F>(&self, key: &str, now_us: i64, look: L) -> Result<V, StoreError>
    where
        L: Fn(i64) -> F + Send + 'static,
        F: Future<Output = Result<V, StoreError>> + Send + 'static,
    {
        let (sender, answer) = oneshot::channel();
        let is_under_way = {
            let mut all = self.locked();
            let is_under_way = all.contains_key(key);
            let next = all.entry(key.to_owned()).or_insert_with(|| Next {
                now_us,
                waiting: Vec::new(),
            });
            next.now_us = now_us;
            next.waiting.push(sender);
            is_under_way
        };
        if !is_under_way {
            // By itself, since whoever asked first may give up while others wait.
            tokio::spawn(self.clone().answer_all(key.to_owned(), look));
        }
        match tokio::time::timeout(self.patience, answer).await {
            Ok(Ok(answer)) => answer.map_err(StoreError::Shared),
            Ok(Err(_)) | Err(_) => Err(StoreError::Silent),
        }
    }

    /// Looks a key up for all who wait, again and again until nobody does.
    async fn answer_all<L, F>(self, key: String, look: L)
    where
        L: Fn(i64) -> F,
        F: Future<Output = Result<V, StoreError>>,
    {
        let mut turn = Turn {
            lookups: &self,
            key: &key,
            is_over: false,
        };
        while let Some((now_us, waiting)) = turn.next() {
            let answer = look(now_us).await.map_err(Arc::new);
            for one in waiting {
                // Who gave up meanwhile needs no answer.
                let _ = one.send(answer.clone());
            }
        }
    }
}

impl<V> SharedLookups<V> {
    /// Look-ups that one waits for no longer than `patience`: one that has fallen silent holds up those who wait for the next
    /// besides its own.
    pub(super) fn new(patience: Duration) -> Self {
        SharedLookups {
            next: Arc::default(),
            patience,
        }
    }

    fn locked(&self) -> MutexGuard<'_, HashMap<String, Next<V>>> {
        self.next.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to look a key up. If a look-up panics nobody is left to wait for it.
struct Turn<'a, V> {
    lookups: &'a SharedLookups<V>,
    key: &'a str,
    is_over: bool,
}

impl<V> Turn<'_, V> {
    /// Those who wait, and when the last of them came. The turn is over where there is nobody.
    fn next(&mut self) -> Option<(i64, Vec<oneshot::Sender<Answer<V>>>)> {
        let mut all = self.lookups.locked();
        let next = all.get_mut(self.key)?;
        if next.waiting.is_empty() {
            all.remove(self.key);
            self.is_over = true;
            return None;
        }
        Some((next.now_us, std::mem::take(&mut next.waiting)))
    }
}

impl<V> Drop for Turn<'_, V> {
    fn drop(&mut self) {
        if !self.is_over {
            self.lookups.locked().remove(self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::sync::Semaphore;

    use super::*;

    /// Look-ups that each wait for a permit and then tell their number and the time they were given.
    struct Slow {
        lookups: SharedLookups<(usize, i64)>,
        begun: Arc<AtomicUsize>,
        permits: Arc<Semaphore>,
    }

    impl Slow {
        fn new() -> Slow {
            Slow::of_patience(Duration::from_secs(600))
        }

        fn of_patience(patience: Duration) -> Slow {
            Slow {
                lookups: SharedLookups::new(patience),
                begun: Arc::default(),
                permits: Arc::new(Semaphore::new(0)),
            }
        }

        fn ask(
            &self,
            key: &'static str,
            now_us: i64,
        ) -> tokio::task::JoinHandle<Result<(usize, i64), StoreError>> {
            let (lookups, begun, permits) = (
                self.lookups.clone(),
                self.begun.clone(),
                self.permits.clone(),
            );
            tokio::spawn(async move {
                let look = move |now_us| {
                    let (begun, permits) = (begun.clone(), permits.clone());
                    async move {
                        let number = begun.fetch_add(1, Ordering::SeqCst) + 1;
                        permits.acquire().await.unwrap().forget();
                        match now_us {
                            ..0 => panic!("a look-up that panics"),
                            0 => Err(StoreError::NotFound),
                            _ => Ok((number, now_us)),
                        }
                    }
                };
                lookups.get(key, now_us, look).await
            })
        }

        /// Lets all that is ready to run do so, then one look-up end.
        async fn end_one(&self) {
            self.settle().await;
            self.permits.add_permits(1);
            self.settle().await;
        }

        async fn settle(&self) {
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
        }

        fn none_is_left(&self) -> bool {
            self.lookups.locked().is_empty()
        }
    }

    #[tokio::test]
    async fn who_comes_while_one_looks_shares_the_next_look_and_not_this_one() {
        let slow = Slow::new();
        let first = slow.ask("key", 1);
        slow.settle().await;
        let others: Vec<_> = (2..=9).map(|now_us| slow.ask("key", now_us)).collect();
        slow.end_one().await;
        assert_eq!(first.await.unwrap().unwrap(), (1, 1));
        slow.end_one().await;
        for other in others {
            assert_eq!(other.await.unwrap().unwrap(), (2, 9));
        }
        let later = slow.ask("key", 10);
        slow.end_one().await;
        assert_eq!(later.await.unwrap().unwrap(), (3, 10));
        assert!(slow.none_is_left());
    }

    #[tokio::test]
    async fn keys_wait_for_none_but_their_own() {
        let slow = Slow::new();
        let (one, other) = (slow.ask("one", 1), slow.ask("other", 2));
        slow.settle().await;
        assert_eq!(slow.begun.load(Ordering::SeqCst), 2);
        slow.permits.add_permits(2);
        assert_eq!(one.await.unwrap().unwrap().1, 1);
        assert_eq!(other.await.unwrap().unwrap().1, 2);
    }

    #[tokio::test]
    async fn a_failure_reaches_all_who_waited_for_it_and_nobody_after_them() {
        let slow = Slow::new();
        let first = slow.ask("key", 1);
        slow.settle().await;
        let failing = [slow.ask("key", 5), slow.ask("key", 0)];
        slow.end_one().await;
        assert!(first.await.unwrap().is_ok());
        slow.end_one().await;
        for one in failing {
            let error = one.await.unwrap().unwrap_err();
            assert!(
                matches!(&error, StoreError::Shared(error) if matches!(**error, StoreError::NotFound))
            );
        }
        let after = slow.ask("key", 3);
        slow.end_one().await;
        assert!(after.await.unwrap().is_ok());
    }

    #[tokio::test]
    async fn nobody_waits_for_long_for_a_look_up_that_fell_silent() {
        let slow = Slow::of_patience(Duration::from_millis(20));
        for waits in [slow.ask("key", 1), slow.ask("key", 2)] {
            assert!(matches!(waits.await.unwrap(), Err(StoreError::Silent)));
        }
        slow.end_one().await;
        slow.end_one().await;
        assert!(slow.none_is_left());
    }

    #[tokio::test]
    async fn who_gives_up_or_panics_leaves_nobody_waiting() {
        let slow = Slow::new();
        let gives_up = slow.ask("key", 1);
        slow.settle().await;
        let next = slow.ask("key", 2);
        slow.settle().await;
        gives_up.abort();
        slow.end_one().await;
        slow.end_one().await;
        assert_eq!(next.await.unwrap().unwrap(), (2, 2));
        let panics = slow.ask("key", -1);
        slow.settle().await;
        let waits = slow.ask("key", 3);
        slow.end_one().await;
        assert!(matches!(panics.await.unwrap(), Err(StoreError::Silent)));
        assert!(matches!(waits.await.unwrap(), Err(StoreError::Silent)));
        assert!(slow.none_is_left());
        let after = slow.ask("key", 4);
        slow.end_one().await;
        assert!(after.await.unwrap().is_ok());
    }
}
