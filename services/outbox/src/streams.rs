//! Streams that were lost: created again, and filled with what the outbox keeps.

use bus::{
    Bus, BusError,
    topology::{self, Difference},
};
use store::{LockWait, Store, StreamGeneration};
use tracing::warn;

use crate::error::RelayError;

/// Creates the streams that are missing, and has what a stream lost published again before
/// anything new: else a movie's events would stand in the wrong order. To be called while nothing
/// is relayed.
pub(crate) async fn recreate_lost_streams(bus: &Bus, store: &Store) -> Result<(), RelayError> {
    let births = match bus.stream_births().await {
        Ok(births) => births,
        // The watchdog ends the process; nothing more goes into a stream of somebody else.
        Err(e @ BusError::OtherInstallation { .. }) => {
            return Err(RelayError::Disowned(e.to_string()));
        }
        Err(missing) => {
            warn!(error = %missing, "a stream is missing; it is created again");
            if let Err(e) = bus.ensure_topology().await {
                warn!(error = %e, "the streams cannot be created");
                return Ok(());
            }
            match bus.stream_births().await {
                Ok(births) => births,
                Err(_) => return Ok(()),
            }
        }
    };
    let work = topology::subjects_of_work().map_err(RelayError::Topology)?;
    for birth in births {
        let stream = StreamGeneration {
            stream: birth.stream,
            created_at: &birth.created_at,
            subjects: &birth.subjects,
        };
        let again = store.record_generation(stream, &work).await?;
        if again > 0 {
            warn!(
                stream = birth.stream,
                rows = again,
                "the stream was recreated; what it lost is published again"
            );
        }
    }
    Ok(())
}

/// Streams and consumers at the start of a process. Other processes may be at work meanwhile.
/// Returns what was made or set right.
///
/// # Errors
/// When the broker or the database does not do it.
pub async fn make_topology(bus: &Bus, store: &Store) -> anyhow::Result<Vec<Difference>> {
    let work = async {
        let made = bus.ensure_topology().await?;
        recreate_lost_streams(bus, store).await?;
        anyhow::Ok(made)
    };
    let made = store.while_nothing_is_relayed(LockWait::UntilFree, work).await?.transpose()?;
    Ok(made.unwrap_or_default())
}
