//! The faults: chosen by dice, injected, taken back, told.

use std::{fs, time::Duration};

use rustix::process::Signal;
use tests::Dice;
use tmdb_sim::Faults;

use crate::{proxy::Mode, scene::Scene};

/// Longer than `ack_wait` (8 s): the work is delivered to another meanwhile, then the zombie wakes up with it.
const STOPPED: Duration = Duration::from_secs(11);
const DRAIN_GRACE: Duration = Duration::from_secs(25);

macro_rules! faults {
    ($($name:ident = $words:literal),+ $(,)?) => {
        /// What can go wrong.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub(crate) enum Fault { $($name),+ }

        impl Fault {
            pub(crate) const ALL: &[Self] = &[$(Self::$name),+];

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
}

impl Fault {
    /// Does it and takes it back; returns what was done, for the timeline.
    pub(crate) async fn inject(self, scene: &mut Scene, dice: &mut Dice) -> String {
        let secs = Duration::from_secs(2 + dice.roll(4));
        match self {
            Self::KillService | Self::KillAll | Self::Term | Self::Stop => return self.on_services(scene, dice).await,
            Self::KillNats => {
                scene.servers.nats.kill().await.unwrap();
                scene.wait(secs).await;
                scene.servers.nats.restart().await.unwrap();
            }
            Self::DeleteStore => {
                scene.servers.nats.delete_store().await.unwrap();
                scene.oracle.store_is_gone().await;
                scene.wait(Duration::from_millis(500)).await;
                scene.servers.nats.restart().await.unwrap();
            }
            Self::LoseBoth => {
                (0..scene.fleet.replicas.len()).for_each(|n| scene.kill(n));
                scene.servers.nats.delete_store().await.unwrap();
                scene.oracle.store_is_gone().await;
                scene.servers.nats.restart().await.unwrap();
                (0..scene.fleet.replicas.len()).for_each(|n| scene.fleet.release(n));
            }
            Self::KillPostgres => {
                scene.servers.postgres.kill().await.unwrap();
                scene.wait(secs).await;
                scene.servers.postgres.restart().await.unwrap();
            }
            Self::CutNats => scene.to_nats.cut(),
            Self::CutPostgres => scene.to_postgres.cut(),
            Self::DelayNats => scene.nats_mode(Mode::Delay(Duration::from_millis(50 + dice.roll(250))), secs).await,
            Self::DelayPostgres => scene.postgres_mode(Mode::Delay(Duration::from_millis(20 + dice.roll(100))), secs).await,
            Self::HoldNats => scene.nats_mode(Mode::Hold, secs * 2).await,
            Self::HoldPostgres => scene.postgres_mode(Mode::Hold, secs * 2).await,
            Self::HalfNats => scene.nats_mode(Mode::Half, secs * 2).await,
            Self::HalfPostgres => scene.postgres_mode(Mode::Half, secs * 2).await,
            Self::LoseNats => {
                scene.nats_mode(Mode::Lose, secs).await;
                scene.to_nats.cut();
            }
            Self::DiskFull => scene.full_streams(secs).await,
            Self::Outage => {
                scene.sim.control().outage(secs);
                scene.wait(secs).await;
            }
            Self::Storm => scene.upstream(Faults { http_429: 1.0, ..Faults::default() }, secs).await,
            Self::Slow => {
                scene.sim.control().set_latency(Duration::from_millis(800));
                scene.wait(secs).await;
                scene.sim.control().set_latency(Duration::ZERO);
            }
            Self::Truncated => scene.upstream(Faults { truncated: 0.2, invalid_json: 0.1, ..Faults::default() }, secs).await,
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
                (0..scene.fleet.replicas.len()).for_each(|n| scene.kill(n));
                scene.wait(away).await;
                (0..scene.fleet.replicas.len()).for_each(|n| scene.fleet.release(n));
                String::new()
            }
            _ => {
                scene.kill(n);
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
