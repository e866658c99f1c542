//! The parts `append_to_response` may add to a movie.

// Writing to a String cannot fail: the results of `write!` are ignored.
use std::fmt::Write as _;

use super::json;
use super::pool::{Pool, Pools};
use crate::catalogue::{COUNTRIES, Movie, Random};

/// A part that can be appended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Credits,
    Videos,
    Similar,
    Recommendations,
    ReleaseDates,
    Images,
    Keywords,
    WatchProviders,
    ExternalIds,
    Translations,
    AlternativeTitles,
}

impl Part {
    const ALL: [Self; 11] = [
        Self::Credits,
        Self::Videos,
        Self::Similar,
        Self::Recommendations,
        Self::ReleaseDates,
        Self::Images,
        Self::Keywords,
        Self::WatchProviders,
        Self::ExternalIds,
        Self::Translations,
        Self::AlternativeTitles,
    ];

    /// The name in the request and the key in the answer.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Credits => "credits",
            Self::Videos => "videos",
            Self::Similar => "similar",
            Self::Recommendations => "recommendations",
            Self::ReleaseDates => "release_dates",
            Self::Images => "images",
            Self::Keywords => "keywords",
            Self::WatchProviders => "watch/providers",
            Self::ExternalIds => "external_ids",
            Self::Translations => "translations",
            Self::AlternativeTitles => "alternative_titles",
        }
    }

    /// True for the name of a part.
    pub(crate) fn is_name(name: &str) -> bool {
        Self::ALL.into_iter().any(|part| part.name() == name)
    }

    /// The parts of these names, each once; unknown names are ignored, as the upstream does.
    pub(crate) fn parse<'a>(names: impl Iterator<Item = &'a str>) -> Vec<Self> {
        let mut parts = Vec::new();
        for part in names.filter_map(|name| Self::ALL.into_iter().find(|part| part.name() == name))
        {
            if !parts.contains(&part) {
                parts.push(part);
            }
        }
        parts
    }
}

/// How long the lists of a movie are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    /// A few rows: what hardly anybody watches.
    Obscure,
    Usual,
    /// The few movies whose bodies reach about 300 KB.
    Huge,
}

impl Extent {
    /// A list's number of rows, out of the usual one.
    fn rows(self, usual: u64) -> u64 {
        match self {
            Self::Obscure => usual / OBSCURE_DIVISOR,
            Self::Usual => usual,
            Self::Huge => usual * HUGE_SCALE,
        }
    }

    /// The same for lists that are of usual length even where a movie is huge.
    fn rows_at_most_usual(self, usual: u64) -> u64 {
        self.rows(usual).min(usual)
    }
}

/// How much shorter than usual the lists of an obscure movie are.
const OBSCURE_DIVISOR: u64 = 12;
/// How much longer than usual the lists of a huge movie are.
const HUGE_SCALE: u64 = 7;

/// What parts are rendered of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Subject<'a> {
    pub(super) movie: &'a Movie,
    pub(super) extent: Extent,
    pub(super) pools: &'a Pools,
}

/// Appends the value of one part.
pub(super) fn render(out: &mut String, part: Part, subject: Subject<'_>, random: &mut Random) {
    let Subject { movie, extent, pools } = subject;
    match part {
        Part::Credits => credits(out, subject, random),
        Part::Videos => {
            let count = extent.rows_at_most_usual(random.below(18));
            let _ = write!(out, "{{\"results\":[{}]}}", pools.videos.run(count, random));
        }
        Part::Similar => page(out, &pools.similar, 20, random),
        Part::Recommendations => recommendations(out, subject, random),
        Part::ReleaseDates => release_dates(out, subject, random),
        Part::Images => images(out, subject, random),
        Part::Keywords => {
            let count = extent.rows_at_most_usual(random.below(24));
            let _ = write!(out, "{{\"keywords\":[{}]}}", pools.keywords.run(count, random));
        }
        Part::WatchProviders => out.push_str(pools.providers.one(random.next())),
        Part::ExternalIds => external_ids(out, movie, random),
        Part::Translations => {
            let count = extent.rows_at_most_usual(5 + random.below(40));
            let _ = write!(out, "{{\"translations\":[{}]}}", pools.translations.run(count, random));
        }
        Part::AlternativeTitles => alternative_titles(out, movie, random),
    }
}

