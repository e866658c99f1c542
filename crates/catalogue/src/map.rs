//! From TMDB's answer to the catalogue's movie.

use std::{borrow::Cow, cmp::Reverse, collections::HashSet};

use proto::TmdbId;

use crate::{
    answer::{Answer, Offer, Place, Providers, list},
    movie::{Movie, Rating},
    parts::{
        CastMember, CountryReleases, Offers, Text, TranslatedTexts, Translation, Video,
        one_notation,
    },
};

/// The version of the mapping. A title that was mapped by another is written again at its next
/// look, changed or not.
pub const MAPPING_VERSION: i16 = 2;

/// Longest id of IMDb that is accepted; today they have 9 or 10 characters.
const IMDB_ID_MAX_CHARS: usize = 16;
/// `YYYY-MM-DD`.
const DATE_CHARS: usize = 10;
/// TMDB's scale of votes.
const SCALE: std::ops::RangeInclusive<f64> = 0.0..=10.0;
/// Far above any that was measured.
const POPULARITY_MAX: f64 = 1e12;
/// Types of a release, in the order in which their certificates count.
const THEATRICAL: i64 = 3;
const LIMITED: i64 = 2;

/// What the mapping prefers.
#[derive(Debug, Clone)]
pub struct MapOptions {
    /// Language of titles and texts, as `en-US`.
    pub language: String,
    /// Region of the certificate.
    pub region: String,
    /// Regions of the streaming offers.
    pub streaming_regions: Vec<String>,
}

