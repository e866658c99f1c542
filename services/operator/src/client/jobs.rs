//! The verbs of jobs and runs.

use proto::{JobName, RunId};
use serde_json::json;
use store::{Author, Backfilled, JobEdit, JobRow};

use super::{Client, ask, ask_of, signed, with, written};
use crate::{
    Noun, OperatorError,
    answers::{Backfill, Deleted, Findings, Runs, Started, Times},
    jobs::{
        self, BackfillRequest, DryRun, JobDraft, Jobs, LintFinding, NextTimes, PauseRequest,
        RunFilter, RunRequest, RunView,
    },
    moment,
};

impl Client {
    /// All jobs.
    ///
    /// # Errors
    /// As [`jobs::list`]; here and below also when nobody answers by NATS.
    pub async fn jobs(&self) -> Result<Jobs, OperatorError> {
        match self {
            Self::Database(store) => jobs::list(store).await,
            Self::Nats(bus) => ask(bus, "jobs.list", json!({})).await,
        }
    }

    /// One job.
    ///
    /// # Errors
    /// `Unknown`.
    pub async fn job(&self, name: &str) -> Result<JobRow, OperatorError> {
        match self {
            Self::Database(store) => jobs::get(store, name).await,
            Self::Nats(bus) => {
                ask_of(bus, "jobs.show", json!({ "name": name }), Noun::Job, name).await
            }
        }
    }

    /// When a job fires next.
    ///
    /// # Errors
    /// As [`jobs::next`].
    pub async fn next(&self, name: &str, n: usize) -> Result<NextTimes, OperatorError> {
        match self {
            Self::Database(store) => jobs::next(store, name, n).await,
            Self::Nats(bus) => {
                let job = self.job(name).await?;
                let request = json!({ "name": name, "n": n });
                let Times { times } = ask(bus, "jobs.next", request).await?;
                Ok(NextTimes { job, times })
            }
        }
    }

    /// What is wrong with any job.
    ///
    /// # Errors
    /// As [`jobs::lint`].
    pub async fn lint(&self) -> Result<Vec<LintFinding>, OperatorError> {
        match self {
            Self::Database(store) => jobs::lint(store).await,
            Self::Nats(bus) => Ok(ask::<Findings>(bus, "jobs.lint", json!({})).await?.findings),
        }
    }

    /// The latest runs.
    ///
    /// # Errors
    /// As [`jobs::runs`].
    pub async fn runs(&self, filter: &RunFilter) -> Result<Vec<RunView>, OperatorError> {
        match self {
            Self::Database(store) => jobs::runs(store, filter).await,
            Self::Nats(bus) => Ok(ask::<Runs>(bus, "jobs.runs", written(filter)?).await?.runs),
        }
    }

    /// One run.
    ///
    /// # Errors
    /// `Unknown`.
    pub async fn run_of(&self, run_id: &str) -> Result<RunView, OperatorError> {
        match self {
            Self::Database(store) => jobs::run_of(store, run_id).await,
            Self::Nats(bus) => {
                let request = json!({ "run_id": run_id, "limit": 1 });
                let found: Runs = ask_of(bus, "jobs.runs", request, Noun::Run, run_id).await?;
                let found = found.runs.into_iter().next();
                found.ok_or_else(|| OperatorError::unknown(Noun::Run, run_id))
            }
        }
    }

    /// The open run of a job.
    ///
    /// # Errors
    /// As [`jobs::runs`].
    pub async fn open_run(&self, name: &JobName) -> Result<Option<String>, OperatorError> {
        let open = self.runs(&jobs::latest_of(name)).await?;
        Ok(jobs::first_open(open))
    }

    /// Runs a job now.
    ///
    /// # Errors
    /// As [`jobs::run`].
    pub async fn run(&self, request: &RunRequest, by: &Author) -> Result<RunId, OperatorError> {
        match self {
            Self::Database(store) => jobs::run(store, request, by).await,
            Self::Nats(bus) => {
                let RunRequest { name, payload, force } = request;
                let body = json!({ "name": name, "payload": payload, "force": force });
                let body = signed(body, by);
                let started: Started = ask_of(bus, "jobs.run", body, Noun::Job, name).await?;
                Ok(started.run_id)
            }
        }
    }

    /// What a run would do.
    ///
    /// # Errors
    /// As [`jobs::dry_run`].
    pub async fn dry_run(&self, request: &RunRequest, rate: u32) -> Result<DryRun, OperatorError> {
        match self {
            Self::Database(store) => jobs::dry_run(store, request, rate).await,
            Self::Nats(bus) => {
                let RunRequest { name, payload, force } = request;
                let body =
                    json!({ "name": name, "payload": payload, "force": force, "dry_run": true });
                ask_of(bus, "jobs.run", body, Noun::Job, name).await
            }
        }
    }

