//! What changes by itself: popularity and votes, from day to day. Nobody edits them, and no change
//! list shows them.

use super::ids::Catalogue;
use super::movie::{Movie, rounded};
use super::random::{Random, mix};

impl Catalogue {
    /// The movie of an id, some days after the catalogue was opened.
    pub(crate) fn movie_after(&self, id: u64, days: u64) -> Movie {
        let movie = self.movie(id);
        if days == 0 {
            return movie;
        }
        let own = mix(self.seed, id);
        // About one movie in seven has a quiet day and shows yesterday's numbers.
        let days = if mix(own, days).is_multiple_of(7) { days - 1 } else { days };
        let mut random = Random::new(own, days);
        let popularity = rounded(movie.popularity * (0.85 + 0.3 * random.unit()), 10_000.0);
        if movie.vote_count == 0 {
            return Movie { popularity, ..movie };
        }
        let step = if random.chance(600) { 0.0 } else { random.pick(&[-0.001, 0.001]) };
        let vote_average = rounded((movie.vote_average + step).clamp(0.5, 10.0), 1_000.0);
        let vote_count = movie.vote_count + days.saturating_mul(movie.vote_count + own % 400) / 400;
        Movie { popularity, vote_average, vote_count, ..movie }
    }
}
