//! `--follow`: waits until what was asked for has ended.

use std::{process::ExitCode, time::Duration};

use anyhow::Result;
use operator::{
    Client, OperatorError,
    movies::{Accepted, Ending},
};
use proto::{RunId, RunState};
use runtime::Config;
use serde_json::json;

use super::run_table::print_runs;
use crate::{
    connect,
    output::{self, Output, counted},
    progress::{FollowOptions, follow_run},
};

/// How long `--follow` waits for a run.
const RUN_LIMIT: Duration = Duration::from_secs(6 * 3_600);
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Waits for the end of a run, or says how to see it.
pub(super) async fn run(
    config: &Config,
    run_id: &RunId,
    follow: bool,
    out: Output,
) -> Result<ExitCode> {
    if !follow {
        out.say(&format!("accepted as run {run_id}; `mangoes jobs runs` shows it"));
        if out.json {
            out.value(&json!({ "run_id": run_id }));
        }
        return Ok(ExitCode::SUCCESS);
    }
    let client = connect::client(config).await?;
    run_to_its_end(&client, run_id, out).await
}

/// Waits for the end of a run and shows it; a failure unless all of it succeeded.
pub(super) async fn run_to_its_end(
    client: &Client,
    run_id: &RunId,
    out: Output,
) -> Result<ExitCode> {
    let options = FollowOptions { quiet: out.json, limit: RUN_LIMIT };
    let view = follow_run(client, run_id, options).await?;
    let succeeded = view.run.status == RunState::Succeeded;
    print_runs(&[view.run], client.now().await?, out);
    Ok(if succeeded { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Waits for the end of each message, or says that they were accepted.
pub(super) async fn messages(
    config: &Config,
    accepted: &[Accepted],
    follow: bool,
    out: Output,
) -> Result<ExitCode> {
    if !follow {
        let movies = counted(u64::try_from(accepted.len()).unwrap_or(u64::MAX), "movie");
        out.say(&format!("{movies} accepted; --follow waits for the end"));
        if out.json {
            out.value(&accepted);
        }
        return Ok(ExitCode::SUCCESS);
    }
    let client = connect::client(config).await?;
    let mut code = ExitCode::SUCCESS;
    for message in accepted {
        match end_of(&client, message).await? {
            Ending::Done => out.say(&done_words(&client, message).await?),
            Ending::DeadLetter(error) => {
                output::note(&format!("{}: {error}", message.tmdb_id));
                code = ExitCode::FAILURE;
            }
        }
    }
    Ok(code)
}

async fn end_of(client: &Client, message: &Accepted) -> Result<Ending> {
    loop {
        if let Some(ending) = client.ending(message).await? {
            return Ok(ending);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

async fn done_words(client: &Client, message: &Accepted) -> Result<String> {
    let id = message.tmdb_id;
    match client.movie(id).await {
        Ok(movie) => Ok(format!("{id}: {} (revision {})", movie.title, movie.revision)),
        Err(OperatorError::Unknown { .. }) => Ok(format!("{id}: done")),
        Err(error) => Err(error.into()),
    }
}
