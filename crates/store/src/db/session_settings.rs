//! What each Postgres session of ours sets for itself, so that nothing that an owner sets for a
//! role, a database or a server changes what our queries mean or how long they may take.
//!
//! Set after connecting and not while doing so: a pooler refuses the start of a session that asks
//! for settings that it does not know. A pooler that has sessions of its own takes all of them back
//! when ours ends. `default_transaction_read_only` is left alone: it says that this server takes
//! nothing now, which is an outage.

use runtime::fault_injection;

/// Settings with the reason for each.
const SETTINGS: &str = "
    -- Our own writes are not edits of the app: its triggers of ours do nothing for them.
    set mangoes.writer = 'on';
    -- The writes are guarded for this level; a stricter one makes them fail under load.
    set default_transaction_isolation = 'read committed';
    -- Longer than the longest work of deadline.rs (300 s): that deadline ends work, not the server.
    set statement_timeout = '6min';
    -- Whoever waits for a lock has a deadline of its own.
    set lock_timeout = 0;
    -- A client that hangs in a transaction, or that vanished, must not hold its locks. Between two
    -- statements a process only computes; the relay, which publishes meanwhile, sets more.
    set idle_in_transaction_session_timeout = '5s';
    -- No query of ours runs for so long that compiled code would pay for its making, which takes
    -- tens of milliseconds wherever the planner thinks that a table is large.
    set jit = off;
    -- The session that listens is idle for days.
    set idle_session_timeout = 0;
    set tcp_keepalives_idle = 15;
    set tcp_keepalives_interval = 5;
    set tcp_keepalives_count = 3;
    -- Days, texts of instants, spans and numbers in SQL are the same everywhere.
    set timezone = 'UTC';
    set datestyle = 'ISO, MDY';
    set intervalstyle = 'postgres';
    set bytea_output = 'hex';
    set extra_float_digits = 1;
    -- What \"already exists\" is no news.
    set client_min_messages = 'warning';
    -- Acknowledged means on disk. Whoever wants more than that keeps it. A few transactions, whose
    -- loss only has work done again, take it back for themselves.
    select set_config('synchronous_commit', 'on', false)
    where current_setting('synchronous_commit') = 'off';
    -- Rows of details and cards are compressed in a tenth of the time, where the server can.
    select set_config(name, 'lz4', false)
    from pg_settings
    where name = 'default_toast_compression' and 'lz4' = any (enumvals);
    -- Since Postgres 17; as statement_timeout.
    select set_config(name, '0', false)
    from pg_settings
    where name = 'transaction_timeout';";

/// The SQL that a session begins with. `app_schema` is a plain identifier, as the configuration
/// checks it.
pub(super) fn sql(app_schema: &str) -> String {
    // Ours come first; nobody's temporary objects stand before them.
    let path = fault_injection::clock_schema().map_or_else(
        || format!("mangoes, \"{app_schema}\", pg_temp"),
        |clock| format!("mangoes, \"{app_schema}\", \"{clock}\", pg_catalog, pg_temp"),
    );
    format!("set search_path = {path}; set mangoes.app_schema = '{app_schema}';{SETTINGS}")
}
