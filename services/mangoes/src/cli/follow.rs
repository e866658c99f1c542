//! `--follow`: waits until what was asked for has ended.

use std::{process::ExitCode, time::Duration};

use anyhow::Result;
use operator::{
    Client, OperatorError,
    answers::{self, Started},
    movies::{Accepted, MessageEnding, MessageState},
};
use proto::{RunId, RunState, TmdbId};
use runtime::Config;
use schemars::JsonSchema;
use serde::Serialize;
use store::MovieRow;

use super::run_table::print_run;
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
        out.json_only(&Started { run_id: run_id.clone() });
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
    print_run(&view, client.now().await?, out);
    Ok(if succeeded { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Waits for the end of each message, or says that they were accepted.
pub(super) async fn messages(
    config: &Config,
    accepted: Vec<Accepted>,
    follow: bool,
    out: Output,
) -> Result<ExitCode> {
    if !follow {
        let movies = counted(u64::try_from(accepted.len()).unwrap_or(u64::MAX), "movie");
        out.say(&format!("{movies} accepted; --follow waits for the end"));
        out.json_only(&answers::Accepted { accepted });
        return Ok(ExitCode::SUCCESS);
    }
    let client = connect::client(config).await?;
    let mut movies = Vec::with_capacity(accepted.len());
    for message in accepted {
        let ending = end_of(&client, &message).await?;
        let movie = match client.movie(message.tmdb_id).await {
            Ok(movie) => Some(movie),
            Err(OperatorError::Unknown { .. }) => None,
            Err(error) => return Err(error.into()),
        };
        let followed = FollowedMovie::of(message.tmdb_id, ending, movie);
        if followed.outcome == MovieOutcome::Stored {
            out.say(&followed.words());
        } else {
            output::note(&followed.words());
        }
        movies.push(followed);
    }
    let all_stored = movies.iter().all(|movie| movie.outcome == MovieOutcome::Stored);
    out.json_only(&Followed { movies });
    Ok(if all_stored { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What became of a movie that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum MovieOutcome {
    /// The catalogue has what TMDB says of it.
    Stored,
    /// TMDB answered 404, for the first time.
    Missing,
    /// TMDB does not have it any more.
    Removed,
    /// It is not in the catalogue.
    Absent,
    /// Its message became a dead letter.
    DeadLetter,
}

/// What `--follow` ends with.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Followed {
    /// In the order in which they were asked for.
    movies: Vec<FollowedMovie>,
}

/// A movie that was asked for.
#[derive(Debug, Serialize, JsonSchema)]
struct FollowedMovie {
    tmdb_id: TmdbId,
    outcome: MovieOutcome,
    title: Option<String>,
    revision: Option<i64>,
    error: Option<String>,
}

impl FollowedMovie {
    fn of(tmdb_id: TmdbId, ending: MessageEnding, movie: Option<MovieRow>) -> Self {
        let missing = "TMDB answered 404; it is asked again in a day";
        let (outcome, error) = match (ending.state, &movie) {
            (MessageState::DeadLetter, _) => (MovieOutcome::DeadLetter, ending.error),
            (_, None) => (MovieOutcome::Absent, Some("it is not in the catalogue".to_owned())),
            (_, Some(movie)) if movie.removed_at.is_some() => {
                (MovieOutcome::Removed, Some("TMDB does not have it any more".to_owned()))
            }
            (_, Some(movie)) if movie.missing_since.is_some() => {
                (MovieOutcome::Missing, Some(missing.to_owned()))
            }
            (_, Some(_)) => (MovieOutcome::Stored, None),
        };
        let (title, revision) = movie.map(|movie| (movie.title, movie.revision)).unzip();
        Self { tmdb_id, outcome, title, revision, error }
    }

    fn words(&self) -> String {
        let title = self.title.as_deref().unwrap_or("not in the catalogue");
        match (&self.error, self.revision) {
            (Some(error), _) => format!("{}: {error}", self.tmdb_id),
            (None, Some(revision)) => format!("{}: {title} (revision {revision})", self.tmdb_id),
            (None, None) => format!("{}: {title}", self.tmdb_id),
        }
    }
}

async fn end_of(client: &Client, message: &Accepted) -> Result<MessageEnding> {
    loop {
        let ending = client.ending(message).await?;
        if ending.state != MessageState::Waiting {
            return Ok(ending);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