/// The movie that an answer is about.
pub(crate) fn movie<'a>(answer: Answer<'a>, id: TmdbId, options: &'a MapOptions) -> Movie<'a> {
    let votes = answer.vote_count.unwrap_or(0).max(0);
    let votes_average = answer.vote_average.filter(|v| votes > 0 && SCALE.contains(v));
    let release_dates = answer.release_dates.and_then(|r| r.results);
    let language = options.language.split('-').next();
    let own_language = answer.original_language.as_deref();
    let videos = answer.videos.and_then(|videos| videos.results);
    let videos = videos.map(|videos| shown(videos, [language, own_language]));
    let trailer = videos.as_ref().and_then(|v| trailer(v, [language, own_language])).cloned();
    let similar = list(answer.similar.as_ref()).map(|rows| {
        let ids = rows.iter().filter_map(|row| TmdbId::try_from(row.id?).ok());
        let mut seen = HashSet::from([id]);
        ids.filter(|id| seen.insert(*id)).collect()
    });
    let translations = answer.translations.and_then(|t| t.translations);
    let languages = ranked(translations.as_deref(), &options.language, own_language);
    let (cast, crew) = answer.credits.map(|c| (c.cast, c.crew)).unwrap_or_default();
    let positive = |number: Option<i64>| number.filter(|n| *n > 0);
    Movie {
        tmdb_id: id,
        imdb_id: answer.imdb_id.filter(|id| is_imdb_id(id)),
        title: answer
            .title
            .or_else(|| answer.original_title.clone())
            .unwrap_or_else(|| format!("Untitled TMDB {id}").into()),
        original_title: answer.original_title,
        release_date: answer.release_date.and_then(date_of),
        status: answer.status,
        runtime_minutes: positive(answer.runtime).and_then(|n| i32::try_from(n).ok()),
        tagline: answer.tagline.or_else(|| translated(&languages, |texts| &texts.tagline)),
        overview: answer.overview.or_else(|| translated(&languages, |texts| &texts.overview)),
        genres: answer.genres.map(|genres| genres.into_iter().filter_map(|g| g.name).collect()),
        certification: release_dates.as_ref().and_then(|r| certificate(r, &options.region)),
        poster_path: answer.poster_path,
        backdrop_path: answer.backdrop_path,
        trailer_youtube_id: trailer,
        trailers: videos,
        cast_members: cast.map(billed),
        crew_members: crew,
        keywords: answer
            .keywords
            .and_then(|keywords| keywords.keywords)
            .map(|keywords| keywords.into_iter().filter_map(|k| k.name).collect()),
        streaming: answer.providers.and_then(|p| offers(p, &options.streaming_regions)),
        original_language: answer.original_language,
        spoken_languages: answer.spoken_languages.map(|places| {
            places.into_iter().filter_map(|p| p.english_name.or(p.name).or(p.iso_639_1)).collect()
        }),
        production_companies: answer.production_companies,
        production_countries: answer.production_countries.map(|places| {
            places.into_iter().filter_map(|p: Place<'_>| p.name.or(p.iso_3166_1)).collect()
        }),
        budget: positive(answer.budget),
        revenue_worldwide: positive(answer.revenue),
        collection: answer.belongs_to_collection,
        homepage: answer.homepage,
        adult: answer.adult,
        video: answer.video,
        softcore: answer.softcore,
        origin_country: answer.origin_country,
        images: answer.images,
        external_ids: answer.external_ids,
        translations,
        alternative_titles: answer.alternative_titles.and_then(|t| t.titles),
        release_dates,
        similar,
        rating: Rating { vote_average: votes_average, vote_count: votes },
        popularity: answer.popularity.unwrap_or(0.0).clamp(0.0, POPULARITY_MAX),
        offers_are_kept: false,
    }
}

/// IMDb's form of a title id; TMDB has held other texts there.
#[must_use]
pub fn is_imdb_id(text: &str) -> bool {
    text.len() <= IMDB_ID_MAX_CHARS
        && text
            .strip_prefix("tt")
            .is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
}

/// The date of a day, `YYYY-MM-DD`, also where a time stands behind it.
fn date_of(text: Cow<'_, str>) -> Text<'_> {
    let format = time::macros::format_description!("[year]-[month]-[day]");
    let date = match text.get(..DATE_CHARS) {
        Some(date) if text[DATE_CHARS..].starts_with(['T', ' ']) => date.to_owned().into(),
        Some(_) | None => text,
    };
    time::Date::parse(&date, &format).is_ok_and(|d| d.year() > 0).then_some(date)
}

/// Translations from which a text that the answer lacks is taken, in this order: the configured
/// language as it is spoken in the configured country, in any country, English, the original
/// language; of several countries, the first in the alphabet.
fn ranked<'t, 'a>(
    translations: Option<&'t [Translation<'a>]>,
    configured: &str,
    original: Option<&str>,
) -> Vec<Ranked<'t, 'a>> {
    let (language, country) = configured.split_once('-').unwrap_or((configured, ""));
    let rank = |of: &Translation<'_>| {
        let spoken = of.iso_639_1.as_deref();
        if spoken == Some(language) {
            return Some(u8::from(of.iso_3166_1.as_deref() != Some(country)));
        }
        if spoken == Some("en") {
            return Some(2);
        }
        (spoken.is_some() && spoken == original).then_some(3)
    };
    let ranked = translations.unwrap_or_default().iter().filter_map(|of| {
        let (rank, country) = (rank(of)?, of.iso_3166_1.as_deref());
        Some(Ranked { rank, country, texts: of.data.as_ref()? })
    });
    ranked.collect()
}

/// Texts in a language that is asked for one.
struct Ranked<'t, 'a> {
    /// The lowest is asked first.
    rank: u8,
    country: Option<&'t str>,
    texts: &'t TranslatedTexts<'a>,
}

/// The first of these texts that is there, whatever the order in which they are sent.
fn translated<'a>(
    languages: &[Ranked<'_, 'a>],
    text: impl for<'t> Fn(&'t TranslatedTexts<'a>) -> &'t Text<'a>,
) -> Text<'a> {
    let there = languages.iter().filter_map(|of| Some((of, text(of.texts).as_ref()?)));
    let first = there.min_by_key(|(of, text)| (of.rank, of.country, text.trim()));
    first.map(|(_, text)| text.clone())
}

