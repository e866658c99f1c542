-- Wakes the relays of all processes, unless the writer wakes the one of its own process.
create or replace function outbox_added() returns trigger
language plpgsql set search_path from current as $$
begin
    perform pg_notify('mangoes_outbox', '');
    return null;
end $$;

create or replace trigger outbox_added after insert on outbox
    for each statement when (current_setting('mangoes.wakes_relay', true) is distinct from 'on')
    execute function outbox_added();
