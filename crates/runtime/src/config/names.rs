//! The names of the settings that more than one file speaks of.

pub(super) const DATABASE_URL: &str = "DATABASE_URL";
pub(super) const PGHOST: &str = "PGHOST";
pub(super) const PGPORT: &str = "PGPORT";
pub(super) const PGUSER: &str = "PGUSER";
pub(super) const PGPASSWORD: &str = "PGPASSWORD";
pub(super) const PGDATABASE: &str = "PGDATABASE";
pub(super) const PGSSLMODE: &str = "PGSSLMODE";
pub(super) const PGSSLROOTCERT: &str = "PGSSLROOTCERT";
/// The v4 token of TMDB.
pub(super) const TMDB_TOKEN: &str = "TMDB_TOKEN";
/// The v3 key of TMDB.
pub(super) const TMDB_API_KEY: &str = "TMDB_API_KEY";
pub(super) const NATS_URL: &str = "NATS_URL";
pub(super) const NATS_CERT: &str = "NATS_CERT";
pub(super) const NATS_KEY: &str = "NATS_KEY";
pub(super) const NATS_JS_DOMAIN: &str = "NATS_JS_DOMAIN";
pub(super) const NATS_JS_API_PREFIX: &str = "NATS_JS_API_PREFIX";
