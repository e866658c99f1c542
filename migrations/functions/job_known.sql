-- P0002 says that there is no such thing; P0001 that it cannot be done now.
create or replace function job_known(p_name text) returns void
language plpgsql stable set search_path from current as $$
begin
    if not exists (select 1 from job where name = p_name) then
        raise exception 'there is no job %', p_name using errcode = 'P0002';
    end if;
end $$;
