//! The schema of the database: `migrations/`, applied in one transaction, works that were there
//! before us, and what stands in the way of both.

pub(crate) mod adopt;
pub(crate) mod app_tables;
pub(crate) mod apply;
pub(crate) mod bookkeeping;
pub(crate) mod finding;
pub(crate) mod home;
pub(crate) mod lock_waits;
pub(crate) mod migrate;
pub(crate) mod old_jobs;
pub(crate) mod plan;
pub(crate) mod readers;
pub(crate) mod rights;
