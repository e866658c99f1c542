//! The oracle: submits work, notes what the broker confirmed, and says at the end which of it was not met.
//!
//! It speaks to the servers directly, beside the proxies, and shares no code with the program but the contracts.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use async_nats::{
    HeaderMap,
    jetstream::{self, consumer::DeliverPolicy},
};
use futures::StreamExt;
use runtime::{Clock, SystemClock};
use serde_json::{Value, json};
use sqlx::{PgPool, Row, postgres::PgPoolOptions};
use tests::Dice;
use time::OffsetDateTime;

use crate::broker;

/// How long the broker may take to confirm.
const CONFIRM: Duration = Duration::from_secs(2);

/// Each try that begins, counted beside the program: its own rows go when the work is done.
const COUNT_TRIES: &str = "
    create table oracle_tries (consumer text not null, message_key text not null, retried bool not null);
    create table oracle_failures (message_key text not null);
    create function oracle_tries() returns trigger language plpgsql as $$
    begin
        if tg_op = 'INSERT' or new.started > old.started then
            insert into oracle_tries values (new.consumer, new.message_key, tg_op = 'UPDATE');
        end if;
        if tg_op = 'UPDATE' and new.failed > old.failed then
            insert into oracle_failures values (new.message_key);
        end if;
        return null;
    end $$;
    create trigger oracle_tries after insert or update on attempt for each row execute function oracle_tries();";

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// A movie that TMDB has.
    Ingest,
    /// A movie that TMDB does not have.
    Unknown,
    /// A movie of the catalogue is to be refreshed.
    Stale,
    /// No such message can be worked off.
    Bad,
    /// A list.
    List,
}

/// Something that the broker confirmed, or perhaps took without the confirmation coming back.
#[derive(Debug, Clone)]
pub(crate) struct Obligation {
    pub(crate) kind: Kind,
    pub(crate) tmdb_id: i64,
    /// Message id; also the mark of a bad payload.
    pub(crate) key: String,
    /// Whether it was sent under that id.
    pub(crate) named: bool,
    pub(crate) confirmed: bool,
    pub(crate) at: OffsetDateTime,
    pub(crate) met: bool,
    /// Nobody but the broker held it when the broker's store was deleted.
    pub(crate) exempt: bool,
    /// The broker's store was deleted while it was open, and Postgres had recorded it: met under another message.
    pub(crate) recorded: bool,
}

/// After a fault all places may be taken for a while.
async fn open_pool(database_url: &str) -> PgPool {
    let begun = Instant::now();
    loop {
        match PgPoolOptions::new().max_connections(4).connect(database_url).await {
            Ok(pool) => return pool,
            Err(e) => assert!(begun.elapsed() < Duration::from_secs(60), "Postgres: {e}"),
        }
    }
}

/// Titles by id, as the simulator has them.
pub(crate) type Titles = BTreeMap<i64, String>;

pub(crate) struct Oracle {
    nats_url: String,
    pool: Mutex<PgPool>,
    database_url: String,
    client: Mutex<Option<async_nats::Client>>,
    pub(crate) sim: tmdb_sim::Control,
    titles: Titles,
    pub(crate) all: Mutex<Vec<Obligation>>,
    /// The latest title of each movie that was edited, with the refresh that has to bring it in.
    edits: Mutex<BTreeMap<i64, (String, String)>>,
    begun: OffsetDateTime,
    /// TMDB's answers were spoiled for a while.
    pub(crate) spoiled_answers: AtomicBool,
}

pub(crate) type Shared = Arc<Oracle>;

impl Oracle {
    pub(crate) async fn new((nats_url, database_url): (String, String), sim: tmdb_sim::Control, titles: Titles) -> Shared {
        let pool = open_pool(&database_url).await;
        sqlx::raw_sql(COUNT_TRIES).execute(&pool).await.unwrap();
        Arc::new(Self {
            nats_url,
            pool: Mutex::new(pool),
            database_url,
            client: Mutex::new(None),
            sim,
            titles,
            all: Mutex::default(),
            edits: Mutex::default(),
            begun: SystemClock.now(),
            spoiled_answers: AtomicBool::new(false),
        })
    }

    pub(crate) fn pool(&self) -> PgPool {
        self.pool.lock().unwrap().clone()
    }

    /// A number, or `None` while the database is away.
    pub(crate) async fn look(&self, sql: &str) -> Option<i64> {
        let query = sqlx::query(sqlx::AssertSqlSafe(sql));
        let row = tokio::time::timeout(Duration::from_secs(5), query.fetch_one(&self.pool())).await.ok()?;
        row.ok().map(|row| row.get(0))
    }

