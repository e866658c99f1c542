//! Addresses of images: TMDB's by size, and the app's own where it made copies.

use super::{json::text, row::AppRow};

/// Where TMDB serves images; an address below it follows TMDB, any other is the app's own.
const TMDB: &str = "https://image.tmdb.org/";
const SIZES: &str = "https://image.tmdb.org/t/p";

/// One image of a movie: where its address is written, and in which of TMDB's sizes.
#[derive(Debug)]
pub(super) struct Image {
    column: &'static str,
    /// JSON pointer of the same address in the card.
    in_card: Option<&'static str>,
    size: &'static str,
}

impl Image {
    const fn both(column: &'static str, in_card: &'static str, size: &'static str) -> Self {
        Self { column, in_card: Some(in_card), size }
    }

    const fn table(column: &'static str, size: &'static str) -> Self {
        Self { column, in_card: None, size }
    }

    /// The address for `works_meta`: the app's own where it has one, the table's before the card's.
    pub(super) fn for_table(&self, row: &AppRow, path: Option<&str>) -> Option<String> {
        let own = self.own_in_table(row).or_else(|| self.own_in_card(row));
        own.map(ToOwned::to_owned).or_else(|| url(path, self.size))
    }

    /// The address for the card: the app's own where it has one, the card's before the table's.
    pub(super) fn for_card(&self, row: &AppRow, path: Option<&str>) -> Option<String> {
        let own = self.own_in_card(row).or_else(|| self.own_in_table(row));
        own.map(ToOwned::to_owned).or_else(|| url(path, self.size))
    }

    fn own_in_table<'a>(&self, row: &'a AppRow) -> Option<&'a str> {
        own(text(row.details.as_ref()?, self.column))
    }

    fn own_in_card<'a>(&self, row: &'a AppRow) -> Option<&'a str> {
        own(row.card.pointer(self.in_card?)?.as_str())
    }
}

pub(super) const POSTER_SMALL: Image = Image::both("poster_url_small", "/poster/small", "w154");
pub(super) const POSTER_MEDIUM: Image = Image::both("poster_url_medium", "/poster/medium", "w342");
pub(super) const POSTER_LARGE: Image = Image::both("poster_url_large", "/poster/large", "w500");
pub(super) const POSTER_ORIGINAL: Image = Image::table("poster_url_original", "original");
pub(super) const BACKDROP: Image = Image::both("backdrop_url", "/backdrop", "w1280");
pub(super) const BACKDROP_MOBILE: Image = Image::table("backdrop_url_mobile", "w780");

/// TMDB's address of an image in a size.
pub(super) fn url(path: Option<&str>, size: &str) -> Option<String> {
    path.filter(|path| !path.is_empty()).map(|path| format!("{SIZES}/{size}{path}"))
}

/// An address that only the app can have made.
pub(super) fn own(url: Option<&str>) -> Option<&str> {
    url.filter(|url| !url.trim().is_empty() && !url.starts_with(TMDB))
}

/// The path in an address of TMDB's: the inverse of [`url`].
pub(super) fn path_of(url: &str) -> Option<String> {
    let (_size, path) = url.strip_prefix(SIZES)?.strip_prefix('/')?.split_once('/')?;
    Some(format!("/{path}"))
}
