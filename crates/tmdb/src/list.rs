//! Lists of movies and their pages, and the movies that an external id leads to.

use proto::TmdbId;
use serde_json::Value;

use crate::{error::TmdbError, json};

/// Pages above are refused by TMDB, whatever `total_pages` says.
pub const MAX_PAGE: u32 = 500;

/// A list of movies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum List {
    /// In cinemas now.
    NowPlaying,
    /// By popularity.
    Popular,
    /// By rating.
    TopRated,
    /// In cinemas soon.
    Upcoming,
    /// Trending this week.
    TrendingWeek,
}

impl List {
    pub(crate) const fn path(self) -> &'static str {
        match self {
            Self::NowPlaying => "/movie/now_playing",
            Self::Popular => "/movie/popular",
            Self::TopRated => "/movie/top_rated",
            Self::Upcoming => "/movie/upcoming",
            Self::TrendingWeek => "/trending/movie/week",
        }
    }
}

/// A page of a list.
#[derive(Debug, Clone)]
pub struct ListPage {
    /// Its number, from 1.
    pub page: u32,
    /// Pages that can be read, at most [`MAX_PAGE`].
    pub total_pages: u32,
    /// Its rows, without those for adults where they are left out.
    pub rows: Vec<ListRow>,
    /// How many rows were left out.
    pub left_out: usize,
}

/// A row of a list.
#[derive(Debug, Clone)]
pub struct ListRow {
    /// The movie.
    pub tmdb_id: TmdbId,
    /// Its title.
    pub title: String,
}

pub(crate) fn list_page(body: &str, adult: bool) -> Result<ListPage, TmdbError> {
    let body: Value = serde_json::from_str(body).map_err(unreadable)?;
    let body = json::without_nul(body);
    let results =
        json::list(&body, "results").ok_or_else(|| TmdbError::odd("the list has no results"))?;
    let is_wanted =
        |row: &&Value| adult || !(json::flag(row, "adult") || json::flag(row, "softcore"));
    let wanted: Vec<&Value> = results.iter().filter(is_wanted).collect();
    let left_out = results.len() - wanted.len();
    let rows = wanted.into_iter().filter_map(|row| {
        let title = json::text(row, "title").unwrap_or_default();
        Some(ListRow { tmdb_id: tmdb_id(row)?, title })
    });
    Ok(ListPage {
        page: pages(&body, "page"),
        total_pages: pages(&body, "total_pages").min(MAX_PAGE),
        rows: rows.collect(),
        left_out,
    })
}

/// A page of the change feed of a day.
#[derive(Debug, Clone)]
pub struct ChangesPage {
    /// Pages that can be read, at most [`MAX_PAGE`].
    pub total_pages: u32,
    /// Movies that were edited on that day; also those for adults, and those that TMDB deleted
    /// since.
    pub movies: Vec<TmdbId>,
    /// How many rows there were.
    pub rows: usize,
}

pub(crate) fn changes_page(body: &str) -> Result<ChangesPage, TmdbError> {
    let body: Value = serde_json::from_str(body).map_err(unreadable)?;
    let results =
        json::list(&body, "results").ok_or_else(|| TmdbError::odd("the feed has no results"))?;
    Ok(ChangesPage {
        total_pages: pages(&body, "total_pages").min(MAX_PAGE),
        // A row without an id, or with one that no movie can have, says nothing.
        movies: results.iter().filter_map(tmdb_id).collect(),
        rows: results.len(),
    })
}

/// A number of pages; 1 where it is absent.
fn pages(body: &Value, key: &str) -> u32 {
    json::positive(body, key).and_then(|n| u32::try_from(n).ok()).unwrap_or(1)
}

/// The movies in an answer of `/find`.
pub(crate) fn found_movies(body: &str) -> Result<Vec<TmdbId>, TmdbError> {
    let body: Value = serde_json::from_str(body).map_err(unreadable)?;
    let rows = json::list(&body, "movie_results").map(Vec::as_slice).unwrap_or_default();
    Ok(rows.iter().filter_map(tmdb_id).collect())
}

fn unreadable(error: serde_json::Error) -> TmdbError {
    TmdbError::odd(format!("the answer cannot be read: {error}"))
}

/// The id of a row; `None` where it has none, or one that no movie can have.
fn tmdb_id(row: &Value) -> Option<TmdbId> {
    TmdbId::try_from(row.get("id")?.as_i64()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_feed_is_read_as_it_comes() {
        // Movies for adults, deleted ones (null), and rows that no movie can have.
        let body = r#"{"results": [{"id": 603, "adult": false}, {"id": 5, "adult": true},
            {"id": 7, "adult": null}, {"id": null, "adult": null}, {"id": 0}, {}],
            "page": 1, "total_pages": 118, "total_results": 11785}"#;
        let page = changes_page(body).unwrap();
        let ids: Vec<i64> = page.movies.iter().map(|id| id.get()).collect();
        assert_eq!((ids, page.rows, page.total_pages), (vec![603, 5, 7], 6, 118));
        // Years with everything on one page named no pages.
        assert_eq!(changes_page(r#"{"results": []}"#).unwrap().total_pages, 1);
        for no_page in ["{}", "null", r#"{"changes": []}"#, "<html>"] {
            assert!(changes_page(no_page).is_err(), "{no_page}");
        }
    }
}
