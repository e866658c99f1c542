//! All SQL, and the only crate that names `sqlx`.
//!
//! Five rooms: `db` at the bottom, then `delivery`, `jobs`, `catalogue` (each may use those before
//! it), and `upstream`. `ledger`, `lost_streams`, `sample` and `status` take from several rooms and
//! stand above them.

mod catalogue;
mod db;
mod delivery;
mod jobs;
mod ledger;
mod lost_streams;
mod sample;
mod schema;
mod status;
mod upstream;

use sqlx::PgPool;

use self::{
    catalogue::{claims::Claims, read::KnownMovies},
    db::group_commit::GroupCommit,
    delivery::wake::RelayWake,
};

pub use self::{
    catalogue::{
        cards::CardRow,
        change::{Save, Saved},
        claims::RefreshClaim,
        demand::Pin,
        fan_out::FanOut,
        feed::{FeedCounts, FeedRead, FeedState, FeedWindow},
        missing::{MissingMovie, NotFoundUpstream},
        read::{ListedMovie, MovieRow, WorkEvent},
        remap::{RemapCounts, RemapNews, RemapScope},
        scan::{ScanOrder, ScanPreview},
        sweep::ReleaseOrder,
        writer::{Writer, writer_child},
    },
    db::{
        clock::DatabaseClock,
        error::{Noun, Outage, StoreError},
        notifications::Channel,
        sessions::SessionActivity,
        target::StoreOptions,
    },
    delivery::{
        attempts::{LongWait, MessageEnd},
        dead_letters::{DeadFilter, DeadGroup, DeadRow, replay::Replay},
        old_rows::DeliveryRetention,
        relay::{LockWait, OutboxRow, PublishOutcome, Refusal, RelayStep, Withheld},
    },
    jobs::{
        backfill::{BackfillOutcome, Backfilled},
        claim::{Nominal, NominalFate, run_id},
        control::{Author, ManualRun, Pause},
        edit::JobEdit,
        read::{JobRow, RunRow},
        runs::{RunRef, RunStart},
        schedule::{DueJob, NextAlarm, NextTime, UnreadableJob},
        watch::{LossCheck, QuietRun},
    },
    lost_streams::StreamGeneration,
    schema::{
        adopt::{AdoptionProgress, MigrationNews},
        apply::FirstRows,
        bookkeeping::BookkeepingProblem,
        finding::Finding,
        old_jobs::OldJob,
        plan::{MigrationPlan, PlanDatabase, PlanLock, existing::AppTableState},
        rights::MissingRight,
    },
    status::{Band, Status},
    upstream::{
        budget::{BudgetRow, Lease},
        call_log::ApiCall,
    },
};

/// The database. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    pub(crate) pool: PgPool,
    pub(crate) side: db::sessions::SideConnection,
    pub(crate) notifications: db::notifications::Notifications,
    pub(crate) relay_wake: RelayWake,
    claims: GroupCommit<Claims>,
    known: GroupCommit<KnownMovies>,
}

impl Store {
    /// Over these connections.
    pub(crate) fn new(pool: PgPool) -> Self {
        Self {
            side: Default::default(),
            notifications: Default::default(),
            relay_wake: Default::default(),
            claims: GroupCommit::new(Claims(pool.clone())),
            known: GroupCommit::new(KnownMovies(pool.clone())),
            pool,
        }
    }
}
