//! Which obligations are met, and which were lost with the broker's store.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use sqlx::Row;
use time::OffsetDateTime;

use super::{Kind, Obligation, Oracle};

impl Oracle {
    /// Looks which obligations are met meanwhile. Returns how many confirmed ones are open.
    pub(crate) async fn check_met(&self) -> usize {
        let open: Vec<Obligation> =
            self.all.lock().unwrap().iter().filter(|o| !o.met).cloned().collect();
        let met = self.met_of(&open).await.unwrap_or_default();
        let mut all = self.all.lock().unwrap();
        for obligation in all.iter_mut().filter(|o| met.contains(&o.key)) {
            obligation.met = true;
        }
        all.iter().filter(|o| o.confirmed && !o.met && !o.exempt).count()
    }

    async fn met_of(&self, open: &[Obligation]) -> Option<BTreeSet<String>> {
        let of = |kind: Kind| open.iter().filter(move |o| o.kind == kind);
        let ids: Vec<String> =
            of(Kind::Ingest).chain(of(Kind::Unknown)).map(|o| o.tmdb_id.to_string()).collect();
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
        let rows = tokio::time::timeout(Duration::from_secs(5), query.fetch_all(&self.pool()))
            .await
            .ok()?
            .ok()?;
        let found: BTreeSet<String> =
            rows.iter().filter_map(|r| r.get::<Option<String>, _>(0)).collect();
        let again = |o: &Obligation| {
            let id = format!("again:{} ", o.tmdb_id);
            o.recorded
                && found
                    .range(id.clone()..)
                    .take_while(|f| f.starts_with(&id))
                    .any(|f| is_at(&f[id.len()..], o.at))
        };
        let is_met = |o: &&Obligation| match o.kind {
            Kind::Ingest if o.named => found.contains(&format!("key:{}", o.key)),
            Kind::Ingest | Kind::Unknown => found.contains(&format!("id:{}", o.tmdb_id)),
            Kind::Stale | Kind::Bad | Kind::List => {
                found.contains(&format!("key:{}", o.key)) || again(o)
            }
        };
        Some(open.iter().filter(is_met).map(|o| o.key.clone()).collect())
    }

    /// The broker's store was deleted at this moment: what only it held is exempt from now on,
    /// unless it is met all the same. What Postgres had recorded (the run of a list, the queue row
    /// of a refresh) never is.
    pub(crate) async fn store_is_gone(&self) {
        self.check_met().await;
        let open: Vec<Obligation> =
            self.all.lock().unwrap().iter().filter(|o| !o.met).cloned().collect();
        let keys: Vec<String> =
            open.iter().filter(|o| o.kind == Kind::List).map(|o| o.key.clone()).collect();
        // A queue row tells of a message when its work began after that was sent, or is still to
        // begin.
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

    /// Waits until everything that was confirmed up to now is met. Returns how long it took, `None`
    /// for too long, and what was open at `promised`.
    pub(crate) async fn settled(
        &self,
        (promised, limit): (Duration, Duration),
    ) -> (Option<Duration>, Vec<String>) {
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

    /// The first few of these, in words.
    pub(crate) fn told(&self, keys: &[String]) -> String {
        let all = self.all.lock().unwrap();
        let some = all.iter().filter(|o| keys.contains(&o.key)).take(5);
        let some: Vec<String> = some
            .map(|o| format!("{} ({:?} {}, sent at {})", o.key, o.kind, o.tmdb_id, o.at.time()))
            .collect();
        if some.is_empty() { "nothing new was accepted".to_owned() } else { some.join(", ") }
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
}

/// Whether seconds since 1970, as Postgres prints them, are this instant.
fn is_at(epoch: &str, at: OffsetDateTime) -> bool {
    epoch
        .parse::<f64>()
        .is_ok_and(|secs| (secs - at.unix_timestamp_nanos() as f64 / 1e9).abs() < 0.001)
}
