//! Which ids exist, and in which order lists show them.
//!
//! Ids come in blocks of [`BLOCK`] with one gap each, so that the n-th id and the number of an id
//! are both arithmetic.

use time::Date;

use super::known::{self, KNOWN};
use super::random::{Shuffle, mix};

/// Ids in a block; one of them is missing, which leaves 8 of 9 (89 %).
const BLOCK: u64 = 9;
/// Days that the list of movies in cinemas reaches back.
pub(crate) const NOW_PLAYING_DAYS: u64 = 45;
/// Days that the list of announced movies reaches ahead.
pub(crate) const UPCOMING_DAYS: u64 = 28;
/// Years over which all other releases are spread.
pub(super) const YEARS: u64 = 60;

/// A catalogue of invented movies, a pure function of seed, size and the day when it was opened.
#[derive(Debug, Clone)]
pub(crate) struct Catalogue {
    pub(super) seed: u64,
    /// How many ids there are.
    pub(super) movies: u64,
    /// The day when it was opened.
    pub(super) today: Date,
    pub(super) popular: Shuffle,
    pub(super) rated: Shuffle,
}

impl Catalogue {
    /// Opens the catalogue of `movies` ids as it is on the day `today`.
    pub(crate) fn new(seed: u64, movies: u64, today: Date) -> Self {
        let movies = movies.max(1);
        let popular = Shuffle::new(movies, mix(seed, 101));
        Self { seed, movies, today, popular, rated: Shuffle::new(movies, mix(seed, 102)) }
    }

    /// The number that everything is derived from.
    pub(crate) fn seed(&self) -> u64 {
        self.seed
    }

    /// How many ids exist, well-known ones outside the blocks not counted.
    pub(crate) fn len(&self) -> u64 {
        self.movies
    }

    /// The day when the catalogue was opened.
    pub(crate) fn today(&self) -> Date {
        self.today
    }

    /// No id is greater than this one.
    pub(crate) fn max_id(&self) -> u64 {
        let known = KNOWN.iter().map(|known| known.id).max().unwrap_or(0);
        self.nth(self.movies - 1).max(known)
    }

    /// True where a movie of this id was ever created.
    pub(crate) fn exists(&self, id: u64) -> bool {
        self.index_of(id).is_some() || known::find(id).is_some()
    }

    /// The id with this number, from 0; numbers past the end wrap around.
    pub(crate) fn nth(&self, index: u64) -> u64 {
        let index = index % self.movies;
        let block = index / (BLOCK - 1);
        let slot = index % (BLOCK - 1);
        let offset = if slot < self.gap(block) { slot } else { slot + 1 };
        block * BLOCK + offset + 1
    }

    /// Every id: those in blocks in their order, then well-known ones past them.
    pub(crate) fn ids(&self) -> impl Iterator<Item = u64> {
        let known = KNOWN.iter().map(|known| known.id).filter(|id| self.index_of(*id).is_none());
        (0..self.movies).map(|index| self.nth(index)).chain(known)
    }

    /// The number of an id in a block, where it is there.
    pub(crate) fn index_of(&self, id: u64) -> Option<u64> {
        let position = id.checked_sub(1)?;
        let (block, offset) = (position / BLOCK, position % BLOCK);
        let gap = self.gap(block);
        let slot = if offset < gap { offset } else { offset.saturating_sub(1) };
        let index = block * (BLOCK - 1) + slot;
        (offset != gap && index < self.movies).then_some(index)
    }

    /// How many of the newest ids are announced but not released.
    pub(crate) fn upcoming(&self) -> u64 {
        (self.movies / 50).clamp(40, 600).min(self.movies / 4)
    }

    /// How many ids before those are in cinemas.
    pub(crate) fn now_playing(&self) -> u64 {
        (self.movies / 25).clamp(100, 2_400).min(self.movies / 4)
    }

    /// The id at a rank of the order by popularity.
    pub(crate) fn popular_at(&self, rank: u64) -> u64 {
        self.nth(self.popular.at(rank))
    }

    /// The id at a rank of the order by votes.
    pub(crate) fn rated_at(&self, rank: u64) -> u64 {
        self.nth(self.rated.at(rank))
    }

    fn gap(&self, block: u64) -> u64 {
        let mut gap = mix(self.seed, block) % BLOCK;
        while known::find(block * BLOCK + gap + 1).is_some() {
            gap = (gap + 1) % BLOCK;
        }
        gap
    }
}
