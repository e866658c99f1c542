//! Stored answers, and what becomes of them when they are mapped again.

use serde_json::Value;

use super::{Any, Lock};
use crate::database::Database;

impl Database {
    /// As many looks later: more people have voted than when the stored answers came.
    pub async fn let_votes_grow(&self) {
        self.execute("update rating_sources set votes_count = votes_count + 1000").await;
    }

    /// Another version of the mapping mapped these movies last.
    pub async fn map_with_another_version(&self, ids: &[i64]) {
        let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
        let ids = ids.join(", ");
        let sql = format!("update title set mapping_version = 0 where tmdb_id in ({ids})");
        self.execute(&sql).await;
    }

    /// Titles whose rows this version did not map.
    pub fn mapped_with_another_version(&self) -> Rows<'_> {
        self.rows("title").and("mapping_version = 0")
    }

    /// The stored answer of a movie is destroyed.
    pub async fn destroy_document(&self, id: i64) {
        self.execute(&format!(
            "update document
             set body = 'no gzip'
             where work_id = (select work_id from title where tmdb_id = {id})"
        ))
        .await;
    }

    /// Numbers of the movies, in the order in which they came in.
    pub async fn ids_in_order(&self) -> Vec<i64> {
        self.values("select tmdb_id::bigint from title where tmdb_id is not null order by work_id")
            .await
    }

    /// When each movie was read, is due, and was read for the app and its details; and where a
    /// refresh says so, too.
    pub async fn times_of_reading(&self) -> Vec<Value> {
        self.values(
            "select jsonb_build_array(
                 t.tmdb_id, t.fetched_at, t.due_at, t.band, w.last_refreshed_at, m.fetched_at,
                 w.ingestion_status, s.last_seen_at
             )
             from title t
             join works w using (work_id)
             join works_meta m using (work_id)
             join rating_sources s using (work_id)
             order by t.tmdb_id",
        )
        .await
    }

    /// Everything that a mapping writes, with the versions of the rows.
    pub async fn mapped_rows(&self) -> Vec<Value> {
        self.values(
            "select jsonb_build_array(
                 t.tmdb_id, t.xmin::text, w.xmin::text, m.xmin::text, c.xmin::text, t.revision
             )
             from title t
             join works w using (work_id)
             join works_meta m using (work_id)
             join work_cards_cache c using (work_id)
             order by t.tmdb_id",
        )
        .await
    }

    /// The certificate of each movie.
    pub async fn certificates(&self) -> Vec<Value> {
        self.values(
            "select jsonb_build_array(w.tmdb_id, m.certification)
             from works w
             join works_meta m using (work_id)
             order by w.work_id",
        )
        .await
    }

    /// Entries of the timelines that a remap wrote, with a revision behind the first.
    pub fn remapped_in_timelines(&self) -> Rows<'_> {
        self.rows("work_event").and("cause = 'remap' and kind = 'updated' and revision = 2")
    }

    /// Somebody holds the title of this movie.
    pub async fn hold_title(&self, id: i64) -> Lock {
        self.hold(&format!("select from title where tmdb_id = {id} for update")).await
    }

    /// Movies behind the watermark of the remap that goes on.
    pub fn remapped_so_far(&self) -> Rows<'_> {
        self.rows("title")
            .and("work_id < (select next_work_id from remap where finished_at is null)")
    }
}

type Rows<'a> = crate::database::Rows<'a, Any>;
