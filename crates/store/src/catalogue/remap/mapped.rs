//! A stored answer mapped again, beside what is stored of its movie. Pure: no database.

use std::{borrow::Cow, collections::BTreeMap};

use catalogue::{
    AnswerError, AppRow, Card, Facts, MapOptions, MovieRows, Rating, Rendered, RowDifference,
    UnpackError, app::SimilarRow,
};
use proto::{FieldChange, RefreshOutcome, ShortCard, TmdbId};
use serde_json::Value;
use time::OffsetDateTime;

use crate::catalogue::{
    change::{Change, KnownMovie, Origin},
    save::DOCUMENT_MAX_BYTES,
};

/// TMDB's averages have three decimals; the app's column has 32 bits, which end in others.
const AVERAGE_PER_UNIT: f64 = 1_000.0;

/// A movie's rows, as the database gives them.
#[derive(Debug, Clone)]
pub(crate) struct StoredRows {
    pub(crate) tmdb_id: TmdbId,
    pub(crate) known: KnownMovie,
    /// TMDB's last answer, compressed.
    pub(crate) document: Vec<u8>,
    /// The row of `works_meta` as JSON.
    pub(crate) details: Option<String>,
    /// `works_meta.fetched_at`.
    pub(crate) details_read_at: Option<OffsetDateTime>,
    /// `work_cards_cache.payload` as JSON.
    pub(crate) card: Option<String>,
    /// Those of our own source, by their rank.
    pub(crate) similar: Vec<SimilarRow>,
}

/// Why a stored answer cannot be mapped.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unmappable {
    #[error("the stored answer cannot be unpacked")]
    Packed(#[from] UnpackError),
    #[error("the stored answer cannot be read")]
    Answer(#[from] AnswerError),
    #[error("the stored answer is about movie {0}")]
    OtherMovie(TmdbId),
}

/// What follows from a stored answer.
#[derive(Debug)]
pub(crate) struct Mapped {
    tmdb_id: TmdbId,
    facts: Facts,
    rating: Rating,
    fingerprint: Vec<u8>,
    details_read_at: OffsetDateTime,
    /// A person sees a difference.
    is_changed: bool,
    diff: BTreeMap<String, FieldChange>,
    short_card: ShortCard,
    details: Option<Value>,
    similar: Vec<SimilarRow>,
    card: Option<Card>,
}

impl Mapped {
    /// Maps the answer and compares what follows with what is stored.
    ///
    /// # Errors
    /// There is no answer about this movie in the document.
    pub(crate) fn of(stored: &StoredRows, options: &MapOptions) -> Result<Self, Unmappable> {
        let StoredRows { known, tmdb_id, .. } = stored;
        let body = catalogue::unpack(&stored.document, DOCUMENT_MAX_BYTES)?;
        let row = AppRow::new(json(stored.details.as_deref()), json(stored.card.as_deref()));
        let mut movie = catalogue::remap(&body, &row, options)?;
        if movie.tmdb_id != *tmdb_id {
            return Err(Unmappable::OtherMovie(movie.tmdb_id));
        }
        // Votes move between the answers that are kept.
        let rating = known.rating.map_or(movie.rating, exact);
        movie.rating = row.shown_rating(rating);
        let read_at = known.fetched_at.unwrap_or(OffsetDateTime::UNIX_EPOCH);
        let details_read_at = stored.details_read_at.unwrap_or(read_at);
        let facts = Facts::of(&movie);
        let details = catalogue::details(&movie, &row, details_read_at);
        let rendered = Rendered { details: &details, at: read_at };
        let card = catalogue::card_over(known.work_id, &movie, &row, rendered);
        let difference = row.compare(&details);
        let is_changed = difference == RowDifference::Seen || known.facts_differ(&facts);
        let before = MovieRows { row: &row, facts: &known.work.facts };
        let diff = is_changed.then(|| catalogue::diff_of_rows(before, &details, &movie));
        let similar = movie.similar_of_app();
        let short_card = card.short_card(*tmdb_id);
        let fingerprint = movie.prints().fingerprint();
        Ok(Self {
            tmdb_id: *tmdb_id,
            facts,
            rating,
            fingerprint,
            details_read_at,
            is_changed,
            diff: diff.unwrap_or_default(),
            short_card,
            details: Some(details).filter(|_| difference != RowDifference::Same),
            similar: if similar == stored.similar { Vec::new() } else { similar },
            card: Some(card).filter(|card| known.card_etag.as_ref() != Some(&card.etag)),
        })
    }

    /// What is written of it at this time; takes the rows.
    pub(crate) fn change<'a>(&'a mut self, known: &KnownMovie, now: OffsetDateTime) -> Change<'a> {
        let (details, card) = (self.details.take(), self.card.take());
        Change {
            origin: Origin::Remap,
            tmdb_id: self.tmdb_id,
            facts: Cow::Borrowed(&self.facts),
            rating: self.rating,
            read_at: known.fetched_at.unwrap_or(now),
            details_read_at: self.details_read_at,
            changed_at: now,
            work_id: known.work_id,
            revision: known.revision + i64::from(self.is_changed),
            fingerprint: std::mem::take(&mut self.fingerprint),
            outcome: if self.is_changed {
                RefreshOutcome::Updated
            } else {
                RefreshOutcome::Unchanged
            },
            diff: std::mem::take(&mut self.diff),
            short_card: self.is_changed.then(|| self.short_card.clone()),
            imdb_id_clash: known.work.imdb_id_clash.clone(),
            writes_work: known.facts_differ(&self.facts),
            writes_rating: known.rating.is_none(),
            details,
            document: None,
            similar: std::mem::take(&mut self.similar),
            card,
            owns_rows: false,
            lacks: Vec::new(),
        }
    }

    /// Whether a row of the app is written.
    pub(crate) const fn writes(&self, known: &KnownMovie) -> bool {
        self.is_changed
            || self.details.is_some()
            || self.card.is_some()
            || !self.similar.is_empty()
            || known.rating.is_none()
    }
}

