//! TMDB's answer about a movie, typed: strict about the id, lenient about everything else.
//!
//! Texts are borrowed from the body. What is not named here is not read.

pub(crate) mod lenient;

use std::{borrow::Cow, collections::BTreeMap};

use serde::Deserialize;

use self::lenient::{Lenient, Object, lenient, present};
use crate::parts::{
    AlternativeTitle, CastMember, Collection, Company, CountryReleases, CrewMember, ExternalIds,
    Images, Provider, Text, Translation, Video,
};

/// Asked for with every movie, in one request (TMDB takes at most 20 parts).
pub const PARTS: [&str; 11] = [
    "credits",
    "videos",
    "similar",
    "recommendations",
    "release_dates",
    "images",
    "keywords",
    "watch/providers",
    "external_ids",
    "translations",
    "alternative_titles",
];

/// Lists of the movie itself that an answer may lack as well.
const LISTS: [&str; 5] = [
    "genres",
    "spoken_languages",
    "production_companies",
    "production_countries",
    "belongs_to_collection",
];

/// Why a body is not an answer about a movie.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    #[error("{0}")]
    Malformed(String),
    #[error("it has no numeric id")]
    NoId,
}

/// The body of `/movie/{id}` with its parts. A list is `None` where it is absent or no list.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
pub(crate) struct Answer<'a> {
    #[serde(deserialize_with = "lenient")]
    pub(crate) id: Option<i64>,
    #[serde(deserialize_with = "lenient")]
    pub(crate) imdb_id: Text<'a>,
    #[serde(deserialize_with = "lenient")]
    pub(crate) title: Text<'a>,
    #[serde(deserialize_with = "lenient")]
    pub(crate) original_title: Text<'a>,
    #[serde(deserialize_with = "lenient")]
    pub(crate) release_date: Text<'a>,
    #[serde(deserialize_with = "lenient")]
    pub(crate) status: Text<'a>,
    #[serde(deserialize_with = "lenient")]
    pub(crate) runtime: Option<i64>,
    #[serde(deserialize_with = "lenient")]
    pub(crate) tagline: Text<'a>,
    #[serde(deserialize_with = "lenient")]
    pub(crate) overview: Text<'a>,
    #[serde(deserialize_with = "lenient")]
    pub(crate) genres: Option<Vec<Named<'a>>>,
    #[serde(deserialize_with = "lenient")]
    pub(crate) poster_path: Text<'a>,
    #[serde(deserialize_with = "lenient")]
    pub(crate) backdrop_path: Text<'a>,
    #[serde(deserialize_with = "lenient")]
    pub(crate) original_language: Text<'a>,
    #[serde(deserialize_with = "lenient")]
    pub(crate) spoken_languages: Option<Vec<Place<'a>>>,
    #[serde(deserialize_with = "lenient")]
    pub(crate) production_companies: Option<Vec<Company<'a>>>,
    #[serde(deserialize_with = "lenient")]
    pub(crate) production_countries: Option<Vec<Place<'a>>>,
    #[serde(deserialize_with = "lenient")]
    pub(crate) budget: Option<i64>,
    #[serde(deserialize_with = "lenient")]
    pub(crate) revenue: Option<i64>,
    /// `Some(None)`: it belongs to none.
    #[serde(deserialize_with = "present")]
    pub(crate) belongs_to_collection: Option<Option<Collection<'a>>>,
    #[serde(deserialize_with = "lenient")]
    pub(crate) homepage: Text<'a>,
    #[serde(deserialize_with = "lenient")]
    pub(crate) adult: Option<bool>,
    #[serde(deserialize_with = "lenient")]
    pub(crate) video: Option<bool>,
    #[serde(deserialize_with = "lenient")]
    pub(crate) softcore: Option<bool>,
    #[serde(deserialize_with = "lenient")]
    pub(crate) origin_country: Option<Vec<Cow<'a, str>>>,
    #[serde(deserialize_with = "lenient")]
    pub(crate) vote_average: Option<f64>,
    #[serde(deserialize_with = "lenient")]
    pub(crate) vote_count: Option<i64>,
    #[serde(deserialize_with = "lenient")]
    pub(crate) popularity: Option<f64>,
    #[serde(deserialize_with = "lenient")]
    pub(crate) credits: Option<Credits<'a>>,
    #[serde(deserialize_with = "lenient")]
    pub(crate) videos: Option<Results<Video<'a>>>,
    #[serde(deserialize_with = "lenient")]
    pub(crate) similar: Option<Results<Row>>,
    #[serde(deserialize_with = "lenient")]
    pub(crate) recommendations: Option<Results<Row>>,
    #[serde(deserialize_with = "lenient")]
    pub(crate) release_dates: Option<Results<CountryReleases<'a>>>,
    #[serde(deserialize_with = "lenient")]
    pub(crate) images: Option<Images<'a>>,
    #[serde(deserialize_with = "lenient")]
    pub(crate) keywords: Option<Keywords<'a>>,
    #[serde(rename = "watch/providers", deserialize_with = "lenient")]
    pub(crate) providers: Option<Providers<'a>>,
    #[serde(deserialize_with = "lenient")]
    pub(crate) external_ids: Option<ExternalIds<'a>>,
    #[serde(deserialize_with = "lenient")]
    pub(crate) translations: Option<Translations<'a>>,
    #[serde(deserialize_with = "lenient")]
    pub(crate) alternative_titles: Option<Titles<'a>>,
}

