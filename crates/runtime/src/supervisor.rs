//! The root actor of a service: starts the service's children and restarts those that end.
//!
//! ractor reports a child's end but restarts nothing. Here a child that ended is restarted alone,
//! with a growing delay (one for one, as OTP calls it: the children share no state). A child that
//! ends more than `MAX_RESTARTS` times within `WINDOW` ends the root with an error, and the
//! process with it. While the service drains nothing is restarted, and the root ends with the last
//! child that has work to finish.

use std::{
    collections::{HashMap, VecDeque},
    pin::Pin,
    sync::Arc,
    time::{Duration, Instant},
};

use ractor::{Actor, ActorCell, ActorId, ActorProcessingErr, ActorRef, SpawnErr, SupervisionEvent};
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

/// Restarts of one child within `WINDOW` that the root accepts.
const MAX_RESTARTS: usize = 20;
/// The span over which restarts are counted.
const WINDOW: Duration = Duration::from_secs(120);

const FIRST_DELAY: Duration = Duration::from_millis(200);
const LONGEST_DELAY: Duration = Duration::from_secs(10);

type Start = Pin<Box<dyn Future<Output = Result<ActorCell, SpawnErr>> + Send>>;

/// How to start a child.
#[derive(Clone)]
pub struct ChildSpec {
    /// Shown in logs.
    name: &'static str,
    /// Starts it, linked to the given supervisor.
    start: Arc<dyn Fn(ActorCell) -> Start + Send + Sync>,
    /// Whether it ends by itself when the service drains.
    drains: bool,
}

