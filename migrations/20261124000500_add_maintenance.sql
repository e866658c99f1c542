-- Old rows go by a job like any other; how long they stay is its payload, editable at run time.
insert into job (name, action, payload, schedule) values
    ('maintenance', 'maintain',
     '{"api_log_days": 30, "queue_days": 30, "run_days": 90, "failed_run_days": 365, "dead_letter_days": 90, "attempt_days": 14}',
     '15 4 * * *')
    on conflict do nothing;

-- Drops the partitions of days before `cutoff`; returns how many. A long reader makes it fail instead of blocking the log.
create function drop_tmdb_api_logs_before(cutoff date) returns integer language plpgsql as $$
declare
    part record;
    dropped integer := 0;
begin
    perform set_config('lock_timeout', '2s', true);
    for part in
        select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid
        where i.inhparent = 'tmdb_api_logs'::regclass and c.relname ~ '^tmdb_api_logs_[0-9]{8}$'
          and c.relname < 'tmdb_api_logs_' || to_char(cutoff, 'YYYYMMDD')
    loop
        execute format('drop table %I', part.relname);
        dropped := dropped + 1;
    end loop;
    return dropped;
end $$;

-- How often the process died under a message that ran alone in it: only that makes it poison.
alter table attempt add column alone integer not null default 0;
