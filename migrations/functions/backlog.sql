-- How much there is to do and how much went wrong. Exact where it is little; what is more than
-- `p_most` is as the last sample says, so that a look reads so many rows of an index and no more.
--
-- Statistics that are older than a queue promise its rows wherever one looks, and a plan that
-- trusts them reads all of a history: so only the indexes of what is open may be used, entry by
-- entry.
create or replace function backlog(
    p_most bigint default 1000,
    out queued bigint, out processing bigint, out open_runs bigint, out unsent bigint,
    out dead_letters bigint, out calls bigint, out errors bigint, out refused bigint
)
language plpgsql stable set search_path from current set enable_seqscan = off
set enable_bitmapscan = off set jit = off
set max_parallel_workers_per_gather = 0
as $$
declare
    last status_sample;
begin
    select * into last from status_sample order by taken_at desc limit 1;
    select count(*) into queued
    from (select from refresh_item where status = 'queued' limit p_most + 1) i;
    select count(*) into processing
    from (select from refresh_item where status = 'processing' limit p_most + 1) i;
    select count(*) into open_runs
    from (select from job_run where status in ('queued', 'running') limit p_most + 1) r;
    select count(*) into unsent
    from (select from outbox where published_at is null limit p_most + 1) o;
    select count(*) into dead_letters
    from (select from dead_letter where replayed_as is null limit p_most + 1) d;
    select
        count(*),
        count(*) filter (where http_status is null or http_status >= 400),
        count(*) filter (where http_status = 429)
    into calls, errors, refused
    from (
        select http_status
        from tmdb_call
        where created_at > now() - interval '1 hour'
        limit p_most + 1
    ) c;
    if queued > p_most then queued := greatest(queued, last.queued); end if;
    if processing > p_most then processing := greatest(processing, last.processing); end if;
    if unsent > p_most then unsent := greatest(unsent, last.unsent); end if;
    if dead_letters > p_most then dead_letters := greatest(dead_letters, last.dead_letters); end if;
    if calls > p_most and last.calls > p_most then
        calls := last.calls;
        errors := last.errors;
        refused := last.refused;
    end if;
end $$;
