//! Roles that may read what `mangoes_reader` reads.

use crate::{
    Store, StoreError,
    db::deadline::{SHORT, within},
    schema::apply,
};

impl Store {
    /// Gives a role the views and tables for people; each later migration gives them again.
    ///
    /// # Errors
    /// `Setup` where there is no such role.
    pub async fn grant_reader(&self, role: &str) -> Result<(), StoreError> {
        within(SHORT, async {
            let mut tx = self.pool.begin().await?;
            let added = sqlx::query!(
                "
                insert into reader_role (role_name)
                select rolname
                from pg_roles
                where rolname = $1
                on conflict (role_name) do update set
                    granted_at = now()
                ",
                role
            )
            .execute(&mut *tx)
            .await?;
            if added.rows_affected() == 0 {
                let problem = format!("there is no role {role} in this database: create it first");
                return Err(StoreError::Setup(problem));
            }
            apply::apply_rights(&mut tx).await?;
            tx.commit().await?;
            Ok(())
        })
        .await
    }
}
