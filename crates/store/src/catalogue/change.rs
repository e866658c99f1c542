//! Compares a fetched movie with what is stored. Pure: no database.

use std::collections::BTreeMap;

use catalogue::{AppRow, Movie, Score, diff};
use delivery::{MessageRef, Outcome};
use proto::{FieldChange, RefreshOutcome, RunId};
use serde_json::Value;
use time::OffsetDateTime;

/// Scores that differ by less are the same with one decimal.
const HALF_A_DECIMAL: f64 = 0.05;

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
    /// Whether a movie that is not in the catalogue is added: it was asked for by its number, and
    /// not because it was there.
    pub adds: bool,
}

/// What became of a fetched movie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Saved {
    Stored(RefreshOutcome),
    /// The message was handled before.
    Duplicate,
    /// The catalogue holds a newer answer.
    Superseded,
    /// The app deleted the movie meanwhile.
    Deleted,
}

impl From<Saved> for Outcome {
    fn from(saved: Saved) -> Self {
        match saved {
            Saved::Stored(_) => Self::Done,
            Saved::Duplicate => Self::Skipped("the message was handled before"),
            Saved::Superseded => Self::Skipped("the catalogue holds a newer answer"),
            Saved::Deleted => Self::Skipped("the app deleted the movie meanwhile"),
        }
    }
}

/// What the catalogue knows of a movie before the save.
#[derive(Debug, Clone)]
pub(crate) struct KnownMovie {
    pub(crate) work_id: i64,
    /// 0: it was never stored.
    pub(crate) revision: i64,
    pub(crate) fingerprint: Option<Vec<u8>>,
    pub(crate) fetched_at: Option<OffsetDateTime>,
    pub(crate) card_etag: Option<String>,
    /// The score on its card, 0 to 100.
    pub(crate) score: Option<f32>,
    /// The movie as it was compared last is there.
    pub(crate) has_document: bool,
    /// Its row in works_meta is there.
    pub(crate) has_details: bool,
}

/// What the catalogue holds of a movie: the old side of a comparison.
#[derive(Debug, Clone, Default)]
pub(crate) struct StoredMovie {
    /// The movie as it was compared last.
    pub(crate) document: Option<Movie>,
    /// Its rows in the app's tables, with the values that only the app makes.
    pub(crate) row: AppRow,
}

impl KnownMovie {
    pub(crate) fn is_older_than(&self, save: &Save) -> bool {
        self.fetched_at.is_none_or(|at| at < save.fetched_at)
    }

    /// Whether what is stored is needed to compare and to write: the movie is there, and the hash
    /// differs, the answer lacks a part, the score moved, or a row was never ours or is gone.
    pub(crate) fn needs_stored(&self, save: &Save) -> bool {
        let has_rows = self.has_document || self.has_details || self.card_etag.is_some();
        let is_same = || {
            self.is_whole()
                && !save.movie.is_incomplete()
                && !self.score_moved(save)
                && self.fingerprint.as_deref() == Some(&save.movie.content_hash())
        };
        has_rows && !is_same()
    }

    fn is_whole(&self) -> bool {
        self.has_document && self.has_details && self.card_etag.is_some()
    }

    /// Whether a person would see another score on the card, which has one decimal.
    fn score_moved(&self, save: &Save) -> bool {
        let new = Score::of(&save.movie.rating).value;
        self.score.is_none_or(|old| (f64::from(old) - new).abs() > HALF_A_DECIMAL)
    }
}

/// What a save changes.
pub(crate) struct Change<'a> {
    pub(crate) save: &'a Save,
    /// The fetched movie, with the parts that the answer lacked as they are stored.
    pub(crate) movie: Movie,
    pub(crate) work_id: i64,
    pub(crate) revision: i64,
    pub(crate) fingerprint: Vec<u8>,
    pub(crate) outcome: RefreshOutcome,
    pub(crate) diff: BTreeMap<String, FieldChange>,
    /// The rows in the app's tables before it.
    pub(crate) row: AppRow,
    pub(crate) old_etag: Option<String>,
    /// The detail rows are written: the movie changed, or somebody removed them.
    pub(crate) writes_details: bool,
    /// The card is written: as the details, and where its score moved.
    pub(crate) writes_card: bool,
}

