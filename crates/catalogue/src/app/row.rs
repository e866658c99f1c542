//! What the app's tables hold of a movie before a save.

use serde_json::Value;

use super::json::{items, text};

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
        let object = |value: Option<&Value>| value.filter(|v| v.is_object()).cloned();
        Self { details: object(details), card: object(card).unwrap_or_default() }
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
