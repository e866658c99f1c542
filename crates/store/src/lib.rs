//! All SQL. One module per table or per transaction that several tables take part in. The only room
//! that names `sqlx`.

#[path = "upstream/call_log.rs"]
mod api_log;
#[path = "upstream/budget.rs"]
mod budget;
#[path = "db/clock.rs"]
mod clock;
#[path = "db/connect.rs"]
mod connect;
#[path = "jobs/control.rs"]
mod control;
#[path = "delivery/dead_letters/write.rs"]
mod dead_letter;
#[path = "delivery/dead_letters.rs"]
mod dead_letters;
#[path = "db/error.rs"]
mod error;
#[path = "jobs/read.rs"]
mod job_rows;
#[path = "jobs/schedule.rs"]
mod jobs;
#[path = "delivery/attempts.rs"]
mod ledger;
#[path = "catalogue/read.rs"]
mod lookup;
#[path = "jobs/retention.rs"]
mod maintain;
#[path = "catalogue/missing.rs"]
mod missing;
#[path = "delivery/outbox.rs"]
mod outbox;
#[path = "catalogue/refresh_queue.rs"]
mod queue;
#[path = "jobs/runs.rs"]
mod runs;
#[path = "catalogue/save.rs"]
mod save;
mod status;
#[path = "db/deadline.rs"]
mod within;
#[path = "catalogue/writer.rs"]
mod writer;

use sqlx::PgPool;

pub use api_log::ApiCall;
pub use budget::{BudgetRow, Lease};
pub use clock::DatabaseClock;
pub use connect::Seen;
pub use control::{Author, Begun, JobEdit};
pub use dead_letters::{DeadFilter, DeadGroup, DeadRow, Replay};
pub use error::StoreError;
pub use job_rows::{JobRow, RunRow};
pub use jobs::{DueJob, Nominal, NominalFate, QuietRun, UnreadableJob, run_id};
pub use lookup::{MovieRow, WorkEvent};
pub use missing::Gone;
pub use outbox::{Held, Pass, Relayed, Sent};
pub use queue::{Beginning, Scan};
pub use runs::{FanOut, RunRef, Standing};
pub use save::{Save, Saved};
pub use status::{Band, Status};
pub use writer::{Writer, writer_child};

/// The database. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    pub(crate) pool: PgPool,
}
