//! Sessions of the database: what an owner sets against them, what they set for themselves,
//! passwords.

use crate::database::{Database, quoted};

impl Database {
    /// The owner's taste: settings of the database and of the role that would change what queries
    /// mean, or how long they may take.
    pub async fn set_everything_against_us(&self) {
        self.execute(
            "create schema elsewhere;
             create table elsewhere.works (nothing int);
             do $$
             declare
                 setting text;
             begin
                 foreach setting in array array[
                     'default_transaction_isolation = serializable',
                     'statement_timeout = ''2s''',
                     'lock_timeout = ''1ms''',
                     'idle_session_timeout = ''1s''',
                     'timezone = ''Asia/Kolkata''',
                     'datestyle = ''German''',
                     'intervalstyle = ''iso_8601''',
                     'bytea_output = ''escape''',
                     'extra_float_digits = -10',
                     'synchronous_commit = off',
                     'search_path = elsewhere, public'
                 ] loop
                     execute format('alter database %I set %s', current_database(), setting);
                     execute format('alter role %I set %s', current_user, setting);
                 end loop;
             end $$",
        )
        .await;
    }

    /// Notes from now on what is set in a session that writes movies.
    pub async fn note_settings_of_writers(&self) {
        self.execute(
            "create table public.seen_setting (name text primary key, value text);
             create function public.note_settings() returns trigger language plpgsql as $$
             begin
                 insert into public.seen_setting
                 select name, setting
                 from pg_settings
                 union all
                 select name, current_setting(name, true)
                 from unnest(array['mangoes.writer', 'mangoes.app_schema']) as name
                 on conflict do nothing;
                 return null;
             end $$;
             create trigger note_settings after insert on public.works
             for each statement execute function public.note_settings()",
        )
        .await;
    }

    /// What was set in a session that wrote movies.
    pub async fn seen_setting(&self, name: &str) -> String {
        let name = quoted(name);
        self.value(&format!("select value from public.seen_setting where name = {name}")).await
    }

    /// Gives the role of the program another password; its sessions go on.
    pub async fn change_password(&self, password: &str) {
        let password = quoted(password);
        self.execute(&format!(
            "do $$ begin
                 execute format('alter role %I password %L', current_user, {password}::text);
             end $$"
        ))
        .await;
    }

    /// Ends every session of the program.
    pub async fn end_sessions(&self) {
        self.execute(
            "select pg_terminate_backend(pid)
             from pg_stat_activity
             where application_name like 'mangoes %'",
        )
        .await;
    }

    /// Ends every other session of the program.
    pub async fn end_half_of_the_sessions(&self) {
        self.execute(
            "select pg_terminate_backend(pid)
             from (
                 select pid, row_number() over (order by backend_start, pid) as number
                 from pg_stat_activity
                 where application_name like 'mangoes %'
             ) numbered
             where number % 2 = 0",
        )
        .await;
    }

    /// Sessions of this role that there are can only read from now on, new ones write: as after a
    /// failover. Only the superuser may do that.
    pub(crate) async fn let_old_sessions_only_read(&self, role: &str) {
        // What a role has set holds for its new sessions; the others follow the server.
        self.execute(&format!("alter role {role} set default_transaction_read_only = off")).await;
        self.execute("alter system set default_transaction_read_only = on").await;
        self.execute("select pg_reload_conf()").await;
    }

    /// The server's major version.
    pub async fn server_version(&self) -> i64 {
        self.value("select current_setting('server_version_num')::bigint / 10000").await
    }

    /// Changes a table that the program has read, as a migration of a newer version does.
    pub async fn change_a_table_under_it(&self) {
        self.execute("alter table outbox alter column subject type varchar").await;
    }
}
