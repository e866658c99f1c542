//! Who gives the command, as the audit shows it.

use operator::Author;

/// The user of this machine.
pub(super) fn this_user() -> Author {
    let user = ["USER", "LOGNAME"].iter().find_map(|name| std::env::var(name).ok());
    let user = user.unwrap_or_else(|| "someone".to_owned());
    Author { by: format!("{user} (mangoes)"), request_id: None }
}
