//! `mangoes dead`: dead letters are listed, shown, replayed, dropped.

use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::Subcommand;
use operator::{
    Client,
    answers::{DeadGroups, DeadLetters, Dropped, Replays},
    dead::{self, DeadLetterSelection, ReplayOptions},
};
use runtime::Config;
use store::{DeadGroup, DeadRow};
use time::OffsetDateTime;

use super::{author::this_user, json_object::JsonObject};
use crate::{
    connect,
    output::{Output, WideTable, counted, cut, relative, rfc3339},
};

/// Dead letters that one command replays.
const REPLAY_MAX: i64 = 1_000_000;
/// Dead letters that are looked up at once: they have to fit into a message.
const IDS_AT_ONCE: usize = 100;
/// Longest error or payload in a table.
const TEXT_CHARS: usize = 80;

/// The id of a dead letter, as a person writes it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DeadLetterId(i64);

impl std::str::FromStr for DeadLetterId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.parse().ok().filter(|id| *id > 0).map(Self).ok_or_else(|| {
            format!("'{text}' is not the id of a dead letter: `mangoes dead list` shows them")
        })
    }
}

/// Which dead letters.
#[derive(Debug, clap::Args)]
pub(crate) struct SelectionArgs {
    /// Their ids.
    ids: Vec<DeadLetterId>,
    /// Those of this consumer, as ingest-movie.
    #[arg(long)]
    consumer: Option<String>,
    /// Those with this reason, as not-found.
    #[arg(long)]
    reason: Option<String>,
    /// All of them.
    #[arg(long)]
    all: bool,
}

