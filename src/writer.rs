//! Group commit: everything queued goes to disk in one transaction, then everyone is answered.
//!
//! A lone submission is committed at once; while a commit runs, others queue and form the next group. So groups grow
//! with the load. Only where many send a group waits for a fraction of a commit's time, so that there are fewer.

use std::future::Future;
use std::pin::pin;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};

use crate::store::{Committed, Store, StoreError, Submission};

/// Submissions that may wait. At some 50,000 small ones a second this is under a tenth of a second of work; beyond it
/// the sender is told to come back, and memory stays flat.
const QUEUE: usize = 4_096;
/// Submissions in one transaction: bounds how long one commit takes and how much a failed one repeats.
const GROUP: usize = 1_024;
/// While many send, those who were just answered are about to send again, and a commit costs as much as some ten small
/// submissions: it waits this long at most for as many as there were last time.
const GATHER: Duration = Duration::from_micros(250);
/// So many in a group are many.
const MANY: usize = 8;
/// Values in one transaction, for the same reason.
const GROUP_VALUES: usize = 2_000_000;
/// So many measurements of the field are worth a round of the fold; fewer wait for its next look, since real users'
/// page views stay open for half an hour anyway and readers take what waits.
const WORTH_A_ROUND: usize = 20_000;
/// How long senders wait for a commit. What they sent may still be stored, and counts once when it comes again. Whoever
/// comes later, as long as the database does not answer, is told at once.
const PATIENCE: Duration = Duration::from_secs(20);
/// How often a transient failure of the database is tried again before the senders hear of it.
const ATTEMPTS: u32 = 3;

type Answer = Result<Committed, WriteError>;
/// A submission, and who waits for its answer.
type Queued = (Box<Submission>, oneshot::Sender<Answer>);

/// Why a submission was not stored.
#[derive(Debug, Clone, thiserror::Error)]
pub enum WriteError {
    /// The queue is full; send again later, nothing was stored.
    #[error("busy; nothing was stored, send it again")]
    Busy,
    /// The database is away or did not answer in time; send again later, under the same key, since it may be stored.
    #[error(
        "the database does not answer; it may have been stored, send it again with its idempotency key"
    )]
    Unsettled,
    /// The store refused it; sending it again won't help.
    #[error("{0}")]
    Refused(String),
}

/// A handle to the process's one writer; cheap to clone.
#[derive(Debug, Clone)]
pub struct Writer {
    queue: mpsc::Sender<Queued>,
}

impl Writer {
    /// Starts the writer. It ends when the last handle is gone and the queue is empty. `after_commit` is called after
    /// commits that give the fold something to do at once, as a hint.
    pub fn start(
        store: Store,
        after_commit: impl Fn() + Send + 'static,
    ) -> (Writer, tokio::task::JoinHandle<()>) {
        let (queue, submissions) = mpsc::channel(QUEUE);
        let task = tokio::spawn(run(store, submissions, after_commit));
        (Writer { queue }, task)
    }

    /// Makes a submission durable; answers only when it is on disk.
    ///
    /// # Errors
    /// [`WriteError::Busy`] when the queue is full or the database has been silent for long, [`WriteError::Unsettled`] when
    /// it did not answer, [`WriteError::Refused`] otherwise.
    pub async fn submit(&self, submission: Box<Submission>) -> Answer {
        let (answer, answered) = oneshot::channel();
        self.queue
            .try_send((submission, answer))
            .map_err(|_| WriteError::Busy)?;
        answered.await.unwrap_or(Err(WriteError::Unsettled))
    }

    /// How many submissions wait.
    pub fn depth(&self) -> usize {
        QUEUE - self.queue.capacity()
    }
}