/// `{name}`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
pub(crate) struct Named<'a> {
    #[serde(deserialize_with = "lenient")]
    pub(crate) name: Text<'a>,
}

/// A language or a country.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
pub(crate) struct Place<'a> {
    #[serde(deserialize_with = "lenient")]
    pub(crate) english_name: Text<'a>,
    #[serde(deserialize_with = "lenient")]
    pub(crate) name: Text<'a>,
    #[serde(deserialize_with = "lenient")]
    pub(crate) iso_639_1: Text<'a>,
    #[serde(deserialize_with = "lenient")]
    pub(crate) iso_3166_1: Text<'a>,
}

/// A movie of a list.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Row {
    #[serde(deserialize_with = "lenient")]
    pub(crate) id: Option<i64>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
pub(crate) struct Credits<'a> {
    #[serde(deserialize_with = "lenient")]
    pub(crate) cast: Option<Vec<CastMember<'a>>>,
    #[serde(deserialize_with = "lenient")]
    pub(crate) crew: Option<Vec<CrewMember<'a>>>,
}

/// `{results: […]}`
#[derive(Debug, Clone, Deserialize)]
#[serde(default, bound(deserialize = "T: lenient::Read<'de>"))]
pub(crate) struct Results<T> {
    #[serde(deserialize_with = "lenient")]
    pub(crate) results: Option<Vec<T>>,
}

impl<T> Default for Results<T> {
    fn default() -> Self {
        Self { results: None }
    }
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
pub(crate) struct Keywords<'a> {
    #[serde(deserialize_with = "lenient")]
    pub(crate) keywords: Option<Vec<Named<'a>>>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
pub(crate) struct Translations<'a> {
    #[serde(deserialize_with = "lenient")]
    pub(crate) translations: Option<Vec<Translation<'a>>>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
pub(crate) struct Titles<'a> {
    #[serde(deserialize_with = "lenient")]
    pub(crate) titles: Option<Vec<AlternativeTitle<'a>>>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
pub(crate) struct Providers<'a> {
    #[serde(deserialize_with = "lenient")]
    pub(crate) results: Option<BTreeMap<Cow<'a, str>, RegionOffers<'a>>>,
}

/// What stands in a region, by its key.
type RegionOffers<'a> = BTreeMap<Cow<'a, str>, Offer<'a>>;

/// What stands in a region under one key: a link, or those who offer the movie in one way.
#[derive(Debug, Clone)]
pub(crate) enum Offer<'a> {
    Link(Cow<'a, str>),
    Providers(Vec<Provider<'a>>),
}

impl<'de> lenient::Read<'de> for Offer<'de> {
    fn of_text(text: Cow<'de, str>) -> Option<Self> {
        Cow::of_text(text).map(Self::Link)
    }

    fn of_list<A: serde::de::SeqAccess<'de>>(list: A) -> Result<Option<Self>, A::Error> {
        Ok(Vec::of_list(list)?.map(Self::Providers))
    }
}

impl<'a> Object<'a> for Answer<'a> {}
impl<'a> Object<'a> for Named<'a> {}
impl<'a> Object<'a> for Place<'a> {}
impl Object<'_> for Row {}
impl<'a> Object<'a> for Credits<'a> {}
impl<'a, T: lenient::Read<'a>> Object<'a> for Results<T> {}
impl<'a> Object<'a> for Keywords<'a> {}
impl<'a> Object<'a> for Translations<'a> {}
impl<'a> Object<'a> for Titles<'a> {}
impl<'a> Object<'a> for Providers<'a> {}

impl<'a> Answer<'a> {
    /// Reads a body.
    ///
    /// # Errors
    /// It is not a JSON object.
    pub(crate) fn read(body: &'a str) -> Result<Self, AnswerError> {
        let read: Lenient<Self> =
            serde_json::from_str(body).map_err(|e| AnswerError::Malformed(e.to_string()))?;
        read.0.ok_or_else(|| AnswerError::Malformed("it is no JSON object".to_owned()))
    }

    /// The parts and lists that it lacks, by their keys: their stored values stay.
    pub(crate) fn lacks(&self) -> Vec<&'static str> {
        let has_lists = [
            self.genres.is_some(),
            self.spoken_languages.is_some(),
            self.production_companies.is_some(),
            self.production_countries.is_some(),
            self.belongs_to_collection.is_some(),
        ];
        let all = PARTS.into_iter().zip(self.has_parts());
        let all = all.chain(LISTS.into_iter().zip(has_lists));
        all.filter(|(_, is_there)| !is_there).map(|(name, _)| name).collect()
    }

    /// In the order of [`PARTS`].
    fn has_parts(&self) -> [bool; PARTS.len()] {
        let credits = self.credits.as_ref();
        [
            credits.is_some_and(|c| c.cast.is_some() && c.crew.is_some()),
            list(self.videos.as_ref()).is_some(),
            list(self.similar.as_ref()).is_some(),
            list(self.recommendations.as_ref()).is_some(),
            list(self.release_dates.as_ref()).is_some(),
            self.images.is_some(),
            self.keywords.as_ref().is_some_and(|k| k.keywords.is_some()),
            self.providers.as_ref().is_some_and(|p| p.results.is_some()),
            self.external_ids.is_some(),
            self.translations.as_ref().is_some_and(|t| t.translations.is_some()),
            self.alternative_titles.as_ref().is_some_and(|t| t.titles.is_some()),
        ]
    }
}

/// The rows of a part.
pub(crate) fn list<T>(part: Option<&Results<T>>) -> Option<&Vec<T>> {
    part?.results.as_ref()
}
