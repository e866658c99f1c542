//! Cast and crew as the app shows them. A person without an id or a name is left out: the readers
//! need both.

use serde_json::{Value, json};

use super::{
    images::{own, path_of, url},
    json::{id, items, text, whole},
    row::AppRow,
};
use crate::Movie;

/// Members of the cast in `works_meta.cast_members`.
const CAST_MAX: usize = 15;
/// Members of the crew in `works_meta.crew_members`.
const CREW_MAX: usize = 10;

const DIRECTOR: &str = "Director";
const WRITER: &str = "Writer";
const SCREENPLAY: &str = "Screenplay";
const COMPOSER: &str = "Original Music Composer";
/// Jobs of the crew that the app keeps.
const KEY_JOBS: [&str; 6] =
    [DIRECTOR, WRITER, SCREENPLAY, "Producer", "Director of Photography", COMPOSER];

/// A person's photo: its key, and which of TMDB's sizes it holds.
struct Photo {
    key: &'static str,
    size: &'static str,
}

const SMALL: Photo = Photo { key: "photo_url_small", size: "w92" };
const MEDIUM: Photo = Photo { key: "photo_url_medium", size: "w185" };
const LARGE: Photo = Photo { key: "photo_url_large", size: "h632" };

/// `works_meta.cast_members`: the first [`CAST_MAX`] in billing order; null where nothing is known.
pub(super) fn cast(movie: &Movie, row: &AppRow) -> Value {
    let photos = Photos::of(row);
    let member = |member: &Value| {
        let person_id = id(member, "id")?;
        Some(json!({
            "name": text(member, "name")?,
            "character": text(member, "character"),
            "order": whole(member, "order"),
            "photo_url_small": photos.url(&person_id, member, &SMALL),
            "photo_url_medium": photos.url(&person_id, member, &MEDIUM),
            "photo_url_large": photos.url(&person_id, member, &LARGE),
            "gender": gender_word(whole(member, "gender")),
            "person_id": person_id,
        }))
    };
    let Some(cast) = &movie.cast_members else { return Value::Null };
    items(Some(cast)).iter().filter_map(member).take(CAST_MAX).collect()
}

/// `works_meta.crew_members`: the first [`CREW_MAX`] in one of the [`KEY_JOBS`].
pub(super) fn crew(movie: &Movie, row: &AppRow) -> Value {
    let photos = Photos::of(row);
    let member = |member: &Value| {
        let person_id = id(member, "id")?;
        let job = text(member, "job").filter(|job| KEY_JOBS.contains(job))?;
        Some(json!({
            "name": text(member, "name")?,
            "job": job,
            "department": text(member, "department"),
            "photo_url_small": photos.url(&person_id, member, &SMALL),
            "photo_url_medium": photos.url(&person_id, member, &MEDIUM),
            "person_id": person_id,
        }))
    };
    let Some(crew) = &movie.crew_members else { return Value::Null };
    items(Some(crew)).iter().filter_map(member).take(CREW_MAX).collect()
}

/// The people whom a card names by their job: `None` where nobody is known.
pub(super) struct Credits {
    pub(super) director: Option<String>,
    /// Several are joined with a comma.
    pub(super) writer: Option<String>,
    /// Several are joined with a comma.
    pub(super) screenplay: Option<String>,
    pub(super) composer: Option<String>,
}

impl Credits {
    /// Looks at the whole crew, not only at those whom [`crew`] keeps.
    pub(super) fn of(movie: &Movie) -> Self {
        let named = |job: &str| -> Vec<&str> {
            let crew = items(movie.crew_members.as_ref()).iter();
            let of_job = crew.filter(|member| text(member, "job") == Some(job));
            of_job.filter_map(|member| text(member, "name")).collect()
        };
        let first = |job| named(job).first().map(|name| (*name).to_owned());
        let all = |job| Some(named(job).join(", ")).filter(|names| !names.is_empty());
        Self {
            director: first(DIRECTOR),
            writer: all(WRITER),
            screenplay: all(SCREENPLAY),
            composer: first(COMPOSER),
        }
    }
}

/// A stored cast or crew in TMDB's shape: the inverse of [`cast`] and [`crew`].
pub(super) fn stored(people: &Value) -> Option<Value> {
    let member = |member: &Value| {
        json!({
            "id": id(member, "person_id").map(number_or_text),
            "name": text(member, "name"),
            "character": text(member, "character"),
            "order": whole(member, "order"),
            "job": text(member, "job"),
            "department": text(member, "department"),
            "profile_path": photo_path(member),
            "gender": gender_number(text(member, "gender")),
            "credit_id": null,
        })
    };
    Some(people.as_array()?.iter().map(member).collect())
}

/// From whichever photo is TMDB's.
fn photo_path(member: &Value) -> Option<String> {
    [SMALL, MEDIUM, LARGE].into_iter().find_map(|photo| path_of(text(member, photo.key)?))
}

fn number_or_text(id: String) -> Value {
    id.parse::<i64>().map_or_else(|_| Value::from(id), Value::from)
}

/// TMDB's numbers for a person's gender.
const FEMALE: i64 = 1;
const MALE: i64 = 2;

fn gender_word(gender: Option<i64>) -> &'static str {
    match gender {
        Some(FEMALE) => "female",
        Some(MALE) => "male",
        Some(_) | None => "unknown",
    }
}

fn gender_number(word: Option<&str>) -> i64 {
    [FEMALE, MALE].into_iter().find(|n| word == Some(gender_word(Some(*n)))).unwrap_or(0)
}

/// The stored people, with the photos that the app may have copied for them.
struct Photos<'a>(Vec<StoredPerson<'a>>);

struct StoredPerson<'a> {
    id: String,
    entry: &'a Value,
}

impl<'a> Photos<'a> {
    fn of(row: &'a AppRow) -> Self {
        let people = row.entries(&["cast_members", "crew_members"], "cast");
        Self(
            people
                .filter_map(|e| Some(StoredPerson { id: id(e, "person_id")?, entry: e }))
                .collect(),
        )
    }

    /// The app's own copy where it has one, else TMDB's photo.
    fn url(&self, person_id: &str, member: &Value, photo: &Photo) -> Option<String> {
        let known = self.0.iter().filter(|person| person.id == person_id);
        let copy = known.filter_map(|person| own(text(person.entry, photo.key))).next();
        copy.map(ToOwned::to_owned).or_else(|| url(text(member, "profile_path"), photo.size))
    }
}
