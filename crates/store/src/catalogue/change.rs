//! Compares a fetched answer with what is stored, and renders the rows that follow from it. Pure:
//! no database.

use std::{borrow::Cow, collections::BTreeMap};

use catalogue::{
    AppRow, Card, Facts, Look, MAPPING_VERSION, Movie, Rating, Rendered, Score, app::SimilarRow,
    diff_of,
};
use delivery::{MessageRef, Outcome};
use proto::{FieldChange, RefreshOutcome, RunId, ShortCard, TmdbId, TraceId};
use serde_json::Value;
use time::OffsetDateTime;

/// Scores that differ by less are the same with one decimal.
const HALF_A_DECIMAL: f64 = 0.05;
/// Averages of votes that differ by less are the same in the app's column, which has 32 bits.
const SAME_AVERAGE: f64 = 0.000_5;

/// A fetched movie with the message that asked for it.
#[derive(Debug, Clone)]
pub struct Save {
    /// The message whose inbox row is written with it.
    pub message: MessageRef,
    /// The trace that came with the message.
    pub trace: Option<TraceId>,
    pub look: Look,
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
    /// The version of the mapping that wrote its rows.
    pub(crate) mapping_version: Option<i16>,
    /// Its row in `works`.
    pub(crate) work: KnownWork,
    pub(crate) card_etag: Option<String>,
    /// The score on its card, 0 to 100.
    pub(crate) score: Option<f32>,
    /// Its row in `rating_sources`.
    pub(crate) rating: Option<Rating>,
    /// It is a tombstone.
    pub(crate) is_removed: bool,
    /// TMDB's last answer is there.
    pub(crate) has_document: bool,
    /// Its row in works_meta is there.
    pub(crate) has_details: bool,
}

/// A movie's row in `works`.
#[derive(Debug, Clone, Default)]
pub(crate) struct KnownWork {
    pub(crate) facts: Facts,
    /// The imdb_id that TMDB gives it, while another work has it.
    pub(crate) imdb_id_clash: Option<String>,
    /// It is marked as ingested.
    pub(crate) is_complete: bool,
}

/// What the catalogue holds of a movie: the old side of a comparison.
#[derive(Debug, Clone, Default)]
pub(crate) struct StoredMovie {
    /// TMDB's last answer.
    pub(crate) document: Option<String>,
    /// Its rows in the app's tables, with the values that only the app makes; empty where they
    /// were not needed.
    pub(crate) row: AppRow,
}

impl KnownMovie {
    pub(crate) fn is_older_than(&self, save: &Save) -> bool {
        self.fetched_at.is_none_or(|at| at < save.fetched_at)
    }

    /// Whether what is stored is needed to compare and to write: the movie is there, and the hash
    /// differs, the answer lacks a part, the score moved, or a row was never ours or is gone.
    pub(crate) fn needs_stored(&self, save: &Save) -> bool {
        (self.has_document || self.has_rows()) && !self.is_same(save)
    }

    /// Whether the app's rows are needed, too, also where nothing in them is the app's own: another
    /// mapping wrote them, or neither the answer nor a stored one says a part that they may hold.
    pub(crate) fn needs_rows(&self, save: &Save) -> bool {
        self.mapping_version != Some(MAPPING_VERSION)
            || !self.has_document
            || save.look.may_keep_parts()
    }

    const fn has_rows(&self) -> bool {
        self.has_details || self.card_etag.is_some()
    }

    /// Whether the answer says what is stored, so that no row of details is written. Of a movie
    /// that TMDB has again the card is needed.
    fn is_same(&self, save: &Save) -> bool {
        self.is_whole()
            && !self.is_removed
            && !save.look.is_incomplete
            && !self.score_moved(save)
            && self.fingerprint.as_ref() == Some(&save.look.fingerprint)
    }

    /// Whether all rows are there, as this version writes them.
    fn is_whole(&self) -> bool {
        self.has_document
            && self.has_details
            && self.card_etag.is_some()
            && self.mapping_version == Some(MAPPING_VERSION)
    }

    /// Whether a person would see another score on the card, which has one decimal.
    fn score_moved(&self, save: &Save) -> bool {
        let new = Score::of(&save.look.rating).value;
        self.score.is_none_or(|old| (f64::from(old) - new).abs() > HALF_A_DECIMAL)
    }

    fn votes_moved(&self, save: &Save) -> bool {
        let new = Score::of(&save.look.rating);
        self.rating.is_none_or(|old| {
            let average = old.vote_average.unwrap_or_default();
            old.vote_count != new.votes || (average - new.average).abs() > SAME_AVERAGE
        })
    }

