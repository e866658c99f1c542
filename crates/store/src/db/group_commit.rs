//! Requests of many messages in one statement: those that arrive while a batch is under way make
//! the next batch.
//!
//! A request that finds nothing under way goes out at once, so that nobody waits for a timer; under
//! load batches grow by themselves. A batch that fails on its data is repeated request by request,
//! so that the one at fault fails alone.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::oneshot;

use crate::{
    Outage, StoreError,
    db::deadline::{SHORT, within},
};

/// Requests of one batch.
const BATCH_MAX: usize = 256;

/// A statement that answers many requests.
pub(crate) trait Batch: Send + Sync + 'static {
    type Request: Send + Sync + 'static;
    type Answer: Send + 'static;

    /// The answers, in the order of the requests.
    fn run(
        &self,
        requests: &[Self::Request],
    ) -> impl Future<Output = Result<Vec<Self::Answer>, StoreError>> + Send;
}

/// The way to a batch. Cheap to clone.
pub(crate) struct GroupCommit<B: Batch>(Arc<Group<B>>);

struct Group<B: Batch> {
    batch: B,
    waiting: Mutex<Waiting<B>>,
}

struct Waiting<B: Batch> {
    requests: Vec<Pending<B>>,
    /// A task sends batch after batch until nothing waits.
    is_running: bool,
}

/// A request that waits for its batch.
struct Pending<B: Batch> {
    request: B::Request,
    reply: oneshot::Sender<Result<B::Answer, StoreError>>,
}

impl<B: Batch> Clone for GroupCommit<B> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<B: Batch> fmt::Debug for GroupCommit<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GroupCommit").finish_non_exhaustive()
    }
}

impl<B: Batch> GroupCommit<B> {
    pub(crate) fn new(batch: B) -> Self {
        let waiting = Mutex::new(Waiting { requests: Vec::new(), is_running: false });
        Self(Arc::new(Group { batch, waiting }))
    }

    /// Asks together with others; returns after the commit.
    ///
    /// # Errors
    /// As the statement itself. After an outage the whole batch has failed.
    pub(crate) async fn ask(&self, request: B::Request) -> Result<B::Answer, StoreError> {
        let (reply, answer) = oneshot::channel();
        if self.0.add(Pending { request, reply }) {
            tokio::spawn(run(Arc::clone(&self.0)));
        }
        answer.await.unwrap_or(Err(StoreError::Unavailable(Outage::BatchStopped)))
    }
}

impl<B: Batch> Group<B> {
    fn waiting(&self) -> MutexGuard<'_, Waiting<B>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether nobody sends batches, so that the caller has to.
    fn add(&self, pending: Pending<B>) -> bool {
        let mut waiting = self.waiting();
        waiting.requests.push(pending);
        !std::mem::replace(&mut waiting.is_running, true)
    }

    /// The next batch. `None`: nothing waits, and nobody sends batches from now on.
    fn next(&self) -> Option<Vec<Pending<B>>> {
        let mut waiting = self.waiting();
        let size = waiting.requests.len().min(BATCH_MAX);
        waiting.is_running = size > 0;
        waiting.is_running.then(|| waiting.requests.drain(..size).collect())
    }

    async fn answer_all(&self, batch: Vec<Pending<B>>) {
        let (requests, replies): (Vec<_>, Vec<_>) =
            batch.into_iter().map(|pending| (pending.request, pending.reply)).unzip();
        match within(SHORT, self.batch.run(&requests)).await {
            Ok(answers) => {
                for (reply, answer) in replies.into_iter().zip(answers) {
                    say(reply, Ok(answer));
                }
            }
            Err(StoreError::Unavailable(outage)) => {
                let outage = Arc::new(outage);
                for reply in replies {
                    let outage = Outage::Batch(Arc::clone(&outage));
                    say(reply, Err(StoreError::Unavailable(outage)));
                }
            }
            // Each once more, which tells the one at fault from the others.
            Err(_) => {
                for (request, reply) in requests.iter().zip(replies) {
                    say(reply, self.answer_one(request).await);
                }
            }
        }
    }

    async fn answer_one(&self, request: &B::Request) -> Result<B::Answer, StoreError> {
        let answers = within(SHORT, self.batch.run(std::slice::from_ref(request))).await?;
        let first = answers.into_iter().next();
        first.ok_or_else(|| StoreError::Unavailable(Outage::BatchStopped))
    }
}

/// Sends batch after batch until nothing waits. Each is a task of its own: one that panics fails
/// its own requests, and none that come later.
async fn run<B: Batch>(group: Arc<Group<B>>) {
    while let Some(batch) = group.next() {
        let of = Arc::clone(&group);
        if let Err(error) = tokio::spawn(async move { of.answer_all(batch).await }).await {
            tracing::error!(%error, "a batch of requests to the database stopped unexpectedly");
        }
    }
}

