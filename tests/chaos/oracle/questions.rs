//! The SQL of chaos: what the oracle asks, what it counts beside the program, how a scene is set.

/// The sweep and a beat by which the claim is seen; and a scan, so that the freshness policy is at
/// work too. Jobs that would bring in movies nobody asked for are paused.
pub(crate) const SET_JOBS: &str = r#"
    update job
    set enabled = false
    where name in ('scheduled_ingest_daily', 'scheduled_ingest_weekly', 'maintenance');
    update job
    set schedule = '*/5 * * * * *', payload = '{"max_items": 500}'
    where name = 'refresh_worker';
    update job
    set schedule = '*/7 * * * * *', overlap_policy = 'skip'
    where name = 'daily_refresh_enqueue';
    update job
    set lost_after_secs = 20;
    insert into job (name, action, payload, schedule, overlap_policy, lost_after_secs)
    values ('beat', 'refresh', '{"max_items": 1}', 'every 2s', 'allow', 20);"#;

/// No nominal time comes any more, but those of the sweep.
pub(crate) const PAUSE_ALL_BUT_THE_SWEEP: &str = "
    update job
    set enabled = false
    where name <> 'refresh_worker'";

/// No nominal time begins work any more.
pub(crate) const PAUSE_ALL: &str = "
    update job
    set enabled = false";

/// Each attempt that begins or ends, counted beside the program: its own rows go when the work is
/// done. An attempt that fails and one that is given back say so; one that is interrupted says
/// nothing.
pub(super) const COUNT_ATTEMPTS: &str = "
    create table oracle_attempts (
        consumer text not null,
        message_key text not null,
        retried bool not null,
        at timestamptz not null
    );
    create table oracle_ends (
        consumer text not null,
        message_key text not null,
        failed bool not null
    );
    create table oracle_suspects (
        consumer text not null,
        message_key text not null
    );
    create function oracle_attempts() returns trigger language plpgsql as $$
    begin
        if tg_op = 'INSERT' or new.started > old.started then
            insert into oracle_attempts
            values (new.consumer, new.message_key, tg_op = 'UPDATE', clock_timestamp());
        elsif new.failed > old.failed or new.started < old.started then
            insert into oracle_ends
            values (new.consumer, new.message_key, new.failed > old.failed);
        elsif new.alone > old.alone then
            insert into oracle_suspects
            values (new.consumer, new.message_key);
        end if;
        return null;
    end $$;
    create trigger oracle_attempts after insert or update on attempt
        for each row execute function oracle_attempts();";

/// Attempts that began.
pub(crate) const ATTEMPTS: &str = "
    select count(*)
    from oracle_attempts";

/// Attempts at one movie: each asks TMDB for it at most once.
pub(super) const MOVIE_ATTEMPTS: &str = "
    select count(*)
    from oracle_attempts
    where consumer ~ '^(ingest-(movie|listed)|refresh-)'";

/// Attempts after another of the same message.
pub(super) const RETRIES: &str = "
    select count(*)
    from oracle_attempts
    where retried";

/// Attempts at messages that ran alone, for they may have killed a process.
pub(crate) const SUSPECTS: &str = "
    select count(*)
    from oracle_suspects";

/// Messages of which an attempt failed by itself.
pub(super) const FAILED: &str = "
    select distinct message_key
    from oracle_ends
    where failed";

/// Messages that were attempted ($1: keys of the oracle) and that neither the oracle nor the outbox
/// sent under such an id.
pub(super) const UNASKED_ATTEMPTS: &str = "
    select distinct a.consumer || ' ' || a.message_key
    from oracle_attempts a
    where a.message_key !~ '^MOVIES_[A-Z]+:[0-9]+:[0-9]+$'
      and a.message_key <> all($1)
      and not exists (
          select 1
          from outbox o
          where o.message_id = a.message_key)";

