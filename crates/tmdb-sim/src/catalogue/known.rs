//! Well-known movies: their ids exist in every generated catalogue, whatever its size.

use time::Date;
use time::macros::date;

/// What is fixed about a well-known movie; the rest is generated like any other's.
#[derive(Debug)]
pub(crate) struct Known {
    /// Catalogue key.
    pub(crate) id: u64,
    /// Title, the same in the original language.
    pub(crate) title: &'static str,
    /// First release.
    pub(crate) release_date: Date,
    /// Id at IMDb.
    pub(crate) imdb_id: &'static str,
    /// Minutes.
    pub(crate) runtime: u64,
    /// Dollars.
    pub(crate) budget: u64,
    /// Dollars.
    pub(crate) revenue: u64,
}

/// The well-known movies.
pub(crate) const KNOWN: &[Known] = &[
    known(603, "The Matrix", date!(1999 - 03 - 30), "tt0133093", [136, 63_000_000, 463_517_383]),
    known(550, "Fight Club", date!(1999 - 10 - 15), "tt0137523", [139, 63_000_000, 100_853_753]),
    known(27_205, "Inception", date!(2010 - 07 - 15), "tt1375666", [148, 160_000_000, 839_030_630]),
    known(
        155,
        "The Dark Knight",
        date!(2008 - 07 - 16),
        "tt0468569",
        [152, 185_000_000, 1_004_558_444],
    ),
    known(13, "Forrest Gump", date!(1994 - 06 - 23), "tt0109830", [142, 55_000_000, 677_387_716]),
];

const fn known(
    id: u64,
    title: &'static str,
    release_date: Date,
    imdb_id: &'static str,
    numbers: [u64; 3],
) -> Known {
    let [runtime, budget, revenue] = numbers;
    Known { id, title, release_date, imdb_id, runtime, budget, revenue }
}

/// The well-known movie of this id.
pub(crate) fn find(id: u64) -> Option<&'static Known> {
    KNOWN.iter().find(|known| known.id == id)
}
