//! The client and the mapping against recorded and against arbitrary answers.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails loudly")]
#![expect(clippy::print_stderr, reason = "a skipped test has to be seen")]

mod arbitrary;
mod recorded;
mod server;
