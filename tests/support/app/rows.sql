-- Sixty movies as the app stored them: five that everybody knows, and fifty-five that the simulator
-- has under the same ids. Run by the app's owner.

insert into public.works (tmdb_id, imdb_id, title, original_title, year, release_date,
    last_refreshed_at, request_count, created_at, updated_at, ingestion_status, trigger_source)
select tmdb_id, imdb_id, title, title, extract(year from released)::integer, released,
    now() - make_interval(days => refreshed_days_ago), 7, now() - interval '400 days',
    now() - interval '20 days', 'complete', 'search'
from (values
    ('603', 'tt0133093', 'The Matrix', date '1999-03-30', 90),
    ('550', 'tt0137523', 'Fight Club', date '1999-10-15', 0),
    ('27205', 'tt1375666', 'Inception', date '2010-07-15', 40),
    ('155', 'tt0468569', 'The Dark Knight', date '2008-07-16', 5),
    ('13', 'tt0109830', 'Forrest Gump', date '1994-06-23', null)
) as known (tmdb_id, imdb_id, title, released, refreshed_days_ago);

insert into public.works (tmdb_id, imdb_id, title, original_title, year, release_date,
    last_refreshed_at, created_at, updated_at, ingestion_status)
select n::text, 'tt90' || n, 'Invented ' || n, 'Invented ' || n, 1990, date '1990-01-01' + n % 300,
    now() - make_interval(days => case when n % 2 = 0 then 45 else 1 end),
    now() - interval '300 days', now() - interval '30 days', 'complete'
from generate_series(1001, 1065) n
where n not in (1005, 1017, 1021, 1030, 1038, 1052, 1057, 1064, 1065, 1063);

-- Pictures, stills and thumbnails of every third movie and of the known ones stand in the app's own
-- storage; the others' are TMDB's.
insert into public.works_meta (work_id, runtime_minutes, runtime_display, tagline, overview,
    overview_short, keywords, genres, subgenres, moods, certification, certification_reason,
    poster_url_small, poster_url_medium, poster_url_large, poster_url_original, backdrop_url,
    backdrop_url_mobile, still_images, cast_members, crew_members, trailer_youtube_id,
    trailer_thumbnail, trailer_duration, trailers, aspect_ratio, production_companies,
    production_countries, spoken_languages, original_language, budget, revenue_worldwide, awards,
    streaming, collection, fetched_at, updated_at, similar_movie_ids, schema_version)
select work_id, 136, '2h 16m', 'As it was', 'What happens in ' || title, 'What happens',
    array['hacker', 'dream'], array['Action', 'Drama'], array['Heist'], array['Tense'], 'R',
    'for violence',
    'https://image.tmdb.org/t/p/w154/old.jpg',
    case when own then base || 'posters/' || work_id || '_medium.jpg'
        else 'https://image.tmdb.org/t/p/w342/old.jpg' end,
    case when own then base || 'posters/' || work_id || '_large.jpg'
        else 'https://image.tmdb.org/t/p/w500/old.jpg' end,
    'https://image.tmdb.org/t/p/original/old.jpg',
    case when own then base || 'backdrops/' || work_id || '.jpg'
        else 'https://image.tmdb.org/t/p/w1280/old.jpg' end,
    case when own then base || 'backdrops/' || work_id || '.jpg'
        else 'https://image.tmdb.org/t/p/w780/old.jpg' end,
    case when own then jsonb_build_array(base || 'stills/' || work_id || '_1.jpg',
        base || 'stills/' || work_id || '_2.jpg') else '[]' end,
    (
        select jsonb_agg(jsonb_build_object('person_id', (6384 + i)::text, 'name', 'Actor ' || i,
            'character', 'Role ' || i, 'order', i, 'gender', 'male',
            'photo_url_small', base || 'cast/' || 6384 + i || '.jpg',
            'photo_url_medium', base || 'cast/' || 6384 + i || '.jpg',
            'photo_url_large', base || 'cast/' || 6384 + i || '.jpg') order by i)
        from generate_series(0, 11) i
    ),
    jsonb_build_array(
        jsonb_build_object('person_id', '905', 'name', 'A Director', 'job', 'Director',
            'department', 'Directing', 'photo_url_small', null, 'photo_url_medium', null),
        jsonb_build_object('person_id', '906', 'name', 'A Writer', 'job', 'Writer',
            'department', 'Writing', 'photo_url_small', null, 'photo_url_medium', null)),
    'vKQi3bBA1y8',
    case when own then base || 'trailers/' || work_id || '_thumb.jpg' end,
    147,
    jsonb_build_array(jsonb_build_object('key', 'vKQi3bBA1y8', 'name', 'Trailer',
        'type', 'Trailer', 'thumbnail_url',
        case when own then base || 'trailers/' || work_id || '_0.jpg' end)),
    '2.39:1', '[{"id": 79, "name": "A Studio", "logo_path": null}]',
    array['United States of America'], array['English'], 'en', 63000000, 463517383,
    '[{"event": "A Prize", "year": 2000}]',
    '{"us": {"link": "https://example.com/watch",
        "flatrate": [{"provider_id": 8, "provider_name": "Streamer", "logo_path": "/s.jpg"}],
        "rent": [{"provider_id": 2, "provider_name": "Renter", "logo_path": null}]},
        "updated_at": "2025-11-20T10:00:00.000Z"}',
    '{"id": 2344, "name": "A Collection", "poster_path": null, "backdrop_path": null}',
    now() - interval '40 days', now() - interval '40 days', array[604, 605], 4
