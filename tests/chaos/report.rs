//! What happened, for people: the timeline of faults, and the table at the end.

use std::collections::BTreeMap;

use runtime::{Clock, SystemClock};
use time::OffsetDateTime;

use crate::{
    faults::Fault,
    oracle::{Kind, Obligation},
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

impl Report {
    /// `recovered`: seconds; `None`: it took too long.
    pub(crate) fn add(
        &mut self,
        step: &Step,
        (begun, ended): (OffsetDateTime, OffsetDateTime),
        told: (&str, f64, Option<f64>),
    ) {
        let (what, at, recovered) = told;
        let line = format!(
            "#{:<3} {at:7.2} s  {} {what}; over after {:.2} s; whole again after {}",
            step.number,
            step.fault.words(),
            (ended - begun).as_seconds_f64(),
            recovered.map_or_else(|| "TOO LONG".to_owned(), |secs| format!("{secs:.2} s"))
        );
        println!("{line}");
        self.injected.push(Injected { step: step.clone(), begun, ended, line });
        if let Some(secs) = recovered {
            self.recovery.entry(step.fault).or_default().push(secs);
        }
    }

    pub(crate) fn timeline(&self) -> String {
        let lines = self.injected.iter().map(|i| i.line.clone()).chain([self.rest.clone()]);
        lines.collect::<Vec<_>>().join("\n")
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

fn median_and_most(spans: &[f64]) -> (f64, f64) {
    let mut sorted = spans.to_vec();
    sorted.sort_by(f64::total_cmp);
    (sorted[sorted.len() / 2], sorted[sorted.len() - 1])
}

/// The figures of a run.
pub(crate) async fn summary(scene: &Scene, report: &Report, seed: u64) -> String {
    let oracle = &scene.oracle;
    let all = oracle.all.lock().unwrap().clone();
    let confirmed = |kind: Kind| all.iter().filter(|o| o.kind == kind && o.confirmed).count();
    let number = async |sql: &str| oracle.look(sql).await.unwrap_or(-1);
    let stats = scene.sim.control().stats();
    // As `not-found 12, invalid-payload 3`.
    let letters = oracle.rows("select reason || ' ' || count(*) from dead_letter group by reason order by count(*) desc").await;
    let minutes = (SystemClock.now() - oracle.begun()).as_seconds_f64() / 60.0;
    let mut lines = vec![
        format!(
            "seed {seed}, {} NATS server(s), {minutes:.1} min, {} faults",
            scene.broker.servers.len(),
            report.injected.len()
        ),
        format!(
            "obligations: {} confirmed ({} movies, {} refreshes, {} lists, {} unknown, {} bad), {} sent without a confirmation",
            all.iter().filter(|o| o.confirmed).count(),
            confirmed(Kind::Ingest),
            confirmed(Kind::Stale),
            confirmed(Kind::List),
            confirmed(Kind::Unknown),
            confirmed(Kind::Bad),
            all.iter().filter(|o| !o.confirmed).count()
        ),
        format!(
            "when a store was deleted: {} open ones that Postgres had recorded and that were met, {} that the broker alone held and that are gone",
            all.iter().filter(|o| o.recorded && o.met).count(),
            all.iter().filter(|o| o.confirmed && o.exempt && !o.met).count()
        ),
        format!(
            "tries {}, of them retries {}, alone as suspects {}; dead letters {} ({}); movies {}, events {}, runs {}, nominal times of the beat {}",
            number("select count(*) from oracle_tries").await,
            oracle.retries().await,
            number("select count(*) from oracle_suspects").await,
            number("select count(*) from dead_letter").await,
            letters.join(", "),
            number("select count(*) from works").await,
            number("select count(*) from outbox").await,
            number("select count(*) from job_run where status <> 'skipped'").await,
            number("select count(*) from job_run where job = 'beat'").await,
        ),
        format!(
            "TMDB calls {}, for movies {} in {} tries, peak {} in a second; ends that no fault asked for {}",
            stats.calls,
            stats.detail_calls,
            oracle.movie_tries().await,
            stats.peak_per_second,
            scene.fleet.replicas.iter().map(|r| r.own_ends).sum::<u32>()
        ),
        report.rest.clone(),
        format!("{:42} {:>5} {:>8} {:>8} {:>10}", "fault", "times", "p50 s", "max s", "promised s"),
    ];
    for (fault, spans) in &report.recovery {
        let (median, most) = median_and_most(spans);
        let promised = fault.promised().as_secs();
        lines.push(format!(
            "{:42} {:>5} {median:>8.2} {most:>8.2} {promised:>10}",
            fault.words(),
            spans.len()
        ));
    }
    lines.join("\n")
}