    /// Whether the row in `works` says something else, or is not marked as ingested.
    fn work_differs(&self, facts: &Facts) -> bool {
        !self.work.is_complete || self.facts_differ(facts)
    }

    /// Whether a person would see something else in the row in `works`.
    pub(crate) fn facts_differ(&self, facts: &Facts) -> bool {
        let KnownWork { facts: known, imdb_id_clash, is_complete: _ } = &self.work;
        let has_imdb_id = known.imdb_id == facts.imdb_id || *imdb_id_clash == facts.imdb_id;
        let as_known = Facts { imdb_id: known.imdb_id.clone(), ..facts.clone() };
        !has_imdb_id || as_known != *known
    }
}

/// What a change comes from.
#[derive(Clone, Copy)]
pub(crate) enum Origin<'a> {
    /// An answer that a message asked for.
    Answer(&'a Save),
    /// A stored answer that was mapped again.
    Remap,
}

/// What is written of a movie.
pub(crate) struct Change<'a> {
    pub(crate) origin: Origin<'a>,
    pub(crate) tmdb_id: TmdbId,
    pub(crate) facts: Cow<'a, Facts>,
    pub(crate) rating: Rating,
    /// When TMDB said so last.
    pub(crate) read_at: OffsetDateTime,
    /// When the answer was read that the details come from; TMDB may have said the same later.
    pub(crate) details_read_at: OffsetDateTime,
    /// The time of the change; that of a new answer is when it was read.
    pub(crate) changed_at: OffsetDateTime,
    pub(crate) work_id: i64,
    pub(crate) revision: i64,
    pub(crate) fingerprint: Vec<u8>,
    pub(crate) outcome: RefreshOutcome,
    pub(crate) diff: BTreeMap<String, FieldChange>,
    /// The short card as it is now; where there is a change.
    pub(crate) short_card: Option<ShortCard>,
    /// The imdb_id that another work had at the last save.
    pub(crate) imdb_id_clash: Option<String>,
    /// The row in `works` is written, and not only its times.
    pub(crate) writes_work: bool,
    /// The votes moved.
    pub(crate) writes_rating: bool,
    /// The row of `works_meta`: the movie changed, or somebody removed its rows.
    pub(crate) details: Option<Value>,
    /// TMDB's answer, compressed; written with the details.
    pub(crate) document: Option<Vec<u8>>,
    /// Empty: the stored ones stay.
    pub(crate) similar: Vec<SimilarRow>,
    /// It differs from the stored one.
    pub(crate) card: Option<Card>,
    /// Nothing in the details and the card that are written is the app's own.
    pub(crate) owns_rows: bool,
    /// Parts that no answer had yet.
    pub(crate) lacks: Vec<&'static str>,
}

/// The cause of a change by [`Origin::Remap`]; a word for people.
const REMAP: &str = "remap";

impl Change<'_> {
    /// Why it is made; a word for people.
    pub(crate) fn cause(&self) -> &str {
        match self.origin {
            Origin::Answer(save) => &save.cause,
            Origin::Remap => REMAP,
        }
    }

    /// Ends the ids of its events: the same on every repetition, and never that of another change.
    pub(crate) fn event_key(&self) -> String {
        match self.origin {
            Origin::Answer(save) => format!("{}:{}", save.message.consumer, save.message.key),
            Origin::Remap => format!("{REMAP}:{}:{}", self.work_id, self.revision),
        }
    }

    /// The trace that its message came with.
    pub(crate) const fn trace(&self) -> Option<&TraceId> {
        match self.origin {
            Origin::Answer(save) => save.trace.as_ref(),
            Origin::Remap => None,
        }
    }

    /// What else it shares a trace with, where none came.
    pub(crate) fn shared_cause(&self) -> Option<&str> {
        match self.origin {
            Origin::Answer(save) => Some(save.run_id.as_deref().unwrap_or(&save.message.key)),
            Origin::Remap => None,
        }
    }

    /// Parts that no answer had yet, joined by commas. `None`: it is whole.
    pub(crate) fn lacking(&self) -> Option<String> {
        (!self.lacks.is_empty()).then(|| self.lacks.join(","))
    }

    /// A person would call it one.
    pub(crate) fn is_changed(&self) -> bool {
        self.outcome != RefreshOutcome::Unchanged
    }

    /// It comes from a look at TMDB, which moves the times of reading.
    pub(crate) const fn is_look(&self) -> bool {
        match self.origin {
            Origin::Answer(_) => true,
            Origin::Remap => false,
        }
    }
}

