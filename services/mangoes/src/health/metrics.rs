//! `/metrics`: the state of the whole installation, read from the database at the scrape, and of
//! this process.

use anyhow::Result;
use prometheus::{Encoder, GaugeVec, Opts, Registry, TextEncoder};
use store::Status;

use crate::health::Watched;

/// Everything as Prometheus text.
pub(crate) async fn text(watched: &Watched) -> Result<String> {
    let status = watched.store.status().await?;
    let registry = Registry::new();
    for (name, help, value) in installation(&status) {
        gauge(&registry, (name, help), &[("", "", value)])?;
    }
    for (name, help, pick) in [
        (
            "mangoes_titles",
            "Movies that TMDB still has, by freshness band",
            (|b: &store::Band| b.titles) as fn(&store::Band) -> i64,
        ),
        ("mangoes_titles_fresh", "Of these, within the freshness policy", |b| b.fresh),
    ] {
        let values: Vec<_> =
            status.bands.iter().map(|b| ("band", b.band.as_str(), whole(pick(b)))).collect();
        gauge(&registry, (name, help), &values)?;
    }
    for (name, help, value) in process(watched) {
        gauge(&registry, (name, help), &[("", "", value)])?;
    }
    let mut text = Vec::new();
    TextEncoder::new().encode(&registry.gather(), &mut text)?;
    Ok(String::from_utf8(text)?)
}

fn gauge(
    registry: &Registry,
    (name, help): (&str, &str),
    values: &[(&str, &str, f64)],
) -> Result<()> {
    let labels: Vec<&str> =
        values.first().map(|v| v.0).filter(|l| !l.is_empty()).into_iter().collect();
    let gauge = GaugeVec::new(Opts::new(name, help), &labels)?;
    for (_, label, value) in values {
        let label: &[&str] = if labels.is_empty() { &[] } else { &[label] };
        gauge.with_label_values(label).set(*value);
    }
    registry.register(Box::new(gauge))?;
    Ok(())
}

/// Counts stay far below 2^53.
#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
const fn whole(n: i64) -> f64 {
    n as f64
}

fn count(n: usize) -> f64 {
    whole(i64::try_from(n).unwrap_or(i64::MAX))
}

fn installation(status: &Status) -> [(&'static str, &'static str, f64); 14] {
    let budget = &status.budget;
    [
        ("mangoes_queue_queued", "Queue rows that wait", whole(status.queued)),
        ("mangoes_queue_processing", "Queue rows in hand", whole(status.processing)),
        ("mangoes_runs_open", "Runs that are not over", whole(status.open_runs)),
        ("mangoes_outbox_unsent", "Events not yet published", whole(status.outbox)),
        ("mangoes_dead_letters", "Dead letters in the table", whole(status.dead_letters)),
        (
            "mangoes_jobs_unreadable",
            "Jobs that are paused because their schedule cannot be read",
            count(status.unreadable_jobs.len()),
        ),
        (
            "mangoes_titles_removed",
            "Tombstones: movies that TMDB has no more",
            whole(status.removed),
        ),
        (
            "mangoes_tmdb_calls_last_hour",
            "TMDB calls within the last hour",
            whole(status.calls_last_hour),
        ),
        (
            "mangoes_tmdb_errors_last_hour",
            "Of these, without a good answer",
            whole(status.errors_last_hour),
        ),
        (
            "mangoes_tmdb_refused_last_hour",
            "Of these, refused with 429",
            whole(status.refused_last_hour),
        ),
        (
            "mangoes_tmdb_rate_lowered",
            "Calls per second while a 429 holds them down; 0 = as configured",
            budget.lowered_rate.unwrap_or(0.0),
        ),
        (
            "mangoes_tmdb_paused",
            "1 while a 429 keeps everybody from calling",
            flag(budget.paused_until.is_some()),
        ),
        (
            "mangoes_tmdb_credential_refused",
            "1 while TMDB refuses the credential",
            flag(budget.credential_refused_at.is_some()),
        ),
        (
            "mangoes_tmdb_calls_not_logged",
            "Calls that could not be written to tmdb_api_logs",
            whole(budget.calls_not_logged),
        ),
    ]
}

fn process(watched: &Watched) -> [(&'static str, &'static str, f64); 2] {
    let up = watched.tmdb.as_ref().is_none_or(|t| t.health() == tmdb::Health::Up);
    [
        (
            "mangoes_nats_connected",
            "1 while this process is connected to NATS",
            flag(watched.bus.is_connected()),
        ),
        (
            "mangoes_tmdb_up",
            "1 while this process calls TMDB; 0 while its circuit breaker is open",
            flag(up),
        ),
    ]
}

const fn flag(yes: bool) -> f64 {
    if yes { 1.0 } else { 0.0 }
}
