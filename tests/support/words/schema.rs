//! The schema of a database as text: what the catalogs of Postgres say.

use crate::database::Database;

impl Database {
    /// Tables with columns, constraints, indexes and triggers; views with columns; functions with
    /// what they take, return and may do. Of the app's schema and of ours, without partitions of a
    /// day.
    pub async fn schema_as_text(&self) -> String {
        let lines: Vec<String> = self.values(SNAPSHOT).await;
        lines.join("\n") + "\n"
    }
}

const SNAPSHOT: &str = "
with relations as (
    select c.oid, c.relkind, s.nspname || '.' || c.relname as name
    from pg_class c
    join pg_namespace s on s.oid = c.relnamespace
    where s.nspname in ('public', 'mangoes')
        and c.relkind in ('r', 'p', 'v')
        and c.relname !~ '^tmdb_call_[0-9]{8}$'
),
lines as (
    select
        name,
        0 as part,
        '' as place,
        E'\\n' || case relkind when 'v' then 'view ' else 'table ' end || name as line
    from relations
    union all
    select
        r.name,
        1,
        lpad(a.attnum::text, 4, '0'),
        '  ' || a.attname || ' ' || format_type(a.atttypid, a.atttypmod)
            || case when a.attnotnull then ' not null' else '' end
            || case
                when a.attgenerated <> '' then ' generated ' || pg_get_expr(d.adbin, d.adrelid)
                when a.attidentity <> '' then ' identity'
                when d.oid is not null then ' default ' || pg_get_expr(d.adbin, d.adrelid)
                else ''
            end
    from relations r
    join pg_attribute a on a.attrelid = r.oid and a.attnum > 0 and not a.attisdropped
    left join pg_attrdef d on d.adrelid = r.oid and d.adnum = a.attnum
    union all
    select r.name, 2, k.conname, '  ' || k.conname || ': ' || pg_get_constraintdef(k.oid)
    from relations r
    join pg_constraint k on k.conrelid = r.oid and k.contype in ('c', 'f', 'p', 'u')
    union all
    select
        r.name,
        3,
        i.relname,
        '  ' || replace(pg_get_indexdef(x.indexrelid), 'CREATE ', '')
    from relations r
    join pg_index x on x.indrelid = r.oid
    join pg_class i on i.oid = x.indexrelid
    where not exists (select 1 from pg_constraint k where k.conindid = x.indexrelid)
    union all
    select r.name, 4, t.tgname, '  ' || replace(pg_get_triggerdef(t.oid), 'CREATE ', '')
    from relations r
    join pg_trigger t on t.tgrelid = r.oid and not t.tgisinternal
    union all
    select
        'zz functions',
        5,
        s.nspname || '.' || p.proname || pg_get_function_identity_arguments(p.oid),
        s.nspname || '.' || p.proname || '(' || pg_get_function_arguments(p.oid) || ') returns '
            || coalesce(pg_get_function_result(p.oid), 'nothing') || ', ' || l.lanname
            || case p.provolatile when 'i' then ', immutable' when 's' then ', stable' else '' end
            || case when p.prosecdef then ', security definer' else '' end
            || coalesce(', ' || array_to_string(p.proconfig, '; '), '')
    from pg_proc p
    join pg_namespace s on s.oid = p.pronamespace
    join pg_language l on l.oid = p.prolang
    where s.nspname in ('public', 'mangoes')
    union all
    select 'zz functions', 4, '', E'\\nfunctions'
)
select line
from lines
order by name collate \"C\", part, place collate \"C\"";