/// Compares the answer with what is known and, where it was needed, with what is stored.
pub(crate) fn compare<'a>(
    save: &'a Save,
    known: &KnownMovie,
    stored: Option<StoredMovie>,
) -> Change<'a> {
    let StoredMovie { document, row } = stored.unwrap_or_default();
    let mut movie = save.movie.clone();
    // An adopted movie has no document: its rows tell what an odd answer may not erase.
    if let Some(old) = document.as_ref().or(row.movie(&movie).as_ref()) {
        movie.keep_missing(old);
    }
    if let Some(Value::Object(extras)) = &mut movie.extras {
        extras.remove("missing_parts");
    }
    let fingerprint = movie.content_hash();
    let outcome = if known.revision == 0 {
        RefreshOutcome::Created
    } else if known.fingerprint.as_deref() == Some(&fingerprint) {
        RefreshOutcome::Unchanged
    } else {
        RefreshOutcome::Updated
    };
    let is_changed = outcome != RefreshOutcome::Unchanged;
    let writes_details = is_changed || !known.is_whole();
    Change {
        save,
        diff: document.filter(|_| is_changed).map(|old| diff(&old, &movie)).unwrap_or_default(),
        movie,
        work_id: known.work_id,
        revision: known.revision + i64::from(is_changed),
        fingerprint,
        outcome,
        row,
        old_etag: known.card_etag.clone(),
        writes_details,
        writes_card: writes_details || known.score_moved(save),
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
            adds: true,
        }
    }

    fn known(stored: &Movie) -> KnownMovie {
        KnownMovie {
            work_id: 1,
            revision: 4,
            fingerprint: Some(stored.content_hash()),
            fetched_at: Some(datetime!(2026-11-24 10:00 UTC)),
            card_etag: Some("etag".to_owned()),
            score: Some(82.0),
            has_document: true,
            has_details: true,
        }
    }

    fn held(movie: &Movie) -> StoredMovie {
        StoredMovie { document: Some(movie.clone()), row: AppRow::default() }
    }

    #[test]
    fn an_answer_is_created_updated_or_unchanged() {
        let stored = movie(&json!({ "tagline": "old" }));
        let never = KnownMovie { revision: 0, fingerprint: None, ..known(&stored) };
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
            let change = compare(&save, known, known.needs_stored(&save).then(|| held(&stored)));
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
        assert!(known(&stored).needs_stored(&save));
        let change = compare(&save, &known(&stored), Some(held(&stored)));
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

    #[test]
    fn a_score_that_moved_writes_the_card_and_nothing_else() {
        let stored = movie(&json!({ "genres": [], "extras": {} }));
        for (score, writes_card) in [(82.0, false), (82.04, false), (81.9, true)] {
            let save = save(stored.clone());
            let known = KnownMovie { score: Some(score), ..known(&stored) };
            assert_eq!(known.needs_stored(&save), writes_card, "{score}");
            let change = compare(&save, &known, Some(held(&stored)));
            let got = (change.outcome, change.writes_details, change.writes_card);
            assert_eq!(got, (RefreshOutcome::Unchanged, false, writes_card), "{score}");
        }
    }

    #[test]
    fn an_adopted_row_keeps_what_an_answer_lacks() {
        let cast = json!([{"person_id": "6384", "name": "Keanu Reeves", "order": 0}]);
        let row = json!({ "cast_members": cast, "certification": "R" });
        let known = KnownMovie {
            revision: 0,
            fingerprint: None,
            has_document: false,
            ..known(&movie(&json!({})))
        };
        let save = save(movie(&json!({ "extras": { "missing_parts": ["credits"] } })));
        assert!(known.needs_stored(&save));
        let stored = StoredMovie { document: None, row: AppRow::read(Some(&row), None) };
        let change = compare(&save, &known, Some(stored));
        assert_eq!(change.movie.certification.as_deref(), Some("R"));
        assert!(change.movie.cast_members.unwrap().to_string().contains("Keanu Reeves"));
        assert_eq!((change.outcome, change.diff.len()), (RefreshOutcome::Created, 0));
    }
}
