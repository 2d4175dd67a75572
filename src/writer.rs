//! Group commit: everything queued goes to disk in one transaction, then everyone is answered.
//!
//! A lone submission is committed at once; while a commit runs, others queue and form the next group. So groups grow
//! with the load. Only where many send a group waits for a fraction of a commit's time, so that there are fewer. Where the
//! database commits several transactions at the same time, two groups are under way: while one waits for the disk the other
//! is read and sent.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::{Mutex, Notify, mpsc, oneshot};
use tokio::task::JoinSet;

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
/// So many submissions, or values in them, are worth a commit beside another; fewer wait for its end and cost one together.
const WORTH_A_COMMIT: usize = 128;
const WORTH_A_COMMIT_VALUES: usize = 50_000;
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
        after_commit: impl Fn() + Send + Sync + 'static,
    ) -> (Writer, tokio::task::JoinHandle<()>) {
        let (queue, submissions) = mpsc::channel(QUEUE);
        let lanes = store.commits_at_once();
        let incoming = Arc::new(Mutex::new(Incoming {
            submissions,
            last: vec![0; lanes],
            under_way: Arc::default(),
        }));
        let fold = Arc::new(Hint {
            set_aside: AtomicUsize::new(0),
            after_commit,
        });
        let mut running: JoinSet<()> = (0..lanes)
            .map(|lane| run(store.clone(), incoming.clone(), lane, fold.clone()))
            .collect();
        let task = tokio::spawn(async move { while running.join_next().await.is_some() {} });
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

/// What waits for a commit, and what is known of those before.
#[derive(Debug)]
struct Incoming {
    submissions: mpsc::Receiver<Queued>,
    /// How many were in the last group of each lane.
    last: Vec<usize>,
    under_way: Arc<UnderWay>,
}

/// Commits under way whose end is awaited.
#[derive(Debug, Default)]
struct UnderWay {
    count: AtomicUsize,
    ended: Notify,
}

/// One of them; over when dropped.
#[derive(Debug)]
struct Under(Arc<UnderWay>);

impl UnderWay {
    fn begin(self: &Arc<UnderWay>) -> Under {
        self.count.fetch_add(1, Ordering::Relaxed);
        Under(self.clone())
    }
}

impl Drop for Under {
    fn drop(&mut self) {
        self.0.count.fetch_sub(1, Ordering::Relaxed);
        self.0.ended.notify_one();
    }
}

/// Tells the fold that there is something to do.
#[derive(Debug)]
struct Hint<F> {
    /// Measurements committed since it was told.
    set_aside: AtomicUsize,
    after_commit: F,
}

impl<F: Fn()> Hint<F> {
    /// After a commit of so many measurements.
    fn committed(&self, measurements: usize, is_urgent: bool) {
        let set_aside = self.set_aside.fetch_add(measurements, Ordering::Relaxed) + measurements;
        if is_urgent || set_aside >= WORTH_A_ROUND {
            self.set_aside.store(0, Ordering::Relaxed);
            (self.after_commit)();
        }
    }
}

/// One lane: gathers a group, commits it and answers, while the others do so with theirs.
async fn run(
    store: Store,
    incoming: Arc<Mutex<Incoming>>,
    lane: usize,
    fold: Arc<Hint<impl Fn()>>,
) {
    loop {
        let Some((group, under)) = incoming.lock().await.gather(lane).await else {
            return;
        };
        let Group {
            submissions,
            answers,
            measurements,
            ..
        } = group;
        let is_urgent = submissions.iter().any(|one| one.entry.is_some());
        let mut committing = pin!(commit(&store, submissions));
        let committed = tokio::time::timeout(PATIENCE, &mut committing).await;
        // One that is silent nobody waits for.
        drop(under);
        match committed {
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
                tokio::select! {
                    _ = &mut committing => {}
                    () = refuse(&incoming) => { committing.await; }
                }
            }
        }
        fold.committed(measurements, is_urgent);
    }
}

impl Incoming {
    /// What waits, and where many send, as many as there were lately or what comes within [`GATHER`]; as long as another
    /// commit is under way only what is worth one beside it. Nothing once all handles are gone.
    async fn gather(&mut self, lane: usize) -> Option<(Group, Under)> {
        let mut group = Group::default();
        group.push(self.submissions.recv().await?);
        let expected = self.last.iter().sum::<usize>() / self.last.len();
        let mut began = None;
        loop {
            while group.has_room() {
                let Ok(submission) = self.submissions.try_recv() else {
                    break;
                };
                group.push(submission);
            }
            if !group.is_worth_a_commit() && self.under_way.count.load(Ordering::Relaxed) > 0 {
                tokio::select! {
                    Some(submission) = self.submissions.recv() => group.push(submission),
                    () = self.under_way.ended.notified() => {}
                }
                continue;
            }
            let began = *began.get_or_insert_with(Instant::now);
            let is_awaited =
                expected >= MANY && group.submissions.len() < expected && group.has_room();
            if !is_awaited || began.elapsed() > GATHER {
                self.last[lane] = group.submissions.len();
                return Some((group, self.under_way.begin()));
            }
            tokio::task::yield_now().await;
        }
    }
}

/// Submissions of one commit, and who waits for them.
#[derive(Debug, Default)]
struct Group {
    #[expect(
        clippy::vec_box,
        reason = "they come in boxes, and to unpack them is to copy them"
    )]
    submissions: Vec<Box<Submission>>,
    answers: Vec<oneshot::Sender<Answer>>,
    measurements: usize,
    values: usize,
}

impl Group {
    fn push(&mut self, (submission, answer): Queued) {
        self.measurements += submission.deltas.len();
        let numbers = submission.deltas.iter().map(|delta| delta.values.numbers());
        self.values += numbers.sum::<usize>();
        self.submissions.push(submission);
        self.answers.push(answer);
    }

    fn has_room(&self) -> bool {
        self.submissions.len() < GROUP && self.values < GROUP_VALUES
    }

    fn is_worth_a_commit(&self) -> bool {
        self.submissions.len() >= WORTH_A_COMMIT || self.values >= WORTH_A_COMMIT_VALUES
    }
}

/// Refuses what comes, until all handles are gone.
async fn refuse(incoming: &Mutex<Incoming>) {
    let mut incoming = incoming.lock().await;
    while let Some((_, answer)) = incoming.submissions.recv().await {
        let _ = answer.send(Err(WriteError::Busy));
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
