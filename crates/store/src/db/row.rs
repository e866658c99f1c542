//! Reads the words of a row as our types. A word that is none of ours is an error that names table,
//! column and key.

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
