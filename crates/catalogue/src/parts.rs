//! What a movie consists of: people, videos, offers, images and the like, as TMDB names them.
//!
//! Serialised, each is what is compared and what a diff shows: values that move by themselves
//! (votes on an image, the rank and the logo of a provider) are not part of it, and a time has one
//! notation. The fields are what TMDB calls them; a value that it did not send is `None`.

use std::{borrow::Cow, collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize, Serializer, ser::SerializeStruct};
use time::{Date, Duration, macros::format_description};

use crate::answer::lenient::{Object, Read, lenient};

/// A text that is not blank.
pub type Text<'a> = Option<Cow<'a, str>>;

/// An id: a number at TMDB, a text in rows of the app.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(untagged)]
pub enum Id<'a> {
    Number(i64),
    Text(Cow<'a, str>),
}

impl fmt::Display for Id<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Text(text) => text.fmt(f),
        }
    }
}

impl<'de> Read<'de> for Id<'de> {
    fn of_text(text: Cow<'de, str>) -> Option<Self> {
        let text = Cow::of_text(text)?;
        Some(text.parse().map_or(Self::Text(text), Self::Number))
    }

    fn of_whole(number: i64) -> Option<Self> {
        Some(Self::Number(number))
    }

    fn of_float(number: f64) -> Option<Self> {
        i64::of_float(number).map(Self::Number)
    }
}

/// A member of the cast.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
pub struct CastMember<'a> {
    #[serde(deserialize_with = "lenient")]
    pub id: Option<Id<'a>>,
    #[serde(deserialize_with = "lenient")]
    pub name: Text<'a>,
    #[serde(deserialize_with = "lenient")]
    pub character: Text<'a>,
    /// Place in the billing, from 0.
    #[serde(deserialize_with = "lenient")]
    pub order: Option<i64>,
    #[serde(deserialize_with = "lenient")]
    pub profile_path: Text<'a>,
    #[serde(deserialize_with = "lenient")]
    pub credit_id: Text<'a>,
    /// 1 is female, 2 male.
    #[serde(deserialize_with = "lenient", serialize_with = "where_known")]
    pub gender: Option<i64>,
}

/// A member of the crew.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
pub struct CrewMember<'a> {
    #[serde(deserialize_with = "lenient")]
    pub id: Option<Id<'a>>,
    #[serde(deserialize_with = "lenient")]
    pub name: Text<'a>,
    #[serde(deserialize_with = "lenient")]
    pub job: Text<'a>,
    #[serde(deserialize_with = "lenient")]
    pub department: Text<'a>,
    #[serde(deserialize_with = "lenient")]
    pub profile_path: Text<'a>,
    #[serde(deserialize_with = "lenient")]
    pub credit_id: Text<'a>,
}

/// A trailer or clip.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
pub struct Video<'a> {
    #[serde(deserialize_with = "lenient")]
    pub key: Text<'a>,
    #[serde(deserialize_with = "lenient")]
    pub name: Text<'a>,
    #[serde(deserialize_with = "lenient")]
    pub site: Text<'a>,
    /// For example `Trailer`.
    #[serde(rename = "type", deserialize_with = "lenient")]
    pub kind: Text<'a>,
    #[serde(deserialize_with = "lenient", serialize_with = "or_no")]
    pub official: Option<bool>,
    /// ISO 639-1.
    #[serde(rename(deserialize = "iso_639_1", serialize = "language"))]
    #[serde(deserialize_with = "lenient")]
    pub language: Text<'a>,
    #[serde(deserialize_with = "lenient", serialize_with = "in_one_notation")]
    pub published_at: Text<'a>,
}

/// A company, with the country that it is from.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
pub struct Company<'a> {
    #[serde(deserialize_with = "lenient")]
    pub id: Option<Id<'a>>,
    #[serde(deserialize_with = "lenient")]
    pub name: Text<'a>,
    #[serde(deserialize_with = "lenient")]
    pub logo_path: Text<'a>,
    #[serde(deserialize_with = "lenient")]
    pub origin_country: Text<'a>,
}

/// The collection that a movie belongs to.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
pub struct Collection<'a> {
    #[serde(deserialize_with = "lenient")]
    pub id: Option<Id<'a>>,
    #[serde(deserialize_with = "lenient")]
    pub name: Text<'a>,
    #[serde(deserialize_with = "lenient")]
    pub poster_path: Text<'a>,
    #[serde(deserialize_with = "lenient")]
    pub backdrop_path: Text<'a>,
}

/// Where a movie can be watched in one region.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Offers<'a> {
    /// ISO 3166-1, as the configuration writes it.
    pub region: Cow<'a, str>,
    pub link: Text<'a>,
    /// By kind: flatrate, rent, buy, ads, free.
    #[serde(flatten)]
    pub kinds: BTreeMap<Cow<'a, str>, Vec<Provider<'a>>>,
}

