//! Lists of the generated catalogue: every page is a pure function of seed, list and number.

use crate::catalogue::{
    Catalogue, KNOWN, NOW_PLAYING_DAYS, Shuffle, UPCOMING_DAYS, find_known, mix,
};
use crate::list::{List, MAX_PAGE};
use crate::render::row;
use crate::state::State;

/// Rows on a page.
const PAGE_ROWS: u64 = 20;
impl List {
    fn len(self, catalogue: &Catalogue) -> u64 {
        match self {
            Self::NowPlaying => catalogue.now_playing(),
            Self::Upcoming => catalogue.upcoming(),
            Self::Popular | Self::TopRated => catalogue.len(),
            Self::TrendingDay | Self::TrendingWeek => catalogue.len().min(10_000),
        }
    }

    /// The id at a position of the list.
    fn at(self, catalogue: &Catalogue, position: u64) -> u64 {
        let from_end = |distance: u64| catalogue.nth(catalogue.len().saturating_sub(distance + 1));
        let famous = usize::try_from(position)
            .ok()
            .and_then(|position| KNOWN.get(position))
            .map(|known| known.id);
        match self {
            Self::Upcoming => from_end(self.shuffle(catalogue).at(position)),
            Self::NowPlaying => {
                from_end(catalogue.upcoming() + self.shuffle(catalogue).at(position))
            }
            // The well-known ones lead; they are not taken out further down, so they may appear
            // once more.
            Self::Popular => {
                famous.unwrap_or_else(|| catalogue.popular_at(position - KNOWN.len() as u64))
            }
            Self::TopRated => {
                famous.unwrap_or_else(|| catalogue.rated_at(position - KNOWN.len() as u64))
            }
            Self::TrendingDay | Self::TrendingWeek => {
                catalogue.nth(self.shuffle(catalogue).at(position))
            }
        }
    }

    fn shuffle(self, catalogue: &Catalogue) -> Shuffle {
        let len = if self.is_trending() { catalogue.len() } else { self.len(catalogue) };
        Shuffle::new(len, mix(catalogue.seed(), 200 + self as u64))
    }

    /// Where a page begins at an hour of the clock. Lists move while they are read: now and then a
    /// page begins with the row the page before ended with, more seldom it leaves one out.
    fn start(self, catalogue: &Catalogue, page: u64, hour: u64) -> u64 {
        let first = (page - 1) * PAGE_ROWS;
        if page == 1 {
            return first;
        }
        match mix(mix(catalogue.seed(), self as u64), page + hour * (MAX_PAGE + 1)) % 10 {
            0 | 5 => first - 1,
            1 => first + 1,
            _ => first,
        }
    }

    /// The ids of a page, from 1, at an hour of the clock.
    fn ids(self, catalogue: &Catalogue, page: u64, hour: u64) -> impl Iterator<Item = u64> {
        let start = self.start(catalogue, page, hour);
        let end = (start + PAGE_ROWS).min(self.len(catalogue));
        let dated = matches!(self, Self::NowPlaying | Self::Upcoming);
        (start..end)
            .map(move |position| self.at(catalogue, position))
            .filter(move |id| !dated || find_known(*id).is_none())
    }
}

/// The body of a page.
pub(crate) fn page(state: &State, catalogue: &Catalogue, list: List, page: u64) -> String {
    let mut out = String::with_capacity(20_000);
    out.push('{');
    if let Some((minimum, maximum)) = window(catalogue, list) {
        out.push_str(&format!(
            "\"dates\":{{\"maximum\":\"{maximum}\",\"minimum\":\"{minimum}\"}},"
        ));
    }
    out.push_str(&format!("\"page\":{page},\"results\":["));
    for (number, id) in list
        .ids(catalogue, page, state.clock.hours())
        .filter(|id| !state.edits.is_deleted(*id))
        .enumerate()
    {
        if number > 0 {
            out.push(',');
        }
        out.push_str(&row_of(state, catalogue, id, list.is_trending()));
    }
    let total = list.len(catalogue);
    out.push_str(&format!(
        "],\"total_pages\":{},\"total_results\":{total}}}",
        total.div_ceil(PAGE_ROWS).max(1)
    ));
    out
}

/// A movie's row with what was edited.
pub(crate) fn row_of(state: &State, catalogue: &Catalogue, id: u64, media: bool) -> String {
    let mut out = String::with_capacity(1_024);
    row(&mut out, &catalogue.movie_after(id, state.clock.days()), media);
    if state.edits.current(id).patch.is_some()
        && let Ok(mut edited) = serde_json::from_str(&out)
    {
        state.edited_row(id, &mut edited);
        return edited.to_string();
    }
    out
}

fn window(catalogue: &Catalogue, list: List) -> Option<(time::Date, time::Date)> {
    let days = |count: u64| time::Duration::days(i64::try_from(count).unwrap_or(0));
    let today = catalogue.today();
    match list {
        List::NowPlaying => Some((today.saturating_sub(days(NOW_PLAYING_DAYS)), today)),
        List::Upcoming => {
            Some((today.saturating_add(days(1)), today.saturating_add(days(UPCOMING_DAYS))))
        }
        List::Popular | List::TopRated | List::TrendingDay | List::TrendingWeek => None,
    }
}
