//! Waiting for a condition. Whoever waits in vain learns what for, and what was seen last.

use std::{
    fmt::Debug,
    path::Path,
    time::{Duration, Instant},
};

use crate::program::last_lines;

/// Generous: two cores may be busy with other worlds.
pub const PATIENCE: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// So much of a log is shown.
const LINES_SHOWN: usize = 40;

/// Waits until what `look` sees is as wanted, and returns it.
pub async fn eventually<T: Debug>(
    what: &str,
    look: impl AsyncFnMut() -> T,
    wanted: impl Fn(&T) -> bool,
) -> T {
    Wait::within(PATIENCE).until(what, look, wanted).await
}

/// How long to wait, and which log to show when that time is over.
#[derive(Debug, Clone, Copy)]
pub struct Wait<'a> {
    limit: Duration,
    log: Option<&'a Path>,
}

impl<'a> Wait<'a> {
    /// Gives up after this time.
    pub const fn within(limit: Duration) -> Self {
        Self { limit, log: None }
    }

    /// Shows the end of this log when the time is over.
    pub const fn showing(self, log: &'a Path) -> Self {
        Self { log: Some(log), ..self }
    }

    /// Waits until what `look` sees is as wanted, and returns it.
    pub async fn until<T: Debug>(
        self,
        what: &str,
        look: impl AsyncFnMut() -> T,
        wanted: impl Fn(&T) -> bool,
    ) -> T {
        let last = match self.try_until(look, wanted).await {
            Ok(seen) => return seen,
            Err(last) => last,
        };
        let secs = self.limit.as_secs_f64();
        let log = self.log.map(|path| last_lines(path, LINES_SHOWN)).unwrap_or_default();
        panic!("waited {secs:.1} s in vain: {what}; last seen: {last:?}\n{log}")
    }

    /// As `until`; in vain: what was seen last.
    pub async fn try_until<T>(
        self,
        mut look: impl AsyncFnMut() -> T,
        wanted: impl Fn(&T) -> bool,
    ) -> Result<T, T> {
        let begun = Instant::now();
        loop {
            let seen = look().await;
            if wanted(&seen) {
                return Ok(seen);
            }
            if begun.elapsed() > self.limit {
                return Err(seen);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Wait;

    #[tokio::test]
    async fn waits_until_it_is_there() {
        let mut looks = 0;
        let look = async || {
            looks += 1;
            looks
        };
        let seen = Wait::within(Duration::from_secs(10)).until("three", look, |n| *n == 3).await;
        assert_eq!(seen, 3);
    }

    #[tokio::test]
    #[should_panic(expected = "in vain: seven; last seen: 5")]
    async fn in_vain_shows_what_was_awaited_and_what_was_seen() {
        Wait::within(Duration::ZERO).until("seven", async || 5, |n| *n == 7).await;
    }
}
