//! What is done to an app's database before and after `mangoes migrate`, and the remedies that the
//! plan names, as a person would run them.

use serde_json::Value;

use super::{Lock, migrate::AppDatabase};
use crate::database::Database;

impl Database {
    /// Schema mangoes is another installation's from now on, as after `drop schema` and `migrate`.
    pub async fn be_another_installation(&self) {
        self.execute("update mangoes.installation set id = gen_random_uuid()").await;
    }
}

impl AppDatabase {
    /// Runs the SQL of each remedy for what is in the way. False: for something there is none, and
    /// nothing is run.
    pub async fn apply_remedies(&self) -> bool {
        let said = self.run(&["migrate", "--plan", "--json"]);
        let plan: Value = serde_json::from_str(&said.text).unwrap();
        let in_the_way = plan["in_the_way"].as_array().unwrap();
        let remedies: Option<Vec<&str>> =
            in_the_way.iter().map(|finding| finding["remedy_sql"].as_str()).collect();
        let Some(remedies) = remedies else { return false };
        for sql in remedies {
            self.execute(sql).await;
        }
        true
    }

    /// A writer of works that does not come to its end: readers pass, nobody makes triggers.
    pub async fn begin_an_edit(&self) -> Lock {
        self.hold("lock table public.works in row exclusive mode").await
    }

    /// Migrated, with works that nobody has looked at yet.
    pub async fn have_unseen_works(&self, number: i32) {
        self.execute(&format!(
            "begin;
             set local session_replication_role = 'replica';
             insert into public.works (tmdb_id, title, release_date)
             select n::text, 'Movie ' || n, '2000-01-01'
             from generate_series(1, {number}) n;
             update mangoes.adoption set next_work_id = default, finished_at = null;
             commit"
        ))
        .await;
    }

    /// Whoever gives this work its row in title waits.
    pub async fn hold_the_title_of(&self, work_id: i64) -> Lock {
        let sql = format!("insert into mangoes.title (work_id, band) values ({work_id}, 'recent')");
        self.hold(&sql).await
    }

    /// A member of mangoes_reader, who logs in.
    pub async fn have_a_reader(&self, role: &str) {
        self.execute(&format!(
            "create role {role} login password 'sesame'; grant mangoes_reader to {role}"
        ))
        .await;
    }

    /// This role may not look at the jobs of pg_cron.
    pub async fn take_the_jobs_away_from(&self, role: &str) {
        self.execute(&format!("revoke all on schema cron from {role}")).await;
    }

    /// One of our triggers on works is dropped.
    pub async fn lose_the_trigger(&self, name: &str) {
        self.execute(&format!("drop trigger {name} on public.works")).await;
    }

    /// One of our triggers on works does nothing.
    pub async fn disable_the_trigger(&self, name: &str) {
        self.execute(&format!("alter table public.works disable trigger {name}")).await;
    }

    /// What an owner may have, and should hear of: anybody makes tables, short texts, a rule that
    /// is checked late.
    pub async fn be_doubtful(&self) {
        self.execute(
            "grant create on schema public to public;
             alter table public.works alter column original_title type varchar(40);
             alter table public.refresh_queue add constraint late
                 foreign key (work_id) references public.works deferrable initially deferred",
        )
        .await;
    }
}
