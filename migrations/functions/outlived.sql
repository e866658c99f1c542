-- Whether the last attempt of a message ended without a word, and its process lives all the same.
create or replace function outlived(a attempt) returns boolean
language sql stable set search_path from current as $$
    select a.started > a.failed
        and exists (select 1 from pg_stat_activity s where s.application_name = a.holder)
$$;
