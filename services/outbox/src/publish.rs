//! Publishes a batch: the events of one key in order, keys side by side.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use bus::{Bus, BusError, Outgoing, topology};
use futures::{StreamExt, stream};
use store::{OutboxRow, PublishOutcome, Refusal, Withheld};
use tracing::{error, warn};

/// Events that wait for their confirmation at once.
const IN_FLIGHT: usize = 512;
/// After this a step begins no more rows: what is confirmed has to be marked before the database
/// loses patience.
const PASS_MAX: Duration = Duration::from_secs(15);
/// More rows than these that a stream does not take: the stream is at fault, and all of its rows
/// wait for the next look.
const REFUSED_MAX: usize = 500;

/// Keys whose earlier event could not be sent, each with the stream of that event: later events of
/// the key wait, so that their order stays.
#[derive(Clone, Default)]
pub(crate) struct Blocked(Arc<Mutex<HashMap<String, &'static str>>>);

impl Blocked {
    fn hold(&self, key: String, subject: &str) {
        // An event that no stream takes is refused, and never held.
        let Some(stream) = topology::stream_taking(subject) else { return };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(key, stream);
    }

    pub(crate) fn withheld(&self) -> Withheld {
        let keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut refused: HashMap<&str, usize> = HashMap::new();
        keys.values().for_each(|stream| *refused.entry(stream).or_default() += 1);
        let full = refused.into_iter().filter(|(_, n)| *n > REFUSED_MAX);
        Withheld {
            keys: keys.keys().cloned().collect(),
            subjects: full.flat_map(|(stream, _)| topology::subjects_of(stream)).collect(),
        }
    }
}

/// Where events that are being published go.
struct Publisher {
    bus: Bus,
    blocked: Blocked,
    /// After it no event is begun.
    deadline: Instant,
}

/// Rows of one key one after the other, keys side by side. What is not begun in time waits for the
/// next step.
pub(crate) async fn publish(bus: Bus, rows: Vec<OutboxRow>, blocked: Blocked) -> PublishOutcome {
    let mut by_key: BTreeMap<String, Vec<OutboxRow>> = BTreeMap::new();
    for row in rows {
        by_key.entry(row.ordering_key.clone()).or_default().push(row);
    }
    let publisher = &Publisher { bus, blocked, deadline: Instant::now() + PASS_MAX };
    stream::iter(by_key)
        .map(|(key, rows)| publisher.publish_in_order(key, rows))
        .buffer_unordered(IN_FLIGHT)
        .fold(PublishOutcome::default(), |mut all, mut one| async move {
            all.confirmed.append(&mut one.confirmed);
            all.refused.append(&mut one.refused);
            all
        })
        .await
}

impl Publisher {
    async fn publish_in_order(&self, key: String, rows: Vec<OutboxRow>) -> PublishOutcome {
        let mut outcome = PublishOutcome::default();
        for row in rows {
            if Instant::now() > self.deadline {
                break;
            }
            let (id, subject) = (row.id, row.subject.clone());
            let message = Outgoing {
                subject: row.subject,
                message_id: row.message_id,
                headers: row.headers,
                payload: row.payload.into_bytes(),
            };
            match self.bus.publish(message).await {
                Ok(_) => outcome.confirmed.push(id),
                Err(e @ (BusError::TooLarge { .. } | BusError::Unpublishable { .. })) => {
                    error!(error = %e, "an event can never be published; it is a dead letter now");
                    outcome.refused.push(Refusal { id, error: e.to_string() });
                }
                Err(_) if runtime::fault_injection::without("outbox") => outcome.confirmed.push(id),
                Err(e) => {
                    warn!(error = %e, %subject, "an event is not published; it stays unsent");
                    self.blocked.hold(key, &subject);
                    break;
                }
            }
        }
        outcome
    }
}
