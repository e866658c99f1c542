//! The verbs that people and programs ask for by NATS, at `movies.api.<verb>`.

/// A verb.
#[derive(Debug, Clone, Copy)]
pub struct ApiVerb {
    /// Its name, `<noun>.<verb>` or a word alone.
    pub name: &'static str,
    /// What it does, and what a request holds, for people.
    pub words: &'static str,
    /// Whether it changes nothing.
    pub is_reading: bool,
}

const fn reads(name: &'static str, words: &'static str) -> ApiVerb {
    ApiVerb { name, words, is_reading: true }
}

const fn acts(name: &'static str, words: &'static str) -> ApiVerb {
    ApiVerb { name, words, is_reading: false }
}

/// All of them. Every request may name `by`, and a `request_id` by which it is done once.
pub const API_VERBS: [ApiVerb; 31] = [
    reads("jobs.list", "all jobs: {}"),
    reads("jobs.show", "one job: {name}"),
    reads("jobs.get", "as jobs.show, which was its name: {name}"),
    reads("jobs.runs", "latest runs: {name?, run_id?, limit?}"),
    reads("jobs.next", "next nominal times: {name, n?}"),
    acts("jobs.run", "run a job now: {name, payload?, force?, dry_run?}"),
    acts("jobs.cancel", "end a run: {run_id | name, note?}"),
    acts("jobs.pause", "stop a job from firing: {name, note?, until?}"),
    acts("jobs.resume", "let a job fire again: {name}"),
    acts("jobs.set", "change a job: {name, schedule?, timezone?, payload?, ...}"),
    acts("jobs.create", "create a job: {name, action, schedule, timezone?, payload?, ...}"),
    acts("jobs.delete", "remove a job: {name}"),
    acts("jobs.backfill", "run past nominal times: {name, from, to, dry_run?}"),
    acts("jobs.hold", "hold all jobs, or release them: {held: true | false, note?}"),
    reads("jobs.lint", "what is wrong with any job: {}"),
    reads("status", "freshness, backlog, budget: {}"),
    reads("time", "the time that everything is compared with: {}"),
    reads("movie.show", "one movie: {tmdb_id}"),
    reads("movie.get", "as movie.show, which was its name: {tmdb_id}"),
    reads("movie.history", "changes of a movie, the newest first: {tmdb_id, limit?}"),
    reads("movie.cards", "short cards of all movies, page by page: {after?, limit?}"),
    reads("movie.ending", "how an accepted message ended: {message_id}"),
    acts("movie.pin", "read a movie at least so often: {tmdb_id, every: \"1d\", until?}"),
    acts("movie.unpin", "read a movie as its age asks again: {tmdb_id}"),
    acts("ingest", "ingest: {movies, force?} or {list, max_movies}"),
    acts("refresh", "refresh movies: {movies} or {due: true}"),
    reads("dead.groups", "dead letters by consumer and reason: {}"),
    reads("dead.list", "dead letters: {ids?, consumer?, reason?, limit?}"),
    reads("dead.show", "one dead letter: {id}"),
    acts("dead.replay", "replay dead letters: {ids | consumer | reason | all, payload?, again?}"),
    acts("dead.drop", "remove dead letters: {ids | consumer | reason | all}"),
];
