-- An edit of the policy is applied to the due times batch by batch: see apply_policy.
create or replace function policy_edited() returns trigger
language plpgsql set search_path from current as $$
begin
    insert into policy_edit default values
    on conflict (only_row) do update set
        next_work_id = excluded.next_work_id,
        edited_at = now();
    return null;
end $$;

create or replace trigger policy_edited
    after insert or update or delete on staleness_policy
    for each statement execute function policy_edited();
