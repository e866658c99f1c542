-- Whether a work is due; one that nobody knows is, as the app's own function says.
create or replace function is_stale(p_work_id bigint) returns boolean
language sql stable security definer set search_path = mangoes, pg_temp as $$
    select coalesce(
        (select removed_at is null and due_at <= now() from title where work_id = p_work_id),
        true
    )
$$;