fn say<A>(reply: oneshot::Sender<Result<A, StoreError>>, answer: Result<A, StoreError>) {
    // Whoever asked is gone: its message is delivered again.
    let _ = reply.send(answer);
}

#[cfg(test)]
mod tests {
    use futures::future::join_all;
    use tokio::sync::Semaphore;

    use super::*;

    /// What a request says becomes of it.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    enum Request {
        Good(i32),
        Poison,
        MeetsAnOutage,
        Panics,
    }

    const MANY: usize = 1_000;

    /// Doubles numbers, one batch for each permit.
    struct Doubles {
        permits: Arc<Semaphore>,
        sizes: Arc<Mutex<Vec<usize>>>,
    }

    impl Batch for Doubles {
        type Request = Request;
        type Answer = i32;

        async fn run(&self, requests: &[Request]) -> Result<Vec<i32>, StoreError> {
            self.permits.acquire().await.unwrap().forget();
            self.sizes.lock().unwrap().push(requests.len());
            let answers = requests.iter().map(|request| match request {
                Request::Good(n) => Ok(n * 2),
                Request::Poison => Err(StoreError::Refused("on purpose".to_owned())),
                Request::MeetsAnOutage => Err(StoreError::Unavailable(Outage::NoAnswer(SHORT))),
                Request::Panics => panic!("on purpose"),
            });
            answers.collect()
        }
    }

    /// A group with as many permits.
    struct Stage {
        group: GroupCommit<Doubles>,
        permits: Arc<Semaphore>,
        sizes: Arc<Mutex<Vec<usize>>>,
    }

    impl Stage {
        fn with(permits: usize) -> Self {
            let permits = Arc::new(Semaphore::new(permits));
            let sizes = Arc::<Mutex<Vec<usize>>>::default();
            let batch = Doubles { permits: Arc::clone(&permits), sizes: Arc::clone(&sizes) };
            Self { group: GroupCommit::new(batch), permits, sizes }
        }

        /// Asks for all of these at once; from then on batches go out.
        async fn ask_all(&self, requests: &[Request]) -> Vec<Result<i32, StoreError>> {
            let all = join_all(requests.iter().map(|request| self.group.ask(*request)));
            let (answers, ()) = tokio::join!(all, async { self.permits.add_permits(MANY) });
            answers
        }

        fn sizes(&self) -> Vec<usize> {
            self.sizes.lock().unwrap().clone()
        }
    }

    #[tokio::test]
    async fn an_idle_group_sends_at_once() {
        let stage = Stage::with(2);
        for n in [1, 2] {
            assert_eq!(stage.group.ask(Request::Good(n)).await.unwrap(), n * 2);
        }
        assert_eq!(stage.sizes(), [1, 1]);
    }

    #[tokio::test]
    async fn what_arrives_meanwhile_makes_the_next_batch() {
        let stage = Stage::with(0);
        let first = stage.group.clone();
        let first = tokio::spawn(async move { first.ask(Request::Good(0)).await });
        // It is under way when its permit is asked for.
        while stage.group.0.waiting().requests.len() + stage.sizes().len() > 0
            || !stage.group.0.waiting().is_running
        {
            tokio::task::yield_now().await;
        }
        let others: Vec<_> = (1..=600).map(Request::Good).collect();
        let answers = stage.ask_all(&others).await.into_iter().map(Result::unwrap);
        assert_eq!(answers.collect::<Vec<_>>(), (1..=600).map(|n| n * 2).collect::<Vec<_>>());
        first.await.unwrap().unwrap();
        assert_eq!(stage.sizes(), [1, BATCH_MAX, BATCH_MAX, 600 - 2 * BATCH_MAX]);
    }

    #[tokio::test]
    async fn one_poison_request_fails_alone() {
        let stage = Stage::with(0);
        let requests = [Request::Good(1), Request::Poison, Request::Good(2)];
        let answers = stage.ask_all(&requests).await;
        assert!(matches!(answers[..], [Ok(2), Err(StoreError::Refused(_)), Ok(4)]), "{answers:?}");
    }

    #[tokio::test]
    async fn an_outage_fails_its_batch_and_the_next_one_works() {
        let stage = Stage::with(0);
        let answers = stage.ask_all(&[Request::Good(1), Request::MeetsAnOutage]).await;
        let failed = |answer| matches!(answer, &Err(StoreError::Unavailable(Outage::Batch(_))));
        assert!(answers.iter().all(failed), "{answers:?}");
        assert_eq!(stage.group.ask(Request::Good(3)).await.unwrap(), 6);
    }

    #[tokio::test]
    async fn a_batch_that_panics_fails_its_own_requests_only() {
        let stage = Stage::with(MANY);
        let panicked = stage.group.ask(Request::Panics).await;
        let stopped = StoreError::Unavailable(Outage::BatchStopped);
        assert_eq!(panicked.unwrap_err().to_string(), stopped.to_string());
        assert_eq!(stage.group.ask(Request::Good(3)).await.unwrap(), 6);
    }
}
