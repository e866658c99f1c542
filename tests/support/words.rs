//! The words of the World, by room. SQL of the tests stands here and nowhere else.

mod catalogue;
mod delivery;
mod faults;
mod freshness;
mod jobs;
mod migrate;
mod runs;
mod schedules;
mod schema;
mod sessions;
mod upstream;

pub use catalogue::{Details, Movies, StoredMovie};
pub use delivery::{DeadLetters, Events};
pub use faults::Lock;
pub use jobs::{Audit, Jobs, ListRuns, Runs};
pub use migrate::{AppDatabase, Oddity};
pub use upstream::{Budgets, Calls, QueueRows};

/// Rows of any other kind.
#[derive(Debug, Clone, Copy)]
pub enum Any {}