/// The region's theatrical certificate, then the limited one, then any.
fn certificate<'a>(countries: &[CountryReleases<'a>], region: &str) -> Text<'a> {
    // The first one, whatever the order in which they are sent.
    let of = |wanted: Option<i64>| {
        let country = countries.iter().filter(|c| c.iso_3166_1.as_deref() == Some(region));
        let releases = country.flat_map(|c| c.release_dates.iter().flatten());
        let releases = releases.filter(|r| wanted.is_none() || r.kind == wanted);
        let dated = releases.filter_map(|release| {
            let date = release.release_date.as_deref().map(one_notation);
            Some((date, release.certification.as_ref()?))
        });
        dated.min().map(|(_, certificate)| certificate.clone())
    };
    of(Some(THEATRICAL)).or_else(|| of(Some(LIMITED))).or_else(|| of(None))
}

/// Videos on YouTube in one of these languages, or in none.
fn shown<'a>(mut videos: Vec<Video<'a>>, languages: [Option<&str>; 2]) -> Vec<Video<'a>> {
    videos.retain(|video| {
        let spoken = video.language.as_deref();
        let is_shown = spoken.is_none() || spoken == Some("xx") || languages.contains(&spoken);
        is_shown && video.site.as_deref() == Some("YouTube") && video.key.is_some()
    });
    videos
}

/// The key of the official trailer in the first of these languages, then in the second, then in
/// any; then of unofficial ones, then of teasers.
fn trailer<'v, 'a>(
    videos: &'v [Video<'a>],
    languages: [Option<&str>; 2],
) -> Option<&'v Cow<'a, str>> {
    let rank = |video: &Video<'_>| {
        let kind = match video.kind.as_deref() {
            Some("Trailer") => 0,
            Some("Teaser") => 1,
            Some(_) | None => return None,
        };
        let spoken = video.language.as_deref();
        let preference = languages.iter().position(|l| *l == spoken).unwrap_or(languages.len());
        Some((kind, !video.official.unwrap_or(false), preference))
    };
    // Among equals the newest, whatever the order in which they are sent.
    let ranked = videos.iter().filter_map(|video| {
        let published = Reverse(video.published_at.as_deref().map(one_notation));
        Some((rank(video)?, published, video.key.as_ref()?))
    });
    ranked.min().map(|(_, _, key)| key)
}

/// In billing order, each credit once. Two in one place stand in the order of their credits,
/// whatever the order in which they are sent.
fn billed(mut cast: Vec<CastMember<'_>>) -> Vec<CastMember<'_>> {
    let mut seen = HashSet::new();
    cast.sort_by(|one, other| place(one).cmp(&place(other)));
    cast.retain(|member| member.credit_id.clone().is_none_or(|id| seen.insert(id)));
    cast
}

/// What a member of the cast is sorted by.
fn place<'m>(member: &'m CastMember<'_>) -> impl Ord + use<'m> {
    let texts = [&member.credit_id, &member.name, &member.character, &member.profile_path];
    (member.order.unwrap_or(i64::MAX), texts.map(|text| text.as_deref().map(str::trim)))
}

/// The offers of these regions, in their order.
fn offers<'a>(providers: Providers<'a>, regions: &'a [String]) -> Option<Vec<Offers<'a>>> {
    let mut results = providers.results?;
    let region = |name: &'a String| {
        let mut offers =
            Offers { region: name.into(), link: None, kinds: std::collections::BTreeMap::new() };
        for (kind, offer) in results.remove(name.as_str())? {
            match offer {
                Offer::Link(link) if kind == "link" => offers.link = Some(link),
                // A text under a key that is not known.
                Offer::Link(_) => {}
                Offer::Providers(mut providers) => {
                    providers.retain(|p| p.provider_id.is_some() || p.provider_name.is_some());
                    if !providers.is_empty() {
                        offers.kinds.insert(kind, providers);
                    }
                }
            }
        }
        // A region without an offer is as none.
        (!offers.kinds.is_empty()).then_some(offers)
    };
    Some(regions.iter().filter_map(region).collect())
}
