create or replace function job_resume(name text) returns void
language plpgsql set search_path from current as $$
begin
    perform job_known(job_resume.name);
    update job j
    set enabled = true
    where j.name = job_resume.name;
end $$;
