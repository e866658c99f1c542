//! Edits of an answer that mean nothing.

use time::{
    OffsetDateTime, Time, UtcOffset, format_description::well_known::Rfc3339,
    macros::format_description,
};

use super::*;

/// A value within an answer.
pub(super) struct Place {
    /// JSON pointer.
    pointer: String,
    /// The pointer with `*` for each number.
    shape: String,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    List,
    Object,
    Whole,
    Text,
    Other,
}

impl Kind {
    fn of(value: &Value) -> Self {
        match value {
            Value::Array(_) => Self::List,
            Value::Object(_) => Self::Object,
            Value::Number(number) if number.is_i64() => Self::Whole,
            Value::String(_) => Self::Text,
            Value::Number(_) | Value::Bool(_) | Value::Null => Self::Other,
        }
    }
}

impl Place {
    fn key(&self) -> &str {
        self.shape.rsplit('/').next().unwrap_or_default()
    }

    /// Whether its value moves by itself.
    fn moves(&self) -> bool {
        match self.key() {
            "popularity" | "vote_average" | "vote_count" | "display_priority" => true,
            "logo_path" | "provider_name" => self.shape.starts_with("/watch~1providers/"),
            "width" | "height" => self.shape.starts_with("/images/"),
            _ => false,
        }
    }
}

/// All values of an answer.
pub(super) fn places(answer: &Value) -> Vec<Place> {
    fn add(found: &mut Vec<Place>, value: &Value, pointer: String, shape: String) {
        for (n, item) in value.as_array().into_iter().flatten().enumerate() {
            add(found, item, format!("{pointer}/{n}"), format!("{shape}/*"));
        }
        for (key, field) in value.as_object().into_iter().flatten() {
            let key = key.replace('/', "~1");
            add(found, field, format!("{pointer}/{key}"), format!("{shape}/{key}"));
        }
        found.push(Place { pointer, shape, kind: Kind::of(value) });
    }
    let mut found = Vec::new();
    add(&mut found, answer, String::new(), String::new());
    found
}

