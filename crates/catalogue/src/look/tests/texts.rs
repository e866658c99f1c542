//! Texts that TMDB's answer lacks: taken from translations, and never erased.

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
        let mut row = json!({"iso_639_1": language, "iso_3166_1": country});
        row["data"]["overview"] = (*text).into();
        row
    };
    languages.iter().map(row).collect()
}

#[test]
#[expect(non_snake_case, reason = "the id of the report")]
fn T9_texts_fall_back_by_language() {
    for (there, expected) in [
        (&[("en", "US", "english"), ("ja", "JP", "japanese")][..], Some("english")),
        (&[("ja", "JP", "japanese"), ("fr", "FR", "french")], Some("japanese")),
        (&[("de", "AT", "austrian"), ("de", "DE", "german"), ("en", "US", "e")], Some("german")),
        (&[("en", "US", "english"), ("de", "AT", "austrian")], Some("austrian")),
        (&[("fr", "FR", "french")], None),
        (&[("en", "US", "")], None),
    ] {
        let mut answer = edited("/overview", json!(""));
        answer["original_language"] = json!("ja");
        answer["translations"]["translations"] = translations(there);
        let look = Look::read(Body { text: answer.to_string(), packed: None }, in_german());
        assert_eq!(look.unwrap().movie().overview.as_deref(), expected, "{there:?}");
    }
}

#[test]
#[expect(non_snake_case, reason = "the id of the report")]
fn T9_a_text_that_goes_away_stays() {
    let stored = answer().to_string();
    let mut without = edited("/overview", json!(""));
    without["translations"]["translations"] = translations(&[("en", "US", "from a translation")]);
    let (row, mut body) = (AppRow::default(), None);
    let new = look(&without);
    let merged = new.merge(Some(&stored), &row, &mut body);
    assert_eq!(merged.movie.overview.as_deref(), Some("Plot"));
    let names: Vec<String> =
        diff(merged.before.as_ref().unwrap(), &merged.movie).into_keys().collect();
    assert_eq!(names, ["translations"]);
    // What is stored holds it, too: it stays with every answer after this one.
    assert!(body.unwrap().contains("Plot"));
}
