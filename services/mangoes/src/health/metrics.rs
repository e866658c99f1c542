//! `/metrics`: the state of the whole installation, read from the database at each request, and of
//! this process.

use anyhow::Result;
use prometheus::{Encoder, GaugeVec, Opts, Registry, TextEncoder};
use store::{Band, Status};

use super::process::Process;

/// A gauge without labels.
struct Metric {
    name: &'static str,
    help: &'static str,
    value: f64,
}

const fn metric(name: &'static str, help: &'static str, value: f64) -> Metric {
    Metric { name, help, value }
}

/// Everything as Prometheus text.
pub(crate) async fn text(process: &Process) -> Result<String> {
    let (status, now) = (process.store.status().await?, process.store.now().await?);
    let age = status.counted_at.map(|at| sample_age(now - at));
    let registry = Registry::new();
    for Metric { name, help, value } in
        of_installation(&status).into_iter().chain(age).chain(of_process(process))
    {
        let gauge = GaugeVec::new(Opts::new(name, help), &[])?;
        gauge.with_label_values::<&str>(&[]).set(value);
        registry.register(Box::new(gauge))?;
    }
    let titles = Opts::new("mangoes_titles", "Movies that TMDB still has, by freshness band");
    by_band(&registry, titles, &status.bands, |band| band.titles)?;
    let fresh = Opts::new("mangoes_titles_fresh", "Of these, within the freshness policy");
    by_band(&registry, fresh, &status.bands, |band| band.fresh)?;
    let mut text = Vec::new();
    TextEncoder::new().encode(&registry.gather(), &mut text)?;
    Ok(String::from_utf8(text)?)
}

/// What a scrape does not count itself was counted so long ago.
fn sample_age(age: time::Duration) -> Metric {
    metric(
        "mangoes_sample_age_seconds",
        "Time since titles were counted by band",
        age.as_seconds_f64().max(0.0),
    )
}

fn by_band(
    registry: &Registry,
    described: Opts,
    bands: &[Band],
    titles: impl Fn(&Band) -> i64,
) -> Result<()> {
    let gauge = GaugeVec::new(described, &["band"])?;
    for band in bands {
        gauge.with_label_values(&[&band.band]).set(whole(titles(band)));
    }
    registry.register(Box::new(gauge))?;
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
const fn whole(n: i64) -> f64 {
    n as f64
}

fn count(n: usize) -> f64 {
    whole(i64::try_from(n).unwrap_or(i64::MAX))
}

const fn flag(yes: bool) -> f64 {
    if yes { 1.0 } else { 0.0 }
}

fn of_installation(status: &Status) -> Vec<Metric> {
    let mut metrics = vec![
        metric("mangoes_queue_queued", "Queue rows that wait", whole(status.queued)),
        metric("mangoes_queue_processing", "Queue rows in flight", whole(status.processing)),
        metric("mangoes_runs_open", "Runs that are not over", whole(status.open_runs)),
        metric("mangoes_outbox_unsent", "Events not yet published", whole(status.outbox)),
        metric("mangoes_dead_letters", "Dead letters in the table", whole(status.dead_letters)),
        metric(
            "mangoes_jobs_unreadable",
            "Jobs that are paused because their schedule cannot be read",
            count(status.unreadable_jobs.len()),
        ),
        metric(
            "mangoes_titles_removed",
            "Tombstones: movies that TMDB does not have any more",
            whole(status.removed),
        ),
    ];
    metrics.extend(of_tmdb(status));
    metrics
}

fn of_tmdb(status: &Status) -> [Metric; 7] {
    let budget = &status.budget;
    [
        metric(
            "mangoes_tmdb_calls_last_hour",
            "TMDB calls within the last hour",
            whole(status.calls_last_hour),
        ),
        metric(
            "mangoes_tmdb_errors_last_hour",
            "Of these, without a good answer",
            whole(status.errors_last_hour),
        ),
        metric(
            "mangoes_tmdb_refused_last_hour",
            "Of these, refused with 429",
            whole(status.refused_last_hour),
        ),
        metric(
            "mangoes_tmdb_rate_lowered",
            "Calls per second while a 429 holds them down; 0 = as configured",
            budget.lowered_rate.unwrap_or(0.0),
        ),
        metric(
            "mangoes_tmdb_paused",
            "1 while all processes pause their calls after a 429",
            flag(budget.paused_until.is_some()),
        ),
        metric(
            "mangoes_tmdb_credential_refused",
            "1 while TMDB refuses the credential",
            flag(budget.credential_refused_at.is_some()),
        ),
        metric(
            "mangoes_tmdb_calls_not_logged",
            "Calls that could not be written to tmdb_call",
            whole(budget.calls_not_logged),
        ),
    ]
}

fn of_process(process: &Process) -> [Metric; 2] {
    let up = process.tmdb.as_ref().is_none_or(|tmdb| tmdb.health() == tmdb::Health::Up);
    [
        metric(
            "mangoes_nats_connected",
            "1 while this process is connected to NATS",
            flag(process.bus.is_connected()),
        ),
        metric(
            "mangoes_tmdb_up",
            "1 while this process calls TMDB; 0 while its circuit breaker is open",
            flag(up),
        ),
    ]
}
