//! One generated movie: the values its body, its list rows and its parts are rendered from.
//!
//! The rates of odd values (empty, zero, missing) follow what was measured over real answers.

// Writing to a String cannot fail: the results of `write!` are ignored.
use std::fmt::Write as _;

use time::{Date, Duration};

use super::ids::{Catalogue, NOW_PLAYING_DAYS, UPCOMING_DAYS, YEARS};
use super::known::{self, KNOWN, Known};
use super::random::Random;
use super::words::{
    ADJECTIVES, COUNTRIES, Country, EVENTS, GENRES, Genre, LANGUAGES, Language, NOUNS, ORIGINALS,
    OUTCOMES, PEOPLE, PLACES, TAGLINES,
};

const USA: Country = Country { code: "US", name: "United States of America" };
const ENGLISH: Language = Language { code: "en", name: "English", english_name: "English" };

/// The catalogue's link to IMDb, with both ways of having none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Imdb {
    /// Sent as null.
    Null,
    /// Sent as an empty string.
    Empty,
    /// A real one.
    Id(String),
}

impl Imdb {
    /// The id, where there is one.
    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Self::Null | Self::Empty => None,
            Self::Id(id) => Some(id),
        }
    }
}

/// The values of one movie, before rendering.
#[derive(Debug, Clone)]
pub(crate) struct Movie {
    pub(crate) id: u64,
    pub(crate) title: String,
    pub(crate) original_title: String,
    pub(crate) language: Language,
    pub(crate) country: Country,
    pub(crate) overview: String,
    pub(crate) tagline: &'static str,
    pub(crate) homepage: String,
    pub(crate) release_date: Option<Date>,
    /// Minutes, 0 where unknown.
    pub(crate) runtime: u64,
    /// Dollars, 0 where unknown.
    pub(crate) budget: u64,
    /// Dollars, 0 where unknown; may pass 2^31.
    pub(crate) revenue: u64,
    pub(crate) genres: Vec<Genre>,
    pub(crate) poster: Option<String>,
    pub(crate) backdrop: Option<String>,
    pub(crate) imdb_id: Imdb,
    pub(crate) popularity: f64,
    pub(crate) vote_average: f64,
    pub(crate) vote_count: u64,
    pub(crate) status: &'static str,
    /// True for extras and compilations.
    pub(crate) video: bool,
}

impl Catalogue {
    /// The movie of an id; an id that does not exist gives one all the same, so ask
    /// [`Catalogue::exists`] first.
    pub(crate) fn movie(&self, id: u64) -> Movie {
        let index = self.index_of(id).unwrap_or(id);
        let mut random = Random::new(self.seed, id);
        let language = language(&mut random);
        let title = title(&mut random);
        let release_date = self.release_date(index, &mut random);
        let unreleased = release_date.is_none_or(|date| date > self.today);
        let (vote_average, vote_count) = self.votes(index, unreleased, &mut random);
        let movie = Movie {
            id,
            original_title: original_title(&title, language.code, &mut random),
            overview: overview(&title, &mut random),
            tagline: if random.chance(380) { "" } else { random.pick(TAGLINES) },
            homepage: if random.chance(450) {
                String::new()
            } else {
                format!("https://movies.example/{id}")
            },
            country: if language.code == ENGLISH.code && random.chance(800) {
                USA
            } else {
                random.pick(COUNTRIES)
            },
            title,
            language,
            release_date,
            runtime: if random.chance(46) { 0 } else { 70 + random.below(50) + random.below(50) },
            budget: if random.chance(510) { 0 } else { (1 + random.below(200)) * 500_000 },
            revenue: revenue(unreleased, &mut random),
            genres: genres(&mut random),
            poster: (!random.chance(24)).then(|| image_path(&mut random)),
            backdrop: (!random.chance(105)).then(|| image_path(&mut random)),
            imdb_id: self.imdb_id(id, index, &mut random),
            popularity: self.popularity(index),
            vote_average,
            vote_count,
            status: if unreleased {
                random.pick(&["Post Production", "Planned", "In Production", "Rumored"])
            } else {
                "Released"
            },
            video: random.chance(10),
        };
        match known::find(id) {
            Some(known) => well_known(movie, known),
            None => movie,
        }
    }

