//! `mangoes movie`: a movie's state, and what changed.

use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;
use operator::{Moment, Span, answers::History, movies::PinRequest};
use proto::{FieldChange, TmdbId};
use runtime::Config;
use serde_json::Value;
use store::MovieRow;
use time::OffsetDateTime;

use crate::{
    cli::author::this_user,
    connect,
    output::{Output, relative, rfc3339},
};

/// A movie that is due so much earlier than it has to be is read ahead of time.
const AHEAD: time::Duration = time::Duration::HOUR;
/// Longest value in a table of changes.
const VALUE_CHARS: usize = 40;

#[derive(Debug, Subcommand)]
pub(crate) enum MovieCommand {
    /// Show its state, and why it is due or not.
    Show {
        /// TMDB id.
        id: TmdbId,
    },
    /// Show what changed and when, the newest first.
    History {
        /// TMDB id.
        id: TmdbId,
        /// Show at most this many changes.
        #[arg(short = 'n', default_value_t = 20)]
        limit: i64,
    },
    /// Read it at least so often, whatever its age.
    Pin {
        /// TMDB id.
        id: TmdbId,
        /// How often: 12h, 1d; an hour to 180 days.
        #[arg(long, value_name = "SPAN")]
        every: Span,
        /// Until when: 2026-12-24, or 30d from now.
        #[arg(long, value_name = "WHEN")]
        until: Option<Moment>,
    },
    /// Read it as its age asks again.
    Unpin {
        /// TMDB id.
        id: TmdbId,
    },
}