/// Somebody who offers a movie. TMDB moves the rank, the logo and the name by itself: what is
/// compared is the id, where there is one; a diff shows the name, too.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
pub struct Provider<'a> {
    #[serde(deserialize_with = "lenient")]
    pub provider_id: Option<i64>,
    #[serde(deserialize_with = "lenient")]
    pub provider_name: Text<'a>,
    #[serde(deserialize_with = "lenient")]
    pub logo_path: Text<'a>,
}

impl Serialize for Provider<'_> {
    fn serialize<S: Serializer>(&self, into: S) -> Result<S::Ok, S::Error> {
        let shows_name = into.is_human_readable() || self.provider_id.is_none();
        let mut fields = into.serialize_struct("Provider", 2)?;
        fields.serialize_field("provider_id", &self.provider_id)?;
        fields.serialize_field(
            "provider_name",
            &self.provider_name.as_ref().filter(|_| shows_name),
        )?;
        fields.end()
    }
}

/// A poster, backdrop or logo. The votes on it move daily and are not read. Its path names the
/// file: its size is no news of its own, nor is a country that TMDB added to all images at once.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
pub struct Image<'a> {
    #[serde(deserialize_with = "lenient")]
    pub file_path: Text<'a>,
    #[serde(deserialize_with = "lenient")]
    pub iso_639_1: Text<'a>,
    #[serde(deserialize_with = "lenient", skip_serializing)]
    pub iso_3166_1: Text<'a>,
    #[serde(deserialize_with = "lenient", skip_serializing)]
    pub width: Option<i64>,
    #[serde(deserialize_with = "lenient", skip_serializing)]
    pub height: Option<i64>,
}

/// The images of a movie.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
pub struct Images<'a> {
    #[serde(deserialize_with = "lenient")]
    pub posters: Option<Vec<Image<'a>>>,
    #[serde(deserialize_with = "lenient")]
    pub backdrops: Option<Vec<Image<'a>>>,
    #[serde(deserialize_with = "lenient")]
    pub logos: Option<Vec<Image<'a>>>,
}

/// A movie's ids elsewhere.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
pub struct ExternalIds<'a> {
    #[serde(deserialize_with = "lenient")]
    pub imdb_id: Text<'a>,
    #[serde(deserialize_with = "lenient")]
    pub wikidata_id: Text<'a>,
    #[serde(deserialize_with = "lenient")]
    pub facebook_id: Text<'a>,
    #[serde(deserialize_with = "lenient")]
    pub instagram_id: Text<'a>,
    #[serde(deserialize_with = "lenient")]
    pub twitter_id: Text<'a>,
}

/// A movie's texts in one language.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
pub struct Translation<'a> {
    #[serde(deserialize_with = "lenient")]
    pub iso_639_1: Text<'a>,
    #[serde(deserialize_with = "lenient")]
    pub iso_3166_1: Text<'a>,
    #[serde(deserialize_with = "lenient", serialize_with = "or_empty")]
    pub data: Option<TranslatedTexts<'a>>,
}

/// What is translated.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
pub struct TranslatedTexts<'a> {
    #[serde(deserialize_with = "lenient")]
    pub title: Text<'a>,
    #[serde(deserialize_with = "lenient")]
    pub tagline: Text<'a>,
    #[serde(deserialize_with = "lenient")]
    pub overview: Text<'a>,
    #[serde(deserialize_with = "lenient")]
    pub homepage: Text<'a>,
    #[serde(deserialize_with = "lenient", serialize_with = "where_known")]
    pub runtime: Option<i64>,
}

/// Another title of a movie.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
pub struct AlternativeTitle<'a> {
    #[serde(deserialize_with = "lenient")]
    pub iso_3166_1: Text<'a>,
    #[serde(deserialize_with = "lenient")]
    pub title: Text<'a>,
    #[serde(rename = "type", deserialize_with = "lenient")]
    pub kind: Text<'a>,
}

/// The releases in one country.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
pub struct CountryReleases<'a> {
    #[serde(deserialize_with = "lenient")]
    pub iso_3166_1: Text<'a>,
    #[serde(deserialize_with = "lenient", serialize_with = "or_empty")]
    pub release_dates: Option<Vec<Release<'a>>>,
}

/// A release.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
pub struct Release<'a> {
    #[serde(deserialize_with = "lenient")]
    pub certification: Text<'a>,
    #[serde(deserialize_with = "lenient", serialize_with = "where_any")]
    pub descriptors: Option<Vec<Cow<'a, str>>>,
    #[serde(deserialize_with = "lenient")]
    pub iso_639_1: Text<'a>,
    #[serde(deserialize_with = "lenient")]
    pub note: Text<'a>,
    #[serde(deserialize_with = "lenient", serialize_with = "in_one_notation")]
    pub release_date: Text<'a>,
    /// 3 is theatrical, 2 limited theatrical.
    #[serde(rename = "type", deserialize_with = "lenient")]
    pub kind: Option<i64>,
}

