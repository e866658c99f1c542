-- The tables that pg_cron keeps its jobs in, with the app's four jobs. Run by a superuser.

create schema cron;
grant usage on schema cron to app_owner;

create table cron.job (
    jobid bigserial primary key,
    schedule text not null,
    command text not null,
    nodename text not null default 'localhost',
    nodeport integer not null default 5432,
    database text not null default current_database(),
    username text not null default current_user,
    active boolean not null default true,
    jobname text
);
create table cron.job_run_details (
    jobid bigint,
    runid bigserial primary key,
    job_pid integer,
    database text,
    username text,
    command text,
    status text,
    return_message text,
    start_time timestamptz,
    end_time timestamptz
);
-- Everybody sees his own jobs alone.
alter table cron.job enable row level security;
create policy cron_job_policy on cron.job using (username = current_user);
grant select on cron.job, cron.job_run_details to app_owner;

insert into cron.job (jobname, schedule, command, username)
values
    ('scheduled_ingest_daily', '0 11 * * *',
     'select call_scheduled_ingest(''mixed_daily'', 30)', 'app_owner'),
    ('scheduled_ingest_weekly', '0 10 * * 0',
     'select call_scheduled_ingest(''mixed_weekly'', 80)', 'app_owner'),
    ('daily_refresh_enqueue', '30 11 * * *', 'select call_daily_refresh()', 'app_owner'),
    ('refresh_worker', '*/10 * * * *', 'select call_refresh_worker()', 'app_owner'),
    ('nightly_vacuum', '0 3 * * *', 'vacuum', 'postgres');
insert into cron.job_run_details (jobid, status, start_time, end_time)
select jobid, 'succeeded', now() - interval '1 hour', now() - interval '59 minutes'
from cron.job;
