//! The faults: chosen by dice, injected, taken back, reported.

use std::{fs, sync::atomic::Ordering, time::Duration};

use rustix::process::{Pid, Signal, kill_process};
use tests::{Dice, Mode};
use tmdb_sim::Faults;

use crate::{broker::Broker, scene::Scene};

/// Longer than `ack_wait` (6 s): the work is delivered to another meanwhile, then the zombie wakes
/// up with it.
const STOPPED: Duration = Duration::from_secs(11);
const DRAIN_GRACE: Duration = Duration::from_secs(30);

macro_rules! faults {
    ($($name:ident = $words:literal),+ $(,)?) => {
        /// What can go wrong.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub(crate) enum Fault { $($name),+ }

        impl Fault {
            const ALL: &[Self] = &[$(Self::$name),+];

            pub(crate) const fn words(self) -> &'static str {
                match self { $(Self::$name => $words),+ }
            }
        }
    };
}
faults! {
    KillService = "kill -9 of a service",
    KillAll = "kill -9 of all services",
    Term = "SIGTERM of a service",
    Stop = "SIGSTOP for 11 s, then SIGCONT",
    KillNats = "kill -9 of nats-server",
    DeleteStore = "loss of the JetStream store",
    LoseBoth = "all services and the JetStream store lost at once",
    KillPostgres = "kill -9 of Postgres",
    CutNats = "connections to NATS cut",
    CutPostgres = "connections to Postgres cut",
    DelayNats = "NATS answers late",
    DelayPostgres = "Postgres answers late",
    HoldNats = "black hole to NATS",
    HoldPostgres = "black hole to Postgres",
    HalfNats = "answers of NATS held",
    HalfPostgres = "answers of Postgres held",
    LoseNats = "what is sent to NATS lost, then cut",
    DiskFull = "JetStream full",
    Outage = "TMDB down",
    Storm = "storm of 429",
    Slow = "TMDB slow",
    Truncated = "TMDB bodies truncated",
    ClockStep = "clock of a process stepped",
    SilentNats = "connections to NATS silent for good",
    SilentPostgres = "connections to Postgres silent for good",
    KillLeader = "kill -9 of a stream's leader",
    StopLeader = "SIGSTOP of a stream's leader for 11 s",
    StepDown = "a stream's leader steps down",
    LoseCopy = "a stream's leader loses its store",
    Orphans = "queue rows of workers that vanished with their messages",
}

/// Only a cluster has leaders and copies.
const OF_A_CLUSTER: &[Fault] =
    &[Fault::KillLeader, Fault::StopLeader, Fault::StepDown, Fault::LoseCopy];
/// What no other fault brings about by itself: it is for the hunt.
const OF_THE_HUNT: &[Fault] = &[Fault::Orphans];
/// What no cluster survives without loss: the stores of all its servers are gone.
const OF_A_LONE_SERVER: &[Fault] = &[Fault::DeleteStore, Fault::LoseBoth];

impl Fault {
    /// What can go wrong with one server, or with a cluster of several.
    pub(crate) fn kinds(servers: usize) -> Vec<Self> {
        let foreign = if servers == 1 { OF_A_CLUSTER } else { OF_A_LONE_SERVER };
        Self::ALL
            .iter()
            .copied()
            .filter(|fault| !foreign.contains(fault) && !OF_THE_HUNT.contains(fault))
            .collect()
    }

    /// How soon all is whole again, by docs/reliability.md.
    pub(crate) const fn promised(self) -> Duration {
        let secs = if matches!(self, Self::KillService | Self::KillPostgres) {
            10
        } else if matches!(self, Self::DeleteStore | Self::LoseBoth) {
            30
        } else {
            60
        };
        Duration::from_secs(secs)
    }

    /// Whether that counts from the fault itself: what dies is missed from then on. Otherwise from
    /// its end.
    pub(crate) const fn counts_from_its_begin(self) -> bool {
        matches!(
            self,
            Self::KillService
                | Self::KillAll
                | Self::DeleteStore
                | Self::LoseBoth
                | Self::KillLeader
                | Self::LoseCopy
        )
    }

