-- How many movies the change feed named whose change no answer has shown yet; no more than 10,001
-- are counted. Read in the index of what was named, entry by entry, whatever the statistics say.
create or replace function feed_waiting() returns bigint
language sql stable set search_path from current set enable_seqscan = off
set enable_bitmapscan = off set jit = off set max_parallel_workers_per_gather = 0
as $$
    select count(*) from (select from title where told_at is not null limit 10001) t
$$;
