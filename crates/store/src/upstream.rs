//! TMDB: the budget that all processes share, and the log of calls.

pub(crate) mod budget;
pub(crate) mod call_log;
