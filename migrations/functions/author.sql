-- Who makes a change: the name that the program sets, or the database user.
create or replace function author() returns text
language sql stable set search_path from current as $$
    select coalesce(nullif(current_setting('mangoes.by', true), ''), session_user)
$$;
