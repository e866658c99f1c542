//! What the oracle says at the end: everything that is not as promised.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::atomic::Ordering,
};

use time::OffsetDateTime;

use super::{
    Kind, Oracle, open_pool,
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
        found.extend(self.letters_without_a_copy().await);
        found.extend(self.wrong_rows().await);
        found.extend(self.wrong_movies(&events).await);
        found.extend(self.unasked_work().await);
        found
    }

    async fn unmet(&self, events: &[RefreshedEvent]) -> Vec<String> {
        let mut found = Vec::new();
        let all = self.all.lock().unwrap().clone();
        let letters_of = self.rows("select message_key || ' ' || reason from dead_letter").await;
        let dead: BTreeMap<&str, &str> =
            letters_of.iter().filter_map(|row| row.rsplit_once(' ')).collect();
        let mut letters: HashMap<String, u32> = HashMap::new();
        for key in self.rows("select consumer || ' ' || message_key from dead_letter").await {
            *letters.entry(key).or_default() += 1;
        }
        found.extend(
            letters
                .iter()
                .filter(|(_, n)| **n > 1)
                .map(|(key, n)| format!("{key} has {n} dead letters")),
        );
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
                && !self.buried(o.tmdb_id).await
            {
                found.push(format!("met without an event: {o:?}"));
            }
        }
        found
    }

    /// What may become a dead letter, and as what. A movie's own bad answers may use up its tries.
    fn may_die(&self, kind: Kind, reason: &str) -> bool {
        let worn_out =
            reason == "retries-exhausted" && self.spoiled_answers.load(Ordering::Relaxed);
        match kind {
            Kind::Bad => reason == "invalid-payload",
            Kind::Unknown => reason == "not-found" || worn_out,
            Kind::Ingest | Kind::Stale | Kind::List => worn_out,
        }
    }

    async fn buried(&self, id: i64) -> bool {
        let sql = format!(
            "select count(*) from dead_letter where reason = 'retries-exhausted' and convert_from(payload, 'UTF8') ~ '\"tmdb_id\": ?{id}[^0-9]'"
        );
        self.look(&sql).await.unwrap_or(0) > 0
    }

    /// Tables that contradict themselves or each other.
    async fn wrong_rows(&self) -> Vec<String> {
        let mut found = Vec::new();
        for (what, sql) in [
            ("unsent events", "select subject || ' ' || message_id from outbox where published_at is null limit 5"),
            ("queue rows without a worker", "select q::text from refresh_queue q where status in ('queued', 'processing') limit 5"),
            ("movies half ingested", "select tmdb_id from works where ingestion_status <> 'complete' limit 5"),
            ("open runs", "select r::text from job_run r where status in ('waiting', 'queued', 'running') limit 5"),
            (
                "runs that do not add up",
                "select r::text from job_run r where ended_at is not null and (pending <> 0 or
                    (action in ('ingest', 'scan') and checked <> skipped + done + failed + not_needed + cancelled)) limit 5",
            ),
            ("events written twice", "select message_id from outbox group by message_id having count(*) > 1 limit 5"),
            (
                "nominal times that fired twice",
                "select job || ' ' || date_trunc('second', scheduled_for) from job_run where trigger_type in ('scheduled', 'catch_up') and status <> 'skipped'
                    and attempts = 1 and reason is distinct from 'again' group by job, date_trunc('second', scheduled_for) having count(*) > 1 limit 5",
            ),
            (
                "nominal times without a row",
                "select s.job || ' ' || s.at from (select job, generate_series(date_trunc('second', min(scheduled_for)), max(scheduled_for), interval '2 seconds') as at
                    from job_run where job = 'beat' and trigger_type <> 'manual' group by job) s
                 where not exists (select 1 from job_run r where r.job = s.job and date_trunc('second', r.scheduled_for) = s.at) limit 5",
            ),
            (
                "revisions with gaps",
                "select work_id::text from (select work_id, array_agg(revision order by id) as seen, max(revision) as top, count(*) as n
                    from work_events where kind in ('created', 'updated') group by work_id) r
                 where n <> top or seen <> (select array_agg(g order by g) from generate_series(1, top) g) limit 5",
            ),
            ("revisions behind", "select w.tmdb_id from works w where revision <> (select coalesce(max(revision), 0) from work_events e where e.work_id = w.work_id) limit 5"),
        ] {
            let rows = self.rows(sql).await;
            if !rows.is_empty() {
                found.push(format!("{what}: {}", rows.join("; ")));
            }
        }
        found
    }

    /// Movies that nobody asked for, that hold another's data or an older answer, or whose events
    /// are out of order.
    async fn wrong_movies(&self, events: &[RefreshedEvent]) -> Vec<String> {
        let mut found = Vec::new();
        let asked: BTreeSet<i64> = self.all.lock().unwrap().iter().map(|o| o.tmdb_id).collect();
        let items: BTreeSet<String> = self
            .rows("select distinct tmdb_id::text from job_run_item")
            .await
            .into_iter()
            .collect();
        for row in
            self.rows("select tmdb_id || '|' || coalesce(title, '') || '|' || extract(epoch from fetched_at) from works").await
        {
            let mut parts = row.split('|');
            let (id, title) = (parts.next().unwrap(), parts.next().unwrap());
            let number: i64 = id.parse().unwrap();
            if !asked.contains(&number) && !items.contains(id) {
                found.push(format!("nobody asked for {id} {title}"));
            }
            let own = self.titles.get(&number).is_none_or(|t| t == title) || title.starts_with(&format!("Chaos {id} no. "));
            if !own {
                found.push(format!("{id} has the title {title:?}, its own is {:?}", self.titles.get(&number)));
            }
        }
        found.extend(self.old_titles().await);
        let newest: BTreeMap<i64, OffsetDateTime> =
            events.iter().fold(BTreeMap::new(), |mut map, e| {
                let at = map.entry(e.tmdb_id).or_insert(e.refreshed_at);
                *at = (*at).max(e.refreshed_at);
                map
            });
        for (id, at) in newest {
            let behind = format!(
                "select tmdb_id from works where tmdb_id = '{id}' and fetched_at < to_timestamp({}) - interval '1 millisecond'",
                at.unix_timestamp_nanos() as f64 / 1e9
            );
            if !self.rows(&behind).await.is_empty() {
                found.push(format!("{id} holds an older answer than its events tell of"));
            }
        }
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
            let now = self.rows(&format!("select title from works where tmdb_id = '{id}'")).await;
            if now != std::slice::from_ref(title) && !self.buried(*id).await {
                found.push(format!("{id} was refreshed after it became {title:?} and is {now:?}"));
            }
        }
        found
    }

    /// Each dead letter stands in MOVIES_DEAD as well.
    async fn letters_without_a_copy(&self) -> Vec<String> {
        let copies: BTreeSet<String> =
            self.messages("MOVIES_DEAD", "movies.dead.>").await.iter().map(message_id).collect();
        let rows =
            self.rows("select 'dead:' || consumer || ':' || message_key from dead_letter").await;
        let missing = rows.into_iter().filter(|id| !copies.contains(id));
        missing.map(|id| format!("{id} stands in the table and not in MOVIES_DEAD")).collect()
    }
}
