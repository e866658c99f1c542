//! What the oracle says at the end: everything that is not as promised.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::atomic::Ordering,
};

use time::OffsetDateTime;

use super::{
    Kind, Oracle,
    contradictions::{CONTRADICTIONS, Contradiction},
    open_pool, questions,
    streams::{RefreshedEvent, message_id},
};

impl Oracle {
    /// Everything that is not as promised, in words.
    pub(crate) async fn violations(&self) -> Vec<String> {
        // Connections of before the last fault may be dead.
        let pool = open_pool(&self.database_url).await;
        *self.pool.lock().unwrap() = pool;
        self.check_met().await;
        let events = self.refreshed().await;
        let mut found = self.unmet(&events).await;
        found.extend(self.repeated_dead_letters().await);
        found.extend(self.dead_letters_without_a_copy().await);
        found.extend(self.wrong_rows().await);
        found.extend(self.wrong_movies(&events).await);
        found.extend(self.unasked_work().await);
        found
    }

    /// Obligations that are open, were given up without a cause, or are met without an event.
    async fn unmet(&self, events: &[RefreshedEvent]) -> Vec<String> {
        let mut found = Vec::new();
        let all = self.all.lock().unwrap().clone();
        let dead = self.rows(questions::DEAD_LETTERS).await;
        let dead: BTreeMap<&str, &str> =
            dead.iter().filter_map(|row| row.rsplit_once(' ')).collect();
        for o in all.iter().filter(|o| o.confirmed && !o.exempt) {
            if !o.met {
                found.push(format!("open: {o:?}"));
                continue;
            }
            if let Some(reason) = dead.get(&*o.key).filter(|reason| !self.may_die(o.kind, reason)) {
                found.push(format!("given up as {reason}: {o:?}"));
            }
            let refreshed = || {
                events.iter().any(|e| {
                    e.tmdb_id == o.tmdb_id && (o.kind == Kind::Ingest || e.refreshed_at >= o.at)
                })
            };
            if matches!(o.kind, Kind::Ingest | Kind::Stale)
                && !dead.contains_key(&*o.key)
                && !refreshed()
                && !self.is_worn_out(o.tmdb_id).await
            {
                found.push(format!("met without an event: {o:?}"));
            }
        }
        found
    }

    /// What may become a dead letter, and as what. A movie's own bad answers may use up its
    /// attempts.
    fn may_die(&self, kind: Kind, reason: &str) -> bool {
        let worn_out =
            reason == "retries-exhausted" && self.spoiled_answers.load(Ordering::Relaxed);
        match kind {
            Kind::Bad => reason == "invalid-payload",
            Kind::Unknown => reason == "not-found" || worn_out,
            Kind::Ingest | Kind::Stale | Kind::List => worn_out,
        }
    }

    /// More than one dead letter of the same message.
    async fn repeated_dead_letters(&self) -> Vec<String> {
        let mut counts: HashMap<String, u32> = HashMap::new();
        for message in self.rows(questions::DEAD_LETTERS_BY_CONSUMER).await {
            *counts.entry(message).or_default() += 1;
        }
        let repeated = counts.into_iter().filter(|(_, n)| *n > 1);
        repeated.map(|(message, n)| format!("{message} has {n} dead letters")).collect()
    }

    /// Whether the movie's own bad answers used up the attempts of some message.
    async fn is_worn_out(&self, id: i64) -> bool {
        self.look(&questions::worn_out(id)).await.unwrap_or(0) > 0
    }

    /// Tables that contradict themselves or each other.
    async fn wrong_rows(&self) -> Vec<String> {
        let mut found = Vec::new();
        for Contradiction { name, rows } in CONTRADICTIONS {
            let rows = self.rows(rows).await;
            if !rows.is_empty() {
                found.push(format!("{name}: {}", rows.join("; ")));
            }
        }
        found
    }

