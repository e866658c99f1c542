-- How long after this sample the next one is due.
create or replace function sample_interval(p_sample status_sample) returns interval
language sql immutable set search_path from current as $$
    select greatest(interval '1 second', p_sample.took_ms * interval '100 milliseconds')
$$;