/// The database's own text of a value.
fn json(text: Option<&str>) -> Option<Value> {
    serde_json::from_str(text?).ok()
}

/// The average as TMDB sent it.
fn exact(rating: Rating) -> Rating {
    let round = |average: f64| (average * AVERAGE_PER_UNIT).round() / AVERAGE_PER_UNIT;
    Rating { vote_average: rating.vote_average.map(round), ..rating }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use time::macros::datetime;

    use super::*;
    use crate::catalogue::change::KnownWork;

    const MAPPED_AT: OffsetDateTime = datetime!(2026-11-20 10:00 UTC);
    /// TMDB said the same later.
    const READ_AT: OffsetDateTime = datetime!(2026-11-24 10:00 UTC);
    const NOW: OffsetDateTime = datetime!(2026-11-25 10:00 UTC);

    fn options(region: &str) -> MapOptions {
        MapOptions {
            language: "en-US".to_owned(),
            region: region.to_owned(),
            streaming_regions: vec![region.to_owned()],
        }
    }

    fn answer() -> Value {
        let of = |region: &str, certificate: &str| {
            let release = json!({ "type": 3, "certification": certificate });
            json!({ "iso_3166_1": region, "release_dates": [release] })
        };
        json!({
            "id": 603, "title": "The Matrix", "imdb_id": "tt0133093", "vote_average": 7.345,
            "vote_count": 5, "release_dates": { "results": [of("US", "R"), of("DE", "16")] },
            "similar": { "results": [{ "id": 604 }, { "id": 605 }] },
        })
    }

    /// A movie of which nothing but its answer is there.
    fn bare() -> StoredRows {
        let known = KnownMovie {
            work_id: 1,
            revision: 4,
            fingerprint: None,
            fetched_at: Some(READ_AT),
            mapping_version: None,
            work: KnownWork::default(),
            card_etag: None,
            score: None,
            rating: None,
            is_removed: false,
            has_document: true,
            has_details: false,
        };
        StoredRows {
            tmdb_id: TmdbId::try_from(603).unwrap(),
            known,
            document: catalogue::pack(&answer().to_string()),
            details: None,
            details_read_at: None,
            card: None,
            similar: Vec::new(),
        }
    }

    fn mapped(stored: &StoredRows, region: &str) -> Mapped {
        Mapped::of(stored, &options(region)).unwrap()
    }

    /// The movie as a save of its answer leaves it, with the average as the app's column holds it.
    fn saved() -> StoredRows {
        let bare = bare();
        let Mapped { facts, similar, details, card, .. } = mapped(&bare, "US");
        let card = card.unwrap();
        let average = f64::from(7.345_f32);
        let known = KnownMovie {
            work: KnownWork { facts, imdb_id_clash: None, is_complete: true },
            card_etag: Some(card.etag),
            rating: Some(Rating { vote_average: Some(average), vote_count: 5 }),
            ..bare.known
        };
        StoredRows {
            known,
            details: details.map(|row| row.to_string()),
            details_read_at: Some(MAPPED_AT),
            card: Some(card.full.to_string()),
            similar,
            ..bare
        }
    }

    /// `saved` after an edit of the row of works_meta.
    fn with_details(edit: impl Fn(&mut Value)) -> StoredRows {
        let saved = saved();
        let mut details = json(saved.details.as_deref()).unwrap();
        edit(&mut details);
        StoredRows { details: Some(details.to_string()), ..saved }
    }

    fn with_known(edit: impl Fn(&mut KnownMovie)) -> StoredRows {
        let mut saved = saved();
        edit(&mut saved.known);
        saved
    }

    #[test]
    fn only_rows_that_differ_are_written_and_only_what_a_person_sees_is_a_change() {
        let votes = |known: &mut KnownMovie| known.rating.as_mut().unwrap().vote_count = 900;
        for (what, stored, region, changed, details, card, similar) in [
            ("nothing", saved(), "US", vec![], false, false, false),
            ("votes", with_known(votes), "US", vec![], false, false, false),
            ("region", saved(), "DE", vec!["certification"], true, true, false),
            (
                "version of the row",
                with_details(|row| row["schema_version"] = json!(1)),
                "US",
                vec![],
                true,
                false,
                false,
            ),
            (
                "a column of the app",
                with_details(|row| row["moods"] = json!(["x"])),
                "US",
                vec![],
                false,
                false,
                false,
            ),
            (
                "overview",
                with_details(|row| row["overview"] = json!("o")),
                "US",
                vec!["overview"],
                true,
                false,
                false,
            ),
            (
                "title",
                with_known(|k| k.work.facts.title = "T".to_owned()),
                "US",
                vec!["title"],
                false,
                false,
                false,
            ),
            ("card", with_known(|k| k.card_etag = None), "US", vec![], false, true, false),
            (
                "similar",
                StoredRows { similar: Vec::new(), ..saved() },
                "US",
                vec![],
                false,
                false,
                true,
            ),
        ] {
            let mut mapped = mapped(&stored, region);
            let writes = details || card || similar || !changed.is_empty();
            assert_eq!(mapped.writes(&stored.known), writes, "{what}");
            let change = mapped.change(&stored.known, NOW);
            let got = (change.details.is_some(), change.card.is_some(), !change.similar.is_empty());
            assert_eq!(got, (details, card, similar), "{what}");
            assert_eq!(change.diff.keys().collect::<Vec<_>>(), changed, "{what}");
            assert_eq!(change.revision, 4 + i64::from(!changed.is_empty()), "{what}");
            assert_eq!((change.read_at, change.details_read_at), (READ_AT, MAPPED_AT), "{what}");
            assert!(!change.writes_rating, "{what}");
        }
    }

    #[test]
    fn an_imdb_id_that_another_work_has_is_no_change() {
        let stored = with_known(|known| {
            known.work.imdb_id_clash = known.work.facts.imdb_id.take();
        });
        let mut mapped = mapped(&stored, "US");
        let change = mapped.change(&stored.known, NOW);
        assert_eq!((change.outcome, change.writes_work), (RefreshOutcome::Unchanged, false));
        assert_eq!(change.imdb_id_clash.as_deref(), Some("tt0133093"));
    }

    #[test]
    fn what_is_no_answer_about_the_movie_is_an_error() {
        let with = |document: Vec<u8>| StoredRows { document, ..saved() };
        let other = catalogue::pack(&json!({ "id": 604 }).to_string());
        for (document, words) in [
            (b"no gzip".to_vec(), "cannot be unpacked"),
            (catalogue::pack("[]"), "cannot be read"),
            (other, "about movie 604"),
        ] {
            let error = Mapped::of(&with(document), &options("US")).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }
}
