//! The short cards of the whole catalogue, page by page: where a subscriber of the events begins.

use proto::{ShortCard, TmdbId};
use serde_json::Value;

use crate::{
    Store, StoreError,
    db::{
        deadline::{SHORT, within},
        row::Row,
    },
};

/// A movie that the catalogue holds, as its latest `movies.changed` said.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct CardRow {
    /// That of the latest event that is said here.
    pub revision: i64,
    pub card: ShortCard,
}

impl Store {
    /// At most `limit` cards of movies whose `work_id` is above `after`, in its order. Left out are
    /// movies that were never read, and tombstones.
    ///
    /// # Errors
    /// When the database does not answer, or a row cannot be read.
    pub async fn cards(&self, after: i64, limit: i64) -> Result<Vec<CardRow>, StoreError> {
        let rows = sqlx::query!(
            r#"
            select
                t.work_id,
                t.tmdb_id::bigint as "tmdb_id!",
                t.revision,
                c.payload_short as "short!"
            from title t
            join work_cards_cache c using (work_id)
            where t.work_id > $1
                and t.tmdb_id is not null
                and t.revision > 0
                and t.removed_at is null
                and c.payload_short is not null
            order by t.work_id
            limit $2
            "#,
            after,
            limit
        );
        let rows = within(SHORT, async { Ok(rows.fetch_all(&self.pool).await?) }).await?;
        rows.into_iter()
            .map(|row| {
                let tmdb_id = TmdbId::try_from(row.tmdb_id)
                    .map_err(|e| Row::of("title", &row.work_id).unreadable("tmdb_id", &e))?;
                let card = short_card(row.work_id, tmdb_id, &row.short);
                Ok(CardRow { revision: row.revision, card })
            })
            .collect()
    }
}

fn short_card(work_id: i64, tmdb_id: TmdbId, short: &Value) -> ShortCard {
    let card = ShortCard::read(tmdb_id, short);
    // The app may have written the card: the key is the row's.
    ShortCard { work_id, ..card }
}
