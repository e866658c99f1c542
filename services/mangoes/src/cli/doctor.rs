//! `mangoes doctor`: what a person has to do about the database, and what is good to know.

use std::process::ExitCode;

use anyhow::Result;
use runtime::Config;
use schemars::JsonSchema;
use serde::Serialize;
use store::{BookkeepingProblem, DatabaseClock, Finding, MigrationPlan, Store};

use crate::{
    cli::migration_plan,
    connect,
    output::{self, Output, relative},
    run::services,
};

/// How much a check says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    Ok,
    /// It cannot be seen by this role.
    Unknown,
    Warning,
    /// Something has to be done.
    Problem,
}

/// What was looked at.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Checks {
    checks: Vec<Check>,
}

/// One thing that was looked at, and what was found.
#[derive(Debug, Serialize, JsonSchema)]
struct Check {
    check: &'static str,
    verdict: Verdict,
    findings: Vec<Finding>,
}

impl Check {
    /// Nothing found is well.
    fn new(check: &'static str, otherwise: Verdict, findings: Vec<Finding>) -> Self {
        let verdict = if findings.is_empty() { Verdict::Ok } else { otherwise };
        Self { check, verdict, findings }
    }
}

pub(super) async fn run(config: &Config, out: Output) -> Result<ExitCode> {
    let store = connect::store(config).await?;
    let plan = store.migration_plan().await?;
    let mut checks = of_plan(&plan);
    if plan.is_migrated {
        checks.push(rights(&store, &plan).await?);
        checks.push(bookkeeping(&store).await?);
    }
    checks.push(clock(&store).await?);
    let is_well = checks.iter().all(|check| check.verdict != Verdict::Problem);
    if out.json {
        out.value(&Checks { checks });
    } else {
        show(&plan, &checks);
    }
    Ok(if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn of_plan(plan: &MigrationPlan) -> Vec<Check> {
    use Verdict::{Problem, Unknown, Warning};
    let object = format!("database {}", plan.database.name);
    let finding = |problem: &str, remedy: &str| Finding {
        object: object.clone(),
        problem: problem.to_owned(),
        remedy_sql: None,
        remedy: Some(remedy.to_owned()),
    };
    let mut migration = Vec::new();
    if !plan.is_migrated {
        migration.push(finding("migrations are missing", "mangoes migrate --plan"));
    } else if !plan.is_adopted {
        let problem = "not every work of the app has been looked at yet";
        migration.push(finding(problem, "mangoes migrate"));
    } else if !plan.has_first_rows {
        let remedy = "restore the rows of its dump, or run: mangoes migrate";
        migration.push(finding("its first rows are missing", remedy));
    }
    let old = plan.old_jobs.iter().map(|job| Finding {
        object: format!("job {} of pg_cron", job.shown_name()),
        problem: format!("is still active ({}), and does what ours does", job.schedule),
        remedy_sql: Some(job.remedy.clone()),
        remedy: None,
    });
    let old: Vec<Finding> = old.collect();
    let jobs = if old.is_empty() {
        Check::new("jobs of pg_cron", Unknown, plan.old_jobs_unseen.iter().cloned().collect())
    } else {
        Check::new("jobs of pg_cron", Problem, old)
    };
    vec![
        Check::new("migrations", Problem, migration),
        Check::new("the app's tables", Problem, plan.in_the_way.clone()),
        Check::new("the app's rows", Warning, plan.warnings.clone()),
        jobs,
    ]
}

/// What the plan has not named yet.
async fn rights(store: &Store, plan: &MigrationPlan) -> Result<Check> {
    let mut missing = store.missing_rights_of_services().await?;
    missing.retain(|right| {
        !plan.in_the_way.contains(&right.finding) && !plan.warnings.contains(&right.finding)
    });
    let stops_work = missing.iter().any(|right| right.stops_work);
    let findings = missing.into_iter().map(|right| right.finding).collect();
    let verdict = if stops_work { Verdict::Problem } else { Verdict::Warning };
    Ok(Check::new("rights of the services", verdict, findings))
}

async fn bookkeeping(store: &Store) -> Result<Check> {
    let now = store.now().await?;
    let finding = |row: BookkeepingProblem| Finding {
        object: row.table_name,
        problem: format!(
            "{} times a row could not be written, last {}: {}",
            row.times,
            relative(Some(row.last_at), now),
            row.problem
        ),
        remedy_sql: None,
        remedy: None,
    };
    let problems = store.bookkeeping_problems().await?;
    let findings = problems.into_iter().map(finding).collect();
    Ok(Check::new("rows for the app's people", Verdict::Warning, findings))
}

async fn clock(store: &Store) -> Result<Check> {
    let offset = DatabaseClock::start(store).await?.offset();
    let finding = (offset.abs() > services::CLOCK_OFFSET_LOGGED).then(|| Finding {
        object: "clock of this machine".to_owned(),
        problem: format!("differs from the database's by {:.1} s", offset.as_seconds_f64()),
        remedy_sql: None,
        remedy: Some("set one of the two clocks, best of all by NTP".to_owned()),
    });
    Ok(Check::new("clock", Verdict::Warning, finding.into_iter().collect()))
}

fn show(plan: &MigrationPlan, checks: &[Check]) {
    let of = &plan.database;
    output::line(&format!(
        "database {} at Postgres {}, role {}, app's schema {}",
        of.name, of.server_version, of.role, of.app_schema
    ));
    for check in checks {
        let word = match check.verdict {
            Verdict::Ok => "ok",
            Verdict::Unknown => "unknown",
            Verdict::Warning => "warning",
            Verdict::Problem => "PROBLEM",
        };
        output::line(&format!("{word:<8} {}", check.check));
        let lines = check.findings.iter().flat_map(migration_plan::finding_lines);
        lines.for_each(|line| output::line(&format!("       {line}")));
    }
}