/// What is written of an answer that says nothing new.
fn unchanged<'a>(save: &'a Save, known: &KnownMovie) -> Change<'a> {
    Change {
        origin: Origin::Answer(save),
        tmdb_id: save.look.tmdb_id,
        facts: Cow::Borrowed(&save.look.facts),
        rating: save.look.rating,
        read_at: save.fetched_at,
        details_read_at: save.fetched_at,
        changed_at: save.fetched_at,
        work_id: known.work_id,
        revision: known.revision,
        fingerprint: save.look.fingerprint.clone(),
        outcome: RefreshOutcome::Unchanged,
        diff: BTreeMap::new(),
        short_card: None,
        imdb_id_clash: known.work.imdb_id_clash.clone(),
        writes_work: known.work_differs(&save.look.facts),
        writes_rating: known.votes_moved(save),
        details: None,
        document: None,
        similar: Vec::new(),
        card: None,
        owns_rows: false,
        lacks: Vec::new(),
    }
}

/// Compares the answer with what is known and, where it was needed, with what is stored.
pub(crate) fn compare<'a>(
    save: &'a Save,
    known: &KnownMovie,
    stored: Option<StoredMovie>,
) -> Change<'a> {
    let unchanged = unchanged(save, known);
    if known.revision > 0 && known.is_same(save) {
        return unchanged;
    }
    let StoredMovie { document, row } = stored.unwrap_or_default();
    let mut merged_body = None;
    let merged = save.look.merge(document.as_deref(), &row, &mut merged_body);
    let (movie, at) = (&*merged.movie, save.fetched_at);
    let facts = Facts::of(movie);
    let fingerprint = merged.prints.fingerprint();
    let diff = merged.before.as_ref().map(|before| diff_of(before, movie, &merged.prints));
    let outcome = if known.is_removed {
        RefreshOutcome::Restored
    } else if known.revision == 0 {
        RefreshOutcome::Created
    } else if known.fingerprint.as_ref() == Some(&fingerprint)
        || diff.as_ref().is_some_and(BTreeMap::is_empty)
    {
        RefreshOutcome::Unchanged
    } else {
        RefreshOutcome::Updated
    };
    let is_changed = outcome != RefreshOutcome::Unchanged;
    let writes_details = is_changed || !known.is_whole();
    let rendered = (writes_details || known.score_moved(save))
        .then(|| Rows::of(known.work_id, movie, &row, at));
    let owns_rows = rendered.as_ref().is_some_and(|rows| {
        row.is_empty() || *rows == Rows::of(known.work_id, movie, &AppRow::default(), at)
    });
    let (details, card) = rendered.map(|rows| (rows.details, rows.card)).unzip();
    let short_card = card.as_ref().filter(|_| is_changed);
    let short_card = short_card.map(|card| card.short_card(save.look.tmdb_id));
    let details = details.filter(|_| writes_details);
    let card = card.filter(|card| known.card_etag.as_ref() != Some(&card.etag));
    let had_similar = merged.before.as_ref().filter(|_| known.is_whole());
    let had_similar = had_similar.map(Movie::similar_of_app);
    let lacks = movie.lacks();
    let similar = details.as_ref().map(|_| movie.similar_of_app());
    Change {
        writes_work: known.work_differs(&facts),
        facts: Cow::Owned(facts),
        revision: known.revision + i64::from(is_changed),
        fingerprint,
        outcome,
        diff: diff.filter(|_| outcome != RefreshOutcome::Created).unwrap_or_default(),
        short_card,
        document: details.as_ref().map(|_| save.look.packed(merged_body.as_deref())),
        details,
        similar: similar.filter(|new| had_similar.as_ref() != Some(new)).unwrap_or_default(),
        card,
        owns_rows,
        lacks,
        ..unchanged
    }
}

/// The rows that follow from a movie.
#[derive(PartialEq)]
struct Rows {
    details: Value,
    card: Card,
}

