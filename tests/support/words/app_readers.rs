//! The app's readers: what its screens, functions and dashboard ask, through the HTTP interface's
//! roles, and decoded as strictly as the app decodes.

use serde::de::DeserializeOwned;
use serde_json::Value;
use sqlx::{AssertSqlSafe, Row};

use super::app::HostedApp;
use crate::app::{Card, Clip, CrewMember};

/// What a reader got, or what stopped it.
type Read<T> = Result<T, String>;

/// A card with what the app caches it by.
#[derive(Debug, Clone)]
pub struct CachedCard {
    /// Decoded.
    pub card: Card,
    /// As it is stored.
    pub payload: Value,
    /// Changes with it.
    pub etag: String,
}

/// What the app looks up in a movie's details before it shows its card.
#[derive(Debug, Clone)]
pub struct CardDetails {
    /// Below 4 the app asks TMDB itself, at each look.
    pub schema_version: i64,
    /// Clips.
    pub trailers: Option<Vec<Clip>>,
}

/// A movie in a row of similar ones.
#[derive(Debug, Clone)]
pub struct SimilarMovie {
    /// Of the app's own storage where it has one.
    pub poster_url: Option<String>,
    /// 0 to 100.
    pub ai_score: f64,
}

/// A run of the ingestion on the dashboard.
#[derive(Debug, Clone)]
pub struct IngestionRun {
    /// Which list.
    pub source: String,
    /// `scheduled` or `manual`.
    pub trigger: String,
    /// `Title (1999)` each.
    pub ingested: Vec<String>,
    /// `Title: error` each.
    pub failed: Vec<String>,
}

impl HostedApp {
    /// What a role of the HTTP interface gets for this question, as JSON.
    pub(super) async fn ask(&self, role: &str, sql: &str) -> Read<Value> {
        let failed = |e: sqlx::Error| format!("as {role}: {e}: {sql}");
        let mut transaction = self.gateway.begin().await.map_err(failed)?;
        let begin = format!(
            "set local role {role};
             select set_config('request.jwt.claims', '{{\"role\": \"{role}\"}}', true)"
        );
        sqlx::raw_sql(AssertSqlSafe(begin)).execute(&mut *transaction).await.map_err(failed)?;
        let sql = format!("select coalesce(jsonb_agg(to_jsonb(t)), '[]') from ({sql}) t");
        let row = sqlx::query(AssertSqlSafe(sql)).fetch_one(&mut *transaction).await;
        Ok(row.map_err(failed)?.get(0))
    }

    /// As `ask`, decoded.
    async fn read<T: DeserializeOwned>(&self, role: &str, sql: &str, key: &str) -> Read<Vec<T>> {
        let rows = self.ask(role, sql).await?;
        let rows = rows.as_array().cloned().unwrap_or_default();
        rows.into_iter().map(|row| decode(row[key].clone(), sql)).collect()
    }

    /// The card of a movie, as the app fetches one.
    pub async fn card(&self, tmdb_id: i64) -> Read<CachedCard> {
        let sql = format!(
            "select c.payload, c.etag
             from works w
             join work_cards_cache c using (work_id)
             where w.tmdb_id = '{tmdb_id}'"
        );
        let rows = self.ask("anon", &sql).await?;
        let row = one(&rows, &sql)?;
        let etag = row["etag"].as_str().ok_or_else(|| format!("{tmdb_id} has no etag"))?;
        let payload = row["payload"].clone();
        Ok(CachedCard { card: decode(payload.clone(), &sql)?, payload, etag: etag.to_owned() })
    }

    /// A watch list: every card decodes, or the list is empty.
    pub async fn watch_list(&self, tmdb_ids: &[i64]) -> Read<Vec<Card>> {
        let ids: Vec<String> = tmdb_ids.iter().map(|id| format!("'{id}'")).collect();
        let sql = format!(
            "select c.work_id, c.payload
             from work_cards_cache c
             join works w using (work_id)
             where w.tmdb_id in ({})",
            ids.join(", ")
        );
        self.read("authenticated", &sql, "payload").await
    }

    /// Titles of the movies of a director, out of five hundred cards.
    pub async fn movies_by_director(&self, name: &str) -> Read<Vec<String>> {
        let cards = self.five_hundred_cards().await?;
        let by = |card: &Card| card.director.as_ref().is_some_and(|d| d.contains(name));
        Ok(cards.into_iter().filter(by).map(|card| card.title).collect())
    }