from (
    select work_id, title, tmdb_id::integer < 1000 or tmdb_id::integer % 3 = 0 as own,
        'https://xyz.example.co/storage/v1/object/public/movie-images/' as base
    from public.works
) as w;

insert into public.rating_sources (work_id, source_name, scale_type, value_raw, value_0_100,
    votes_count, last_seen_at)
select work_id, 'TMDB', '0_10', 8.2, 82, 26000, now() - interval '40 days'
from public.works;
insert into public.rating_sources (work_id, source_name, scale_type, value_raw, value_0_100)
select work_id, 'Letterboxd', '0_5', 4.1, 82
from public.works
where tmdb_id in ('603', '550');

insert into public.aggregates (work_id, method_version, n_audience, audience_score, ai_score,
    ai_score_low, ai_score_high, source_scores, computed_at)
select work_id, 'v1_2025_11', 1, 82, 82, 77, 87, '{"tmdb": {"score": 82, "votes": 26000}}',
    now() - interval '40 days'
from public.works;

insert into public.similar_movies (work_id, similar_tmdb_id, source, rank_order, confidence, notes)
select w.work_id, (900000 + n)::text, 'tmdb', n, 0.3, 'TMDB similar movie #' || n
from public.works w, generate_series(1, 10) n
where w.tmdb_id in ('603', '550', '27205');
insert into public.similar_movies (work_id, similar_tmdb_id, source, rank_order, confidence, notes)
select work_id, picked, 'editorial', 1, 0.9, 'picked by hand'
from public.works, unnest(array['604', '27205']) picked
where tmdb_id = '603';

-- The card: what is shown of a movie, out of all the tables above.
insert into public.work_cards_cache (work_id, payload, payload_short, etag, computed_at)
select w.work_id,
    jsonb_build_object('work_id', w.work_id, 'tmdb_id', w.tmdb_id, 'imdb_id', w.imdb_id,
        'title', w.title, 'original_title', w.original_title, 'year', w.year,
        'release_date', w.release_date, 'runtime_minutes', m.runtime_minutes,
        'runtime_display', m.runtime_display, 'tagline', m.tagline, 'overview', m.overview,
        'overview_short', m.overview_short, 'genres', to_jsonb(m.genres),
        'certification', m.certification, 'director', 'A Director',
        'backdrop', m.backdrop_url, 'trailer_youtube_id', m.trailer_youtube_id,
        'trailer_thumbnail', m.trailer_thumbnail, 'still_images', m.still_images,
        'trailers', m.trailers, 'streaming', m.streaming, 'budget', m.budget,
        'revenue', m.revenue_worldwide, 'last_updated', '2025-11-20T10:00:00.000Z')
    || jsonb_build_object(
        'poster', jsonb_build_object('small', m.poster_url_small, 'medium', m.poster_url_medium,
            'large', m.poster_url_large),
        'cast', jsonb_path_query_array(m.cast_members, '$[0 to 7]'),
        'ai_score', a.ai_score,
        'ai_score_range', jsonb_build_array(a.ai_score_low, a.ai_score_high),
        'source_scores', a.source_scores),
    jsonb_build_object('work_id', w.work_id, 'title', w.title, 'year', w.year,
        'poster', m.poster_url_medium, 'ai_score', a.ai_score),
    'etag-' || w.work_id, now() - interval '40 days'
from public.works w
join public.works_meta m using (work_id)
join public.aggregates a using (work_id);

-- One that the app has only just heard of, and one that somebody rated.
insert into public.works (tmdb_id, title)
values ('1079', 'Just heard of');
insert into public.user_ratings (user_id, work_id, stars)
select '00000000-0000-4000-8000-000000000001', work_id, 5
from public.works
where tmdb_id = '603';

insert into public.tmdb_api_logs (created_at, endpoint, http_status, query_params,
    response_time_ms, edge_function, user_query, tmdb_id, metadata)
select now() - make_interval(hours => n), '/3/movie/603', case when n % 5 = 0 then 404 else 200 end,
    '{"language": "en-US"}', 80, 'ingest-movie', 'planet of the apes', '603', '{"attempt": 1}'
from generate_series(1, 20) n;
