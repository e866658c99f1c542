-- What the app's tables are read with, and the triggers on them. Run by the app's owner.

-- In how many days a movie of this release date is stale.
create function public.calculate_staleness_days(release_date date) returns integer
language sql immutable
as $$
    select case
        when current_date - release_date <= 30 then 2
        when current_date - release_date <= 180 then 7
        when current_date - release_date <= 365 then 14
        else 30
    end
$$;

-- Whether TMDB should be asked for the movie again.
create function public.is_stale(work_id_input bigint) returns boolean
language plpgsql
as $$
declare
    work record;
begin
    select release_date, last_refreshed_at into work
    from works
    where work_id = work_id_input;
    if not found then
        return true;
    end if;
    return work.last_refreshed_at
        < now() - make_interval(days => calculate_staleness_days(work.release_date));
end $$;

-- Numbers for the app's dashboard, out of the cards.
create function public.get_movie_database_stats() returns json
language sql
as $$
    select json_build_object(
        'total_movies', (select count(*) from works),
        'movies_with_posters',
        count(*) filter (where payload -> 'poster' ->> 'medium' is not null),
        'movies_with_trailers',
        count(*) filter (where payload ->> 'trailer_youtube_id' is not null),
        'unique_directors', count(distinct payload ->> 'director'),
        'unique_actors', (
            select count(distinct actor ->> 'name')
            from work_cards_cache c, jsonb_array_elements(c.payload -> 'cast') actor
        )
    )
    from work_cards_cache
$$;

-- Numbers for the app's dashboard, out of the works.
create function public.get_tmdb_stats() returns json
language sql security definer
as $$
    select json_build_object(
        'total_movies', count(*),
        'ingested_today', count(*) filter (where last_refreshed_at >= current_date),
        'pending_count', count(*) filter (where ingestion_status = 'pending'),
        'failed_count', count(*) filter (where ingestion_status = 'failed')
    )
    from works
$$;

create function public.update_updated_at() returns trigger
language plpgsql
as $$
begin
    new.updated_at := now();
    return new;
end $$;

create trigger works_updated_at before update on public.works
    for each row execute function public.update_updated_at();
create trigger works_meta_updated_at before update on public.works_meta
    for each row execute function public.update_updated_at();

-- Times of the ingestion log, as people in two places read them.
create function public.update_scheduled_ingestion_log_timestamps() returns trigger
language plpgsql
as $$
begin
    new.created_at_utc_formatted :=
        to_char(new.created_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS');
    new.created_at_pacific_formatted :=
        to_char(new.created_at at time zone 'America/Los_Angeles', 'YYYY-MM-DD HH24:MI:SS');
    return new;
end $$;

create trigger trigger_update_scheduled_ingestion_log_timestamps
    before insert or update on public.scheduled_ingestion_log
    for each row execute function public.update_scheduled_ingestion_log_timestamps();

-- A function of the app that adds a movie and trusts no search path.
create function public.add_movie_to_catalog(new_tmdb_id text, new_title text) returns bigint
language sql
set search_path = ''
as $$
    insert into public.works (tmdb_id, title, ingestion_status)
    values (new_tmdb_id, new_title, 'pending')
    returning work_id
$$;

create view public.movie_budgets as
select w.work_id, w.title, m.budget
from public.works w
join public.works_meta m using (work_id);

create view public.recent_works as
select work_id, tmdb_id, title, last_refreshed_at
from public.works
where last_refreshed_at > now() - interval '7 days';

create view public.stale_works as
select w.work_id, w.title
from public.works w
where public.is_stale(w.work_id);

create view public.failed_tmdb_calls as
select id, created_at, endpoint, http_status
from public.tmdb_api_logs
where http_status >= 400;
