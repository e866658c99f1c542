//! The verbs that are served by NATS: `movies.api.<noun>.<verb>`, each with what it takes.

/// A verb.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    Jobs(JobsVerb),
    Dead(DeadVerb),
    Movie(MovieVerb),
    Ingest,
    Refresh,
    Status,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum JobsVerb {
    List,
    Get,
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
    List,
    Show,
    Replay,
    Drop,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MovieVerb {
    Get,
    History,
}

impl Verb {
    pub(crate) const ALL: [Self; 23] = [
        Self::Jobs(JobsVerb::List),
        Self::Jobs(JobsVerb::Get),
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
        Self::Movie(MovieVerb::Get),
        Self::Movie(MovieVerb::History),
        Self::Ingest,
        Self::Refresh,
        Self::Dead(DeadVerb::List),
        Self::Dead(DeadVerb::Show),
        Self::Dead(DeadVerb::Replay),
        Self::Dead(DeadVerb::Drop),
    ];

    /// The verb of this name.
    pub(crate) fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|verb| verb.described().0 == name)
    }

    /// What it takes, for a person who got it wrong.
    pub(crate) const fn usage(self) -> &'static str {
        self.described().1
    }

    /// Its name, and what it does and takes.
    pub(crate) const fn described(self) -> (&'static str, &'static str) {
        match self {
            Self::Jobs(verb) => verb.described(),
            Self::Dead(verb) => verb.described(),
            Self::Movie(MovieVerb::Get) => ("movie.get", "one movie: {tmdb_id}"),
            Self::Movie(MovieVerb::History) => {
                ("movie.history", "changes of a movie, the newest first: {tmdb_id, limit?}")
            }
            Self::Ingest => ("ingest", "ingest: {movies, force?} or {list, max_movies}"),
            Self::Refresh => ("refresh", "refresh movies: {movies} or {due: true}"),
            Self::Status => ("status", "freshness, backlog, budget: {}"),
        }
    }
}

impl JobsVerb {
    const fn described(self) -> (&'static str, &'static str) {
        match self {
            Self::List => ("jobs.list", "all jobs: {}"),
            Self::Get => ("jobs.get", "one job: {name}"),
            Self::Runs => ("jobs.runs", "latest runs: {name?, run_id?, limit?}"),
            Self::Next => ("jobs.next", "next nominal times: {name, n?}"),
            Self::Run => ("jobs.run", "run a job now: {name, payload?, force?, dry_run?}"),
            Self::Cancel => ("jobs.cancel", "end a run: {run_id, note?}"),
            Self::Pause => ("jobs.pause", "stop a job from firing: {name, note?, until?}"),
            Self::Resume => ("jobs.resume", "let a job fire again: {name}"),
            Self::Set => ("jobs.set", "change a job: {name, schedule?, timezone?, payload?, ...}"),
            Self::Create => {
                ("jobs.create", "create a job: {name, action, schedule, timezone?, payload?, ...}")
            }
            Self::Delete => ("jobs.delete", "remove a job: {name}"),
            Self::Backfill => {
                ("jobs.backfill", "run past nominal times: {name, from, to, dry_run?}")
            }
            Self::Hold => {
                ("jobs.hold", "hold all jobs, or release them: {held: true | false, note?}")
            }
            Self::Lint => ("jobs.lint", "what is wrong with any job: {}"),
        }
    }
}

impl DeadVerb {
    const fn described(self) -> (&'static str, &'static str) {
        match self {
            Self::List => ("dead.list", "dead letters: {ids?, consumer?, reason?, limit?}"),
            Self::Show => ("dead.show", "one dead letter: {id}"),
            Self::Replay => (
                "dead.replay",
                "replay dead letters: {ids | consumer | reason | all, payload?, again?}",
            ),
            Self::Drop => ("dead.drop", "remove dead letters: {ids | consumer | reason | all}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_verb_is_found_by_its_name() {
        for verb in Verb::ALL {
            assert_eq!(Verb::of(verb.described().0), Some(verb));
        }
        assert_eq!(Verb::of("jobs"), None);
    }
}