impl<'a> Object<'a> for CastMember<'a> {}
impl<'a> Object<'a> for CrewMember<'a> {}
impl<'a> Object<'a> for Video<'a> {}
impl<'a> Object<'a> for Company<'a> {}
impl<'a> Object<'a> for Collection<'a> {}
impl<'a> Object<'a> for Provider<'a> {}
impl<'a> Object<'a> for Image<'a> {}
impl<'a> Object<'a> for Images<'a> {}
impl<'a> Object<'a> for ExternalIds<'a> {}
impl<'a> Object<'a> for Translation<'a> {}
impl<'a> Object<'a> for TranslatedTexts<'a> {}
impl<'a> Object<'a> for AlternativeTitle<'a> {}
impl<'a> Object<'a> for CountryReleases<'a> {}
impl<'a> Object<'a> for Release<'a> {}

/// TMDB writes 0 where a number is not known.
fn where_known<S: Serializer>(number: &Option<i64>, into: S) -> Result<S::Ok, S::Error> {
    number.filter(|number| *number > 0).serialize(into)
}

/// What is not said is not so.
fn or_no<S: Serializer>(flag: &Option<bool>, into: S) -> Result<S::Ok, S::Error> {
    flag.unwrap_or(false).serialize(into)
}

/// What is not there has nothing in it.
fn or_empty<T: Default + Serialize, S: Serializer>(
    value: &Option<T>,
    into: S,
) -> Result<S::Ok, S::Error> {
    value.as_ref().unwrap_or(&T::default()).serialize(into)
}

/// An empty list is as none.
fn where_any<S: Serializer>(list: &Option<Vec<Cow<'_, str>>>, into: S) -> Result<S::Ok, S::Error> {
    list.as_ref().filter(|list| !list.is_empty()).serialize(into)
}

/// `2024-03-27`, `2024-03-27T00:00:00.000Z` and `2024-03-27 00:00:00 UTC` are one time.
fn in_one_notation<S: Serializer>(time: &Text<'_>, into: S) -> Result<S::Ok, S::Error> {
    time.as_deref().map(one_notation).serialize(into)
}

pub(crate) fn one_notation(time: &str) -> Cow<'_, str> {
    if let Some(instant) = with_offset(time) {
        return instant.into();
    }
    let Some((date, clock)) = time.split_at_checked("2024-03-27".len()) else {
        return time.into();
    };
    let digits: String = clock.chars().filter(char::is_ascii_digit).collect();
    match digits.trim_end_matches('0') {
        "" => date.into(),
        _ => format!("{date}T{}", digits.get(..6).unwrap_or(&digits)).into(),
    }
}

/// `2024-03-27T02:00:00+02:00` in the notation of UTC; `None` where no offset stands there.
fn with_offset(time: &str) -> Option<String> {
    let (date, clock) = time.split_at_checked("2024-03-27".len())?;
    let (clock, offset) = clock.split_at_checked(clock.rfind(['+', '-'])?)?;
    let number = |text: &str, at: usize| text.get(at..at + 2)?.parse::<i64>().ok();
    let clock = clock.get(1..)?;
    let minutes = number(offset, 1)? * 60 + number(&offset.replace(':', ""), 3).unwrap_or(0);
    let minutes = if offset.starts_with('-') { -minutes } else { minutes };
    let seconds =
        number(clock, 0)? * 3_600 + number(clock, 3)? * 60 + number(clock, 6).unwrap_or(0)
            - minutes * 60;
    let day = Date::parse(date, &format_description!("[year]-[month]-[day]")).ok()?;
    let at = day.midnight() + Duration::seconds(seconds);
    let (hour, minute, second) = at.time().as_hms();
    let clock = format!("T{hour:02}{minute:02}{second:02}");
    Some(format!("{}{}", at.date(), if clock == "T000000" { "" } else { &clock }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_one_notation() {
        for (time, expected) in [
            ("2024-03-27", "2024-03-27"),
            ("2024-03-27T00:00:00.000Z", "2024-03-27"),
            ("2024-03-27 00:00:00 UTC", "2024-03-27"),
            ("2024-03-27T10:20:30.000Z", "2024-03-27T102030"),
            ("2024-03-27 10:20:30 UTC", "2024-03-27T102030"),
            ("2024-03-27T12:20:30+02:00", "2024-03-27T102030"),
            ("2024-03-27T02:00:00.000+02:00", "2024-03-27"),
            ("2024-03-26T22:00:00-0200", "2024-03-27"),
            ("2024", "2024"),
            ("żółw żółw żółw", "żółw żółw żółw"),
        ] {
            let got = one_notation(time);
            assert!(got == expected || time.starts_with('ż'), "{time}: {got}");
        }
    }

    #[test]
    fn an_id_is_a_number_where_it_is_one() {
        assert_eq!(Id::of_text("8".into()), Some(Id::Number(8)));
        assert_eq!(Id::of_text("p-7".into()).unwrap().to_string(), "p-7");
    }
}