    /// Movies that nobody asked for, that hold another's data or an older answer, or whose events
    /// are out of order.
    async fn wrong_movies(&self, events: &[RefreshedEvent]) -> Vec<String> {
        let mut found = self.strange_movies().await;
        found.extend(self.old_titles().await);
        found.extend(self.older_answers(events).await);
        found.extend(revisions_going_back(events));
        found
    }

    /// Movies that nobody asked for, or that have another's title.
    async fn strange_movies(&self) -> Vec<String> {
        let mut found = Vec::new();
        let asked: BTreeSet<i64> = self.all.lock().unwrap().iter().map(|o| o.tmdb_id).collect();
        let of_runs: BTreeSet<String> =
            self.rows(questions::MOVIES_OF_RUNS).await.into_iter().collect();
        for row in self.rows(questions::MOVIES).await {
            let mut parts = row.split('|');
            let (id, title) = (parts.next().unwrap(), parts.next().unwrap());
            let number: i64 = id.parse().unwrap();
            if !asked.contains(&number) && !of_runs.contains(id) {
                found.push(format!("nobody asked for {id} {title}"));
            }
            let right = self.titles.get(&number);
            let edited = title.starts_with(&format!("Chaos {id} no. "));
            if right.is_some_and(|right| right != title) && !edited {
                found.push(format!("{id} has the title {title:?}, its own is {right:?}"));
            }
        }
        found
    }

    /// Movies that hold an older answer than their events tell of.
    async fn older_answers(&self, events: &[RefreshedEvent]) -> Vec<String> {
        let mut newest: BTreeMap<i64, OffsetDateTime> = BTreeMap::new();
        for event in events {
            let at = newest.entry(event.tmdb_id).or_insert(event.refreshed_at);
            *at = (*at).max(event.refreshed_at);
        }
        let mut found = Vec::new();
        for (id, at) in newest {
            let epoch_secs = at.unix_timestamp_nanos() as f64 / 1e9;
            if !self.rows(&questions::answered_before(id, epoch_secs)).await.is_empty() {
                found.push(format!("{id} holds an older answer than its events tell of"));
            }
        }
        found
    }

    /// Movies that were edited, then refreshed, and do not have the new title.
    async fn old_titles(&self) -> Vec<String> {
        let met: BTreeSet<String> = self
            .all
            .lock()
            .unwrap()
            .iter()
            .filter(|o| o.confirmed && o.met)
            .map(|o| o.key.clone())
            .collect();
        let edits = self.edits.lock().unwrap().clone();
        let mut found = Vec::new();
        for (id, (title, _)) in edits.iter().filter(|(_, (_, key))| met.contains(key)) {
            let now = self.rows(&questions::title(*id)).await;
            if now != std::slice::from_ref(title) && !self.is_worn_out(*id).await {
                found.push(format!("{id} was refreshed after it became {title:?} and is {now:?}"));
            }
        }
        found
    }

    /// Each dead letter stands in MOVIES_DEAD as well.
    async fn dead_letters_without_a_copy(&self) -> Vec<String> {
        let copies: BTreeSet<String> =
            self.messages("MOVIES_DEAD", "movies.dead.>").await.iter().map(message_id).collect();
        let rows = self.rows(questions::COPIES_OF_DEAD_LETTERS).await;
        let missing = rows.into_iter().filter(|id| !copies.contains(id));
        missing.map(|id| format!("{id} stands in the table and not in MOVIES_DEAD")).collect()
    }
}

/// Events of a movie that come after one of a later revision.
fn revisions_going_back(events: &[RefreshedEvent]) -> Vec<String> {
    let mut found = Vec::new();
    let mut last: HashMap<i64, i64> = HashMap::new();
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    for event in events.iter().filter(|e| seen.insert(&e.message_id)) {
        let before = last.insert(event.tmdb_id, event.revision).unwrap_or(0);
        if event.revision < before {
            found.push(format!(
                "{}: revision {} after {before} ({})",
                event.tmdb_id, event.revision, event.message_id
            ));
        }
    }
    found
}