impl From<SelectionArgs> for DeadLetterSelection {
    fn from(args: SelectionArgs) -> Self {
        let ids: Vec<i64> = args.ids.into_iter().map(|DeadLetterId(id)| id).collect();
        let ids = Some(ids).filter(|ids| !ids.is_empty());
        Self { ids, consumer: args.consumer, reason: args.reason, all: args.all }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum DeadCommand {
    /// List them by reason; or one by one, of a consumer or a reason.
    List {
        /// Of this consumer, as ingest-movie.
        #[arg(long)]
        consumer: Option<String>,
        /// With this reason, as not-found.
        #[arg(long)]
        reason: Option<String>,
        /// Show at most this many, one by one.
        #[arg(short = 'n', default_value_t = 50)]
        limit: i64,
    },
    /// Show one with everything that is known about it.
    Show {
        /// Its id.
        id: DeadLetterId,
    },
    /// Replay them: send each again under a new message id.
    Replay {
        #[command(flatten)]
        selection: SelectionArgs,
        /// Send this payload instead of its own; for one id.
        #[arg(long, value_name = "JSON")]
        payload: Option<JsonObject>,
        /// Replay at most this many a second; 0 = without a pause.
        #[arg(long, default_value_t = 50)]
        rate: u32,
        /// Replay also those that were replayed before.
        #[arg(long)]
        again: bool,
    },
    /// Remove them.
    Drop {
        #[command(flatten)]
        selection: SelectionArgs,
    },
}

pub(super) async fn run(config: &Config, verb: DeadCommand, out: Output) -> Result<ExitCode> {
    match verb {
        DeadCommand::List { consumer: None, reason: None, .. } => list_groups(config, out).await,
        DeadCommand::List { consumer, reason, limit } => {
            let selection = DeadLetterSelection { consumer, reason, ..Default::default() };
            list(config, &selection, limit, out).await
        }
        DeadCommand::Show { id: DeadLetterId(id) } => show(config, id, out).await,
        DeadCommand::Replay { selection, payload, rate, again } => {
            let payload = payload.map(|JsonObject(object)| object);
            let options = ReplayOptions { payload, again, per_second: rate, limit: REPLAY_MAX };
            replay(config, &selection.into(), &options, out).await
        }
        DeadCommand::Drop { selection } => drop(config, &selection.into(), out).await,
    }
}

const GROUP_HEAD: [&str; 8] = [
    "REASON",
    "CONSUMER",
    "DEAD LETTERS",
    "REPLAYED",
    "FIRST",
    "LAST",
    "LATEST ID",
    "LATEST ERROR",
];

async fn list_groups(config: &Config, out: Output) -> Result<ExitCode> {
    let client = connect::client_to_read(config).await?;
    let (groups, now) = (client.dead_groups().await?, client.now().await?);
    if groups.is_empty() {
        out.say("no dead letters");
    }
    if out.json || !groups.is_empty() {
        let rows = groups.iter().map(|group| group_row(group, now)).collect();
        let table = WideTable { head: &GROUP_HEAD, less: &["FIRST", "REPLAYED"], rows };
        out.wide_table(&DeadGroups { groups }, table);
    }
    Ok(ExitCode::SUCCESS)
}

fn group_row(group: &DeadGroup, now: OffsetDateTime) -> Vec<String> {
    vec![
        group.reason.clone(),
        group.consumer.clone(),
        letters(group),
        group.replayed.to_string(),
        relative(Some(group.first_at), now),
        relative(Some(group.last_at), now),
        group.latest_id.to_string(),
        cut(&group.latest_error, TEXT_CHARS),
    ]
}

/// The exact number, where all were counted.
fn letters(group: &DeadGroup) -> String {
    if group.letters > DeadGroup::LETTERS_MAX {
        format!("{}+", DeadGroup::LETTERS_MAX)
    } else {
        group.letters.to_string()
    }
}

async fn list(
    config: &Config,
    selection: &DeadLetterSelection,
    limit: i64,
    out: Output,
) -> Result<ExitCode> {
    let client = connect::client_to_read(config).await?;
    let (letters, now) = (client.dead_letters(selection, limit).await?, client.now().await?);
    let row = |letter: &DeadRow| {
        vec![
            letter.id.to_string(),
            letter.reason.clone(),
            letter.consumer.clone(),
            letter.tries.to_string(),
            relative(Some(letter.died_at), now),
            cut(&letter.payload, TEXT_CHARS),
            cut(&letter.error, TEXT_CHARS),
        ]
    };
    let head = ["ID", "REASON", "CONSUMER", "ATTEMPTS", "GIVEN UP", "PAYLOAD", "ERROR"];
    if letters.is_empty() && !out.json {
        out.say(NONE_MATCHES);
        return Ok(ExitCode::SUCCESS);
    }
    let rows = letters.iter().map(row).collect();
    let table = WideTable { head: &head, less: &["ATTEMPTS", "PAYLOAD"], rows };
    out.wide_table(&DeadLetters { dead_letters: letters }, table);
    Ok(ExitCode::SUCCESS)
}

async fn show(config: &Config, id: i64, out: Output) -> Result<ExitCode> {
    let client = connect::client_to_read(config).await?;
    let (letter, now) = (client.dead_letter(id).await?, client.now().await?);
    if out.json {
        out.value(&letter);
        return Ok(ExitCode::SUCCESS);
    }
    let when = |at| format!("{} ({})", rfc3339(at), relative(Some(at), now));
    out.pairs(&[
        ("id", letter.id.to_string()),
        ("reason", letter.reason),
        ("error", letter.error),
        ("consumer", letter.consumer),
        ("subject", letter.subject),
        ("message key", letter.message_key),
        ("attempts", letter.tries.to_string()),
        ("first attempt", when(letter.first_at)),
        ("given up", when(letter.died_at)),
        ("trace id", letter.trace_id.unwrap_or_default()),
        ("replayed as", letter.replayed_as.unwrap_or_else(|| "not replayed".to_owned())),
        ("headers", letter.headers.to_string()),
        ("payload", letter.payload),
    ]);
    Ok(ExitCode::SUCCESS)
}

const NONE_MATCHES: &str = "no dead letter matches; `mangoes dead list` shows them";

/// Refuses ids of which no dead letter is there, before anything is done.
async fn all_there(client: &Client, selection: &DeadLetterSelection, done: &str) -> Result<()> {
    let mut missing = Vec::new();
    for ids in selection.ids.iter().flat_map(|ids| ids.chunks(IDS_AT_ONCE)) {
        let some = DeadLetterSelection { ids: Some(ids.to_vec()), ..Default::default() };
        let found = client.dead_letters(&some, REPLAY_MAX).await?;
        let is_missing = |id: &i64| !found.iter().any(|letter| letter.id == *id);
        missing.extend(ids.iter().copied().filter(is_missing));
    }
    if missing.is_empty() {
        return Ok(());
    }
    let ids = missing.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ");
    bail!(
        "there is no dead letter {ids}, and nothing was {done}; `mangoes dead list` shows the dead \
         letters"
    )
}

async fn replay(
    config: &Config,
    selection: &DeadLetterSelection,
    options: &ReplayOptions,
    out: Output,
) -> Result<ExitCode> {
    dead::checked(selection, options)?;
    let client = connect::client(config).await?;
    all_there(&client, selection, "replayed").await?;
    let replayed = client.replay(selection, options, &this_user()).await?;
    if replayed.is_empty() && !out.json {
        // A command that is run regularly has nothing to do on most days.
        out.say(NONE_MATCHES);
        return Ok(ExitCode::SUCCESS);
    }
    let rows = replayed.iter().map(|end| {
        let (new_id, why) = (end.replayed_as.clone(), end.reason.clone());
        vec![end.id.to_string(), new_id.unwrap_or_default(), why.unwrap_or_default()]
    });
    let rows = rows.collect();
    let all = replayed.iter().all(|end| end.replayed_as.is_some());
    out.table(&Replays { replayed }, &["ID", "REPLAYED AS", "NOT REPLAYED"], rows);
    Ok(if all { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn drop(config: &Config, selection: &DeadLetterSelection, out: Output) -> Result<ExitCode> {
    selection.explicit()?;
    let client = connect::client(config).await?;
    all_there(&client, selection, "dropped").await?;
    let dropped = client.drop_dead(selection, &this_user()).await?;
    if out.json {
        out.value(&Dropped { dropped });
    } else if dropped == 0 {
        out.say(NONE_MATCHES);
    } else {
        out.say(&format!("{} dropped", counted(dropped, "dead letter")));
    }
    Ok(ExitCode::SUCCESS)
}
