//! Stored answers mapped again: after a change of the mapping, or of what it prefers.

use std::collections::BTreeMap;

use proto::{FieldChange, TmdbId};
use serde_json::Value;

use crate::{
    AppRow, Facts, MapOptions,
    answer::{Answer, AnswerError},
    diff, map,
    movie::Movie,
};

/// Maps the body of a stored answer.
///
/// What the answer lacks, also the certificate, stays as the row has it; the offers are as old as
/// the row says, because they came with this answer.
///
/// # Errors
/// The body is no answer about a movie.
pub fn remap<'a>(
    body: &'a str,
    row: &'a AppRow,
    options: &'a MapOptions,
) -> Result<Movie<'a>, AnswerError> {
    let answer = Answer::read(body)?;
    let id = answer.id.and_then(|id| TmdbId::try_from(id).ok()).ok_or(AnswerError::NoId)?;
    let mut movie = map::movie(answer, id, options);
    // Reading a row back as a movie costs as much as the answer, and few answers need it.
    let of_row = movie.may_lack_parts().then(|| row.movie(&movie)).flatten();
    if let Some(of_row) = of_row {
        movie.keep_missing(&of_row);
    }
    movie.certification = movie.certification.or_else(|| row.certificate().map(Into::into));
    movie.offers_are_kept = true;
    Ok(movie)
}

/// The rows of a movie, new or stored: its row of `works_meta`, and what its row in `works` says.
#[derive(Debug, Clone, Copy)]
pub struct MovieRows<'a> {
    pub row: &'a AppRow,
    pub facts: &'a Facts,
}

/// What changed from one state of a movie's rows to another.
///
/// Both are read back as movies ([`AppRow::movie`]), so that neither says more than its rows hold,
/// and fields have their public names. Where only the shape of a value changed, that is nothing.
#[must_use]
pub fn diff_of_rows(
    old: MovieRows<'_>,
    new: &Value,
    movie: &Movie<'_>,
) -> BTreeMap<String, FieldChange> {
    let row = AppRow::new(Some(new.clone()), None);
    let facts = Facts::of(movie);
    let before = old.movie(movie);
    let after = MovieRows { row: &row, facts: &facts }.movie(movie);
    match (before, after) {
        (Some(before), Some(after)) => diff(&before, &after),
        (Some(_) | None, _) => BTreeMap::new(),
    }
}

impl<'a> MovieRows<'a> {
    /// `None` without a row of details. What no row holds is that of `base`.
    fn movie(self, base: &Movie<'a>) -> Option<Movie<'a>> {
        let Facts { imdb_id, title, original_title, release_date } = self.facts;
        let text = |text: &'a Option<String>| text.as_deref().map(Into::into);
        let base = Movie {
            imdb_id: text(imdb_id),
            title: title.as_str().into(),
            original_title: text(original_title),
            release_date: text(release_date),
            ..base.clone()
        };
        self.row.movie(&base)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use time::macros::datetime;

    use super::*;
    use crate::details;

    fn options(region: &str) -> MapOptions {
        MapOptions {
            language: "en-US".to_owned(),
            region: region.to_owned(),
            streaming_regions: vec![region.to_owned()],
        }
    }

    /// An answer with certificates and offers of two regions, and without keywords.
    fn body() -> String {
        let release = |region: &str, certificate: &str| {
            json!({
                "iso_3166_1": region,
                "release_dates": [{ "type": 3, "certification": certificate }],
            })
        };
        let offer =
            |name: &str| json!({ "flatrate": [{ "provider_id": 8, "provider_name": name }] });
        json!({
            "id": 603, "title": "The Matrix",
            "release_dates": { "results": [release("US", "R"), release("DE", "16")] },
            "watch/providers": { "results": { "US": offer("A"), "DE": offer("B") } },
        })
        .to_string()
    }

    fn row(body: &str, region: &str) -> AppRow {
        let (stored, options) = (AppRow::default(), options(region));
        let movie = remap(body, &stored, &options).unwrap();
        AppRow::new(Some(details(&movie, &stored, datetime!(2026-11-24 11:00 UTC))), None)
    }

    #[test]
    fn a_new_region_changes_certificate_and_offers_and_keeps_their_time() {
        let (body, later) = (body(), datetime!(2027-01-01 11:00 UTC));
        let stored = row(&body, "US");
        for (region, certificate, changed) in
            [("US", "R", vec![]), ("DE", "16", vec!["certification", "streaming"])]
        {
            let options = options(region);
            let movie = remap(&body, &stored, &options).unwrap();
            let new = details(&movie, &stored, later);
            assert_eq!(new["certification"], certificate);
            assert_eq!(new["streaming"]["updated_at"], "2026-11-24T11:00:00Z");
            let facts = Facts::of(&movie);
            let old = MovieRows { row: &stored, facts: &facts };
            let diff = diff_of_rows(old, &new, &movie);
            assert_eq!(diff.keys().collect::<Vec<_>>(), changed, "{region}");
        }
    }

    #[test]
    fn a_title_in_works_is_part_of_the_diff() {
        let (body, options) = (body(), options("US"));
        let stored = row(&body, "US");
        let movie = remap(&body, &stored, &options).unwrap();
        let facts = Facts { title: "Before".to_owned(), ..Facts::of(&movie) };
        let new = details(&movie, &stored, datetime!(2027-01-01 11:00 UTC));
        let diff = diff_of_rows(MovieRows { row: &stored, facts: &facts }, &new, &movie);
        let scalar = FieldChange::Scalar { old: json!("Before"), new: json!("The Matrix") };
        assert_eq!(diff["title"], scalar);
        assert_eq!(diff.len(), 1);
    }

    #[test]
    fn what_an_answer_lacks_stays_as_the_row_has_it() {
        let (body, options) = (body(), options("PL"));
        let stored = json!({ "keywords": ["hacker"], "certification": "R", "runtime_minutes": 1 });
        let stored = AppRow::new(Some(stored), None);
        let movie = remap(&body, &stored, &options).unwrap();
        let new = details(&movie, &stored, datetime!(2027-01-01 11:00 UTC));
        // The answer has no certificate of this region, and says by its silence: no runtime.
        assert_eq!(new["certification"], "R");
        assert_eq!(new["keywords"], json!(["hacker"]));
        assert!(new["runtime_minutes"].is_null());
    }

    #[test]
    fn what_is_no_answer_is_an_error() {
        let (row, options) = (AppRow::default(), options("US"));
        assert_eq!(remap("{}", &row, &options).unwrap_err(), AnswerError::NoId);
        assert!(matches!(remap("[", &row, &options), Err(AnswerError::Malformed(_))));
    }
}
