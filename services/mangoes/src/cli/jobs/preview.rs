//! `mangoes jobs next` and `lint`.

use std::process::ExitCode;

use anyhow::Result;
use operator::{
    answers::{Findings, Times},
    jobs::{NextTimes, Preview},
};
use runtime::Config;

use super::list::next_words;
use crate::{
    connect,
    output::{Output, relative, rfc3339},
};

pub(super) async fn next(
    config: &Config,
    name: &str,
    count: usize,
    out: Output,
) -> Result<ExitCode> {
    let client = connect::client_to_read(config).await?;
    let NextTimes { job, times } = client.next(name, count).await?;
    let now = client.now().await?;
    if !job.enabled {
        out.say(&format!("{name} is {}; it would fire:", next_words(&job, now)));
    }
    let row = |time: &Preview| {
        vec![
            time.local.clone(),
            rfc3339(time.at),
            relative(Some(time.at), now),
            time.note.clone().unwrap_or_default(),
        ]
    };
    let head = [&*job.timezone, "UTC", "IN", "NOTE"];
    let rows = times.iter().map(row).collect();
    out.table(&Times { times }, &head, rows);
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn lint(config: &Config, out: Output) -> Result<ExitCode> {
    let client = connect::client_to_read(config).await?;
    let found = client.lint().await?;
    let is_well = found.is_empty();
    if is_well {
        out.say("nothing is wrong with any job");
    }
    if out.json || !is_well {
        let rows = found.iter().map(|f| vec![f.job.clone(), f.problem.clone()]).collect();
        out.table(&Findings { findings: found }, &["JOB", "PROBLEM"], rows);
    }
    Ok(if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
