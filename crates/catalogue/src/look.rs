//! One look at a movie: the answer as it came, read as far as it takes to know whether anything
//! changed.

use std::{borrow::Cow, fmt, sync::Arc};

use proto::TmdbId;
use self_cell::self_cell;

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

/// What came, and what it is mapped with.
struct Received {
    body: Body,
    options: Arc<MapOptions>,
}

self_cell!(
    /// An answer with the movie that it says; the movie's texts are the body's.
    struct Parsed {
        owner: Received,
        #[covariant]
        dependent: Movie,
    }
);

impl fmt::Debug for Parsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.borrow_dependent().fmt(f)
    }
}

/// An answer about a movie. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Look {
    pub tmdb_id: TmdbId,
    pub facts: Facts,
    pub rating: Rating,
    /// [`Prints::fingerprint`] of the answer alone.
    pub fingerprint: Vec<u8>,
    /// It lacked a part: [`Look::merge`] is needed before it is compared or stored.
    pub is_incomplete: bool,
    /// Texts that are empty in it, by their keys, wherever the movie has them from then.
    empty_texts: Vec<&'static str>,
    prints: Prints,
    parsed: Arc<Parsed>,
}

/// An answer laid over what is stored.
#[derive(Debug)]
pub struct Merged<'a> {
    /// The movie as it is from now on; borrowed where it is the answer's.
    pub movie: Cow<'a, Movie<'a>>,
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
        let (mut is_incomplete, mut empty_texts) = (false, Vec::new());
        let parsed = Parsed::try_new(Received { body, options }, |received| {
            let answer = Answer::read(&received.body.text)?;
            let id = answer.id.and_then(|id| TmdbId::try_from(id).ok()).ok_or(AnswerError::NoId)?;
            is_incomplete = !answer.lacks().is_empty();
            empty_texts = merge::empty_texts(&answer);
            Ok(map::movie(answer, id, &received.options))
        })?;
        let movie = parsed.borrow_dependent();
        let prints = movie.prints();
        Ok(Self {
            tmdb_id: movie.tmdb_id,
            facts: Facts::of(movie),
            rating: movie.rating,
            fingerprint: prints.fingerprint(),
            is_incomplete,
            empty_texts,
            prints,
            parsed: Arc::new(parsed),
        })
    }

    /// What the answer alone says.
    #[must_use]
    pub fn movie(&self) -> &Movie<'_> {
        self.parsed.borrow_dependent()
    }

    fn received(&self) -> &Received {
        self.parsed.borrow_owner()
    }

    /// The answer with what it lacks from the stored answer, or, where there is none, from the
    /// app's rows. `merged_body` holds the merged body, where one had to be made.
    pub fn merge<'a>(
        &'a self,
        document: Option<&'a str>,
        row: &'a AppRow,
        merged_body: &'a mut Option<String>,
    ) -> Merged<'a> {
        let Received { body, options } = self.received();
        let stored = document.and_then(|text| Answer::read(text).ok());
        let mut offers_are_kept = false;
        if let Some((text, stored)) = document.zip(stored.as_ref()) {
            let kept = self.kept_of(stored);
            if !kept.is_empty() {
                offers_are_kept = kept.contains(&"watch/providers");
                *merged_body = merge::with_kept(&body.text, text, &kept);
            }
        } else {
            // Into the body, so that they stay with every answer after this one.
            *merged_body = self.with_texts_of(row);
        }
        let merged_body = &*merged_body;
        let mut movie = Cow::Borrowed(self.movie());
        if let Some(body) = merged_body.as_deref() {
            let answer = Answer::read(body).unwrap_or_default();
            let merged = map::movie(answer, self.tmdb_id, options);
            movie = Cow::Owned(Movie { offers_are_kept, ..merged });
        }
        let before = stored.map(|stored| map::movie(stored, self.tmdb_id, options));
        let is_as_received = !keep_of_row(&mut movie, row) && merged_body.is_none();
        let prints = if is_as_received { self.prints.clone() } else { movie.prints() };
        Merged { movie, prints, before }
    }

    /// What of the stored answer stays, by its keys.
    fn kept_of(&self, stored: &Answer<'_>) -> Vec<&'static str> {
        let stored_empty = merge::empty_texts(stored);
        let erases = self.empty_texts.iter().any(|key| !stored_empty.contains(key));
        if !erases && !self.may_keep_parts() {
            return Vec::new();
        }
        // To read an answer again takes time, and few have anything to keep.
        let new = Answer::read(&self.received().body.text).unwrap_or_default();
        merge::kept(&new, stored)
    }

    /// The body with the texts that are empty in it and that the app's row has. `None`: there are
    /// none.
    fn with_texts_of(&self, row: &AppRow) -> Option<String> {
        let texts = row.texts(&self.empty_texts);
        let names: Vec<&str> = texts.keys().copied().collect();
        if names.is_empty() {
            return None;
        }
        let of_row = serde_json::to_string(&texts).ok()?;
        merge::with_kept(&self.received().body.text, &of_row, &names)
    }

    /// Whether the answer lacks a part, or so many of its lists are empty that it may be truncated:
    /// then stored parts may stay.
    #[must_use]
    pub fn may_keep_parts(&self) -> bool {
        self.is_incomplete || self.movie().may_lack_parts()
    }

    /// The body to store, compressed: as it came, or as it was merged.
    #[must_use]
    pub fn packed(&self, merged_body: Option<&str>) -> Vec<u8> {
        let body = &self.received().body;
        match (merged_body, &body.packed) {
            (Some(merged), _) => pack(merged),
            (None, Some(packed)) => packed.clone(),
            (None, None) => pack(&body.text),
        }
    }
}

/// Takes from the app's rows what no answer says: parts that the stored answer lacks as well, or
/// that there is no stored answer of, and a certificate, which boards do not take back. Returns
/// whether anything may have been taken.
fn keep_of_row<'a>(movie: &mut Cow<'a, Movie<'a>>, row: &'a AppRow) -> bool {
    if movie.may_lack_parts() {
        let Some(of_row) = row.movie(movie) else { return false };
        movie.to_mut().keep_missing(&of_row);
        return true;
    }
    if movie.certification.is_some() {
        return false;
    }
    let Some(certificate) = row.certificate() else { return false };
    movie.to_mut().certification = Some(certificate.into());
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
