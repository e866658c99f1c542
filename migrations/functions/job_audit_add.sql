create or replace function job_audit_add(
    p_job text, p_operation text, p_before jsonb, p_after jsonb
) returns void
language sql set search_path from current as $$
    insert into job_audit (by_whom, job, operation, before, after, request_id)
    values (
        author(), p_job, p_operation, p_before, p_after,
        nullif(current_setting('mangoes.request', true), '')
    )
$$;
