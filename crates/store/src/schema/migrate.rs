//! Migrates: checks, applies, adopts. What `mangoes migrate` does, and each process at its start.

use crate::{
    Store, StoreError,
    db::deadline::{SHORT, within},
    schema::{
        adopt::MigrationNews,
        apply::{self, FirstRows},
        plan::MigrationPlan,
    },
};

impl Store {
    /// At the start of a process: applies what is missing, and gives the works that were there
    /// before their rows.
    ///
    /// # Errors
    /// `Setup` with a sentence that says what is in the way, or what is missing; nothing is changed
    /// then.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        if !(self.is_migrated().await? && self.is_adopted().await?) {
            self.migration_plan().await?.check()?;
            self.migrate_with(FirstRows::Written, log_waits).await?;
        }
        let has_rows = within(SHORT, async {
            let mut session = self.pool.acquire().await?;
            apply::has_first_rows(&mut session).await
        });
        if has_rows.await? {
            return Ok(());
        }
        Err(StoreError::Setup(
            "the database has its tables and no first rows: restore the rows of its dump, or run \
             `mangoes migrate` to begin without them"
                .to_owned(),
        ))
    }

    /// Applies what is missing and the rights of our roles, and gives the works that were there
    /// before their rows. Whoever calls it has looked at the plan.
    ///
    /// # Errors
    /// When the database does not answer, or refuses; what is applied is applied as a whole.
    pub async fn migrate_with(
        &self,
        rows: FirstRows,
        mut news: impl FnMut(MigrationNews),
    ) -> Result<(), StoreError> {
        self.apply_schema(rows, &mut news).await?;
        self.adopt_works(|at| news(MigrationNews::Adopted(at))).await
    }
}

fn log_waits(news: MigrationNews) {
    if let MigrationNews::Waits(words) = news {
        tracing::warn!(words, "the migration waits for a lock");
    }
}

impl MigrationPlan {
    /// # Errors
    /// `Setup` with the first thing that is in the way.
    fn check(&self) -> Result<(), StoreError> {
        let Some(first) = self.in_the_way.first() else { return Ok(()) };
        let more = self.in_the_way.len() - 1;
        let more = if more == 0 { String::new() } else { format!(", and {more} more in the way") };
        Err(StoreError::Setup(format!(
            "the database has to be migrated, and cannot be by {}: {} {}{more}; `mangoes migrate \
             --plan` names the remedies; run `mangoes migrate` as a role that may make tables",
            self.database.role, first.object, first.problem
        )))
    }
}
