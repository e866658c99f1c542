//! What the app's tables hold of a movie before a save.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{
    json::{items, text},
    score::Score,
};
use crate::Rating;

/// Scores that differ by less are the same with one decimal.
const HALF_A_DECIMAL: f64 = 0.05;
/// Columns of [`super::details`] that no person sees.
const UNSEEN: [&str; 1] = ["schema_version"];

/// How a new row of `works_meta` differs from the stored one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowDifference {
    /// In nothing.
    Same,
    /// In what no person sees, or the row was not there: it has to be written.
    Unseen,
    /// In a value that a person sees.
    Seen,
}

/// A movie's rows in the app's tables as they are before a save, read leniently: a value of a wrong
/// type is as if it were absent. The default is a movie that has no rows.
#[derive(Debug, Clone, Default)]
pub struct AppRow {
    /// The row of `works_meta`; `None` where there is none.
    pub(super) details: Option<Value>,
    /// The payload of `work_cards_cache`; JSON null where there is none.
    pub(super) card: Value,
}

impl AppRow {
    /// Reads `to_jsonb` of the row of `works_meta`, and `work_cards_cache.payload`.
    #[must_use]
    pub fn read(details: Option<&Value>, card: Option<&Value>) -> Self {
        Self::new(details.cloned(), card.cloned())
    }

    /// As [`AppRow::read`].
    #[must_use]
    pub fn new(details: Option<Value>, card: Option<Value>) -> Self {
        Self {
            details: details.filter(Value::is_object),
            card: card.filter(Value::is_object).unwrap_or_default(),
        }
    }

    /// Whether there is no row, or none was read.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.details.is_none() && self.card.is_null()
    }

    /// Compares with a row as [`super::details`] makes it. Columns that it lacks are the app's.
    #[must_use]
    pub fn compare(&self, new: &Value) -> RowDifference {
        let Some(stored) = &self.details else { return RowDifference::Unseen };
        let columns = new.as_object().into_iter().flatten();
        let differs = |name: &str, value: &Value| stored.get(name).unwrap_or(&Value::Null) != value;
        let mut found = RowDifference::Same;
        for (name, _) in columns.filter(|(name, value)| differs(name, value)) {
            if !UNSEEN.contains(&name.as_str()) {
                return RowDifference::Seen;
            }
            found = RowDifference::Unseen;
        }
        found
    }

    /// The certificate in the row of `works_meta`.
    pub(crate) fn certificate(&self) -> Option<&str> {
        text(self.details.as_ref()?, "certification")
    }

    /// Those of these texts that the row of `works_meta` holds.
    pub(crate) fn texts<'n>(&self, names: &[&'n str]) -> BTreeMap<&'n str, &str> {
        let of_row = |name: &&'n str| Some((*name, text(self.details.as_ref()?, name)?));
        names.iter().filter_map(of_row).collect()
    }

    /// This rating with the votes that the card shows: they grow each day, and the card is written
    /// when its score moves.
    #[must_use]
    pub fn shown_rating(&self, rating: Rating) -> Rating {
        let of_card = |name: &str| self.card.pointer(&format!("/source_scores/tmdb/{name}"));
        let same_score = of_card("score")
            .and_then(Value::as_f64)
            .is_some_and(|score| (score - Score::of(&rating).value).abs() < HALF_A_DECIMAL);
        let votes = of_card("votes").and_then(Value::as_i64).filter(|_| same_score);
        Rating { vote_count: votes.unwrap_or(rating.vote_count), ..rating }
    }

    /// A column of `works_meta` that holds something.
    pub(super) fn column(&self, name: &str) -> Option<&Value> {
        self.details.as_ref()?.get(name).filter(|value| !value.is_null())
    }

    /// A text that has the same name in both; the table's comes first.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.details.as_ref().and_then(|row| text(row, name)).or_else(|| text(&self.card, name))
    }

    /// The entries of lists of `works_meta`, then those of a list of the card.
    pub(super) fn entries<'a>(
        &'a self,
        columns: &[&str],
        in_card: &str,
    ) -> impl Iterator<Item = &'a Value> {
        let of_table: Vec<&Value> =
            columns.iter().flat_map(|name| items(self.column(name))).collect();
        of_table.into_iter().chain(items(self.card.get(in_card)))
    }

    /// When the stored offers were read, as it is written there.
    pub(super) fn offers_at(&self) -> Option<&str> {
        let stored = [self.column("streaming"), self.card.get("streaming")];
        stored.into_iter().flatten().find_map(|streaming| text(streaming, "updated_at"))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn rows_are_the_same_or_differ_seen_or_unseen() {
        let row = |details: Value| AppRow::new(Some(details), None);
        let new = json!({ "tagline": "t", "budget": null, "schema_version": 4 });
        for (stored, expected) in [
            (AppRow::default(), RowDifference::Unseen),
            (row(json!({ "tagline": "t", "schema_version": 4 })), RowDifference::Same),
            (
                row(json!({ "tagline": "t", "moods": ["x"], "schema_version": 4 })),
                RowDifference::Same,
            ),
            (row(json!({ "tagline": "t", "schema_version": 3 })), RowDifference::Unseen),
            (row(json!({ "tagline": "u", "schema_version": 3 })), RowDifference::Seen),
            (row(json!({ "tagline": "t", "budget": 1, "schema_version": 4 })), RowDifference::Seen),
        ] {
            assert_eq!(stored.compare(&new), expected, "{stored:?}");
        }
    }

    #[test]
    fn a_card_keeps_its_votes_while_its_score_is_the_same() {
        let card = json!({ "source_scores": { "tmdb": { "score": 82.0, "votes": 5 } } });
        let row = AppRow::new(None, Some(card));
        for (average, votes) in [(8.2, 5), (8.3, 7)] {
            let rating = Rating { vote_average: Some(average), vote_count: 7 };
            assert_eq!(row.shown_rating(rating).vote_count, votes, "{average}");
        }
        let rating = Rating { vote_average: Some(8.2), vote_count: 7 };
        assert_eq!(AppRow::default().shown_rating(rating), rating);
    }
}