    /// Titles of the movies with somebody, out of five hundred cards.
    pub async fn movies_with_actor(&self, name: &str) -> Read<Vec<String>> {
        let cards = self.five_hundred_cards().await?;
        let with = |card: &Card| {
            card.cast.as_ref().is_some_and(|cast| cast.iter().any(|c| c.name.contains(name)))
        };
        Ok(cards.into_iter().filter(with).map(|card| card.title).collect())
    }

    async fn five_hundred_cards(&self) -> Read<Vec<Card>> {
        let sql = "select work_id, payload from work_cards_cache limit 500";
        self.read("authenticated", sql, "payload").await
    }

    /// Who made a movie.
    pub async fn crew(&self, tmdb_id: i64) -> Read<Vec<CrewMember>> {
        let meta = self.details_row(tmdb_id).await?;
        let crew: Option<Vec<CrewMember>> = decode(meta["crew_members"].clone(), "crew_members")?;
        Ok(crew.unwrap_or_default())
    }

    /// What the app looks up before it shows a card.
    pub async fn card_details(&self, tmdb_id: i64) -> Read<CardDetails> {
        let meta = self.details_row(tmdb_id).await?;
        let version = meta["schema_version"].as_i64();
        Ok(CardDetails {
            schema_version: version.ok_or_else(|| format!("{tmdb_id} has no schema_version"))?,
            trailers: decode(meta["trailers"].clone(), "trailers")?,
        })
    }

    /// The movie's row of details.
    pub async fn details_row(&self, tmdb_id: i64) -> Read<Value> {
        let sql = format!(
            "select m.*
             from works_meta m
             join works w using (work_id)
             where w.tmdb_id = '{tmdb_id}'"
        );
        let rows = self.ask("anon", &sql).await?;
        one(&rows, &sql).cloned()
    }

    /// What a row of similar movies shows of this one.
    pub async fn similar_movie(&self, tmdb_id: i64) -> Read<SimilarMovie> {
        let sql = format!(
            "select m.poster_url_medium, a.ai_score
             from works w
             join works_meta m using (work_id)
             join aggregates a on a.work_id = w.work_id and a.method_version = 'v1_2025_11'
             where w.tmdb_id = '{tmdb_id}'
               and w.ingestion_status = 'complete'"
        );
        let rows = self.ask("anon", &sql).await?;
        let row = one(&rows, &sql)?;
        let score = row["ai_score"].as_f64();
        Ok(SimilarMovie {
            poster_url: decode(row["poster_url_medium"].clone(), &sql)?,
            ai_score: score.ok_or_else(|| format!("{tmdb_id} has no score"))?,
        })
    }

    /// Whether the movie is stale, asked by the parameter's name; nothing where it was never read.
    pub async fn is_stale(&self, tmdb_id: i64) -> Read<Option<bool>> {
        let sql = format!(
            "select is_stale(work_id_input => work_id) as stale
             from works
             where tmdb_id = '{tmdb_id}'"
        );
        let rows = self.ask("service_role", &sql).await?;
        decode(one(&rows, &sql)?["stale"].clone(), &sql)
    }

    /// TMDB ids of stale movies, asked by the parameter's name; the columns have the app's names.
    pub async fn stale_movies(&self, limit: i64) -> Read<Vec<String>> {
        let sql = format!(
            "select work_id, tmdb_id, title, last_refreshed_at
             from get_stale_movies(limit_count => {limit})"
        );
        self.read("service_role", &sql, "tmdb_id").await
    }

    /// The dashboard's list of calls that mention this.
    pub async fn calls_about(&self, words: &str) -> Read<usize> {
        let sql = format!(
            "select id, created_at, endpoint, method, http_status, query_params, request_body,
                 response_size_bytes, response_time_ms, results_count, edge_function, user_query,
                 tmdb_id, voice_event_id, error_message, retry_count, metadata
             from tmdb_api_logs
             where user_query ilike '%{words}%'
                or endpoint ilike '%{words}%'
                or edge_function ilike '%{words}%'
             order by created_at desc
             limit 1000"
        );
        Ok(self.ask("anon", &sql).await?.as_array().map_or(0, Vec::len))
    }

