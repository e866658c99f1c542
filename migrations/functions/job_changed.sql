-- What follows from a new job or an edit, whichever way it came.
create or replace function job_changed() returns trigger
language plpgsql set search_path from current as $$
begin
    if tg_op = 'INSERT'
        and exists (select 1 from job_audit where job = new.name and operation = 'delete')
    then
        raise exception 'the name % belonged to a job that was deleted', new.name
            using detail = 'its runs still have the name', hint = 'choose another name';
    end if;
    if tg_op = 'UPDATE' and (
        new.schedule, new.timezone, new.action, new.payload, new.dst_gap, new.dst_overlap,
        new.starts_at, new.ends_at, new.exclusions, new.jitter_secs, new.max_runs
    ) is distinct from (
        old.schedule, old.timezone, old.action, old.payload, old.dst_gap, old.dst_overlap,
        old.starts_at, old.ends_at, old.exclusions, old.jitter_secs, old.max_runs
    ) then
        new.revision := old.revision + 1;
        new.updated_at := now();
        -- A nominal time that came and was not claimed before the edit leaves a row that says so.
        if old.next_at <= now() then
            insert into job_run (
                run_id, job, action, scheduled_for, trigger_type, status, reason, ended_at
            )
            values (
                run_id_of(old.name, old.next_at), old.name, old.action, old.next_at,
                'scheduled', 'skipped', 'superseded: the job was edited', now()
            )
            on conflict do nothing;
        end if;
        -- An edit takes effect from now on and fires nothing by itself: the scheduler computes the
        -- next time.
        new.next_at := null;
    end if;
    if tg_op = 'UPDATE' and new.enabled and not old.enabled then
        new.paused_by := null;
        new.paused_until := null;
        new.note := null;
    end if;
    perform job_audit_add(
        new.name, lower(tg_op), case when tg_op = 'UPDATE' then to_jsonb(old) end, to_jsonb(new)
    );
    perform pg_notify('mangoes_jobs', new.name);
    return new;
end $$;

create or replace trigger job_changed
    before insert or update of
        schedule, timezone, enabled, action, payload, dst_gap, dst_overlap, overlap_policy,
        catch_up_secs, catch_up_max, starts_at, ends_at, pause_after_failures, paused_until,
        exclusions, jitter_secs, max_runs, overdue_after_secs, lost_after_secs, lost_retries
    on job
    for each row execute function job_changed();