    /// Ends a run.
    ///
    /// # Errors
    /// As [`jobs::cancel`].
    pub async fn cancel(
        &self,
        run_id: &str,
        note: Option<&str>,
        by: &Author,
    ) -> Result<RunView, OperatorError> {
        match self {
            Self::Database(store) => jobs::cancel(store, run_id, note, by).await,
            Self::Nats(bus) => {
                let body = signed(json!({ "run_id": run_id, "note": note }), by);
                ask_of(bus, "jobs.cancel", body, Noun::Run, run_id).await
            }
        }
    }

    /// Stops a job from firing.
    ///
    /// # Errors
    /// As [`jobs::pause`].
    pub async fn pause(
        &self,
        request: &PauseRequest,
        by: &Author,
    ) -> Result<JobRow, OperatorError> {
        match self {
            Self::Database(store) => jobs::pause(store, request, by).await,
            Self::Nats(bus) => {
                let PauseRequest { name, note, until } = request;
                let now = self.now().await?;
                let until = until.map(|moment| moment.from_now(now));
                let until = until.map(moment::written).transpose()?;
                let body = json!({ "name": name, "note": note, "until": until });
                ask_of(bus, "jobs.pause", signed(body, by), Noun::Job, name).await
            }
        }
    }

    /// Lets a job fire again.
    ///
    /// # Errors
    /// As [`jobs::resume`].
    pub async fn resume(&self, name: &str, by: &Author) -> Result<JobRow, OperatorError> {
        match self {
            Self::Database(store) => jobs::resume(store, name, by).await,
            Self::Nats(bus) => {
                let body = signed(json!({ "name": name }), by);
                ask_of(bus, "jobs.resume", body, Noun::Job, name).await
            }
        }
    }

    /// Changes a job.
    ///
    /// # Errors
    /// As [`jobs::set`].
    pub async fn set(
        &self,
        name: &JobName,
        edit: &JobEdit,
        by: &Author,
    ) -> Result<JobRow, OperatorError> {
        match self {
            Self::Database(store) => jobs::set(store, name, edit, by).await,
            Self::Nats(bus) => {
                let body = with(written(edit)?, json!({ "name": name }));
                ask_of(bus, "jobs.set", signed(body, by), Noun::Job, name).await
            }
        }
    }

    /// Creates a job.
    ///
    /// # Errors
    /// As [`jobs::create`].
    pub async fn create(&self, draft: &JobDraft, by: &Author) -> Result<JobRow, OperatorError> {
        match self {
            Self::Database(store) => jobs::create(store, draft, by).await,
            Self::Nats(bus) => {
                let JobDraft { name, action, settings } = draft;
                let body = with(written(settings)?, json!({ "name": name, "action": action }));
                ask(bus, "jobs.create", signed(body, by)).await
            }
        }
    }

    /// Removes a job.
    ///
    /// # Errors
    /// As [`jobs::delete`].
    pub async fn delete(&self, name: &str, by: &Author) -> Result<(), OperatorError> {
        match self {
            Self::Database(store) => jobs::delete(store, name, by).await,
            Self::Nats(bus) => {
                let body = signed(json!({ "name": name }), by);
                ask_of::<Deleted>(bus, "jobs.delete", body, Noun::Job, name).await.map(|_| ())
            }
        }
    }

    /// Holds all jobs, or releases them.
    ///
    /// # Errors
    /// As [`jobs::hold`].
    pub async fn hold(
        &self,
        held: bool,
        note: Option<&str>,
        by: &Author,
    ) -> Result<Jobs, OperatorError> {
        match self {
            Self::Database(store) => {
                if held {
                    jobs::hold(store, note, by).await?;
                } else {
                    jobs::release(store, note, by).await?;
                }
                jobs::list(store).await
            }
            Self::Nats(bus) => {
                let body = signed(json!({ "held": held, "note": note }), by);
                ask(bus, "jobs.hold", body).await
            }
        }
    }

    /// Runs past nominal times.
    ///
    /// # Errors
    /// As [`jobs::backfill`].
    pub async fn backfill(
        &self,
        request: &BackfillRequest,
        by: &Author,
    ) -> Result<Vec<Backfilled>, OperatorError> {
        match self {
            Self::Database(store) => jobs::backfill(store, request, by).await,
            Self::Nats(bus) => {
                let body = signed(written(request)?, by);
                let name = &request.name;
                let filled: Backfill = ask_of(bus, "jobs.backfill", body, Noun::Job, name).await?;
                Ok(filled.runs)
            }
        }
    }
}
