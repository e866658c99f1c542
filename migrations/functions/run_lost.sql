-- What becomes of a run that no message carries any more: a list by hand is sent again first.
create or replace function run_lost(p_run text) returns text
language plpgsql set search_path from current as $$
begin
    if lists_again(p_run) > 0 then
        return p_run;
    end if;
    return run_end_lost(p_run);
end $$;
