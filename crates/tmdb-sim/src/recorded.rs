//! Answers recorded from the real catalogue, served in place of invented ones.
//!
//! Details are read when asked for; the lists are read at the start, reduced to the rows
//! whose details were recorded too.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};
use tokio::sync::OnceCell;

use crate::error::SimError;
use crate::list::List;
use crate::render::Part;

/// Parts that a recorded movie may hold besides those that the simulator can render.
const OTHER_PARTS: &[&str] =
    &["reviews", "trailers", "releases", "changes", "lists", "similar_movies"];
/// Keys of a row that the details have under the same name.
const ROW_KEYS: &[&str] = &[
    "adult",
    "backdrop_path",
    "id",
    "original_language",
    "original_title",
    "overview",
    "popularity",
    "poster_path",
    "release_date",
    "title",
    "video",
    "vote_average",
    "vote_count",
];

/// A directory of recorded answers.
#[derive(Debug)]
pub(crate) struct Recorded {
    path: PathBuf,
    ids: BTreeSet<u64>,
    lists: BTreeMap<&'static str, Vec<Map<String, Value>>>,
    by_imdb: OnceCell<BTreeMap<String, Vec<u64>>>,
}

impl Recorded {
    /// Looks through the directory.
    pub(crate) async fn open(path: &Path) -> Result<Self, SimError> {
        let names = names(&path.join("movie")).await?;
        let ids: BTreeSet<u64> =
            names.iter().filter_map(|name| name.strip_suffix(".json")?.parse().ok()).collect();
        if ids.is_empty() {
            return Err(SimError::Empty { path: path.to_owned() });
        }
        let mut recorded =
            Self { path: path.to_owned(), ids, lists: BTreeMap::new(), by_imdb: OnceCell::new() };
        for kind in ["now_playing", "popular", "top_rated", "upcoming", "trending_week"] {
            let pages = recorded.list(kind).await?;
            recorded.lists.insert(kind, pages);
        }
        Ok(recorded)
    }

    /// The greatest recorded id.
    pub(crate) fn max_id(&self) -> u64 {
        self.ids.last().copied().unwrap_or(0)
    }

    /// True where the details of this movie were recorded.
    pub(crate) fn exists(&self, id: u64) -> bool {
        self.ids.contains(&id)
    }

    /// Another recorded id.
    pub(crate) fn neighbour(&self, id: u64) -> Option<u64> {
        self.ids.range(id + 1..).next().or_else(|| self.ids.first()).copied()
    }

    /// The details of a movie with those of the wanted parts that were recorded.
    pub(crate) async fn detail(&self, id: u64, wanted: &[&str]) -> Option<Value> {
        let mut movie = self.read(id).await?;
        movie.retain(|key, _| !is_part(key) || wanted.contains(&key.as_str()));
        Some(Value::Object(movie))
    }

    /// The body of a list page.
    pub(crate) fn page(&self, list: List, page: u64) -> Value {
        let kind = match list {
            List::NowPlaying => "now_playing",
            List::Popular => "popular",
            List::TopRated => "top_rated",
            List::Upcoming => "upcoming",
            List::TrendingDay | List::TrendingWeek => "trending_week",
        };
        let pages = self.lists.get(kind).map(Vec::as_slice).unwrap_or_default();
        let rows = |page: &Map<String, Value>| {
            page.get("results").and_then(Value::as_array).map_or(0, Vec::len)
        };
        let total: usize = pages.iter().map(rows).sum();
        let position = usize::try_from(page.saturating_sub(1)).unwrap_or(usize::MAX);
        let mut body = pages.get(position).cloned().unwrap_or_default();
        body.entry("results").or_insert_with(|| json!([]));
        body.insert("page".to_owned(), json!(page));
        body.insert("total_pages".to_owned(), json!(pages.len()));
        body.insert("total_results".to_owned(), json!(total));
        Value::Object(body)
    }

    /// Every recorded id, in order.
    pub(crate) fn ids(&self) -> impl Iterator<Item = u64> {
        self.ids.iter().copied()
    }

