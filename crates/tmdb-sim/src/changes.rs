//! The change lists: what was edited, deleted or restored through the control interface.

use serde_json::{Value, json};
use time::format_description::well_known::Iso8601;
use time::{Date, Duration, OffsetDateTime, Time};

use crate::http::{Request, Response};
use crate::state::State;

/// Longest window in days.
const MAX_DAYS: i64 = 14;
/// Rows on a page.
const PAGE_ROWS: usize = 100;
/// Seconds a cache may keep an answer.
const MAX_AGE: u64 = 28_800;

/// Answers `movie/changes`.
pub(crate) fn all(state: &State, request: &Request, page: u64) -> Response {
    let window = match Window::of(request, state.clock.now()) {
        Ok(window) => window,
        Err(refusal) => return refusal,
    };
    let all = state.edits.all();
    let changed =
        all.iter().filter(|(_, changes)| changes.iter().any(|change| window.holds(change.at)));
    // A movie that is deleted by now is shown as neither adult nor not.
    let rows: Vec<Value> = changed
        .map(|(id, changes)| {
            let gone = changes.last().is_some_and(|change| change.condition.deleted);
            let adult = if gone { Value::Null } else { Value::Bool(false) };
            json!({"id": id, "adult": adult, "softcore": adult})
        })
        .collect();
    let skipped = usize::try_from(page - 1).unwrap_or(usize::MAX).saturating_mul(PAGE_ROWS);
    let results: Vec<&Value> = rows.iter().skip(skipped).take(PAGE_ROWS).collect();
    let pages = rows.len().div_ceil(PAGE_ROWS).max(1);
    let body = json!({
        "results": results, "page": page, "total_pages": pages, "total_results": rows.len(),
    });
    Response::json(200, body.to_string()).cached(MAX_AGE)
}

/// Answers `movie/{id}/changes`.
pub(crate) fn one(state: &State, request: &Request, id: u64) -> Response {
    let window = match Window::of(request, state.clock.now()) {
        Ok(window) => window,
        Err(refusal) => return refusal,
    };
    let mut changes = serde_json::Map::new();
    let all = state.edits.all();
    let history = all.get(&id).map(Vec::as_slice).unwrap_or_default();
    for (number, change) in history.iter().enumerate().filter(|(_, change)| window.holds(change.at))
    {
        let (date, clock) = (change.at.date(), change.at.time());
        let time =
            format!("{date} {:02}:{:02}:{:02} UTC", clock.hour(), clock.minute(), clock.second());
        for (key, value) in &change.keys {
            let item_id = format!("{id:012x}{number:012x}");
            let item = json!({
                "id": item_id, "action": "updated", "time": time, "iso_639_1": "en",
                "iso_3166_1": "US", "value": value,
            });
            if let Some(items) =
                changes.entry(key.as_str()).or_insert_with(|| json!([])).as_array_mut()
            {
                items.push(item);
            }
        }
    }
    let changes: Vec<Value> =
        changes.into_iter().map(|(key, items)| json!({"key": key, "items": items})).collect();
    Response::json(200, json!({ "changes": changes }).to_string()).cached(MAX_AGE)
}

struct Window {
    start: OffsetDateTime,
    end: OffsetDateTime,
}

impl Window {
    /// The whole days asked for; the last 24 hours before `now` where none are.
    fn of(request: &Request, now: OffsetDateTime) -> Result<Self, Response> {
        let (start, end) = (day(request, "start_date")?, day(request, "end_date")?);
        if start.is_none() && end.is_none() {
            return Ok(Self { start: now.saturating_sub(Duration::DAY), end: now });
        }
        let end = end
            .or_else(|| start.map(|start| start.saturating_add(Duration::DAY)))
            .unwrap_or_else(|| now.date());
        let start = start.unwrap_or_else(|| end.saturating_sub(Duration::DAY));
        if (end - start).whole_days() > MAX_DAYS {
            return Err(Response::error(
                422,
                20,
                "Invalid date range: Should be a range no longer than 14 days.",
            ));
        }
        let next = end.saturating_add(Duration::DAY);
        Ok(Self {
            start: start.with_time(Time::MIDNIGHT).assume_utc(),
            end: next.with_time(Time::MIDNIGHT).assume_utc(),
        })
    }

    fn holds(&self, at: OffsetDateTime) -> bool {
        self.start <= at && at <= self.end
    }
}

/// A day; what follows the date, such as a time, is ignored.
fn day(request: &Request, name: &str) -> Result<Option<Date>, Response> {
    let Some(text) = request.param(name).filter(|text| !text.is_empty()) else { return Ok(None) };
    let date = text.get(..10).and_then(|text| Date::parse(text, &Iso8601::DATE).ok());
    date.map(Some).ok_or_else(|| {
        Response::error(400, 23, "Invalid date: Should be a valid date and formatted YYYY-MM-DD.")
    })
}
