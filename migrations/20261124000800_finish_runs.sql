-- Runs that wait, are cancelled or get lost; limits, jitter, exclusions and a dead-man's switch for jobs. The rules of
-- overlap, cancelling and ticks stand here once, for the services, the command line, NATS and people at a psql prompt.

alter table job_run drop constraint job_run_status_check, add constraint job_run_status_check check
    (status in ('waiting', 'queued', 'running', 'succeeded', 'partial', 'failed', 'skipped', 'cancelled', 'lost'));
alter table job_run
    add column cancelled bigint not null default 0,
    -- A run that was lost is begun anew as another run, which counts on.
    add column attempts integer not null default 1,
    -- When anything happened to it last: a run is lost when nothing does and no message carries it any more.
    add column touched_at timestamptz not null default now(),
    add column progress_at timestamptz;
alter table job_run_item drop constraint job_run_item_state_check, add constraint job_run_item_state_check check
    (state in ('pending', 'done', 'skipped', 'failed', 'cancelled'));
alter table scheduled_ingestion_log add column if not exists movies_cancelled integer not null default 0;
drop index job_run_open;
create index job_run_open on job_run (job, scheduled_for) where status in ('waiting', 'queued', 'running');
create index job_run_cancelled on job_run (ended_at) where status = 'cancelled';

alter table job drop constraint job_overlap_policy_check, add constraint job_overlap_policy_check check
    (overlap_policy in ('skip', 'queue_one', 'queue_all', 'allow', 'cancel_other'));
alter table job
    -- Nominal times in a minute that this schedule matches do not run.
    add column exclusions text,
    -- A nominal time fires up to so many seconds later, always by the same span for the same time.
    add column jitter_secs integer not null default 0 check (jitter_secs between 0 and 86400),
    add column jitter_offset integer not null default 0,
    -- When the watermark fires: next_at and its jitter.
    add column fire_at timestamptz,
    -- Of the times that were missed, at most so many run; with 1 the latest stands for all of them.
    add column catch_up_max integer not null default 1 check (catch_up_max between 1 and 1000),
    add column max_runs integer check (max_runs > 0),
    add column runs_done bigint not null default 0,
    -- No success for so long: `overdue` on movies.run.<job>, once until the next success.
    add column overdue_after_secs integer check (overdue_after_secs > 0),
    add column overdue_since timestamptz,
    add column lost_after_secs integer not null default 1800 check (lost_after_secs > 0),
    add column lost_retries integer not null default 1 check (lost_retries between 0 and 10);
update job set fire_at = next_at;
create index job_fire_at on job (fire_at);
create index job_paused_until on job (paused_until) where not enabled and paused_until is not null;
create index job_overdue on job (name) where overdue_after_secs is not null;

create function job_fire_at() returns trigger language plpgsql as $$
begin
    new.fire_at := new.next_at + make_interval(secs => new.jitter_offset);
    return new;
end $$;
create trigger job_fire_at before insert or update on job for each row execute function job_fire_at();

-- What a caller asked for once is done once, however often it asks with the same id.
create table api_request (
    request_id text primary key,
    at timestamptz not null default now(),
    by_whom text not null,
    answer jsonb
);
alter table job_audit add column request_id text;

create function job_audit_add(p_job text, p_operation text, p_before jsonb, p_after jsonb) returns void language sql as $$
    insert into job_audit (by_whom, job, operation, before, after, request_id)
        values (job_words(), p_job, p_operation, p_before, p_after, nullif(current_setting('mangoes.request', true), ''))
$$;