/// Messages without an id that were attempted.
pub(super) const UNNAMED_ATTEMPTS: &str = "
    select count(distinct message_key)
    from oracle_attempts
    where message_key ~ '^MOVIES_[A-Z]+:[0-9]+:[0-9]+$'";

/// Messages that the outbox sent and that no item of a run and no queue row asks for.
pub(super) const UNASKED_MESSAGES: &str = r"
    select subject || ' ' || message_id
    from outbox
    where (subject = 'movies.ingest.listed'
          and not exists (
              select 1
              from job_run_item i
              where i.run_id = payload ->> 'run_id'
                and i.tmdb_id = (payload ->> 'tmdb_id')::bigint))
       or (subject ~ '^movies\.stale\.'
          and not exists (
              select 1
              from refresh_item q
              where q.id = (payload ->> 'queue_id')::bigint))";

/// Messages that were attempted more often than they failed or were given back, with the first and
/// the last attempt.
pub(super) const INTERRUPTED: &str = "
    select a.consumer || ' ' || a.message_key, a.n - 1 - coalesce(e.n, 0), a.first_at, a.last_at
    from (
        select consumer, message_key, count(*) as n, min(at) as first_at, max(at) as last_at
        from oracle_attempts
        group by 1, 2) a
    left join (
        select consumer, message_key, count(*) as n
        from oracle_ends
        group by 1, 2) e using (consumer, message_key)
    where a.n - 1 > coalesce(e.n, 0)";

/// Signs by which an obligation is met: its movie is stored or dead ($1: ids), its message is done
/// or dead ($2: keys), its movie was read again since ($3, $4: ids and instants).
pub(super) const SIGNS: &str = r#"
    select 'id:' || tmdb_id
    from works
    where tmdb_id = any($1)
      and ingestion_status = 'complete'
    union all
    select 'id:' || substring(convert_from(payload, 'UTF8') from '"tmdb_id": ?([0-9]+)')
    from dead_letter
    where consumer = 'ingest-movie'
    union all
    select 'key:' || message_key
    from inbox
    where message_key = any($2)
      and consumer in ('refresh-now', 'ingest-movie')
    union all
    select 'key:' || message_key
    from dead_letter
    where message_key = any($2)
    union all
    select 'key:' || run_id
    from job_run
    where run_id = any($2)
      and ended_at is not null
      and status <> 'lost'
    union all
    select 'again:' || w.tmdb_id || ' ' || extract(epoch from t.since)::text
    from title w
    join unnest($3::text[], $4::timestamptz[]) as t(id, since)
      on w.tmdb_id::text = t.id
      and w.fetched_at >= t.since"#;

/// Messages that Postgres had recorded when the broker lost them: the run of a list ($1), the queue
/// row of a refresh ($2, $3, $4: id, key, instant). A queue row tells of a message when its work
/// began after that was sent, or is still to begin.
pub(super) const RECORDED: &str = "
    select run_id
    from job_run
    where run_id = any($1)
    union all
    select t.key
    from refresh_item q
    join unnest($2::bigint[], $3::text[], $4::timestamptz[]) as t(id, key, since)
      on t.id = q.tmdb_id
      and (q.status = 'queued' or (q.status = 'processing' and q.released_at >= t.since))";

/// What still moves.
pub(super) const MOVES: &str = "
    select (select count(*) from outbox where published_at is null)
        + (select count(*) from refresh_item where status in ('queued', 'processing'))
        + (select count(*) from job_run where status in ('waiting', 'queued', 'running'))
        + (select count(*) from works where ingestion_status = 'ingesting')";

/// Rows under way whose worker is gone and whose message is gone too.
pub(super) const LEAVE_ORPHANS: &str = "
    insert into refresh_item
        (work_id, tmdb_id, status, lane, reason, released_at, lease_until)
    select work_id, tmdb_id::bigint, 'processing', 'bulk', 'orphan', now(),
        now() - interval '1 second'
    from works
    order by random()
    limit 20
    on conflict do nothing";

