create or replace function job_removed() returns trigger
language plpgsql set search_path from current as $$
begin
    perform job_audit_add(old.name, 'delete', to_jsonb(old), null);
    update job_run
    set status = 'skipped', reason = 'ended: the job was deleted', ended_at = now()
    where job = old.name and status = 'waiting';
    perform pg_notify('mangoes_jobs', old.name);
    return old;
end $$;

create or replace trigger job_removed before delete on job
    for each row execute function job_removed();