    async fn rows(&self, sql: &str) -> Vec<String> {
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql)).fetch_all(&self.pool()).await.unwrap_or_else(|e| panic!("{sql}: {e}"));
        rows.iter().map(|row| row.get::<Option<String>, _>(0).unwrap_or_default()).collect()
    }

    async fn client(&self) -> Option<async_nats::Client> {
        let known = self.client.lock().unwrap().clone();
        if let Some(client) = known.filter(|c| matches!(c.connection_state(), async_nats::connection::State::Connected)) {
            return Some(client);
        }
        let client = tokio::time::timeout(CONFIRM, broker::connect(&self.nats_url)).await.ok()?.ok()?;
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
        let list = ["popular", "now_playing", "upcoming", "top_rated"][usize::try_from(dice.roll(4)).unwrap()];
        let (kind, subject, payload, tmdb_id) = match dice.roll(20) {
            0 => (Kind::Bad, "movies.ingest.movie", json!(format!("{{\"tmdb_id\": \"{key}\"")), 0),
            1 => (Kind::Bad, "movies.stale.now", json!({"tmdb_id": -1, "reason": key}), 0),
            2 => {
                let id = 900_000_000 + i64::try_from(n).unwrap();
                (Kind::Unknown, "movies.ingest.movie", json!({"tmdb_id": id}), id)
            }
            3 => (Kind::List, "movies.ingest.list", json!({"source": list, "max_movies": 1 + dice.roll(8), "run_id": key}), 0),
            4..=10 => match self.known(dice) {
                Some(id) => {
                    if dice.roll(2) == 0 {
                        let title = format!("Chaos {id} no. {n}");
                        // Together: the canary edits as well, and the last title here has to be the last there.
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
        let at = SystemClock.now();
        let place = {
            // Known before it is sent: a store that is deleted meanwhile may have confirmed it.
            let mut all = self.all.lock().unwrap();
            let (confirmed, met, exempt, recorded) = (false, false, false, false);
            all.push(Obligation { kind, tmdb_id, key: key.clone(), named: with_id, confirmed, at, met, exempt, recorded });
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
        let met: Vec<i64> = all.iter().filter(|o| o.kind == Kind::Ingest && o.met).map(|o| o.tmdb_id).collect();
        let n = usize::try_from(dice.roll(met.len().max(1) as u64)).unwrap();
        met.get(n).copied()
    }

    /// Looks which obligations are met meanwhile. Returns how many confirmed ones are open.
    pub(crate) async fn check_met(&self) -> usize {
        let open: Vec<Obligation> = self.all.lock().unwrap().iter().filter(|o| !o.met).cloned().collect();
        let met = self.met_of(&open).await.unwrap_or_default();
        let mut all = self.all.lock().unwrap();
        for obligation in all.iter_mut().filter(|o| met.contains(&o.key)) {
            obligation.met = true;
        }
        all.iter().filter(|o| o.confirmed && !o.met && !o.exempt).count()
    }

    async fn met_of(&self, open: &[Obligation]) -> Option<BTreeSet<String>> {
        let of = |kind: Kind| open.iter().filter(move |o| o.kind == kind);
        let ids: Vec<String> = of(Kind::Ingest).chain(of(Kind::Unknown)).map(|o| o.tmdb_id.to_string()).collect();
        let keys: Vec<String> = open.iter().map(|o| o.key.clone()).collect();
        let (recorded, since): (Vec<String>, Vec<OffsetDateTime>) =
            of(Kind::Stale).filter(|o| o.recorded).map(|o| (o.tmdb_id.to_string(), o.at)).unzip();
        let query = sqlx::query(
            "select 'id:' || tmdb_id from works where tmdb_id = any($1) and ingestion_status = 'complete'
             union all select 'id:' || substring(convert_from(payload, 'UTF8') from '\"tmdb_id\": ?([0-9]+)') from dead_letter where consumer = 'ingest-movie'
             union all select 'key:' || message_key from inbox where message_key = any($2) and consumer in ('refresh-now', 'ingest-movie')
             union all select 'key:' || message_key from dead_letter where message_key = any($2)
             union all select 'key:' || run_id from job_run where run_id = any($2) and ended_at is not null and status <> 'lost'
             union all select 'again:' || w.tmdb_id || ' ' || extract(epoch from t.since)::text from works w
                join unnest($3::text[], $4::timestamptz[]) as t(id, since) on w.tmdb_id = t.id and w.fetched_at >= t.since",
        )
        .bind(&ids)
        .bind(&keys)
        .bind(&recorded)
        .bind(&since);
        let rows = tokio::time::timeout(Duration::from_secs(5), query.fetch_all(&self.pool())).await.ok()?.ok()?;
        let found: BTreeSet<String> = rows.iter().filter_map(|r| r.get::<Option<String>, _>(0)).collect();
        let again = |o: &Obligation| {
            let id = format!("again:{} ", o.tmdb_id);
            o.recorded && found.range(id.clone()..).take_while(|f| f.starts_with(&id)).any(|f| is_at(&f[id.len()..], o.at))
        };
        let is_met = |o: &&Obligation| match o.kind {
            Kind::Ingest if o.named => found.contains(&format!("key:{}", o.key)),
            Kind::Ingest | Kind::Unknown => found.contains(&format!("id:{}", o.tmdb_id)),
            Kind::Stale | Kind::Bad | Kind::List => found.contains(&format!("key:{}", o.key)) || again(o),
        };
        Some(open.iter().filter(is_met).map(|o| o.key.clone()).collect())
    }

    /// The broker's store was deleted at this moment: what only it held is exempt from now on, unless it is met all the same.
    /// What Postgres had recorded (the run of a list, the queue row of a refresh) never is.
    pub(crate) async fn store_is_gone(&self) {
        self.check_met().await;
        let open: Vec<Obligation> = self.all.lock().unwrap().iter().filter(|o| !o.met).cloned().collect();
        let keys: Vec<String> = open.iter().filter(|o| o.kind == Kind::List).map(|o| o.key.clone()).collect();
        // A queue row tells of a message when its work began after that was sent, or is still to begin.
        let stale = open.iter().filter(|o| o.kind == Kind::Stale);
        let ((ids, stale_keys), since): ((Vec<i64>, Vec<String>), Vec<OffsetDateTime>) =
            stale.map(|o| ((o.tmdb_id, o.key.clone()), o.at)).unzip();
        let recorded = sqlx::query_scalar::<_, String>(
            "select run_id from job_run where run_id = any($1)
             union all select t.key from refresh_queue q join unnest($2::bigint[], $3::text[], $4::timestamptz[]) as t(id, key, since)
                on t.id = q.tmdb_id and (q.status = 'queued' or (q.status = 'processing' and q.released_at >= t.since))",
        )
        .bind(&keys)
        .bind(&ids)
        .bind(&stale_keys)
        .bind(&since)
        .fetch_all(&self.pool())
        .await
        .unwrap();
        for o in self.all.lock().unwrap().iter_mut().filter(|o| !o.met) {
            let is_recorded = recorded.contains(&o.key);
            o.recorded |= is_recorded;
            o.exempt |= !is_recorded;
        }
    }

    /// Rows in work whose worker is gone and whose message is gone too.
    pub(crate) async fn leave_orphans(&self) {
        sqlx::raw_sql(
            "insert into refresh_queue (work_id, tmdb_id, status, lane, reason, released_at, lease_until)
             select work_id, tmdb_id::bigint, 'processing', 'bulk', 'orphan', now(), now() - interval '1 second' from works order by random() limit 20
             on conflict do nothing",
        )
        .execute(&self.pool())
        .await
        .unwrap();
    }

    /// Waits until everything that was confirmed up to now is met. Returns how long it took, `None` for too long, and what was
    /// open at `promised`.
    pub(crate) async fn settled(&self, (promised, limit): (Duration, Duration)) -> (Option<Duration>, Vec<String>) {
        let (begun, upto) = (Instant::now(), self.all.lock().unwrap().len());
        let mut late = None;
        loop {
            self.check_met().await;
            let open = |all: &[Obligation]| -> Vec<String> {
                let open = all.iter().take(upto).filter(|o| o.confirmed && !o.met && !o.exempt);
                open.map(|o| o.key.clone()).collect()
            };
            let open = open(&self.all.lock().unwrap());
            if begun.elapsed() > promised && late.is_none() {
                late = Some(open.clone());
            }
            if open.is_empty() {
                return (Some(begun.elapsed()), late.unwrap_or_default());
            }
            if begun.elapsed() > limit {
                return (None, late.unwrap_or_default());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until nothing moves any more, or the time is over.
    pub(crate) async fn quiet(&self, limit: Duration) {
        let begun = Instant::now();
        let moves = "select (select count(*) from outbox where published_at is null) + (select count(*) from refresh_queue where status in ('queued', 'processing'))
            + (select count(*) from job_run where status in ('waiting', 'queued', 'running')) + (select count(*) from works where ingestion_status = 'ingesting')";
        while begun.elapsed() < limit {
            if self.check_met().await == 0 && self.look(moves).await == Some(0) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

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
        found
    }

    async fn unmet(&self, events: &[RefreshedEvent]) -> Vec<String> {
        let mut found = Vec::new();
        let all = self.all.lock().unwrap().clone();
        let letters_of = self.rows("select message_key || ' ' || reason from dead_letter").await;
        let dead: BTreeMap<&str, &str> = letters_of.iter().filter_map(|row| row.rsplit_once(' ')).collect();
        let mut letters: HashMap<String, u32> = HashMap::new();
        for key in self.rows("select consumer || ' ' || message_key from dead_letter").await {
            *letters.entry(key).or_default() += 1;
        }
        found.extend(letters.iter().filter(|(_, n)| **n > 1).map(|(key, n)| format!("{key} has {n} dead letters")));
        for o in all.iter().filter(|o| o.confirmed && !o.exempt) {
            if !o.met {
                found.push(format!("open: {o:?}"));
                continue;
            }
            if let Some(reason) = dead.get(&*o.key).filter(|reason| !self.may_die(o.kind, reason)) {
                found.push(format!("given up as {reason}: {o:?}"));
            }
            let refreshed =
                || events.iter().any(|e| e.tmdb_id == o.tmdb_id && (o.kind == Kind::Ingest || e.refreshed_at >= o.at));
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
        let worn_out = reason == "retries-exhausted" && self.spoiled_answers.load(Ordering::Relaxed);
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

    /// Movies that nobody asked for, that hold another's data or an older answer, or whose events are out of order.
    async fn wrong_movies(&self, events: &[RefreshedEvent]) -> Vec<String> {
        let mut found = Vec::new();
        let asked: BTreeSet<i64> = self.all.lock().unwrap().iter().map(|o| o.tmdb_id).collect();
        let items: BTreeSet<String> = self.rows("select distinct tmdb_id::text from job_run_item").await.into_iter().collect();
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
        let newest: BTreeMap<i64, OffsetDateTime> = events.iter().fold(BTreeMap::new(), |mut map, e| {
            let at = map.entry(e.tmdb_id).or_insert(e.refreshed_at);
            *at = (*at).max(e.refreshed_at);
            map
        });
        for (id, at) in newest {
            let behind = format!(
                "select count(*) from works where tmdb_id = '{id}' and fetched_at < to_timestamp({}) - interval '1 millisecond'",
                at.unix_timestamp_nanos() as f64 / 1e9
            );
            if self.look(&behind).await != Some(0) {
                found.push(format!("{id} holds an older answer than its events tell of"));
            }
        }
        let mut last: HashMap<i64, i64> = HashMap::new();
        let mut seen: BTreeSet<&str> = BTreeSet::new();
        for event in events.iter().filter(|e| seen.insert(&e.message_id)) {
            let before = last.insert(event.tmdb_id, event.revision).unwrap_or(0);
            if event.revision < before {
                found.push(format!("{}: revision {} after {before} ({})", event.tmdb_id, event.revision, event.message_id));
            }
        }
        found
    }

    /// Movies that were edited, then refreshed, and do not have the new title.
    async fn old_titles(&self) -> Vec<String> {
        let met: BTreeSet<String> =
            self.all.lock().unwrap().iter().filter(|o| o.confirmed && o.met).map(|o| o.key.clone()).collect();
        let edits = self.edits.lock().unwrap().clone();
        let mut found = Vec::new();
        for (id, (title, _)) in edits.iter().filter(|(_, (_, key))| met.contains(key)) {
            let as_edited = format!("select count(*) from works where tmdb_id = '{id}' and title = '{title}'");
            if self.look(&as_edited).await != Some(1) && !self.buried(*id).await {
                let now = self.rows(&format!("select title from works where tmdb_id = '{id}'")).await;
                found.push(format!("{id} was refreshed after it became {title:?} and is {now:?}"));
            }
        }
        found
    }

    /// Something new, until the broker confirms it.
    pub(crate) async fn canary(&self, from: u64) {
        let begun = Instant::now();
        for n in from.. {
            self.submit(&mut Dice(n), n).await;
            let confirmed = self.all.lock().unwrap().iter().any(|o| o.confirmed && o.key == format!("oracle-{n}"));
            if confirmed || begun.elapsed() > Duration::from_secs(60) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Each dead letter stands in MOVIES_DEAD as well.
    async fn letters_without_a_copy(&self) -> Vec<String> {
        let copies: BTreeSet<String> = self.messages("MOVIES_DEAD", "movies.dead.>").await.iter().map(message_id).collect();
        let rows = self.rows("select 'dead:' || consumer || ':' || message_key from dead_letter").await;
        let missing = rows.into_iter().filter(|id| !copies.contains(id));
        missing.map(|id| format!("{id} stands in the table and not in MOVIES_DEAD")).collect()
    }

    /// All `movies.refreshed`, in the order of their stream.
    async fn refreshed(&self) -> Vec<RefreshedEvent> {
        let messages = self.messages("MOVIES_EVENTS", "movies.refreshed.>").await;
        let read = |message: &jetstream::Message| {
            let event: proto::MovieRefreshed = serde_json::from_slice(&message.payload).unwrap();
            RefreshedEvent {
                tmdb_id: event.tmdb_id.get(),
                revision: event.revision,
                refreshed_at: event.refreshed_at,
                message_id: message_id(message),
            }
        };
        messages.iter().map(read).collect()
    }

    /// What a stream that is no work queue holds.
    async fn messages(&self, stream: &str, filter: &str) -> Vec<jetstream::Message> {
        let client = broker::connect(&self.nats_url).await.unwrap();
        let stream = jetstream::new(client).get_stream(stream).await.unwrap();
        let config = jetstream::consumer::pull::OrderedConfig {
            filter_subject: filter.to_owned(),
            deliver_policy: DeliverPolicy::All,
            ..Default::default()
        };
        let consumer = stream.create_consumer(config).await.unwrap();
        let mut left = consumer.cached_info().num_pending;
        let mut messages = consumer.messages().await.unwrap();
        let mut found = Vec::new();
        while left > 0 {
            found.push(tokio::time::timeout(Duration::from_secs(20), messages.next()).await.unwrap().unwrap().unwrap());
            left -= 1;
        }
        found
    }

    /// Tries of work on one movie that began: each asks TMDB for it at most once.
    pub(crate) async fn movie_tries(&self) -> u64 {
        self.tries("consumer ~ '^(ingest-movie|refresh-)'").await
    }

    /// Tries that began after another of the same message.
    pub(crate) async fn retries(&self) -> u64 {
        self.tries("retried").await
    }

    /// Whether each of these failed a try by itself: then it waits for its own backoff, whatever else goes on.
    pub(crate) async fn failed_by_themselves(&self, keys: &[String]) -> bool {
        let failed = self.rows("select distinct message_key from oracle_failures").await;
        !keys.is_empty() && keys.iter().all(|key| failed.contains(key))
    }

    /// As `not-found 12, invalid-payload 3`.
    pub(crate) async fn letters_by_reason(&self) -> String {
        let rows = self.rows("select reason || ' ' || count(*) from dead_letter group by reason order by count(*) desc").await;
        rows.join(", ")
    }

    async fn tries(&self, which: &str) -> u64 {
        u64::try_from(self.look(&format!("select count(*) from oracle_tries where {which}")).await.unwrap_or(0)).unwrap()
    }

    /// Tries that would do: one for each message about a movie, and what may have been lost.
    pub(crate) async fn tries_allowed(&self, lost: u64) -> u64 {
        let asked = self.all.lock().unwrap().len() as u64;
        let items = u64::try_from(self.look("select count(*) from job_run_item").await.unwrap_or(0)).unwrap();
        2 * (asked + items) + lost
    }

    pub(crate) fn begun(&self) -> OffsetDateTime {
        self.begun
    }
}

/// One `movies.refreshed`.
struct RefreshedEvent {
    tmdb_id: i64,
    revision: i64,
    refreshed_at: OffsetDateTime,
    message_id: String,
}

fn message_id(message: &jetstream::Message) -> String {
    message.headers.as_ref().and_then(|h| h.get("Nats-Msg-Id")).map(ToString::to_string).unwrap_or_default()
}

/// Whether seconds since 1970, as Postgres prints them, are this instant.
fn is_at(epoch: &str, at: OffsetDateTime) -> bool {
    epoch.parse::<f64>().is_ok_and(|secs| (secs - at.unix_timestamp_nanos() as f64 / 1e9).abs() < 0.001)
}
