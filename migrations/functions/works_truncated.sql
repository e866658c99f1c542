-- Notes that the app took all its works away at once: an edit of no work in particular.
create or replace function works_truncated() returns trigger
language plpgsql security definer set search_path = mangoes, pg_temp as $$
begin
    insert into work_edit (work_id) values (null);
    return null;
end $$;
