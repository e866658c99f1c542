//! The state of the whole installation, and what is wrong with it.

use store::{LongWait, Status, Store, UnreadableJob};

use crate::OperatorError;

/// Why the freshness promise is not kept, or will not be.
#[derive(Debug, Clone)]
pub enum Fault {
    /// So many titles are older than their policy allows.
    Late(i64),
    /// TMDB refuses the credential: nothing is refreshed.
    CredentialRefused,
    /// Messages have waited for more than an hour.
    Waiting(LongWait),
    /// A job is paused because its schedule cannot be read.
    UnreadableJob(UnreadableJob),
}

/// Freshness, backlog, budget. Where no service runs that counts titles, they are counted here.
///
/// # Errors
/// When the database does not answer.
pub async fn read(store: &Store) -> Result<Status, OperatorError> {
    store.replace_abandoned_sample().await?;
    Ok(store.status().await?)
}

/// What a person has to see to.
#[must_use]
pub fn faults(status: &Status) -> Vec<Fault> {
    let late = status.titles - status.fresh;
    let mut faults = Vec::new();
    if late > 0 {
        faults.push(Fault::Late(late));
    }
    if status.budget.credential_refused_at.is_some() {
        faults.push(Fault::CredentialRefused);
    }
    faults.extend(status.long_waits.iter().cloned().map(Fault::Waiting));
    faults.extend(status.unreadable_jobs.iter().cloned().map(Fault::UnreadableJob));
    faults
}
