//! Movies: stored with their events, read, missed by TMDB; and the refresh queue, which says what
//! is read again.

pub(crate) mod aging;
pub(crate) mod cards;
pub(crate) mod change;
pub(crate) mod claims;
pub(crate) mod demand;
pub(crate) mod details;
pub(crate) mod edits;
pub(crate) mod events;
pub(crate) mod fan_out;
pub(crate) mod feed;
pub(crate) mod missing;
pub(crate) mod ratings;
pub(crate) mod read;
pub(crate) mod refresh_queue;
pub(crate) mod remap;
pub(crate) mod save;
pub(crate) mod scan;
pub(crate) mod stale_events;
pub(crate) mod sweep;
pub(crate) mod titles;
pub(crate) mod works;
pub(crate) mod writer;