    /// The movies with this IMDb id; the first call reads every file.
    pub(crate) async fn by_imdb(&self, imdb_id: &str) -> Vec<u64> {
        self.by_imdb.get_or_init(|| self.index()).await.get(imdb_id).cloned().unwrap_or_default()
    }

    /// The list row of a movie.
    pub(crate) async fn row(&self, id: u64) -> Option<Value> {
        self.read(id).await.map(row)
    }

    /// The IMDb id of a movie; reads its file at once, without a runtime.
    pub(crate) fn imdb_id(&self, id: u64) -> Option<String> {
        let movie: Value = serde_json::from_slice(&std::fs::read(self.file(id)).ok()?).ok()?;
        movie.get("imdb_id")?.as_str().map(str::to_owned)
    }

    async fn index(&self) -> BTreeMap<String, Vec<u64>> {
        let mut index: BTreeMap<String, Vec<u64>> = BTreeMap::new();
        for id in &self.ids {
            let movie = self.read(*id).await.unwrap_or_default();
            if let Some(imdb_id) = movie.get("imdb_id").and_then(Value::as_str) {
                index.entry(imdb_id.to_owned()).or_default().push(*id);
            }
        }
        index
    }

    async fn read(&self, id: u64) -> Option<Map<String, Value>> {
        if !self.exists(id) {
            return None;
        }
        let bytes = tokio::fs::read(self.file(id)).await.ok()?;
        serde_json::from_slice(&bytes).ok()
    }

    fn file(&self, id: u64) -> PathBuf {
        self.path.join(format!("movie/{id}.json"))
    }

    async fn list(&self, kind: &str) -> Result<Vec<Map<String, Value>>, SimError> {
        let folder = self.path.join("lists");
        let prefix = format!("{kind}-");
        let names = names(&folder).await?;
        let number =
            |name: &String| name.strip_prefix(&prefix)?.strip_suffix(".json")?.parse::<u64>().ok();
        let mut numbers: Vec<u64> = names.iter().filter_map(number).collect();
        numbers.sort_unstable();
        let mut pages = Vec::new();
        for number in numbers {
            let path = folder.join(format!("{prefix}{number}.json"));
            let bytes = tokio::fs::read(&path)
                .await
                .map_err(|source| SimError::Unreadable { path: path.clone(), source })?;
            let mut page: Map<String, Value> = serde_json::from_slice(&bytes)
                .map_err(|_| SimError::Malformed { path: path.clone() })?;
            let rows = page
                .get_mut("results")
                .and_then(Value::as_array_mut)
                .ok_or(SimError::Malformed { path })?;
            rows.retain(|row| {
                row.get("id").and_then(Value::as_u64).is_some_and(|id| self.exists(id))
            });
            pages.push(page);
        }
        Ok(pages)
    }
}

/// Whether this key of a recorded movie is a part that was appended to it.
fn is_part(key: &str) -> bool {
    Part::is_name(key) || OTHER_PARTS.contains(&key)
}

async fn names(folder: &Path) -> Result<Vec<String>, SimError> {
    let unreadable = |source| SimError::Unreadable { path: folder.to_owned(), source };
    let mut entries = tokio::fs::read_dir(folder).await.map_err(unreadable)?;
    let mut names = Vec::new();
    while let Some(entry) = entries.next_entry().await.map_err(unreadable)? {
        names.extend(entry.file_name().into_string());
    }
    Ok(names)
}

/// The list row of a recorded movie.
fn row(movie: Map<String, Value>) -> Value {
    let genres =
        movie.get("genres").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let genre_ids: Vec<Value> =
        genres.iter().filter_map(|genre| genre.get("id").cloned()).collect();
    let mut row: Map<String, Value> =
        movie.into_iter().filter(|(key, _)| ROW_KEYS.contains(&key.as_str())).collect();
    row.insert("genre_ids".to_owned(), Value::Array(genre_ids));
    row.insert("media_type".to_owned(), json!("movie"));
    Value::Object(row)
}
