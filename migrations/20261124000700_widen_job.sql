-- Job control: policies, pauses with a note, a hold over everything, and a row for every nominal time.
alter table job
    add column dst_gap text not null default 'run_after' check (dst_gap in ('skip', 'run_after', 'run_before')),
    add column dst_overlap text not null default 'first' check (dst_overlap in ('first', 'second', 'both')),
    add column overlap_policy text not null default 'skip' check (overlap_policy in ('skip', 'allow')),
    -- A nominal time that was missed by more than this is not made up for.
    add column catch_up_secs integer not null default 3600 check (catch_up_secs between 0 and 31536000),
    add column starts_at timestamptz,
    add column ends_at timestamptz,
    -- After so many failed runs in a row the job pauses itself; null = never.
    add column pause_after_failures integer check (pause_after_failures > 0),
    add column paused_by text,
    add column paused_until timestamptz;
comment on column job.next_at is 'The watermark: the first nominal time that has no row in job_run yet.';

create table job_hold (
    only_row boolean primary key default true check (only_row),
    held boolean not null default false,
    note text,
    by_whom text,
    changed_at timestamptz not null default now()
);
insert into job_hold default values;

-- Who changed what about jobs: written by the trigger, whichever way the change came.
create table job_audit (
    id bigserial primary key,
    at timestamptz not null default now(),
    by_whom text not null,
    job text not null,
    operation text not null,
    before jsonb,
    after jsonb
);

create function job_words() returns text language sql stable as $$
    select coalesce(nullif(current_setting('mangoes.by', true), ''), current_user)
$$;

create or replace function job_changed() returns trigger language plpgsql as $$
begin
    if tg_op = 'UPDATE' and (new.schedule, new.timezone, new.action, new.payload, new.dst_gap, new.dst_overlap, new.starts_at, new.ends_at)
        is distinct from (old.schedule, old.timezone, old.action, old.payload, old.dst_gap, old.dst_overlap, old.starts_at, old.ends_at) then
        new.revision := old.revision + 1;
        new.updated_at := now();
        -- A nominal time that came and was not claimed under the old revision leaves a row that says so.
        if old.next_at <= now() then
            insert into job_run (run_id, job, action, scheduled_for, trigger_type, status, reason, ended_at)
            values (old.name || '@' || to_char(old.next_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), old.name, old.action, old.next_at,
                'scheduled', 'skipped', 'superseded: the job was edited', now()) on conflict do nothing;
        end if;
        -- An edit takes effect from now on and fires nothing by itself: the scheduler computes the next time.
        new.next_at := null;
    end if;
    if tg_op = 'UPDATE' and new.enabled and not old.enabled then
        new.paused_by := null;
        new.paused_until := null;
        new.note := null;
    end if;
    insert into job_audit (by_whom, job, operation, before, after) values (job_words(), new.name, lower(tg_op),
        case when tg_op = 'UPDATE' then to_jsonb(old) end, to_jsonb(new));
    perform pg_notify('mangoes_jobs', new.name);
    return new;
end $$;
drop trigger job_changed on job;
create trigger job_changed before insert or update of schedule, timezone, enabled, action, payload, dst_gap, dst_overlap, overlap_policy,
        catch_up_secs, starts_at, ends_at, pause_after_failures, paused_until on job
    for each row execute function job_changed();

create function job_removed() returns trigger language plpgsql as $$
begin
    insert into job_audit (by_whom, job, operation, before) values (job_words(), old.name, 'delete', to_jsonb(old));
    perform pg_notify('mangoes_jobs', old.name);
    return old;
end $$;
create trigger job_removed before delete on job for each row execute function job_removed();

-- For people at a psql prompt, and for the command line: the same functions.
create function mangoes_job_known(p_name text) returns void language plpgsql stable as $$
begin
    if not exists (select 1 from job where name = p_name) then
        raise exception 'there is no job %', p_name using hint = 'select name from job';
    end if;
end $$;

create function mangoes_job_pause(p_name text, p_note text default null, p_until timestamptz default null) returns void language plpgsql as $$
begin
    perform mangoes_job_known(p_name);
    if p_until <= now() then
        raise exception 'until must lie in the future, and % does not', p_until;
    end if;
    update job set enabled = false, note = p_note, paused_by = job_words(), paused_until = p_until where name = p_name;
end $$;

create function mangoes_job_resume(p_name text) returns void language plpgsql as $$
begin
    perform mangoes_job_known(p_name);
    update job set enabled = true where name = p_name;
end $$;

create function mangoes_job_schedule(p_name text, p_schedule text, p_action text default null, p_payload jsonb default null) returns text language plpgsql as $$
begin
    if not exists (select 1 from job where name = p_name) and (p_action is null) then
        raise exception 'there is no job %; to create it, name its action too', p_name using hint = 'ingest, scan, refresh or maintain';
    end if;
    insert into job (name, action, payload, schedule) values (p_name, coalesce(p_action, 'scan'), coalesce(p_payload, '{}'), p_schedule)
        on conflict (name) do update set schedule = excluded.schedule, action = coalesce(p_action, job.action), payload = coalesce(p_payload, job.payload);
    return p_name;
end $$;

create function mangoes_job_unschedule(p_name text) returns void language plpgsql as $$
begin
    perform mangoes_job_known(p_name);
    delete from job where name = p_name;
end $$;

create function mangoes_job_run(p_name text, p_payload jsonb default null) returns text language plpgsql as $$
declare
    j record;
    fired timestamptz := clock_timestamp();
    stamp text := to_char(fired at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"');
    id text := p_name || '@' || stamp;
    body jsonb;
begin
    perform mangoes_job_known(p_name);
    select action, payload || coalesce(p_payload, '{}') as payload into j from job where name = p_name;
    insert into job_run (run_id, job, action, scheduled_for, fired_at, trigger_type, requested_by, payload)
        values (id, p_name, j.action, fired, fired, 'manual', job_words(), j.payload);
    body := jsonb_build_object('job', p_name, 'action', j.action, 'scheduled_for', stamp, 'fired_at', stamp,
        'trigger_type', 'manual', 'run_id', id, 'payload', j.payload);
    insert into outbox (subject, message_id, ordering_key, headers, payload) values ('movies.tick.' || j.action || '.' || p_name, 'tick:' || id, p_name,
        jsonb_build_object('ce-id', 'tick:' || id, 'ce-source', 'mangoes', 'ce-type', 'movies.tick.v1', 'ce-time', stamp, 'ce-specversion', '1.0',
            'traceparent', '00-' || md5(id) || '-' || left(md5('tick:' || id), 16) || '-01'), body);
    return id;
end $$;

create function mangoes_jobs_hold(p_held boolean, p_note text default null) returns void language sql as $$
    update job_hold set held = p_held, note = p_note, by_whom = job_words(), changed_at = now();
    select pg_notify('mangoes_jobs', '');
$$;

-- What pg_cron's users know as cron.job and cron.job_run_details.
create view job_status as
    select row_number() over (order by created_at, name) as jobid, name as jobname, schedule, timezone, enabled as active, action, payload, next_at,
        note, paused_by, paused_until,
        (select status from job_run r where r.job = job.name and r.status <> 'skipped' order by fired_at desc limit 1) as last_status
    from job;
create view job_run_details as
    select run_id as runid, job as jobname, status, coalesce(error, reason,
            format('%s checked, %s skipped, %s done, %s failed', checked, skipped, done, failed)) as return_message,
        coalesce(started_at, fired_at) as start_time, ended_at as end_time, scheduled_for, trigger_type, requested_by
    from job_run;
