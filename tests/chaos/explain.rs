//! What is known of an obligation that is open: its rows, its messages, the faults that it lived
//! through.

use std::fmt::Write;

use async_nats::jetstream;
use sqlx::Row;

use crate::{
    broker,
    oracle::{Obligation, questions},
    report::Report,
    scene::Scene,
};

/// More stories than this nobody reads.
const STORIES: usize = 5;

/// The first few, each with all that is known.
pub(crate) async fn open_obligations(scene: &Scene, report: &Report) -> String {
    let all = scene.oracle.all.lock().unwrap().clone();
    let mut text = String::new();
    for o in all.iter().filter(|o| o.confirmed && !o.met && !o.exempt).take(STORIES) {
        let _ = writeln!(
            text,
            "\nOPEN {:?} of movie {}, message {}, confirmed at {}",
            o.kind, o.tmdb_id, o.key, o.at
        );
        let _ = writeln!(text, "  faults then: {}", report.faults_since(o));
        for line in rows(scene, o).await.into_iter().chain(messages(scene, o).await) {
            let _ = writeln!(text, "  {line}");
        }
    }
    text
}

async fn rows(scene: &Scene, o: &Obligation) -> Vec<String> {
    let rows = sqlx::query(questions::ROWS_OF_AN_OBLIGATION)
        .bind(o.tmdb_id.to_string())
        .bind(&o.key)
        .fetch_all(&scene.oracle.pool())
        .await;
    match rows {
        Ok(rows) if rows.is_empty() => vec!["no row in any table".to_owned()],
        Ok(rows) => rows.iter().map(|row| row.get(0)).collect(),
        Err(e) => vec![format!("the tables cannot be read: {e}")],
    }
}

/// What still lies in the streams of work for it.
async fn messages(scene: &Scene, o: &Obligation) -> Vec<String> {
    let Ok(client) = broker::connect(&scene.broker.url()).await else {
        return vec!["NATS cannot be asked".to_owned()];
    };
    let jetstream = jetstream::new(client);
    let mut found = Vec::new();
    for name in ["MOVIES_INGEST", "MOVIES_STALE"] {
        let Ok(stream) = jetstream.get_stream(name).await else {
            found.push(format!("{name} is not there"));
            continue;
        };
        let state = &stream.cached_info().state;
        for sequence in state.first_sequence..=state.last_sequence {
            let Ok(message) = stream.get_raw_message(sequence).await else { continue };
            let payload = String::from_utf8_lossy(&message.payload).into_owned();
            let id =
                message.headers.get("Nats-Msg-Id").map(ToString::to_string).unwrap_or_default();
            if id == o.key
                || payload.contains(&format!("\"tmdb_id\":{}", o.tmdb_id))
                || payload.contains(&o.key)
            {
                found
                    .push(format!("{name} no. {sequence} {} id {id:?} {payload}", message.subject));
            }
        }
    }
    if found.is_empty() {
        found.push("no message in a stream of work".to_owned());
    }
    found
}
