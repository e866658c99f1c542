-- The trace that a dead letter belongs to: of its traceparent header, or the one that its own event carries.
alter table dead_letter add column trace_id text;
update dead_letter set trace_id = substring(headers ->> 'traceparent' from '^[0-9a-f]{2}-([0-9a-f]{32})-') where trace_id is null;
