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

The default is doubt: an error is the message's own fault only where something proves it, and the
last column says what. Everything else waits for as long as it takes, uses up no attempt, and is
told by `/readyz`; what has waited for an hour is told by `mangoes status`. A transaction that met a
deadlock is repeated.

| error | says | fate | proof |
|---|---|---|---|
";
/// What the bus and the outbox decide by themselves.
const FATES_WITHOUT_AN_ERROR: &str = "\
| bus | the payload does not decode | dead letter `invalid-payload` at once | its bytes |
| bus | the handler panicked | \
    retry with backoff, at most 3 times; then a dead letter `retries-exhausted` | \
    it panicked four times on this message |
| bus | the process died under it, thrice while it ran alone | dead letter `poison` | \
    it ran alone |
| bus | delivered `max_deliver` times | dead letter `max-deliver` | a million deliveries |
| bus | its headers cannot be read | dead letter `unreadable-headers` | its bytes |
| outbox | no stream takes it: too large, another subject, an id that no header holds | \
    dead letter `not-publishable` | its bytes |
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
        TmdbError::Odd { detail: text("HTTP 500"), after: Duration::from_secs(2) },
        TmdbError::Failing { detail: text("HTTP 500") },
        TmdbError::Stopped { after: Duration::from_secs(5), refused: false },
        TmdbError::Draining,
        TmdbError::Cancelled,
        TmdbError::BadId { status: 500, code: Some(44), message: text("The ID is invalid.") },
        TmdbError::Setup(text("no TLS")),
    ]
}

fn name_of_tmdb(error: &TmdbError) -> &'static str {
    match error {
        TmdbError::NotFound(_) => "NotFound",
        TmdbError::RateLimited { .. } => "RateLimited",
        TmdbError::Unauthorized { .. } => "Unauthorized",
        TmdbError::Unavailable { .. } => "Unavailable",
        TmdbError::Odd { .. } => "Odd",
        TmdbError::Failing { .. } => "Failing",
        TmdbError::Stopped { .. } => "Stopped",
        TmdbError::Draining => "Draining",
        TmdbError::Cancelled => "Cancelled",
        TmdbError::BadId { .. } => "BadId",
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
        Fate::Wait { after } => {
            format!("wait at least {} s, others too; uses up no attempt", after.as_secs_f64())
        }
        Fate::WaitAlone { after } => {
            format!("wait at least {} s, others go on; uses up no attempt", after.as_secs_f64())
        }
        Fate::Reject(reason) => format!("dead letter `{reason}` at once"),
        Fate::Missing => {
            "movie of the catalogue: remembered, a tombstone after a second 404 a day later; \
             else a dead letter `not-found`"
                .to_owned()
        }
    }
}

/// What proves that the message is at fault, for every error that may make a dead letter of it.
const PROOFS: [(&str, &str); 14] = [
    ("tmdb NotFound", "TMDB's own JSON says so of this id (code 34 or 6), twice"),
    (
        "tmdb Failing",
        "no usable answer again and again, while TMDB answers about nearly all others",
    ),
    ("tmdb Cancelled", "a person cancelled its run"),
    ("tmdb BadId", "TMDB's own JSON says so of this id (code 44), twice"),
    ("store Data", "the database names the data of this row, which was stored alone"),
    ("store Unknown", "it names a job or run that is not there"),
    ("store Repeated", "its request id was answered before"),
    ("ingest RunOver", "it names a run that is over"),
    ("ingest RunIdKept", "it names a run of a job"),
    ("ingest Payload", "its payload"),
    ("refresh Unknown", "it names a movie that is not in the catalogue"),
    ("refresh Payload", "its payload"),
    ("scan Payload", "its payload"),
    ("maintenance Payload", "its payload"),
];

fn row(table: &mut String, name: &str, error: &impl Classify) {
    let says = chain(error).replace('|', "/");
    let fate = error.fate();
    let proof = PROOFS.iter().find(|(of, _)| *of == name).map(|(_, proof)| *proof);
    let waits = matches!(fate, Fate::Wait { .. } | Fate::WaitAlone { .. });
    assert_eq!(
        proof.is_none(),
        waits,
        "{name}: what makes a dead letter needs a proof, and only it"
    );
    writeln!(table, "| {name} | {says} | {} | {} |", words(fate), proof.unwrap_or("none")).unwrap();
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
