-- What years of edits by hand leave behind. Run by the app's owner.

insert into public.works (tmdb_id, title, release_date, last_refreshed_at, ingestion_status)
values
    -- No id that TMDB could have given.
    ('tt0133093', 'No number', '1999-03-30', now() - interval '90 days', 'complete'),
    ('', 'No id', null, now() - interval '90 days', 'complete'),
    ('-7', 'Below zero', '1990-01-01', now(), 'complete'),
    ('99999999999999999999', 'Too large', '1990-01-01', now(), 'complete'),
    -- The number of another row, written otherwise.
    ('00603', 'The Matrix, with zeros', '1999-03-30', now() - interval '90 days', 'complete'),
    (' 550', 'Fight Club, with a blank', '1999-10-15', now() - interval '90 days', 'complete'),
    ('1066', '', '1990-01-01', now() - interval '90 days', 'complete'),
    ('1067', 'Before Christ', '0044-03-15 BC', now() - interval '90 days', 'complete'),
    ('1068', 'Never ends', 'infinity', 'infinity', 'complete'),
    ('1070', 'Never began', '-infinity', '-infinity', 'complete'),
    ('1071', 'Far ahead', '294270-01-01', now(), 'complete'),
    ('1073', 'Stuck', '1990-01-01', now() - interval '90 days', 'ingesting'),
    ('1074', 'Given up', '1990-01-01', now() - interval '90 days', 'failed'),
    ('1075', 'No status', '1990-01-01', now() - interval '90 days', null);

-- Parts of other types than the app writes.
insert into public.works_meta (work_id, overview, cast_members, crew_members, trailers, streaming,
    still_images, schema_version, fetched_at)
select work_id, 'odd', '{"0": {"name": "An Actor"}}', 'null', '"none"', '[]', '{}', null, 'infinity'
from public.works
where tmdb_id in ('1066', '1067', '1068', '1070');

insert into public.work_cards_cache (work_id, payload, payload_short, etag)
select work_id, payload, short, null
from (values
    ('1066', '{"tmdb_id": 1066, "year": "1990", "cast": {"0": "An Actor"}}'::jsonb, null::jsonb),
    ('1067', 'null', '[]'),
    ('1068', '"a text"', '"short"'),
    ('1070', '[]', '0')
) as card (tmdb_id, payload, short)
join public.works using (tmdb_id);
