//! What runs when, and its runs (`job`, `job_run`, `job_run_item`).

pub(crate) mod backfill;
pub(crate) mod claim;
pub(crate) mod control;
pub(crate) mod edit;
pub(crate) mod items;
pub(crate) mod read;
pub(crate) mod retention;
pub(crate) mod runs;
pub(crate) mod schedule;
pub(crate) mod watch;
