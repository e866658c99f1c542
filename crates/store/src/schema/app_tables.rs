//! What we read and write in the app's tables: the columns, the unique keys, the rights.
//!
//! A database that has these tables keeps them as they are, so they are checked before anything is
//! done. A test holds the list against `migrations/0001` and `0002`, which make the same tables.

/// What a column has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// We read it or compare with it: this type, or a text type where text is named.
    Is(&'static str),
    /// We only write it: any type that takes a value of this one.
    Takes(&'static str),
    /// We write literals: text, or an enum that has them.
    Word,
}

/// A column that we read or write.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AppColumn {
    pub(crate) name: &'static str,
    pub(crate) need: Need,
}

/// Whether work waits for a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    Catalogue,
    /// Nothing waits for it: what cannot be written there is noted, and that is all.
    Bookkeeping,
}

/// A table of the app.
#[derive(Debug)]
pub(crate) struct AppTable {
    pub(crate) name: &'static str,
    pub(crate) purpose: Purpose,
    /// What we do with it: select, insert, update, delete.
    pub(crate) privileges: &'static [&'static str],
    /// Columns of the unique key that our writes need.
    pub(crate) key: &'static [&'static str],
    pub(crate) columns: &'static [AppColumn],
}

impl AppTable {
    pub(crate) fn named(name: &str) -> Option<&'static Self> {
        APP_TABLES.iter().find(|table| table.name == name)
    }

    pub(crate) fn is_bookkeeping(&self) -> bool {
        self.purpose == Purpose::Bookkeeping
    }
}

/// The names of all of them.
pub(crate) fn names() -> Vec<String> {
    APP_TABLES.iter().map(|table| table.name.to_owned()).collect()
}

const fn is(name: &'static str, of: &'static str) -> AppColumn {
    AppColumn { name, need: Need::Is(of) }
}

const fn takes(name: &'static str, of: &'static str) -> AppColumn {
    AppColumn { name, need: Need::Takes(of) }
}

const fn word(name: &'static str) -> AppColumn {
    AppColumn { name, need: Need::Word }
}

const WRITTEN: &[&str] = &["select", "insert", "update"];
const REPLACED: &[&str] = &["select", "insert", "update", "delete"];

pub(crate) static APP_TABLES: [AppTable; 10] = [
    AppTable {
        name: "works",
        purpose: Purpose::Catalogue,
        privileges: WRITTEN,
        key: &["work_id"],
        columns: &[
            is("work_id", "bigint"),
            is("tmdb_id", "text"),
            is("imdb_id", "text"),
            is("title", "text"),
            takes("original_title", "text"),
            takes("year", "integer"),
            is("release_date", "date"),
            is("last_refreshed_at", "timestamptz"),
            word("ingestion_status"),
            takes("updated_at", "timestamptz"),
        ],
    },
    AppTable {
        name: "works_meta",
        purpose: Purpose::Catalogue,
        privileges: WRITTEN,
        key: &["work_id"],
        columns: &[
            takes("work_id", "bigint"),
            takes("runtime_minutes", "integer"),
            takes("runtime_display", "text"),
            takes("tagline", "text"),
            takes("overview", "text"),
            takes("overview_short", "text"),
            takes("genres", "text[]"),
            takes("certification", "text"),
            takes("poster_url_small", "text"),
            takes("poster_url_medium", "text"),
            takes("poster_url_large", "text"),
            takes("poster_url_original", "text"),
            takes("backdrop_url", "text"),
            takes("backdrop_url_mobile", "text"),
            takes("trailer_youtube_id", "text"),
            takes("trailer_thumbnail", "text"),
            takes("cast_members", "jsonb"),
            takes("crew_members", "jsonb"),
            takes("keywords", "text[]"),
            takes("streaming", "jsonb"),
            takes("original_language", "text"),
            takes("spoken_languages", "text[]"),
            takes("production_companies", "jsonb"),
            takes("production_countries", "text[]"),
            takes("budget", "bigint"),
            takes("revenue_worldwide", "bigint"),
            takes("collection", "jsonb"),
            takes("still_images", "jsonb"),
            takes("trailers", "jsonb"),
            takes("schema_version", "integer"),
            takes("fetched_at", "timestamptz"),
            takes("updated_at", "timestamptz"),
        ],
    },
    AppTable {
        name: "rating_sources",
        purpose: Purpose::Catalogue,
        privileges: WRITTEN,
        key: &["work_id", "source_name"],
        columns: &[
            takes("work_id", "bigint"),
            takes("source_name", "text"),
            takes("scale_type", "text"),
            takes("value_raw", "double precision"),
            takes("value_0_100", "double precision"),
            takes("votes_count", "bigint"),
            takes("last_seen_at", "timestamptz"),
        ],
    },
    AppTable {
        name: "aggregates",
        purpose: Purpose::Catalogue,
        privileges: WRITTEN,
        key: &["work_id", "method_version"],
        columns: &[
            takes("work_id", "bigint"),
            is("method_version", "text"),
            takes("n_audience", "integer"),
            takes("audience_score", "double precision"),
            is("ai_score", "real"),
            takes("ai_score_low", "double precision"),
            takes("ai_score_high", "double precision"),
            is("source_scores", "jsonb"),
            takes("computed_at", "timestamptz"),
        ],
    },
    AppTable {
        name: "similar_movies",
        purpose: Purpose::Catalogue,
        privileges: REPLACED,
        key: &["work_id", "similar_tmdb_id", "source"],
        columns: &[
            takes("work_id", "bigint"),
            is("similar_tmdb_id", "text"),
            is("source", "text"),
            takes("rank_order", "integer"),
            takes("confidence", "double precision"),
        ],
    },
    AppTable {
        name: "work_cards_cache",
        purpose: Purpose::Catalogue,
        privileges: WRITTEN,
        key: &["work_id"],
        columns: &[
            takes("work_id", "bigint"),
            is("payload", "jsonb"),
            takes("payload_short", "jsonb"),
            is("etag", "text"),
            takes("computed_at", "timestamptz"),
        ],
    },
    AppTable {
        name: "refresh_queue",
        purpose: Purpose::Bookkeeping,
        privileges: WRITTEN,
        key: &[],
        columns: &[
            takes("work_id", "bigint"),
            takes("priority", "integer"),
            is("status", "text"),
            is("queued_at", "timestamptz"),
            takes("processed_at", "timestamptz"),
            takes("retry_count", "integer"),
            takes("last_error", "text"),
        ],
    },
    AppTable {
        name: "sync_state",
        purpose: Purpose::Bookkeeping,
        privileges: WRITTEN,
        key: &[],
        columns: &[
            is("sync_type", "text"),
            takes("last_sync_at", "timestamptz"),
            takes("updated_at", "timestamptz"),
        ],
    },
    // Rows of these two are written in the type of each column, into columns that there are.
    AppTable {
        name: "scheduled_ingestion_log",
        purpose: Purpose::Bookkeeping,
        privileges: &["insert"],
        key: &[],
        columns: &[takes("source", "text")],
    },
    AppTable {
        name: "tmdb_api_logs",
        purpose: Purpose::Bookkeeping,
        privileges: &["select", "insert", "delete"],
        key: &[],
        columns: &[takes("endpoint", "text")],
    },
];
