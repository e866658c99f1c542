-- Applies an edit of the policy to the next due times. Returns whether there are more.
--
-- Whoever saves one of these movies waits for as long as this takes. So it does not wait for others
-- while it holds rows: after a moment it gives them back, and the next call tries again.
create or replace function apply_policy(p_limit integer) returns boolean
language plpgsql set search_path from current set plan_cache_mode = force_custom_plan set jit = off
set max_parallel_workers_per_gather = 0 set enable_seqscan = off set lock_timeout = '30ms'
as $$
declare
    first bigint;
    last bigint;
begin
    select next_work_id into first from policy_edit for update skip locked;
    if not found then
        return false;
    end if;
    select max(work_id) into last
    from (
        select work_id
        from title
        where work_id >= first
        order by work_id
        limit p_limit
    ) next;
    if last is null then
        delete from policy_edit;
        return false;
    end if;
    -- Locked before they are read: a save that is under way is seen as it ends.
    begin
        perform 1
        from title
        where work_id between first and last
        order by tmdb_id, work_id
        for update;
    exception when lock_not_available then
        return true;
    end;
    perform plan_titles(
        array(select work_id from title where work_id between first and last), false
    );
    update policy_edit set next_work_id = last + 1;
    return true;
end $$;
