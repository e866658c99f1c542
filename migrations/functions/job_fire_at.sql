create or replace function job_fire_at() returns trigger
language plpgsql set search_path from current as $$
begin
    new.fire_at := new.next_at + make_interval(secs => new.jitter_offset);
    return new;
end $$;

create or replace trigger job_fire_at before insert or update on job
    for each row execute function job_fire_at();
