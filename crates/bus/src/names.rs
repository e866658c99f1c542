//! The names of streams and subjects, where several installations share one account of NATS.

/// Whether a text can be a part of a subject, and of the name of a stream.
pub(crate) fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

/// Tells the streams and subjects of one installation from those of another in the same account:
/// `staging` makes `staging_MOVIES_EVENTS` and `staging.movies.changed.603`. Empty: the names as
/// they are.
///
/// Only this crate knows of it. Everybody else, and every table, has the names as they are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Namespace(String);

impl Namespace {
    /// A token of a subject and of a stream's name: `runtime::Config` has checked it.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self(name.to_owned())
    }

    /// A stream at the server.
    pub(crate) fn stream(&self, name: &str) -> String {
        if self.0.is_empty() { name.to_owned() } else { format!("{}_{name}", self.0) }
    }

    /// A subject, or a pattern of some, at the server.
    #[must_use]
    pub fn subject(&self, name: &str) -> String {
        if self.0.is_empty() { name.to_owned() } else { format!("{}.{name}", self.0) }
    }

    /// A user of NATS.
    pub(crate) fn user(&self, name: &str) -> String {
        if self.0.is_empty() { name.to_owned() } else { format!("{}-{name}", self.0) }
    }

    /// A subject of the server without the namespace.
    pub(crate) fn bare<'a>(&self, subject: &'a str) -> &'a str {
        let rest = subject.strip_prefix(&self.0).filter(|_| !self.0.is_empty());
        rest.and_then(|rest| rest.strip_prefix('.')).unwrap_or(subject)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_carry_the_namespace_at_the_server_alone() {
        for (namespace, stream, subject) in [
            ("", "MOVIES_TICKS", "movies.tick.scan.nightly"),
            ("staging", "staging_MOVIES_TICKS", "staging.movies.tick.scan.nightly"),
        ] {
            let names = Namespace::new(namespace);
            assert_eq!(names.stream("MOVIES_TICKS"), stream);
            assert_eq!(names.subject("movies.tick.scan.nightly"), subject);
            assert_eq!(names.bare(subject), "movies.tick.scan.nightly");
        }
        assert_eq!(Namespace::new("stag").bare("staging.movies.x"), "staging.movies.x");
    }
}