impl ChildSpec {
    /// A child that `start` starts. It has to be linked to the supervisor that it is given.
    pub fn new<F, Fut>(name: &'static str, start: F) -> Self
    where
        F: Fn(ActorCell) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<ActorCell, SpawnErr>> + Send + 'static,
    {
        let start = move |supervisor| Box::pin(start(supervisor)) as Start;
        Self { name, start: Arc::new(start), drains: true }
    }

    /// A child that is one actor. Each start makes a new actor and gives it a clone of `args`.
    pub fn actor<A>(
        name: &'static str,
        new_actor: impl Fn() -> A + Send + Sync + 'static,
        args: A::Arguments,
    ) -> Self
    where
        A: Actor,
        A::Arguments: Clone + Sync,
    {
        Self::new(name, move |supervisor| {
            let starting = Actor::spawn_linked(None, new_actor(), args.clone(), supervisor);
            async move { starting.await.map(|(child, _)| child.get_cell()) }
        })
    }

    /// A child that serves the others: it does not end by itself when the service drains, and is
    /// stopped after those that do.
    #[must_use]
    pub fn serving(self) -> Self {
        Self { drains: false, ..self }
    }
}

/// A message to a root.
#[derive(Debug)]
pub enum RootMsg {
    /// Start the child of this name, or start it again.
    Start(&'static str),
}

/// What a root is started with.
pub struct RootArgs {
    /// In the order of their start.
    pub children: Vec<ChildSpec>,
    /// Cancelled when the service drains: a child that ends then is not restarted.
    pub drain: CancellationToken,
}

/// The root actor of the service of this name.
pub struct Root(pub &'static str);

/// The children of a root and when they were restarted.
pub struct RootState {
    args: RootArgs,
    alive: HashMap<ActorId, &'static str>,
    restarts: HashMap<&'static str, VecDeque<Instant>>,
}

impl Actor for Root {
    type Msg = RootMsg;
    type State = RootState;
    type Arguments = RootArgs;

    async fn pre_start(
        &self,
        myself: ActorRef<RootMsg>,
        args: RootArgs,
    ) -> Result<RootState, ActorProcessingErr> {
        for child in &args.children {
            myself.cast(RootMsg::Start(child.name))?;
        }
        Ok(RootState { args, alive: HashMap::new(), restarts: HashMap::new() })
    }

    async fn handle(
        &self,
        myself: ActorRef<RootMsg>,
        message: RootMsg,
        state: &mut RootState,
    ) -> Result<(), ActorProcessingErr> {
        let RootMsg::Start(name) = message;
        let Some(child) = state.args.children.iter().find(|c| c.name == name).cloned() else {
            return Ok(());
        };
        if state.args.drain.is_cancelled() {
            return Ok(());
        }
        match (child.start)(myself.get_cell()).await {
            Ok(cell) => {
                state.alive.insert(cell.get_id(), name);
                Ok(())
            }
            Err(reason) => self.restart(&myself, state, name, &reason.to_string()),
        }
    }

    async fn handle_supervisor_evt(
        &self,
        myself: ActorRef<RootMsg>,
        event: SupervisionEvent,
        state: &mut RootState,
    ) -> Result<(), ActorProcessingErr> {
        let (cell, reason) = match event {
            SupervisionEvent::ActorFailed(cell, reason) => (cell, reason.to_string()),
            SupervisionEvent::ActorTerminated(cell, _, reason) => {
                (cell, reason.unwrap_or_else(|| "it stopped without a reason".to_owned()))
            }
            SupervisionEvent::ActorStarted(_) | SupervisionEvent::ProcessGroupChanged(_) => {
                return Ok(());
            }
        };
        let Some(name) = state.alive.remove(&cell.get_id()) else { return Ok(()) };
        if !state.args.drain.is_cancelled() {
            return self.restart(&myself, state, name, &reason);
        }
        if !state.is_draining() {
            myself.stop(Some("drained".to_owned()));
        }
        Ok(())
    }
}

impl RootState {
    /// Whether a child still has work to finish.
    fn is_draining(&self) -> bool {
        let children = &self.args.children;
        self.alive.values().any(|name| children.iter().any(|c| c.name == *name && c.drains))
    }
}

impl Root {
    /// Starts a child again after a delay.
    ///
    /// # Errors
    /// When it was restarted too often.
    fn restart(
        &self,
        myself: &ActorRef<RootMsg>,
        state: &mut RootState,
        name: &'static str,
        reason: &str,
    ) -> Result<(), ActorProcessingErr> {
        let restarts = state.restarts.entry(name).or_default();
        restarts.retain(|at| at.elapsed() < WINDOW);
        restarts.push_back(Instant::now());
        let count = restarts.len();
        if count > MAX_RESTARTS {
            error!(
                service = self.0,
                child = name,
                reason,
                "the service ends: this child was restarted {MAX_RESTARTS} times within {} s \
                 and ended again",
                WINDOW.as_secs()
            );
            return Err(format!("{}: {name} ended too often: {reason}", self.0).into());
        }
        let delay = restart_delay(count);
        warn!(
            service = self.0,
            child = name,
            reason,
            delay_ms = delay.as_millis(),
            "child ended, it is restarted"
        );
        myself.send_after(delay, move || RootMsg::Start(name));
        Ok(())
    }
}

/// The delay before the `n`-th restart (from 1): it doubles up to 10 s.
#[must_use]
pub fn restart_delay(n: usize) -> Duration {
    // More doublings change nothing, because the longest delay is reached.
    let doublings = u32::try_from(n.saturating_sub(1)).unwrap_or(8).min(8);
    FIRST_DELAY.saturating_mul(2_u32.pow(doublings)).min(LONGEST_DELAY)
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[test]
    fn delays_double_up_to_the_longest() {
        for (n, ms) in [(1, 200), (2, 400), (3, 800), (6, 6_400), (7, 10_000), (1_000, 10_000)] {
            assert_eq!(restart_delay(n), Duration::from_millis(ms), "restart {n}");
        }
    }

    /// Ends with an error at the first message.
    struct Fragile;

    impl Actor for Fragile {
        type Msg = ();
        type State = ();
        type Arguments = ();

        async fn pre_start(&self, _: ActorRef<()>, (): ()) -> Result<(), ActorProcessingErr> {
            Ok(())
        }

        async fn handle(
            &self,
            _: ActorRef<()>,
            (): (),
            (): &mut (),
        ) -> Result<(), ActorProcessingErr> {
            Err("on purpose".into())
        }
    }

    /// A child that notes each of its starts.
    fn child(name: &'static str, started: &Arc<Mutex<Vec<ActorRef<()>>>>) -> ChildSpec {
        let started = Arc::clone(started);
        ChildSpec::new(name, move |root| {
            let started = Arc::clone(&started);
            async move {
                let (child, _) = Actor::spawn_linked(None, Fragile, (), root).await?;
                started.lock().unwrap().push(child.clone());
                Ok(child.get_cell())
            }
        })
    }

    async fn until(what: &str, condition: impl Fn() -> bool) {
        for _ in 0..2_000 {
            if condition() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("never: {what}");
    }

    #[tokio::test]
    async fn one_actor_is_started_again_and_its_neighbour_is_left_alone() {
        let (fragile, steady) = (Arc::default(), Arc::default());
        let children = vec![child("fragile", &fragile), child("steady", &steady)];
        let args = RootArgs { children, drain: CancellationToken::new() };
        let (root, ended) = Actor::spawn(None, Root("test"), args).await.unwrap();
        let starts = |of: &Arc<Mutex<Vec<ActorRef<()>>>>| of.lock().unwrap().len();
        until("both start", || starts(&fragile) == 1 && starts(&steady) == 1).await;
        let first = fragile.lock().unwrap().last().unwrap().clone();
        first.cast(()).unwrap();
        until("a second start", || starts(&fragile) == 2).await;
        assert_eq!(starts(&steady), 1);
        root.stop(None);
        ended.await.unwrap();
    }

    /// Reports each of its starts to its arguments.
    struct Starter;

    impl Actor for Starter {
        type Msg = ();
        type State = ();
        type Arguments = Arc<Mutex<Vec<ActorRef<()>>>>;

        async fn pre_start(
            &self,
            myself: ActorRef<()>,
            started: Self::Arguments,
        ) -> Result<(), ActorProcessingErr> {
            started.lock().unwrap().push(myself);
            Ok(())
        }
    }

    #[tokio::test]
    async fn a_restarted_actor_gets_the_same_arguments() {
        let started: Arc<Mutex<Vec<ActorRef<()>>>> = Arc::default();
        let children = vec![ChildSpec::actor("starter", || Starter, Arc::clone(&started))];
        let args = RootArgs { children, drain: CancellationToken::new() };
        let (root, ended) = Actor::spawn(None, Root("test"), args).await.unwrap();
        until("a first start", || started.lock().unwrap().len() == 1).await;
        let first = started.lock().unwrap().last().unwrap().clone();
        first.stop(None);
        until("a second start", || started.lock().unwrap().len() == 2).await;
        root.stop(None);
        ended.await.unwrap();
    }

    #[tokio::test]
    async fn a_child_that_ends_too_often_ends_the_root() {
        let mut state = RootState {
            args: RootArgs { children: Vec::new(), drain: CancellationToken::new() },
            alive: HashMap::new(),
            restarts: HashMap::new(),
        };
        let (myself, _) = Actor::spawn(None, Fragile, ()).await.unwrap();
        let myself: ActorRef<RootMsg> = myself.get_cell().into();
        for _ in 0..MAX_RESTARTS {
            Root("test").restart(&myself, &mut state, "child", "it ended").unwrap();
        }
        assert!(Root("test").restart(&myself, &mut state, "child", "it ended").is_err());
    }
}
