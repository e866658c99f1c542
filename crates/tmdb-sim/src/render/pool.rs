//! Fragments of bodies, rendered once from the seed and copied into every answer that needs some.

// Writing to a String cannot fail: the results of `write!` are ignored.
use std::fmt::Write as _;

use super::json;
use super::row::row;
use crate::catalogue::{
    COUNTRIES, Catalogue, FIRST_NAMES, JOBS, Job, KEYWORDS, LANGUAGES, LAST_NAMES, Language,
    OUTCOMES, Random, image_path,
};

/// JSON values one after another with commas between, so that any run of them is one copy.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    text: String,
    bounds: Vec<(usize, usize)>,
}

impl Pool {
    /// Renders `count` values.
    pub(crate) fn new(count: u64, mut render: impl FnMut(&mut String, u64)) -> Self {
        let mut pool = Self::default();
        for number in 0..count {
            if number > 0 {
                pool.text.push(',');
            }
            let start = pool.text.len();
            render(&mut pool.text, number);
            pool.bounds.push((start, pool.text.len()));
        }
        pool
    }

    /// A run of up to `count` values that starts at a random place.
    pub(crate) fn run(&self, count: u64, random: &mut Random) -> &str {
        let len = self.bounds.len() as u64;
        let count = count.min(len);
        if count == 0 {
            return "";
        }
        let first = random.below(len - count + 1);
        let start = self.bound(first).0;
        let end = self.bound(first + count - 1).1;
        self.text.get(start..end).unwrap_or_default()
    }

    /// One value by number; numbers past the end wrap around.
    pub(crate) fn one(&self, number: u64) -> &str {
        let (start, end) = self.bound(number.checked_rem(self.bounds.len() as u64).unwrap_or(0));
        self.text.get(start..end).unwrap_or_default()
    }

    fn bound(&self, number: u64) -> (usize, usize) {
        usize::try_from(number)
            .ok()
            .and_then(|number| self.bounds.get(number))
            .copied()
            .unwrap_or_default()
    }
}

/// Width and height of an image, and their ratio as TMDB rounds it.
#[derive(Debug, Clone, Copy)]
struct ImageShape {
    ratio: f64,
    width: u64,
    height: u64,
}

const BACKDROP: ImageShape = ImageShape { ratio: 1.778, width: 3840, height: 2160 };
const POSTER: ImageShape = ImageShape { ratio: 0.667, width: 2000, height: 3000 };
const LOGO: ImageShape = ImageShape { ratio: 2.5, width: 1000, height: 400 };

/// All pools of one simulator.
#[derive(Debug)]
pub(crate) struct Pools {
    /// Opening halves of cast rows; `cast_id`, `character`, `credit_id` and `order` follow.
    pub(crate) cast: Pool,
    /// Opening halves of crew rows; `credit_id` follows.
    pub(crate) crew: Pool,
    pub(crate) backdrops: Pool,
    pub(crate) posters: Pool,
    pub(crate) logos: Pool,
    pub(crate) videos: Pool,
    pub(crate) keywords: Pool,
    pub(crate) companies: Pool,
    pub(crate) translations: Pool,
    /// Whole answers of `watch/providers`.
    pub(crate) providers: Pool,
    /// List rows of existing movies, for `similar`.
    pub(crate) similar: Pool,
    /// The same with `media_type`, for `recommendations`.
    pub(crate) recommended: Pool,
}

impl Pools {
    /// Renders everything; takes some milliseconds.
    pub(crate) fn new(catalogue: &Catalogue) -> Self {
        let random = |salt: u64| Random::new(catalogue.seed(), u64::MAX - salt);
        let neighbour = |number: u64| catalogue.movie(catalogue.rated_at(number * 3));
        Self {
            cast: Pool::new(1_500, |out, number| person(out, number, None, &mut random(number))),
            crew: Pool::new(1_500, |out, number| {
                let mut random = random(10_000 + number);
                let job = random.pick(JOBS);
                person(out, number + 5_000, Some(job), &mut random);
            }),
            backdrops: Pool::new(600, |out, number| {
                image(out, BACKDROP, &mut random(20_000 + number))
            }),
            posters: Pool::new(600, |out, number| image(out, POSTER, &mut random(30_000 + number))),
            logos: Pool::new(200, |out, number| image(out, LOGO, &mut random(40_000 + number))),
            videos: Pool::new(200, |out, number| video(out, &mut random(50_000 + number))),
            keywords: Pool::new(200, |out, number| {
                keyword(out, number, &mut random(60_000 + number))
            }),
            companies: Pool::new(200, |out, number| {
                company(out, number, &mut random(70_000 + number))
            }),
            translations: Pool::new(60, |out, number| {
                translation(out, number, &mut random(80_000 + number))
            }),
            providers: Pool::new(64, |out, number| providers(out, &mut random(90_000 + number))),
            similar: Pool::new(300, |out, number| row(out, &neighbour(number), false)),
            recommended: Pool::new(300, |out, number| row(out, &neighbour(number + 300), true)),
        }
    }
}

