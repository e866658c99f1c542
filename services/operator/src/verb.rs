//! The verbs of `proto::API_VERBS` as this crate answers them.

use proto::API_VERBS;

/// A verb.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    Jobs(JobsVerb),
    Dead(DeadVerb),
    Movie(MovieVerb),
    Ingest,
    Refresh,
    Status,
    Time,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum JobsVerb {
    List,
    Show,
    Runs,
    Next,
    Run,
    Cancel,
    Pause,
    Resume,
    Set,
    Create,
    Delete,
    Backfill,
    Hold,
    Lint,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DeadVerb {
    Groups,
    List,
    Show,
    Replay,
    Drop,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MovieVerb {
    Show,
    History,
    Cards,
    Ending,
    Pin,
    Unpin,
}

/// A verb that had another name, under which it is still asked for.
struct Renamed {
    was: &'static str,
    is: &'static str,
}

const RENAMED: [Renamed; 2] =
    [Renamed { was: "jobs.get", is: "jobs.show" }, Renamed { was: "movie.get", is: "movie.show" }];

impl Verb {
    pub(crate) const ALL: [Self; 29] = [
        Self::Jobs(JobsVerb::List),
        Self::Jobs(JobsVerb::Show),
        Self::Jobs(JobsVerb::Runs),
        Self::Jobs(JobsVerb::Next),
        Self::Jobs(JobsVerb::Run),
        Self::Jobs(JobsVerb::Cancel),
        Self::Jobs(JobsVerb::Pause),
        Self::Jobs(JobsVerb::Resume),
        Self::Jobs(JobsVerb::Set),
        Self::Jobs(JobsVerb::Create),
        Self::Jobs(JobsVerb::Delete),
        Self::Jobs(JobsVerb::Backfill),
        Self::Jobs(JobsVerb::Hold),
        Self::Jobs(JobsVerb::Lint),
        Self::Status,
        Self::Time,
        Self::Movie(MovieVerb::Show),
        Self::Movie(MovieVerb::History),
        Self::Movie(MovieVerb::Cards),
        Self::Movie(MovieVerb::Ending),
        Self::Movie(MovieVerb::Pin),
        Self::Movie(MovieVerb::Unpin),
        Self::Ingest,
        Self::Refresh,
        Self::Dead(DeadVerb::Groups),
        Self::Dead(DeadVerb::List),
        Self::Dead(DeadVerb::Show),
        Self::Dead(DeadVerb::Replay),
        Self::Dead(DeadVerb::Drop),
    ];

    /// The verb of this name, or of an earlier one.
    pub(crate) fn of(name: &str) -> Option<Self> {
        let renamed = RENAMED.iter().find(|verb| verb.was == name);
        let name = renamed.map_or(name, |verb| verb.is);
        Self::ALL.into_iter().find(|verb| verb.name() == name)
    }

    /// Its name.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Jobs(verb) => verb.name(),
            Self::Dead(verb) => verb.name(),
            Self::Movie(MovieVerb::Show) => "movie.show",
            Self::Movie(MovieVerb::History) => "movie.history",
            Self::Movie(MovieVerb::Cards) => "movie.cards",
            Self::Movie(MovieVerb::Ending) => "movie.ending",
            Self::Movie(MovieVerb::Pin) => "movie.pin",
            Self::Movie(MovieVerb::Unpin) => "movie.unpin",
            Self::Ingest => "ingest",
            Self::Refresh => "refresh",
            Self::Status => "status",
            Self::Time => "time",
        }
    }

    /// What it does and takes, for a person who got it wrong.
    pub(crate) fn usage(self) -> &'static str {
        let found = API_VERBS.iter().find(|verb| verb.name == self.name());
        found.map_or("", |verb| verb.words)
    }
}

impl JobsVerb {
    const fn name(self) -> &'static str {
        match self {
            Self::List => "jobs.list",
            Self::Show => "jobs.show",
            Self::Runs => "jobs.runs",
            Self::Next => "jobs.next",
            Self::Run => "jobs.run",
            Self::Cancel => "jobs.cancel",
            Self::Pause => "jobs.pause",
            Self::Resume => "jobs.resume",
            Self::Set => "jobs.set",
            Self::Create => "jobs.create",
            Self::Delete => "jobs.delete",
            Self::Backfill => "jobs.backfill",
            Self::Hold => "jobs.hold",
            Self::Lint => "jobs.lint",
        }
    }
}

impl DeadVerb {
    const fn name(self) -> &'static str {
        match self {
            Self::Groups => "dead.groups",
            Self::List => "dead.list",
            Self::Show => "dead.show",
            Self::Replay => "dead.replay",
            Self::Drop => "dead.drop",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_verb_of_the_contract_is_answered() {
        for verb in Verb::ALL {
            assert_eq!(Verb::of(verb.name()), Some(verb));
        }
        let mut answered: Vec<_> = Verb::ALL.into_iter().map(Verb::name).collect();
        answered.extend(RENAMED.iter().map(|verb| verb.was));
        let mut promised: Vec<_> = API_VERBS.iter().map(|verb| verb.name).collect();
        answered.sort_unstable();
        promised.sort_unstable();
        assert_eq!(answered, promised);
        assert_eq!(Verb::of("jobs"), None);
    }
}
