//! One look at a movie: the answer as it came, read as far as it takes to know whether anything
//! changed.

use std::sync::Arc;

use proto::TmdbId;

use crate::{
    AppRow,
    answer::{Answer, AnswerError},
    document::pack,
    map::{self, MapOptions},
    merge,
    movie::{Movie, Prints, Rating},
};

/// A body as it came: its text, and compressed where it came so.
#[derive(Debug, Clone, Default)]
pub struct Body {
    pub text: String,
    pub packed: Option<Vec<u8>>,
}

/// What an answer says of a work beside its details: the values of `works`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    pub imdb_id: Option<String>,
    pub title: String,
    pub original_title: Option<String>,
    /// `YYYY-MM-DD`.
    pub release_date: Option<String>,
}

/// An answer about a movie.
#[derive(Debug, Clone)]
pub struct Look {
    pub tmdb_id: TmdbId,
    pub facts: Facts,
    pub rating: Rating,
    /// [`Prints::fingerprint`] of the answer alone.
    pub fingerprint: Vec<u8>,
    /// It lacked a part: [`Look::merge`] is needed before it is compared or stored.
    pub is_incomplete: bool,
    prints: Prints,
    body: Body,
    options: Arc<MapOptions>,
}

/// An answer laid over what is stored.
#[derive(Debug)]
pub struct Merged<'a> {
    /// The movie as it is from now on.
    pub movie: Movie<'a>,
    /// Of this movie.
    pub prints: Prints,
    /// As it was: mapped from the stored answer. `None`: there is none that can be read.
    pub before: Option<Movie<'a>>,
}

impl Look {
    /// Reads the body of `/movie/{id}` with its parts.
    ///
    /// # Errors
    /// It is no JSON object, or has no id. Whether it is the id that was asked for is the caller's
    /// question.
    pub fn read(body: Body, options: Arc<MapOptions>) -> Result<Self, AnswerError> {
        let answer = Answer::read(&body.text)?;
        let id = answer.id.and_then(|id| TmdbId::try_from(id).ok()).ok_or(AnswerError::NoId)?;
        let is_incomplete = !answer.lacks().is_empty();
        let movie = map::movie(answer, id, &options);
        let facts = Facts::of(&movie);
        let (rating, prints) = (movie.rating, movie.prints());
        let fingerprint = prints.fingerprint();
        Ok(Self { tmdb_id: id, facts, rating, fingerprint, is_incomplete, prints, body, options })
    }

    /// The answer with what it lacks from the stored answer, or, where there is none, from the
    /// app's rows. `merged_body` holds the merged body, where one had to be made.
    pub fn merge<'a>(
        &'a self,
        document: Option<&'a str>,
        row: &'a AppRow,
        merged_body: &'a mut Option<String>,
    ) -> Merged<'a> {
        let stored = document.and_then(|text| Answer::read(text).ok());
        let mut offers_are_kept = false;
        let mut new = Answer::read(&self.body.text).unwrap_or_default();
        if let (Some(text), Some(stored)) = (document, &stored) {
            let kept = merge::kept(&new, stored);
            if !kept.is_empty() {
                offers_are_kept = kept.contains(&"watch/providers");
                *merged_body = merge::with_kept(&self.body.text, text, &kept);
            }
        }
        let merged_body = &*merged_body;
        if let Some(body) = merged_body.as_deref() {
            new = Answer::read(body).unwrap_or_default();
        }
        let mut movie = map::movie(new, self.tmdb_id, &self.options);
        movie.offers_are_kept = offers_are_kept;
        let before = stored.map(|stored| map::movie(stored, self.tmdb_id, &self.options));
        let is_as_received = merged_body.is_none() && !keep_of_row(&mut movie, row);
        let prints = if is_as_received { self.prints.clone() } else { movie.prints() };
        Merged { movie, prints, before }
    }

    /// The body to store, compressed: as it came, or as it was merged.
    #[must_use]
    pub fn packed(&self, merged_body: Option<&str>) -> Vec<u8> {
        match (merged_body, &self.body.packed) {
            (Some(merged), _) => pack(merged),
            (None, Some(packed)) => packed.clone(),
            (None, None) => pack(&self.body.text),
        }
    }
}

/// Takes from the app's rows what no answer says: parts that the stored answer lacks as well, or
/// that there is no stored answer of, and a certificate, which boards do not take back. Returns
/// whether anything may have been taken.
fn keep_of_row<'a>(movie: &mut Movie<'a>, row: &'a AppRow) -> bool {
    let lacks = movie.may_lack_parts();
    if !lacks && movie.certification.is_some() {
        return false;
    }
    let Some(of_row) = row.movie(movie) else { return false };
    if lacks {
        movie.keep_missing(&of_row);
    } else {
        movie.certification = of_row.certification;
    }
    true
}

impl Facts {
    /// The facts of a movie.
    #[must_use]
    pub fn of(movie: &Movie<'_>) -> Self {
        let owned = |text: &crate::parts::Text<'_>| text.as_deref().map(ToOwned::to_owned);
        Self {
            imdb_id: owned(&movie.imdb_id),
            title: movie.title.clone().into_owned(),
            original_title: owned(&movie.original_title),
            release_date: owned(&movie.release_date),
        }
    }
}

#[cfg(test)]
mod tests;
