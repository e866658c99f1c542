//! The fields that a diff may name.

/// How a field differs: see [`crate::FieldChange`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldShape {
    /// `{old, new}`.
    Scalar,
    /// `{added, removed, omitted?}`.
    List,
}

impl FieldShape {
    /// As the documentation writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Scalar => "`{old, new}`",
            Self::List => "`{added, removed}`",
        }
    }
}

/// A field that a diff may name.
#[derive(Debug, Clone, Copy)]
pub struct DiffField {
    /// Its name.
    pub name: &'static str,
    /// Its shape, always.
    pub shape: FieldShape,
    /// For people.
    pub meaning: &'static str,
}

const fn scalar(name: &'static str, meaning: &'static str) -> DiffField {
    DiffField { name, shape: FieldShape::Scalar, meaning }
}

const fn list(name: &'static str, meaning: &'static str) -> DiffField {
    DiffField { name, shape: FieldShape::List, meaning }
}

/// All of them, in the order of the alphabet. Votes, popularity and similar movies are no change.
pub const DIFF_FIELDS: [DiffField; 38] = [
    scalar("adult", "whether it is for adults"),
    list("alternative_titles", "its other titles"),
    scalar("backdrop_path", "path of the backdrop at TMDB"),
    list("backdrops", "all backdrops"),
    scalar("budget", "US dollars"),
    list("cast_members", "cast, each credit once"),
    scalar("certification", "certificate of the configured region"),
    scalar("collection", "the collection that it is in: id, name, images"),
    list("crew_members", "crew, each credit once"),
    scalar("external_ids", "its ids elsewhere: IMDb, Wikidata, Facebook, Instagram, Twitter"),
    list("genres", "names of genres"),
    scalar("homepage", "its home page"),
    scalar("imdb_id", "IMDb's id"),
    list("keywords", "keywords"),
    list("logos", "all logos"),
    list("origin_country", "ISO 3166-1"),
    scalar("original_language", "ISO 639-1"),
    scalar("original_title", "title in the original language"),
    scalar("overview", "plot"),
    scalar("poster_path", "path of the poster at TMDB"),
    list("posters", "all posters"),
    list("production_companies", "companies"),
    list("production_countries", "names of countries"),
    scalar("release_date", "`YYYY-MM-DD`"),
    list("release_dates", "releases by country"),
    scalar("revenue_worldwide", "US dollars"),
    scalar("runtime_minutes", "minutes"),
    scalar("softcore", "TMDB's word for what is not quite for adults"),
    list("spoken_languages", "English names of languages"),
    scalar("status", "TMDB's word, such as `Released`"),
    list("streaming", "where to watch it, by region"),
    scalar("tagline", "one line"),
    scalar("title", "title in the configured language"),
    scalar("tmdb_id", "number at TMDB"),
    scalar("trailer_youtube_id", "YouTube key of the trailer"),
    list("trailers", "all trailers and clips"),
    list("translations", "its texts in other languages"),
    scalar("video", "whether it is a video and no movie"),
];
