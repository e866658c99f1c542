//! Many schedulers on one database: each nominal time once, whatever dies; and ten thousand jobs.

use std::{
    fs,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use embedded::Servers;
use tests::{Database, Dice, Folder, PlainNats, Process, build_shim, mangoes, servers};

/// Servers without services, and schedulers that come and go.
struct Field {
    folder: Folder,
    servers: Servers,
    database: Database,
}

const SCHEDULERS: usize = 5;
/// By how many seconds the clock of each scheduler is wrong.
const SKEWS: [i32; SCHEDULERS] = [0, 0, 0, 90, -90];
const JOBS: i64 = 40;
const MINUTES: i64 = 50;
/// The nominal times of all jobs.
const TIMES: i64 = JOBS * MINUTES;
/// They may take so long, whatever dies.
const FIRED_WITHIN: Duration = Duration::from_secs(150);
/// When Postgres and NATS die, and how long NATS stays away.
const POSTGRES_DIES_AFTER: Duration = Duration::from_secs(12);
const NATS_DIES_AFTER: Duration = Duration::from_secs(22);
const NATS_IS_AWAY: Duration = Duration::from_secs(5);

impl Field {
    async fn new(name: &str) -> Self {
        let folder = Folder::new(name);
        let servers = servers(&folder).await;
        let database = connect(&folder, &servers).await;
        let field = Self { folder, servers, database };
        for verb in ["migrate", "topology"] {
            assert!(field.command(&[verb]).output().unwrap().status.success(), "{verb}");
        }
        field
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = mangoes(&self.folder.0);
        // The database's time runs fast where a test wants it: see `let_time_run_fast`.
        command
            .args(args)
            .env("MANGOES_CLOCK", "fast")
            .env("NATS_URL", self.servers.nats_url())
            .env("DATABASE_URL", self.servers.database_url());
        command
    }

    /// A scheduler with the right time.
    fn scheduler(&self) -> Process {
        Process::start(&mut self.command(&["serve", "scheduler"]), &self.folder.0.join("log"))
    }

    /// A scheduler whose clock is wrong by so many seconds.
    fn skewed_scheduler(&self, skew_secs: i32, shim: &Path) -> Process {
        let mut command = self.command(&["serve", "scheduler"]);
        command.env("LD_PRELOAD", shim).env("CLOCK_SKEW_SECS", skew_secs.to_string());
        Process::start(&mut command, &self.folder.0.join("log"))
    }

    async fn end(self, mut schedulers: Vec<Process>) {
        schedulers.iter_mut().for_each(Process::kill);
        self.database.close().await;
        self.servers.stop().await.unwrap();
    }
}

async fn connect(folder: &Folder, servers: &Servers) -> Database {
    let database = Database::connect(&servers.database_url(), &folder.0.join("log")).await;
    database.patient_for(Duration::from_secs(120))
}

/// Five schedulers, two of them with clocks that are 90 s wrong, are killed and started again at
/// random, Postgres restarts and NATS is away for a while: each of 2,000 nominal times has one row
/// that ran, and one tick.
#[tokio::test]
async fn five_schedulers_killed_at_random_fire_each_nominal_time_once() {
    let mut field = Field::new("five").await;
    field.database.let_time_run_fast().await;
    field.database.close().await;
    field.database = connect(&field.folder, &field.servers).await;
    field.database.pause_all_jobs_by_hand().await;
    field.database.add_minutely_jobs(JOBS, MINUTES).await;
    let begun = Instant::now();
    let Fired { schedulers, kills } = kill_until_all_have_fired(&mut field).await;
    let database = &field.database;
    database.all_published().await;
    let ran = database.runs_of_jobs_like("job-").queued().of_whole_minutes();
    assert_eq!(ran.await, TIMES, "each ran, none was skipped");
    let gaps = database.jobs_without_all_minutes(MINUTES).await;
    assert_eq!(gaps, 0, "no nominal time is missing");
    let ticks = ticks_by_job(&field.servers.nats_url()).await;
    assert_eq!(ticks.len(), usize::try_from(JOBS).unwrap());
    assert!(ticks.iter().all(|n| *n == MINUTES), "{ticks:?}");
    println!(
        "{TIMES} nominal times, {kills} kills, Postgres and NATS restarted, {:.0} s",
        begun.elapsed().as_secs_f64()
    );
    field.end(schedulers).await;
}

/// The schedulers that live at the end, and how often one was killed.
struct Fired {
    schedulers: Vec<Process>,
    kills: u32,
}

async fn kill_until_all_have_fired(field: &mut Field) -> Fired {
    let shim = build_shim(&field.folder.0);
    let mut schedulers: Vec<Process> =
        SKEWS.iter().map(|skew| field.skewed_scheduler(*skew, &shim)).collect();
    let (mut dice, mut kills, begun) = (Dice(7), 0, Instant::now());
    let (mut postgres_died, mut nats_died) = (false, false);
    loop {
        // While the database is away nobody knows.
        let rows = field.database.runs_of_jobs_like("job-").if_known().await;
        if rows == Ok(TIMES) {
            break;
        }
        assert!(begun.elapsed() < FIRED_WITHIN, "{rows:?} of {TIMES} rows");
        // The time is the fault: so long they may work before one dies.
        tokio::time::sleep(Duration::from_millis(300 + dice.roll(900))).await;
        let n = usize::try_from(dice.roll(SCHEDULERS as u64)).unwrap();
        schedulers[n].kill();
        kills += 1;
        if !postgres_died && begun.elapsed() > POSTGRES_DIES_AFTER {
            postgres_died = true;
            field.servers.postgres.kill().await.unwrap();
            field.servers.postgres.restart().await.unwrap();
        }
        if !nats_died && begun.elapsed() > NATS_DIES_AFTER {
            nats_died = true;
            field.servers.nats.kill().await.unwrap();
            tokio::time::sleep(NATS_IS_AWAY).await;
            field.servers.nats.restart().await.unwrap();
        }
        schedulers[n] = field.skewed_scheduler(SKEWS[n], &shim);
    }
    assert!(postgres_died && nats_died && kills > 20, "{kills} kills");
    Fired { schedulers, kills }
}

/// How many ticks each job has in the stream.
async fn ticks_by_job(nats_url: &str) -> Vec<i64> {
    let filter = br#"{"subjects_filter":"movies.tick.scan.>"}"#;
    let nats = PlainNats::at(nats_url);
    let info = nats.ask_json("$JS.API.STREAM.INFO.MOVIES_TICKS", filter).await;
    let subjects = info["state"]["subjects"].as_object().unwrap();
    subjects.values().map(|n| n.as_i64().unwrap()).collect()
}

/// CPU seconds that a process has used.
fn cpu_secs(pid: u32) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    let ticks: u32 = fields[11..13].iter().map(|n| n.parse::<u32>().unwrap()).sum();
    f64::from(ticks) / 100.0
}

