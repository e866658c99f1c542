-- Works off the next edits that the app made to its works. Returns how many; 0: there are none.
create or replace function apply_work_edits(p_limit integer) returns integer
language plpgsql set search_path from current set plan_cache_mode = force_custom_plan set jit = off
as $$
declare
    edited bigint[];
    taken integer;
    is_truncated boolean;
begin
    with next as (
        delete from work_edit
        where id in (
            select id from work_edit limit p_limit for update skip locked
        )
        returning work_id
    )
    select
        coalesce(array_agg(distinct work_id) filter (where work_id is not null), '{}'),
        count(*),
        coalesce(bool_or(work_id is null), false)
    into edited, taken, is_truncated
    from next;
    if is_truncated then
        edited := edited || array(
            select work_id
            from title t
            where not exists (select 1 from works w where w.work_id = t.work_id)
        );
    end if;
    perform keep_titles(edited, false);
    return taken;
end $$;
