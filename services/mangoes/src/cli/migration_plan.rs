//! Prints what `mangoes migrate` finds and would do.

use store::{AppTableState, Finding, FirstRows, MigrationPlan, OldJob};

use crate::output::{self, Output, counted};

/// The whole plan, section by section.
pub(super) fn show(plan: &MigrationPlan, out: Output) {
    if out.json {
        out.value(plan);
        return;
    }
    database(plan, out);
    heading("In the way");
    print(&in_the_way(plan), "nothing");
    heading("To be made");
    print(&to_make(plan), "nothing to do: everything is applied");
    heading("Good to know");
    print(&warnings(plan), "nothing");
    heading("Time and locks");
    time(plan);
}

fn database(plan: &MigrationPlan, out: Output) {
    let of = &plan.database;
    out.pairs(&[
        ("database", of.name.clone()),
        ("server", format!("Postgres {}", of.server_version)),
        ("role", of.role.clone()),
        ("app's schema", of.app_schema.clone()),
        ("state", state(plan).to_owned()),
    ]);
    output::line("");
    let rows = plan.tables.iter().map(row).collect();
    out.table(&plan.tables, &["TABLE", "STATE", "ROWS", "SIZE"], rows);
}

const fn state(plan: &MigrationPlan) -> &'static str {
    if plan.is_done() {
        "migrated"
    } else if plan.is_migrated {
        "migrated; not all works have been looked at yet"
    } else {
        "not migrated, or by an older version"
    }
}

fn row(table: &AppTableState) -> Vec<String> {
    if !table.exists {
        return [&table.name, "missing", "-", "-"].map(ToOwned::to_owned).to_vec();
    }
    let rows = format!("~{}", table.rows);
    vec![table.name.clone(), "there".to_owned(), rows, size(table.size_bytes)]
}

/// "64 MB"
pub(super) fn size(bytes: i64) -> String {
    match bytes {
        0..=1_048_575 => format!("{} kB", bytes / 1_024),
        1_048_576..=10_737_418_239 => format!("{} MB", bytes / 1_048_576),
        _ => format!("{} GB", bytes / 1_073_741_824),
    }
}

fn heading(text: &str) {
    output::line(&format!("\n{text}"));
}

fn print(lines: &[String], otherwise: &str) {
    if lines.is_empty() {
        output::line(&format!("  {otherwise}"));
    }
    lines.iter().for_each(|line| output::line(line));
}

/// What has to be put right first.
pub(super) fn in_the_way(plan: &MigrationPlan) -> Vec<String> {
    plan.in_the_way.iter().flat_map(finding_lines).collect()
}

/// The object and what is the matter with it; below, further in, what helps.
pub(super) fn finding_lines(finding: &Finding) -> Vec<String> {
    let mut lines = vec![format!("  {}: {}", finding.object, finding.problem)];
    let both = [&finding.remedy_sql, &finding.remedy].into_iter().flatten();
    let remedy = both.flat_map(|remedy| remedy.lines());
    lines.extend(remedy.map(|line| format!("      {line}")));
    lines
}

fn to_make(plan: &MigrationPlan) -> Vec<String> {
    let mut lines: Vec<String> = plan.to_make.iter().map(|what| format!("  {what}")).collect();
    if !plan.is_done() && plan.table_is_there("works") {
        lines.push(
            "  a row of ours for each work; no row and no column of the app's changes".into(),
        );
    }
    lines
}

fn warnings(plan: &MigrationPlan) -> Vec<String> {
    let mut lines: Vec<String> = plan.warnings.iter().flat_map(finding_lines).collect();
    lines.extend(old_job_lines(&plan.old_jobs));
    if plan.old_jobs.is_empty() {
        lines.extend(plan.old_jobs_unseen.iter().flat_map(finding_lines));
    }
    lines
}

/// Jobs of pg_cron that run beside ours, with the SQL that stops them.
pub(super) fn old_job_lines(jobs: &[OldJob]) -> Vec<String> {
    let lines = jobs.iter().flat_map(|job| {
        let name = job.shown_name();
        [
            format!(
                "  job {name} of pg_cron is still active ({}): it does what ours does",
                job.schedule
            ),
            format!("      {}", job.remedy),
        ]
    });
    lines.collect()
}

/// What a migration did, of what the plan before it named; so many works were looked at.
pub(super) fn done(before: &MigrationPlan, works: u64, rows: FirstRows) -> Vec<String> {
    let mut made = before.to_make.clone();
    if !before.has_first_rows && rows == FirstRows::Written {
        made.push("the first rows (jobs, policy, id of the installation)".to_owned());
    }
    let mut lines = Vec::new();
    if !made.is_empty() {
        lines.push(format!("made: {}", made.join("; ")));
    }
    if !before.is_adopted && works > 0 {
        lines.push(format!("looked at {} of the app", counted(works, "work")));
    }
    if lines.is_empty() {
        lines.push("nothing to do".to_owned());
    }
    lines
}

/// What a person should know after a migration.
pub(super) fn notes(plan: &MigrationPlan) {
    let lines = warnings(plan);
    if !lines.is_empty() {
        output::line("\nGood to know");
        print(&lines, "");
    }
}

fn time(plan: &MigrationPlan) {
    if plan.is_done() {
        output::line("  none");
        return;
    }
    output::line(&format!(
        "  about {} for {}",
        counted(plan.estimated_secs.unsigned_abs().max(1), "second"),
        counted(plan.works_to_adopt.unsigned_abs(), "work")
    ));
    for lock in &plan.locks {
        output::line(&format!("  {}: {}", lock.table, lock.mode));
        output::line(&format!("      {}", lock.effect));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remedy_of_several_lines_stands_below_its_finding() {
        let finding = Finding {
            object: "public.works".to_owned(),
            problem: "has no key".to_owned(),
            remedy_sql: Some("look;\nmend;".to_owned()),
            remedy: Some("or leave it".to_owned()),
        };
        let lines = finding_lines(&finding);
        assert_eq!(
            lines,
            ["  public.works: has no key", "      look;", "      mend;", "      or leave it"]
        );
    }

    #[test]
    fn sizes_for_people() {
        for (bytes, expected) in [(8_192, "8 kB"), (67_108_864, "64 MB"), (21_474_836_480, "20 GB")]
        {
            assert_eq!(size(bytes), expected);
        }
    }
}
