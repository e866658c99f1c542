//! Which obligations are met, and which were lost with the broker's store.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use sqlx::Row;
use time::OffsetDateTime;

use super::{Kind, Limits, Obligation, Oracle, Settled, questions};

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
        let query =
            sqlx::query(questions::SIGNS).bind(&ids).bind(&keys).bind(&recorded).bind(&since);
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
        let stale: Vec<&Obligation> = open.iter().filter(|o| o.kind == Kind::Stale).collect();
        let recorded: Vec<String> = sqlx::query_scalar(questions::RECORDED)
            .bind(&keys)
            .bind(stale.iter().map(|o| o.tmdb_id).collect::<Vec<_>>())
            .bind(stale.iter().map(|o| o.key.clone()).collect::<Vec<_>>())
            .bind(stale.iter().map(|o| o.at).collect::<Vec<_>>())
            .fetch_all(&self.pool())
            .await
            .unwrap();
        for o in self.all.lock().unwrap().iter_mut().filter(|o| !o.met) {
            let is_recorded = recorded.contains(&o.key);
            o.recorded |= is_recorded;
            o.exempt |= !is_recorded;
        }
    }

    /// Waits until everything that was confirmed up to now is met.
    pub(crate) async fn settled(&self, limits: Limits) -> Settled {
        let (begun, upto) = (Instant::now(), self.all.lock().unwrap().len());
        let mut late = None;
        loop {
            self.check_met().await;
            let open = |all: &[Obligation]| -> Vec<String> {
                let open = all.iter().take(upto).filter(|o| o.confirmed && !o.met && !o.exempt);
                open.map(|o| o.key.clone()).collect()
            };
            let open = open(&self.all.lock().unwrap());
            if begun.elapsed() > limits.promised && late.is_none() {
                late = Some(open.clone());
            }
            if open.is_empty() {
                return Settled { after: Some(begun.elapsed()), late: late.unwrap_or_default() };
            }
            if begun.elapsed() > limits.most {
                return Settled { after: None, late: late.unwrap_or_default() };
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// The first few of these, in words.
    pub(crate) fn in_words(&self, keys: &[String]) -> String {
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
        while begun.elapsed() < limit {
            if self.check_met().await == 0 && self.look(questions::MOVES).await == Some(0) {
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
