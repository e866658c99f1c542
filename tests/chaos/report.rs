//! What happened, for people: the timeline of faults, and the table at the end.

use std::{collections::BTreeMap, time::Duration};

use time::OffsetDateTime;

use crate::{
    faults::Fault,
    oracle::{Kind, Obligation, Oracle, questions},
    plan::Step,
    scene::Scene,
};

/// One fault of the timeline.
#[derive(Debug, Clone)]
pub(crate) struct Injected {
    pub(crate) step: Step,
    pub(crate) begun: OffsetDateTime,
    pub(crate) ended: OffsetDateTime,
    line: String,
}

/// What happened, and how long it took to recover.
#[derive(Default)]
pub(crate) struct Report {
    pub(crate) injected: Vec<Injected>,
    recovery: BTreeMap<Fault, Vec<f64>>,
    /// Said at the end.
    pub(crate) rest: String,
}

/// One fault as it went.
#[derive(Debug, Clone)]
pub(crate) struct Injection {
    pub(crate) step: Step,
    /// What was done exactly.
    pub(crate) what: String,
    /// Since the run began.
    pub(crate) at: Duration,
    pub(crate) begun: OffsetDateTime,
    pub(crate) ended: OffsetDateTime,
    /// How long until all was whole again; `None`: it took too long.
    pub(crate) recovered: Option<Duration>,
}

impl Report {
    pub(crate) fn add(&mut self, injection: Injection) {
        let Injection { step, what, at, begun, ended, recovered } = injection;
        let line = format!(
            "#{:<3} {:7.2} s  {} {what}; over after {:.2} s; whole again after {}",
            step.number,
            at.as_secs_f64(),
            step.fault.words(),
            (ended - begun).as_seconds_f64(),
            recovered
                .map_or_else(|| "TOO LONG".to_owned(), |d| format!("{:.2} s", d.as_secs_f64()))
        );
        println!("{line}");
        if let Some(span) = recovered {
            self.recovery.entry(step.fault).or_default().push(span.as_secs_f64());
        }
        self.injected.push(Injected { step, begun, ended, line });
    }

    pub(crate) fn timeline(&self) -> String {
        let lines = self.injected.iter().map(|i| i.line.clone()).chain([self.rest.clone()]);
        lines.collect::<Vec<_>>().join("\n")
    }

    fn recovery_table(&self) -> Vec<String> {
        let head = format!(
            "{:42} {:>5} {:>8} {:>8} {:>10}",
            "fault", "times", "p50 s", "max s", "promised s"
        );
        let rows = self.recovery.iter().map(|(fault, spans)| {
            let (median, most) = median_and_most(spans);
            let (promised, times) = (fault.promised().as_secs(), spans.len());
            format!("{:42} {times:>5} {median:>8.2} {most:>8.2} {promised:>10}", fault.words())
        });
        [head].into_iter().chain(rows).collect()
    }

    /// The faults that this obligation lived through, the first ones.
    pub(crate) fn faults_since(&self, o: &Obligation) -> String {
        let since = self.injected.iter().filter(|i| i.ended >= o.at).take(3);
        let words = since.map(|i| {
            let secs = (i.begun - o.at).as_seconds_f64();
            format!("#{} {} ({secs:+.1} s)", i.step.number, i.step.fault.words())
        });
        words.collect::<Vec<_>>().join(", ")
    }
}

/// Half of the spans are at most so long, and all are at most so long.
fn median_and_most(spans: &[f64]) -> (f64, f64) {
    let mut sorted = spans.to_vec();
    sorted.sort_by(f64::total_cmp);
    (sorted[sorted.len() / 2], sorted[sorted.len() - 1])
}

/// The figures of a run.
pub(crate) async fn summary(scene: &Scene, report: &Report, seed: u64) -> String {
    let minutes = (tests::now() - scene.oracle.begun()).as_seconds_f64() / 60.0;
    let mut lines = vec![format!(
        "seed {seed}, {} NATS server(s), {minutes:.1} min, {} faults",
        scene.broker.servers.len(),
        report.injected.len()
    )];
    lines.extend(obligations(&scene.oracle.all.lock().unwrap()));
    lines.push(work(&scene.oracle).await);
    lines.push(calls(scene).await);
    lines.push(report.rest.clone());
    lines.extend(report.recovery_table());
    lines.join("\n")
}

fn obligations(all: &[Obligation]) -> [String; 2] {
    let count = |which: &dyn Fn(&Obligation) -> bool| all.iter().filter(|o| which(o)).count();
    let confirmed = |kind: Kind| count(&|o| o.kind == kind && o.confirmed);
    [
        format!(
            "obligations: {} confirmed ({} movies, {} refreshes, {} lists, {} unknown, {} bad), \
             {} sent without a confirmation",
            count(&|o| o.confirmed),
            confirmed(Kind::Ingest),
            confirmed(Kind::Stale),
            confirmed(Kind::List),
            confirmed(Kind::Unknown),
            confirmed(Kind::Bad),
            count(&|o| !o.confirmed)
        ),
        format!(
            "when a store was deleted: {} open ones that Postgres had recorded and that were met, \
             {} that the broker alone held and that are gone",
            count(&|o| o.recorded && o.met),
            count(&|o| o.confirmed && o.exempt && !o.met)
        ),
    ]
}

async fn work(oracle: &Oracle) -> String {
    let number = async |sql: &str| oracle.look(sql).await.unwrap_or(-1);
    format!(
        "attempts {}, of them retries {}, alone as suspects {}; dead letters {} ({}); movies {}, \
         events {}, runs {}, nominal times of the beat {}",
        number(questions::ATTEMPTS).await,
        oracle.retries().await,
        number(questions::SUSPECTS).await,
        number(questions::COUNT_DEAD_LETTERS).await,
        oracle.rows(questions::DEAD_LETTERS_BY_REASON).await.join(", "),
        number(questions::COUNT_MOVIES).await,
        number(questions::COUNT_EVENTS).await,
        number(questions::COUNT_RUNS).await,
        number(questions::COUNT_BEATS).await,
    )
}

async fn calls(scene: &Scene) -> String {
    let stats = scene.sim.control().stats();
    format!(
        "TMDB calls {}, for movies {} in {} attempts, peak {} in a second; \
         ends that no fault asked for {}",
        stats.calls,
        stats.detail_calls,
        scene.oracle.movie_attempts().await,
        stats.peak_per_second,
        scene.fleet.replicas.iter().map(|r| r.own_ends).sum::<u32>()
    )
}
