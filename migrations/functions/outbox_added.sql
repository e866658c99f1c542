-- Wakes the relay.
create or replace function outbox_added() returns trigger
language plpgsql set search_path from current as $$
begin
    perform pg_notify('mangoes_outbox', '');
    return null;
end $$;

create or replace trigger outbox_added after insert on outbox
    for each statement execute function outbox_added();
