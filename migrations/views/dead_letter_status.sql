-- Dead letters without what is in them.
create or replace view dead_letter_status as
    select
        id, consumer, subject, reason, error, tries, trace_id, first_at, died_at, replayed_as
    from dead_letter;
