//! The client and the mapping against recorded and against arbitrary answers.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails loudly")]
#![expect(clippy::print_stderr, reason = "what is skipped is said where nobody captures it")]

mod arbitrary;
mod recorded;
mod server;
