//! Reads the words of a row as our types. A word that this version does not know is an error that
//! names table, column and key.

use std::{fmt::Display, str::FromStr};

use crate::StoreError;

/// The row that a word stands in.
#[derive(Clone, Copy)]
pub(crate) struct Row<'a> {
    table: &'static str,
    key: &'a (dyn Display + Sync),
}

impl<'a> Row<'a> {
    pub(crate) fn of(table: &'static str, key: &'a (dyn Display + Sync)) -> Self {
        Self { table, key }
    }

    pub(crate) fn read<T>(self, column: &'static str, word: &str) -> Result<T, StoreError>
    where
        T: FromStr<Err: Display>,
    {
        word.parse().map_err(|problem| self.unreadable(column, &problem))
    }

    pub(crate) fn unreadable(self, column: &'static str, problem: &dyn Display) -> StoreError {
        StoreError::Row {
            table: self.table,
            column,
            key: self.key.to_string(),
            problem: problem.to_string(),
        }
    }
}

/// What can be read; the rest is logged and left out, so that one row stops no other.
pub(crate) fn readable<T>(rows: impl Iterator<Item = Result<T, StoreError>>) -> Vec<T> {
    let log = |error: &StoreError| tracing::error!(%error, "a row is left out");
    rows.filter_map(|row| row.inspect_err(log).ok()).collect()
}

#[cfg(test)]
mod tests {
    use proto::Action;

    use super::*;

    #[test]
    fn one_unreadable_row_stops_no_other() {
        let bad = Row::of("job", &"nightly").unreadable("action", &"unknown");
        assert_eq!(readable([Ok(1), Err(bad), Ok(2)].into_iter()), [1, 2]);
    }

    #[test]
    fn a_word_that_is_not_ours_names_table_column_and_key() {
        let row = Row::of("job", &"nightly");
        assert_eq!(row.read::<Action>("action", "scan").unwrap(), Action::Scan);
        let error = row.read::<Action>("action", "dance").unwrap_err().to_string();
        for part in ["job", "nightly", "action", "dance"] {
            assert!(error.contains(part), "{error}");
        }
    }
}
