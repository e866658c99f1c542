//! Dumps of the app's database, and what comes out of them, as people make them with the server's
//! own programs.

use std::{path::Path, process::Command};

use super::app::{HostedApp, Login};

impl HostedApp {
    /// A new database with everything that is in this one, out of one dump.
    pub async fn copy(&self, database: &str) -> Self {
        let copy = self.another(database).await;
        let dump = self.dump("whole", &[]);
        copy.restore(&dump, &[]);
        copy
    }

    /// As `copy`, in two steps: the tables out of one dump, the rows out of another, with all
    /// triggers at work.
    pub async fn copy_in_two_steps(&self, database: &str) -> Self {
        let copy = self.another(database).await;
        let tables = self.dump("tables", &["--schema-only"]);
        let rows = self.dump("rows", &["--data-only"]);
        copy.restore(&tables, &[]);
        copy.restore(&rows, &["--data-only"]);
        copy
    }

    /// As `copy_in_two_steps`, where `mangoes migrate --empty` has made our tables.
    pub async fn copy_rows_into_a_migrated_one(&self, database: &str) -> Self {
        let copy = self.another(database).await;
        let tables = self.dump("tables", &["--schema-only"]);
        let rows = self.dump("rows", &["--data-only"]);
        copy.restore(&tables, &[]);
        copy.as_superuser("drop schema mangoes cascade").await;
        succeeds(copy.program(Login::Owner).args(["migrate", "--empty"]));
        copy.restore(&rows, &["--data-only"]);
        copy
    }

    fn dump(&self, name: &str, flags: &[&str]) -> std::path::PathBuf {
        let file = self.file(&format!("{name}.dump"));
        let mut dump = self.server_program("pg_dump");
        dump.args(["--format=custom", "--file"]).arg(&file).args(flags);
        succeeds(dump.args(["--dbname", &self.url_as(Login::Superuser)]));
        file
    }

    /// Everything, or nothing where one statement fails.
    fn restore(&self, dump: &Path, flags: &[&str]) {
        let mut restore = self.server_program("pg_restore");
        restore.args(["--exit-on-error", "--single-transaction"]).args(flags);
        succeeds(restore.args(["--dbname", &self.url_as(Login::Superuser)]).arg(dump));
    }
}

fn succeeds(command: &mut Command) {
    let done = command.output().unwrap();
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{command:?}: {said}");
}
