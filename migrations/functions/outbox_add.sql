-- An event with CloudEvents headers and a trace that repetition does not change.
create or replace function outbox_add(
    p_subject text, p_type text, p_id text, p_key text, p_cause text, p_payload jsonb
) returns void
language sql set search_path from current as $$
    insert into outbox (subject, message_id, ordering_key, headers, payload)
    values (
        p_subject, p_id, p_key,
        jsonb_build_object(
            'ce-id', p_id,
            -- What a subject ends with: a movie, a job.
            'ce-subject', regexp_replace(p_subject, '^.*\.', ''),
            'ce-type', p_type,
            'ce-time', rfc3339(now()),
            'traceparent', '00-'
                || encode(substr(sha256(convert_to(p_cause, 'UTF8')), 1, 16), 'hex') || '-'
                || encode(substr(sha256(convert_to(p_id, 'UTF8')), 1, 8), 'hex') || '-01'
        )::json,
        p_payload::json
    )
$$;