pub(super) async fn run(config: &Config, verb: MovieCommand, out: Output) -> Result<ExitCode> {
    match verb {
        MovieCommand::Show { id } => show(config, id, out).await?,
        MovieCommand::History { id, limit } => history(config, id, limit, out).await?,
        MovieCommand::Pin { id, every, until } => {
            pin(config, &PinRequest { tmdb_id: id, every, until }, out).await?;
        }
        MovieCommand::Unpin { id } => unpin(config, id, out).await?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn show(config: &Config, id: TmdbId, out: Output) -> Result<()> {
    let client = connect::client_to_read(config).await?;
    let (movie, now) = (client.movie(id).await?, client.now().await?);
    if out.json {
        out.value(&movie);
        return Ok(());
    }
    let due = due_words(&movie, now);
    let sooner = sooner_words(&movie);
    out.pairs(&[
        ("title", movie.title),
        ("tmdb_id", movie.tmdb_id.to_string()),
        ("work_id", movie.work_id.to_string()),
        ("status", movie.ingestion_status),
        ("released", movie.release_date.unwrap_or_else(|| "unknown".to_owned())),
        ("refreshed", relative(movie.last_refreshed_at, now)),
        ("due", due),
        ("sooner", sooner),
        ("revision", movie.revision.to_string()),
        ("queue", movie.queue_status.unwrap_or_else(|| "not queued".to_owned())),
        ("last error", movie.last_error.unwrap_or_else(|| "none".to_owned())),
    ]);
    Ok(())
}

async fn pin(config: &Config, request: &PinRequest, out: Output) -> Result<()> {
    let client = connect::client(config).await?;
    let movie = client.pin(request, &this_user()).await?;
    let now = client.now().await?;
    out.say(&format!(
        "{} is read at least every {}{}; it is due {}",
        movie.title,
        request.every,
        movie.pin_until.map_or_else(String::new, |at| format!(" until {}", rfc3339(at))),
        relative(Some(movie.due_at), now)
    ));
    out.json_only(&movie);
    Ok(())
}

async fn unpin(config: &Config, id: TmdbId, out: Output) -> Result<()> {
    let client = connect::client(config).await?;
    let movie = client.unpin(id, &this_user()).await?;
    let due = due_words(&movie, client.now().await?);
    out.say(&format!("{} is read as its age asks: {due}", movie.title));
    out.json_only(&movie);
    Ok(())
}

/// Why the movie is due or not.
fn due_words(movie: &MovieRow, now: OffsetDateTime) -> String {
    if movie.removed_at.is_some() {
        return "never: TMDB does not have it any more".to_owned();
    }
    if let Some(since) = movie.missing_since {
        return format!(
            "TMDB did not find it (404) {}; TMDB is asked again {}",
            relative(Some(since), now),
            relative(movie.hold_until, now)
        );
    }
    if movie.revision == 0 {
        return "now: the app brought it, and mangoes has not stored it yet".to_owned();
    }
    if movie.last_refreshed_at.is_none() {
        return "now: never refreshed".to_owned();
    }
    let when = if movie.due_at <= now { "now" } else { &relative(Some(movie.due_at), now) };
    format!("{when}: {}", cause_words(movie, now))
}

/// Why it is due then, and not earlier or later.
fn cause_words(movie: &MovieRow, now: OffsetDateTime) -> String {
    let read = relative(movie.last_refreshed_at, now);
    let every = span_words(movie.interval_secs);
    match movie.due_cause.as_str() {
        "feed" => format!(
            "TMDB's change feed named it {}, and no answer has shown the change yet",
            relative(movie.told_at, now)
        ),
        "incomplete" => format!("TMDB's answer lacked {}", movie.lacks.join(", ")),
        "pin" => format!(
            "read {read}, and pinned to every {every} by {}",
            movie.pinned_by.as_deref().unwrap_or("somebody")
        ),
        "demand" => {
            format!("read {read}; a list named it, and movies in demand may be {every} old")
        }
        _ if movie.stale_at - movie.due_at > AHEAD => format!(
            "read {read}; in its band ({}) it may be {every} old, and after its first look it is \
             read ahead of that, apart from what came with it",
            movie.band
        ),
        _ => format!("read {read}; in its band ({}) it may be {every} old", movie.band),
    }
}

/// What would make it due earlier.
fn sooner_words(movie: &MovieRow) -> String {
    if movie.removed_at.is_some() {
        return "if TMDB has it again and a list names it".to_owned();
    }
    let mut causes = Vec::new();
    if movie.due_cause != "feed" {
        causes.push("TMDB's change feed names it");
    }
    if movie.demand_until.is_none() {
        causes.push("a list names it");
    }
    causes.push("`mangoes movie pin` or `mangoes refresh` asks for it");
    format!("if {}", causes.join(", or "))
}

/// `30 days`, `12 hours`.
fn span_words(secs: i64) -> String {
    let hours = secs / 3_600;
    if hours < 36 { format!("{hours} hours") } else { format!("{} days", hours / 24) }
}

async fn history(config: &Config, id: TmdbId, limit: i64, out: Output) -> Result<()> {
    let client = connect::client_to_read(config).await?;
    let (events, now) = (client.history(id, limit).await?, client.now().await?);
    let rows = events.iter().map(|event| {
        vec![
            relative(Some(event.at), now),
            event.kind.clone(),
            event.revision.to_string(),
            event.cause.clone().unwrap_or_default(),
            event.diff.as_ref().map(diff_words).unwrap_or_default(),
        ]
    });
    let rows = rows.collect();
    out.table(&History { events }, &["WHEN", "WHAT", "REVISION", "CAUSE", "CHANGES"], rows);
    Ok(())
}

/// `title: "Old" -> "New", …`, each value cut.
fn diff_words(diff: &Value) -> String {
    let fields = diff.as_object().into_iter().flatten();
    let words = fields.map(|(name, change)| {
        match serde_json::from_value(change.clone()) {
            Ok(FieldChange::Scalar { old, new }) => {
                format!("{name}: {} -> {}", cut(&old), cut(&new))
            }
            Ok(FieldChange::List { added, removed, omitted }) => {
                format!("{name}: {}", list_words(&added, &removed, omitted))
            }
            // The survivor of a movie that TMDB merged.
            Err(_) => format!("{name}: {}", cut(change)),
        }
    });
    words.collect::<Vec<_>>().join(", ")
}

/// `+ "What came" - "What went", 3 more`.
fn list_words(added: &[Value], removed: &[Value], omitted: usize) -> String {
    let side = |sign: &str, items: &[Value]| {
        let items = Value::from(items.to_vec());
        (items != Value::Array(Vec::new())).then(|| format!("{sign} {}", cut(&items)))
    };
    let more = (omitted > 0).then(|| format!("{omitted} more"));
    [side("+", added), side("-", removed), more].into_iter().flatten().collect::<Vec<_>>().join(" ")
}

fn cut(value: &Value) -> String {
    let text = value.to_string();
    if text.chars().count() > VALUE_CHARS {
        return text.chars().take(VALUE_CHARS).chain(['…']).collect();
    }
    text
}