/// Keys that a part may lack, with what their absence means: where they stand, name, value.
const DEFAULTS: [[&str; 3]; 46] = [
    ["", "adult", "false"],
    ["", "video", "false"],
    ["", "softcore", "false"],
    ["", "origin_country", r#"["US"]"#],
    ["", "tagline", r#""""#],
    ["", "homepage", "null"],
    ["", "budget", "0"],
    ["", "revenue", "0"],
    ["", "runtime", "0"],
    ["", "poster_path", "null"],
    ["", "backdrop_path", "null"],
    ["", "belongs_to_collection", "null"],
    ["/belongs_to_collection", "poster_path", "null"],
    ["/belongs_to_collection", "backdrop_path", "null"],
    ["/production_companies/*", "logo_path", "null"],
    ["/production_companies/*", "origin_country", r#""""#],
    ["/credits/cast/*", "gender", "0"],
    ["/credits/cast/*", "character", r#""""#],
    ["/credits/cast/*", "profile_path", "null"],
    ["/credits/crew/*", "profile_path", "null"],
    ["/credits/crew/*", "department", r#""""#],
    ["/videos/results/*", "official", "false"],
    ["/videos/results/*", "iso_639_1", "null"],
    ["/images", "logos", "[]"],
    ["/images", "posters", "[]"],
    ["/images", "backdrops", "[]"],
    ["/images/posters/*", "iso_3166_1", r#""US""#],
    ["/images/backdrops/*", "iso_3166_1", r#""US""#],
    ["/images/logos/*", "iso_3166_1", r#""US""#],
    ["/images/posters/*", "iso_639_1", "null"],
    ["/release_dates/results/*", "release_dates", "[]"],
    ["/release_dates/results/*/release_dates/*", "descriptors", "[]"],
    ["/release_dates/results/*/release_dates/*", "note", r#""""#],
    ["/release_dates/results/*/release_dates/*", "iso_639_1", r#""""#],
    ["/release_dates/results/*/release_dates/*", "certification", r#""""#],
    ["/translations/translations/*", "data", "{}"],
    ["/translations/translations/*/data", "title", r#""""#],
    ["/translations/translations/*/data", "tagline", r#""""#],
    ["/translations/translations/*/data", "homepage", r#""""#],
    ["/translations/translations/*/data", "runtime", "0"],
    ["/alternative_titles/titles/*", "type", r#""""#],
    ["/external_ids", "wikidata_id", "null"],
    ["/external_ids", "facebook_id", r#""""#],
    ["/watch~1providers/results", "US", r#"{"link": "l"}"#],
    ["/watch~1providers/results/US", "ads", "[]"],
    ["", "external_ids", "{}"],
];

/// Texts for people.
const TEXTS: [&str; 9] = [
    "title",
    "original_title",
    "overview",
    "tagline",
    "name",
    "character",
    "note",
    "job",
    "department",
];

/// What may be done to a value; beside it a known key comes or goes.
#[derive(Clone, Copy)]
enum Edit {
    /// The items of a list are shuffled.
    Order,
    /// A time is written in another way.
    Notation,
    /// A key comes that nobody knows.
    UnknownKey,
    /// A value moves that moves by itself.
    Move,
    /// 136 becomes 136.0.
    Float,
    /// Another line end, or space around a text.
    Space,
    /// Another movie is similar.
    Similar,
}

const EDITS: [Edit; 7] = [
    Edit::Order,
    Edit::Notation,
    Edit::UnknownKey,
    Edit::Move,
    Edit::Float,
    Edit::Space,
    Edit::Similar,
];

/// One to eight edits; says which.
pub(super) fn edit(answer: &mut Value, places: &[Place], dice: &mut Dice) -> Vec<String> {
    let edits = (0..=dice.below(8)).filter_map(|_| match dice.below(EDITS.len() + 1) {
        0 => default(answer, places, dice),
        edit => one(EDITS[edit - 1], answer, places, dice),
    });
    edits.collect()
}

/// `None`: the answer has nothing to which it could be done.
fn one(edit: Edit, answer: &mut Value, places: &[Place], dice: &mut Dice) -> Option<String> {
    let fits = |place: &&Place| match edit {
        Edit::Order => place.kind == Kind::List,
        Edit::Notation => ["published_at", "release_date"].contains(&place.key()),
        Edit::UnknownKey => place.kind == Kind::Object,
        Edit::Move => place.moves(),
        Edit::Float => place.kind == Kind::Whole,
        Edit::Space => place.kind == Kind::Text && TEXTS.contains(&place.key()),
        Edit::Similar => ["/similar/results", "/recommendations/results"].contains(&&*place.shape),
    };
    let fitting: Vec<&Place> = places.iter().filter(fits).collect();
    let place = dice.one_of(&fitting)?;
    let value = answer.pointer_mut(&place.pointer)?;
    let before = value.clone();
    match edit {
        Edit::Order => shuffle(value.as_array_mut()?, dice),
        Edit::Notation => *value = another_notation(value.as_str()?, place, dice)?.into(),
        Edit::UnknownKey => unknown_key(value, dice),
        Edit::Move => *value = moved(value, dice),
        Edit::Float => *value = json!(before.as_f64().filter(|number| number.abs() < 9e15)?),
        Edit::Space => *value = another_text(value.as_str()?, dice).into(),
        Edit::Similar => value.as_array_mut()?.push(json!({"id": 90 + dice.below(9)})),
    }
    let what = format!("{before} -> {value}");
    Some(format!("{} {}", place.pointer, what.chars().take(300).collect::<String>()))
}

fn shuffle(items: &mut [Value], dice: &mut Dice) {
    for place in (1..items.len()).rev() {
        items.swap(place, dice.below(place + 1));
    }
}

/// A known key that was absent is there from now on, or the other way round.
fn default(answer: &mut Value, places: &[Place], dice: &mut Dice) -> Option<String> {
    let [shape, key, value] = dice.one_of(&DEFAULTS)?;
    let fitting: Vec<&Place> = places.iter().filter(|place| place.shape == *shape).collect();
    let place = dice.one_of(&fitting)?;
    let fields = answer.pointer_mut(&place.pointer)?.as_object_mut()?;
    let value: Value = serde_json::from_str(value).unwrap();
    match fields.get(*key) {
        None => fields.insert((*key).to_owned(), value),
        Some(there) if *there == value => fields.remove(*key),
        Some(_) => return None,
    };
    Some(format!("{}/{key} came or went", place.pointer))
}

fn unknown_key(object: &mut Value, dice: &mut Dice) {
    let values = [
        json!({"a": [1, null]}),
        json!([{"a": 1}, {"id": 7}, 5]),
        json!([]),
        json!("text"),
        json!(7.5),
        json!(true),
        Value::Null,
    ];
    let key = format!("{}_new", ["a", "m", "z"][dice.below(3)]);
    object[key] = dice.one_of(&values).unwrap().clone();
}

/// Another value of the same type.
fn moved(value: &Value, dice: &mut Dice) -> Value {
    let moved = dice.below(1_000);
    if value.is_string() { json!(format!("/{moved}.jpg")) } else { json!(moved) }
}

/// Another way to write the same time. `None`: it is written in another way already.
fn another_notation(text: &str, place: &Place, dice: &mut Dice) -> Option<String> {
    let date = text.get(..10)?;
    if place.shape == "/release_date" {
        let clocks = ["T00:00:00.000Z", " 00:00:00 UTC", "T00:00:00Z"];
        return (text.len() == 10).then(|| format!("{date}{}", clocks[dice.below(3)]));
    }
    let at = OffsetDateTime::parse(text, &Rfc3339).ok()?;
    let plain = format_description!("[year]-[month]-[day] [hour]:[minute]:[second]");
    let zoned = format_description!(
        "[year]-[month]-[day]T[hour]:[minute]:[second][offset_hour sign:mandatory][offset_minute]"
    );
    let there = |hours: i8| at.to_offset(UtcOffset::from_hms(hours, 0, 0).unwrap());
    let utc = at.to_offset(UtcOffset::UTC);
    Some(match dice.below(7) {
        0 => format!("{} UTC", utc.format(&plain).unwrap()),
        1 => utc.format(&plain).unwrap(),
        2 => there(2).format(&Rfc3339).unwrap(),
        3 => there(-5).format(&Rfc3339).unwrap(),
        4 => there(2).format(&zoned).unwrap(),
        5 if utc.time() == Time::MIDNIGHT => utc.date().to_string(),
        _ => utc.format(&Rfc3339).unwrap(),
    })
}

fn another_text(text: &str, dice: &mut Dice) -> String {
    if text.trim().is_empty() {
        return " ".repeat(dice.below(3));
    }
    match dice.below(3) {
        0 => format!(" {text}"),
        1 => format!("{text}\r\n"),
        _ => text.replace("\r\n", "\n").replace('\n', "\r\n"),
    }
}