    /// Does it and takes it back; returns what was done, for the timeline.
    pub(crate) async fn inject(self, scene: &mut Scene, dice: &mut Dice) -> String {
        let secs = Duration::from_secs(2 + dice.roll(4));
        match self {
            Self::KillService => return kill_service(scene, dice).await,
            Self::KillAll => kill_all(scene, dice).await,
            Self::Term => return terminate(scene, dice).await,
            Self::Stop => return freeze(scene, dice).await,
            Self::KillNats => kill_nats(scene, dice, secs).await,
            Self::DeleteStore => delete_store(scene).await,
            Self::LoseBoth => lose_services_and_store(scene).await,
            Self::KillLeader => return in_words(kill_leader(scene, dice, secs).await),
            Self::StopLeader => return in_words(freeze_leader(scene, dice).await),
            Self::StepDown => return in_words(depose_leader(scene, dice).await),
            Self::LoseCopy => return in_words(lose_copy(scene, dice, secs).await),
            Self::KillPostgres => kill_postgres(scene, secs).await,
            Self::Orphans => scene.oracle.leave_orphans().await,
            Self::SilentNats => scene.broker.silence(),
            Self::SilentPostgres => scene.to_postgres.silence(),
            Self::CutNats => scene.broker.cut(),
            Self::CutPostgres => scene.to_postgres.cut(),
            Self::DelayNats => {
                let delay = Duration::from_millis(50 + dice.roll(250));
                scene.nats_mode(Mode::Delay(delay), secs).await;
            }
            Self::DelayPostgres => {
                let delay = Duration::from_millis(20 + dice.roll(100));
                scene.postgres_mode(Mode::Delay(delay), secs).await;
            }
            Self::HoldNats => scene.nats_mode(Mode::Hold, secs * 2).await,
            Self::HoldPostgres => scene.postgres_mode(Mode::Hold, secs * 2).await,
            Self::HalfNats => scene.nats_mode(Mode::Half, secs * 2).await,
            Self::HalfPostgres => scene.postgres_mode(Mode::Half, secs * 2).await,
            Self::LoseNats => {
                scene.nats_mode(Mode::Lose, secs).await;
                scene.broker.cut();
            }
            Self::DiskFull => scene.full_streams(secs).await,
            Self::Outage => outage(scene, secs).await,
            Self::Storm => {
                scene.upstream(Faults { http_429: 1.0, ..Faults::default() }, secs).await;
            }
            Self::Slow => slow_answers(scene, secs).await,
            Self::Truncated => spoiled_answers(scene, secs).await,
            Self::ClockStep => return step_clock(scene, dice, secs).await,
        }
        String::new()
    }
}

/// A replica, chosen by dice.
struct Chosen {
    number: usize,
    name: String,
}

fn one_of(scene: &Scene, dice: &mut Dice) -> Chosen {
    let number = usize::try_from(dice.roll(scene.fleet.replicas.len() as u64)).unwrap();
    Chosen { number, name: scene.fleet.replicas[number].name.clone() }
}

/// How long somebody who was killed stays away.
fn away(dice: &mut Dice) -> Duration {
    Duration::from_millis(dice.roll(2_000))
}

async fn kill_service(scene: &mut Scene, dice: &mut Dice) -> String {
    let Chosen { number, name } = one_of(scene, dice);
    let away = away(dice);
    scene.fleet.kill(number);
    scene.wait(away).await;
    scene.fleet.release(number);
    name
}

async fn kill_all(scene: &mut Scene, dice: &mut Dice) {
    let away = away(dice);
    scene.fleet.kill_all();
    scene.wait(away).await;
    scene.fleet.release_all();
}

async fn terminate(scene: &mut Scene, dice: &mut Dice) -> String {
    let Chosen { number, name } = one_of(scene, dice);
    let code = scene.fleet.terminate(number, DRAIN_GRACE).await;
    scene.fleet.release(number);
    if code != Some(0) {
        scene.violations.push(format!("{name} ended a SIGTERM with {code:?}"));
    }
    format!("{name}, exit code {code:?}")
}

async fn freeze(scene: &mut Scene, dice: &mut Dice) -> String {
    let Chosen { number, name } = one_of(scene, dice);
    scene.fleet.signal(number, Signal::STOP);
    scene.wait(STOPPED).await;
    scene.fleet.signal(number, Signal::CONT);
    name
}

async fn kill_nats(scene: &mut Scene, dice: &mut Dice, secs: Duration) {
    let n = usize::try_from(dice.roll(scene.broker.servers.len() as u64)).unwrap();
    scene.broker.servers[n].kill().await.unwrap();
    scene.wait(secs).await;
    scene.broker.servers[n].restart().await.unwrap();
}