    /// The dashboard's list of runs, the newest first.
    pub async fn ingestion_runs(&self) -> Read<Vec<IngestionRun>> {
        let sql = "select * from scheduled_ingestion_log order by created_at desc limit 50";
        let rows = self.ask("anon", sql).await?;
        let rows = rows.as_array().cloned().unwrap_or_default();
        rows.into_iter().map(run_of).collect()
    }

    /// The dashboard's numbers of the catalogue.
    pub async fn statistics(&self) -> Read<Value> {
        let cards = "select get_movie_database_stats() as statistics";
        let works = "select get_tmdb_stats() as statistics";
        let of_works = self.ask("anon", works).await?;
        let of_cards = self.ask("anon", cards).await?;
        Ok(serde_json::json!({
            "cards": one(&of_cards, cards)?["statistics"],
            "works": one(&of_works, works)?["statistics"],
        }))
    }

    /// Asks everything that the app asks about these movies; panics with all that it would not
    /// stand.
    pub async fn readers_pass(&self, when: &str, tmdb_ids: &[i64]) {
        let mut findings = Vec::new();
        let mut note = |what: String, read: Read<()>| {
            findings.extend(read.err().map(|why| format!("{what}: {why}")));
        };
        for id in tmdb_ids {
            note(format!("card of {id}"), self.card(*id).await.and_then(|c| is_whole(&c)));
            note(format!("crew of {id}"), self.crew(*id).await.map(drop));
            let details = self.card_details(*id).await;
            note(format!("details of {id}"), details.and_then(|d| is_current(&d)));
            note(format!("{id} as a similar movie"), self.similar_movie(*id).await.map(drop));
            note(format!("is_stale of {id}"), self.is_stale(*id).await.map(drop));
        }
        note("watch list".to_owned(), self.watch_list(tmdb_ids).await.map(drop));
        note("search by actor".to_owned(), self.movies_with_actor("Actor").await.map(drop));
        note("runs".to_owned(), self.ingestion_runs().await.and_then(some));
        note("calls".to_owned(), self.calls_about("apes").await.map(drop));
        note("statistics".to_owned(), self.statistics().await.map(drop));
        assert!(findings.is_empty(), "{when}:\n  {}", findings.join("\n  "));
    }
}

/// A card without a certification, or of another movie, has the app ask TMDB itself.
fn is_whole(cached: &CachedCard) -> Read<()> {
    let certification = cached.card.certification.as_deref().unwrap_or_default();
    if certification.is_empty() { Err("no certification".to_owned()) } else { Ok(()) }
}

/// The app's own version of the details: below it the app asks TMDB itself.
fn is_current(details: &CardDetails) -> Read<()> {
    let version = details.schema_version;
    if version < 4 { Err(format!("schema_version {version}")) } else { Ok(()) }
}

fn some<T>(found: Vec<T>) -> Read<()> {
    if found.is_empty() { Err("none".to_owned()) } else { Ok(()) }
}

fn run_of(row: Value) -> Read<IngestionRun> {
    let failed = |key: &str| format!("{key} of {row}");
    let text = |key: &str| row[key].as_str().map(ToOwned::to_owned).ok_or_else(|| failed(key));
    let titles = |key: &str| {
        let titles: Option<Vec<String>> = decode(row[key].clone(), key)?;
        Ok::<_, String>(titles.unwrap_or_default())
    };
    for key in ["movies_checked", "movies_skipped", "movies_ingested", "movies_failed"] {
        row[key].as_i64().ok_or_else(|| failed(key))?;
    }
    let trigger = text("trigger_type")?;
    if !["scheduled", "manual"].contains(&trigger.as_str()) {
        return Err(failed("trigger_type"));
    }
    Ok(IngestionRun {
        source: text("source")?,
        trigger,
        ingested: titles("ingested_titles")?,
        failed: titles("failed_titles")?,
    })
}

fn decode<T: DeserializeOwned>(value: Value, what: &str) -> Read<T> {
    let shown = value.to_string();
    let shown: String = shown.chars().take(300).collect();
    serde_json::from_value(value).map_err(|e| format!("{e} in {shown} ({what})"))
}

fn one<'a>(rows: &'a Value, sql: &str) -> Read<&'a Value> {
    match rows.as_array().map(Vec::as_slice) {
        Some([row]) => Ok(row),
        Some(rows) => Err(format!("{} rows in place of one: {sql}", rows.len())),
        None => Err(format!("no rows: {sql}")),
    }
}
