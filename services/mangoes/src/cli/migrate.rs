//! `mangoes migrate`: checks the database, applies the migrations, gives the works that were there
//! before us their rows.

use std::process::ExitCode;

use anyhow::{Result, bail};
use runtime::Config;
use store::{FirstRows, MigrationNews, MigrationPlan, Store};

use crate::{
    cli::migration_plan,
    connect,
    output::{self, Output},
    progress::Bar,
};

#[derive(Debug, clap::Args)]
pub(crate) struct MigrateArgs {
    /// Only look: what there is, what would be made, what stands in the way (exit 1), how long it
    /// takes. Changes nothing.
    #[arg(long, conflicts_with_all = ["empty", "grant_reader"])]
    plan: bool,
    /// Leave out the first rows (jobs, policy, id): the rows of a dump are restored afterwards.
    #[arg(long)]
    empty: bool,
    /// Let this role read status, titles and timeline, as mangoes_reader does.
    #[arg(long, value_name = "ROLE")]
    grant_reader: Vec<String>,
}

pub(super) async fn run(config: &Config, args: &MigrateArgs, out: Output) -> Result<ExitCode> {
    let store = connect::store(config).await?;
    let plan = store.migration_plan().await?;
    if args.plan {
        migration_plan::show(&plan, out);
        return Ok(code(&plan));
    }
    if !plan.in_the_way.is_empty() {
        refuse(&plan, out);
        return Ok(ExitCode::FAILURE);
    }
    if args.empty && plan.has_first_rows {
        bail!(
            "the database has its first rows (jobs, policy, id): --empty is for a database whose \
             rows come from a dump; make a new one, or leave the flag out"
        );
    }
    let rows = if args.empty { FirstRows::Restored } else { FirstRows::Written };
    let works = apply(&store, rows).await?;
    for role in &args.grant_reader {
        store.grant_reader(role).await?;
    }
    if out.json {
        out.value(&store.migration_plan().await?);
        return Ok(ExitCode::SUCCESS);
    }
    migration_plan::done(&plan, works, rows).iter().for_each(|line| output::line(line));
    for role in &args.grant_reader {
        output::line(&format!("{role} may read status, titles and timeline"));
    }
    output::line("the database has all migrations");
    migration_plan::notes(&plan);
    Ok(ExitCode::SUCCESS)
}

/// What stands in the way is something to do.
fn code(plan: &MigrationPlan) -> ExitCode {
    if plan.in_the_way.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn refuse(plan: &MigrationPlan, out: Output) {
    output::note("mangoes: nothing was changed, because of what is in the way:");
    if out.json {
        out.value(plan);
        return;
    }
    migration_plan::in_the_way(plan).iter().for_each(|line| output::note(line));
}

/// Returns how many works were looked at, by this process or an earlier one.
async fn apply(store: &Store, rows: FirstRows) -> Result<u64> {
    let mut bar = Bar::new("works looked at", false);
    let mut works = 0;
    let news = |news| match news {
        MigrationNews::Waits(words) => {
            output::note(&format!("mangoes: waits: {words}; it is tried again and again"));
        }
        MigrationNews::Adopted(at) => {
            works = at.done;
            bar.set(at.done, at.of);
        }
    };
    let done = store.migrate_with(rows, news).await;
    bar.end();
    done?;
    Ok(works)
}
