//! What a connection does with a request.

use crate::http::Response;

/// What a connection does with a request.
pub(crate) enum Reply {
    /// Send all of it.
    Whole(Response),
    /// Send all but the end of it and hang up.
    Half(Response),
    /// Send the daily export, all of it or all but the end.
    Export {
        /// Whether the end is sent too.
        whole: bool,
    },
    /// Reset the connection.
    Reset,
    /// Say nothing until the client goes.
    Stall,
}