fn person(out: &mut String, number: u64, job: Option<Job>, random: &mut Random) {
    let name = format!("{} {}", random.pick(FIRST_NAMES), random.pick(LAST_NAMES));
    let department = job.map_or("Acting", |job| job.department);
    let profile = (!random.chance(270)).then(|| image_path(random));
    let _ =
        write!(out, "{{\"adult\":false,\"gender\":{},\"id\":{}", random.below(4), 1_000 + number);
    json::optional_field(out, "known_for_department", (!random.chance(5)).then_some(department));
    json::text_field(out, "name", &name);
    json::text_field(out, "original_name", &name);
    let _ = write!(out, ",\"popularity\":{:?}", random.below(80_000) as f64 / 10_000.0);
    json::optional_field(out, "profile_path", profile.as_deref());
    if let Some(job) = job {
        json::text_field(out, "department", job.department);
        json::text_field(out, "job", job.title);
    }
}

fn image(out: &mut String, shape: ImageShape, random: &mut Random) {
    let ImageShape { ratio, width, height } = shape;
    let language = if random.chance(400) { None } else { Some(random.pick(LANGUAGES).code) };
    let country = language.map(|_| random.pick(COUNTRIES).code);
    let _ = write!(out, "{{\"aspect_ratio\":{ratio:?},\"height\":{height}");
    json::optional_field(out, "iso_3166_1", country);
    json::optional_field(out, "iso_639_1", language);
    json::text_field(out, "file_path", &image_path(random));
    let _ = write!(
        out,
        ",\"vote_average\":{:?},\"vote_count\":{},\"width\":{width}}}",
        random.below(7_000) as f64 / 1_000.0,
        random.below(30)
    );
}

fn video(out: &mut String, random: &mut Random) {
    let kind =
        random.pick(&["Trailer", "Teaser", "Clip", "Featurette", "Behind the Scenes", "Bloopers"]);
    let site = if random.chance(30) { "Vimeo" } else { "YouTube" };
    let (key, id) = (random.next(), random.next());
    out.push_str("{\"iso_639_1\":\"en\",\"iso_3166_1\":\"US\"");
    let _ = write!(out, ",\"name\":\"Official {kind}\",\"key\":\"{:011x}\"", key >> 20);
    let size = random.pick(&[360_u64, 480, 720, 1080, 2160]);
    let _ = write!(
        out,
        ",\"site\":\"{site}\",\"size\":{size},\"type\":\"{kind}\",\"official\":{}",
        !random.chance(200)
    );
    let _ = write!(
        out,
        ",\"published_at\":\"20{:02}-{:02}-14T16:00:09.000Z\"",
        10 + random.below(16),
        1 + random.below(12)
    );
    let _ = write!(out, ",\"id\":\"64e5b1a2{id:016x}\"}}");
}

fn keyword(out: &mut String, number: u64, random: &mut Random) {
    let _ = write!(out, "{{\"id\":{}", 200 + number * 37);
    json::text_field(out, "name", random.pick(KEYWORDS));
    out.push('}');
}

fn company(out: &mut String, number: u64, random: &mut Random) {
    let logo = (!random.chance(300)).then(|| image_path(random));
    let _ = write!(out, "{{\"id\":{}", 5 + number * 13);
    json::optional_field(out, "logo_path", logo.as_deref());
    json::text_field(
        out,
        "name",
        &format!("{} {} Pictures", random.pick(LAST_NAMES), random.pick(FIRST_NAMES)),
    );
    json::text_field(
        out,
        "origin_country",
        if random.chance(120) { "" } else { random.pick(COUNTRIES).code },
    );
    out.push('}');
}

fn translation(out: &mut String, number: u64, random: &mut Random) {
    let at = usize::try_from(number).unwrap_or(0);
    let language = LANGUAGES.iter().cycle().nth(at).copied().unwrap_or_default();
    let Language { code, name, english_name } = language;
    let country = COUNTRIES.iter().cycle().nth(at).copied().unwrap_or_default().code;
    let overview = if random.chance(200) {
        String::new()
    } else {
        format!("[{code}] {} {}", random.pick(OUTCOMES), random.pick(OUTCOMES))
    };
    let _ = write!(out, "{{\"iso_3166_1\":\"{country}\",\"iso_639_1\":\"{code}\"");
    json::text_field(out, "name", name);
    json::text_field(out, "english_name", english_name);
    out.push_str(",\"data\":{\"homepage\":\"\"");
    json::text_field(out, "overview", &overview);
    let _ = write!(out, ",\"runtime\":{},\"tagline\":\"\",\"title\":\"\"}}}}", random.below(140));
}

fn providers(out: &mut String, random: &mut Random) {
    out.push_str("{\"results\":{");
    let count = usize::try_from(random.below(16)).unwrap_or(0);
    for (number, country) in COUNTRIES.iter().take(count).enumerate() {
        let country = country.code;
        let comma = if number > 0 { "," } else { "" };
        let _ = write!(
            out,
            "{comma}\"{country}\":{{\"link\":\"https://movies.example/watch?locale={country}\""
        );
        for kind in ["flatrate", "rent", "buy"] {
            if random.chance(600) {
                let (path, id) = (image_path(random), 2 + random.below(400));
                let _ = write!(out, ",\"{kind}\":[{{\"logo_path\":\"{path}\",\"provider_id\":{id}");
                let _ = write!(out, ",\"provider_name\":\"Provider {id}\"");
                let _ = write!(out, ",\"display_priority\":{}}}]", random.below(60));
            }
        }
        out.push('}');
    }
    out.push_str("}}");
}
