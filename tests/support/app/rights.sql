-- Row security of the app: everybody reads the catalogue, the HTTP interface's service role writes
-- it. Grants come from the hosting's defaults. Run by the app's owner.

do $$
declare
    shown text;
begin
    foreach shown in array array['works', 'works_meta', 'rating_sources', 'aggregates',
        'work_cards_cache'] loop
        execute format('alter table public.%I enable row level security', shown);
        execute format('create policy %I on public.%I for select using (true)',
            shown || ' is viewable by everyone', shown);
        execute format(
            'create policy %I on public.%I for all using (auth.role() = ''service_role'')',
            shown || ' is managed by service role', shown);
    end loop;
end $$;

alter table public.tmdb_api_logs enable row level security;
create policy "service role inserts tmdb_api_logs" on public.tmdb_api_logs
    for insert to service_role with check (true);
create policy "everyone reads tmdb_api_logs" on public.tmdb_api_logs
    for select to anon, authenticated using (true);

alter table public.scheduled_ingestion_log enable row level security;
create policy "service role inserts scheduled_ingestion_log" on public.scheduled_ingestion_log
    for insert to service_role with check (true);
create policy "everyone reads scheduled_ingestion_log" on public.scheduled_ingestion_log
    for select to anon, authenticated using (true);

alter table public.user_ratings enable row level security;
create policy "users manage their own ratings" on public.user_ratings
    for all using (auth.uid() = user_id);
