create or replace function job_unschedule(name text) returns void
language plpgsql set search_path from current as $$
begin
    perform job_known(job_unschedule.name);
    delete from job j where j.name = job_unschedule.name;
end $$;
