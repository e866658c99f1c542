//! The superuser of a test's own Postgres, who cannot log in otherwise.

use embedded::Postgres;
use rustix::process::{Pid, Signal, kill_process};
use sqlx::{Connection, PgConnection};

use crate::eventually::{PATIENCE, Wait};

/// Lets the superuser in; returns the address for him, of his own database.
pub async fn superuser(postgres: &Postgres) -> String {
    let rules = postgres.log().with_file_name("postgres").join("data/pg_hba.conf");
    let old = std::fs::read_to_string(&rules).unwrap();
    std::fs::write(&rules, format!("host all postgres 127.0.0.1/32 trust\n{old}")).unwrap();
    kill_process(Pid::from_raw(postgres.pid()).unwrap(), Signal::HUP).unwrap();
    let url = postgres.database_url();
    let (_, host) = url.split_once('@').unwrap();
    let (host, _) = host.rsplit_once('/').unwrap();
    let url = format!("postgres://postgres@{host}/postgres");
    let look = async || PgConnection::connect(&url).await.map(drop).map_err(|e| e.to_string());
    let log = postgres.log();
    let wait = Wait::within(PATIENCE).showing(&log);
    wait.until("the superuser may log in", look, Result::is_ok).await.unwrap();
    url
}
