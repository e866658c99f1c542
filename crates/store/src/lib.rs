//! All SQL. One module per table or per transaction that several tables take part in. The only room
//! that names `sqlx`.

mod api_log;
mod budget;
mod clock;
mod connect;
mod control;
mod dead_letter;
mod dead_letters;
mod error;
mod job_rows;
mod jobs;
mod ledger;
mod lookup;
mod maintain;
mod missing;
mod outbox;
mod queue;
mod runs;
mod save;
mod status;
mod within;
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
