//! What is remembered to tell an outage of TMDB from a fault of one movie or one list.
//!
//! A movie without a usable answer proves nothing: a cache may hand out nonsense for every third
//! one. It counts as at fault itself only when it had none before, and nearly all others have one.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use proto::TmdbId;
use tokio::time::Instant;

/// How long a movie without a usable answer counts among those that have none.
const REMEMBERED: Duration = Duration::from_secs(600);
/// So many movies without an answer are never a sign of more.
const FEW: usize = 2;
/// Nor is one in so many.
const ONE_IN: usize = 50;
/// A movie that has had no answer for at least this long may be at fault.
const ODD_FOR: Duration = Duration::from_secs(2);
/// The longest pause of a movie that has no answer while others have.
const PAUSE_MAX: Duration = Duration::from_secs(300);

/// What is known of a movie that has no usable answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Oddness {
    /// It has had none before, and few others have none.
    Alone,
    /// It is not known; it waits for so long.
    Unclear(Duration),
}

/// Shared by all calls of a client.
#[derive(Debug, Default)]
pub(crate) struct Doubts {
    /// Held while it is asked whether the credential is accepted, so that one asks for all.
    pub(crate) credential: tokio::sync::Mutex<()>,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    /// The last two movies that TMDB answered about, each with when; two, for one of them may be in
    /// doubt.
    answered: [Option<(TmdbId, Instant)>; 2],
    /// Movies that were answered about, by halves of [`REMEMBERED`].
    good: Halves,
    /// Movies that had no usable answer within [`REMEMBERED`], those that have one again too: while
    /// the last of many is without one, it is not alone.
    odd: HashMap<TmdbId, Odd>,
    unwell_lists: BTreeMap<&'static str, Instant>,
}

#[derive(Debug, Clone, Copy)]
struct Odd {
    /// Since when it has had none; `None`: it has one again.
    since: Option<Instant>,
    last: Instant,
}

/// A count of the last while: of this half, and of the one before.
#[derive(Debug, Default)]
struct Halves {
    since: Option<Instant>,
    now: usize,
    before: usize,
}

impl Halves {
    fn count(&mut self) {
        self.turn();
        self.now += 1;
    }

    fn sum(&mut self) -> usize {
        self.turn();
        self.now + self.before
    }

    fn turn(&mut self) {
        let age = self.since.map_or(REMEMBERED, |since| since.elapsed());
        if age >= REMEMBERED / 2 {
            self.before = if age >= REMEMBERED { 0 } else { self.now };
            self.now = 0;
            self.since = Some(Instant::now());
        }
    }
}

impl Doubts {
    /// TMDB answered about this movie as it should.
    pub(crate) fn answered_about(&self, movie: TmdbId) {
        let mut seen = self.seen();
        seen.good.count();
        if let Some(odd) = seen.odd.get_mut(&movie) {
            odd.since = None;
        }
        let now = Some((movie, Instant::now()));
        match seen.answered[0] {
            Some((last, _)) if last != movie => seen.answered = [now, seen.answered[0]],
            Some(_) | None => seen.answered[0] = now,
        }
    }

    /// A movie that TMDB answered about, other than this one, with when.
    pub(crate) fn known_but(&self, asked: TmdbId) -> Option<(TmdbId, Instant)> {
        self.seen().answered.into_iter().flatten().find(|(movie, _)| *movie != asked)
    }

    /// TMDB gave no usable answer about this movie, and does about another one.
    pub(crate) fn is_odd(&self, movie: TmdbId) -> Oddness {
        let now = Instant::now();
        let mut seen = self.seen();
        seen.odd.retain(|_, odd| odd.last.elapsed() < REMEMBERED);
        let odd = seen.odd.entry(movie).or_insert(Odd { since: None, last: now });
        odd.last = now;
        let odd_for = odd.since.get_or_insert(now).elapsed();
        let count = seen.odd.len();
        let few = FEW.max(seen.good.sum() / ONE_IN);
        if odd_for >= ODD_FOR && count <= few {
            return Oddness::Alone;
        }
        Oddness::Unclear(odd_for.clamp(ODD_FOR, PAUSE_MAX))
    }

