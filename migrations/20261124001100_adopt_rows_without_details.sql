-- A movie of an adopted database that has no details was never stored by us: it is due now, whatever its old row says.
update works w set last_refreshed_at = null
    where revision = 0 and last_refreshed_at is not null and not exists (select 1 from works_meta m where m.work_id = w.work_id);
