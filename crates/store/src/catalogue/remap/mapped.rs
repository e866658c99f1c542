//! A stored answer mapped again, beside what is stored of its movie. Pure: no database.

use std::collections::BTreeMap;

use catalogue::{
    AnswerError, AppRow, Card, Facts, MapOptions, MovieRows, Rating, Rendered, RowDifference,
    UnpackError, app::SimilarRow,
};
use proto::{FieldChange, RefreshOutcome, TmdbId};
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
    read_at: Option<OffsetDateTime>,
    /// A person sees a difference.
    is_changed: bool,
    diff: BTreeMap<String, FieldChange>,
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
        let read_at = stored.details_read_at.or(known.fetched_at);
        let at = read_at.unwrap_or(OffsetDateTime::UNIX_EPOCH);
        let facts = Facts::of(&movie);
        let details = catalogue::details(&movie, &row, at);
        let rendered = Rendered { details: &details, at: known.fetched_at.unwrap_or(at) };
        let card = catalogue::card_over(known.work_id, &movie, &row, rendered);
        let difference = row.compare(&details);
        let is_changed = difference == RowDifference::Seen || known.facts_differ(&facts);
        let before = MovieRows { row: &row, facts: &known.work.facts };
        let diff = is_changed.then(|| catalogue::diff_of_rows(before, &details, &movie));
        let similar = movie.similar_of_app();
        let fingerprint = movie.fingerprint();
        Ok(Self {
            tmdb_id: *tmdb_id,
            facts,
            rating,
            fingerprint,
            read_at,
            is_changed,
            diff: diff.unwrap_or_default(),
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
            facts: &self.facts,
            rating: self.rating,
            read_at: self.read_at.unwrap_or(now),
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
            imdb_id_clash: known.work.imdb_id_clash.clone(),
            writes_work: known.facts_differ(&self.facts),
            writes_rating: known.rating.is_none(),
            details,
            document: None,
            similar: std::mem::take(&mut self.similar),
            card,
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
