//! Tables that contradict themselves or each other: what must never be there when all is at rest.

/// Rows that contradict themselves or each other.
pub(super) struct Contradiction {
    /// What they are.
    pub(super) name: &'static str,
    /// Asks for some of them.
    pub(super) rows: &'static str,
}

pub(super) const CONTRADICTIONS: [Contradiction; 10] = [
    // A paused job's nominal times still leave rows and events: the last one may be on its way.
    Contradiction {
        name: "unsent events",
        rows: "
            select subject || ' ' || message_id
            from outbox
            where published_at is null and created_at < now() - interval '2 seconds'
            limit 5",
    },
    Contradiction {
        name: "queue rows without a worker",
        rows: "
            select q::text
            from refresh_item q
            where status in ('queued', 'processing')
            limit 5",
    },
    Contradiction {
        name: "movies half ingested",
        rows: "
            select tmdb_id
            from works
            where ingestion_status <> 'complete'
            limit 5",
    },
    Contradiction {
        name: "open runs",
        rows: "
            select r::text
            from job_run r
            where status in ('waiting', 'queued', 'running')
            limit 5",
    },
    Contradiction {
        name: "runs that do not add up",
        rows: "
            select r::text
            from job_run r
            where ended_at is not null
              and (pending <> 0
                or (action in ('ingest', 'scan')
                  and checked <> skipped + done + failed + not_needed + cancelled))
            limit 5",
    },
    Contradiction {
        name: "events written twice",
        rows: "
            select message_id
            from outbox
            group by message_id
            having count(*) > 1
            limit 5",
    },
    Contradiction {
        name: "nominal times that fired twice",
        rows: "
            select job || ' ' || date_trunc('second', scheduled_for)
            from job_run
            where trigger_type in ('scheduled', 'catch_up')
              and status <> 'skipped'
              and attempts = 1
              and reason is distinct from 'again'
            group by job, date_trunc('second', scheduled_for)
            having count(*) > 1
            limit 5",
    },
    Contradiction {
        name: "nominal times without a row",
        rows: "
            select s.job || ' ' || s.at
            from (
                select job, generate_series(date_trunc('second', min(scheduled_for)),
                    max(scheduled_for), interval '2 seconds') as at
                from job_run
                where job = 'beat'
                  and trigger_type <> 'manual'
                group by job) s
            where not exists (
                select 1
                from job_run r
                where r.job = s.job
                  and date_trunc('second', r.scheduled_for) = s.at)
            limit 5",
    },
    Contradiction {
        name: "revisions with gaps",
        rows: "
            select work_id::text
            from (
                select work_id, array_agg(revision order by id) as seen, max(revision) as top,
                    count(*) as n
                from work_event
                where kind in ('created', 'updated')
                group by work_id) r
            where n <> top
               or seen <> (select array_agg(g order by g) from generate_series(1, top) g)
            limit 5",
    },
    Contradiction {
        name: "revisions behind",
        rows: "
            select t.tmdb_id::text
            from title t
            where revision <> (
                select coalesce(max(revision), 0)
                from work_event e
                where e.work_id = t.work_id)
            limit 5",
    },
];
