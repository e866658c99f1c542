//! `mangoes dead`: look at dead letters, send them again, drop them.

use std::{process::ExitCode, time::Duration};

use anyhow::{Result, bail};
use runtime::{Clock, Config, ConfigError, SystemClock};
use serde_json::{Value, json};
use store::DeadFilter;

use crate::{
    jobs,
    show::{self, Out, relative},
    world,
};

/// Letters that one command handles.
const MOST: i64 = 1_000_000;
/// Longest error in a table.
const ERROR_CHARS: usize = 80;

fn short(text: &str) -> String {
    let cut: String = text.chars().take(ERROR_CHARS).collect();
    if cut.len() < text.len() { format!("{cut}…") } else { cut }
}

/// By reason, or one by one where a consumer or a reason is named.
pub(crate) async fn list(
    config: &Config,
    (filter, limit): (&DeadFilter, i64),
    out: Out,
) -> Result<()> {
    let store = world::connect_migrated(config).await?;
    let now = SystemClock.now();
    if filter.consumer.is_none() && filter.reason.is_none() {
        let groups = store.dead_groups().await?;
        if groups.is_empty() {
            out.say("no dead letters");
        }
        let rows = groups.iter().map(|g| {
            let (first, last) = (relative(Some(g.first_at), now), relative(Some(g.last_at), now));
            vec![
                g.reason.clone(),
                g.consumer.clone(),
                g.letters.to_string(),
                g.replayed.to_string(),
                first,
                last,
                g.latest_id.to_string(),
                short(&g.latest_error),
            ]
        });
        let rows: Vec<_> = rows.collect();
        if out.json || !rows.is_empty() {
            out.table(
                &groups,
                &[
                    "REASON",
                    "CONSUMER",
                    "LETTERS",
                    "REPLAYED",
                    "FIRST",
                    "LAST",
                    "LATEST ID",
                    "LATEST ERROR",
                ],
                rows,
            );
        }
        return Ok(());
    }
    let letters = store.dead_letters(filter, limit).await?;
    let rows = letters
        .iter()
        .map(|l| {
            vec![
                l.id.to_string(),
                l.reason.clone(),
                l.consumer.clone(),
                l.tries.to_string(),
                relative(Some(l.died_at), now),
                short(&l.payload),
                short(&l.error),
            ]
        })
        .collect();
    out.table(&letters, &["ID", "REASON", "CONSUMER", "TRIES", "DIED", "PAYLOAD", "ERROR"], rows);
    Ok(())
}

pub(crate) async fn show(config: &Config, id: i64, out: Out) -> Result<()> {
    let letter = operator::dead::show(&world::connect_migrated(config).await?, id).await?;
    if out.json {
        out.value(&letter);
        return Ok(());
    }
    let now = SystemClock.now();
    let when = |at| format!("{at} ({})", relative(Some(at), now));
    out.pairs(&[
        ("id", letter.id.to_string()),
        ("reason", letter.reason.clone()),
        ("error", letter.error.clone()),
        ("consumer", letter.consumer.clone()),
        ("subject", letter.subject.clone()),
        ("message key", letter.message_key.clone()),
        ("tries", letter.tries.to_string()),
        ("first try", when(letter.first_at)),
        ("given up", when(letter.died_at)),
        ("trace id", letter.trace_id.clone().unwrap_or_default()),
        ("replayed as", letter.replayed_as.clone().unwrap_or_else(|| "not yet".to_owned())),
        ("headers", letter.headers.to_string()),
        ("payload", letter.payload.clone()),
    ]);
    Ok(())
}

/// Something has to be named, so that nobody replays or drops everything by a forgotten word.
fn named(filter: &DeadFilter, all: bool) -> Result<()> {
    if filter.ids.is_none() && filter.consumer.is_none() && filter.reason.is_none() && !all {
        bail!(ConfigError("say which: ids, --consumer, --reason, or --all".to_owned()));
    }
    Ok(())
}

/// How letters are sent again.
#[derive(Debug)]
pub(crate) struct How<'a> {
    pub(crate) all: bool,
    pub(crate) payload: Option<&'a str>,
    pub(crate) rate: u32,
    pub(crate) again: bool,
}

pub(crate) async fn replay(
    config: &Config,
    filter: &DeadFilter,
    how: &How<'_>,
    out: Out,
) -> Result<ExitCode> {
    named(filter, how.all)?;
    let payload: Option<Value> = how
        .payload
        .map(serde_json::from_str)
        .transpose()
        .map_err(|e| ConfigError(format!("--payload is no JSON: {e}")))?;
    if payload.as_ref().is_some_and(|p| !p.is_object())
        || (payload.is_some() && filter.ids.as_ref().is_none_or(|ids| ids.len() != 1))
    {
        bail!(ConfigError("--payload is one JSON object for one id".to_owned()));
    }
    let store = world::connect_migrated(config).await?;
    let letters = store.dead_letters(filter, MOST).await?;
    if letters.is_empty() && filter.ids.is_some() {
        bail!("no dead letter matches; `mangoes dead list` shows them");
    }
    if letters.is_empty() && !out.json {
        // Whoever replays a kind of dead letters regularly is glad about none.
        show::line("no dead letter matches; `mangoes dead list` shows them");
        return Ok(ExitCode::SUCCESS);
    }
    let mut ended = Vec::new();
    for letter in letters.iter().rev() {
        ended.push(
            operator::dead::replay_one(&store, letter.id, (payload.as_ref(), how.again)).await?,
        );
        if how.rate > 0 {
            tokio::time::sleep(Duration::from_secs(1) / how.rate).await;
        }
    }
    store
        .audit(
            "dead.replay",
            &json!({"letters": ended.iter().map(|e| e.id).collect::<Vec<_>>()}),
            &jobs::me(),
        )
        .await?;
    let failed = ended.iter().filter(|e| e.replayed_as.is_none()).count();
    let rows = ended.iter().map(|e| {
        vec![
            e.id.to_string(),
            e.replayed_as.clone().unwrap_or_default(),
            e.reason.clone().unwrap_or_default(),
        ]
    });
    out.table(&ended, &["ID", "REPLAYED AS", "NOT REPLAYED"], rows.collect());
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

pub(crate) async fn drop(
    config: &Config,
    (filter, all): (&DeadFilter, bool),
    out: Out,
) -> Result<()> {
    named(filter, all)?;
    let store = world::connect_migrated(config).await?;
    let dropped = store.drop_dead(filter).await?;
    store.audit("dead.drop", &json!({"dropped": dropped}), &jobs::me()).await?;
    if out.json {
        out.value(&json!({"dropped": dropped}));
    } else if dropped == 0 {
        show::line("no dead letter matches; `mangoes dead list` shows them");
    } else {
        show::line(&format!("{dropped} dead letters dropped"));
    }
    Ok(())
}
