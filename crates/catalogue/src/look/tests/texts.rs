//! Texts that TMDB's answer lacks: taken from translations, and never erased.

#![expect(non_snake_case, reason = "the id of the report")]

use super::*;

fn in_german() -> Arc<MapOptions> {
    Arc::new(MapOptions {
        language: "de-DE".to_owned(),
        region: "DE".to_owned(),
        streaming_regions: Vec::new(),
    })
}

fn translations(languages: &[(&str, &str, &str)]) -> Value {
    let row = |(language, country, text): &(&str, &str, &str)| {
        let data = json!({"overview": text, "tagline": text});
        json!({"iso_639_1": language, "iso_3166_1": country, "data": data})
    };
    languages.iter().map(row).collect()
}

#[test]
fn T9_texts_fall_back_by_language() {
    for (there, expected) in [
        (&[("en", "US", "english"), ("ja", "JP", "japanese")][..], Some("english")),
        (&[("ja", "JP", "japanese"), ("fr", "FR", "french")], Some("japanese")),
        (&[("de", "AT", "austrian"), ("de", "DE", "german"), ("en", "US", "e")], Some("german")),
        (&[("en", "US", "english"), ("de", "AT", "austrian")], Some("austrian")),
        (&[("de", "DE", " "), ("de", "CH", "swiss"), ("de", "AT", "austrian")], Some("austrian")),
        (&[("fr", "FR", "french")], None),
        (&[("en", "US", "")], None),
    ] {
        let mut answer = edited("/overview", json!(""));
        answer["original_language"] = json!("ja");
        answer["translations"]["translations"] = translations(there);
        let body = |answer: &Value| Body { text: answer.to_string(), packed: None };
        let look = Look::read(body(&answer), in_german()).unwrap();
        assert_eq!(look.movie().overview.as_deref(), expected, "{there:?}");
        assert_eq!(look.movie().tagline.as_deref(), expected, "{there:?}");
        answer["overview"] = json!("own");
        let look = Look::read(body(&answer), in_german()).unwrap();
        assert_eq!(look.movie().overview.as_deref(), Some("own"), "{there:?}");
    }
}

#[test]
fn T9_a_text_that_goes_away_stays() {
    let stored = json!({"title": "T", "overview": "Plot", "tagline": "Line"});
    let mut whole = answer();
    whole.as_object_mut().unwrap().extend(stored.as_object().unwrap().clone());
    let document = whole.to_string();
    for gone in [&["title"][..], &["overview"], &["tagline"], &["title", "overview", "tagline"]] {
        for empty in [json!(""), json!(" "), Value::Null] {
            let mut without = whole.clone();
            for key in gone {
                without[*key] = empty.clone();
            }
            let (new, row, mut body) = (look(&without), AppRow::default(), None);
            assert!(!new.may_keep_parts(), "no row of the app is needed for it");
            let merged = new.merge(Some(&document), &row, &mut body);
            let changed = diff(merged.before.as_ref().unwrap(), &merged.movie);
            assert!(changed.is_empty(), "{gone:?}: {changed:?}");
            // What is stored holds it, too: it stays with every answer after this one.
            let again: Value = serde_json::from_str(&body.unwrap()).unwrap();
            assert_eq!(look(&again).fingerprint, look(&whole).fingerprint, "{gone:?}");
        }
    }
}

/// The stored text comes before one of another language.
#[test]
fn T9_a_text_that_goes_away_is_not_translated() {
    let stored = answer().to_string();
    let mut without = edited("/overview", json!(""));
    without["translations"]["translations"] = json!([
        {"iso_639_1": "de", "iso_3166_1": "DE", "data": {"overview": "German"}},
        {"iso_639_1": "en", "iso_3166_1": "GB", "data": {"overview": "British"}},
    ]);
    let (new, row, mut body) = (look(&without), AppRow::default(), None);
    let merged = new.merge(Some(&stored), &row, &mut body);
    assert_eq!(merged.movie.overview.as_deref(), Some("Plot"));
    let changed = diff(merged.before.as_ref().unwrap(), &merged.movie);
    assert_eq!(changed.keys().collect::<Vec<_>>(), ["translations"]);
}

/// Of an adopted movie there is no answer: its texts go into the first one that is stored, and so
/// are there for every look and each mapping after it.
#[test]
fn T9_a_text_of_the_app_stays_and_is_stored() {
    let row = json!({"overview": "By the app", "tagline": "By the app", "runtime_minutes": 1});
    let row = AppRow::read(Some(&row), None);
    let mut without = edited("/overview", json!(""));
    for unreadable in [None, Some("[")] {
        let (new, mut body) = (look(&without), None);
        let merged = new.merge(unreadable, &row, &mut body);
        let texts = [&merged.movie.overview, &merged.movie.tagline].map(Option::as_deref);
        assert_eq!(texts, [Some("By the app"); 2]);
        assert_eq!(merged.movie.runtime_minutes, None, "a number is no text");
        assert_eq!(merged.prints, merged.movie.prints());
        let stored = body.unwrap();
        let (again, empty, mut body) = (look(&without), AppRow::default(), None);
        let merged = again.merge(Some(&stored), &empty, &mut body);
        assert_eq!(merged.movie.overview.as_deref(), Some("By the app"));
    }
    without["overview"] = json!("By TMDB");
    let (new, mut body) = (look(&without), None);
    let merged = new.merge(None, &row, &mut body);
    assert_eq!(merged.movie.overview.as_deref(), Some("By TMDB"));
}

/// Most movies have no tagline: that alone costs no look at what is stored.
#[test]
fn T9_a_text_that_was_never_there_costs_nothing() {
    let stored = edited("/tagline", json!(""));
    let (new, row, mut body) = (look(&stored), AppRow::default(), None);
    assert!(!new.may_keep_parts() && !new.is_incomplete);
    assert_eq!(new.fingerprint, look(&stored).fingerprint);
    let document = stored.to_string();
    let merged = new.merge(Some(&document), &row, &mut body);
    assert!(matches!(merged.movie, Cow::Borrowed(_)), "nothing was merged");
    assert!(body.is_none());
}