create or replace function job_changed() returns trigger language plpgsql as $$
begin
    if tg_op = 'INSERT' and exists (select 1 from job_audit where job = new.name and operation = 'delete') then
        raise exception 'the name % belonged to a job that was deleted, and its runs bear it: choose another name', new.name;
    end if;
    if tg_op = 'UPDATE' and (new.schedule, new.timezone, new.action, new.payload, new.dst_gap, new.dst_overlap, new.starts_at, new.ends_at,
            new.exclusions, new.jitter_secs, new.max_runs)
        is distinct from (old.schedule, old.timezone, old.action, old.payload, old.dst_gap, old.dst_overlap, old.starts_at, old.ends_at,
            old.exclusions, old.jitter_secs, old.max_runs) then
        new.revision := old.revision + 1;
        new.updated_at := now();
        -- A nominal time that came and was not claimed under the old revision leaves a row that says so.
        if old.next_at <= now() then
            insert into job_run (run_id, job, action, scheduled_for, trigger_type, status, reason, ended_at)
            values (run_id_of(old.name, old.next_at), old.name, old.action, old.next_at,
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
    perform job_audit_add(new.name, lower(tg_op), case when tg_op = 'UPDATE' then to_jsonb(old) end, to_jsonb(new));
    perform pg_notify('mangoes_jobs', new.name);
    return new;
end $$;
drop trigger job_changed on job;
create trigger job_changed before insert or update of schedule, timezone, enabled, action, payload, dst_gap, dst_overlap, overlap_policy,
        catch_up_secs, catch_up_max, starts_at, ends_at, pause_after_failures, paused_until, exclusions, jitter_secs, max_runs,
        overdue_after_secs, lost_after_secs, lost_retries on job
    for each row execute function job_changed();

create or replace function job_removed() returns trigger language plpgsql as $$
begin
    perform job_audit_add(old.name, 'delete', to_jsonb(old), null);
    update job_run set status = 'skipped', reason = 'ended: the job was deleted', ended_at = now() where job = old.name and status = 'waiting';
    perform pg_notify('mangoes_jobs', old.name);
    return old;
end $$;

-- The public, stable id of a run: job and nominal time.
create function run_id_of(p_job text, p_at timestamptz) returns text language sql stable as $$
    select p_job || '@' || to_char(p_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS')
        || case when extract(microseconds from p_at)::bigint % 1000000 = 0 then '' else to_char(p_at at time zone 'UTC', '.US') end || 'Z'
$$;

create function rfc3339(p_at timestamptz) returns text language sql stable as $$
    select to_char(p_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
$$;

-- An event with CloudEvents headers and a trace that repetition does not change.
create function outbox_add(p_subject text, p_type text, p_id text, p_key text, p_cause text, p_payload jsonb) returns void language sql as $$
    insert into outbox (subject, message_id, ordering_key, headers, payload) values (p_subject, p_id, p_key,
        jsonb_build_object('ce-id', p_id, 'ce-source', 'mangoes', 'ce-type', p_type, 'ce-time', rfc3339(now()), 'ce-specversion', '1.0',
            'traceparent', '00-' || encode(substr(sha256(convert_to(p_cause, 'UTF8')), 1, 16), 'hex') || '-'
                || encode(substr(sha256(convert_to(p_id, 'UTF8')), 1, 8), 'hex') || '-01'), p_payload)
$$;

-- `movies.run.<job>`: where a run stands.
create function run_event(p_run text, p_status text, p_error text default null) returns void language sql as $$
    select outbox_add('movies.run.' || job, 'movies.run.v1',
        run_id || ':' || case p_status when 'progress' then 'progress:' || checked - pending when 'succeeded' then 'ended' when 'partial' then 'ended'
            when 'failed' then 'ended' else p_status end,
        job, run_id, jsonb_strip_nulls(jsonb_build_object('job', job, 'run_id', run_id, 'status', p_status, 'trigger_type', trigger_type,
            'counts', jsonb_build_object('checked', checked, 'skipped', skipped, 'done', done, 'failed', failed, 'not_needed', not_needed,
                'cancelled', cancelled, 'pending', pending),
            'at', rfc3339(now()), 'error', p_error)))
    from job_run where run_id = p_run
$$;

-- The tick of a run.
create function job_tick(p_run text) returns void language sql as $$
    select outbox_add('movies.tick.' || action || '.' || job, 'movies.tick.v1', 'tick:' || run_id, job, run_id,
        jsonb_build_object('job', job, 'action', action, 'scheduled_for', rfc3339(scheduled_for), 'fired_at', rfc3339(fired_at),
            'trigger_type', trigger_type, 'run_id', run_id, 'payload', payload))
    from job_run where run_id = p_run
$$;

-- Ends a run and what it still wants; requests in hand stop within two seconds.
create function run_cancel(p_run text, p_note text) returns boolean language plpgsql as $$
declare
    words text := 'cancelled by ' || job_words() || coalesce(': ' || p_note, '');
    gone bigint;
begin
    -- Queue first, then the run, as the writer does. A row that the writer has in hand is done in a moment.
    update refresh_queue set status = 'failed', processed_at = now(), lease_until = null, last_error = 'its run was ' || words
        where id in (select id from refresh_queue where run_id = p_run and status in ('queued', 'processing') for update skip locked);
    perform 1 from job_run where run_id = p_run and ended_at is null for update;
    if not found then
        return false;
    end if;
    update job_run_item set state = 'cancelled' where run_id = p_run and state = 'pending';
    get diagnostics gone = row_count;
    update job_run set status = 'cancelled', ended_at = now(), reason = words, cancelled = gone, pending = 0 where run_id = p_run;
    insert into scheduled_ingestion_log (source, movies_checked, movies_skipped, movies_ingested, movies_failed, movies_not_needed, movies_cancelled,
            duration_ms, trigger_type, created_at, run_id, error)
        select coalesce(payload ->> 'source', job), checked, skipped, done, failed, not_needed, cancelled,
            (extract(epoch from now() - coalesce(started_at, fired_at)) * 1000)::bigint, trigger_type, now(), run_id, words
        from job_run where run_id = p_run and action = 'ingest' on conflict do nothing;
    perform run_event(p_run, 'cancelled', words);
    perform pg_notify('mangoes_jobs', p_run);
    return true;
end $$;

-- Begins a run under the job's overlap policy; the caller holds the job's row. Returns what became of it: queued, waiting or
-- skipped, and the run in the way. A run by hand that may not begin leaves no row: its caller is told.
create function job_begin(p_job text, p_at timestamptz, p_trigger text, p_action text, p_payload jsonb, p_policy text, p_note text,
    out begun text, out outcome text, out blocker text) language plpgsql as $$
declare
    waits boolean;
    other record;
begin
    begun := run_id_of(p_job, p_at);
    select run_id into blocker from job_run where job = p_job and status in ('queued', 'running') order by scheduled_for limit 1;
    select exists (select 1 from job_run where job = p_job and status = 'waiting') into waits;
    outcome := case
        when p_policy = 'skip' and (blocker is not null or waits) then 'skipped'
        when p_policy = 'queue_one' and waits then 'skipped'
        when p_policy in ('queue_one', 'queue_all') and (blocker is not null or waits) then 'waiting'
        else 'queued' end;
    if outcome = 'skipped' and blocker is null then
        select run_id into blocker from job_run where job = p_job and status = 'waiting' order by scheduled_for limit 1;
    end if;
    if outcome = 'skipped' and p_trigger = 'manual' then
        return;
    end if;
    if p_policy = 'cancel_other' then
        for other in select run_id from job_run where job = p_job and status in ('waiting', 'queued', 'running') order by run_id loop
            perform run_cancel(other.run_id, 'another run of the job begins');
        end loop;
    end if;
    insert into job_run (run_id, job, action, scheduled_for, fired_at, trigger_type, requested_by, payload, status, reason, ended_at)
        values (begun, p_job, p_action, p_at, clock_timestamp(), p_trigger,
            case when p_trigger in ('manual', 'backfill') then job_words() end, p_payload, outcome,
            case when outcome = 'skipped' then 'overlap: ' || blocker || ' is not over' else p_note end,
            case when outcome = 'skipped' then now() end)
        on conflict (job, scheduled_for) do update set status = excluded.status, trigger_type = excluded.trigger_type, fired_at = excluded.fired_at,
            requested_by = excluded.requested_by, reason = null, ended_at = null, touched_at = now(), payload = excluded.payload
            where p_trigger = 'backfill' and job_run.status = 'skipped'
        returning run_id into begun;
    if begun is null then
        outcome := 'there';
    elsif outcome = 'queued' then
        perform job_tick(begun);
    elsif outcome = 'skipped' then
        perform run_event(begun, 'skipped', 'overlap: ' || blocker || ' is not over');
    end if;
end $$;

-- Waiting runs whose turn has come, the oldest of each job.
create function job_promote() returns bigint language plpgsql as $$
declare
    waiting record;
    next text;
    promoted bigint := 0;
begin
    if exists (select 1 from job_hold where held) then
        return 0;
    end if;
    for waiting in select distinct job from job_run where status = 'waiting' loop
        perform 1 from job where name = waiting.job for update;
        if exists (select 1 from job_run where job = waiting.job and status in ('queued', 'running')) then
            continue;
        end if;
        update job_run set status = 'queued', fired_at = clock_timestamp(), touched_at = now() where run_id = (
            select run_id from job_run where job = waiting.job and status = 'waiting' order by scheduled_for limit 1) and status = 'waiting'
            returning run_id into next;
        if next is not null then
            perform job_tick(next);
            promoted := promoted + 1;
        end if;
    end loop;
    return promoted;
end $$;

-- Jobs that had no success for longer than they say, told once each.
create function job_note_overdue() returns bigint language sql as $$
    with late as (
        update job j set overdue_since = now()
        where overdue_after_secs is not null and overdue_since is null and now() - make_interval(secs => overdue_after_secs) > (
            select coalesce(max(r.ended_at), j.updated_at) from job_run r where r.job = j.name and r.status = 'succeeded')
        returning name, overdue_after_secs, enabled, note),
    told as (
        select outbox_add('movies.run.' || name, 'movies.run.v1', name || ':overdue:' || rfc3339(now()), name, name,
            jsonb_build_object('job', name, 'run_id', run_id_of(name, now()), 'status', 'overdue', 'trigger_type', 'scheduled',
                'counts', jsonb_build_object('checked', 0, 'skipped', 0, 'done', 0, 'failed', 0, 'not_needed', 0),
                'at', rfc3339(now()),
                'error', format('no success for more than %s s%s', overdue_after_secs,
                    case when enabled then '' else '; the job is paused' || coalesce(': ' || note, '') end))) as sent
        from late)
    select count(*) from told
$$;

-- A run that no message carries any more ends, and begins anew as its job says.
create function run_lost(p_run text) returns text language plpgsql as $$
declare
    run record;
    again record;
    gone bigint;
begin
    select * into run from job_run where run_id = p_run and ended_at is null and status in ('queued', 'running') for update;
    if not found then
        return null;
    end if;
    update job_run_item set state = 'failed', error = 'its message vanished' where run_id = p_run and state = 'pending';
    get diagnostics gone = row_count;
    update job_run set status = 'lost', ended_at = now(), failed = failed + gone, pending = 0, error = 'nothing happened to it and no message carries it'
        where run_id = p_run;
    perform run_event(p_run, 'lost', 'nothing happened to it and no message carries it');
    select begun into again from job j, job_begin(j.name, clock_timestamp(), 'catch_up', run.action, run.payload, 'queue_all', 'instead of ' || p_run || ', which was lost')
        where j.name = run.job and run.attempts <= j.lost_retries;
    update job_run set attempts = run.attempts + 1 where run_id = again.begun;
    return again.begun;
end $$;

-- For people at a psql prompt, the command line and NATS: the same functions. P0002 says that there is no such thing, P0001 that it
-- cannot be done now.
create or replace function mangoes_job_known(p_name text) returns void language plpgsql stable as $$
begin
    if not exists (select 1 from job where name = p_name) then
        raise exception 'there is no job %', p_name using errcode = 'P0002';
    end if;
end $$;

drop function mangoes_job_run(text, jsonb);
create function mangoes_job_run(p_name text, p_payload jsonb default null, p_force boolean default false) returns text language plpgsql as $$
declare
    j record;
    r record;
begin
    perform mangoes_job_known(p_name);
    select action, payload || coalesce(p_payload, '{}') as payload, case when p_force then 'allow' else overlap_policy end as policy
        into j from job where name = p_name for update;
    select * into r from job_begin(p_name, clock_timestamp(), 'manual', j.action, j.payload, j.policy, null);
    if r.outcome = 'skipped' then
        raise exception '% is not over, and the runs of % may not overlap', r.blocker, p_name
            using hint = 'wait for it, cancel it, or force the run';
    end if;
    perform job_audit_add(p_name, 'run', null, jsonb_build_object('run_id', r.begun, 'payload', j.payload));
    perform pg_notify('mangoes_jobs', p_name);
    return r.begun;
end $$;

create function mangoes_run_cancel(p_run text, p_note text default null) returns void language plpgsql as $$
declare
    run record;
begin
    select job, status into run from job_run where run_id = p_run;
    if not found then
        raise exception 'there is no run %', p_run using errcode = 'P0002';
    end if;
    if not run_cancel(p_run, p_note) then
        raise exception '% is over: %', p_run, (select status from job_run where run_id = p_run);
    end if;
    perform job_audit_add(run.job, 'cancel', jsonb_build_object('run_id', p_run, 'status', run.status), jsonb_build_object('note', p_note));
end $$;

-- Changes what `p_edit` names; null takes a limit away.
create function mangoes_job_set(p_name text, p_edit jsonb) returns void language plpgsql as $$
begin
    perform mangoes_job_known(p_name);
    update job j set (schedule, timezone, payload, dst_gap, dst_overlap, overlap_policy, catch_up_secs, catch_up_max, starts_at, ends_at,
            pause_after_failures, exclusions, jitter_secs, max_runs, overdue_after_secs, lost_after_secs, lost_retries) =
        (select r.schedule, r.timezone, r.payload, r.dst_gap, r.dst_overlap, r.overlap_policy, r.catch_up_secs, r.catch_up_max, r.starts_at, r.ends_at,
            r.pause_after_failures, r.exclusions, r.jitter_secs, r.max_runs, r.overdue_after_secs, r.lost_after_secs, r.lost_retries
        from jsonb_populate_record(j, p_edit) r)
        where name = p_name;
    update job set overdue_since = null where name = p_name and p_edit ? 'overdue_after_secs';
end $$;

create or replace function mangoes_jobs_hold(p_held boolean, p_note text default null) returns void language sql as $$
    select job_audit_add('*', case when p_held then 'hold' else 'release' end, to_jsonb(h), jsonb_build_object('held', p_held, 'note', p_note)) from job_hold h;
    update job_hold set held = p_held, note = p_note, by_whom = job_words(), changed_at = now();
    select pg_notify('mangoes_jobs', '');
$$;
