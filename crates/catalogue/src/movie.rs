//! A movie as the catalogue holds it. The field names are public: `changed` and `diff` of the
//! events use them.

use std::borrow::Cow;

use proto::TmdbId;
use serde::Serialize;

use crate::{
    fingerprint::{fingerprint, of_all},
    parts::{
        AlternativeTitle, CastMember, Collection, Company, CountryReleases, CrewMember,
        ExternalIds, Images, Offers, Text, Translation, Video,
    },
};

/// A score of one source.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Rating {
    /// Score of 0 to 10; `None` while nobody has voted.
    pub vote_average: Option<f64>,
    /// Number of votes.
    pub vote_count: i64,
}

/// A movie, mapped from TMDB's answer. What the app's tables hold of it, and in which shapes, is
/// the matter of [`crate::app`].
///
/// A part that TMDB's answer lacked is `None` in the fields that are lists or structures; the
/// catalogue then keeps what it has. A part that was there and empty is `Some` of an empty list,
/// and replaces.
#[derive(Debug, Clone, PartialEq)]
pub struct Movie<'a> {
    /// Number at TMDB.
    pub tmdb_id: TmdbId,
    /// IMDb's id, `tt…`.
    pub imdb_id: Text<'a>,
    /// Title in the configured language.
    pub title: Cow<'a, str>,
    /// Title in the original language.
    pub original_title: Text<'a>,
    /// Release date, `YYYY-MM-DD`.
    pub release_date: Text<'a>,
    /// TMDB's word, for example `Released`.
    pub status: Text<'a>,
    /// Minutes, at least 1.
    pub runtime_minutes: Option<i32>,
    /// One line.
    pub tagline: Text<'a>,
    /// Plot.
    pub overview: Text<'a>,
    /// Genre names.
    pub genres: Option<Vec<Cow<'a, str>>>,
    /// Certificate of the configured region, for example `PG-13`; once known it stays.
    pub certification: Text<'a>,
    /// Path of the poster, `/….jpg`.
    pub poster_path: Text<'a>,
    /// Path of the backdrop, `/….jpg`.
    pub backdrop_path: Text<'a>,
    /// YouTube key of the trailer.
    pub trailer_youtube_id: Text<'a>,
    /// All trailers and clips on YouTube.
    pub trailers: Option<Vec<Video<'a>>>,
    /// Cast in billing order, each credit once.
    pub cast_members: Option<Vec<CastMember<'a>>>,
    /// Crew.
    pub crew_members: Option<Vec<CrewMember<'a>>>,
    /// Keywords.
    pub keywords: Option<Vec<Cow<'a, str>>>,
    /// Where to watch it, in the configured regions; JustWatch must be credited.
    pub streaming: Option<Vec<Offers<'a>>>,
    /// ISO 639-1.
    pub original_language: Text<'a>,
    /// English names, for example `Spanish`; the code where there is no name.
    pub spoken_languages: Option<Vec<Cow<'a, str>>>,
    /// Companies.
    pub production_companies: Option<Vec<Company<'a>>>,
    /// Names, for example `United States of America`; the code where there is no name.
    pub production_countries: Option<Vec<Cow<'a, str>>>,
    /// US dollars, at least 1.
    pub budget: Option<i64>,
    /// US dollars, at least 1.
    pub revenue_worldwide: Option<i64>,
    /// `Some(None)`: it is in none.
    pub collection: Option<Option<Collection<'a>>>,
    /// Home page.
    pub homepage: Text<'a>,
    /// Whether it is for adults.
    pub adult: Option<bool>,
    /// Whether it is a video and no movie.
    pub video: Option<bool>,
    /// TMDB's word for what is not quite for adults.
    pub softcore: Option<bool>,
    /// ISO 3166-1.
    pub origin_country: Option<Vec<Cow<'a, str>>>,
    /// Posters, backdrops and logos.
    pub images: Option<Images<'a>>,
    /// Its ids elsewhere.
    pub external_ids: Option<ExternalIds<'a>>,
    /// Its texts in other languages.
    pub translations: Option<Vec<Translation<'a>>>,
    /// Its other titles.
    pub alternative_titles: Option<Vec<AlternativeTitle<'a>>>,
    /// Its releases by country.
    pub release_dates: Option<Vec<CountryReleases<'a>>>,
    /// Movies that TMDB calls similar, the most similar first. They follow other movies' lives and
    /// are no change.
    pub similar: Option<Vec<TmdbId>>,
    /// TMDB's score; moves daily and is no change.
    pub rating: Rating,
    /// TMDB's popularity; moves daily and is no change.
    pub popularity: f64,
    /// The answer lacked the offers, and the stored ones were kept: they are as old as they were.
    pub offers_are_kept: bool,
}

