//! The table of fates: every error of the services, printed into `docs/fates.md` and held there. A
//! new variant has no name here and does not compile until it has one.

use std::{fmt::Write, path::Path, time::Duration};

use delivery::{Classify, Fate};

use ingest::IngestError;
use maintenance::MaintenanceError;
use proto::{Action, TmdbId};
use refresh::RefreshError;
use runtime::chain;
use staleness_scanner::ScanError;
use store::{Noun, Outage, StoreError};
use tmdb::TmdbError;

const HEAD: &str = "# Fates

What becomes of a message whose work failed. `make bless` writes this page; a difference fails the
tests.

| error | says | fate |
|---|---|---|
";
/// What the bus and the outbox decide by themselves.
const FATES_WITHOUT_AN_ERROR: &str = "\
| bus | the payload does not decode | dead letter `invalid-payload` at once |
| bus | the handler panicked | \
    retry with backoff, at most 3 times; then a dead letter `retries-exhausted` |
| bus | the process died under it, thrice while it ran alone | dead letter `poison` |
| bus | delivered `max_deliver` times | dead letter `max-deliver` |
| bus | its headers cannot be read | dead letter `unreadable-headers` |
| outbox | no stream takes it: too large, another subject, an id that no header holds | \
    dead letter `not-publishable` |
";

fn movie() -> TmdbId {
    TmdbId::try_from(603).unwrap()
}

fn tmdb_errors() -> Vec<TmdbError> {
    let text = |t: &str| t.to_owned();
    vec![
        TmdbError::NotFound(movie()),
        TmdbError::RateLimited { retry_after: Some(Duration::from_secs(7)) },
        TmdbError::RateLimited { retry_after: None },
        TmdbError::Unauthorized { code: Some(7) },
        TmdbError::Unavailable { status: Some(502), detail: text("502") },
        TmdbError::Failing { detail: text("500, while others are answered") },
        TmdbError::Stopped { after: Duration::from_secs(5), refused: false },
        TmdbError::Draining,
        TmdbError::Cancelled,
        TmdbError::Rejected { status: 400, code: Some(22), message: text("Invalid page") },
        TmdbError::Malformed { detail: text("id is missing") },
        TmdbError::WrongId { asked: movie(), got: 604 },
        TmdbError::BodyTooLarge { limit_bytes: 16_777_216 },
        TmdbError::Setup(text("no TLS")),
    ]
}

fn name_of_tmdb(error: &TmdbError) -> &'static str {
    match error {
        TmdbError::NotFound(_) => "NotFound",
        TmdbError::RateLimited { .. } => "RateLimited",
        TmdbError::Unauthorized { .. } => "Unauthorized",
        TmdbError::Unavailable { .. } => "Unavailable",
        TmdbError::Failing { .. } => "Failing",
        TmdbError::Stopped { .. } => "Stopped",
        TmdbError::Draining => "Draining",
        TmdbError::Cancelled => "Cancelled",
        TmdbError::Rejected { .. } => "Rejected",
        TmdbError::Malformed { .. } => "Malformed",
        TmdbError::WrongId { .. } => "WrongId",
        TmdbError::BodyTooLarge { .. } => "BodyTooLarge",
        TmdbError::Setup(_) => "Setup",
    }
}

fn store_errors() -> Vec<StoreError> {
    let sql = || sqlx::Error::RowNotFound;
    vec![
        StoreError::Unavailable(Outage::NoAnswer(std::time::Duration::from_secs(10))),
        StoreError::Unavailable(Outage::NotWritable("works")),
        StoreError::Conflict(sql()),
        StoreError::Data(sql()),
        StoreError::Row {
            table: "job",
            column: "action",
            key: "x".to_owned(),
            problem: "unknown action 'y'".to_owned(),
        },
        StoreError::Setup("migration failed".to_owned()),
        StoreError::Unknown { what: Noun::Job, name: "x".to_owned() },
        StoreError::Refused("x is not over".to_owned()),
        StoreError::Repeated(serde_json::Value::Null),
        StoreError::Other(sql()),
    ]
}

fn name_of_store(error: &StoreError) -> &'static str {
    match error {
        StoreError::Unavailable(_) => "Unavailable",
        StoreError::Conflict(_) => "Conflict",
        StoreError::Data(_) => "Data",
        StoreError::Row { .. } => "Row",
        StoreError::Setup(_) => "Setup",
        StoreError::Unknown { .. } => "Unknown",
        StoreError::Refused(_) => "Refused",
        StoreError::Repeated(_) => "Repeated",
        StoreError::Other(_) => "Other",
    }
}

fn words(fate: Fate) -> String {
    match fate {
        Fate::Retry { after: None } => {
            "retry with backoff, at most 3 times; then a dead letter `retries-exhausted`".to_owned()
        }
        Fate::Retry { after: Some(after) } => {
            format!("retry after {} s, at most 3 times", after.as_secs())
        }
        Fate::Wait { after } => format!("wait at least {} s; uses up no attempt", after.as_secs()),
        Fate::Reject(reason) => format!("dead letter `{reason}` at once"),
        Fate::Missing => {
            "movie of the catalogue: remembered, a tombstone after a second 404 a day later; \
             else a dead letter `not-found`"
                .to_owned()
        }
    }
}

fn row(table: &mut String, name: &str, error: &impl Classify) {
    let says = chain(error).replace('|', "/");
    writeln!(table, "| {name} | {says} | {} |", words(error.fate())).unwrap();
}

/// The document says what the code does.
#[test]
fn the_table_of_fates_stands_in_the_docs() {
    let mut table = HEAD.to_owned();
    for error in tmdb_errors() {
        row(&mut table, &format!("tmdb {}", name_of_tmdb(&error)), &error);
    }
    for error in store_errors() {
        row(&mut table, &format!("store {}", name_of_store(&error)), &error);
    }
    let empty = serde_json::json!({});
    let payload = |action: Action| action.check_payload(&empty).unwrap_err();
    let days = Action::Maintain.check_payload(&serde_json::json!({"run_days": 0})).unwrap_err();
    row(&mut table, "ingest RunOver", &IngestError::RunOver("a".parse().unwrap()));
    row(&mut table, "ingest RunIdKept", &IngestError::RunIdKept("a".parse().unwrap()));
    row(&mut table, "ingest Payload", &IngestError::Payload(payload(Action::Ingest)));
    row(&mut table, "refresh Unknown", &RefreshError::Unknown(movie()));
    row(&mut table, "refresh Payload", &RefreshError::Payload(payload(Action::Refresh)));
    row(&mut table, "scan Payload", &ScanError::Payload(payload(Action::Scan)));
    row(&mut table, "maintenance Payload", &MaintenanceError::Payload(days));
    // Each service passes the errors of TMDB and of the database on as they are.
    for error in tmdb_errors() {
        let fate = error.fate();
        assert_eq!(IngestError::from(error).fate(), fate);
    }
    for (error, same) in store_errors().into_iter().zip(store_errors()) {
        let fate = error.fate();
        assert_eq!((RefreshError::from(error).fate(), ScanError::from(same).fate()), (fate, fate));
    }
    table.push_str(FATES_WITHOUT_AN_ERROR);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/fates.md");
    if std::env::var_os("MANGOES_BLESS").is_some() {
        std::fs::write(&path, &table).unwrap();
    }
    assert!(
        std::fs::read_to_string(&path).unwrap_or_default() == table,
        "run MANGOES_BLESS=1 cargo test -p tests fates:: and look at the difference"
    );
}
