//! The words of the World, by room. SQL of the tests stands here and nowhere else.

mod adopted;
mod app;
mod app_backup;
mod app_edits;
mod app_readers;
mod app_rights;
mod app_state;
mod app_writers;
mod catalogue;
mod delivery;
mod faults;
mod freshness;
mod jobs;
mod looks;
mod migrate;
mod remap;
mod remedies;
mod runs;
mod schedules;
mod schema;
mod sessions;
mod upstream;

pub use app::{HostedApp, Login};
pub use app_edits::OpenTransaction;
pub use app_readers::{CachedCard, CardDetails, IngestionRun, SimilarMovie};
pub use app_rights::{Deeds, Tried};
pub use app_state::AppState;
pub use app_writers::{Seen, Stalls, Writer};
pub use catalogue::{Details, Movies, StoredMovie};
pub use delivery::{DeadLetters, Events};
pub use faults::Lock;
pub use jobs::{Audit, Jobs, ListRuns, Runs};
pub use migrate::{AppDatabase, Oddity};
pub use upstream::{Budgets, Calls, QueueRows};

/// Rows of any other kind.
#[derive(Debug, Clone, Copy)]
pub enum Any {}
