-- Looks at the next works, and brings their titles to what the app's rows say. Returns how many
-- works it looked at; less than p_limit: it is finished. What is edited meanwhile is an edit.
create or replace function adopt_works(p_limit integer) returns integer
language plpgsql set search_path from current set plan_cache_mode = force_custom_plan set jit = off
as $$
declare
    first bigint;
    last bigint;
    seen integer;
begin
    select next_work_id into first from adoption for update;
    select max(work_id), count(*) into last, seen
    from (
        select work_id
        from works
        where work_id >= first
        order by work_id
        limit p_limit
    ) next;
    if seen < p_limit then
        last := 9223372036854775806;
    end if;
    perform keep_titles(
        array(
            select work_id from works where work_id between first and last
            union
            select work_id
            from title t
            where work_id between first and last
                and not exists (select 1 from works w where w.work_id = t.work_id)
        ),
        true
    );
    update adoption
    set next_work_id = last + 1,
        finished_at = coalesce(finished_at, case when seen < p_limit then now() end);
    return seen;
end $$;