/// What looks at the fields of a movie.
pub(crate) trait FieldVisitor {
    fn field<T: Serialize>(&mut self, name: &'static str, value: &T);
}

/// So many full parts that are empty all at once make an answer look truncated.
pub(crate) const TRUNCATED_PARTS: usize = 3;

impl Movie<'_> {
    /// The fields that make a change, under their public names. Left out: what moves by itself, or
    /// follows another movie's life.
    pub(crate) fn visit(&self, visitor: &mut impl FieldVisitor) {
        visitor.field("tmdb_id", &self.tmdb_id.get());
        visitor.field("imdb_id", &self.imdb_id);
        visitor.field("title", &self.title);
        visitor.field("original_title", &self.original_title);
        visitor.field("release_date", &self.release_date);
        visitor.field("status", &self.status);
        visitor.field("runtime_minutes", &self.runtime_minutes);
        visitor.field("tagline", &self.tagline);
        visitor.field("overview", &self.overview);
        visitor.field("genres", &self.genres);
        visitor.field("certification", &self.certification);
        visitor.field("poster_path", &self.poster_path);
        visitor.field("backdrop_path", &self.backdrop_path);
        visitor.field("trailer_youtube_id", &self.trailer_youtube_id);
        visitor.field("trailers", &self.trailers);
        visitor.field("cast_members", &self.cast_members);
        visitor.field("crew_members", &self.crew_members);
        visitor.field("keywords", &self.keywords);
        visitor.field("streaming", &self.streaming);
        visitor.field("original_language", &self.original_language);
        visitor.field("spoken_languages", &self.spoken_languages);
        visitor.field("production_companies", &self.production_companies);
        visitor.field("production_countries", &self.production_countries);
        visitor.field("budget", &self.budget);
        visitor.field("revenue_worldwide", &self.revenue_worldwide);
        visitor.field("collection", &self.collection.as_ref().and_then(Option::as_ref));
        visitor.field("homepage", &self.homepage);
        // What is not said is not so: a key that is new everywhere is no news.
        visitor.field("adult", &self.adult.unwrap_or(false));
        visitor.field("video", &self.video.unwrap_or(false));
        visitor.field("softcore", &self.softcore.unwrap_or(false));
        visitor.field("origin_country", &self.origin_country);
        let images = self.images.as_ref();
        visitor.field("posters", &images.map(|images| images.posters.as_deref().unwrap_or(&[])));
        visitor
            .field("backdrops", &images.map(|images| images.backdrops.as_deref().unwrap_or(&[])));
        visitor.field("logos", &images.map(|images| images.logos.as_deref().unwrap_or(&[])));
        let no_ids = ExternalIds::default();
        visitor.field("external_ids", self.external_ids.as_ref().unwrap_or(&no_ids));
        visitor.field("translations", &self.translations);
        visitor.field("alternative_titles", &self.alternative_titles);
        visitor.field("release_dates", &self.release_dates);
    }

    /// The fingerprint of each field.
    #[must_use]
    pub fn prints(&self) -> Prints {
        let mut prints = Prints::default();
        self.visit(&mut prints);
        prints
    }
}

/// The fingerprint of each field of a movie.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Prints(pub(crate) Vec<Print>);

impl Prints {
    /// The fingerprint of the movie: equal means that nothing a person would call a change
    /// happened. 16 bytes.
    #[must_use]
    pub fn fingerprint(&self) -> Vec<u8> {
        of_all(self.0.iter().map(|print| print.of)).to_be_bytes().to_vec()
    }
}

/// The fingerprint of one field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Print {
    pub(crate) name: &'static str,
    pub(crate) of: u128,
}

impl FieldVisitor for Prints {
    fn field<T: Serialize>(&mut self, name: &'static str, value: &T) {
        self.0.push(Print { name, of: fingerprint(value) });
    }
}