/// Dead letters, by key and reason.
pub(super) const DEAD_LETTERS: &str = "
    select message_key || ' ' || reason
    from dead_letter";

/// Dead letters, by consumer and key.
pub(super) const DEAD_LETTERS_BY_CONSUMER: &str = "
    select consumer || ' ' || message_key
    from dead_letter";

/// The message ids of the copies of dead letters in their stream.
pub(super) const COPIES_OF_DEAD_LETTERS: &str = "
    select 'dead:' || consumer || ':' || message_key
    from dead_letter";

/// As `not-found 12, invalid-payload 3`.
pub(crate) const DEAD_LETTERS_BY_REASON: &str = "
    select reason || ' ' || count(*)
    from dead_letter
    group by reason
    order by count(*) desc";

/// All movies, as `id|title|instant of the answer`.
pub(super) const MOVIES: &str = "
    select w.tmdb_id || '|' || coalesce(w.title, '') || '|' || extract(epoch from t.fetched_at)
    from works w
    join title t using (work_id)";

/// Movies that a run asked for.
pub(super) const MOVIES_OF_RUNS: &str = "
    select distinct tmdb_id::text
    from job_run_item";

/// Numbers for the report.
pub(crate) const COUNT_DEAD_LETTERS: &str = "select count(*) from dead_letter";
pub(crate) const COUNT_MOVIES: &str = "select count(*) from works";
pub(crate) const COUNT_EVENTS: &str = "select count(*) from outbox";
pub(crate) const COUNT_RUNS: &str = "select count(*) from job_run where status <> 'skipped'";
pub(crate) const COUNT_BEATS: &str = "select count(*) from job_run where job = 'beat'";

/// Where an obligation may have left a row, by movie ($1) or by key ($2); one text per row.
pub(crate) const ROWS_OF_AN_OBLIGATION: &str = "
    select 'works ' || json_build_object('status', ingestion_status, 'title', title,
        'fetched_at', fetched_at, 'revision', revision)::text
    from works
    join (select work_id, fetched_at, revision from title) t using (work_id)
    where tmdb_id = $1
    union all
    select 'refresh_item ' || row_to_json(q)::text
    from refresh_item q
    where tmdb_id::text = $1
      and status in ('queued', 'processing')
    union all
    select 'job_run ' || row_to_json(r)::text
    from job_run r
    where run_id = $2
    union all
    select 'inbox ' || row_to_json(i)::text
    from inbox i
    where message_key = $2
    union all
    select 'attempt ' || row_to_json(a)::text
    from attempt a
    where message_key = $2
    union all
    select 'dead_letter ' || reason || ': ' || error
    from dead_letter
    where message_key = $2
    union all
    select 'outbox ' || json_build_object('subject', subject, 'id', message_id,
        'created_at', created_at, 'published_at', published_at)::text
    from outbox
    where message_id = $2
       or (subject ~ '^movies.(refreshed|stale|ingest)' and ordering_key = $1)";

/// Whether the movie's own bad answers used up its attempts.
pub(super) fn worn_out(tmdb_id: i64) -> String {
    format!(
        "select count(*)
         from dead_letter
         where reason = 'retries-exhausted'
           and convert_from(payload, 'UTF8') ~ '\"tmdb_id\": ?{tmdb_id}[^0-9]'"
    )
}

/// The movie, if it holds an answer from before this instant.
pub(super) fn answered_before(tmdb_id: i64, epoch_secs: f64) -> String {
    format!(
        "select tmdb_id::text
         from title
         where tmdb_id = {tmdb_id}
           and fetched_at < to_timestamp({epoch_secs}) - interval '1 millisecond'"
    )
}

/// The movie's title.
pub(super) fn title(tmdb_id: i64) -> String {
    format!("select title from works where tmdb_id = '{tmdb_id}'")
}
