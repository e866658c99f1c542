-- When a movie is due again after a look at it: by its age, by the parts that the answer lacked,
-- and by the change feed, where the answer does not show yet what the feed told. The row of title
-- is the caller's, who has locked it.
create or replace function due_after_look(
    p_work_id bigint, p_read_at timestamptz, p_release_date date, p_lacks_parts boolean,
    p_is_changed boolean,
    out band text, out band_until timestamptz, out stale_at timestamptz, out stale_cause text,
    out planned_at timestamptz, out parts_at timestamptz, out incomplete_looks smallint,
    out feed_at timestamptz, out told_at timestamptz, out told_looks smallint
)
language plpgsql stable set search_path from current as $$
declare
    -- How soon what lacks a part is asked for again; doubles with each answer that lacks one.
    parts_again constant interval := '2 hours';
    -- So often; from then on at the pace of its age.
    parts_looks constant smallint := 6;
    -- TMDB's answers come from caches: of 12,566 recorded ones 99 % were younger than 10.4 hours,
    -- and none was older than 15.3. So an answer that says nothing new is asked for again this long
    -- after the feed named the movie, and once more after twice as long.
    cached constant interval := '8 hours';
    second_looks constant smallint := 2;
    -- After its first look a movie is due up to this share of its interval earlier than it has to
    -- be: movies that came together do not come again together.
    ahead constant double precision := 0.5;
    known record;
begin
    select
        t.fetched_at, t.incomplete_looks, t.feed_at, t.told_at, t.told_looks, t.demand_until,
        t.pin_every, t.pin_until
    into known
    from title t
    where t.work_id = p_work_id;
    select f.band, f.band_until, f.stale_at, f.stale_cause, f.planned_at
    into band, band_until, stale_at, stale_cause, planned_at
    from freshness_of(
        p_release_date, p_read_at, true, known.demand_until, known.pin_every, known.pin_until,
        case when known.fetched_at is null then ahead * (hashint8(p_work_id) & 1023) / 1023 end
    ) f;
    incomplete_looks := 0;
    if p_lacks_parts then
        incomplete_looks := least(known.incomplete_looks + 1, parts_looks);
        if known.incomplete_looks < parts_looks then
            parts_at := p_read_at + parts_again * 2 ^ known.incomplete_looks;
        end if;
    end if;
    told_looks := 0;
    if p_read_at < known.told_at then
        feed_at := known.feed_at;
        told_at := known.told_at;
        told_looks := known.told_looks;
    elsif not p_is_changed
        and known.told_looks < second_looks
        and p_read_at < known.told_at + second_looks * cached
    then
        told_at := known.told_at;
        told_looks := known.told_looks + 1;
        feed_at := known.told_at + told_looks * cached;
    end if;
end $$;
