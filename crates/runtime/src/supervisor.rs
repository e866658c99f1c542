//! The root of a service: restarts its children with backoff and gives up loudly after too many
//! restarts.
//!
//! ractor reports a child's end but restarts nothing. One-for-one, as in OTP: the children share no
//! state.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::{Duration, Instant},
};

use ractor::{Actor, ActorCell, ActorId, ActorProcessingErr, ActorRef, SpawnErr, SupervisionEvent};
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

/// Restarts of one child within [`WINDOW`] after which the root gives up.
pub const MAX_RESTARTS: usize = 20;
/// The span over which restarts are counted.
pub const WINDOW: Duration = Duration::from_secs(120);

const FIRST_DELAY: Duration = Duration::from_millis(200);
const LONGEST_DELAY: Duration = Duration::from_secs(10);

/// Starts a child, linked to the given supervisor.
pub type Spawn =
    Arc<dyn Fn(ActorCell) -> futures_like::BoxFuture<Result<ActorCell, SpawnErr>> + Send + Sync>;

/// The one future type that is needed here.
pub mod futures_like {
    /// A boxed, sendable future.
    pub type BoxFuture<T> = std::pin::Pin<Box<dyn Future<Output = T> + Send>>;
}

/// How to start a child.
#[derive(Clone)]
pub struct ChildSpec {
    /// Its name in logs.
    pub name: &'static str,
    /// Starts it.
    pub spawn: Spawn,
    /// Whether it ends by itself when the service drains; the others serve these and are stopped
    /// after them.
    pub drains: bool,
}

impl ChildSpec {
    /// A child that `spawn` starts, linked to the cell that it is given.
    pub fn new<F, Fut>(name: &'static str, spawn: F) -> Self
    where
        F: Fn(ActorCell) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<ActorCell, SpawnErr>> + Send + 'static,
    {
        Self { name, spawn: Arc::new(move |cell| Box::pin(spawn(cell))), drains: true }
    }

    /// A child that serves the others: it is stopped when they have drained.
    #[must_use]
    pub fn serving(self) -> Self {
        Self { drains: false, ..self }
    }
}

/// What a root is told.
#[derive(Debug)]
pub enum RootMsg {
    /// Start this child (again).
    Start(&'static str),
}

/// What a root needs to know.
pub struct RootArgs {
    /// Its children, in the order of their start.
    pub children: Vec<ChildSpec>,
    /// Cancelled when the service drains: a child that ends then is not restarted.
    pub drain: CancellationToken,
}

/// The root actor of a service.
pub struct Root(pub &'static str);

/// The root's memory.
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
        match (child.spawn)(myself.get_cell()).await {
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
                (cell, reason.unwrap_or_else(|| "it stopped".to_owned()))
            }
            SupervisionEvent::ActorStarted(_) | SupervisionEvent::ProcessGroupChanged(_) => {
                return Ok(());
            }
        };
        let Some(name) = state.alive.remove(&cell.get_id()) else { return Ok(()) };
        if !state.args.drain.is_cancelled() {
            return self.restart(&myself, state, name, &reason);
        }
        let drains =
            |name: &&'static str| state.args.children.iter().any(|c| c.name == *name && c.drains);
        if !state.alive.values().any(drains) {
            myself.stop(Some("drained".to_owned()));
        }
        Ok(())
    }
}

impl Root {
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
                "gives up: {MAX_RESTARTS} restarts within {} s",
                WINDOW.as_secs()
            );
            return Err(format!("{}: {name} could not be kept alive: {reason}", self.0).into());
        }
        let delay = restart_delay(count);
        warn!(
            service = self.0,
            child = name,
            reason,
            delay_ms = delay.as_millis(),
            "child ended, restarting"
        );
        myself.send_after(delay, move || RootMsg::Start(name));
        Ok(())
    }
}

/// Pause before the `n`-th restart (from 1) within [`WINDOW`].
#[must_use]
pub fn restart_delay(n: usize) -> Duration {
    FIRST_DELAY
        .saturating_mul(
            2_u32.saturating_pow(u32::try_from(n.saturating_sub(1)).unwrap_or(8).min(8)),
        )
        .min(LONGEST_DELAY)
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

    #[tokio::test]
    async fn a_root_gives_up_on_a_child_that_cannot_be_kept_alive() {
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