    /// Movies without a usable answer while others have one.
    pub(crate) fn odd_movies(&self) -> usize {
        let is_odd = |odd: &&Odd| odd.since.is_some() && odd.last.elapsed() < REMEMBERED;
        self.seen().odd.values().filter(is_odd).count()
    }

    /// Whether a list has a usable answer.
    pub(crate) fn list_answers(&self, path: &'static str, answers: bool) {
        let mut seen = self.seen();
        if answers {
            seen.unwell_lists.remove(path);
        } else {
            seen.unwell_lists.entry(path).or_insert_with(Instant::now);
        }
    }

    pub(crate) fn unwell_lists(&self) -> Vec<(&'static str, Duration)> {
        self.seen().unwell_lists.iter().map(|(path, at)| (*path, at.elapsed())).collect()
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: i64) -> TmdbId {
        TmdbId::try_from(number).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn another_movie_than_the_one_in_doubt_is_known() {
        let doubts = Doubts::default();
        let known = |asked| doubts.known_but(asked).map(|(movie, _)| movie);
        assert_eq!(known(id(1)), None);
        doubts.answered_about(id(1));
        doubts.answered_about(id(1));
        assert_eq!((known(id(1)), known(id(2))), (None, Some(id(1))));
        doubts.answered_about(id(2));
        assert_eq!((known(id(1)), known(id(2))), (Some(id(2)), Some(id(1))));
    }

    #[tokio::test(start_paused = true)]
    async fn one_movie_alone_is_at_fault_when_it_has_no_answer_again() {
        let doubts = Doubts::default();
        assert_eq!(doubts.is_odd(id(1)), Oddness::Unclear(ODD_FOR), "the first time");
        tokio::time::advance(ODD_FOR).await;
        assert_eq!(doubts.is_odd(id(1)), Oddness::Alone);
        doubts.answered_about(id(1));
        assert_eq!(doubts.is_odd(id(1)), Oddness::Unclear(ODD_FOR), "it was well meanwhile");
    }

    /// Every third movie, as a cache of TMDB's did for hours.
    #[tokio::test(start_paused = true)]
    async fn many_movies_without_an_answer_are_an_outage() {
        let doubts = Doubts::default();
        for number in 1..=300 {
            if number % 3 == 0 {
                assert!(matches!(doubts.is_odd(id(number)), Oddness::Unclear(_)), "{number}");
            } else {
                doubts.answered_about(id(number));
            }
            tokio::time::advance(Duration::from_millis(100)).await;
        }
        assert_eq!(doubts.is_odd(id(3)), Oddness::Unclear(Duration::from_millis(29_800)));
        assert_eq!(doubts.odd_movies(), 100);
        (1..100).for_each(|number| doubts.answered_about(id(number * 3)));
        assert_eq!(doubts.odd_movies(), 1);
        tokio::time::advance(ODD_FOR).await;
        assert!(matches!(doubts.is_odd(id(300)), Oddness::Unclear(_)), "the last one of many");
        // Among ten thousand good ones a hundred are at fault themselves.
        (1_000..11_000).for_each(|number| doubts.answered_about(id(number)));
        assert_eq!(doubts.is_odd(id(300)), Oddness::Alone);
        tokio::time::advance(REMEMBERED * 2).await;
        assert_eq!(doubts.odd_movies(), 0, "they are forgotten");
    }

    #[tokio::test(start_paused = true)]
    async fn a_list_is_unwell_until_it_answers() {
        let doubts = Doubts::default();
        doubts.list_answers("/movie/popular", false);
        doubts.list_answers("/movie/popular", false);
        assert_eq!(doubts.unwell_lists().len(), 1);
        doubts.list_answers("/movie/popular", true);
        assert!(doubts.unwell_lists().is_empty());
    }
}
