//! Switches for the project's own tests, in debug builds only: a safeguard that is off, a handler
//! that panics, a process that ends at one message, a database whose time runs fast.
//!
//! A test that cannot fail proves nothing: with a safeguard off, the chaos tests have to fail. The
//! switches are environment variables, read here and nowhere else.

use std::sync::{
    LazyLock,
    atomic::{AtomicU64, Ordering},
};

/// `MANGOES_WITHOUT=inbox,outbox`: safeguards that are off.
static WITHOUT: LazyLock<Vec<String>> = LazyLock::new(|| {
    let text = if cfg!(debug_assertions) {
        std::env::var("MANGOES_WITHOUT").unwrap_or_default()
    } else {
        String::new()
    };
    text.split(',').filter(|word| !word.is_empty()).map(ToOwned::to_owned).collect()
});

/// `MANGOES_PANIC=50`: every 50th message's handler panics.
static PANIC_EVERY: LazyLock<Option<u64>> = LazyLock::new(|| {
    let text = if cfg!(debug_assertions) { std::env::var("MANGOES_PANIC").ok() } else { None };
    text.and_then(|n| n.parse().ok()).filter(|n| *n > 0)
});

/// Whether this safeguard is off. Never in a release build.
#[must_use]
pub fn without(safeguard: &str) -> bool {
    WITHOUT.iter().any(|off| off == safeguard)
}

/// Panics at every n-th call where a test asked for it. Never in a release build.
///
/// # Panics
/// That is what it is for.
pub fn panic_now_and_then() {
    static CALLS: AtomicU64 = AtomicU64::new(1);
    if let Some(every) = *PANIC_EVERY
        && CALLS.fetch_add(1, Ordering::Relaxed).is_multiple_of(every)
    {
        #[expect(clippy::panic, reason = "a test asked for it")]
        {
            panic!("on purpose, because MANGOES_PANIC is set");
        }
    }
}

/// Ends the process at once where a test named this message: `MANGOES_ABORT=<message key>`. Never
/// in a release build.
pub fn abort_at(message_key: &str) {
    if cfg!(debug_assertions) && std::env::var("MANGOES_ABORT").is_ok_and(|key| key == message_key)
    {
        std::process::abort();
    }
}

/// A schema of the test whose `now()` stands before that of Postgres: `MANGOES_CLOCK=<schema>`.
/// Never in a release build.
#[must_use]
pub fn clock_schema() -> Option<String> {
    if cfg!(debug_assertions) { std::env::var("MANGOES_CLOCK").ok() } else { None }
}
