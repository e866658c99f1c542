//! The control interface over HTTP, below `/_sim`: reads answer GET, changes answer any other method.

use serde_json::{Value, json};

use crate::control::Control;
use crate::faults::Faults;
use crate::http::{Request, Response};
use crate::state::Settings;

/// Answers a control request; `path` is what follows `/_sim/`.
pub(crate) fn answer(control: &Control, path: &str, request: &Request) -> Response {
    let reads = request.method == "GET";
    let (verb, id) = path.split_once('/').map_or((path, None), |(verb, id)| (verb, id.parse::<u64>().ok()));
    match (verb, id) {
        ("stats", None) if reads => value(200, &json!(control.stats())),
        ("stats", None) => {
            control.reset_stats();
            done()
        }
        ("faults", None) if reads => value(200, &json!(control.state.faults())),
        ("faults", None) => parsed::<Faults>(request).map_or_else(refused, |faults| {
            control.fail(faults);
            done()
        }),
        ("settings", None) if reads => value(200, &json!(control.state.settings())),
        ("settings", None) => settings(control, request).unwrap_or_else(refused),
        ("edit", Some(id)) if !reads => parsed::<Value>(request).map_or_else(refused, |patch| {
            control.edit(id, patch);
            done()
        }),
        ("delete", Some(id)) if !reads => {
            control.delete(id);
            done()
        }
        ("restore", Some(id)) if !reads => {
            control.restore(id);
            done()
        }
        _ => value(404, &json!({"error": "no such control path, or the wrong method: read with GET, change with POST"})),
    }
}

/// Changes the settings that are named and leaves the others.
fn settings(control: &Control, request: &Request) -> Result<Response, String> {
    let patch = parsed::<Value>(request)?;
    let mut merged = json!(control.state.settings());
    crate::state::merge(&mut merged, patch);
    let settings: Settings = serde_json::from_value(merged).map_err(|error| error.to_string())?;
    control.state.change_settings(|current| *current = settings);
    Ok(done())
}

fn parsed<T: serde::de::DeserializeOwned>(request: &Request) -> Result<T, String> {
    serde_json::from_slice(&request.body).map_err(|error| error.to_string())
}

fn refused(error: String) -> Response {
    value(400, &json!({ "error": error }))
}

fn done() -> Response {
    value(200, &json!({"ok": true}))
}

fn value(status: u16, value: &Value) -> Response {
    Response::json(status, value.to_string())
}
