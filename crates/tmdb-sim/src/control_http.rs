//! The control interface over HTTP, below `/_sim`: reads answer GET, changes answer any other
//! method.
//!
//! | path | read | change |
//! |---|---|---|
//! | `stats` | [`Stats`](crate::Stats) | back to zero |
//! | `faults` | [`Faults`] | replaces them |
//! | `settings` | all but the credential | those that are named, `credential` included |
//! | `outage` | | `{"for_ms": 500, "kind": "reset"}`, or `"503"` |
//! | `advance` | | `{"secs": 86400}`: moves the simulator's clock on |
//! | `edit/ID`, `delete/ID`, `restore/ID` | | a patch for the first |
//! | `merge/ID` | | `{"into": ID}` |

use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::control::Control;
use crate::edits::lay;
use crate::faults::Faults;
use crate::http::{Request, Response};

/// Answers a control request; `path` is what follows `/_sim/`.
pub(crate) fn answer(control: &Control, path: &str, request: &Request) -> Response {
    let target = Target::of(path);
    let unknown = || {
        value(
            404,
            &json!({
                "error": "no such control path, or the wrong method: read by GET, change by POST"
            }),
        )
    };
    if request.method == "GET" {
        return shown(control, target.verb).map_or_else(unknown, |shown| value(200, &shown));
    }
    match change(control, target, request) {
        Ok(true) => value(200, &json!({"ok": true})),
        Ok(false) => unknown(),
        Err(error) => value(400, &json!({ "error": error.to_string() })),
    }
}

fn shown(control: &Control, verb: &str) -> Option<Value> {
    Some(match verb {
        "stats" => json!(control.stats()),
        "faults" => json!(control.state.faults()),
        "settings" => {
            let mut settings = json!(control.state.settings());
            let set = control.state.credential().is_some();
            lay(&mut settings, json!({ "credential_set": set }));
            settings
        }
        _ => return None,
    })
}

/// How requests fail in an outage.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
enum OutageKind {
    #[default]
    #[serde(rename = "reset")]
    Reset,
    #[serde(rename = "503")]
    Unavailable,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Outage {
    for_ms: u64,
    #[serde(default)]
    kind: OutageKind,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Advance {
    secs: u64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Merge {
    into: u64,
}

/// What a control path names: `edit/603` is a verb and a movie.
#[derive(Debug, Clone, Copy)]
struct Target<'a> {
    verb: &'a str,
    movie: Option<u64>,
}

impl<'a> Target<'a> {
    fn of(path: &'a str) -> Self {
        match path.split_once('/') {
            Some((verb, id)) => Self { verb, movie: id.parse().ok() },
            None => Self { verb: path, movie: None },
        }
    }
}

/// Does what the path says; false where there is no such path.
fn change(
    control: &Control,
    target: Target<'_>,
    request: &Request,
) -> Result<bool, serde_json::Error> {
    match (target.verb, target.movie) {
        ("stats", None) => control.reset_stats(),
        ("faults", None) => control.fail(parsed::<Faults>(request)?),
        ("settings", None) => control.configure(parsed(request)?)?,
        ("outage", None) => {
            let Outage { for_ms, kind } = parsed(request)?;
            match kind {
                OutageKind::Reset => control.outage(Duration::from_millis(for_ms)),
                OutageKind::Unavailable => control.outage_503(Duration::from_millis(for_ms)),
            }
        }
        ("advance", None) => control.advance(Duration::from_secs(parsed::<Advance>(request)?.secs)),
        ("edit", Some(id)) => control.edit(id, parsed(request)?),
        ("delete", Some(id)) => control.delete(id),
        ("restore", Some(id)) => control.restore(id),
        ("merge", Some(id)) => control.merge(id, parsed::<Merge>(request)?.into),
        _ => return Ok(false),
    }
    Ok(true)
}

fn parsed<T: DeserializeOwned>(request: &Request) -> Result<T, serde_json::Error> {
    serde_json::from_slice(&request.body)
}

fn value(status: u16, value: &Value) -> Response {
    Response::json(status, value.to_string())
}