    /// The movies with this IMDb id: mostly one, now and then two, often none.
    pub(crate) fn by_imdb(&self, imdb_id: &str) -> Vec<u64> {
        let known = KNOWN.iter().filter(|known| known.imdb_id == imdb_id).map(|known| known.id);
        let owner = imdb_owner(imdb_id);
        let next = owner.and_then(|id| self.index_of(id)).map(|index| self.nth(index + 1));
        let generated = owner
            .into_iter()
            .chain(next)
            .filter(|id| self.index_of(*id).is_some() && known::find(*id).is_none());
        known
            .chain(generated.filter(|id| self.movie(*id).imdb_id.text() == Some(imdb_id)))
            .collect()
    }

    fn release_date(&self, index: u64, random: &mut Random) -> Option<Date> {
        let (upcoming, playing) = (self.upcoming(), self.now_playing());
        let from_end = self.movies.saturating_sub(index + 1);
        if from_end < upcoming {
            return Some(self.today.saturating_add(days(1 + random.below(UPCOMING_DAYS))));
        }
        if from_end < upcoming + playing {
            return Some(self.today.saturating_sub(days(random.below(NOW_PLAYING_DAYS))));
        }
        // The square puts more movies into recent years, as in reality.
        let share = random.unit() * random.unit();
        let back = (share * (YEARS * 365 - NOW_PLAYING_DAYS) as f64) as u64 + NOW_PLAYING_DAYS;
        (!random.chance(3)).then(|| self.today.saturating_sub(days(back)))
    }

    fn popularity(&self, index: u64) -> f64 {
        let rank = self.popular.rank_of(index) as f64;
        rounded(0.05 + 400.0 / (1.0 + rank / 12.0).powf(0.9), 10_000.0)
    }

    /// Votes follow the order of `top_rated`; its last 7.7 % and most unreleased movies have none.
    fn votes(&self, index: u64, unreleased: bool, random: &mut Random) -> (f64, u64) {
        let share = self.rated.rank_of(index) as f64 / self.movies as f64;
        if share >= 0.923 || (unreleased && share > 0.5) {
            return (0.0, 0);
        }
        let count = 1 + (25_000.0 * (1.0 - share).powi(6)) as u64 + random.below(40);
        (rounded(8.7 - 5.5 * share.powf(0.6), 1_000.0), count)
    }

    fn imdb_id(&self, id: u64, index: u64, random: &mut Random) -> Imdb {
        if random.chance(32) {
            return Imdb::Null;
        }
        if random.chance(5) {
            return Imdb::Empty;
        }
        // Now and then two entries claim the same film: this one and the id before it.
        let owner = if index > 0 && random.chance(3) { self.nth(index - 1) } else { id };
        let owner = if known::find(owner).is_some() { id } else { owner };
        Imdb::Id(format!("tt{:07}", IMDB_BASE + owner * IMDB_STEP))
    }
}

const IMDB_BASE: u64 = 2_000_000;
const IMDB_STEP: u64 = 11;

/// The id an invented IMDb id was derived from.
fn imdb_owner(imdb_id: &str) -> Option<u64> {
    let number: u64 = imdb_id.strip_prefix("tt")?.parse().ok()?;
    let distance = number.checked_sub(IMDB_BASE)?;
    distance.is_multiple_of(IMDB_STEP).then_some(distance / IMDB_STEP)
}

/// A path as the image host names files.
pub(crate) fn image_path(random: &mut Random) -> String {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789ab";
    let mut path = String::with_capacity(32);
    path.push('/');
    for _ in 0..3 {
        let mut bits = random.next();
        for _ in 0..9 {
            let letter = LETTERS.get((bits & 63) as usize).copied().unwrap_or(b'x');
            path.push(char::from(letter));
            bits >>= 6;
        }
    }
    path.push_str(".jpg");
    path
}