impl Rows {
    fn of(work_id: i64, movie: &Movie<'_>, row: &AppRow, at: OffsetDateTime) -> Self {
        let details = catalogue::details(movie, row, at);
        let rendered = Rendered { details: &details, at };
        let card = catalogue::card_over(work_id, movie, row, rendered);
        Self { details, card }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use catalogue::{Body, MapOptions};
    use proto::MessageKey;
    use serde_json::json;
    use time::macros::datetime;

    use super::*;

    /// A whole answer, but for these values.
    fn answer(fields: &Value) -> Value {
        let mut whole = json!({
            "id": 603, "title": "The Matrix", "vote_average": 8.2, "vote_count": 5,
            "popularity": 1.0, "genres": [], "spoken_languages": [], "production_companies": [],
            "production_countries": [], "belongs_to_collection": null,
            "credits": {"cast": [], "crew": []}, "videos": {"results": []},
            "similar": {"results": []}, "recommendations": {"results": []},
            "release_dates": {"results": []}, "images": {}, "keywords": {"keywords": []},
            "watch/providers": {"results": {}}, "external_ids": {},
            "translations": {"translations": []}, "alternative_titles": {"titles": []},
        });
        for (name, value) in fields.as_object().unwrap() {
            whole[name] = value.clone();
        }
        whole
    }

    fn look(answer: &Value) -> Look {
        let options = MapOptions {
            language: "en-US".to_owned(),
            region: "US".to_owned(),
            streaming_regions: Vec::new(),
        };
        let body = Body { text: answer.to_string(), packed: None };
        Look::read(body, Arc::new(options)).unwrap()
    }

    fn save(answer: &Value) -> Save {
        Save {
            message: MessageRef { consumer: "refresh-now", key: MessageKey::new("key") },
            look: look(answer),
            fetched_at: datetime!(2026-11-24 11:00 UTC),
            cause: "test".to_owned(),
            run_id: None,
            trace: None,
            adds: true,
        }
    }

    fn known(stored: &Value) -> KnownMovie {
        let look = look(stored);
        KnownMovie {
            work_id: 1,
            revision: 4,
            fingerprint: Some(look.fingerprint.clone()),
            fetched_at: Some(datetime!(2026-11-24 10:00 UTC)),
            mapping_version: Some(MAPPING_VERSION),
            work: KnownWork { facts: look.facts.clone(), imdb_id_clash: None, is_complete: true },
            card_etag: Some("etag".to_owned()),
            score: Some(82.0),
            rating: Some(look.rating),
            is_removed: false,
            has_document: true,
            has_details: true,
        }
    }

    fn held(answer: &Value) -> StoredMovie {
        StoredMovie { document: Some(answer.to_string()), row: AppRow::default() }
    }

    #[test]
    fn an_answer_is_created_updated_or_unchanged() {
        let old = answer(&json!({ "tagline": "old" }));
        let never = KnownMovie { revision: 0, fingerprint: None, ..known(&old) };
        let bare = KnownMovie { has_details: false, ..known(&old) };
        let without_card = KnownMovie { card_etag: None, ..known(&old) };
        let mapped_before = KnownMovie { mapping_version: Some(0), ..known(&old) };
        let hashed_before = KnownMovie { fingerprint: Some(vec![7]), ..known(&old) };
        let more_votes = answer(&json!({ "tagline": "old", "popularity": 9.0 }));
        let new = answer(&json!({ "tagline": "new" }));
        let removed = KnownMovie { is_removed: true, ..known(&old) };
        use RefreshOutcome::{Created, Restored, Unchanged, Updated};
        for (known, answer, outcome, revision, writes_details) in [
            (&never, &old, Created, 1, true),
            (&known(&old), &old, Unchanged, 4, false),
            (&known(&old), &more_votes, Unchanged, 4, false),
            (&known(&old), &new, Updated, 5, true),
            (&bare, &old, Unchanged, 4, true),
            (&without_card, &old, Unchanged, 4, true),
            (&mapped_before, &old, Unchanged, 4, true),
            (&hashed_before, &old, Unchanged, 4, false),
            (&removed, &old, Restored, 5, true),
            (&removed, &new, Restored, 5, true),
        ] {
            let save = save(answer);
            let change = compare(&save, known, known.needs_stored(&save).then(|| held(&old)));
            let got = (change.outcome, change.revision, change.details.is_some());
            assert_eq!(got, (outcome, revision, writes_details), "{known:?} and {answer}");
            let differs = outcome != Created && *answer == new;
            assert_eq!(change.diff.contains_key("tagline"), differs, "{:?}", change.diff);
            let card = change.short_card.map(|card| (card.work_id, card.tmdb_id.get()));
            assert_eq!(card, (outcome != Unchanged).then_some((1, 603)), "{known:?}");
        }
    }

    #[test]
    fn the_rows_are_read_where_something_of_them_may_stay() {
        let whole = answer(&json!({
            "genres": [{ "name": "Action" }], "keywords": { "keywords": [{ "name": "hacker" }] },
            "similar": { "results": [{ "id": 604 }] }, "credits": { "cast": [{}], "crew": [{}] },
        }));
        let mut bare = whole.clone();
        bare.as_object_mut().unwrap().remove("genres");
        let mapped_before = KnownMovie { mapping_version: Some(0), ..known(&whole) };
        for (known, answer, reads) in [
            (&known(&whole), &whole, false),
            (&known(&whole), &bare, true),
            (&mapped_before, &whole, true),
        ] {
            assert_eq!(known.needs_rows(&save(answer)), reads, "{known:?} and {answer}");
        }
    }

    #[test]
    fn a_part_that_the_answer_lacks_stays_as_it_is_stored() {
        let old = answer(&json!({ "genres": [{ "name": "Action" }] }));
        let mut new = old.clone();
        new.as_object_mut().unwrap().remove("genres");
        let save = save(&new);
        assert!(known(&old).needs_stored(&save));
        let change = compare(&save, &known(&old), Some(held(&old)));
        assert_eq!((change.outcome, change.details.is_some()), (RefreshOutcome::Unchanged, false));
        let bare = KnownMovie { has_details: false, ..known(&old) };
        let change = compare(&save, &bare, Some(held(&old)));
        assert_eq!(change.details.unwrap()["genres"], json!(["Action"]));
    }

    #[test]
    fn only_an_older_answer_is_replaced() {
        let stored = answer(&json!({}));
        let save = save(&stored);
        assert!(known(&stored).is_older_than(&save));
        let same_time = KnownMovie { fetched_at: Some(save.fetched_at), ..known(&stored) };
        assert!(!same_time.is_older_than(&save));
    }

    #[test]
    fn a_score_that_moved_writes_the_card_and_nothing_else() {
        let stored = answer(&json!({}));
        for (score, writes_card) in [(82.0, false), (82.04, false), (81.9, true)] {
            let save = save(&stored);
            let known = KnownMovie { score: Some(score), ..known(&stored) };
            assert_eq!(known.needs_stored(&save), writes_card, "{score}");
            let change = compare(&save, &known, Some(held(&stored)));
            let got = (change.outcome, change.details.is_some(), change.card.is_some());
            assert_eq!(got, (RefreshOutcome::Unchanged, false, writes_card), "{score}");
        }
    }

    #[test]
    fn rows_that_say_the_same_are_not_written() {
        let stored = answer(&json!({ "imdb_id": "tt1", "release_date": "1999-03-30" }));
        let save = save(&stored);
        let same = known(&stored);
        let work = |facts: &dyn Fn(&mut KnownWork)| {
            let mut known = known(&stored);
            facts(&mut known.work);
            known
        };
        let votes = Rating { vote_count: 6, ..save.look.rating };
        for (known, writes_work, writes_rating) in [
            (same.clone(), false, false),
            (KnownMovie { rating: None, ..same.clone() }, false, true),
            (KnownMovie { rating: Some(votes), ..same }, false, true),
            (work(&|w| w.is_complete = false), true, false),
            (work(&|w| w.facts.title = "By the app".to_owned()), true, false),
            (work(&|w| w.facts.release_date = None), true, false),
            (work(&|w| w.facts.imdb_id = None), true, false),
            (
                work(&|w| {
                    w.facts.imdb_id = None;
                    w.imdb_id_clash = Some("tt1".to_owned());
                }),
                false,
                false,
            ),
        ] {
            let change = compare(&save, &known, None);
            let got = (change.writes_work, change.writes_rating);
            assert_eq!(got, (writes_work, writes_rating), "{known:?}");
        }
    }

    #[test]
    fn an_adopted_row_keeps_what_an_answer_lacks() {
        let cast = json!([{"person_id": "6384", "name": "Keanu Reeves", "order": 0}]);
        let row = json!({ "cast_members": cast, "certification": "R" });
        let mut new = answer(&json!({}));
        new.as_object_mut().unwrap().remove("credits");
        let known = KnownMovie {
            revision: 0,
            fingerprint: None,
            has_document: false,
            ..known(&answer(&json!({})))
        };
        let save = save(&new);
        assert!(known.needs_stored(&save));
        let stored = StoredMovie { document: None, row: AppRow::read(Some(&row), None) };
        let change = compare(&save, &known, Some(stored));
        let details = change.details.unwrap();
        assert_eq!(details["certification"], "R");
        assert!(details["cast_members"].to_string().contains("Keanu Reeves"));
        assert_eq!((change.outcome, change.diff.len()), (RefreshOutcome::Created, 0));
    }
}