/// The share of a core that a process uses over this time.
async fn share_of_a_core(pid: u32, span: Duration) -> f64 {
    let before = cpu_secs(pid);
    // The time is what is measured.
    tokio::time::sleep(span).await;
    (cpu_secs(pid) - before) / span.as_secs_f64()
}

/// A job that somebody holds locked waits for its release; no other does.
#[tokio::test]
async fn a_locked_job_stops_no_other() {
    let field = Field::new("locked").await;
    let (database, scheduler) = (&field.database, field.scheduler());
    database.add_fifty_frequent_jobs().await;
    let (held, others) = (|| database.run("often-50"), || database.runs_of_jobs_like("often-2"));
    held().reaches(1).await;
    let lock = database.hold_job("often-50").await;
    let (runs, of_others) = (held().await, others().await);
    others().reaches(of_others + 33).await;
    assert_eq!(held().await, runs, "it is held");
    lock.release().await;
    held().reaches(runs + 1).await;
    field.end(vec![scheduler]).await;
}

/// With 10,000 jobs an idle scheduler hardly works, and ticks leave within a second of their
/// nominal times.
#[tokio::test]
async fn ten_thousand_jobs() {
    let field = Field::new("10k").await;
    let database = &field.database;
    let scheduler = field.scheduler();
    database.add_ten_thousand_yearly_jobs().await;
    database.jobs().without_a_next_time().becomes(0).await;
    database.all_published().await;
    let share = share_of_a_core(scheduler.id(), Duration::from_secs(15)).await;
    database.add_fifty_frequent_jobs().await;
    database.runs_of_jobs_like("often-").reaches(400).await;
    database.all_published().await;
    let delays = database.delays_of_ticks("often-").await;
    let at = |share: usize| delays[(delays.len() - 1) * share / 100];
    println!(
        "10,000 jobs: idle {:.2} % of a core; {} ticks left p50 {:.3} s, p99 {:.3} s after their \
         nominal times",
        share * 100.0,
        delays.len(),
        at(50),
        at(99)
    );
    assert!(share < 0.01, "idle: {:.2} % of a core", share * 100.0);
    // Other tests share these two cores: the median is held here, the p99 is printed. Without its
    // alarm, the sweep of each second would find them half a second late.
    assert!(at(50) < 0.5, "p50 {:.3} s", at(50));
    field.end(vec![scheduler]).await;
}