/// Rounds to a number of steps per unit.
pub(crate) fn rounded(value: f64, steps: f64) -> f64 {
    (value * steps).round() / steps
}

fn well_known(movie: Movie, known: &Known) -> Movie {
    let mut random = Random::new(known.id, 1);
    Movie {
        title: known.title.to_owned(),
        original_title: known.title.to_owned(),
        language: ENGLISH,
        country: USA,
        overview: format!(
            "The story of {} as the simulator tells it: {} {}.",
            known.title,
            random.pick(PEOPLE),
            random.pick(EVENTS)
        ),
        release_date: Some(known.release_date),
        runtime: known.runtime,
        budget: known.budget,
        revenue: known.revenue,
        imdb_id: Imdb::Id(known.imdb_id.to_owned()),
        poster: Some(image_path(&mut random)),
        backdrop: Some(image_path(&mut random)),
        genres: vec![Genre { id: 18, name: "Drama" }, Genre { id: 28, name: "Action" }],
        popularity: 420.5,
        vote_average: 8.4,
        vote_count: 25_000 + known.id % 1_000,
        status: "Released",
        video: false,
        ..movie
    }
}

fn days(count: u64) -> Duration {
    Duration::days(i64::try_from(count).unwrap_or(0))
}

fn language(random: &mut Random) -> Language {
    if random.chance(600) {
        LANGUAGES.first().copied().unwrap_or_default()
    } else {
        random.pick(LANGUAGES)
    }
}

fn title(random: &mut Random) -> String {
    let (adjective, noun) = (random.pick(ADJECTIVES), random.pick(NOUNS));
    match random.below(8) {
        0 => format!("{adjective} {noun}"),
        1 => format!("The {adjective} {noun}"),
        2 => format!("{noun} of {}", random.pick(PLACES)),
        3 => format!("{adjective} {} & {noun}", random.pick(NOUNS)),
        4 => format!("The {noun} {}", 2 + random.below(4)),
        5 => format!("{noun}: {adjective} {}", random.pick(NOUNS)),
        6 => format!("{adjective} in {}", random.pick(PLACES)),
        _ => format!("A {noun} from {}", random.pick(PLACES)),
    }
}

fn original_title(title: &str, code: &str, random: &mut Random) -> String {
    let titles =
        ORIGINALS.iter().find(|(language, _)| *language == code).map(|(_, titles)| *titles);
    titles.map_or_else(|| title.to_owned(), |titles| random.pick(titles).to_owned())
}

fn overview(title: &str, random: &mut Random) -> String {
    if random.chance(30) {
        return String::new();
    }
    let mut text = String::with_capacity(400);
    for _ in 0..=random.below(3) {
        let _ = write!(
            text,
            "In {}, {} {}. {} ",
            random.pick(PLACES),
            random.pick(PEOPLE),
            random.pick(EVENTS),
            random.pick(OUTCOMES)
        );
    }
    match random.below(1_000) {
        0 => text.push_str("\r\n\r\nRestored in 4K."),
        1 => text.push_str("\u{200b}Festival cut."),
        2..=6 => text.push_str("Running\u{a0}time\u{a0}varies."),
        7..=30 => {
            let _ = write!(text, "“{title}” – an unforgettable film… 🎬");
        }
        _ => text.truncate(text.trim_end().len()),
    }
    text
}

fn revenue(unreleased: bool, random: &mut Random) -> u64 {
    if unreleased || random.chance(480) {
        return 0;
    }
    if random.chance(2) {
        2_200_000_000 + random.below(700_000_000)
    } else {
        random.below(300_000_000)
    }
}

fn genres(random: &mut Random) -> Vec<Genre> {
    if random.chance(10) {
        return Vec::new();
    }
    let mut genres: Vec<Genre> = (0..=random.below(3)).map(|_| random.pick(GENRES)).collect();
    genres.sort_unstable();
    genres.dedup();
    genres
}
