//! Cast and crew as the app shows them. A person without an id or a name is left out: the readers
//! need both.

use serde_json::{Value, json};

use super::{
    images::{own, path_of, url},
    json::{id, read, text, whole},
    row::AppRow,
};
use crate::{
    Movie,
    parts::{CastMember, CrewMember, Id, Text},
};

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
pub(super) fn cast(movie: &Movie<'_>, row: &AppRow) -> Value {
    let photos = Photos::of(row);
    let member = |member: &CastMember<'_>| {
        let person = Person { id: member.id.as_ref()?.to_string(), path: &member.profile_path };
        Some(json!({
            "name": member.name.as_deref()?,
            "character": member.character,
            "order": member.order,
            "photo_url_small": photos.url(&person, &SMALL),
            "photo_url_medium": photos.url(&person, &MEDIUM),
            "photo_url_large": photos.url(&person, &LARGE),
            "gender": gender_word(member.gender),
            "person_id": person.id,
        }))
    };
    let Some(cast) = &movie.cast_members else { return Value::Null };
    cast.iter().filter_map(member).take(CAST_MAX).collect()
}

/// `works_meta.crew_members`: the first [`CREW_MAX`] in one of the [`KEY_JOBS`].
pub(super) fn crew(movie: &Movie<'_>, row: &AppRow) -> Value {
    let photos = Photos::of(row);
    let member = |member: &CrewMember<'_>| {
        let person = Person { id: member.id.as_ref()?.to_string(), path: &member.profile_path };
        let job = member.job.as_deref().filter(|job| KEY_JOBS.contains(job))?;
        Some(json!({
            "name": member.name.as_deref()?,
            "job": job,
            "department": member.department,
            "photo_url_small": photos.url(&person, &SMALL),
            "photo_url_medium": photos.url(&person, &MEDIUM),
            "person_id": person.id,
        }))
    };
    let Some(crew) = &movie.crew_members else { return Value::Null };
    crew.iter().filter_map(member).take(CREW_MAX).collect()
}

/// A person of an answer.
struct Person<'a> {
    id: String,
    /// Of the photo.
    path: &'a Text<'a>,
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
    pub(super) fn of(movie: &Movie<'_>) -> Self {
        let named = |job: &str| -> Vec<&str> {
            let crew = movie.crew_members.iter().flatten();
            let of_job = crew.filter(|member| member.job.as_deref() == Some(job));
            of_job.filter_map(|member| member.name.as_deref()).collect()
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

/// A stored cast in TMDB's shape: the inverse of [`cast`].
pub(super) fn stored_cast(people: &Value) -> Option<Vec<CastMember<'_>>> {
    let member = |member| CastMember {
        id: stored_id(member),
        name: text(member, "name").map(Into::into),
        character: text(member, "character").map(Into::into),
        order: whole(member, "order"),
        profile_path: photo_path(member),
        credit_id: None,
        gender: Some(gender_number(text(member, "gender"))),
    };
    Some(people.as_array()?.iter().map(member).collect())
}

/// A stored crew in TMDB's shape: the inverse of [`crew`].
pub(super) fn stored_crew(people: &Value) -> Option<Vec<CrewMember<'_>>> {
    let member = |member| CrewMember {
        id: stored_id(member),
        name: text(member, "name").map(Into::into),
        job: text(member, "job").map(Into::into),
        department: text(member, "department").map(Into::into),
        profile_path: photo_path(member),
        credit_id: None,
    };
    Some(people.as_array()?.iter().map(member).collect())
}

fn stored_id(member: &Value) -> Option<Id<'_>> {
    member.get("person_id").and_then(read)
}

/// From whichever photo is TMDB's.
fn photo_path(member: &Value) -> Text<'_> {
    let photos = [SMALL, MEDIUM, LARGE].into_iter();
    photos.filter_map(|photo| path_of(text(member, photo.key)?)).next().map(Into::into)
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
    fn url(&self, person: &Person<'_>, photo: &Photo) -> Option<String> {
        let known = self.0.iter().filter(|stored| stored.id == person.id);
        let copy = known.filter_map(|stored| own(text(stored.entry, photo.key))).next();
        copy.map(ToOwned::to_owned).or_else(|| url(person.path.as_deref(), photo.size))
    }
}