async fn delete_store(scene: &mut Scene) {
    scene.broker.servers[0].delete_store().await.unwrap();
    scene.oracle.store_is_gone().await;
    scene.wait(Duration::from_millis(500)).await;
    scene.broker.servers[0].restart().await.unwrap();
}

async fn lose_services_and_store(scene: &mut Scene) {
    scene.fleet.kill_all();
    delete_store(scene).await;
    scene.fleet.release_all();
}

async fn kill_postgres(scene: &mut Scene, secs: Duration) {
    scene.postgres.kill().await.unwrap();
    scene.wait(secs).await;
    scene.postgres.restart().await.unwrap();
}

/// The server that leads a stream, of a cluster.
struct Leader {
    stream: &'static str,
    server: usize,
}

/// A stream without a leader: nothing was done.
struct NoLeader {
    stream: &'static str,
}

/// What was done to a leader.
type Done = Result<String, NoLeader>;

fn in_words(done: Done) -> String {
    done.unwrap_or_else(|NoLeader { stream }| format!("{stream} has no leader; nothing done"))
}

impl Leader {
    /// Copies that lag behind are what an operator waits for before the next server goes; so does
    /// this.
    async fn find(scene: &mut Scene, dice: &mut Dice) -> Result<Self, NoLeader> {
        let stream = Broker::any_stream(dice);
        scene.until_caught_up().await;
        match scene.broker.leader(stream).await {
            Some(server) => Ok(Self { stream, server }),
            None => Err(NoLeader { stream }),
        }
    }

    fn in_words(&self) -> String {
        format!("{}, server {}", self.stream, self.server)
    }
}

async fn kill_leader(scene: &mut Scene, dice: &mut Dice, secs: Duration) -> Done {
    let leader = Leader::find(scene, dice).await?;
    scene.broker.servers[leader.server].kill().await.unwrap();
    scene.wait(secs).await;
    scene.broker.servers[leader.server].restart().await.unwrap();
    Ok(leader.in_words())
}

async fn freeze_leader(scene: &mut Scene, dice: &mut Dice) -> Done {
    let leader = Leader::find(scene, dice).await?;
    let pid = Pid::from_raw(scene.broker.servers[leader.server].pid()).unwrap();
    kill_process(pid, Signal::STOP).unwrap();
    scene.wait(STOPPED).await;
    kill_process(pid, Signal::CONT).unwrap();
    Ok(leader.in_words())
}

async fn depose_leader(scene: &mut Scene, dice: &mut Dice) -> Done {
    let leader = Leader::find(scene, dice).await?;
    scene.broker.step_down(leader.stream).await;
    Ok(leader.in_words())
}

async fn lose_copy(scene: &mut Scene, dice: &mut Dice, secs: Duration) -> Done {
    let leader = Leader::find(scene, dice).await?;
    scene.broker.servers[leader.server].delete_store().await.unwrap();
    scene.wait(secs).await;
    scene.broker.servers[leader.server].restart().await.unwrap();
    Ok(leader.in_words())
}

async fn outage(scene: &mut Scene, secs: Duration) {
    scene.sim.control().outage(secs);
    scene.wait(secs).await;
}

async fn slow_answers(scene: &mut Scene, secs: Duration) {
    scene.sim.control().set_latency(Duration::from_millis(800));
    scene.wait(secs).await;
    scene.sim.control().set_latency(Duration::ZERO);
}

async fn spoiled_answers(scene: &mut Scene, secs: Duration) {
    scene.oracle.spoiled_answers.store(true, Ordering::Relaxed);
    let faults = Faults { truncated: 0.2, invalid_json: 0.1, ..Faults::default() };
    scene.upstream(faults, secs).await;
}

async fn step_clock(scene: &mut Scene, dice: &mut Dice, secs: Duration) -> String {
    let Chosen { number, name } = one_of(scene, dice);
    let step = if dice.roll(2) == 0 { 300 } else { -300 };
    fs::write(scene.fleet.clock_file(number), step.to_string()).unwrap();
    scene.wait(secs).await;
    fs::write(scene.fleet.clock_file(number), "0").unwrap();
    format!("{name} by {step} s")
}
