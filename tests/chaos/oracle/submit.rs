//! What the oracle asks of the system: movies, refreshes, lists, unknown ids and garbage, as any
//! app may.

use std::time::{Duration, Instant};

use async_nats::HeaderMap;
use serde_json::{Value, json};
use tests::Dice;

use super::{Kind, Obligation, Oracle, questions};
use crate::broker;

/// How long the broker may take to confirm.
const CONFIRM: Duration = Duration::from_secs(2);

impl Oracle {
    async fn client(&self) -> Option<async_nats::Client> {
        let known = self.client.lock().unwrap().clone();
        if let Some(client) = known
            .filter(|c| matches!(c.connection_state(), async_nats::connection::State::Connected))
        {
            return Some(client);
        }
        let client =
            tokio::time::timeout(CONFIRM, broker::connect(&self.nats_url)).await.ok()?.ok()?;
        *self.client.lock().unwrap() = Some(client.clone());
        Some(client)
    }

    /// Publishes with a reply, as a plain client does; true when the stream confirmed.
    async fn publish(&self, subject: &str, key: Option<&str>, payload: &Value) -> bool {
        let Some(client) = self.client().await else { return false };
        let mut headers = HeaderMap::new();
        if let Some(key) = key {
            headers.insert("Nats-Msg-Id", key);
        }
        let bytes = payload.as_str().map_or_else(|| payload.to_string(), ToOwned::to_owned);
        let sent = client.request_with_headers(subject.to_owned(), headers, bytes.into());
        match tokio::time::timeout(CONFIRM, sent).await {
            Ok(Ok(answer)) => serde_json::from_slice::<Value>(&answer.payload)
                .is_ok_and(|a| a["error"].is_null() && a["seq"].as_u64() > Some(0)),
            Ok(Err(_)) | Err(_) => false,
        }
    }

    /// Submits one thing; sometimes twice, sometimes without an id.
    pub(crate) async fn submit(&self, dice: &mut Dice, n: u64) {
        let ids: Vec<i64> = self.titles.keys().copied().collect();
        let id = ids[usize::try_from(dice.roll(ids.len() as u64)).unwrap()];
        let key = format!("oracle-{n}");
        let list = ["popular", "now_playing", "upcoming", "top_rated"]
            [usize::try_from(dice.roll(4)).unwrap()];
        let (kind, subject, payload, tmdb_id) = match dice.roll(20) {
            0 => (Kind::Bad, "movies.ingest.movie", json!(format!("{{\"tmdb_id\": \"{key}\"")), 0),
            1 => (Kind::Bad, "movies.stale.now", json!({"tmdb_id": -1, "reason": key}), 0),
            2 => {
                let id = 900_000_000 + i64::try_from(n).unwrap();
                (Kind::Unknown, "movies.ingest.movie", json!({"tmdb_id": id}), id)
            }
            3 => (
                Kind::List,
                "movies.ingest.list",
                json!({"source": list, "max_movies": 1 + dice.roll(8), "run_id": key}),
                0,
            ),
            4..=10 => match self.known(dice) {
                Some(id) => {
                    if dice.roll(2) == 0 {
                        let title = format!("Chaos {id} no. {n}");
                        // Together: the canary edits as well, and the last title here has to be the
                        // last there.
                        let mut edits = self.edits.lock().unwrap();
                        self.sim.edit(u64::try_from(id).unwrap(), json!({"title": title}));
                        edits.insert(id, (title, key.clone()));
                    }
                    (Kind::Stale, "movies.stale.now", json!({"tmdb_id": id, "reason": "chaos"}), id)
                }
                None => (Kind::Ingest, "movies.ingest.movie", json!({"tmdb_id": id}), id),
            },
            _ => (Kind::Ingest, "movies.ingest.movie", json!({"tmdb_id": id}), id),
        };
        let with_id = kind != Kind::Ingest || dice.roll(4) > 0;
        let at = tests::now();
        let place = {
            // Known before it is sent: a store that is deleted meanwhile may have confirmed it.
            let mut all = self.all.lock().unwrap();
            let (confirmed, met, exempt, recorded) = (false, false, false, false);
            all.push(Obligation {
                kind,
                tmdb_id,
                key: key.clone(),
                named: with_id,
                confirmed,
                at,
                met,
                exempt,
                recorded,
            });
            all.len() - 1
        };
        let confirmed = self.publish(subject, with_id.then_some(&*key), &payload).await;
        self.all.lock().unwrap()[place].confirmed = confirmed;
        if with_id && dice.roll(5) == 0 {
            self.publish(subject, Some(&key), &payload).await;
        }
    }

    /// A movie that was ingested.
    fn known(&self, dice: &mut Dice) -> Option<i64> {
        let all = self.all.lock().unwrap();
        let met: Vec<i64> =
            all.iter().filter(|o| o.kind == Kind::Ingest && o.met).map(|o| o.tmdb_id).collect();
        let n = usize::try_from(dice.roll(met.len().max(1) as u64)).unwrap();
        met.get(n).copied()
    }

    /// Something new, until the broker confirms it.
    pub(crate) async fn canary(&self, from: u64) {
        let begun = Instant::now();
        for n in from.. {
            self.submit(&mut Dice(n), n).await;
            let confirmed = self
                .all
                .lock()
                .unwrap()
                .iter()
                .any(|o| o.confirmed && o.key == format!("oracle-{n}"));
            if confirmed || begun.elapsed() > Duration::from_secs(60) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Queue rows under way whose worker is gone and whose message is gone too.
    pub(crate) async fn leave_orphans(&self) {
        self.execute(questions::LEAVE_ORPHANS).await;
    }
}
