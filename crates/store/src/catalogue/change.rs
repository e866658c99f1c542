//! Compares a fetched movie with what is stored. Pure: no database.

use std::collections::BTreeMap;

use catalogue::{Movie, diff};
use delivery::{MessageRef, Outcome};
use proto::{FieldChange, RefreshOutcome, RunId};
use serde_json::Value;
use time::OffsetDateTime;

/// A fetched movie with the message that asked for it.
#[derive(Debug, Clone)]
pub struct Save {
    /// The message whose inbox row is written with it.
    pub message: MessageRef,
    pub movie: Movie,
    /// When TMDB was asked.
    pub fetched_at: OffsetDateTime,
    /// Why it was asked for; a word for people.
    pub cause: String,
    /// The run that it is an item of.
    pub run_id: Option<RunId>,
}

/// What became of a fetched movie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Saved {
    Stored(RefreshOutcome),
    /// The message was handled before.
    Duplicate,
    /// The catalogue holds a newer answer.
    Superseded,
}

impl From<Saved> for Outcome {
    fn from(saved: Saved) -> Self {
        match saved {
            Saved::Stored(_) => Self::Done,
            Saved::Duplicate => Self::Skipped("the message was handled before"),
            Saved::Superseded => Self::Skipped("the catalogue holds a newer answer"),
        }
    }
}

/// What the catalogue knows of a movie before the save.
#[derive(Debug, Clone)]
pub(crate) struct KnownMovie {
    pub(crate) work_id: i64,
    /// 0: it was never stored.
    pub(crate) revision: i64,
    pub(crate) hash: Option<Vec<u8>>,
    pub(crate) fetched_at: Option<OffsetDateTime>,
    pub(crate) card_etag: Option<String>,
    /// Its detail row is there, with its document.
    pub(crate) has_details: bool,
}

impl KnownMovie {
    pub(crate) fn is_older_than(&self, save: &Save) -> bool {
        self.fetched_at.is_none_or(|at| at < save.fetched_at)
    }

    /// Whether the stored document is needed to compare: the hash differs, or the answer lacks a
    /// part that the document has.
    pub(crate) fn needs_document(&self, save: &Save) -> bool {
        let is_same = || self.hash.as_deref() == Some(&save.movie.content_hash());
        self.revision > 0 && (save.movie.is_incomplete() || !is_same())
    }
}

/// What a save changes.
pub(crate) struct Change<'a> {
    pub(crate) save: &'a Save,
    /// The fetched movie, with the parts that the answer lacked as they are stored.
    pub(crate) movie: Movie,
    pub(crate) work_id: i64,
    pub(crate) revision: i64,
    pub(crate) hash: Vec<u8>,
    pub(crate) outcome: RefreshOutcome,
    pub(crate) diff: BTreeMap<String, FieldChange>,
    pub(crate) old_etag: Option<String>,
    /// The detail rows are written: the movie changed, or somebody removed them.
    pub(crate) writes_details: bool,
}

/// Compares the answer with what is known and, where it was needed, with the stored document.
pub(crate) fn compare<'a>(
    save: &'a Save,
    known: &KnownMovie,
    document: Option<&Movie>,
) -> Change<'a> {
    let mut movie = save.movie.clone();
    if let Some(stored) = document {
        movie.keep_missing(stored);
    }
    if let Some(Value::Object(extras)) = &mut movie.extras {
        extras.remove("missing_parts");
    }
    let hash = movie.content_hash();
    let outcome = if known.revision == 0 {
        RefreshOutcome::Created
    } else if known.hash.as_deref() == Some(&hash) {
        RefreshOutcome::Unchanged
    } else {
        RefreshOutcome::Updated
    };
    let is_changed = outcome != RefreshOutcome::Unchanged;
    let stored = document.filter(|_| is_changed);
    Change {
        save,
        diff: stored.map(|stored| diff(stored, &movie)).unwrap_or_default(),
        movie,
        work_id: known.work_id,
        revision: known.revision + i64::from(is_changed),
        hash,
        outcome,
        old_etag: known.card_etag.clone(),
        writes_details: is_changed || !known.has_details || known.card_etag.is_none(),
    }
}

#[cfg(test)]
mod tests {
    use proto::MessageKey;
    use serde_json::json;
    use time::macros::datetime;

    use super::*;

    fn movie(fields: &Value) -> Movie {
        let mut whole = json!({
            "tmdb_id": 603,
            "title": "The Matrix",
            "rating": { "vote_average": 8.2, "vote_count": 5 },
            "popularity": 1.0,
        });
        for (name, value) in fields.as_object().unwrap() {
            whole[name] = value.clone();
        }
        serde_json::from_value(whole).unwrap()
    }

    fn save(movie: Movie) -> Save {
        Save {
            message: MessageRef { consumer: "refresh-now", key: MessageKey::new("key") },
            movie,
            fetched_at: datetime!(2026-11-24 11:00 UTC),
            cause: "test".to_owned(),
            run_id: None,
        }
    }

    fn known(stored: &Movie) -> KnownMovie {
        KnownMovie {
            work_id: 1,
            revision: 4,
            hash: Some(stored.content_hash()),
            fetched_at: Some(datetime!(2026-11-24 10:00 UTC)),
            card_etag: Some("etag".to_owned()),
            has_details: true,
        }
    }

    #[test]
    fn an_answer_is_created_updated_or_unchanged() {
        let stored = movie(&json!({ "tagline": "old" }));
        let never = KnownMovie { revision: 0, hash: None, ..known(&stored) };
        let bare = KnownMovie { has_details: false, ..known(&stored) };
        let without_card = KnownMovie { card_etag: None, ..known(&stored) };
        let same = json!({ "tagline": "old" });
        let more_votes = json!({ "tagline": "old", "popularity": 9.0 });
        let other = json!({ "tagline": "new" });
        use RefreshOutcome::{Created, Unchanged, Updated};
        for (known, answer, outcome, revision, writes_details) in [
            (&never, &same, Created, 1, true),
            (&known(&stored), &same, Unchanged, 4, false),
            (&known(&stored), &more_votes, Unchanged, 4, false),
            (&known(&stored), &other, Updated, 5, true),
            (&bare, &same, Unchanged, 4, true),
            (&without_card, &same, Unchanged, 4, true),
        ] {
            let save = save(movie(answer));
            let document = known.needs_document(&save).then_some(&stored);
            let change = compare(&save, known, document);
            let got = (change.outcome, change.revision, change.writes_details);
            assert_eq!(got, (outcome, revision, writes_details), "{known:?} and {answer}");
            let diffs = outcome == Updated;
            assert_eq!(change.diff.contains_key("tagline"), diffs, "{:?}", change.diff);
        }
    }

    #[test]
    fn a_part_that_the_answer_lacks_stays_as_it_is_stored() {
        let stored = movie(&json!({ "genres": ["Action"] }));
        let save = save(movie(&json!({})));
        assert!(known(&stored).needs_document(&save));
        let change = compare(&save, &known(&stored), Some(&stored));
        assert_eq!(change.movie.genres, Some(vec!["Action".to_owned()]));
        assert_eq!(change.outcome, RefreshOutcome::Unchanged);
    }

    #[test]
    fn only_an_older_answer_is_replaced() {
        let stored = movie(&json!({}));
        let save = save(stored.clone());
        assert!(known(&stored).is_older_than(&save));
        let same_time = KnownMovie { fetched_at: Some(save.fetched_at), ..known(&stored) };
        assert!(!same_time.is_older_than(&save));
    }
}
