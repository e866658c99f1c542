//! Jobs and runs: looked at, previewed, run, paused, edited, backfilled, cancelled.

mod backfill;
mod control;
mod edit;
mod lint;
mod payload;
mod preview;
mod read;
mod run;
mod runs;
mod times;

pub(crate) use self::runs::{first_open, latest_of};
pub use self::{
    backfill::{BackfillRequest, backfill},
    control::{PauseRequest, delete, hold, pause, release, resume},
    edit::{JobDraft, create, set},
    lint::{LintFinding, day_and_weekday, lint},
    preview::{NextTimes, Preview, next},
    read::{Jobs, get, list},
    run::{DryRun, RunRequest, dry_run, run},
    runs::{RunFilter, RunView, cancel, run_of, runs},
};