async fn run(
    store: Store,
    mut submissions: mpsc::Receiver<Queued>,
    after_commit: impl Fn() + Send,
) {
    let (mut set_aside, mut last) = (0, 0);
    while let Some(first) = submissions.recv().await {
        let (group, answers) = gather(first, &mut submissions, last).await;
        last = group.len();
        let is_urgent = group.iter().any(|submission| submission.entry.is_some());
        set_aside += group.iter().map(|one| one.deltas.len()).sum::<usize>();
        let mut committing = pin!(commit(&store, group));
        match tokio::time::timeout(PATIENCE, &mut committing).await {
            Ok(outcomes) => {
                for (answer, outcome) in answers.into_iter().zip(outcomes) {
                    // A sender that hung up meanwhile has its data stored all the same.
                    let _ = answer.send(outcome);
                }
            }
            Err(_) => {
                for answer in answers {
                    let _ = answer.send(Err(WriteError::Unsettled));
                }
                refuse_until(committing, &mut submissions).await;
            }
        }
        if is_urgent || set_aside >= WORTH_A_ROUND {
            set_aside = 0;
            after_commit();
        }
    }
}

/// What waits, and where many send, as many as the `last` time or what comes within [`GATHER`].
async fn gather(
    first: Queued,
    submissions: &mut mpsc::Receiver<Queued>,
    last: usize,
) -> (Vec<Box<Submission>>, Vec<oneshot::Sender<Answer>>) {
    let began = Instant::now();
    let mut values = first.0.deltas.len();
    let (mut group, mut answers) = (vec![first.0], vec![first.1]);
    loop {
        while group.len() < GROUP && values < GROUP_VALUES {
            let Ok((submission, answer)) = submissions.try_recv() else {
                break;
            };
            values += submission.deltas.len();
            group.push(submission);
            answers.push(answer);
        }
        let is_awaited = last >= MANY && group.len() < last && values < GROUP_VALUES;
        if !is_awaited || began.elapsed() > GATHER {
            return (group, answers);
        }
        tokio::task::yield_now().await;
    }
}

/// Refuses what comes until the database answers.
async fn refuse_until(answered: impl Future, submissions: &mut mpsc::Receiver<Queued>) {
    let mut answered = pin!(answered);
    loop {
        tokio::select! {
            _ = &mut answered => return,
            Some((_, answer)) = submissions.recv() => {
                let _ = answer.send(Err(WriteError::Busy));
            }
        }
    }
}

#[expect(
    clippy::vec_box,
    reason = "they come in boxes, and to unpack them is to copy them"
)]
async fn commit(store: &Store, group: Vec<Box<Submission>>) -> Vec<Answer> {
    match attempt(store, &group).await {
        Ok(outcomes) => outcomes.into_iter().map(Ok).collect(),
        Err(error) if error.is_transient() => {
            tracing::warn!(%error, "commit failed, the senders are asked to come back");
            group.iter().map(|_| Err(WriteError::Unsettled)).collect()
        }
        // One of them may be poisoned: alone, only that one fails.
        Err(_) if group.len() > 1 => {
            let mut outcomes = Vec::with_capacity(group.len());
            for submission in group {
                outcomes.push(match attempt(store, &[submission]).await {
                    Ok(mut outcome) => outcome.pop().ok_or(WriteError::Unsettled),
                    Err(error) => Err(refusal(&error)),
                });
            }
            outcomes
        }
        Err(error) => vec![Err(refusal(&error))],
    }
}

fn refusal(error: &StoreError) -> WriteError {
    tracing::error!(%error, "submission refused by the store");
    if error.is_transient() {
        WriteError::Unsettled
    } else {
        WriteError::Refused(error.to_string())
    }
}

async fn attempt(store: &Store, group: &[Box<Submission>]) -> Result<Vec<Committed>, StoreError> {
    let mut attempt = 1;
    loop {
        match store.commit(group).await {
            Err(error) if error.is_transient() && attempt < ATTEMPTS => {
                let pause_ms = 20 * 4_u64.pow(attempt) + u64::from(rand::random::<u8>() % 20);
                tokio::time::sleep(Duration::from_millis(pause_ms)).await;
                attempt += 1;
            }
            other => return other,
        }
    }
}