fn credits(out: &mut String, subject: Subject<'_>, random: &mut Random) {
    let Subject { extent, pools, .. } = subject;
    let cast = if random.chance(50) { 0 } else { extent.rows(10 + random.below(80)) };
    let crew = if random.chance(30) { 0 } else { extent.rows(10 + random.below(120)) };
    let (first, gap, twice) = (random.next() >> 1, random.chance(34), random.chance(17));
    let tag = random.next();
    out.push_str("{\"cast\":");
    json::list(out, 0..cast, |out, number| {
        // A repeated row keeps its person and credit, as the real doubles do.
        let credit = if twice && number == 1 { 0 } else { number };
        let order = if gap && number > 2 { number + 3 } else { number };
        let character = if random.chance(10) { "" } else { random.pick(CHARACTERS) };
        out.push_str(pools.cast.one(first + credit));
        let _ = write!(out, ",\"cast_id\":{},\"character\":\"{character}\"", number + 4);
        let _ = write!(out, ",\"credit_id\":\"52fe{tag:016x}{credit:04x}\",\"order\":{order}}}");
    });
    out.push_str(",\"crew\":");
    json::list(out, 0..crew, |out, number| {
        out.push_str(pools.crew.one(first + number));
        let _ = write!(out, ",\"credit_id\":\"5bd0{tag:016x}{number:04x}\"}}");
    });
    out.push('}');
}

const CHARACTERS: &[&str] = &[
    "Self",
    "The Stranger",
    "Dr. Weiss",
    "Maria",
    "Old Man (voice)",
    "Inspector Lamb",
    "Jo / Narrator",
    "Café Owner",
    "Agent #3",
];

fn page(out: &mut String, rows: &Pool, count: u64, random: &mut Random) {
    let total = count + random.below(60_000);
    let _ = write!(out, "{{\"page\":1,\"results\":[{}]", rows.run(count, random));
    let _ = write!(out, ",\"total_pages\":{},\"total_results\":{total}}}", total.div_ceil(20));
}

/// Recommendations are missing for obscure movies, and one page may hold 21 rows.
fn recommendations(out: &mut String, subject: Subject<'_>, random: &mut Random) {
    let Subject { extent, pools, .. } = subject;
    let count = if random.chance(400) { 0 } else { 20 + random.below(2) };
    if count == 0 || extent == Extent::Obscure {
        out.push_str("{\"page\":1,\"results\":[],\"total_pages\":1,\"total_results\":0}");
    } else {
        page(out, &pools.recommended, count, random);
    }
}

fn images(out: &mut String, subject: Subject<'_>, random: &mut Random) {
    let Subject { extent, pools, .. } = subject;
    let backdrops = extent.rows(random.below(40));
    let logos = extent.rows_at_most_usual(random.below(16));
    let posters = extent.rows(random.below(60));
    let _ = write!(out, "{{\"backdrops\":[{}]", pools.backdrops.run(backdrops, random));
    let _ = write!(out, ",\"logos\":[{}]", pools.logos.run(logos, random));
    let _ = write!(out, ",\"posters\":[{}]}}", pools.posters.run(posters, random));
}

fn release_dates(out: &mut String, subject: Subject<'_>, random: &mut Random) {
    let Subject { movie, extent, .. } = subject;
    let usual = random.below(COUNTRIES.len() as u64);
    let count = usize::try_from(1 + extent.rows_at_most_usual(usual)).unwrap_or(0);
    let first = movie.release_date.map(|date| date.to_string());
    out.push_str("{\"results\":");
    let countries = COUNTRIES.iter().take(if first.is_some() { count } else { 0 });
    json::list(out, countries, |out, country| {
        let _ = write!(out, "{{\"iso_3166_1\":\"{}\",\"release_dates\":", country.code);
        json::list(out, 0..=random.below(2), |out, _| {
            release_date(out, first.as_deref().unwrap_or_default(), random);
        });
        out.push('}');
    });
    out.push('}');
}

fn release_date(out: &mut String, date: &str, random: &mut Random) {
    let certification =
        if random.chance(470) { "" } else { random.pick(&["PG-13", "R", "12", "16", "U", "18+"]) };
    let _ = write!(out, "{{\"certification\":\"{certification}\",\"descriptors\":[]");
    out.push_str(",\"iso_639_1\":\"\",\"note\":\"\"");
    let kind = 1 + random.below(6);
    let _ = write!(out, ",\"release_date\":\"{date}T00:00:00.000Z\",\"type\":{kind}}}");
}

fn external_ids(out: &mut String, movie: &Movie, random: &mut Random) {
    out.push_str("{\"imdb_id\":");
    json::optional(out, movie.imdb_id.text());
    let wikidata = (!random.chance(300)).then(|| format!("Q{}", 100_000 + movie.id));
    json::optional_field(out, "wikidata_id", wikidata.as_deref());
    out.push_str(",\"facebook_id\":null,\"instagram_id\":null,\"twitter_id\":null}");
}

fn alternative_titles(out: &mut String, movie: &Movie, random: &mut Random) {
    out.push_str("{\"titles\":");
    json::list(out, 0..random.below(5), |out, number| {
        let _ = write!(out, "{{\"iso_3166_1\":\"{}\"", random.pick(COUNTRIES).code);
        json::text_field(out, "title", &format!("{} ({})", movie.title, number + 1));
        out.push_str(",\"type\":\"\"}");
    });
    out.push('}');
}