/// Fills the parts that an answer lacked from what is stored, so that a missing part erases
/// nothing. Where an answer was compared with the stored answer, `merge` has done so; this
/// is for rows of the app that were adopted, of which there is no answer.
impl<'a> Movie<'a> {
    /// A part that is there and empty replaces: a person may have emptied it. But where three or
    /// more of the parts that were full are empty at once, nobody did that by hand: the answer
    /// counts as truncated, and they are kept.
    ///
    /// A certificate stays as well where the answer has none: boards do not take one back, and the
    /// app reads a movie again on each look while its card has none.
    pub fn keep_missing(&mut self, stored: &Movie<'a>) {
        self.drop_emptied(stored);
        if self.trailers.is_none() {
            self.trailer_youtube_id.clone_from(&stored.trailer_youtube_id);
        }
        self.offers_are_kept |= self.streaming.is_none() && stored.streaming.is_some();
        keep(&mut self.genres, &stored.genres);
        keep(&mut self.trailers, &stored.trailers);
        keep(&mut self.cast_members, &stored.cast_members);
        keep(&mut self.crew_members, &stored.crew_members);
        keep(&mut self.keywords, &stored.keywords);
        keep(&mut self.streaming, &stored.streaming);
        keep(&mut self.spoken_languages, &stored.spoken_languages);
        keep(&mut self.production_companies, &stored.production_companies);
        keep(&mut self.production_countries, &stored.production_countries);
        keep(&mut self.collection, &stored.collection);
        keep(&mut self.similar, &stored.similar);
        keep(&mut self.certification, &stored.certification);
    }

    /// Parts that the app shows and no answer had yet, by TMDB's names.
    #[must_use]
    pub fn lacks(&self) -> Vec<&'static str> {
        let parts = [
            ("genres", self.genres.is_none()),
            ("credits", self.cast_members.is_none() || self.crew_members.is_none()),
            ("videos", self.trailers.is_none()),
            ("keywords", self.keywords.is_none()),
            ("images", self.images.is_none()),
            ("release_dates", self.release_dates.is_none()),
            ("watch/providers", self.streaming.is_none()),
        ];
        parts.into_iter().filter(|(_, is_missing)| *is_missing).map(|(name, _)| name).collect()
    }

    /// Whether [`Movie::keep_missing`] could change more than the certificate.
    pub(crate) fn may_lack_parts(&self) -> bool {
        let lacks = self.genres.is_none()
            || self.trailers.is_none()
            || self.cast_members.is_none()
            || self.crew_members.is_none()
            || self.keywords.is_none()
            || self.streaming.is_none()
            || self.spoken_languages.is_none()
            || self.production_companies.is_none()
            || self.production_countries.is_none()
            || self.collection.is_none()
            || self.similar.is_none();
        let emptied = [
            is_empty(&self.cast_members),
            is_empty(&self.crew_members),
            is_empty(&self.trailers),
            is_empty(&self.keywords),
            is_empty(&self.similar),
            is_empty(&self.genres),
        ];
        lacks || emptied.iter().filter(|empty| **empty).count() >= TRUNCATED_PARTS
    }

    fn drop_emptied(&mut self, stored: &Self) {
        let emptied = [
            is_emptied(&self.cast_members, &stored.cast_members),
            is_emptied(&self.crew_members, &stored.crew_members),
            is_emptied(&self.trailers, &stored.trailers),
            is_emptied(&self.keywords, &stored.keywords),
            is_emptied(&self.similar, &stored.similar),
            is_emptied(&self.genres, &stored.genres),
        ];
        if emptied.iter().filter(|emptied| **emptied).count() < TRUNCATED_PARTS {
            return;
        }
        let [cast, crew, trailers, keywords, similar, genres] = emptied;
        self.cast_members = self.cast_members.take().filter(|_| !cast);
        self.crew_members = self.crew_members.take().filter(|_| !crew);
        self.trailers = self.trailers.take().filter(|_| !trailers);
        self.keywords = self.keywords.take().filter(|_| !keywords);
        self.similar = self.similar.take().filter(|_| !similar);
        self.genres = self.genres.take().filter(|_| !genres);
    }
}

fn keep<T: Clone>(new: &mut Option<T>, stored: &Option<T>) {
    if new.is_none() {
        new.clone_from(stored);
    }
}

fn is_empty<T>(list: &Option<Vec<T>>) -> bool {
    list.as_ref().is_some_and(Vec::is_empty)
}

/// Whether a list that was full is there and empty.
pub(crate) fn is_emptied<T, S>(new: &Option<Vec<T>>, stored: &Option<Vec<S>>) -> bool {
    is_empty(new) && stored.as_ref().is_some_and(|s| !s.is_empty())
}
