//! The faults: chosen by dice, injected, taken back, told.

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
            Self::KillService | Self::KillAll | Self::Term | Self::Stop => {
                return self.on_services(scene, dice).await;
            }
            Self::KillNats | Self::DeleteStore | Self::LoseBoth => {
                self.on_the_broker(scene, (dice, secs)).await
            }
            Self::KillLeader | Self::StopLeader | Self::StepDown | Self::LoseCopy => {
                return self.on_a_leader(scene, (dice, secs)).await;
            }
            Self::KillPostgres => {
                scene.postgres.kill().await.unwrap();
                scene.wait(secs).await;
                scene.postgres.restart().await.unwrap();
            }
            Self::Orphans => scene.oracle.leave_orphans().await,
            Self::SilentNats => scene.broker.silence(),
            Self::SilentPostgres => scene.to_postgres.silence(),
            Self::CutNats => scene.broker.cut(),
            Self::CutPostgres => scene.to_postgres.cut(),
            Self::DelayNats => {
                scene.nats_mode(Mode::Delay(Duration::from_millis(50 + dice.roll(250))), secs).await
            }
            Self::DelayPostgres => {
                scene
                    .postgres_mode(Mode::Delay(Duration::from_millis(20 + dice.roll(100))), secs)
                    .await
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
            Self::Outage => {
                scene.sim.control().outage(secs);
                scene.wait(secs).await;
            }
            Self::Storm => {
                scene.upstream(Faults { http_429: 1.0, ..Faults::default() }, secs).await
            }
            Self::Slow => {
                scene.sim.control().set_latency(Duration::from_millis(800));
                scene.wait(secs).await;
                scene.sim.control().set_latency(Duration::ZERO);
            }
            Self::Truncated => {
                scene.oracle.spoiled_answers.store(true, Ordering::Relaxed);
                scene
                    .upstream(
                        Faults { truncated: 0.2, invalid_json: 0.1, ..Faults::default() },
                        secs,
                    )
                    .await;
            }
            Self::ClockStep => {
                let (n, name) = one_of(scene, dice);
                let step = if dice.roll(2) == 0 { 300 } else { -300 };
                fs::write(scene.fleet.clock_file(n), step.to_string()).unwrap();
                scene.wait(secs).await;
                fs::write(scene.fleet.clock_file(n), "0").unwrap();
                return format!("{name} by {step} s");
            }
        }
        String::new()
    }

    async fn on_the_broker(self, scene: &mut Scene, (dice, secs): (&mut Dice, Duration)) {
        if self == Self::KillNats {
            let n = usize::try_from(dice.roll(scene.broker.servers.len() as u64)).unwrap();
            scene.broker.servers[n].kill().await.unwrap();
            scene.wait(secs).await;
            return scene.broker.servers[n].restart().await.unwrap();
        }
        if self != Self::DeleteStore {
            (0..scene.fleet.replicas.len()).for_each(|n| scene.fleet.kill(n));
        }
        scene.broker.servers[0].delete_store().await.unwrap();
        scene.oracle.store_is_gone().await;
        scene.wait(Duration::from_millis(500)).await;
        scene.broker.servers[0].restart().await.unwrap();
        (0..scene.fleet.replicas.len()).for_each(|n| scene.fleet.release(n));
    }

    /// Of a cluster; returns which stream's leader it was.
    async fn on_a_leader(self, scene: &mut Scene, (dice, secs): (&mut Dice, Duration)) -> String {
        let stream = Broker::any_stream(dice);
        // Copies that lag behind are what an operator waits for before the next server goes; so
        // does this.
        scene.until_caught_up().await;
        let Some(n) = scene.broker.leader(stream).await else {
            return format!("{stream} has no leader; nothing done");
        };
        #[expect(clippy::wildcard_enum_match_arm, reason = "its caller names the four")]
        match self {
            Self::StepDown => scene.broker.step_down(stream).await,
            Self::StopLeader => {
                let pid = Pid::from_raw(scene.broker.servers[n].pid()).unwrap();
                kill_process(pid, Signal::STOP).unwrap();
                scene.wait(STOPPED).await;
                kill_process(pid, Signal::CONT).unwrap();
            }
            Self::LoseCopy => {
                scene.broker.servers[n].delete_store().await.unwrap();
                scene.wait(secs).await;
                scene.broker.servers[n].restart().await.unwrap();
            }
            _ => {
                scene.broker.servers[n].kill().await.unwrap();
                scene.wait(secs).await;
                scene.broker.servers[n].restart().await.unwrap();
            }
        }
        format!("{stream}, server {n}")
    }

    async fn on_services(self, scene: &mut Scene, dice: &mut Dice) -> String {
        let (n, name) = one_of(scene, dice);
        let away = Duration::from_millis(dice.roll(2_000));
        #[expect(clippy::wildcard_enum_match_arm, reason = "its caller names the four")]
        match self {
            Self::Term => {
                let code = scene.fleet.terminate(n, DRAIN_GRACE).await;
                scene.fleet.release(n);
                if code != Some(0) {
                    scene.violations.push(format!("{name} ended a SIGTERM with {code:?}"));
                }
                format!("{name}, exit code {code:?}")
            }
            Self::Stop => {
                scene.fleet.signal(n, Signal::STOP);
                scene.wait(STOPPED).await;
                scene.fleet.signal(n, Signal::CONT);
                name
            }
            Self::KillAll => {
                (0..scene.fleet.replicas.len()).for_each(|n| scene.fleet.kill(n));
                scene.wait(away).await;
                (0..scene.fleet.replicas.len()).for_each(|n| scene.fleet.release(n));
                String::new()
            }
            _ => {
                scene.fleet.kill(n);
                scene.wait(away).await;
                scene.fleet.release(n);
                name
            }
        }
    }
}

fn one_of(scene: &Scene, dice: &mut Dice) -> (usize, String) {
    let n = usize::try_from(dice.roll(scene.fleet.replicas.len() as u64)).unwrap();
    (n, scene.fleet.replicas[n].name.clone())
}
