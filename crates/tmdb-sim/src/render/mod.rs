//! Bodies of generated movies, by concatenation: fixed text, a movie's values, runs copied from the
//! pools.

pub(crate) mod json;
mod parts;
mod pool;
mod row;

// Writing to a String cannot fail: the results of `write!` are ignored.
use std::fmt::Write as _;

pub(crate) use parts::Part;
pub(crate) use pool::Pools;
pub(crate) use row::row;

use parts::{Extent, Subject};

use crate::catalogue::{Catalogue, Country, Imdb, Language, Movie, Random, image_path, mix};

/// One movie in so many is huge.
const HUGE_EVERY: u64 = 50;

/// Renders movies of one catalogue.
#[derive(Debug)]
pub(crate) struct Renderer {
    pools: Pools,
    /// Obscure movies in a thousand.
    obscure: u64,
}

impl Renderer {
    /// Prepares the pools; so many of a thousand movies have short lists.
    pub(crate) fn new(catalogue: &Catalogue, obscure: u64) -> Self {
        Self { pools: Pools::new(catalogue), obscure }
    }

    /// The body of `movie/{id}` with the parts asked for.
    pub(crate) fn detail(&self, catalogue: &Catalogue, movie: &Movie, wanted: &[Part]) -> String {
        let mut out = String::with_capacity(if wanted.is_empty() { 4_096 } else { 131_072 });
        let subject = Subject { movie, extent: self.extent(catalogue, movie), pools: &self.pools };
        self.top(&mut out, movie, &mut Random::new(mix(catalogue.seed(), movie.id), 1));
        for part in wanted {
            let _ = write!(out, ",\"{}\":", part.name());
            // A part has its own stream, so that it does not depend on the others asked for.
            let mut random = Random::new(mix(catalogue.seed(), movie.id), 100 + *part as u64);
            parts::render(&mut out, *part, subject, &mut random);
        }
        out.push('}');
        out
    }

    fn extent(&self, catalogue: &Catalogue, movie: &Movie) -> Extent {
        if Random::new(mix(catalogue.seed(), movie.id), 2).chance(self.obscure) {
            Extent::Obscure
        } else if movie.id % HUGE_EVERY == 3 {
            Extent::Huge
        } else {
            Extent::Usual
        }
    }

    fn top(&self, out: &mut String, movie: &Movie, random: &mut Random) {
        out.push_str("{\"adult\":false");
        json::optional_field(out, "backdrop_path", movie.backdrop.as_deref());
        collection(out, random);
        let _ = write!(out, ",\"budget\":{},\"genres\":", movie.budget);
        json::list(out, &movie.genres, |out, genre| {
            let _ = write!(out, "{{\"id\":{},\"name\":\"{}\"}}", genre.id, genre.name);
        });
        json::text_field(out, "homepage", &movie.homepage);
        let _ = write!(out, ",\"id\":{}", movie.id);
        imdb_field(out, movie);
        let _ = write!(out, ",\"origin_country\":[\"{}\"]", movie.country.code);
        json::text_field(out, "original_language", movie.language.code);
        json::text_field(out, "original_title", &movie.original_title);
        json::text_field(out, "overview", &movie.overview);
        let _ = write!(out, ",\"popularity\":{:?}", movie.popularity);
        json::optional_field(out, "poster_path", movie.poster.as_deref());
        let companies = if random.chance(62) { 0 } else { 1 + random.below(5) };
        let _ = write!(
            out,
            ",\"production_companies\":[{}]",
            self.pools.companies.run(companies, random)
        );
        out.push_str(",\"production_countries\":");
        json::list(out, (!random.chance(42)).then_some(movie.country), |out, country| {
            let Country { code, name } = country;
            let _ = write!(out, "{{\"iso_3166_1\":\"{code}\",\"name\":\"{name}\"}}");
        });
        json::text_field(
            out,
            "release_date",
            &movie.release_date.map(|date| date.to_string()).unwrap_or_default(),
        );
        let _ = write!(
            out,
            ",\"revenue\":{},\"runtime\":{},\"softcore\":false",
            movie.revenue, movie.runtime
        );
        out.push_str(",\"spoken_languages\":");
        json::list(out, (!random.chance(30)).then_some(movie.language), |out, language| {
            let Language { code, name, english_name } = language;
            let _ = write!(out, "{{\"english_name\":\"{english_name}\",\"iso_639_1\":\"{code}\"");
            let _ = write!(out, ",\"name\":\"{name}\"}}");
        });
        json::text_field(out, "status", movie.status);
        json::text_field(out, "tagline", movie.tagline);
        json::text_field(out, "title", &movie.title);
        let _ = write!(
            out,
            ",\"video\":{},\"vote_average\":{:?},\"vote_count\":{}",
            movie.video, movie.vote_average, movie.vote_count
        );
    }
}

fn imdb_field(out: &mut String, movie: &Movie) {
    let empty = movie.imdb_id == Imdb::Empty;
    json::optional_field(out, "imdb_id", if empty { Some("") } else { movie.imdb_id.text() });
}

fn collection(out: &mut String, random: &mut Random) {
    if random.chance(650) {
        out.push_str(",\"belongs_to_collection\":null");
        return;
    }
    let id = 10 + random.below(5_000);
    let poster = (!random.chance(60)).then(|| image_path(random));
    let _ =
        write!(out, ",\"belongs_to_collection\":{{\"id\":{id},\"name\":\"Collection No. {id}\"");
    json::optional_field(out, "poster_path", poster.as_deref());
    out.push_str(",\"backdrop_path\":null}");
}
